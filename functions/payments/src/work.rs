//! Making refunds at Stripe, as the queue brings orders that have some. A message may come twice, late and in any order: what
//! is to be done the order says, and Stripe makes a refund of one key once.

use waybill_domain::Timestamp;
use waybill_domain::message::{Actor, Entry, Event, RefundMessage};
use waybill_domain::order::refund;
use waybill_domain::order::{Command, Order, Refund, Refusal};
use waybill_storage::orders::Unchanged;
use waybill_storage::{StorageError, Table};

use crate::Stripe;

#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("Stripe did not make a refund: {0}")]
    Stripe(String),
}

/// Makes the refunds of an order that are due.
pub async fn refund(table: &Table, stripe: &Stripe, message: RefundMessage, now: Timestamp) -> Result<(), WorkError> {
    let Some(order) = table.order(message.order_id).await? else {
        tracing::error!(order.id = %message.order_id, "an order that is not here is to be refunded");
        return Ok(());
    };
    // One that cannot be made does not hold up the others.
    let mut failed = Ok(());
    for (intent, due) in order.refunds_due() {
        let made = make(table, stripe, &order, intent, due, now).await;
        failed = failed.and(made);
    }
    failed
}

async fn make(
    table: &Table,
    stripe: &Stripe,
    order: &Order,
    intent: &str,
    due: &Refund,
    now: Timestamp,
) -> Result<(), WorkError> {
    let outcome = stripe.refund(order.id, intent, due, now).await.map_err(WorkError::Stripe)?;
    let Some(outcome) = outcome else {
        // The bank takes its time; Stripe's event tells of the end.
        tracing::warn!(order.id = %order.id, refund = due.number, "a refund is pending at Stripe");
        return Ok(());
    };
    let command = Command::Refund(refund::Command::Settle { number: due.number, outcome });
    let decide = |order: &Order| order.decide(command.clone(), Actor::Stripe, now);
    match table.change_order(order.id, None, decide).await {
        Ok(order) => {
            warn_of_failure(&order);
            Ok(())
        }
        Err(Unchanged::Refused(Refusal::Done)) => Ok(()),
        Err(Unchanged::Failed(error)) => Err(error.into()),
        Err(refused @ (Unchanged::Refused(_) | Unchanged::UnknownOrder | Unchanged::EventSeen)) => {
            Err(WorkError::Stripe(format!("what it came to was not taken: {refused:?}")))
        }
    }
}

/// Where the last that happened to an order is that a refund failed: somebody has to look at it, which an alarm says.
pub fn warn_of_failure(order: &Order) {
    if let Some(Entry { event: Event::RefundFailed { number, .. }, .. }) = order.timeline.last() {
        tracing::error!(order.id = %order.id, refund = number, "a refund has failed");
    }
}
