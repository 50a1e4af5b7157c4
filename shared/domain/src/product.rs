//! What the shop sells: categories, products and their SKUs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{CategoryId, ProductId};
use crate::money::Money;
use crate::text::{ImageUrl, Line, Prose, Sku, Slug};

pub type Title = Line<1, 120>;
pub type Description = Prose<0, 5000>;

/// A product has at least one SKU and at most this many: it is made in one transaction of at most 100 writes.
pub const MAX_SKUS: usize = 48;
/// On hand per SKU, in units.
pub const MAX_STOCK: u32 = 1_000_000_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Category {
    pub id: CategoryId,
    pub slug: Slug,
    pub title: Title,
    pub description: Description,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Product {
    pub id: ProductId,
    pub slug: Slug,
    pub title: Title,
    pub description: Description,
    pub category_id: CategoryId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image: Option<ImageUrl>,
    /// The lowest price among its SKUs when it was last edited; what lists show.
    pub price: Money,
    pub created_at: Timestamp,
}

/// What can be bought under one SKU: its price and how many are left. The small item that placing an order changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    pub sku: Sku,
    pub product_id: ProductId,
    /// The product's title with what sets this SKU apart, as carts, orders and mails show it.
    pub title: Title,
    pub price: Money,
    /// Units that can still be ordered.
    pub available: u32,
    /// Whether it is for sale at all.
    pub active: bool,
}

/// A line of a product list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductSummary {
    pub id: ProductId,
    pub slug: Slug,
    pub title: Title,
    pub price: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image: Option<ImageUrl>,
}

impl Product {
    pub fn summary(&self) -> ProductSummary {
        ProductSummary {
            id: self.id,
            slug: self.slug.clone(),
            title: self.title.clone(),
            price: self.price,
            image: self.image.clone(),
        }
    }
}
