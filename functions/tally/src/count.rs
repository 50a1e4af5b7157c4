//! Counts the orders that the stream did not tell of: those from before orders were counted, or from an outage of days.
//! Whatever is counted already counts once all the same, also while orders change.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use waybill_domain::{SignedDuration, Timestamp};
use waybill_lambda::{Error, clock};
use waybill_storage::Table;
use waybill_storage::order_lists::{Orders, Placed};
use waybill_storage::tallies::{Counting, Told};

use crate::LONGEST;

const ORDERS_IN_A_PAGE: u8 = 100;
/// Orders that are read at the same time.
const AT_ONCE: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    count_orders: Wanted,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Only orders that were placed before; the `next` of an earlier run goes on where that ended.
    placed_before: Option<Timestamp>,
}

/// What a run came to.
#[derive(Serialize)]
struct Counted {
    /// Orders that were looked at, the newest first.
    orders: usize,
    /// Those that were not counted as they stand.
    counted: usize,
    /// Where there was no time for all: what to begin the next run with.
    next: Option<Timestamp>,
}

impl Command {
    /// Reads a payload that asks for a count; None for any other.
    pub fn read(payload: &Value) -> Option<Result<Command, Error>> {
        payload.get("count_orders")?;
        Some(Command::deserialize(payload).map_err(Into::into))
    }

    pub async fn run(self, table: &Table, shop: &Counting) -> Result<Value, Error> {
        let begun_at = clock::now();
        let placed = Placed { from: None, before: self.count_orders.placed_before };
        let (mut from, mut done) = (None, Counted { orders: 0, counted: 0, next: None });
        loop {
            let page = table.orders(Orders::All, placed, ORDERS_IN_A_PAGE, from).await?;
            done.orders += page.items.len();
            let last = page.items.last().map(|order| order.placed_at);
            let ids = page.items.into_iter().map(|order| order.id);
            let orders = stream::iter(ids).map(|id| table.order(id)).buffer_unordered(AT_ONCE);
            let told = orders.try_filter_map(async |order| Ok(order.as_ref().map(Told::from)));
            let told: Vec<_> = told.try_collect().await?;
            done.counted += table.tally(told, shop, clock::now()).await?;
            from = page.next;
            if from.is_none() {
                break;
            }
            if clock::now() > begun_at + LONGEST {
                // Several orders may have been placed in the same millisecond.
                done.next = last.map(|last| last + SignedDuration::from_millis(1));
                break;
            }
        }
        let Counted { orders, counted, ref next } = done;
        tracing::info!(orders, counted, is_complete = next.is_none(), "orders were looked at and counted");
        Ok(serde_json::to_value(done)?)
    }
}
