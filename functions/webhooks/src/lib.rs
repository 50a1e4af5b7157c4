//! Where the merchant's own systems are told of what happens to orders, as administrators set it up, and the log of what they
//! were told. Who sends it is `deliver`.

mod deliveries;
mod endpoints;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{delete, get, patch, post};
use utoipa::OpenApi;
use waybill_domain::webhook::TestHosts;
use waybill_storage::Table;
use waybill_web::Guard;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
    /// Where webhooks may go that are not on the public internet.
    pub tests: TestHosts,
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(paths(
    endpoints::list_endpoints,
    endpoints::create_endpoint,
    endpoints::read_endpoint,
    endpoints::change_endpoint,
    endpoints::delete_endpoint,
    endpoints::rotate_secret,
    deliveries::test_endpoint,
    deliveries::list_deliveries,
    deliveries::read_delivery,
    deliveries::redeliver
))]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/admin/webhook-endpoints", get(endpoints::list_endpoints).post(endpoints::create_endpoint))
        .route("/v1/admin/webhook-endpoints/{id}", get(endpoints::read_endpoint))
        .route("/v1/admin/webhook-endpoints/{id}", patch(endpoints::change_endpoint))
        .route("/v1/admin/webhook-endpoints/{id}", delete(endpoints::delete_endpoint))
        .route("/v1/admin/webhook-endpoints/{id}/rotate-secret", post(endpoints::rotate_secret))
        .route("/v1/admin/webhook-endpoints/{id}/test", post(deliveries::test_endpoint))
        .route("/v1/admin/webhook-endpoints/{id}/deliveries", get(deliveries::list_deliveries))
        .route("/v1/admin/webhook-endpoints/{id}/deliveries/{delivery}", get(deliveries::read_delivery))
        .route("/v1/admin/webhook-endpoints/{id}/deliveries/{delivery}/redeliver", post(deliveries::redeliver))
        .with_state(app)
}
