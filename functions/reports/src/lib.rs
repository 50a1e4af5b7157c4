//! Reports: what the shop earns, by its days, and what it earns it with; and the orders themselves for spreadsheets.

mod books;
mod export;
mod low_stock;
mod range;
mod sales;
mod top;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::get;
use utoipa::OpenApi;
use waybill_domain::report::Interval;
use waybill_storage::Table;
use waybill_web::Guard;

pub use books::Books;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
    pub books: Books,
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(
    paths(sales::read_sales, top::read_top, low_stock::list_low_stock, export::export_orders),
    components(schemas(Interval, top::By, top::Sort, export::Of, export::Format))
)]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/admin/reports/sales", get(sales::read_sales))
        .route("/v1/admin/reports/top", get(top::read_top))
        .route("/v1/admin/reports/low-stock", get(low_stock::list_low_stock))
        .route("/v1/admin/orders/export", get(export::export_orders))
        .with_state(app)
}
