//! Gives what is pushed its places in the feeds, before it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt, stream};
use waybill_domain::Timestamp;
use waybill_domain::update::{Feed, Places, Update};
use waybill_storage::Table;

use crate::{Announced, Audience};

/// How many feeds are appended to at once.
const AT_ONCE: usize = 16;

/// Appends the updates to the feeds of their buyers and to those of all orders, in order, as far as these are kept, and writes
/// the texts that are pushed: where neither is, nobody has followed such orders for a week, and nothing is. Answers the sequence
/// numbers of those that a feed did not take.
pub async fn place(table: &Table, announced: &mut [Announced], now: Timestamp) -> BTreeSet<String> {
    let mut feeds: BTreeMap<Feed, Vec<Update>> = BTreeMap::new();
    for message in announced.iter().filter_map(|announced| announced.update.as_deref()) {
        for feed in [Feed::Of(message.order.account_id), Feed::all_with(message.order.id)] {
            feeds.entry(feed).or_default().push(Update::of(message));
        }
    }
    let append = async |feed: Feed, updates: Vec<Update>| (feed, numbers(table, feed, &updates, now).await);
    let mut appended = HashMap::new();
    let mut waiting =
        stream::iter(feeds.into_iter().map(|(feed, updates)| append(feed, updates))).buffer_unordered(AT_ONCE);
    while let Some((feed, numbers)) = waiting.next().await {
        appended.insert(feed, numbers);
    }
    let mut unplaced = BTreeSet::new();
    for announced in announced {
        let Some(message) = &mut announced.update else { continue };
        let place = |feed: Feed| Some(appended.get(&feed)?.as_ref()?.get(&message.id).copied());
        let own = place(Feed::Of(message.order.account_id));
        let text = match own.zip(place(Feed::all_with(message.order.id))) {
            Some((None, None)) => continue,
            Some((own, all)) => {
                message.places = Some(Places { own, all });
                serde_json::to_string(message).ok()
            }
            None => None,
        };
        match text {
            Some(text) => (announced.text, announced.to) = (text, Audience { push: true, ..Audience::NOBODY }),
            None => {
                unplaced.insert(announced.sequence_number.clone());
            }
        }
    }
    unplaced
}

/// The number of each update, by its id, and none of a feed that is not kept; None where the feed could not be asked.
async fn numbers(table: &Table, feed: Feed, updates: &[Update], now: Timestamp) -> Option<HashMap<String, u64>> {
    match table.append(feed, updates, now).await {
        Ok(numbers) => {
            Some(updates.iter().map(|update| update.id.clone()).zip(numbers.into_iter().flatten()).collect())
        }
        Err(error) => {
            tracing::error!(feed = feed.name(), error = %error, "a feed took nothing");
            None
        }
    }
}
