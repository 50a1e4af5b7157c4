//! Leaves unsent what nobody would be pushed: most orders change while no browser follows them.

use std::collections::BTreeSet;
use std::future::ready;

use futures_util::{StreamExt, TryStreamExt, stream};
use waybill_storage::connections::Topic;
use waybill_storage::{StorageError, Table};

use crate::Announced;

/// How many topics are asked about at once.
const AT_ONCE: usize = 16;

/// Takes back that updates are pushed of which nobody would hear. Only behind [`crate::feeds::place`]: whoever begins to
/// follow after the look here finds the update in the feed.
pub async fn look(table: &Table, announced: &mut [Announced]) {
    let topics = |announced: &Announced| {
        let order = &announced.update.as_deref().filter(|_| announced.to.push)?.order;
        Some([Topic::Of(order.account_id), Topic::Order(order.id)])
    };
    let wanted: BTreeSet<Topic> = announced.iter().filter_map(topics).flatten().collect();
    if wanted.is_empty() {
        return;
    }
    let heard = match heard(table, wanted).await {
        Ok(Some(heard)) => heard,
        Ok(None) => return,
        Err(error) => {
            // `push` looks for itself.
            tracing::warn!(error = %error, "it is not known who follows orders");
            return;
        }
    };
    for announced in announced {
        if topics(announced).is_some_and(|topics| topics.iter().all(|topic| !heard.contains(topic))) {
            announced.to.push = false;
        }
    }
}

/// Which of the topics somebody listens to; None where somebody follows all orders.
async fn heard(table: &Table, topics: BTreeSet<Topic>) -> Result<Option<BTreeSet<Topic>>, StorageError> {
    if table.has_listeners(Topic::All).await? {
        return Ok(None);
    }
    let asked = topics.into_iter().map(async |topic| Ok(table.has_listeners(topic).await?.then_some(topic)));
    let heard = stream::iter(asked).buffer_unordered(AT_ONCE).try_filter_map(|heard| ready(Ok(heard)));
    heard.try_collect().await.map(Some)
}
