//! Reading the catalogue, for anyone.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use waybill_domain::id::CategoryId;
use waybill_domain::product::{Category, Offer, Product, ProductSummary};
use waybill_storage::{Cursor, Table};
use waybill_web::query::{List, Parameters};
use waybill_web::{Problem, Segment};

pub async fn list_categories(
    State(table): State<Table>,
    parameters: Parameters,
) -> Result<Json<List<Category>>, Problem> {
    parameters.finish()?;
    Ok(Json(List { items: table.categories().await?, next: None }))
}

/// `category` (an id), `limit`, `cursor`; the newest first.
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
#[derive(Serialize)]
pub struct ProductPage {
    #[serde(flatten)]
    pub product: Product,
    pub skus: Vec<SkuView>,
}

#[derive(Serialize)]
pub struct SkuView {
    #[serde(flatten)]
    offer: Offer,
}

impl ProductPage {
    pub fn new(product: Product, offers: Vec<Offer>) -> Self {
        ProductPage { product, skus: offers.into_iter().map(|offer| SkuView { offer }).collect() }
    }
}

pub async fn read_product(State(table): State<Table>, Segment(id): Segment) -> Result<Json<ProductPage>, Problem> {
    let unknown = || Problem::not_found("product");
    let id = id.parse().map_err(|_| unknown())?;
    let (product, offers) = table.product(id).await?.ok_or_else(unknown)?;
    Ok(Json(ProductPage::new(product, offers)))
}
