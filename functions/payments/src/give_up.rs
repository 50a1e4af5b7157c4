//! Giving up an order. Its page at Stripe is closed first, so that nobody pays for what others can order a moment later.

use orders::decide;
use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::{Attempt, Command, Order, Refusal, State};
use waybill_domain::stock::Reason;
use waybill_lambda::clock;
use waybill_storage::Table;
use waybill_storage::orders::Unchanged;
use waybill_web::{Kind, Problem};

use crate::Stripe;
use crate::stripe_api::Page;

/// Why an order is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    Cancelled {
        reason: Option<Reason>,
    },
    /// Its time to be paid is over.
    Expired,
}

impl Why {
    fn command(self, closed: Option<String>) -> Command {
        match self {
            Why::Cancelled { reason } => Command::Cancel { closed, reason },
            Why::Expired => Command::Expire { closed },
        }
    }
}

/// Gives an order up, or says why it cannot be: somebody is just paying it, or it has gone too far. A payment that Stripe has
/// and we have not heard of yet is taken note of first: an order that is cancelled is then refunded, or what the bank holds let
/// go of, and one whose time is over stays. Doing it again after it was interrupted anywhere comes to the same.
pub async fn give_up(table: &Table, stripe: &Stripe, order: &Order, why: Why, by: Actor) -> Result<Order, Problem> {
    let closed = match &order.state {
        State::Pending { attempt: Attempt { session: Some(session), .. } } => match stripe.close(session).await? {
            Page::Closed => Some(session.id().to_owned()),
            Page::Completed { payment: Some(payment) } => {
                let order = take_note(table, order.id, payment).await?;
                released(table, stripe, &order, &why).await?
            }
            Page::Completed { payment: None } | Page::Open => return Err(being_confirmed()),
        },
        State::Pending { .. }
        | State::Authorised { .. }
        | State::Paid { .. }
        | State::Processing { .. }
        | State::PartiallyShipped { .. }
        | State::Shipped { .. }
        | State::Delivered { .. }
        | State::Cancelled { .. }
        | State::Expired { .. } => released(table, stripe, order, &why).await?,
    };
    let (command, now) = (why.command(closed), clock::now());
    Ok(table.change_order(order.id, None, |order| order.decide(command.clone(), by, now)).await?)
}

fn being_confirmed() -> Problem {
    Problem::new(Kind::PaymentPending, "A payment of this order is being confirmed.")
}

/// Lets go of what the bank holds for an order that is cancelled; what of it is closed then.
async fn released(table: &Table, stripe: &Stripe, order: &Order, why: &Why) -> Result<Option<String>, Problem> {
    let (State::Authorised { authorisation }, Why::Cancelled { .. }) = (&order.state, why) else { return Ok(None) };
    match stripe.release(&authorisation.intent).await? {
        Some(Command::Release { .. }) => Ok(Some(authorisation.intent.clone())),
        // It was captured a moment before.
        Some(paid @ Command::Pay { .. }) => {
            take_note(table, order.id, paid).await?;
            Ok(None)
        }
        Some(_) | None => Err(being_confirmed()),
    }
}

/// Takes note of a payment that Stripe has and we have not heard of yet; whether the order has it now. It is asked for by its
/// own id: an order that has been given up does not know its page any more.
pub async fn catch_up(table: &Table, stripe: &Stripe, id: OrderId, intent: &str) -> Result<bool, Problem> {
    let Some(payment) = stripe.payment(intent).await? else { return Ok(false) };
    let now = clock::now();
    match table.change_order(id, None, |order| order.decide(payment.clone(), Actor::Stripe, now)).await {
        Ok(_) | Err(Unchanged::Refused(Refusal::Done)) => Ok(true),
        Err(Unchanged::Failed(error)) => Err(error.into()),
        Err(Unchanged::Refused(_) | Unchanged::UnknownOrder | Unchanged::EventSeen) => Ok(false),
    }
}

/// Stripe's event about the payment is still on its way. What becomes of the order, its state now decides.
async fn take_note(table: &Table, id: OrderId, payment: Command) -> Result<Order, Problem> {
    let (order, was_known) = decide(table, id, payment, Actor::Stripe).await?;
    if !was_known {
        tracing::info!(order.id = %id, "an order that was to be given up has been paid");
    }
    Ok(order)
}
