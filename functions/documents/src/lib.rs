//! Invoices, credit notes and reversals: issued as the queue brings orders that are due some, and read as PDF.

pub mod letterhead;
mod letters;
pub mod pdf;
mod read;
#[cfg(test)]
mod samples;
mod sheet;
pub mod work;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::get;
use utoipa::OpenApi;
use waybill_storage::Table;
use waybill_web::Guard;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
}

/// What the document of the API tells of these routes.
#[derive(OpenApi)]
#[openapi(paths(
    read::list_own_documents,
    read::read_own_document,
    read::list_order_documents,
    read::read_order_document,
    read::list_documents
))]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/orders/{id}/documents", get(read::list_own_documents))
        .route("/v1/orders/{id}/documents/{number}", get(read::read_own_document))
        .route("/v1/admin/orders/{id}/documents", get(read::list_order_documents))
        .route("/v1/admin/orders/{id}/documents/{number}", get(read::read_order_document))
        .route("/v1/admin/documents", get(read::list_documents))
        .with_state(app)
}
