//! Categories, products and what they cost. Anyone may read; staff write.

mod edit;
mod read;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{get, patch, post};
use waybill_domain::money::Currency;
use waybill_storage::Table;
use waybill_web::tokens::Verifier;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub verifier: Verifier,
    /// What the shop sells in.
    pub currency: Currency,
}

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/categories", get(read::list_categories))
        .route("/v1/products", get(read::list_products))
        .route("/v1/products/{id}", get(read::read_product))
        .route("/v1/admin/categories", post(edit::create_category))
        .route("/v1/admin/products", post(edit::create_product))
        .route("/v1/admin/skus/{sku}", patch(edit::change_sku))
        .with_state(app)
}
