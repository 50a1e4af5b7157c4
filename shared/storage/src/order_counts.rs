//! How many orders stand where, so that nobody has to count them, and which a SKU was ordered with. The stream tells of every
//! order that changes; what an order was counted as lies beside the counts, so that it counts once however often, and in
//! whatever order, it is told of.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::id::{OrderId, OrderNumber};
use waybill_domain::order::{FulfilmentStatus, Order, PaymentStatus, Status};
use waybill_domain::text::Sku;

use crate::keys::{self, Item};
use crate::order_lists::selling;
use crate::table::{StorageError, Table, back_off, from_item, to_item, to_value};
use crate::transaction::{Refused, Transaction, Write};

/// Orders that are counted in one transaction, which DynamoDB limits to 100 writes.
const TOGETHER: usize = 50;
/// How often counting starts again when others counted the same orders.
const TRIES: u32 = 8;

/// Where an order stands, as of one of its versions, and what it is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    id: OrderId,
    placed_at: Timestamp,
    skus: BTreeSet<Sku>,
    counted: Counted,
}

/// What an order is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    number: OrderNumber,
    version: u32,
    status: Status,
    payment_status: PaymentStatus,
    fulfilment_status: FulfilmentStatus,
}

/// How many orders stand where, in each of the three ways. What no order stands at is there with zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OrderCounts {
    pub status: BTreeMap<Status, u64>,
    pub payment_status: BTreeMap<PaymentStatus, u64>,
    pub fulfilment_status: BTreeMap<FulfilmentStatus, u64>,
}

impl From<&Order> for Standing {
    fn from(order: &Order) -> Self {
        Standing {
            id: order.id,
            placed_at: order.placed_at,
            skus: order.lines.iter().map(|line| line.sku.clone()).collect(),
            counted: Counted {
                number: order.id.number(),
                version: order.version(),
                status: order.state.status(),
                payment_status: order.payment_status(),
                fulfilment_status: order.fulfilment_status(),
            },
        }
    }
}

/// The order that an item of the table's stream is; None for an item that is none.
pub fn order_of(image: &serde_dynamo::Item) -> Option<Result<Order, StorageError>> {
    match image.get("sk") {
        Some(serde_dynamo::AttributeValue::S(sk)) if sk == keys::ORDER => {}
        _ => return None,
    }
    let unreadable = |error| StorageError::Broken(format!("an order in the stream cannot be read: {error}"));
    Some(serde_dynamo::from_item(image.clone()).map_err(unreadable))
}

impl Counted {
    /// The attributes that count it.
    fn counters(&self) -> Result<[String; 3], StorageError> {
        Ok([
            counter(STATUS, self.status)?,
            counter(PAYMENT, self.payment_status)?,
            counter(FULFILMENT, self.fulfilment_status)?,
        ])
    }
}

const STATUS: &str = "status";
const PAYMENT: &str = "payment_status";
const FULFILMENT: &str = "fulfilment_status";

/// The attribute that counts the orders which stand so: `status#paid`.
fn counter(kind: &str, standing: impl Serialize) -> Result<String, StorageError> {
    match to_value(&standing)? {
        AttributeValue::S(name) => Ok(format!("{kind}#{name}")),
        other => Err(StorageError::Broken(format!("a status has a name, not {other:?}"))),
    }
}

impl Table {
    /// How many orders stand where, as was told of them so far: half a read unit.
    pub async fn order_counts(&self) -> Result<OrderCounts, StorageError> {
        let item = self.get(&keys::order_counts(), false).await?.unwrap_or_default();
        Ok(OrderCounts {
            status: counts(&item, STATUS, Status::ALL)?,
            payment_status: counts(&item, PAYMENT, PaymentStatus::ALL)?,
            fulfilment_status: counts(&item, FULFILMENT, FulfilmentStatus::ALL)?,
        })
    }

    /// Counts orders as they stand, but for those that are counted so, or as they stood later, and answers how many that
    /// were not; one that was never counted can be found by its SKUs from now on. For each fifty a BatchGetItem, a
    /// PutItem of one write unit for each SKU of one that is new, and a transaction of two write units for each that counts
    /// and two for the counts.
    pub async fn count_orders(&self, standings: impl IntoIterator<Item = Standing>) -> Result<usize, StorageError> {
        let mut latest: BTreeMap<OrderNumber, Standing> = BTreeMap::new();
        for standing in standings {
            let known = latest.entry(standing.counted.number).or_insert_with(|| standing.clone());
            if known.counted.version < standing.counted.version {
                *known = standing;
            }
        }
        let latest: Vec<_> = latest.into_values().collect();
        let mut counted = 0;
        for together in latest.chunks(TOGETHER) {
            counted += self.count_together(together).await?;
        }
        Ok(counted)
    }

    async fn count_together(&self, standings: &[Standing]) -> Result<usize, StorageError> {
        for attempt in 0..TRIES {
            let keys = standings.iter().map(|standing| keys::counted_order(standing.counted.number).item()).collect();
            let before = self.batch(keys).await?.into_iter().map(from_item::<Counted>);
            let before = before.map(|found| found.map(|counted| (counted.number, counted)));
            let before = before.collect::<Result<HashMap<_, _>, _>>()?;
            let before = |standing: &Standing| before.get(&standing.counted.number);
            let is_news =
                |standing: &&Standing| before(standing).is_none_or(|before| before.version < standing.counted.version);
            let news: Vec<&Standing> = standings.iter().filter(is_news).collect();
            if news.is_empty() {
                return Ok(0);
            }
            // Before it counts: broken off in between, all of it is done again.
            for standing in news.iter().filter(|standing| before(standing).is_none()) {
                let items = standing.skus.iter().map(|sku| selling(sku, standing.placed_at, standing.id));
                let puts =
                    items.map(|item| Ok(self.write(Write::put(item?)))).collect::<Result<Vec<_>, StorageError>>()?;
                try_join_all(puts).await?;
            }
            let mut transaction = Transaction::new();
            let mut moves: BTreeMap<String, i64> = BTreeMap::new();
            for standing in &news {
                let Counted { number, .. } = standing.counted;
                let mut item = to_item(&standing.counted)?;
                item.extend(keys::counted_order(number).item());
                let put = Write::put(item);
                let put = match before(standing) {
                    None => put.only_if_new(),
                    Some(before) => {
                        for counter in before.counters()? {
                            *moves.entry(counter).or_default() -= 1;
                        }
                        put.only_if("#version = :before")
                            .name("#version", "version")
                            .number(":before", i64::from(before.version))
                    }
                };
                for counter in standing.counted.counters()? {
                    *moves.entry(counter).or_default() += 1;
                }
                // What is in the way was counted by somebody else, or was not seen yet.
                transaction = transaction.write(put, |_| Ok(()));
            }
            moves.retain(|_, by| *by != 0);
            if !moves.is_empty() {
                transaction = transaction.write(count(moves), |_| Ok(()));
            }
            match transaction.commit(self).await {
                Ok(()) => return Ok(news.len()),
                Err(Refused::Failed(error)) => return Err(error),
                Err(Refused::By(_)) => back_off(attempt).await,
            }
        }
        Err(StorageError::Busy("orders were counted by others again and again".into()))
    }
}

fn count(moves: BTreeMap<String, i64>) -> Write {
    let numbers: Vec<_> = (0..moves.len()).map(|number| format!("#n{number} :n{number}")).collect();
    let add = Write::update(&keys::order_counts(), format!("ADD {}", numbers.join(", ")));
    moves.into_iter().enumerate().fold(add, |add, (number, (counter, by))| {
        add.name(&format!("#n{number}"), &counter).number(&format!(":n{number}"), by)
    })
}

fn counts<S, const N: usize>(item: &Item, kind: &str, all: [S; N]) -> Result<BTreeMap<S, u64>, StorageError>
where
    S: Copy + Ord + Serialize,
{
    let count = |standing: S| {
        let number = item.get(&counter(kind, standing)?).and_then(|number| number.as_n().ok());
        let number = number.map_or(Ok(0), |number| number.parse());
        let number = number.map_err(|error| StorageError::Broken(format!("orders are not counted: {error}")))?;
        Ok((standing, number))
    };
    all.into_iter().map(count).collect()
}
