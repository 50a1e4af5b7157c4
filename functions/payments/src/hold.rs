//! Payments that the buyer's bank holds until they are captured: how one stands, taking it, and letting go of it.
//!
//! Stripe's events about one come in any order, and say how it stood then. So each only says that something has happened, and
//! how it stands now is asked for.

use stripe_client_core::StripeRequest;
use stripe_core::payment_intent::{CancelPaymentIntent, CapturePaymentIntent};
use waybill_domain::Timestamp;
use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::{Attempt, Command, Order, Refusal, State};
use waybill_storage::Table;
use waybill_storage::orders::{StripeEvent, Unchanged};
use waybill_web::Problem;

use crate::line::StripeError;
use crate::note::Noted;
use crate::objects::PaymentIntent;
use crate::stripe_api::{Page, Stripe, failed, is_missing, standing};

impl Stripe {
    /// Takes what the bank holds, once however often this is asked; says how the payment stands then.
    ///
    /// Without an idempotency key: a payment is captured once anyhow, and with a key Stripe would give the answer of a bank
    /// that has refused for a day. https://docs.stripe.com/api/idempotent_requests
    pub(crate) async fn capture(&self, intent: &str) -> Result<Option<Command>, Problem> {
        self.ended(intent, CapturePaymentIntent::new(intent).build().customize().send(&self.client).await).await
    }

    /// Lets go of what the bank holds, unless it has been captured; says how the payment stands then. Nothing is held by one that
    /// Stripe does not know.
    pub(crate) async fn release(&self, intent: &str) -> Result<Option<Command>, Problem> {
        match CancelPaymentIntent::new(intent).build().customize().send(&self.client).await {
            Err(StripeError::Refused(why, _)) if is_missing(&why) => {
                Ok(Some(Command::Release { intent: intent.to_owned() }))
            }
            answer => self.ended(intent, answer).await,
        }
    }

    async fn ended(
        &self,
        intent: &str,
        answer: Result<PaymentIntent, StripeError>,
    ) -> Result<Option<Command>, Problem> {
        match answer {
            Ok(intent) => Ok(standing(&intent)),
            // Stripe refuses what was captured or let go of before; which it was is to be asked.
            Err(StripeError::Refused(_, 400 | 402)) => self.standing(intent).await,
            // As a payment of another account of Stripe's, once the shop's key is that of this one.
            Err(StripeError::Refused(why, _)) if is_missing(&why) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Takes note of how a payment stands by now, with the event that told of it; None before it is authorised or paid.
pub async fn note(
    table: &Table,
    stripe: &Stripe,
    id: OrderId,
    intent: &str,
    event: &StripeEvent<'_>,
    now: Timestamp,
) -> Result<Option<Noted>, Problem> {
    match stripe.standing(intent).await? {
        Some(told) => settle(table, stripe, id, told, Some(event), now).await.map(Some),
        None => Ok(None),
    }
}

/// Takes note of how a payment stands. What nobody waits for any more the bank is to let go of.
pub async fn settle(
    table: &Table,
    stripe: &Stripe,
    id: OrderId,
    told: Command,
    event: Option<&StripeEvent<'_>>,
    now: Timestamp,
) -> Result<Noted, Problem> {
    let change = async |command: Command| {
        table.change_order(id, event, |order: &Order| order.decide(command.clone(), Actor::Stripe, now)).await
    };
    let is_released = matches!(told, Command::Release { .. });
    Ok(match change(told).await {
        Err(Unchanged::Refused(Refusal::ReleaseDue { intent })) => match stripe.release(&intent).await? {
            // It was captured a moment before, and goes back.
            Some(paid @ Command::Pay { .. }) => change(paid).await,
            Some(_) | None => Err(Unchanged::Refused(Refusal::Done)),
        },
        // It was cancelled, or let go of before the shop heard that it was authorised: nobody can pay by it any more.
        Err(Unchanged::Refused(Refusal::Done)) if is_released => match closed_page(table, stripe, id).await? {
            Some(session_id) => change(Command::ExpirePayment { session_id }).await,
            None => Err(Unchanged::Refused(Refusal::Done)),
        },
        noted => noted,
    })
}

/// What an order that waits for its payment was to be paid by, where nobody can any more.
async fn closed_page(table: &Table, stripe: &Stripe, id: OrderId) -> Result<Option<String>, Problem> {
    let Some(order) = table.order(id).await? else { return Ok(None) };
    let State::Pending { attempt: Attempt { session: Some(session), .. } } = &order.state else { return Ok(None) };
    Ok(match stripe.look(session).await? {
        Page::Closed => Some(session.id().to_owned()),
        Page::Open | Page::Completed { .. } => None,
    })
}
