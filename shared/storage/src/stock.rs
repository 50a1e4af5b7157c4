//! The stock of SKUs. What is on hand stands with the SKU, what can be ordered with the offer, and every change of either
//! by anything but an order is one transaction with the line of the ledger that explains it.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::Timestamp;
use waybill_domain::id::{LocationId, MovementId, OrderId, ProductId};
use waybill_domain::message::{Actor, StockEvent, StockMessage};
use waybill_domain::product::{Offer, ProductState, ProductSummary};
use waybill_domain::spread::Spread;
use waybill_domain::stock::{self, Change, Difference, Movement, Reason, Refusal, Selling, Stock};
use waybill_domain::text::Sku;

use crate::catalog::Products;
use crate::keys::{self, Index, Item, SUMMARY};
use crate::order_lists::Placed;
use crate::page::{Cursor, Page, Stretch};
use crate::random;
use crate::spreading::set_dealt;
use crate::table::{StorageError, Table, back_off, from_item, to_item, to_value};
use crate::transaction::{Refused, Transaction, Write};

/// How often a movement starts again when others were faster.
const TRIES: u32 = 16;
/// What a change of a SKU was about; the stream's filters look at it. `available` where more or less can be ordered.
const TOUCHED: &str = "touched";
const AVAILABLE: &str = "available";
const ON_HAND: &str = "on_hand";

/// What stands with a SKU: whose it is, and what of it is on hand.
#[derive(Serialize, Deserialize)]
struct Levels {
    product_id: ProductId,
    #[serde(default)]
    on_hand: BTreeMap<LocationId, i64>,
    /// Grows with every change, also of how it is sold; the number of a movement.
    #[serde(default)]
    version: u64,
    #[serde(default)]
    touched: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    touched_at: Option<Timestamp>,
}

/// A SKU with its stock, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkuStock {
    pub offer: Offer,
    pub stock: Stock,
    version: u64,
}

/// A movement that is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Made from its cause.
    pub id: MovementId,
    pub change: Change,
    pub by: Actor,
    pub reason: Option<Reason>,
    pub order_id: Option<OrderId>,
    pub at: Timestamp,
}

/// A movement that is in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    Now(Movement),
    /// By the same cause, before.
    Before(Movement),
}

/// Why nothing moved.
#[derive(Debug)]
pub enum NotMoved {
    UnknownSku,
    Refused(Refusal),
    Failed(StorageError),
}

impl From<StorageError> for NotMoved {
    fn from(error: StorageError) -> Self {
        NotMoved::Failed(error)
    }
}

/// How a SKU is to be sold from now on; what is None stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    pub selling: Option<Selling>,
    pub low_stock_at: Option<Option<u32>>,
    /// Over how many buckets its stock is spread.
    pub buckets: Option<Option<u16>>,
}

/// A movement among those of all SKUs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LedgerLine {
    pub product_id: ProductId,
    pub sku: Sku,
    #[serde(flatten)]
    pub movement: Movement,
}

/// What is wrong with the stock of a SKU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub sku: Sku,
    pub product_id: ProductId,
    pub differences: Vec<Difference>,
}

/// What stood in the way of a movement's transaction.
enum InTheWay {
    Movement(Movement),
    /// It is not what was read any more: look again.
    Changed,
}

impl Table {
    /// The stock of a SKU as it is now: two reads, and a query for each 64 buckets that it is spread over.
    pub async fn stock(&self, sku: &Sku) -> Result<Option<SkuStock>, StorageError> {
        let Some(SkuStock { mut offer, stock, version }) = self.roughly(sku).await? else { return Ok(None) };
        if offer.is_dealt() {
            let buckets = self.buckets(&offer).await?;
            set_dealt(&mut offer, buckets.iter().map(|bucket| bucket.available).sum());
        }
        Ok(Some(SkuStock { stock: Stock { available: offer.orderable(), ..stock }, offer, version }))
    }

    /// As `stock`, with what lies in buckets as it was last counted: not less than there is.
    async fn roughly(&self, sku: &Sku) -> Result<Option<SkuStock>, StorageError> {
        let Some(levels) = self.levels(sku).await? else { return Ok(None) };
        let offer = self.offer_now(levels.product_id, sku).await?;
        Ok(offer.map(|offer| SkuStock::of(levels, offer)))
    }

    /// Whether so many units can be taken away from the offer itself; else they are gathered there first.
    async fn has_at_hand(&self, offer: &Offer, more: i64) -> Result<bool, StorageError> {
        let is_there = more >= 0 || offer.available >= more.unsigned_abs() || !offer.is_dealt();
        if !is_there {
            self.gather(offer.product_id, &offer.sku).await?;
        }
        Ok(is_there)
    }

    /// Moves stock once, however often the same cause asks for it: two reads and a transaction of two or three writes. What it
    /// takes away is gathered first where it lies in buckets.
    pub async fn move_stock(&self, sku: &Sku, wanted: &Wanted) -> Result<Done, NotMoved> {
        for attempt in 0..TRIES {
            let before = self.roughly(sku).await?.ok_or(NotMoved::UnknownSku)?;
            let effect = match before.stock.decide(wanted.change) {
                Ok(effect) => effect,
                Err(refusal) => {
                    // It may be refused just because it was done before.
                    let done = self.movement(&before.offer, wanted.id).await?;
                    return done.map(Done::Before).ok_or(NotMoved::Refused(refusal));
                }
            };
            if !self.has_at_hand(&before.offer, effect.available).await? {
                continue;
            }
            let movement = Movement {
                id: wanted.id,
                kind: wanted.change.kind(),
                units: wanted.change.units(),
                places: effect.places.clone(),
                by: wanted.by,
                reason: wanted.reason.clone(),
                order_id: wanted.order_id,
                at: wanted.at,
            };
            // A sale changes what is on hand, or gives back what was never counted: nobody can order more than before.
            let touched = if matches!(wanted.change, Change::Sell { .. }) { ON_HAND } else { AVAILABLE };
            let on_hand = to_item(&before.stock.after(&effect).on_hand)?;
            let put = Write::put(movement_item(&before.offer, &movement, before.version + 1)?).only_if_new();
            let mut transaction = Transaction::new()
                .write(put, |item| Ok(InTheWay::Movement(from_item(item)?)))
                .write(before.next(touched, Some(on_hand), wanted.at), |_| Ok(InTheWay::Changed));
            if effect.available != 0 {
                let add = add_available(&before.offer, "SET available = available + :more", effect.available);
                transaction = transaction.write(add, |_| Ok(InTheWay::Changed));
            }
            match transaction.commit(self).await {
                Ok(()) => return Ok(Done::Now(movement)),
                Err(Refused::Failed(error)) => return Err(error.into()),
                Err(refused @ Refused::By(_)) => match refused.first()? {
                    InTheWay::Movement(done) => return Ok(Done::Before(done)),
                    InTheWay::Changed => back_off(attempt).await,
                },
            }
        }
        Err(StorageError::Busy(format!("the stock of {sku} moved again and again")).into())
    }

    /// Says how a SKU is sold: two reads and a transaction of two writes, and nothing where it is sold so already. Spread
    /// otherwise, its stock is gathered before and dealt out afterwards.
    pub async fn sell_on(&self, sku: &Sku, terms: Terms, now: Timestamp) -> Result<SkuStock, NotMoved> {
        for attempt in 0..TRIES {
            let before = self.roughly(sku).await?.ok_or(NotMoved::UnknownSku)?;
            let selling = terms.selling.unwrap_or(before.offer.selling);
            let low_stock_at = terms.low_stock_at.unwrap_or(before.offer.low_stock_at);
            let present = before.offer.spread.map(|spread| spread.buckets);
            let buckets = terms.buckets.unwrap_or(present);
            if (selling, low_stock_at, buckets) == (before.offer.selling, before.offer.low_stock_at, present) {
                return match buckets {
                    None => Ok(before),
                    Some(_) => self.spread(before.offer, now).await,
                };
            }
            let more = before.stock.sell_as(selling).map_err(NotMoved::Refused)?;
            if !self.has_at_hand(&before.offer, more).await? {
                continue;
            }
            let (mut set, mut remove, mut values) = (vec!["available = available + :more"], Vec::new(), Vec::new());
            if buckets != present {
                if before.offer.is_dealt() {
                    self.gather(before.offer.product_id, sku).await?;
                }
                match buckets {
                    None => remove.push("spread"),
                    Some(buckets) => {
                        set.push("spread = :spread");
                        let spread = Spread { buckets, dealt: None, gathering: false, round: random::fresh()? };
                        values.push((":spread", to_value(&spread)?));
                    }
                }
            }
            match selling {
                Selling::Stock => remove.push("selling"),
                other => {
                    set.push("selling = :selling");
                    values.push((":selling", AttributeValue::M(to_item(&other)?)));
                }
            }
            match low_stock_at {
                None => remove.push("low_stock_at"),
                Some(threshold) => {
                    set.push("low_stock_at = :low");
                    values.push((":low", AttributeValue::N(threshold.to_string())));
                }
            }
            let remove = if remove.is_empty() { String::new() } else { format!(" REMOVE {}", remove.join(", ")) };
            let mut change = add_available(&before.offer, &format!("SET {}{remove}", set.join(", ")), more);
            if buckets != present {
                change = change.only_if("available >= :needed AND attribute_not_exists(spread.dealt)");
            }
            for (placeholder, value) in values {
                change = change.value(placeholder, value);
            }
            let transaction =
                Transaction::new().write(before.next(AVAILABLE, None, now), |_| Ok(())).write(change, |_| Ok(()));
            match transaction.commit(self).await {
                Ok(()) if buckets.is_some() => {
                    let offer = self.offer_now(before.offer.product_id, sku).await?;
                    return self.spread(offer.ok_or(NotMoved::UnknownSku)?, now).await;
                }
                Ok(()) => return self.stock(sku).await?.ok_or(NotMoved::UnknownSku),
                Err(Refused::Failed(error)) => return Err(error.into()),
                Err(Refused::By(_)) => back_off(attempt).await,
            }
        }
        Err(StorageError::Busy(format!("the stock of {sku} changed again and again")).into())
    }

    /// Deals out what is not yet, and answers the stock as it is then.
    async fn spread(&self, offer: Offer, now: Timestamp) -> Result<SkuStock, NotMoved> {
        let offer = self.settled(offer, now).await?;
        self.stock(&offer.sku).await?.ok_or(NotMoved::UnknownSku)
    }

    /// A page of a SKU's ledger, the newest first.
    pub async fn movements(
        &self,
        product: ProductId,
        sku: &Sku,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<Page<Movement>, StorageError> {
        self.page(Index::Gsi1, &keys::stock_of(product, sku), limit, cursor).await
    }

    /// A page of the ledgers of all SKUs, of what moved then, the newest first: one query.
    pub async fn ledgers(
        &self,
        moved: Placed,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<Page<LedgerLine>, StorageError> {
        let stretch = moved.stretch();
        if stretch.as_ref().is_some_and(Stretch::is_empty) {
            return Ok(Page::empty());
        }
        self.page_of(Index::Gsi2, keys::MOVEMENTS, stretch.as_ref(), limit, cursor).await
    }

    /// Compares the stock of some products with their ledgers and with what was ordered. Answers what differs, how many
    /// SKUs were looked at, and where the next ones begin.
    pub async fn audit(&self, state: ProductState, from: Option<Cursor>, products: u8) -> Result<Audit, StorageError> {
        let page: Page<ProductSummary> = self.products(Products::Of(state), products, from).await?;
        let mut audit = Audit { skus: 0, findings: Vec::new(), next: page.next };
        for summary in page.items {
            let Some(listing) = self.product(summary.id, false).await? else { continue };
            for offer in &listing.offers {
                audit.skus += 1;
                let differences = self.differences(offer.product_id, &offer.sku).await?;
                if !differences.is_empty() {
                    let (sku, product_id) = (offer.sku.clone(), offer.product_id);
                    audit.findings.push(Finding { sku, product_id, differences });
                }
            }
        }
        Ok(audit)
    }

    /// What does not add up of one SKU. However busy it is: its stock is read as it was at one moment, and of its ledger
    /// what had been written by then.
    async fn differences(&self, product: ProductId, sku: &Sku) -> Result<Vec<Difference>, StorageError> {
        let Some((levels, offer)) = self.at_one_moment(product, sku).await? else { return Ok(Vec::new()) };
        let SkuStock { offer, stock, version } = SkuStock::of(levels, offer);
        let ledger = self.query(&keys::stock_of(product, sku), keys::MOVEMENT, true).await?;
        let by_then = ledger.into_iter().filter(|item| keys::number_of(item).is_none_or(|number| number <= version));
        let ledger: Vec<Movement> = by_then.map(from_item).collect::<Result<_, _>>()?;
        Ok(stock.audit(offer.ordered, &ledger))
    }

    /// A SKU and its offer as they were at one moment, with what lay in its buckets. An order takes units of a bucket and counts
    /// them there, so it matters to no sum whether it comes before or after; and nothing else may have moved meanwhile.
    async fn at_one_moment(&self, product: ProductId, sku: &Sku) -> Result<Option<(Levels, Offer)>, StorageError> {
        for attempt in 0..TRIES {
            let [levels, offer] = self.at_once([keys::sku(sku), keys::offer(product, sku)]).await?;
            let Some((levels, offer)) = levels.zip(offer) else { return Ok(None) };
            let (levels, mut offer): (Levels, Offer) = (from_item(levels)?, from_item(offer)?);
            if !offer.is_dealt() {
                return Ok(Some((levels, offer)));
            }
            let buckets = self.buckets(&offer).await?;
            let after = self.offer_now(product, sku).await?;
            if after.is_some_and(|after| after.spread == offer.spread) {
                set_dealt(&mut offer, buckets.iter().map(|bucket| bucket.available).sum());
                offer.ordered += buckets.iter().map(|bucket| bucket.ordered).sum::<u64>();
                return Ok(Some((levels, offer)));
            }
            back_off(attempt).await;
        }
        Err(StorageError::Busy(format!("the buckets of {sku} changed again and again")))
    }

    async fn levels(&self, sku: &Sku) -> Result<Option<Levels>, StorageError> {
        self.get(&keys::sku(sku), true).await?.map(from_item).transpose()
    }

    async fn movement(&self, offer: &Offer, id: MovementId) -> Result<Option<Movement>, StorageError> {
        self.get(&keys::movement(offer.product_id, &offer.sku, id), true).await?.map(from_item).transpose()
    }
}

/// What an audit found.
#[derive(Debug)]
pub struct Audit {
    pub skus: usize,
    pub findings: Vec<Finding>,
    pub next: Option<Cursor>,
}

impl SkuStock {
    fn of(levels: Levels, offer: Offer) -> SkuStock {
        let stock = Stock { on_hand: levels.on_hand, selling: offer.selling, available: offer.orderable() };
        SkuStock { offer, stock, version: levels.version }
    }

    /// The SKU one version on, unless it has changed.
    fn next(&self, touched: &str, on_hand: Option<Item>, now: Timestamp) -> Write {
        let set = if on_hand.is_some() { "on_hand = :on_hand, " } else { "" };
        let seen = i64::try_from(self.version).unwrap_or(i64::MAX);
        let expression = format!("SET {set}#version = :next, {TOUCHED} = :touched, touched_at = :now");
        let mut write = Write::update(&keys::sku(&self.offer.sku), expression)
            .only_if("#version = :seen AND product_id = :product")
            .name("#version", "version")
            .number(":seen", seen)
            .number(":next", seen + 1)
            .text(":touched", touched)
            .text(":now", now)
            .text(":product", self.offer.product_id);
        if let Some(on_hand) = on_hand {
            write = write.value(":on_hand", AttributeValue::M(on_hand));
        }
        write
    }
}

/// Lets more be ordered or, where so much can be, less.
fn add_available(offer: &Offer, expression: &str, more: i64) -> Write {
    Write::update(&keys::offer(offer.product_id, &offer.sku), expression)
        .only_if("available >= :needed")
        .number(":more", more)
        .number(":needed", (-more).max(0))
}

/// A SKU that is new, with what is on hand of it, and the first line of its ledger where anything is.
pub(crate) fn opening(offer: &Offer, by: Actor, at: Timestamp) -> Result<(Write, Option<Write>), StorageError> {
    let id = MovementId::opening(offer.product_id, &offer.sku);
    let movement = (offer.available > 0).then(|| stock::opening(id, offer.available, by, at));
    let places = movement.iter().flat_map(|movement| &movement.places);
    let on_hand = places.map(|place| (place.location_id, place.units)).collect();
    let levels =
        Levels { product_id: offer.product_id, on_hand, version: 1, touched: AVAILABLE.into(), touched_at: Some(at) };
    let mut item = to_item(&levels)?;
    item.extend(keys::sku(&offer.sku).item());
    let movement = movement.map(|movement| Ok::<_, StorageError>(Write::put(movement_item(offer, &movement, 1)?)));
    Ok((Write::put(item).only_if_new(), movement.transpose()?))
}

/// A SKU whose offer is for sale again.
pub(crate) fn put_on_sale(sku: &Sku, now: Timestamp) -> Write {
    Write::update(&keys::sku(sku), format!("SET {TOUCHED} = :touched, touched_at = :now ADD #version :one"))
        .only_if("attribute_exists(pk)")
        .name("#version", "version")
        .text(":touched", AVAILABLE)
        .text(":now", now)
        .number(":one", 1)
}

fn movement_item(offer: &Offer, movement: &Movement, number: u64) -> Result<Item, StorageError> {
    let mut item = to_item(movement)?;
    let mut summary = item.clone();
    summary.insert("product_id".into(), AttributeValue::S(offer.product_id.to_string()));
    summary.insert("sku".into(), AttributeValue::S(offer.sku.to_string()));
    item.insert(SUMMARY.into(), AttributeValue::M(summary));
    item.extend(keys::movement(offer.product_id, &offer.sku, movement.id).item());
    item.extend(keys::ledger(offer.product_id, &offer.sku, number, movement.id).item());
    item.extend(keys::movements(movement.at, offer.product_id, &offer.sku, movement.id).item());
    Ok(item)
}

/// Reads a SKU in the stream. None where nobody can order more or less of it than before.
pub(crate) fn changed(image: serde_dynamo::Item) -> Result<Option<StockMessage>, serde_dynamo::Error> {
    let sku = match image.get("pk") {
        Some(serde_dynamo::AttributeValue::S(pk)) => keys::sku_of(pk),
        _ => None,
    };
    let levels: Levels = serde_dynamo::from_item(image)?;
    let Some((sku, at)) = sku.zip(levels.touched_at).filter(|_| levels.touched == AVAILABLE) else { return Ok(None) };
    let id = format!("{sku}/{}/{}", levels.product_id, levels.version);
    Ok(Some(StockMessage { id, at, sku, product_id: levels.product_id, event: StockEvent::Changed }))
}
