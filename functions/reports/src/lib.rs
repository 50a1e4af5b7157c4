//! Reports: what the shop earns, by its days, and what it earns it with; and all of it for spreadsheets.

mod books;
pub mod export;
mod jobs;
mod low_stock;
mod range;
mod sales;
mod top;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{get, post};
use utoipa::OpenApi;
use waybill_domain::report::Interval;
use waybill_lambda::bucket::Bucket;
use waybill_storage::Table;
use waybill_web::Guard;

pub use books::Books;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
    pub books: Books,
    /// Where the files of exports are.
    pub files: Bucket,
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(
    paths(
        sales::read_sales,
        top::read_top,
        low_stock::list_low_stock,
        export::export_orders,
        export::export_customers,
        export::export_movements,
        jobs::start_export,
        jobs::list_exports,
        jobs::read_export
    ),
    components(schemas(Interval, top::By, top::Sort, export::Of))
)]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/admin/reports/sales", get(sales::read_sales))
        .route("/v1/admin/reports/top", get(top::read_top))
        .route("/v1/admin/reports/low-stock", get(low_stock::list_low_stock))
        .route("/v1/admin/orders/export", get(export::export_orders))
        .route("/v1/admin/accounts/export", get(export::export_customers))
        .route("/v1/admin/stock-movements/export", get(export::export_movements))
        .route("/v1/admin/exports", post(jobs::start_export).get(jobs::list_exports))
        .route("/v1/admin/exports/{id}", get(jobs::read_export))
        .with_state(app)
}
