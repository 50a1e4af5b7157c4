//! Lists of orders, the newest first. They share one sort key, so that a place in one is a place in each.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use waybill_domain::Timestamp;
use waybill_domain::id::{AccountId, OrderId};
use waybill_domain::order::{Order, Status};
use waybill_domain::text::Sku;

use crate::keys::{self, Index, Item, SUMMARY};
use crate::orders::OrderSummary;
use crate::page::{Cursor, Page, Stretch};
use crate::table::{StorageError, Table, from_item, to_value};

/// Which orders a list is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Orders {
    All,
    With(Status),
    /// A customer's.
    Of(AccountId),
    /// Those that a SKU was ordered with, as far as the stream has told of them.
    Selling(Sku),
}

/// What stands in the list of a SKU's orders: which order, and no more, since that changes.
#[derive(Serialize, Deserialize)]
struct Selling {
    id: OrderId,
}

/// The item by which an order is found by a SKU of its lines.
pub(crate) fn selling(sku: &Sku, placed_at: Timestamp, id: OrderId) -> Result<Item, StorageError> {
    let mut item = keys::selling(sku, placed_at, id).item();
    item.insert(SUMMARY.into(), to_value(&Selling { id })?);
    Ok(item)
}

/// When they were placed, to the millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    pub from: Option<Timestamp>,
    pub before: Option<Timestamp>,
}

impl Placed {
    pub(crate) fn stretch(self) -> Option<Stretch> {
        if self == Placed::default() {
            return None;
        }
        let from = keys::by_time(self.from.unwrap_or(Timestamp::UNIX_EPOCH), "");
        // No sort key ends where an id begins, so this is the last one before that moment.
        let to = self.before.map_or_else(|| "9".to_owned(), |before| keys::by_time(before, ""));
        Some(Stretch { from, to })
    }
}

impl Table {
    /// A page of orders: one query of half a read unit for each 4 KB. Of all orders it is one query for each status, all at
    /// once, whose pages are merged; of a SKU's orders one query, and one BatchGetItem of the orders themselves.
    pub async fn orders(
        &self,
        which: Orders,
        placed: Placed,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<Page<OrderSummary>, StorageError> {
        let stretch = placed.stretch();
        if stretch.as_ref().is_some_and(Stretch::is_empty) {
            return Ok(Page::empty());
        }
        let stretch = stretch.as_ref();
        match which {
            Orders::Of(buyer) => self.page_of(Index::Gsi1, &keys::orders_of(buyer), stretch, limit, cursor).await,
            Orders::With(status) => self.page_of(Index::Gsi2, &keys::orders_with(status), stretch, limit, cursor).await,
            Orders::All => {
                let partitions = Status::ALL.map(keys::orders_with);
                let pages = partitions
                    .iter()
                    .map(|partition| self.page_of(Index::Gsi2, partition, stretch, limit, cursor.clone()));
                let pages = try_join_all(pages).await?;
                Ok(merge(pages, limit, cursor.as_ref()))
            }
            Orders::Selling(sku) => {
                let list = keys::orders_selling(&sku);
                let Page { items, next, previous } = self.page_of(None, &list, stretch, limit, cursor).await?;
                Ok(Page { items: self.summaries(items).await?, next, previous })
            }
        }
    }

    /// Orders with all that is known of them, a hundred at most, in the order of their ids here; without those that are not
    /// there. One call, half a read unit for each 4 KB of each.
    pub async fn whole_orders(&self, ids: &[OrderId]) -> Result<Vec<Order>, StorageError> {
        let keys = ids.iter().map(|id| keys::order(id.number()).item()).collect();
        let found = self.batch(keys).await?.into_iter().map(from_item::<Order>);
        let found = found.map(|order| order.map(|order| (order.id, order)));
        let mut found = found.collect::<Result<HashMap<_, _>, _>>()?;
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// The orders of a list of a SKU's, as they stand.
    async fn summaries(&self, selling: Vec<Selling>) -> Result<Vec<OrderSummary>, StorageError> {
        let keys = selling.iter().map(|Selling { id }| keys::order(id.number()).item()).collect();
        let found = self.batch(keys).await?.into_iter().map(|mut item| match item.remove(SUMMARY) {
            Some(AttributeValue::M(summary)) => from_item::<OrderSummary>(summary),
            _ => Err(StorageError::Broken("an order has no summary".into())),
        });
        let found = found.map(|summary| summary.map(|summary| (summary.id, summary)));
        let mut found = found.collect::<Result<HashMap<_, _>, _>>()?;
        Ok(selling.into_iter().filter_map(|Selling { id }| found.remove(&id)).collect())
    }
}

/// The page of all that these are the pages of: the `limit` next to where they begin, which is their end when going back.
fn merge(pages: Vec<Page<OrderSummary>>, limit: u8, cursor: Option<&Cursor>) -> Page<OrderSummary> {
    let back = cursor.is_some_and(Cursor::is_back);
    let more_behind = pages.iter().any(|page| page.next.is_some());
    let more_before = pages.iter().any(|page| page.previous.is_some());
    let mut items: Vec<_> = pages.into_iter().flat_map(|page| page.items).collect();
    items.sort_by_key(|item| std::cmp::Reverse((item.placed_at.as_millisecond(), item.id)));
    let spare = items.len().saturating_sub(limit.into());
    if back {
        items.drain(..spare);
    } else {
        items.truncate(limit.into());
    }
    let at = |item: &OrderSummary, back| Cursor::at_order(item.placed_at, item.id, back);
    let (has_next, has_previous) = match back {
        true => (true, spare > 0 || more_before),
        false => (spare > 0 || more_behind, cursor.is_some()),
    };
    Page {
        next: items.last().filter(|_| has_next).map(|last| at(last, false)),
        previous: items.first().filter(|_| has_previous).map(|first| at(first, true)),
        items,
    }
}
