//! What staff sets up for carts to be reckoned by: promotions, shipping methods and taxes.

mod fields;
mod promotions;
mod shipping;
mod taxes;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{delete, get, put};
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
    promotions::list_promotions,
    promotions::create_promotion,
    promotions::read_promotion,
    promotions::replace_promotion,
    promotions::delete_promotion,
    shipping::list_methods,
    shipping::create_method,
    shipping::read_method,
    shipping::replace_method,
    shipping::delete_method,
    taxes::read_taxes,
    taxes::replace_taxes
))]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/admin/promotions", get(promotions::list_promotions).post(promotions::create_promotion))
        .route("/v1/admin/promotions/{id}", get(promotions::read_promotion).put(promotions::replace_promotion))
        .route("/v1/admin/promotions/{id}", delete(promotions::delete_promotion))
        .route("/v1/admin/shipping-methods", get(shipping::list_methods).post(shipping::create_method))
        .route("/v1/admin/shipping-methods/{id}", get(shipping::read_method))
        .route("/v1/admin/shipping-methods/{id}", put(shipping::replace_method))
        .route("/v1/admin/shipping-methods/{id}", delete(shipping::delete_method))
        .route("/v1/admin/taxes", get(taxes::read_taxes).put(taxes::replace_taxes))
        .with_state(app)
}
