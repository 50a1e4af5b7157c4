//! Payment sessions: a page at Stripe on which the buyer pays exactly what the order says.

mod start;
mod stripe_api;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::post;
use utoipa::OpenApi;
use waybill_storage::Table;
use waybill_web::Guard;

pub use stripe_api::Stripe;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
    pub stripe: Stripe,
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(paths(start::start_payment))]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new().route("/v1/orders/{id}/payment-sessions", post(start::start_payment)).with_state(app)
}
