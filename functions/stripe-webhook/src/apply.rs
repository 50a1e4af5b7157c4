//! What an event does to its order.

use payments::give_up::catch_up;
use payments::work::warn_of_failure;
use payments::{outcome, payment_on, refund_of};
use serde::Deserialize;
use stripe_shared::{CheckoutSession, CheckoutSessionPaymentStatus, Refund};
use stripe_webhook::{Event, EventObject};
use waybill_domain::Timestamp;
use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::money::Money;
use waybill_domain::order::{Command, Refusal, refund};
use waybill_storage::Table;
use waybill_storage::orders::{EventOutcome, StripeEvent, Unchanged};
use waybill_web::{Kind, Problem};

use crate::App;

const APPLIED: &str = "applied";
const SEEN: &str = "seen before";
const IGNORED: &str = "ignored";
const PARKED: &str = "parked";

/// What an event asks for.
enum Asked {
    /// A command for the order that the event names; None if it names none that can be ours.
    Change(Option<OrderId>, Command),
    Nothing,
    /// It tells of money, but not how much or by which payment.
    Unclear,
    /// What became of a refund of the payment with this id. One that was made at Stripe names no order: the payment does, if
    /// it is one of ours.
    RefundOf {
        intent: String,
        order: Option<OrderId>,
        command: refund::Command,
    },
}

/// Takes an event. Whatever it is, Stripe is told that it arrived: what cannot take effect is kept for a person.
pub async fn apply(app: &App, event: Event, payload: &str, now: Timestamp) -> Result<&'static str, Problem> {
    let App { table, stripe, .. } = app;
    let kind = event.type_.as_str().to_owned();
    let record = StripeEvent {
        id: event.id.as_str(),
        kind: &kind,
        outcome: EventOutcome::Applied,
        received_at: now,
        parked: None,
    };
    let (order, command, refunded) = match asked(&event.data.object) {
        Asked::Nothing => return Ok(IGNORED),
        Asked::Unclear => return park(table, record, payload, "it does not say what was paid").await,
        Asked::Change(None, _) => return park(table, record, payload, "it names no order").await,
        Asked::Change(Some(order), command) => (order, command, None),
        Asked::RefundOf { intent, order, command } => {
            let order = match order {
                Some(order) => Some(order),
                None => stripe.order_of(&intent).await?,
            };
            let Some(order) = order else { return Ok(IGNORED) };
            warn_of_failure(order, &command);
            (order, Command::Refund(command), Some(intent))
        }
    };
    let decide = |order: &waybill_domain::order::Order| order.decide(command.clone(), Actor::Stripe, now);
    let mut changed = table.change_order(order, Some(&record), decide).await;
    // Events come in any order: a refund may be told of before the payment that it is of.
    let is_early = matches!(changed, Err(Unchanged::Refused(Refusal::Forbidden { command: Command::Refund(_), .. })));
    if is_early
        && let Some(intent) = refunded
        && catch_up(table, stripe, order, &intent).await?
    {
        changed = table.change_order(order, Some(&record), decide).await;
    }
    match changed {
        Ok(order) => {
            tracing::info!(order.id = %order.id, stripe.event = record.id, kind, "an event took effect");
            Ok(APPLIED)
        }
        Err(Unchanged::EventSeen | Unchanged::Refused(Refusal::Done)) => Ok(SEEN),
        Err(Unchanged::UnknownOrder) => park(table, record, payload, "it names an order that is not here").await,
        Err(Unchanged::Refused(refusal)) => park(table, record, payload, &refusal.to_string()).await,
        Err(Unchanged::Failed(error)) => Err(error.into()),
    }
}

/// Keeps an event that is signed by Stripe but cannot be read as one.
pub async fn park_unread(table: &Table, payload: &str, now: Timestamp) -> Result<&'static str, Problem> {
    #[derive(Deserialize)]
    struct Envelope {
        id: String,
        r#type: String,
    }
    let envelope: Envelope = serde_json::from_str(payload).map_err(|_| {
        let detail = "The body is signed, but it is not an event.";
        Problem::new(Kind::MalformedJson, detail)
    })?;
    let record = StripeEvent {
        id: &envelope.id,
        kind: &envelope.r#type,
        outcome: EventOutcome::Parked,
        received_at: now,
        parked: None,
    };
    park(table, record, payload, "its form is not known").await
}

async fn park(table: &Table, event: StripeEvent<'_>, payload: &str, why: &str) -> Result<&'static str, Problem> {
    tracing::error!(stripe.event = event.id, kind = event.kind, why, "a Stripe event waits for a person");
    let parked = StripeEvent { outcome: EventOutcome::Parked, parked: Some(payload), ..event };
    table.park_stripe_event(&parked).await?;
    Ok(PARKED)
}

fn asked(object: &EventObject) -> Asked {
    match object {
        EventObject::CheckoutSessionCompleted(session) | EventObject::CheckoutSessionAsyncPaymentSucceeded(session) => {
            match session.payment_status {
                CheckoutSessionPaymentStatus::Paid => match payment_on(session) {
                    Some(command) => Asked::Change(order_of(session), command),
                    None => Asked::Unclear,
                },
                // A slow payment method: the money, or its failure, comes with a later event.
                _ => Asked::Nothing,
            }
        }
        EventObject::CheckoutSessionExpired(session) | EventObject::CheckoutSessionAsyncPaymentFailed(session) => {
            Asked::Change(order_of(session), Command::ExpirePayment { session_id: session.id.to_string() })
        }
        EventObject::PaymentIntentPaymentFailed(intent) => {
            match intent.metadata.get("order_id").and_then(|id| id.parse().ok()) {
                Some(order) => Asked::Change(Some(order), Command::DeclinePayment),
                // Somebody else's payment on the same Stripe account.
                None => Asked::Nothing,
            }
        }
        EventObject::RefundCreated(refund) | EventObject::RefundUpdated(refund) | EventObject::RefundFailed(refund) => {
            asked_of(refund)
        }
        _ => Asked::Nothing,
    }
}

fn asked_of(refund: &Refund) -> Asked {
    // A refund without one is of no payment that an order can have.
    let (Some(outcome), Some(intent)) = (outcome(refund), &refund.payment_intent) else { return Asked::Nothing };
    let intent = intent.id().to_string();
    if let Some((order, number)) = refund_of(refund) {
        return Asked::RefundOf { intent, order: Some(order), command: refund::Command::Settle { number, outcome } };
    }
    let Ok(currency) = refund.currency.to_string().to_uppercase().parse() else { return Asked::Nothing };
    let amount = Money::new(refund.amount, currency);
    Asked::RefundOf { intent: intent.clone(), order: None, command: refund::Command::Note { intent, amount, outcome } }
}

fn order_of(session: &CheckoutSession) -> Option<OrderId> {
    session.client_reference_id.as_ref()?.parse().ok()
}
