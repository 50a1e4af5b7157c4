//! What happened to orders, numbered in the order in which it happened, for those who missed some of it.
//!
//! A feed is a partition. What is appended together is one item at the number of its first update, and the number after
//! its last is the next item's; so that the next item can be put only once is what keeps numbers without gaps and doubles.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::id::{AccountId, OrderId};
use waybill_domain::update::{Feed, Update};
use waybill_domain::{SignedDuration, Timestamp};

use crate::keys::{self, EXPIRES_AT, Item};
use crate::operations::{QUERY, QueryInput};
use crate::table::{StorageError, Table, back_off, from_item, to_value};
use crate::transaction::{Refused, Transaction, Write};

/// How long an update is kept for those who missed it.
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many updates one answer brings at most: some 350 bytes each, of the 128 KB that API Gateway takes.
pub const PAGE: usize = ITEMS as usize;
/// How many items are read for a page: each holds at least one update.
const ITEMS: i32 = 100;
/// How many of the last items are looked at for what is appended again.
const TAIL: i32 = 8;
/// How often appending is tried where others append to the same feed.
const APPENDS: u32 = 12;

/// An update with its number in a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    pub number: u64,
    pub update: Update,
}

/// What somebody missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    pub updates: Vec<Numbered>,
    /// Whether there is more behind them.
    pub more: bool,
    /// Whether it is all since then: what is older than [`KEPT`] is not.
    pub complete: bool,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    sk: String,
    updates: Vec<Update>,
}

impl Entry {
    fn read(item: Item) -> Result<(u64, Vec<Update>), StorageError> {
        let Entry { sk, updates } = from_item(item)?;
        let first = sk.parse().map_err(|_| StorageError::Broken("a feed has an entry without a number".into()))?;
        Ok((first, updates))
    }
}

impl Table {
    /// Appends updates in their order and answers the number of each: one consistent query of some items, and one write of a
    /// unit for each KB. What is among the last items already keeps its number, so the same batch may be appended again.
    pub async fn append(&self, feed: Feed, updates: &[Update], now: Timestamp) -> Result<Vec<u64>, StorageError> {
        for attempt in 0..APPENDS {
            let tail = self.newest(feed, TAIL).await?;
            let next = match tail.first() {
                Some((first, entries)) => first + entries.len() as u64,
                // Later than all numbers that there ever were in the feed, should it have been forgotten.
                None => u64::try_from(now.as_microsecond()).unwrap_or_default(),
            };
            let mut numbers: HashMap<String, u64> = HashMap::new();
            for (first, entries) in tail {
                numbers.extend((first..).zip(entries).map(|(number, update)| (update.id, number)));
            }
            let fresh: Vec<&Update> = updates.iter().filter(|update| !numbers.contains_key(&update.id)).collect();
            if !fresh.is_empty() {
                let mut item = keys::feed_entry(feed, next).item();
                item.insert("updates".into(), to_value(&fresh)?);
                item.insert(EXPIRES_AT.into(), AttributeValue::N((now + KEPT).as_second().to_string()));
                let write = Write::put(item).only_if_new();
                match Transaction::new().write(write, |_| Ok(())).commit(self).await {
                    Ok(()) => {}
                    // Somebody else was faster; or it was us, and the reply was lost.
                    Err(Refused::By(_)) => {
                        back_off(attempt).await;
                        continue;
                    }
                    Err(Refused::Failed(error)) => return Err(error),
                }
                numbers.extend((next..).zip(fresh).map(|(number, update)| (update.id.clone(), number)));
            }
            return Ok(updates.iter().filter_map(|update| numbers.get(&update.id).copied()).collect());
        }
        Err(StorageError::Busy(format!("{} was appended to {APPENDS} times meanwhile", feed.name())))
    }

    /// The number of the last update of a feed, or 0: one consistent query of one item.
    pub async fn position(&self, feed: Feed) -> Result<u64, StorageError> {
        let last = self.newest(feed, 1).await?;
        Ok(last.first().map_or(0, |(first, updates)| first + (updates.len() as u64).saturating_sub(1)))
    }

    /// The first [`PAGE`] updates of a feed after one: two consistent queries, of a read unit for each 4 KB,
    /// and one more at the end of a page.
    pub async fn missed(&self, feed: Feed, after: u64) -> Result<Missed, StorageError> {
        // The item that holds the one after it may begin before it.
        let place = AttributeValue::S(keys::by_place(after));
        let before = self.items_of(feed, false, 1).key_condition_expression("pk = :pk AND sk <= :after");
        let behind = self.items_of(feed, true, ITEMS).key_condition_expression("pk = :pk AND sk > :after");
        let (before, _) = self.entries(before.expression_attribute_values(":after", place.clone())).await?;
        let (behind, _) = self.entries(behind.expression_attribute_values(":after", place)).await?;
        let all = before.into_iter().chain(behind);
        let numbered = all.flat_map(|(first, updates)| {
            (first..).zip(updates).map(|(number, update)| Numbered { number, update }).collect::<Vec<_>>()
        });
        let mut updates: Vec<Numbered> = numbered.filter(|numbered| numbered.number > after).collect();
        let more = match updates.get(PAGE - 1) {
            Some(last) if updates.len() == PAGE => self.position(feed).await? > last.number,
            // A page of items holds at least as many updates.
            Some(_) => true,
            None => false,
        };
        updates.truncate(PAGE);
        // Whoever has seen the feed empty is right to begin with whatever is the first.
        let first =
            if after == 0 { updates.first().map_or(0, |numbered| numbered.number) } else { after.saturating_add(1) };
        let complete = updates.iter().zip(first..).all(|(numbered, number)| numbered.number == number);
        Ok(Missed { updates, more, complete })
    }

    /// What happened to one order after a version of it, as far as its buyer's feed has it; numbered by the version.
    /// Queries from the newest on, until it is all there.
    pub async fn missed_of(&self, buyer: AccountId, order: OrderId, after: u32) -> Result<Missed, StorageError> {
        let (mut found, mut start) = (Vec::<Update>::new(), None);
        loop {
            let query = self.items_of(Feed::Of(buyer), false, ITEMS).key_condition_expression("pk = :pk");
            let (page, next) = self.entries(query.set_exclusive_start_key(start)).await?;
            for (_, mut updates) in page {
                updates.retain(|update| update.order_id == order && update.version > after);
                found.extend(updates);
            }
            if found.iter().any(|update| Some(update.version) == after.checked_add(1)) || next.is_none() {
                break;
            }
            start = next;
        }
        found.sort_by_key(|update| update.version);
        found.dedup_by_key(|update| update.version);
        let complete = found.iter().zip(after.saturating_add(1)..).all(|(update, version)| update.version == version);
        let more = found.len() > PAGE;
        found.truncate(PAGE);
        let numbered = |update: Update| Numbered { number: u64::from(update.version), update };
        Ok(Missed { updates: found.into_iter().map(numbered).collect(), more, complete })
    }

    /// Forgets what happened to an account's orders.
    pub(crate) async fn forget_feed(&self, account: AccountId) -> Result<(), StorageError> {
        for item in self.partition(&keys::feed(Feed::Of(account)), true).await? {
            let key = keys::of(&item).ok_or_else(|| StorageError::Broken("an item without a key".into()))?;
            self.delete(&key).await?;
        }
        Ok(())
    }

    /// The last items of a feed, the newest first.
    async fn newest(&self, feed: Feed, limit: i32) -> Result<Vec<(u64, Vec<Update>)>, StorageError> {
        let query = self.items_of(feed, false, limit).key_condition_expression("pk = :pk");
        Ok(self.entries(query).await?.0)
    }

    /// Consistent, so that whoever is told a number finds what is numbered.
    fn items_of(&self, feed: Feed, forward: bool, limit: i32) -> QueryInputBuilder {
        QueryInput::builder()
            .table_name(&self.name)
            .expression_attribute_values(":pk", AttributeValue::S(keys::feed(feed)))
            .scan_index_forward(forward)
            .limit(limit)
            .consistent_read(true)
    }

    /// The items of one page, and where the next one begins.
    async fn entries(&self, query: QueryInputBuilder) -> Result<(Vec<(u64, Vec<Update>)>, Option<Item>), StorageError> {
        let answer = self.client.call(&QUERY, query.build()).await.map_err(StorageError::from_sdk)?;
        let entries = answer.items.unwrap_or_default().into_iter().map(Entry::read).collect::<Result<_, _>>()?;
        Ok((entries, answer.last_evaluated_key))
    }
}
