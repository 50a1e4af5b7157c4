//! Counting everything again, while the shop is open: into a generation of its own, which reports read once it is whole.
//! Until then all that happens counts in both.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use waybill_domain::money::Currency;
use waybill_domain::order::Order;
use waybill_domain::{Date, SignedDuration, Timestamp};

use super::told::{Kept, Made, Told, latest};
use super::{AT_ONCE, Counting, Generation, Generations};
use crate::keys::{self, Item, Key};
use crate::operations::{SCAN, ScanInput};
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// For so long reports may go on reading what is in force no more, for they need not ask each time.
const STILL_READ: SignedDuration = SignedDuration::from_secs(60);

/// Why no recount was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBegun {
    #[error("the last recount came into force less than a minute ago; reports may still read what was before it")]
    TooSoon,
    #[error("another recount was begun or ended at the same moment")]
    Meanwhile,
}

/// Where a recount goes on: the key of what it looked at last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    generation: u32,
    pk: String,
    sk: String,
}

/// What a step of a recount came to.
#[derive(Debug)]
pub struct Recounted {
    /// Orders, carts and accounts that were looked at.
    pub looked_at: usize,
    /// None once it was all.
    pub next: Option<Place>,
}

impl Table {
    /// Begins to count everything again, by the days of the shop's time zone as it is now. A recount that was begun before and
    /// not ended is given up.
    pub async fn begin_recount(&self, shop: &Counting, now: Timestamp) -> Result<u32, Refused<NotBegun>> {
        let before = self.generations(shop, now).await?;
        if now.duration_since(before.since) < STILL_READ && !before.old.is_empty() {
            return Err(Refused::By(vec![NotBegun::TooSoon]));
        }
        let last = before.building.iter().map(|building| building.number).chain(before.old.iter().copied()).max();
        let number = last.unwrap_or_default().max(before.current.number) + 1;
        let mut after = before.clone();
        after.old.extend(before.building.as_ref().map(|building| building.number));
        after.building = Some(Generation { number, zone: shop.zone.clone() });
        self.replace_generations(&before, after).await?;
        Ok(number)
    }

    /// Counts a part of all there is: up to 1 MB of the table, read consistently, of which orders, accounts and the notes of
    /// carts are looked at. None where the recount was given up or has ended.
    pub async fn recount(
        &self,
        place: Option<&Place>,
        shop: &Counting,
        now: Timestamp,
    ) -> Result<Option<Recounted>, StorageError> {
        let generations = self.generations(shop, now).await?;
        let Some(building) = &generations.building else { return Ok(None) };
        if place.is_some_and(|place| place.generation != building.number) {
            return Ok(None);
        }
        let start = place.map(|place| Key { pk: place.pk.clone(), sk: place.sk.clone() }.item());
        let answer = self
            .client
            .call(
                &SCAN,
                ScanInput::builder()
                    .table_name(&self.name)
                    .consistent_read(true)
                    .filter_expression("sk IN (:order, :account, :tallied)")
                    .expression_attribute_values(":order", AttributeValue::S(keys::ORDER.into()))
                    .expression_attribute_values(":account", AttributeValue::S(keys::ACCOUNT.into()))
                    .expression_attribute_values(":tallied", AttributeValue::S(keys::TALLIED.into()))
                    .set_exclusive_start_key(start)
                    .build(),
            )
            .await
            .map_err(StorageError::from_sdk)?;
        let items = answer.items.unwrap_or_default();
        let told = items.into_iter().filter_map(|item| told(item).transpose()).collect::<Result<Vec<_>, _>>()?;
        let told = latest(told);
        self.tally_into(building, &generations, &told, shop).await?;
        let next = answer.last_evaluated_key.as_ref().and_then(keys::of);
        let next = next.map(|Key { pk, sk }| Place { generation: building.number, pk, sk });
        Ok(Some(Recounted { looked_at: told.len(), next }))
    }

    /// Has reports read what was counted again. Nothing happens where the recount was given up or has ended.
    pub async fn end_recount(&self, number: u32, shop: &Counting, now: Timestamp) -> Result<(), Refused<NotBegun>> {
        let before = self.generations(shop, now).await?;
        let Some(building) = before.building.clone().filter(|building| building.number == number) else {
            return Ok(());
        };
        let mut after = before.clone();
        after.old.insert(before.current.number);
        (after.current, after.building, after.since) = (building, None, now);
        self.replace_generations(&before, after).await
    }

    /// Deletes what nobody reads any more, `until` it is over or a moment is past; answers whether it is over. A write unit
    /// for each day and for each SKU of a month.
    pub async fn forget_old_tallies(
        &self,
        shop: &Counting,
        now: impl Fn() -> Timestamp,
        until: Timestamp,
    ) -> Result<bool, StorageError> {
        let generations = self.generations(shop, now()).await?;
        if now().duration_since(generations.since) < STILL_READ {
            return Ok(generations.old.is_empty());
        }
        for number in &generations.old {
            let days = self.partition(&keys::tally(*number), false).await?;
            let days: Vec<Key> = days.iter().filter_map(keys::of).collect();
            let months: BTreeSet<_> = days.iter().filter_map(|day| month_of(&day.sk)).collect();
            for (currency, month) in months {
                let sold = self.partition(&keys::sales_in(*number, currency, month), false).await?;
                self.delete_all(sold.iter().filter_map(keys::of)).await?;
                if now() > until {
                    return Ok(false);
                }
            }
            // They say which months there are, so they go last.
            self.delete_all(days).await?;
        }
        Ok(true)
    }

    async fn delete_all(&self, keys: impl IntoIterator<Item = Key>) -> Result<(), StorageError> {
        let deletes = keys.into_iter().map(async |key| self.delete(&key).await);
        stream::iter(deletes).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn replace_generations(&self, before: &Generations, after: Generations) -> Result<(), Refused<NotBegun>> {
        let mut item = to_item(&Generations { version: before.version + 1, ..after })?;
        item.extend(keys::generations().item());
        let put = Write::put(item)
            .only_if("#version = :before")
            .name("#version", "version")
            .number(":before", before.version.into());
        Transaction::new().write(put, |_| Ok(NotBegun::Meanwhile)).commit(self).await
    }
}

/// What an item tells of itself.
fn told(item: Item) -> Result<Option<Told>, StorageError> {
    let sk = keys::of(&item).map(|key| key.sk).unwrap_or_default();
    Ok(match sk.as_str() {
        keys::ORDER => Some(Told::from(&from_item::<Order>(item)?)),
        // Who has become staff since is still noted as the customer that they were.
        keys::ACCOUNT => from_item::<Made>(item)?.customer(),
        // The note of an order has nothing to say that the order does not.
        _ if !item.contains_key("kind") => None,
        _ => Some(from_item::<Kept>(item)?.into()),
    })
}

/// The currency and the month of a day's sort key.
fn month_of(sk: &str) -> Option<(Currency, Date)> {
    let (currency, day) = sk.split_once('#')?;
    Some((currency.parse().ok()?, day.parse::<Date>().ok()?.first_of_month()))
}
