//! What an event does to its order.

use miniserde::Deserialize;
use payments::note::{Told, UnclearDispute};
use payments::objects::{CheckoutSession, PaymentIntent};
use payments::{hold, is_of_known_form, order_of as order_paid_by, paid_by, payment_on};
use waybill_domain::Timestamp;
use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::{Command, Refusal};
use waybill_storage::Table;
use waybill_storage::orders::{EventOutcome, StripeEvent, Unchanged};
use waybill_web::{Kind, Problem};

use crate::App;
use crate::event::{Event, Happened};

const APPLIED: &str = "applied";
const SEEN: &str = "seen before";
const IGNORED: &str = "ignored";
const PARKED: &str = "parked";

/// What an event asks for.
enum Asked {
    /// A command for the order that the event names; None if it names none that can be ours.
    Change(Option<OrderId>, Command),
    /// It tells of money, but not clearly enough.
    Unclear(&'static str),
    /// A bank holds a payment, or has let go of it.
    Hold(OrderId, String),
    /// What became of a payment after it was made.
    Note(Told),
}

/// Takes an event. Whatever it is, Stripe is told that it arrived: what cannot take effect is kept for a person.
pub async fn apply(app: &App, event: Event, payload: &str, now: Timestamp) -> Result<&'static str, Problem> {
    let App { table, stripe, .. } = app;
    let kind = event.kind.as_str();
    let record = StripeEvent { id: &event.id, kind, outcome: EventOutcome::Applied, received_at: now, parked: None };
    let Some(asked) = asked(&event.happened) else { return Ok(IGNORED) };
    if event.livemode != stripe.is_live() {
        let why =
            if event.livemode { "it is live, and this shop tests" } else { "it is a test, and this shop is live" };
        return park(table, record, payload, why).await;
    }
    if !event.api_version.as_deref().is_some_and(is_of_known_form) {
        return park(table, record, payload, "it is written in another version of Stripe's API").await;
    }
    let changed = match asked {
        Asked::Unclear(why) => return park(table, record, payload, why).await,
        Asked::Change(None, _) => return park(table, record, payload, "it names no order").await,
        Asked::Change(Some(order), command) => {
            table.change_order(order, Some(&record), |order| order.decide(command.clone(), Actor::Stripe, now)).await
        }
        Asked::Hold(order, intent) => match hold::note(table, stripe, order, &intent, &record, now).await? {
            Some(noted) => noted,
            None => return Ok(IGNORED),
        },
        Asked::Note(told) => match told.note(table, stripe, Some(&record), now).await? {
            Some((_, noted)) => noted,
            None => return Ok(IGNORED),
        },
    };
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
        #[serde(rename = "type")]
        kind: String,
    }
    let envelope: Envelope = miniserde::json::from_str(payload).map_err(|_| {
        let detail = "The body is signed, but it is not an event.";
        Problem::new(Kind::MalformedJson, detail)
    })?;
    let record = StripeEvent {
        id: &envelope.id,
        kind: &envelope.kind,
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

/// None where there is nothing to do.
fn asked(happened: &Happened) -> Option<Asked> {
    match happened {
        Happened::PageCompleted(session) => match (session.payment_status.as_str(), payment_on(session)) {
            ("paid", Some(command)) => Some(Asked::Change(order_of(session), command)),
            ("paid", None) => Some(Asked::Unclear("it does not say what was paid")),
            // A slow payment method: the money, or its failure, comes with a later event.
            _ => None,
        },
        Happened::PageClosed(session) => {
            Some(Asked::Change(order_of(session), Command::ExpirePayment { session_id: session.id.clone() }))
        }
        // As with the page's own event, of which one may be lost or late.
        Happened::Paid(intent) => paid_by(intent).map(|(order, command)| Asked::Change(Some(order), command)),
        Happened::Held(intent) | Happened::LetGo(intent) if is_held(intent) => {
            Some(Asked::Hold(order_paid_by(intent)?, intent.id.clone()))
        }
        Happened::Held(_) => None,
        Happened::LetGo(intent) => {
            let command = Command::ExpirePayment { session_id: intent.id.clone() };
            Some(Asked::Change(Some(order_paid_by(intent)?), command))
        }
        // Of no order: somebody else's payment on the same Stripe account.
        Happened::Declined(intent) => Some(Asked::Change(Some(order_paid_by(intent)?), Command::DeclinePayment)),
        Happened::Refund(refund) => Told::of_refund(refund).map(Asked::Note),
        Happened::Dispute(dispute) => match Told::of_dispute(dispute) {
            Ok(told) => told.map(Asked::Note),
            Err(UnclearDispute) => Some(Asked::Unclear(UnclearDispute::WHY)),
        },
        Happened::Other => None,
    }
}

fn order_of(session: &CheckoutSession) -> Option<OrderId> {
    session.client_reference_id.as_ref()?.parse().ok()
}

/// Whether a bank holds the payment until it is captured.
fn is_held(intent: &PaymentIntent) -> bool {
    intent.capture_method == "manual"
}
