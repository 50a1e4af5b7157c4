//! Stock: what is on hand and where, the ledger that explains it, and who waits for what is sold out. Staff ask over HTTP;
//! orders and whatever else changes what can be ordered come from a queue.

pub mod audit;
mod locations;
mod movements;
mod skus;
mod subscriptions;
pub mod work;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{get, patch, put};
use utoipa::OpenApi;
use waybill_storage::Table;
use waybill_web::Guard;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(paths(
    skus::read_stock,
    skus::change_stock,
    movements::list_movements,
    movements::move_stock,
    locations::list_locations,
    locations::create_location,
    locations::rename_location,
    subscriptions::list_subscriptions,
    subscriptions::subscribe,
    subscriptions::unsubscribe
))]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/admin/skus/{sku}/stock", get(skus::read_stock).patch(skus::change_stock))
        .route("/v1/admin/skus/{sku}/stock-movements", get(movements::list_movements).post(movements::move_stock))
        .route("/v1/admin/locations", get(locations::list_locations).post(locations::create_location))
        .route("/v1/admin/locations/{id}", patch(locations::rename_location))
        .route("/v1/stock-subscriptions", get(subscriptions::list_subscriptions))
        .route("/v1/stock-subscriptions/{sku}", put(subscriptions::subscribe).delete(subscriptions::unsubscribe))
        .with_state(app)
}
