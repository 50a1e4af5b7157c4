//! What the queue brings: orders that took goods, and changes of what can be ordered. Each may come twice, late and in any
//! order.

use serde::{Deserialize, Deserializer};
use waybill_domain::Timestamp;
use waybill_domain::cart::PricedLine;
use waybill_domain::id::{LocationId, MovementId};
use waybill_domain::message::{Actor, Event, Message, StockEvent, StockMessage};
use waybill_domain::order::Units;
use waybill_domain::stock::{Change, Moved, Movement, Refusal};
use waybill_domain::text::Sku;
use waybill_lambda::batch::Queued;
use waybill_storage::stock::{Done, NotMoved, Wanted};
use waybill_storage::{StorageError, Table};

/// What was never sent is put back as if by a return, of which the first is number 1.
const THE_REST: u32 = 0;

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
                for line in &message.order.lines {
                    sell(table, &message, line).await?;
                }
                if is_free(&message) { warn(table, &message.order.lines, now).await } else { Ok(()) }
            }
            Event::Cancelled | Event::Expired => {
                let by = by_whom(table, &message).await?;
                for line in &message.order.lines {
                    let id = MovementId::released(message.order.id, &line.sku);
                    let release = Change::Release { units: line.quantity.get() };
                    settle(table, &message, &line.sku, id, release, by).await?;
                }
                Ok(())
            }
            Event::CancelledWithRefund { .. } => {
                let by = by_whom(table, &message).await?;
                take_back(table, &message, by).await
            }
            Event::RestCancelled { ref lines, .. } => {
                let by = by_whom(table, &message).await?;
                restock(table, &message, by, THE_REST, lines, None).await
            }
            Event::ReturnReceived { number, ref restocked, location_id } => {
                let by = by_whom(table, &message).await?;
                restock(table, &message, by, number, restocked, location_id).await
            }
            Event::PaymentStarted
            | Event::PaymentDeclined
            | Event::PaymentExpired
            | Event::PaymentAuthorised
            | Event::Processing
            | Event::AddressChanged
            | Event::PartiallyShipped { .. }
            | Event::Shipped { .. }
            | Event::ShipmentDelivered { .. }
            | Event::Delivered
            | Event::PaidLate { .. }
            | Event::RefundRequested { .. }
            | Event::Refunded { .. }
            | Event::RefundFailed { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeUpdated { .. }
            | Event::DisputeClosed { .. }
            | Event::ReturnRequested { .. }
            | Event::ReturnApproved { .. }
            | Event::ReturnRefused { .. }
            | Event::Exchanged { .. } => Ok(()),
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

/// Who did what a message tells of: the entry of the order's timeline that it announces says so.
async fn by_whom(table: &Table, message: &Message) -> Result<Actor, WorkError> {
    let order = table.order(message.order.id).await?;
    let place = usize::try_from(message.order.version.saturating_sub(1)).unwrap_or(usize::MAX);
    Ok(order.and_then(|order| order.timeline.get(place).map(|entry| entry.actor)).unwrap_or(Actor::Customer))
}

/// Takes what was paid of a line off the shelf.
async fn sell(table: &Table, message: &Message, line: &PricedLine) -> Result<Option<Movement>, WorkError> {
    let id = MovementId::sold(message.order.id, &line.sku);
    let by = if is_free(message) { Actor::Customer } else { Actor::Stripe };
    settle(table, message, &line.sku, id, Change::Sell { units: line.quantity.get() }, by).await
}

/// An order without anything to pay is placed and paid in one, and announced once.
fn is_free(message: &Message) -> bool {
    message.order.total.amount == 0
}

/// Puts what was paid back where it was taken from. It is taken first: the message of the payment may still be on its way.
async fn take_back(table: &Table, message: &Message, by: Actor) -> Result<(), WorkError> {
    for line in &message.order.lines {
        let sold = sell(table, message, line).await?;
        for Moved { location_id, units } in sold.map(|movement| movement.places).unwrap_or_default() {
            let Ok(units) = u32::try_from(-units) else { continue };
            let id = MovementId::returned(message.order.id, &line.sku, location_id);
            settle(table, message, &line.sku, id, Change::Return { at: location_id, units }, by).await?;
        }
    }
    Ok(())
}

/// Puts what has come back where staff have put it, or where it was taken from.
async fn restock(
    table: &Table,
    message: &Message,
    by: Actor,
    number: u32,
    restocked: &[Units],
    at: Option<LocationId>,
) -> Result<(), WorkError> {
    for Units { sku, quantity } in restocked {
        let Some(line) = message.order.lines.iter().find(|line| line.sku == *sku) else { continue };
        let sold = sell(table, message, line).await?;
        // From nowhere where nobody counts it.
        let Some(from) = sold.and_then(|movement| movement.places.first().map(|moved| moved.location_id)) else {
            continue;
        };
        let id = MovementId::restocked(message.order.id, number, sku);
        let back = Change::Return { at: at.unwrap_or(from), units: quantity.get() };
        settle(table, message, sku, id, back, by).await?;
    }
    Ok(())
}

/// Moves the stock of a line of the order, now or before. None where the SKU is gone from the catalogue.
async fn settle(
    table: &Table,
    message: &Message,
    sku: &Sku,
    id: MovementId,
    change: Change,
    by: Actor,
) -> Result<Option<Movement>, WorkError> {
    let wanted = Wanted { id, change, by, reason: None, order_id: Some(message.order.id), at: message.at };
    match table.move_stock(sku, &wanted).await {
        Ok(Done::Now(movement) | Done::Before(movement)) => Ok(Some(movement)),
        Err(NotMoved::UnknownSku) => {
            tracing::warn!(sku = %sku, "what was ordered is not in the catalogue any more");
            Ok(None)
        }
        Err(NotMoved::Refused(refusal)) => Err(WorkError::Refused(refusal)),
        Err(NotMoved::Failed(error)) => Err(error.into()),
    }
}
