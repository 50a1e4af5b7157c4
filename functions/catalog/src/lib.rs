//! Categories, products and what they cost. Anyone may read; staff write. Also the API's own document, and answers for
//! addresses that no function serves.

pub mod about;
mod edit;
mod read;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{any, get, patch, post};
use utoipa::OpenApi;
use waybill_domain::money::Currency;
use waybill_storage::Table;
use waybill_web::Guard;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
    /// What the shop sells in.
    pub currency: Currency,
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(paths(
    read::list_categories,
    read::list_products,
    read::read_product,
    edit::create_category,
    edit::create_product,
    edit::change_sku
))]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/openapi.json", get(about::read_document))
        .route("/docs", get(about::read_page))
        .route("/v1/categories", get(read::list_categories))
        .route("/v1/products", get(read::list_products))
        .route("/v1/products/{id}", get(read::read_product))
        .route("/v1/admin/categories", post(edit::create_category))
        .route("/v1/admin/products", post(edit::create_product))
        .route("/v1/admin/skus/{sku}", patch(edit::change_sku))
        .route("/", any(about::unknown))
        .route("/{*elsewhere}", any(about::unknown))
        .with_state(app)
}
