//! Stripe's events. Whoever has the signing secret may call; an event takes effect once, however often and in whatever
//! order it arrives.

mod apply;
mod event;
mod signature;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRef, State};
use axum::routing::post;
use axum::{Json, http::HeaderMap};
use payments::Stripe;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use waybill_lambda::clock;
use waybill_storage::Table;
use waybill_web::{Kind, Problem};

use event::Event;
pub use signature::is_signed;

/// Bytes of an event. Stripe's largest are some tens of KB; each may come to be kept for a person, in one item of at most 400 KB.
const MAX_EVENT: usize = 300 * 1024;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub stripe: Stripe,
    /// Stripe's signing secret, `whsec_…`.
    pub secret: String,
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(paths(receive_event))]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/stripe/events", post(receive_event).layer(DefaultBodyLimit::max(MAX_EVENT)))
        .with_state(app)
}

/// What became of an event; for those who read Stripe's log of deliveries.
#[derive(Serialize, ToSchema)]
pub struct Received {
    outcome: &'static str,
}

/// Receive an event of Stripe's
///
/// For Stripe only. An event takes effect once, however often and in whatever order it arrives.
#[utoipa::path(
    post,
    path = "/v1/stripe/events",
    params(("Stripe-Signature" = String, Header, description = "Of the body, with the endpoint's signing secret.")),
    request_body(content = Object, description = "An event, as Stripe sends it; at most 300 KiB.", content_type = "application/json"),
    responses((status = 200, description = "Taken note of, now or before.", body = Received), (status = 400, description = "bad-request, malformed-json, bad-signature"), (status = 413, description = "too-large")),
)]
async fn receive_event(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Received>, Problem> {
    let body = body.map_err(|rejection| waybill_web::body::refused(rejection, MAX_EVENT))?;
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    // The signature is of the bytes as they came; what is not UTF-8 was not signed by Stripe.
    let payload = std::str::from_utf8(&body).map_err(|_| not_stripe())?;
    let now = clock::now();
    if !is_signed(payload, signature, &app.secret, now.as_second()) {
        return Err(not_stripe());
    }
    let outcome = match Event::read(payload) {
        Some(event) => apply::apply(&app, event, payload, now).await?,
        None => apply::park_unread(&app.table, payload, now).await?,
    };
    Ok(Json(Received { outcome }))
}

fn not_stripe() -> Problem {
    let detail = "The header Stripe-Signature does not fit the body, or is more than five minutes old.";
    Problem::new(Kind::BadSignature, detail)
}
