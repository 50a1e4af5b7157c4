//! Reading products, for anyone.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::language::{Language, translated};
use waybill_domain::money::{Currency, Money};
use waybill_domain::product::{
    AttributeValue, Barcode, Choice, Description, Image, Offer, OptionValue, ProductState, ProductSummary, Title,
    Variant,
};
use waybill_domain::stock::{Availability, Selling};
use waybill_domain::text::{ImageUrl, Sku, Slug};
use waybill_domain::{Date, Timestamp};
use waybill_storage::catalog::Listing;
use waybill_storage::{StorageError, Table};
use waybill_web::query::Parameters;
use waybill_web::remembered::Remembered;
use waybill_web::{Problem, Segment, cacheable};

use crate::App;
use crate::products::units_available;

/// The parameter that names a language.
pub const IN_LANGUAGE: &str = "language";
/// Seconds that caches between the shop and its customers may keep what they read here.
pub const KEPT: u32 = 10;

/// A line of a product list.
#[derive(Serialize, ToSchema)]
#[schema(as = ProductSummary)]
pub struct SummaryView {
    id: ProductId,
    slug: Slug,
    title: Title,
    /// The lowest of its SKUs; null where it is not sold in this currency.
    #[schema(required)]
    price: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    image: Option<Image>,
}

impl SummaryView {
    pub fn of(mut summary: ProductSummary, language: Option<&Language>, currency: Currency) -> Self {
        let exact = language.and_then(|language| summary.titles.remove(language));
        let general = || language.and_then(|language| summary.titles.remove(&language.without_region()?));
        SummaryView {
            id: summary.id,
            slug: summary.slug,
            title: exact.or_else(general).unwrap_or(summary.title),
            price: summary.lowest.get(&currency).map(|amount| Money::new(*amount, currency)),
            image: summary.image,
        }
    }
}

/// The language and the currency that an answer is to be in.
pub fn told(app: &App, parameters: &mut Parameters) -> (Option<Language>, Currency) {
    let language = parameters.take(IN_LANGUAGE, str::parse::<Language>);
    let currency = parameters.take("currency", str::parse::<Currency>);
    (language, currency.unwrap_or(app.currency))
}

/// A product with its SKUs, as customers see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Product)]
struct ProductView {
    id: ProductId,
    slug: Slug,
    title: Title,
    description: Description,
    /// The first is the one that it stands in above all.
    category_ids: Vec<CategoryId>,
    images: Vec<Image>,
    attributes: BTreeMap<String, Vec<AttributeValue>>,
    tags: Vec<Slug>,
    /// What its SKUs differ in.
    options: Vec<Choice>,
    /// The lowest of its SKUs; null where it is not sold in this currency.
    #[schema(required)]
    price: Option<Money>,
    /// Those that are for sale.
    skus: Vec<SkuView>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ProductSku)]
struct SkuView {
    sku: Sku,
    #[schema(example = "Earl Grey, 100 g")]
    title: Title,
    /// A value for each of the product's options.
    options: BTreeMap<String, OptionValue>,
    /// Null where it is not sold in this currency.
    #[schema(required)]
    price: Option<Money>,
    /// What it cost before, or costs elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    compare_at_price: Option<Money>,
    /// Units that can be ordered at this moment; null where they are not counted.
    #[schema(required)]
    available: Option<u64>,
    availability: Availability,
    /// When a SKU that can be ordered ahead is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>, format = Date, example = "2027-03-01")]
    ships_from: Option<Date>,
    /// Grams.
    weight: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    barcode: Option<Barcode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    image: Option<ImageUrl>,
}

impl SkuView {
    fn of(variant: &Variant, offer: &Offer, currency: Currency) -> Self {
        let compare_at = offer.prices.get(&currency).and_then(|price| price.compare_at);
        SkuView {
            sku: variant.sku.clone(),
            title: offer.title.clone(),
            options: variant.options.clone(),
            price: offer.price_in(currency),
            compare_at_price: compare_at.map(|amount| Money::new(amount, currency)),
            available: units_available(offer),
            availability: offer.availability(),
            ships_from: match offer.selling {
                Selling::Preorder { ships_from, .. } => Some(ships_from),
                Selling::Stock | Selling::Backorder { .. } | Selling::Untracked => None,
            },
            weight: offer.weight,
            barcode: variant.barcode.clone(),
            image: variant.image.clone(),
        }
    }
}

impl ProductView {
    fn of(Listing { product, offers }: Listing, language: Option<&Language>, currency: Currency) -> Self {
        let texts = language.and_then(|language| translated(&product.translations, language)).cloned();
        let (title, description) = match texts {
            Some(texts) => (texts.title, texts.description),
            None => (product.title.clone(), product.description.clone()),
        };
        let offers: HashMap<_, _> = offers.iter().map(|offer| (&offer.sku, offer)).collect();
        let sold = product.variants.iter().filter(|variant| product.sells(variant));
        let skus = sold.filter_map(|variant| Some(SkuView::of(variant, offers.get(&variant.sku)?, currency))).collect();
        ProductView {
            id: product.id,
            slug: product.slug,
            title,
            description,
            category_ids: product.category_ids,
            images: product.images,
            attributes: product.attributes.into_iter().map(|(name, values)| (name.to_string(), values)).collect(),
            tags: product.tags.into_iter().collect(),
            options: product.options,
            price: product.lowest.get(&currency).map(|amount| Money::new(*amount, currency)),
            skus,
            created_at: product.created_at,
            updated_at: product.updated_at,
        }
    }
}

/// Read a product
///
/// Of a draft or an archived product nothing is told.
#[utoipa::path(
    get,
    path = "/v1/products/{id}",
    params(
        ("id" = String, Path, description = "Its id or its slug."),
        ("language" = Option<Language>, Query, description = "Of the texts. Where there are none in it, those of the shop's own language."),
        ("currency" = Option<Currency>, Query, description = "Of the prices; the shop's own unless it is given.")
    ),
    responses((status = 200, description = "The product with its SKUs.", body = ProductView), (status = 304, description = "You have the newest.")),
)]
pub async fn read_product(
    State(app): State<App>,
    Segment(id): Segment,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let (language, currency) = told(&app, &mut parameters);
    parameters.finish()?;
    let listing = app.slugs.find(&app.table, &id).await?;
    let listing = listing.filter(|listing| listing.product.state == ProductState::Active);
    let listing = listing.ok_or_else(|| Problem::not_found("product"))?;
    cacheable(&headers, KEPT, &ProductView::of(listing, language.as_ref(), currency))
}

/// Whose slugs are, as far as this process has seen: so that a slug costs one read as an id does. Whether it still is
/// true shows when the product is read.
#[derive(Clone, Default)]
pub struct Slugs(Arc<Mutex<Remembered<Slug, ProductId, MOST_SLUGS>>>);

/// Slugs that are remembered, some 100 bytes of each.
const MOST_SLUGS: usize = 10_000;

impl Slugs {
    /// A product by its id or its slug.
    async fn find(&self, table: &Table, id: &str) -> Result<Option<Listing>, StorageError> {
        if let Ok(id) = id.parse::<ProductId>() {
            return table.product(id, false).await;
        }
        let Ok(slug) = id.parse::<Slug>() else { return Ok(None) };
        if let Some(known) = self.known(&slug) {
            let listing = table.product(known, false).await?;
            if listing.as_ref().is_some_and(|listing| listing.product.slug == slug) {
                return Ok(listing);
            }
        }
        let Some(id) = table.product_by_slug(&slug).await? else { return Ok(None) };
        self.remember(slug, id);
        table.product(id, false).await
    }

    fn known(&self, slug: &Slug) -> Option<ProductId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(slug).copied()
    }

    fn remember(&self, slug: Slug, id: ProductId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(slug, id);
    }
}
