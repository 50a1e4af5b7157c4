//! Placing orders, reading them, and moving them on.

mod fulfil;
mod place;
mod read;
mod view;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{get, post};
use utoipa::OpenApi;
use waybill_domain::order::Status;
use waybill_storage::Table;
use waybill_web::Guard;
use waybill_web::quote::Seal;

pub use place::created;
pub use view::OrderView;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
    pub seal: Seal,
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(
    paths(
        place::place_order,
        read::list_own_orders,
        read::read_order,
        read::list_orders,
        fulfil::process_order,
        fulfil::ship_order,
        fulfil::deliver_order
    ),
    components(schemas(Status))
)]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/orders", post(place::place_order).get(read::list_own_orders))
        .route("/v1/orders/{id}", get(read::read_order))
        .route("/v1/admin/orders", get(read::list_orders))
        .route("/v1/admin/orders/{id}/process", post(fulfil::process_order))
        .route("/v1/admin/orders/{id}/ship", post(fulfil::ship_order))
        .route("/v1/admin/orders/{id}/deliver", post(fulfil::deliver_order))
        .with_state(app)
}
