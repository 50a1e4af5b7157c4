//! Payments: a page at Stripe on which the buyer pays exactly what the order says, or a payment intent over it; what closes
//! them, what captures, and what pays back.

mod cancel;
mod capture;
mod customers;
pub mod give_up;
pub mod hold;
mod intent;
mod line;
pub mod note;
pub mod objects;
mod once;
mod refunds;
mod start;
mod stripe_api;
pub mod work;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::post;
use utoipa::OpenApi;
use waybill_storage::Table;
use waybill_web::Guard;

pub use line::{Counter, StripeError};
use stripe_api::{dispute_of, money, outcome, refund_of};

pub use stripe_api::{Capture, Stripe, is_of_known_form, order_of, paid_by, payment_on, standing_of, told};

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
    pub stripe: Stripe,
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(paths(
    start::start_payment,
    intent::start_payment_intent,
    capture::capture_payment,
    cancel::cancel_own_order,
    cancel::cancel_order,
    refunds::refund_order
))]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/orders/{id}/payment-sessions", post(start::start_payment))
        .route("/v1/orders/{id}/payment-intents", post(intent::start_payment_intent))
        .route("/v1/admin/orders/{id}/capture", post(capture::capture_payment))
        .route("/v1/orders/{id}/cancel", post(cancel::cancel_own_order))
        .route("/v1/admin/orders/{id}/cancel", post(cancel::cancel_order))
        .route("/v1/admin/orders/{id}/refunds", post(refunds::refund_order))
        .with_state(app)
}
