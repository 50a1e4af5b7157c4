//! Categories, products and what they cost. Anyone may read; staff write. Also the API's own document, and answers for
//! addresses that no function serves.

pub mod about;
pub mod bulk;
mod categories;
mod export;
mod fields;
mod imports;
mod list;
mod products;
mod read;
mod skus;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::routing::{any, delete, get, patch, post};
use utoipa::OpenApi;
use waybill_domain::language::Language;
use waybill_domain::money::Currency;
use waybill_storage::Table;
use waybill_storage::search::Search;
use waybill_web::Guard;

pub use read::Slugs;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
    /// What the shop sells in, unless somebody asks for another.
    pub currency: Currency,
    pub slugs: Slugs,
    pub search: Search,
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(
    paths(
        categories::list_categories,
        categories::read_category,
        list::list_products,
        read::read_product,
        categories::read_category_to_edit,
        categories::create_category,
        categories::change_category,
        categories::delete_category,
        products::list_products_by_state,
        products::read_product_to_edit,
        products::create_product,
        products::change_product,
        products::delete_product,
        skus::add_sku,
        skus::change_sku,
        export::export_products,
        imports::start_import,
        imports::list_imports,
        imports::read_import,
        imports::list_import_failures
    ),
    components(schemas(Language))
)]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/openapi.json", get(about::read_document))
        .route("/docs", get(about::read_page))
        .route("/v1/categories", get(categories::list_categories))
        .route("/v1/categories/{id}", get(categories::read_category))
        .route("/v1/products", get(list::list_products))
        .route("/v1/products/{id}", get(read::read_product))
        .route("/v1/admin/categories", post(categories::create_category))
        .route("/v1/admin/categories/{id}", get(categories::read_category_to_edit).patch(categories::change_category))
        .route("/v1/admin/categories/{id}", delete(categories::delete_category))
        .route("/v1/admin/products", get(products::list_products_by_state).post(products::create_product))
        .route("/v1/admin/products/export", get(export::export_products))
        .route("/v1/admin/imports", get(imports::list_imports))
        .route("/v1/admin/imports", post(imports::start_import).layer(DefaultBodyLimit::max(imports::MAX_UPLOAD)))
        .route("/v1/admin/imports/{id}", get(imports::read_import))
        .route("/v1/admin/imports/{id}/failures", get(imports::list_import_failures))
        .route("/v1/admin/products/{id}", get(products::read_product_to_edit).patch(products::change_product))
        .route("/v1/admin/products/{id}", delete(products::delete_product))
        .route("/v1/admin/products/{id}/skus", post(skus::add_sku))
        .route("/v1/admin/skus/{sku}", patch(skus::change_sku))
        .route("/", any(about::unknown))
        .route("/{*elsewhere}", any(about::unknown))
        .with_state(app)
}
