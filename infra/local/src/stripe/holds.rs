//! Payments that a bank holds, as Waybill captures them and lets go of them: `/v1/payment_intents/{id}/capture` and `/cancel`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;

use super::api::{Call, once};
use super::checkout::{Checkout, Hold, NotHeld, Status};
use super::events::Cause;
use super::form::Parameters;
use super::refusal::Refusal;
use super::{Desk, objects};

pub async fn capture(
    State(desk): State<Arc<Desk>>,
    Extension(call): Extension<Call>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    if desk.faults().refuse_captures {
        let message = "The issuer of the card refuses the capture.";
        let refusal = Refusal::request(StatusCode::PAYMENT_REQUIRED, message);
        return Err(Refusal { kind: "card_error", code: Some("card_declined"), ..refusal });
    }
    end(&desk, &call, &id, &body, ("capture", "captured"), Checkout::capture)
}

pub async fn cancel(
    State(desk): State<Arc<Desk>>,
    Extension(call): Extension<Call>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    end(&desk, &call, &id, &body, ("cancel", "canceled"), |checkout, cause, now| {
        // Those of pages are cancelled with their page.
        if checkout.order.has_no_page && checkout.expire(cause, now).is_ok() {
            return Ok(());
        }
        checkout.release(cause, now)
    })
}

/// All of it: amounts are not known here.
fn end(
    desk: &Desk,
    call: &Call,
    id: &str,
    body: &Bytes,
    (verb, participle): (&str, &str),
    act: fn(&mut Checkout, &Cause, Timestamp) -> Result<(), NotHeld>,
) -> Result<Response, Refusal> {
    once(desk, call, &format!("POST /v1/payment_intents/{id}/{verb}"), body, |ledger, now| {
        Parameters::read(body)?.finish()?;
        let mut checkout =
            ledger.checkout_of_intent(id, now).ok_or_else(|| Refusal::no_such("payment_intent", id, "intent"))?;
        let cause = Cause { request_id: Some(call.id.clone()), idempotency_key: call.key.clone() };
        act(&mut checkout, &cause, now).map_err(|NotHeld| not_held(&checkout, participle))?;
        let answer = objects::payment_intent(&checkout);
        Ok((checkout, answer))
    })
}

fn not_held(checkout: &Checkout, participle: &str) -> Refusal {
    let status = match checkout.hold() {
        Some(Hold::Released) => "canceled",
        None if checkout.status == Status::Expired => "canceled",
        Some(Hold::Held | Hold::Captured) => "succeeded",
        None if checkout.is_paid() => "succeeded",
        None if checkout.is_under_way() => "processing",
        None => "requires_payment_method",
    };
    let message = format!("This PaymentIntent could not be {participle} because it has a status of {status}.");
    Refusal { code: Some("payment_intent_unexpected_state"), ..Refusal::request(StatusCode::BAD_REQUEST, message) }
}
