//! What happened to orders, numbered in the order in which it happened, for those who missed some of it.
//!
//! A feed is a partition. What is appended together is one item at the number of its first update, and the number after
//! its last is the next item's; so that the next item can be put only once is what keeps numbers without gaps and doubles.
//!
//! Most feeds nobody ever follows. So a feed has a mark, which whoever follows it makes or renews, and without one, or behind its
//! time, nothing is appended. The mark says from which number on there is no gap. Numbers grow by no more than one in a
//! microsecond, so the microsecond of this moment is later than all that there were, also where nobody knows any more which.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::id::AccountId;
use waybill_domain::order::Order;
use waybill_domain::update::{Feed, Update};
use waybill_domain::{SignedDuration, Timestamp};

use crate::keys::{self, EXPIRES_AT, Item};
use crate::operations::{QUERY, QueryInput};
use crate::table::{StorageError, Table, back_off, from_item, to_item, to_value};
use crate::transaction::{Refused, Transaction, Write};

/// How long an update is kept for those who missed it.
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a feed is kept after it was followed, and so much of it is over before the mark is renewed: whoever was away for
/// [`KEPT`] after a connection of hours has missed nothing that is not kept.
const FOLLOWED: SignedDuration = SignedDuration::from_hours(9 * 24);
const RENEWED: SignedDuration = SignedDuration::from_hours(24);
/// A mark that has less time left may have been over for who appended a moment ago.
const NEARLY_OVER: SignedDuration = SignedDuration::from_hours(1);
/// For so long a change may be on its way to a feed, as the table's stream keeps it.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_hours(24);
/// Longer than it takes to make a mark, and than clocks differ.
const MAKING: SignedDuration = SignedDuration::from_secs(60);
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
    /// Whether it is all since then: what is older than [`KEPT`] is not there, nor what came before the feed was followed.
    pub complete: bool,
}

/// That a feed is kept.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Mark {
    /// From this number on it has no gap.
    since: u64,
    expires_at: i64,
}

impl Mark {
    fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at > now.as_second()
    }
}

/// Updates that were appended together.
struct Entry {
    /// The number of the first.
    first: u64,
    updates: Vec<Update>,
    expires_at: i64,
}

impl Entry {
    fn read(item: Item) -> Result<Entry, StorageError> {
        #[derive(Deserialize)]
        struct Stored {
            sk: String,
            updates: Vec<Update>,
            expires_at: i64,
        }

        let Stored { sk, updates, expires_at } = from_item(item)?;
        let first = sk.parse().map_err(|_| StorageError::Broken("a feed has an entry without a number".into()))?;
        Ok(Entry { first, updates, expires_at })
    }

    fn numbered(self) -> impl Iterator<Item = Numbered> {
        (self.first..).zip(self.updates).map(|(number, update)| Numbered { number, update })
    }
}

/// What a query of a feed brought.
struct Found {
    /// Where it came by; it lies behind all entries.
    mark: Option<Mark>,
    entries: Vec<Entry>,
    /// Where the next page begins.
    next: Option<Item>,
}

/// Of what was found from the end on, the newest first.
impl Found {
    /// The number after the last.
    fn after_last(&self) -> u64 {
        self.entries.first().map_or(0, |last| last.first + last.updates.len() as u64)
    }

    /// Whether something may have been here that is not any more: only what came since a mark of the last days must be.
    fn has_run_dry(&self, mark: Mark, now: Timestamp) -> bool {
        self.entries.first().is_none_or(|last| last.expires_at <= now.as_second()) && mark.since <= micros(now - KEPT)
    }
}

impl Table {
    /// Has a feed kept from now on, for at least [`KEPT`] and a day: one consistent query, and once a day a write of a unit.
    pub async fn keep(&self, feed: Feed, now: Timestamp) -> Result<(), StorageError> {
        for attempt in 0..APPENDS {
            let end = self.newest(feed, 1).await?;
            let until = now + FOLLOWED;
            let good = end.mark.filter(|mark| mark.is_good(now + NEARLY_OVER) && !end.has_run_dry(*mark, now));
            let since = match good {
                Some(mark) if mark.expires_at > (until - RENEWED).as_second() => return Ok(()),
                Some(mark) => mark.since,
                // Whoever was here before has missed what nobody knows of, and is told so.
                None => end.after_last().max(micros(now)),
            };
            let mut item = to_item(&Mark { since, expires_at: until.as_second() })?;
            item.extend(keys::feed_mark(feed).item());
            let write = match end.mark {
                None => Write::put(item).only_if_new(),
                Some(mark) => Write::put(item).only_if("expires_at = :before").number(":before", mark.expires_at),
            };
            match Transaction::new().write(write, |_| Ok(())).commit(self).await {
                Ok(()) => return Ok(()),
                // Somebody else follows it.
                Err(Refused::By(_)) => back_off(attempt).await,
                Err(Refused::Failed(error)) => return Err(error),
            }
        }
        Err(StorageError::Busy(format!("the mark of {} changed {APPENDS} times meanwhile", feed.name())))
    }

    /// Appends updates in their order and answers the number of each: one consistent query of some items, and one write of a
    /// unit for each KB. What is among the last items already keeps its number, so the same batch may be appended again.
    /// None, and no write, where the feed is not kept.
    pub async fn append(
        &self,
        feed: Feed,
        updates: &[Update],
        now: Timestamp,
    ) -> Result<Option<Vec<u64>>, StorageError> {
        for attempt in 0..APPENDS {
            let end = self.newest(feed, TAIL).await?;
            let Some(mark) = end.mark.filter(|mark| mark.is_good(now)) else { return Ok(None) };
            let least = if end.has_run_dry(mark, now) { micros(now) } else { mark.since };
            let next = end.after_last().max(least);
            let known = end.entries.into_iter().flat_map(Entry::numbered);
            let mut numbers: HashMap<String, u64> = known.map(|known| (known.update.id, known.number)).collect();
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
            return Ok(Some(updates.iter().filter_map(|update| numbers.get(&update.id).copied()).collect()));
        }
        Err(StorageError::Busy(format!("{} was appended to {APPENDS} times meanwhile", feed.name())))
    }

    /// The number before the next update of a feed: one consistent query of two items. 0 for one that was never kept.
    pub async fn position(&self, feed: Feed) -> Result<u64, StorageError> {
        let end = self.newest(feed, 1).await?;
        Ok(end.mark.map_or(0, |mark| mark.since).max(end.after_last()).saturating_sub(1))
    }

    /// The first [`PAGE`] updates of a feed after one: a consistent read and two queries at once, of a read unit for each
    /// 4 KB, and one more at the end of a page.
    pub async fn missed(&self, feed: Feed, after: u64, now: Timestamp) -> Result<Missed, StorageError> {
        // The item that holds the one after it may begin before it.
        let place = AttributeValue::S(keys::by_place(after));
        let before = self.items_of(feed, false, 1).key_condition_expression("pk = :pk AND sk <= :after");
        let behind = self.items_of(feed, true, ITEMS).key_condition_expression("pk = :pk AND sk > :after");
        let before = self.read_feed(before.expression_attribute_values(":after", place.clone()));
        let behind = self.read_feed(behind.expression_attribute_values(":after", place));
        let key = keys::feed_mark(feed);
        let (mark, before, behind) = tokio::try_join!(self.get(&key, true), before, behind)?;
        let mark: Option<Mark> = mark.map(from_item).transpose()?;
        let all = before.entries.into_iter().chain(behind.entries).flat_map(Entry::numbered);
        let mut updates: Vec<Numbered> = all.filter(|numbered| numbered.number > after).collect();
        let more = match updates.get(PAGE - 1) {
            Some(last) if updates.len() == PAGE => self.position(feed).await? > last.number,
            // A page of items holds at least as many updates.
            Some(_) => true,
            None => false,
        };
        updates.truncate(PAGE);
        let first = after.saturating_add(1);
        let is_kept = mark.is_some_and(|mark| mark.is_good(now) && mark.since <= first);
        let has_no_gap = updates.iter().zip(first..).all(|(numbered, number)| numbered.number == number);
        Ok(Missed { updates, more, complete: is_kept && has_no_gap })
    }

    /// What happened to one order after a version of it, as far as its buyer's feed has it; numbered by the version.
    /// Queries from the newest on, until it is all there.
    pub async fn missed_of(&self, order: &Order, after: u32, now: Timestamp) -> Result<Missed, StorageError> {
        let feed = Feed::Of(order.buyer);
        let (mut found, mut mark, mut start) = (Vec::<Update>::new(), None, None);
        loop {
            let query = self.items_of(feed, false, ITEMS).key_condition_expression("pk = :pk");
            let Found { mark: met, entries, next } = self.read_feed(query.set_exclusive_start_key(start)).await?;
            mark = mark.or(met);
            let updates = entries.into_iter().flat_map(|entry| entry.updates);
            found.extend(updates.filter(|update| update.order_id == order.id && update.version > after));
            if found.iter().any(|update| Some(update.version) == after.checked_add(1)) || next.is_none() {
                break;
            }
            start = next;
        }
        found.sort_by_key(|update| update.version);
        found.dedup_by_key(|update| update.version);
        let has_no_gap = found.iter().zip(after.saturating_add(1)..).all(|(update, version)| update.version == version);
        // The first that is not there. It is on its way where the feed was kept by then.
        let last = found.last().map_or(after, |update| update.version);
        let is_coming = |at: Timestamp| {
            let is_kept = |mark: Mark| mark.is_good(now) && mark.since < micros(at - MAKING);
            at > now - ON_ITS_WAY && mark.is_some_and(is_kept)
        };
        // Forgetting a buyer is a version without an entry.
        let entries = usize::try_from(order.version().saturating_sub(last)).unwrap_or(usize::MAX);
        let next = order.timeline.len().checked_sub(entries).and_then(|next| order.timeline.get(next));
        let complete = has_no_gap && (last >= order.version() || next.is_some_and(|entry| is_coming(entry.at)));
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

    /// The mark of a feed, and so many of its last entries.
    async fn newest(&self, feed: Feed, limit: i32) -> Result<Found, StorageError> {
        self.read_feed(self.items_of(feed, false, limit + 1).key_condition_expression("pk = :pk")).await
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

    async fn read_feed(&self, query: QueryInputBuilder) -> Result<Found, StorageError> {
        let answer = self.client.call(&QUERY, query.build()).await.map_err(StorageError::from_sdk)?;
        let items = answer.items.unwrap_or_default().into_iter();
        let (marks, entries): (Vec<_>, Vec<_>) = items.partition(|item| item.contains_key("since"));
        Ok(Found {
            mark: marks.into_iter().next().map(from_item).transpose()?,
            entries: entries.into_iter().map(Entry::read).collect::<Result<_, _>>()?,
            next: answer.last_evaluated_key,
        })
    }
}

/// Since 1970, which is what a feed begins at.
fn micros(at: Timestamp) -> u64 {
    u64::try_from(at.as_microsecond()).unwrap_or_default()
}
