//! Making refunds at Stripe, as the queue brings orders that have some. A message may come twice, late and in any order: what
//! is to be done the order says, and Stripe makes a refund of one key once.

use waybill_domain::Timestamp;
use waybill_domain::message::{Actor, RefundMessage};
use waybill_domain::order::refund;
use waybill_domain::order::{Command, Order, Refusal};
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
    for (intent, refund) in order.refunds_due() {
        let outcome = stripe.refund(order.id, intent, refund, now).await.map_err(WorkError::Stripe)?;
        // None while the bank takes its time; Stripe's event tells of its end.
        let Some(outcome) = outcome else { continue };
        if let refund::Outcome::Failed { .. } = outcome {
            tracing::error!(order.id = %order.id, refund = refund.number, "a refund has failed");
        }
        let command = Command::Refund(refund::Command::Settle { number: refund.number, outcome });
        let decide = |order: &Order| order.decide(command.clone(), Actor::Stripe, now);
        match table.change_order(order.id, None, decide).await {
            Ok(_) | Err(Unchanged::Refused(Refusal::Done)) => {}
            Err(Unchanged::Failed(error)) => return Err(error.into()),
            Err(refused @ (Unchanged::Refused(_) | Unchanged::UnknownOrder | Unchanged::EventSeen)) => {
                return Err(WorkError::Stripe(format!("what it came to was not taken: {refused:?}")));
            }
        }
    }
    Ok(())
}
