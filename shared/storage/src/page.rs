//! Lists, a page at a time.

use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;
use waybill_domain::Timestamp;
use waybill_domain::id::ProductId;

use crate::keys::{self, Index, Item, Key, SUMMARY};
use crate::table::{StorageError, Table, from_item};

/// Where a page ended. It says nothing of which list it belongs to; that is always the caller's own, so a cursor cannot
/// open somebody else's. Its text is safe in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    sort: String,
    key: Key,
}

impl Cursor {
    /// Reads a cursor of a product list.
    pub fn among_products(text: &str) -> Option<Cursor> {
        let id: ProductId = text.parse().ok()?;
        Some(Cursor { sort: id.to_string(), key: keys::product(id) })
    }

    /// Reads a cursor of an order list.
    pub fn among_orders(text: &str) -> Option<Cursor> {
        let (at, id) = text.split_once('.')?;
        let (at, id) = (Timestamp::from_millisecond(at.parse().ok()?).ok()?, id.parse().ok()?);
        Some(Cursor { sort: keys::by_time(at, id), key: keys::order(id) })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sort.replace('#', "."))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// None at the end of the list.
    pub next: Option<Cursor>,
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
        let name = index.name();
        let (pk, sk) = (format!("{name}pk"), format!("{name}sk"));
        let start = cursor.map(|cursor| {
            let mut start = cursor.key.item();
            start.insert(pk.clone(), AttributeValue::S(partition.to_owned()));
            start.insert(sk.clone(), AttributeValue::S(cursor.sort));
            start
        });
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(name)
            .key_condition_expression(format!("{pk} = :partition"))
            .expression_attribute_values(":partition", AttributeValue::S(partition.to_owned()))
            .scan_index_forward(false)
            .limit(i32::from(limit))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(StorageError::from_sdk)?;
        let text = |item: &Item, attribute: &str| item.get(attribute).and_then(|value| value.as_s().ok()).cloned();
        let next = answer.last_evaluated_key.and_then(|last| {
            let key = Key { pk: text(&last, "pk")?, sk: text(&last, "sk")? };
            Some(Cursor { sort: text(&last, &sk)?, key })
        });
        let items = answer.items.unwrap_or_default().into_iter().map(|mut item| match item.remove(SUMMARY) {
            Some(AttributeValue::M(summary)) => from_item(summary),
            _ => Err(StorageError::Broken(format!("an item of {partition} has no summary"))),
        });
        Ok(Page { items: items.collect::<Result<_, _>>()?, next })
    }
}
