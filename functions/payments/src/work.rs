//! What the queue brings to be done at Stripe: refunds of an order, and forgetting who has left. A message may come twice, late
//! and in any order: what is to be done of refunds the order says, and Stripe makes a refund of one key once; and who is
//! forgotten stays so.

use waybill_domain::Timestamp;
use waybill_domain::id::OrderId;
use waybill_domain::message::{Actor, CustomerEvent, RefundMessage};
use waybill_domain::order::refund::{self, Outcome};
use waybill_domain::order::{Command, Order, Refund, Refusal};
use waybill_lambda::batch::Payable;
use waybill_storage::orders::Unchanged;
use waybill_storage::{StorageError, Table};

use crate::Stripe;

#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("Stripe did not do it: {0}")]
    Stripe(String),
}

/// Does what a message asks for.
pub async fn act(table: &Table, stripe: &Stripe, message: Payable, now: Timestamp) -> Result<(), WorkError> {
    match message {
        Payable::Refund(message) => refund(table, stripe, message, now).await,
        Payable::Customer(message) => match message.event {
            CustomerEvent::Left { customer } => {
                stripe.forget(message.id, customer.as_deref()).await.map_err(WorkError::Stripe)
            }
        },
    }
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
    // Before it is kept: were it lost in between, nobody would hear of it.
    warn(order.id, &command);
    let decide = |order: &Order| order.decide(command.clone(), Actor::Stripe, now);
    match table.change_order(order.id, None, decide).await {
        Ok(_) | Err(Unchanged::Refused(Refusal::Done)) => Ok(()),
        Err(Unchanged::Failed(error)) => Err(error.into()),
        Err(refused @ (Unchanged::Refused(_) | Unchanged::UnknownOrder | Unchanged::EventSeen)) => {
            Err(WorkError::Stripe(format!("what it came to was not taken: {refused:?}")))
        }
    }
}

/// Where a refund has failed or a payment is disputed somebody has to look at it, which an alarm says; once more is no harm.
pub fn warn(order: OrderId, command: &Command) {
    match command {
        Command::Refund(
            refund::Command::Settle { outcome: Outcome::Failed { .. }, .. }
            | refund::Command::Note { outcome: Outcome::Failed { .. }, .. },
        ) => tracing::error!(order.id = %order, "a refund has failed"),
        Command::NoteDispute(told) if told.dispute.status.needs_answer() && told.dispute.due_by.is_some() => {
            let due_by = told.dispute.due_by.map(|due_by| due_by.to_string());
            tracing::error!(order.id = %order, due_by, "a payment is disputed");
        }
        Command::StartPayment { .. }
        | Command::DeclinePayment
        | Command::ExpirePayment { .. }
        | Command::Authorise { .. }
        | Command::Release { .. }
        | Command::Pay { .. }
        | Command::Process
        | Command::ChangeAddress(_)
        | Command::Ship(_)
        | Command::Deliver { .. }
        | Command::Cancel { .. }
        | Command::CancelRest { .. }
        | Command::Expire { .. }
        | Command::Refund(_)
        | Command::NoteDispute(_)
        | Command::Return(_) => {}
    }
}
