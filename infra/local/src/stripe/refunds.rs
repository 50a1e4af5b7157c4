//! Stripe's refunds, as Waybill calls them: `/v1/refunds`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::api::{Call, once};
use super::checkout::{NewRefund, NotRefunded};
use super::events::Cause;
use super::form::Parameters;
use super::refusal::Refusal;
use super::{Desk, objects};

pub async fn create_refund(
    State(desk): State<Arc<Desk>>,
    Extension(call): Extension<Call>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let slowly = desk.faults().slow_refunds;
    once(&desk, &call, "POST /v1/refunds", &body, |ledger, now| {
        let mut given = Parameters::read(&body)?;
        let intent = given.required_text("payment_intent", 255)?;
        let amount = given.integer("amount")?;
        if amount.is_some_and(|amount| amount < 1) {
            return Err(Refusal::coded(
                "parameter_invalid_integer",
                "This value must be greater than or equal to 1.",
                "amount",
            ));
        }
        let wanted = NewRefund { amount, reason: given.text("reason", 100)?, metadata: given.metadata()? };
        given.finish()?;
        let checkout = ledger.checkout_of_intent(&intent, now);
        let mut checkout = checkout.ok_or_else(|| Refusal::no_such("payment_intent", &intent, "payment_intent"))?;
        let cause = Cause { request_id: Some(call.id.clone()), idempotency_key: call.key.clone() };
        let refund =
            checkout.refund(wanted, slowly, &cause, now).map_err(|refused| not_refunded(refused, &intent))?.clone();
        let answer = objects::refund(&checkout, &refund);
        Ok((checkout, answer))
    })
}

fn not_refunded(refused: NotRefunded, intent: &str) -> Refusal {
    match refused {
        NotRefunded::Unpaid => {
            let message = format!("This PaymentIntent ({intent}) does not have a successful charge to refund.");
            Refusal::request(StatusCode::BAD_REQUEST, message)
        }
        NotRefunded::AllRefunded => {
            let message = "The charge has already been refunded.";
            Refusal { code: Some("charge_already_refunded"), ..Refusal::request(StatusCode::BAD_REQUEST, message) }
        }
        NotRefunded::Disputed => {
            let message = "The charge is disputed and cannot be refunded.";
            Refusal { code: Some("charge_disputed"), ..Refusal::request(StatusCode::BAD_REQUEST, message) }
        }
        NotRefunded::TooMuch { left } => {
            Refusal::invalid(format!("Refund amount is greater than unrefunded amount on charge ({left})"), "amount")
        }
    }
}
