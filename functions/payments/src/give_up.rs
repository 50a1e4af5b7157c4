//! Giving up an order that nobody has paid. Its page at Stripe is closed first, so that nobody pays for what others can order
//! a moment later.

use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::{Attempt, Command, Order, State};
use waybill_lambda::clock;
use waybill_storage::Table;
use waybill_web::{Kind, Problem};

use crate::Stripe;
use crate::stripe_api::Page;

/// Why an order is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Cancelled,
    /// Its time to be paid is over.
    Expired,
}

impl Why {
    fn command(self, closed_page: Option<String>) -> Command {
        match self {
            Why::Cancelled => Command::Cancel { closed_page },
            Why::Expired => Command::Expire { closed_page },
        }
    }
}

/// Gives an order up, or says why it cannot be: it has been paid, or is just being paid. A payment that Stripe has and we have
/// not heard of yet is taken note of. Doing it again after it was interrupted anywhere comes to the same.
pub async fn give_up(table: &Table, stripe: &Stripe, order: &Order, why: Why, by: Actor) -> Result<Order, Problem> {
    let closed_page = match &order.state {
        State::Pending { attempt: Attempt { session: Some(session), .. } } => {
            match stripe.close_page(&session.id).await? {
                Page::Closed => Some(session.id.clone()),
                Page::Completed { payment: Some(payment) } => return paid(table, order.id, payment).await,
                Page::Completed { payment: None } | Page::Open => {
                    return Err(Problem::new(Kind::PaymentPending, "A payment of this order is being confirmed."));
                }
            }
        }
        State::Pending { .. }
        | State::Paid { .. }
        | State::Processing { .. }
        | State::Shipped { .. }
        | State::Delivered { .. }
        | State::Cancelled { .. }
        | State::Expired { .. } => None,
    };
    let (command, now) = (why.command(closed_page), clock::now());
    Ok(table.change_order(order.id, None, |order| order.decide(command.clone(), by, now)).await?)
}

/// Stripe's event about the payment is still on its way.
async fn paid(table: &Table, id: OrderId, payment: Command) -> Result<Order, Problem> {
    let now = clock::now();
    table.change_order(id, None, |order| order.decide(payment.clone(), Actor::Stripe, now)).await?;
    tracing::info!(order.id = %id, "an order that was to be given up has been paid");
    Err(Problem::new(Kind::OrderState, "The order has just been paid."))
}
