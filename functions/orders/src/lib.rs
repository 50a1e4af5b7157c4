//! Placing orders, reading them, moving them on, and what comes back of them.

mod address;
mod change;
mod drafts;
mod fulfil;
mod notes;
mod place;
mod read;
mod returns;
mod units;
mod view;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{delete, get, post, put};
use utoipa::OpenApi;
use waybill_domain::order::Status;
use waybill_storage::Table;
use waybill_web::Guard;
use waybill_web::quote::Seal;

pub use change::{decide, own_order, request};
pub use place::created;
pub use units::NewUnits;
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
        drafts::place_draft,
        read::list_own_orders,
        read::read_order,
        read::list_orders,
        read::count_orders,
        fulfil::process_order,
        fulfil::ship_order,
        fulfil::cancel_rest,
        fulfil::deliver_order,
        fulfil::deliver_shipment,
        address::change_own_address,
        address::change_address,
        notes::write_note,
        notes::list_notes,
        notes::delete_note,
        returns::request_return,
        returns::approve_return,
        returns::refuse_return,
        returns::receive_return
    ),
    components(schemas(Status))
)]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/orders", post(place::place_order).get(read::list_own_orders))
        .route("/v1/admin/drafts/{id}/orders", post(drafts::place_draft))
        .route("/v1/orders/{id}", get(read::read_order))
        .route("/v1/admin/orders", get(read::list_orders))
        .route("/v1/admin/orders/counts", get(read::count_orders))
        .route("/v1/admin/orders/{id}/process", post(fulfil::process_order))
        .route("/v1/admin/orders/{id}/ship", post(fulfil::ship_order))
        .route("/v1/admin/orders/{id}/cancel-rest", post(fulfil::cancel_rest))
        .route("/v1/admin/orders/{id}/deliver", post(fulfil::deliver_order))
        .route("/v1/admin/orders/{id}/shipments/{number}/deliver", post(fulfil::deliver_shipment))
        .route("/v1/orders/{id}/shipping-address", put(address::change_own_address))
        .route("/v1/admin/orders/{id}/shipping-address", put(address::change_address))
        .route("/v1/admin/orders/{id}/notes", post(notes::write_note).get(notes::list_notes))
        .route("/v1/admin/orders/{id}/notes/{note}", delete(notes::delete_note))
        .route("/v1/orders/{id}/returns", post(returns::request_return))
        .route("/v1/admin/orders/{id}/returns/{number}/approve", post(returns::approve_return))
        .route("/v1/admin/orders/{id}/returns/{number}/refuse", post(returns::refuse_return))
        .route("/v1/admin/orders/{id}/returns/{number}/receive", post(returns::receive_return))
        .with_state(app)
}
