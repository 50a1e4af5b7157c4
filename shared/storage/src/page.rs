//! Lists, a page at a time.

use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;
use waybill_domain::Timestamp;
use waybill_domain::id::{
    AccountId, DeliveryId, DraftId, EndpointId, ExportId, ImportId, NoteId, OrderId, OrderNumber, ProductId,
};
use waybill_domain::text::Sku;

use crate::keys::{self, Index, Item, Key, SUMMARY};
use crate::operations::{QUERY, QueryInput};
use crate::table::{StorageError, Table, from_item};

/// Where a page begins or ends. It says nothing of which list it belongs to; that is always the caller's own, so a
/// cursor cannot open somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    sort: String,
    key: Key,
    /// Whether the page before it is wanted, not the one behind it.
    back: bool,
}

impl Cursor {
    /// Reads a cursor of a product list.
    pub fn among_products(text: &str) -> Option<Cursor> {
        let (text, back) = direction(text);
        let id: ProductId = text.parse().ok()?;
        Some(Cursor { sort: id.to_string(), key: keys::product(id), back })
    }

    /// Reads a cursor of an order list.
    pub fn among_orders(text: &str) -> Option<Cursor> {
        let (text, back) = direction(text);
        let (at, id) = text.split_once('.')?;
        let (at, id) = (Timestamp::from_millisecond(at.parse().ok()?).ok()?, id.parse::<OrderId>().ok()?);
        Some(Cursor::at_order(at, id, back))
    }

    /// The place of an order among others.
    pub(crate) fn at_order(placed_at: Timestamp, id: OrderId, back: bool) -> Cursor {
        Cursor { sort: keys::by_time(placed_at, id), key: keys::order(id.number()), back }
    }

    pub(crate) fn is_back(&self) -> bool {
        self.back
    }

    /// Reads a cursor of the list of imports.
    pub fn among_imports(text: &str) -> Option<Cursor> {
        let (text, back) = direction(text);
        let (at, id) = text.split_once('.')?;
        let (at, id) = (Timestamp::from_millisecond(at.parse().ok()?).ok()?, id.parse::<ImportId>().ok()?);
        Some(Cursor { sort: keys::by_time(at, id), key: keys::import(id), back })
    }

    /// Reads a cursor of the list of exports.
    pub fn among_exports(text: &str) -> Option<Cursor> {
        let (text, back) = direction(text);
        let (at, id) = text.split_once('.')?;
        let (at, id) = (Timestamp::from_millisecond(at.parse().ok()?).ok()?, id.parse::<ExportId>().ok()?);
        Some(Cursor { sort: keys::by_time(at, id), key: keys::export(id), back })
    }

    /// Reads a cursor of all accounts.
    pub fn among_accounts(text: &str) -> Option<Cursor> {
        let (text, back) = direction(text);
        let (at, id) = text.split_once('.')?;
        let (at, id) = (Timestamp::from_millisecond(at.parse().ok()?).ok()?, id.parse::<AccountId>().ok()?);
        Some(Cursor { sort: keys::by_time(at, id), key: keys::account(id), back })
    }

    /// Reads a cursor of the ledgers of all SKUs.
    pub fn among_ledgers(text: &str) -> Option<Cursor> {
        let (text, back) = direction(text);
        let (at, text) = text.split_once('.')?;
        let (product, text) = text.split_once('.')?;
        let (id, sku) = text.split_once('.')?;
        let at = Timestamp::from_millisecond(at.parse().ok()?).ok()?;
        let (product, id, sku) = (product.parse().ok()?, id.parse().ok()?, sku.parse().ok()?);
        let sort = keys::by_time(at, keys::in_ledgers(product, &sku, id));
        Some(Cursor { sort, key: keys::movement(product, &sku, id), back })
    }

    /// Reads a cursor of the list of drafts.
    pub fn among_drafts(text: &str) -> Option<Cursor> {
        let (text, back) = direction(text);
        let (at, id) = text.split_once('.')?;
        let (at, id) = (Timestamp::from_millisecond(at.parse().ok()?).ok()?, id.parse::<DraftId>().ok()?);
        Some(Cursor { sort: keys::by_time(at, id), key: keys::cart(id.into()), back })
    }
}

impl Cursor {
    /// Reads a cursor of a SKU's ledger.
    pub fn among_movements(product: ProductId, sku: &Sku, text: &str) -> Option<Cursor> {
        let (text, back) = direction(text);
        let (number, id) = text.split_once('.')?;
        let (number, id) = (number.parse().ok()?, id.parse().ok()?);
        Some(Cursor { sort: keys::by_number(number, id), key: keys::movement(product, sku, id), back })
    }

    /// Reads a cursor of the notes about an order.
    pub fn among_notes(order: OrderNumber, text: &str) -> Option<Cursor> {
        let (text, back) = direction(text);
        let (at, id) = text.split_once('.')?;
        let (at, id) = (Timestamp::from_millisecond(at.parse().ok()?).ok()?, id.parse::<NoteId>().ok()?);
        Some(Cursor { sort: keys::by_time(at, id), key: keys::note(order, id), back })
    }

    /// Reads a cursor of a series of documents.
    pub fn among_documents(text: &str) -> Option<Cursor> {
        let (text, back) = direction(text);
        let mut parts = text.split('.');
        let serial = parts.next()?.parse().ok()?;
        let (order, place) = (parts.next()?.parse::<OrderNumber>().ok()?, parts.next()?.parse().ok()?);
        Some(Cursor { sort: keys::by_serial(serial, order, place), key: keys::document(order, place), back })
            .filter(|_| parts.next().is_none())
    }

    /// Reads a cursor of the list of SKUs of which little is left.
    pub fn among_low_stock(text: &str) -> Option<Cursor> {
        let (text, back) = direction(text);
        let (at, text) = text.split_once('.')?;
        let (product, sku) = text.split_once('.')?;
        let at = Timestamp::from_millisecond(at.parse().ok()?).ok()?;
        let (product, sku) = (product.parse().ok()?, sku.parse().ok()?);
        Some(Cursor { sort: keys::low_since(at, product, &sku).sk, key: keys::low(product, &sku), back })
    }

    /// Reads a cursor of what was sent to an endpoint, or about one order.
    pub fn among_deliveries(endpoint: EndpointId, order: Option<OrderId>, text: &str) -> Option<Cursor> {
        let (text, back) = direction(text);
        if let Some(order) = order {
            let version = text.strip_prefix(keys::DELIVERY.trim_end_matches('#'))?.strip_prefix('.')?.parse().ok()?;
            let key = keys::delivery(endpoint, DeliveryId::of(order, version));
            return Some(Cursor { sort: key.sk.clone(), key, back });
        }
        let (at, id) = text.split_once('.')?;
        let (at, id) = (Timestamp::from_millisecond(at.parse().ok()?).ok()?, id.parse::<DeliveryId>().ok()?);
        Some(Cursor { sort: keys::by_time(at, id), key: keys::delivery(endpoint, id), back })
    }

    /// Reads a cursor of what an account waits for.
    pub fn among_waits(account: AccountId, text: &str) -> Option<Cursor> {
        let (text, back) = direction(text);
        let (product, sku) = text.split_once('.')?;
        let (product, sku) = (product.parse().ok()?, sku.parse().ok()?);
        Some(Cursor { sort: keys::by_sku(product, &sku), key: keys::waiting(product, &sku, account), back })
    }
}

fn direction(text: &str) -> (&str, bool) {
    text.strip_prefix('-').map_or((text, false), |text| (text, true))
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.back { "-" } else { "" }, self.sort.replace('#', "."))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// None at the end of the list.
    pub next: Option<Cursor>,
    /// None at its beginning.
    pub previous: Option<Cursor>,
}

/// The part of a list between two sort keys.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    pub from: String,
    pub to: String,
}

impl<T> Page<T> {
    pub(crate) fn empty() -> Self {
        Page { items: Vec::new(), next: None, previous: None }
    }
}

impl Stretch {
    /// Whether nothing lies between; DynamoDB refuses to look there.
    pub fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// What is left of it behind a cursor. DynamoDB begins at a start key by itself; the engine of localhost goes through all
    /// that lies between the stretch's end and the key.
    fn behind(&self, cursor: Option<&Cursor>) -> Stretch {
        let left = self.clone();
        match cursor.filter(|cursor| (&self.from..=&self.to).contains(&&cursor.sort)) {
            None => left,
            Some(Cursor { sort, back: false, .. }) => Stretch { to: sort.clone(), ..left },
            Some(Cursor { sort, back: true, .. }) => Stretch { from: sort.clone(), ..left },
        }
    }
}

impl Table {
    /// The newest first, `limit` at most, after `cursor`: one call, half a read unit for each 4 KB.
    pub(crate) async fn page<T: DeserializeOwned>(
        &self,
        index: Index,
        partition: &str,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<Page<T>, StorageError> {
        self.page_of(index, partition, None, limit, cursor).await
    }

    /// The same of a stretch of the list, which lies in an index or, where there is none, in the table itself.
    pub(crate) async fn page_of<T: DeserializeOwned>(
        &self,
        index: impl Into<Option<Index>>,
        partition: &str,
        stretch: Option<&Stretch>,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<Page<T>, StorageError> {
        let name = index.into().map(Index::name);
        let (pk, sk) = (format!("{}pk", name.unwrap_or_default()), format!("{}sk", name.unwrap_or_default()));
        let (is_first, back) = (cursor.is_none(), cursor.as_ref().is_some_and(|cursor| cursor.back));
        let stretch = stretch.map(|stretch| stretch.behind(cursor.as_ref()));
        let start = cursor.map(|cursor| {
            let mut start = cursor.key.item();
            start.insert(pk.clone(), AttributeValue::S(partition.to_owned()));
            start.insert(sk.clone(), AttributeValue::S(cursor.sort));
            start
        });
        let mut values = Item::from([(":partition".to_owned(), AttributeValue::S(partition.to_owned()))]);
        if let Some(Stretch { from, to }) = &stretch {
            values.insert(":from".to_owned(), AttributeValue::S(from.clone()));
            values.insert(":to".to_owned(), AttributeValue::S(to.clone()));
        }
        let answer = self
            .client
            .call(
                &QUERY,
                QueryInput::builder()
                    .table_name(&self.name)
                    .set_index_name(name.map(ToOwned::to_owned))
                    .key_condition_expression(match &stretch {
                        None => format!("{pk} = :partition"),
                        Some(_) => format!("{pk} = :partition AND {sk} BETWEEN :from AND :to"),
                    })
                    .set_expression_attribute_values(Some(values))
                    .scan_index_forward(back)
                    .limit(i32::from(limit))
                    .set_exclusive_start_key(start)
                    .build(),
            )
            .await
            .map_err(StorageError::from_sdk)?;
        let mut items = answer.items.unwrap_or_default();
        if back {
            items.reverse();
        }
        let text = |item: &Item, attribute: &str| item.get(attribute).and_then(|value| value.as_s().ok()).cloned();
        let cursor = |item: Option<&Item>, back: bool| {
            let item = item?;
            let key = Key { pk: text(item, "pk")?, sk: text(item, "sk")? };
            Some(Cursor { sort: text(item, &sk)?, key, back })
        };
        let more = answer.last_evaluated_key.is_some();
        let next = cursor(items.last(), false).filter(|_| more || back);
        let previous = cursor(items.first(), true).filter(|_| if back { more } else { !is_first });
        let items = items.into_iter().map(|mut item| match item.remove(SUMMARY) {
            Some(AttributeValue::M(summary)) => from_item(summary),
            _ => Err(StorageError::Broken(format!("an item of {partition} has no summary"))),
        });
        Ok(Page { items: items.collect::<Result<_, _>>()?, next, previous })
    }
}
