//! How many orders stand where, so that nobody has to count them. They are counted with what reports are made of; what an order
//! was counted as lies in the note of that.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::order::{FulfilmentStatus, Order, PaymentStatus, Status};

use crate::keys::{self, Item};
use crate::table::{StorageError, Table, to_value};
use crate::transaction::Write;

/// Where an order stands, as of one of its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub version: u32,
    status: Status,
    payment_status: PaymentStatus,
    fulfilment_status: FulfilmentStatus,
}

/// By how much each counter moves.
#[derive(Default)]
pub(crate) struct Moves(BTreeMap<String, i64>);

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
            version: order.version(),
            status: order.state.status(),
            payment_status: order.payment_status(),
            fulfilment_status: order.fulfilment_status(),
        }
    }
}

impl Standing {
    /// The attributes that count it.
    fn counters(&self) -> Result<[String; 3], StorageError> {
        Ok([
            counter(STATUS, self.status)?,
            counter(PAYMENT, self.payment_status)?,
            counter(FULFILMENT, self.fulfilment_status)?,
        ])
    }
}

impl Moves {
    /// An order that stood there, or was not counted yet, stands elsewhere.
    pub fn add(&mut self, before: Option<&Standing>, after: &Standing) -> Result<(), StorageError> {
        for (standing, by) in before.map(|before| (before, -1)).into_iter().chain([(after, 1)]) {
            for counter in standing.counters()? {
                *self.0.entry(counter).or_default() += by;
            }
        }
        Ok(())
    }

    /// None where nothing moves.
    pub fn write(self) -> Option<Write> {
        let moves: Vec<_> = self.0.into_iter().filter(|(_, by)| *by != 0).collect();
        if moves.is_empty() {
            return None;
        }
        let numbers: Vec<_> = (0..moves.len()).map(|number| format!("#n{number} :n{number}")).collect();
        let add = Write::update(&keys::order_counts(), format!("ADD {}", numbers.join(", ")));
        Some(moves.into_iter().enumerate().fold(add, |add, (number, (counter, by))| {
            add.name(&format!("#n{number}"), &counter).number(&format!(":n{number}"), by)
        }))
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
