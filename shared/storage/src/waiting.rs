//! Who waits for a change of a SKU's stock: staff for the moment when little is left, customers for the moment when it can
//! be had again. The note that somebody is to be told is its own announcement.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::id::{AccountId, ProductId};
use waybill_domain::language::Language;
use waybill_domain::message::{StockEvent, StockMessage};
use waybill_domain::product::{Offer, Title};
use waybill_domain::stock::Selling;
use waybill_domain::text::{Email, Sku};

use crate::keys::{self, EXPIRES_AT, Index, Item, SUMMARY};
use crate::page::{Cursor, Page};
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// Seconds that it is kept who was told, and at which address: a day.
const TOLD_LIFETIME: i64 = 24 * 60 * 60;
/// How many are told at once, before the shop looks whether it is still there.
const TOLD_AT_ONCE: usize = 25;

/// Why nobody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWaiting {
    /// There is no such SKU for sale.
    UnknownSku,
    /// It can be ordered at this moment.
    Orderable,
    /// They wait already.
    Waiting,
}

/// A SKU that somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = StockSubscription)]
pub struct Wait {
    pub sku: Sku,
    pub product_id: ProductId,
    pub since: Timestamp,
}

/// A SKU of which little is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LowStock)]
pub struct LowSku {
    pub sku: Sku,
    pub product_id: ProductId,
    #[schema(example = "Earl Grey, 100 g")]
    pub title: Title,
    /// What is left at this moment, without what may be ordered beyond it.
    pub left: u64,
    pub low_stock_at: u32,
    /// Since when it is so.
    pub since: Timestamp,
}

/// Somebody who waits, or was told.
#[derive(Serialize, Deserialize)]
struct Waiter {
    account_id: AccountId,
    #[serde(flatten)]
    wait: Wait,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<Told>,
}

#[derive(Serialize, Deserialize)]
struct Told {
    at: Timestamp,
    to: Email,
    title: Title,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<Language>,
}

/// The note that little is left.
#[derive(Clone, Serialize, Deserialize)]
struct Low {
    sku: Sku,
    product_id: ProductId,
    title: Title,
    left: u64,
    low_stock_at: u32,
    at: Timestamp,
}

impl Table {
    /// Waits for a SKU that cannot be ordered: one transaction, so that it does not come back in between.
    pub async fn wait_for(&self, account: AccountId, wait: &Wait) -> Result<(), Refused<NotWaiting>> {
        let (product, sku) = (wait.product_id, &wait.sku);
        let mut item = to_item(&Waiter { account_id: account, wait: wait.clone(), told: None })?;
        item.insert(SUMMARY.into(), AttributeValue::M(to_item(wait)?));
        item.extend(keys::waiting(product, sku, account).item());
        item.extend(keys::waited_for(account, product, sku).item());
        // Who was told may wait again.
        let put = Write::put(item).only_if("attribute_not_exists(pk) OR attribute_exists(told)");
        let sold_out = Write::check(
            &keys::offer(product, sku),
            "active = :yes AND available < :one AND (attribute_not_exists(spread.dealt) OR spread.dealt.units < :one)",
        )
        .value(":yes", AttributeValue::Bool(true))
        .number(":one", 1);
        let meaning = |item: Item| match item.is_empty() {
            true => Ok(NotWaiting::UnknownSku),
            false if from_item::<Offer>(item)?.active => Ok(NotWaiting::Orderable),
            false => Ok(NotWaiting::UnknownSku),
        };
        Transaction::new().write(sold_out, meaning).write(put, |_| Ok(NotWaiting::Waiting)).commit(self).await
    }

    /// Waits no longer; who does not wait is through with it already.
    pub async fn wait_no_longer(&self, account: AccountId, product: ProductId, sku: &Sku) -> Result<(), StorageError> {
        self.delete(&keys::waiting(product, sku, account)).await
    }

    /// A page of what an account waits for.
    pub async fn waits_of(
        &self,
        account: AccountId,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<Page<Wait>, StorageError> {
        self.page(Index::Gsi1, &keys::waits_of(account), limit, cursor).await
    }

    /// All that an account waits for: a query for each 255.
    pub async fn all_waits_of(&self, account: AccountId) -> Result<Vec<Wait>, StorageError> {
        let (mut waits, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.waits_of(account, u8::MAX, cursor).await?;
            waits.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(waits),
            }
        }
    }

    /// Waits no longer for SKUs of this name, whatever product they were of; or, without a name, for nothing at all.
    pub async fn end_waits(&self, account: AccountId, only: Option<&Sku>) -> Result<(), StorageError> {
        let waits = self.all_waits_of(account).await?;
        for wait in waits.iter().filter(|wait| only.is_none_or(|sku| *sku == wait.sku)) {
            self.wait_no_longer(account, wait.product_id, &wait.sku).await?;
        }
        Ok(())
    }

    /// Tells whoever waits for a SKU what there is to tell at this moment: a read, a query, and a write or two for each
    /// who is told. Done twice, or again after any line, it tells nobody twice.
    pub async fn tell_waiting(&self, product: ProductId, sku: &Sku, now: Timestamp) -> Result<(), StorageError> {
        let Some(offer) = self.offer_now(product, sku).await? else { return Ok(()) };
        let offer = self.settled(offer, now).await?;
        let watching = self.query(&keys::stock_of(product, sku), keys::WATCH, true).await?;
        let low = keys::low(product, sku).sk;
        let (low, waiting): (Vec<_>, Vec<_>) =
            watching.into_iter().partition(|item| item.get("sk").and_then(|sk| sk.as_s().ok()) == Some(&low));
        match (offer.is_low(), low.is_empty()) {
            (true, true) => self.note_low(&offer, now).await?,
            (false, false) => self.forget_low(&offer).await?,
            (true, false) | (false, true) => {}
        }
        if offer.is_orderable() {
            let waiting = waiting.into_iter().map(from_item).collect::<Result<Vec<Waiter>, _>>()?;
            let untold: Vec<_> = waiting.into_iter().filter(|waiter| waiter.told.is_none()).collect();
            for (number, some) in untold.chunks(TOLD_AT_ONCE).enumerate() {
                // It may be sold out again by now; the others go on waiting.
                if number > 0 && !self.is_orderable(&offer).await? {
                    break;
                }
                futures_util::future::try_join_all(some.iter().map(|waiter| self.tell(&offer, waiter, now))).await?;
            }
        }
        Ok(())
    }

    /// Tells staff if little is left of a SKU: a read, another where it is so, and a transaction if they do not know yet.
    pub async fn warn_if_low(&self, product: ProductId, sku: &Sku, now: Timestamp) -> Result<(), StorageError> {
        let Some(offer) = self.offer_now(product, sku).await? else { return Ok(()) };
        let offer = self.settled(offer, now).await?;
        // Noted before, it is not noted again; asking costs less than to be refused, and stands in no order's way.
        let is_new = offer.is_low() && self.get(&keys::low(product, sku), false).await?.is_none();
        if is_new { self.note_low(&offer, now).await } else { Ok(()) }
    }

    /// A page of the SKUs of which staff were told that little is left, the latest first: one query, and a BatchGetItem of half
    /// a read unit each for what is left by now.
    pub async fn low_stock(&self, limit: u8, cursor: Option<Cursor>) -> Result<Page<LowSku>, StorageError> {
        let page: Page<Low> = self.page(Index::Gsi1, keys::LOW_STOCK, limit, cursor).await?;
        let wanted: Vec<_> = page.items.iter().map(|low| (low.sku.clone(), low.product_id)).collect();
        let offers = if wanted.is_empty() { Default::default() } else { self.offers(&wanted).await? };
        let items = page.items.into_iter().map(|low| {
            let offer = offers.get(&low.sku).filter(|offer| offer.product_id == low.product_id);
            LowSku {
                left: offer.map_or(low.left, Offer::left),
                low_stock_at: offer.and_then(|offer| offer.low_stock_at).unwrap_or(low.low_stock_at),
                sku: low.sku,
                product_id: low.product_id,
                title: low.title,
                since: low.at,
            }
        });
        Ok(Page { items: items.collect(), next: page.next, previous: page.previous })
    }

    async fn is_orderable(&self, offer: &Offer) -> Result<bool, StorageError> {
        let now = self.offer_now(offer.product_id, &offer.sku).await?;
        Ok(now.is_some_and(|offer| offer.is_orderable()))
    }

    /// Notes that little is left, once until it is forgotten, and only while it is so.
    pub async fn note_low(&self, offer: &Offer, now: Timestamp) -> Result<(), StorageError> {
        let Some(low_stock_at) = offer.low_stock_at else { return Ok(()) };
        let low = Low {
            sku: offer.sku.clone(),
            product_id: offer.product_id,
            title: offer.title.clone(),
            left: offer.left(),
            low_stock_at,
            at: now,
        };
        let mut item = to_item(&low)?;
        item.insert(SUMMARY.into(), AttributeValue::M(to_item(&low)?));
        item.extend(keys::low(offer.product_id, &offer.sku).item());
        item.extend(keys::low_since(now, offer.product_id, &offer.sku).item());
        let put = Write::put(item).only_if_new();
        self.while_it_stands(still(offer, low_stock_at, "<="), put).await
    }

    /// So that it is noted when little is left again.
    async fn forget_low(&self, offer: &Offer) -> Result<(), StorageError> {
        let check = match (offer.low_stock_at, offer.selling) {
            (None, _) => Write::check(&keys::offer(offer.product_id, &offer.sku), "attribute_not_exists(low_stock_at)"),
            (Some(_), Selling::Untracked) => {
                Write::check(&keys::offer(offer.product_id, &offer.sku), "selling.#kind = :untracked")
                    .name("#kind", "kind")
                    .text(":untracked", "untracked")
            }
            (Some(threshold), _) => still(offer, threshold, ">"),
        };
        self.while_it_stands(check, Write::delete(&keys::low(offer.product_id, &offer.sku))).await
    }

    /// Writes something while an offer is as it was read; else whoever changed it brings it up again.
    async fn while_it_stands(&self, check: Write, write: Write) -> Result<(), StorageError> {
        match Transaction::new().write(check, |_| Ok(())).write(write, |_| Ok(())).commit(self).await {
            Ok(()) | Err(Refused::By(_)) => Ok(()),
            Err(Refused::Failed(error)) => Err(error),
        }
    }

    /// Ends somebody's waiting with the note that they are to be told.
    async fn tell(&self, offer: &Offer, waiter: &Waiter, now: Timestamp) -> Result<(), StorageError> {
        let key = keys::waiting(offer.product_id, &offer.sku, waiter.account_id);
        let Some(holder) = self.holder(waiter.account_id).await? else { return self.delete(&key).await };
        let told = Told { at: now, to: holder.email, title: offer.title.clone(), language: holder.language };
        let told = serde_dynamo::to_attribute_value(told)
            .map_err(|error| StorageError::Broken(format!("cannot be written: {error}")))?;
        let write = Write::update(&key, format!("SET told = :told, {EXPIRES_AT} = :forget REMOVE gsi1pk, gsi1sk"))
            .only_if("attribute_exists(pk) AND attribute_not_exists(told)")
            .value(":told", told)
            .number(":forget", now.as_second() + TOLD_LIFETIME);
        // Who was told already, or waits no longer, need not be told.
        self.update(&write).await.map(drop)
    }
}

/// That what is left of an offer is still at most, or more than, its threshold.
fn still(offer: &Offer, threshold: u32, comparison: &str) -> Write {
    let beyond = i64::try_from(offer.selling.beyond()).unwrap_or(i64::MAX);
    let dealt = i64::try_from(offer.dealt()).unwrap_or(i64::MAX);
    let (and, dealt) = match offer.is_dealt() {
        false => ("attribute_not_exists(spread.dealt)", None),
        true => ("spread.dealt.units = :dealt", Some(dealt)),
    };
    let condition = format!("available {comparison} :most AND low_stock_at = :low AND {and}");
    let check = Write::check(&keys::offer(offer.product_id, &offer.sku), condition)
        .number(":most", beyond.saturating_add(threshold.into()).saturating_sub(dealt.unwrap_or_default()))
        .number(":low", threshold.into());
    match dealt {
        None => check,
        Some(dealt) => check.number(":dealt", dealt),
    }
}

/// Reads the note that little is left.
pub(crate) fn low(image: serde_dynamo::Item) -> Result<StockMessage, serde_dynamo::Error> {
    let Low { sku, product_id, title, left, low_stock_at, at } = serde_dynamo::from_item(image)?;
    let id = format!("{sku}/{product_id}/low/{}", at.as_nanosecond());
    Ok(StockMessage { id, sku, product_id, at, event: StockEvent::Low { title, left, low_stock_at } })
}

/// Reads somebody who waits. None until they are to be told.
pub(crate) fn returned(image: serde_dynamo::Item) -> Result<Option<StockMessage>, serde_dynamo::Error> {
    let Waiter { account_id, wait, told } = serde_dynamo::from_item(image)?;
    let Wait { sku, product_id, since } = wait;
    Ok(told.map(|told| StockMessage {
        id: format!("{sku}/{product_id}/{account_id}/{}", since.as_nanosecond()),
        sku,
        product_id,
        at: told.at,
        event: StockEvent::Returned { title: told.title, to: told.to, language: told.language },
    }))
}
