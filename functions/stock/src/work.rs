//! What the queue brings: orders that took goods, and changes of what can be ordered. Each may come twice, late and in any
//! order.

use serde::{Deserialize, Deserializer};
use waybill_domain::Timestamp;
use waybill_domain::cart::PricedLine;
use waybill_domain::id::{MovementId, OrderId};
use waybill_domain::message::{Actor, Event, Message, StockEvent, StockMessage};
use waybill_domain::stock::{Change, Refusal};
use waybill_domain::text::Sku;
use waybill_lambda::batch::Queued;
use waybill_storage::stock::{NotMoved, Wanted};
use waybill_storage::{StorageError, Table};

#[derive(Clone, Debug)]
pub enum Work {
    Order(Box<Message>),
    Stock(StockMessage),
}

#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("what was ordered cannot be settled: {0}")]
    Refused(Refusal),
}

impl Queued for Work {
    fn id(&self) -> String {
        match self {
            Work::Order(message) => message.id.clone(),
            Work::Stock(message) => message.id.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for Work {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let is_stock = value["event"]["type"].as_str().is_some_and(|tag| tag.starts_with("stock."));
        let work = if is_stock {
            serde_json::from_value(value).map(Work::Stock)
        } else {
            serde_json::from_value(value).map(|message| Work::Order(Box::new(message)))
        };
        // Not serde's own words: they may quote what the message says of somebody.
        work.map_err(|_| serde::de::Error::custom("not a message that is known here"))
    }
}

/// Does what a message calls for. Having done it before changes nothing.
pub async fn act(table: &Table, work: Work, now: Timestamp) -> Result<(), WorkError> {
    match work {
        Work::Order(message) => match message.event {
            Event::Placed => warn(table, &message.order.lines, now).await,
            Event::Paid => {
                let sold = |line: &PricedLine| Change::Sell { units: line.quantity.get() };
                // An order without anything to pay is placed and paid in one, and announced once.
                let is_free = message.order.total.amount == 0;
                let by = if is_free { Actor::Customer } else { Actor::Stripe };
                settle(table, &message, by, MovementId::sold, sold).await?;
                if is_free { warn(table, &message.order.lines, now).await } else { Ok(()) }
            }
            Event::Cancelled | Event::Expired => {
                let released = |line: &PricedLine| Change::Release { units: line.quantity.get() };
                settle(table, &message, gave_up(table, &message).await?, MovementId::released, released).await
            }
            Event::PaymentStarted
            | Event::PaymentDeclined
            | Event::PaymentExpired
            | Event::Processing
            | Event::Shipped { .. }
            | Event::Delivered => Ok(()),
        },
        Work::Stock(StockMessage { sku, product_id, event, .. }) => match event {
            StockEvent::Changed => Ok(table.tell_waiting(product_id, &sku, now).await?),
            StockEvent::Low { .. } | StockEvent::Returned { .. } => Ok(()),
        },
    }
}

/// Notes of which ordered SKUs little is left.
async fn warn(table: &Table, lines: &[PricedLine], now: Timestamp) -> Result<(), WorkError> {
    for line in lines {
        table.warn_if_low(line.product_id, &line.sku, now).await?;
    }
    Ok(())
}

/// Who gave an order up: its timeline says so, and ends with it.
async fn gave_up(table: &Table, message: &Message) -> Result<Actor, WorkError> {
    let order = table.order(message.order.id).await?;
    Ok(order.and_then(|order| order.timeline.last().map(|entry| entry.actor)).unwrap_or(Actor::Customer))
}

/// Takes what was paid off the shelf, or lets what was cancelled be ordered again.
async fn settle(
    table: &Table,
    message: &Message,
    by: Actor,
    id: impl Fn(OrderId, &Sku) -> MovementId,
    change: impl Fn(&PricedLine) -> Change,
) -> Result<(), WorkError> {
    for line in &message.order.lines {
        let wanted = Wanted {
            id: id(message.order.id, &line.sku),
            change: change(line),
            by,
            reason: None,
            order_id: Some(message.order.id),
            at: message.at,
        };
        match table.move_stock(&line.sku, &wanted).await {
            Ok(_) => {}
            Err(NotMoved::UnknownSku) => {
                tracing::warn!(sku = %line.sku, "what was ordered is not in the catalogue any more")
            }
            Err(NotMoved::Refused(refusal)) => return Err(WorkError::Refused(refusal)),
            Err(NotMoved::Failed(error)) => return Err(error.into()),
        }
    }
    Ok(())
}
