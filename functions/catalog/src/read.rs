//! Reading the catalogue, for anyone.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::product::{Category, Offer, Product, ProductSummary};
use waybill_storage::{Cursor, Table};
use waybill_web::openapi::Paging;
use waybill_web::query::{List, Parameters};
use waybill_web::{Problem, Segment};

/// List the categories
#[utoipa::path(
    get,
    path = "/v1/categories",
    responses((status = 200, description = "All categories, in one page.", body = List<Category>)),
)]
pub async fn list_categories(
    State(table): State<Table>,
    parameters: Parameters,
) -> Result<Json<List<Category>>, Problem> {
    parameters.finish()?;
    Ok(Json(List { items: table.categories().await?, next: None }))
}

/// List products
#[utoipa::path(
    get,
    path = "/v1/products",
    params(("category" = Option<CategoryId>, Query, description = "Only products of this category."), Paging),
    responses((status = 200, description = "A page of products, the newest first.", body = List<ProductSummary>)),
)]
pub async fn list_products(
    State(table): State<Table>,
    mut parameters: Parameters,
) -> Result<Json<List<ProductSummary>>, Problem> {
    let category = parameters.take("category", str::parse::<CategoryId>);
    let limit = parameters.limit();
    let cursor = parameters.cursor(Cursor::among_products);
    parameters.finish()?;
    Ok(Json(table.products(category, limit, cursor).await?.into()))
}

/// A product with its SKUs.
#[derive(Serialize, ToSchema)]
pub struct ProductPage {
    #[serde(flatten)]
    pub product: Product,
    pub skus: Vec<Offer>,
}

/// Read a product
#[utoipa::path(
    get,
    path = "/v1/products/{id}",
    params(("id" = ProductId, Path)),
    responses((status = 200, description = "The product with its SKUs.", body = ProductPage)),
)]
pub async fn read_product(State(table): State<Table>, Segment(id): Segment) -> Result<Json<ProductPage>, Problem> {
    let unknown = || Problem::not_found("product");
    let id = id.parse().map_err(|_| unknown())?;
    let (product, skus) = table.product(id).await?.ok_or_else(unknown)?;
    Ok(Json(ProductPage { product, skus }))
}
