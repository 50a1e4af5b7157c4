//! Products as staff see and change them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::language::Translations;
use waybill_domain::money::Currency;
use waybill_domain::product::{
    AttributeValue, Choice, Description, Image, MAX_SKUS, Malformed, Offer, Product, ProductState, ProductSummary,
    Title, Variant,
};
use waybill_domain::stock::Selling;
use waybill_domain::text::{Sku, Slug, TaxClass};
use waybill_lambda::{clock, random};
use waybill_storage::Cursor;
use waybill_storage::catalog::{Listing, Products};
use waybill_web::openapi::Paging;
use waybill_web::query::{List, Parameters};
use waybill_web::{Body, Fields, IfMatch, Problem, Segment, Staff, may, outdated, version_tag};

use crate::App;
use crate::fields::{self, NewChoice, NewImage, NewTexts};
use crate::skus::NewSku;

/// All of a product.
#[derive(Serialize, ToSchema)]
pub struct ProductDetails {
    id: ProductId,
    slug: Slug,
    state: ProductState,
    title: Title,
    description: Description,
    /// By language.
    #[schema(value_type = BTreeMap<String, waybill_domain::language::Texts>)]
    translations: Translations,
    category_ids: Vec<CategoryId>,
    images: Vec<Image>,
    attributes: BTreeMap<String, Vec<AttributeValue>>,
    tags: Vec<Slug>,
    options: Vec<Choice>,
    skus: Vec<SkuDetails>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
}

#[derive(Serialize, ToSchema)]
struct SkuDetails {
    #[serde(flatten)]
    variant: Variant,
    /// As carts and orders show it.
    title: Title,
    prices: Vec<PriceDetails>,
    /// Units that can still be ordered; null where they are not counted.
    #[schema(required)]
    available: Option<u64>,
    /// Grams.
    weight: u32,
    tax_class: TaxClass,
}

#[derive(Serialize, ToSchema)]
struct PriceDetails {
    /// Minor units, such as cents.
    amount: i64,
    currency: Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    compare_at: Option<i64>,
}

impl From<Listing> for ProductDetails {
    fn from(Listing { product, offers }: Listing) -> Self {
        let mut offers: HashMap<Sku, Offer> = offers.into_iter().map(|offer| (offer.sku.clone(), offer)).collect();
        let skus = product.variants.into_iter().filter_map(|variant| {
            let offer = offers.remove(&variant.sku)?;
            let available = units_available(&offer);
            let Offer { title, prices, weight, tax_class, .. } = offer;
            let prices = prices.into_iter();
            let prices = prices.map(|(currency, price)| PriceDetails {
                amount: price.amount,
                currency,
                compare_at: price.compare_at,
            });
            Some(SkuDetails { variant, title, prices: prices.collect(), available, weight, tax_class })
        });
        ProductDetails {
            id: product.id,
            slug: product.slug,
            state: product.state,
            title: product.title,
            description: product.description,
            translations: product.translations,
            category_ids: product.category_ids,
            images: product.images,
            attributes: product.attributes.into_iter().map(|(name, values)| (name.to_string(), values)).collect(),
            tags: product.tags.into_iter().collect(),
            options: product.options,
            skus: skus.collect(),
            created_at: product.created_at,
            updated_at: product.updated_at,
            version: product.version,
        }
    }
}

/// What can still be ordered; None where nobody counts.
pub fn units_available(offer: &Offer) -> Option<u64> {
    (offer.selling != Selling::Untracked).then_some(offer.orderable())
}

pub fn details(listing: Listing) -> Response {
    ([version_tag(listing.product.version)], Json(ProductDetails::from(listing))).into_response()
}

/// A line of the staff's list.
#[derive(Serialize, ToSchema)]
pub struct ProductLine {
    id: ProductId,
    slug: Slug,
    title: Title,
}

impl From<ProductSummary> for ProductLine {
    fn from(summary: ProductSummary) -> Self {
        ProductLine { id: summary.id, slug: summary.slug, title: summary.title }
    }
}

/// List products in one state
#[utoipa::path(
    get,
    path = "/v1/admin/products",
    params(("state" = Option<ProductState>, Query, description = "Active ones unless it is given."), Paging),
    responses((status = 200, description = "A page of products, the newest first.", body = List<ProductLine>)),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn list_products_by_state(
    State(app): State<App>,
    _: Staff<may::WriteCatalog>,
    mut parameters: Parameters,
) -> Result<Json<List<ProductLine>>, Problem> {
    let state = parameters.take("state", str::parse::<ProductState>).unwrap_or_default();
    let limit = parameters.limit();
    let list = format!("products that are {}", state.as_str());
    let list = (&app.guard.cursors, list.as_str());
    let cursor = parameters.cursor(list, Cursor::among_products);
    parameters.finish()?;
    Ok(Json(List::of(app.table.products(Products::Of(state), limit, cursor).await?, list)))
}

/// Read a product to change it
#[utoipa::path(
    get,
    path = "/v1/admin/products/{id}",
    params(("id" = ProductId, Path)),
    responses((status = 200, description = "All of the product, in whatever state.", body = ProductDetails, headers(("etag" = String, description = "Its version.")))),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn read_product_to_edit(
    State(app): State<App>,
    _: Staff<may::WriteCatalog>,
    Segment(id): Segment,
) -> Result<Response, Problem> {
    Ok(details(listing(&app, &id).await?))
}

/// A product as it is now.
async fn listing(app: &App, id: &str) -> Result<Listing, Problem> {
    let unknown = || Problem::not_found("product");
    app.table.product(id.parse().map_err(|_| unknown())?, true).await?.ok_or_else(unknown)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProduct {
    #[schema(value_type = Slug)]
    slug: String,
    /// `active` unless it is given.
    #[serde(default)]
    state: ProductState,
    #[schema(value_type = Title, example = "Sencha")]
    title: String,
    #[schema(value_type = Description, example = "From Uji.")]
    description: String,
    /// By language.
    #[serde(default)]
    #[schema(schema_with = fields::translations_schema, required = false)]
    translations: BTreeMap<String, NewTexts>,
    /// The first is the one that it stands in above all.
    #[serde(default)]
    #[schema(value_type = Vec<CategoryId>, max_items = 5)]
    category_ids: Vec<String>,
    #[serde(default)]
    #[schema(max_items = 20)]
    images: Vec<NewImage>,
    /// By name, such as `roast`.
    #[serde(default)]
    #[schema(schema_with = fields::attributes_schema, required = false)]
    attributes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Vec<Slug>, max_items = 30)]
    tags: Vec<String>,
    /// What its SKUs differ in; each then has a value for every option.
    #[serde(default)]
    #[schema(max_items = 3)]
    options: Vec<NewChoice>,
    #[schema(min_items = 1, max_items = 31)]
    skus: Vec<NewSku>,
}

impl NewProduct {
    pub fn check(self, shop: Currency) -> Result<Listing, Problem> {
        let now = clock::now();
        let id = ProductId::new(random::uuid_at(now));
        let mut fields = Fields::default();
        let slug = fields.take("/slug", self.slug.parse());
        let title = fields.take("/title", self.title.parse());
        let description = fields.take("/description", self.description.parse());
        let translations = fields::translations(&mut fields, "/translations", self.translations);
        let category_ids = fields::category_ids(&mut fields, "/category_ids", self.category_ids);
        let images = fields::images(&mut fields, "/images", self.images);
        let attributes = fields::attributes(&mut fields, "/attributes", self.attributes);
        let tags = fields::tags(&mut fields, "/tags", self.tags);
        let options = fields::options(&mut fields, "/options", self.options);
        if self.skus.is_empty() || self.skus.len() > MAX_SKUS {
            fields.refuse("/skus", format!("must hold 1 to {MAX_SKUS} SKUs"));
        }
        let mut seen = BTreeSet::new();
        let mut skus = Vec::new();
        for (index, new) in self.skus.into_iter().take(MAX_SKUS).enumerate() {
            let at = format!("/skus/{index}");
            let Some(sku) = new.check(&mut fields, &at, shop) else { continue };
            if !seen.insert(sku.variant.sku.clone()) {
                fields.refuse(&format!("{at}/sku"), "stands twice in this product");
            }
            skus.push(sku);
        }
        let product = slug.zip(title).zip(description).map(|((slug, title), description)| Product {
            id,
            slug,
            state: self.state,
            title,
            description,
            translations,
            category_ids,
            images,
            attributes,
            tags,
            options,
            variants: skus.iter().map(|sku| sku.variant.clone()).collect(),
            lowest: BTreeMap::new(),
            created_at: now,
            updated_at: now,
            version: 1,
        });
        // Of what is wrong by itself nothing follows.
        let product = if fields.is_empty() { product } else { None };
        if let Some(Err(malformed)) = product.as_ref().map(Product::check_variants) {
            refuse_variant(&mut fields, &format!("/skus/{}", malformed.place()), "variant", malformed);
        }
        fields.finish(|| {
            let mut product = product?;
            let offers: Option<Vec<_>> = skus.into_iter().map(|sku| sku.offer(&product)).collect();
            let offers = offers?;
            product.lowest = product.lowest_of(&offers);
            Some(Listing { product, offers })
        })
    }
}

/// Names what is wrong with a variant that stands `at` this place of the body; `title` is the field that made its title
/// too long.
pub fn refuse_variant(fields: &mut Fields, at: &str, title: &str, malformed: Malformed) {
    match malformed {
        Malformed::Options(_) => {
            fields.refuse(
                &format!("{at}/options"),
                "must be such that each SKU has a value for every option, and no other",
            );
        }
        Malformed::UnknownValue(_, option) => {
            fields.refuse(&format!("{at}/options/{option}"), "is not among the option's values");
        }
        Malformed::SameOptions(_) => {
            fields.refuse(&format!("{at}/options"), "are those of another SKU of the product");
        }
        Malformed::LongTitle(_) => {
            let detail = "must make one line of at most 120 characters: the product's title and what sets a SKU apart";
            fields.refuse(&format!("{at}/{title}"), detail);
        }
    }
}

/// Make a product
#[utoipa::path(
    post,
    path = "/v1/admin/products",
    request_body = NewProduct,
    responses((status = 201, description = "The product is made, with all its SKUs.", body = ProductDetails, headers(("etag" = String, description = "Its version."), ("location" = String, description = "The path of what was made."))), (status = 409, description = "taken")),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn create_product(
    State(app): State<App>,
    staff: Staff<may::WriteCatalog>,
    Body(body): Body<NewProduct>,
) -> Result<Response, Problem> {
    let listing = body.check(app.currency)?;
    app.table.create_product(&listing, staff.caller.actor()).await?;
    let location = [(LOCATION, format!("/v1/products/{}", listing.product.id))];
    Ok((StatusCode::CREATED, location, details(listing)).into_response())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductChange {
    #[schema(value_type = Option<Slug>)]
    slug: Option<String>,
    /// Customers see active products only. An archived one can be made active again.
    state: Option<ProductState>,
    #[schema(value_type = Option<Title>, example = "Sencha")]
    title: Option<String>,
    #[schema(value_type = Option<Description>, example = "From Uji.")]
    description: Option<String>,
    /// All of them, by language.
    #[schema(schema_with = fields::translations_schema, required = false)]
    translations: Option<BTreeMap<String, NewTexts>>,
    #[schema(value_type = Option<Vec<CategoryId>>, max_items = 5)]
    category_ids: Option<Vec<String>>,
    #[schema(max_items = 20)]
    images: Option<Vec<NewImage>>,
    #[schema(schema_with = fields::attributes_schema, required = false)]
    attributes: Option<BTreeMap<String, Vec<String>>>,
    #[schema(value_type = Option<Vec<Slug>>, max_items = 30)]
    tags: Option<Vec<String>>,
    #[schema(max_items = 3)]
    options: Option<Vec<NewChoice>>,
    /// New values of options, by SKU and option.
    #[schema(schema_with = fields::sku_options_schema, required = false)]
    sku_options: Option<BTreeMap<String, BTreeMap<String, String>>>,
}

impl ProductChange {
    fn check(self, before: &Listing) -> Result<Listing, Problem> {
        let mut fields = Fields::default();
        let mut after = before.product.clone();
        if let Some(slug) = fields.take_optional("/slug", self.slug.map(|slug| slug.parse())) {
            after.slug = slug;
        }
        if let Some(title) = fields.take_optional("/title", self.title.map(|title| title.parse())) {
            after.title = title;
        }
        if let Some(text) = fields.take_optional("/description", self.description.map(|text| text.parse())) {
            after.description = text;
        }
        after.state = self.state.unwrap_or(after.state);
        let Product { translations, category_ids, images, attributes, tags, options, .. } = &mut after;
        replace(translations, self.translations, |given| fields::translations(&mut fields, "/translations", given));
        replace(category_ids, self.category_ids, |given| fields::category_ids(&mut fields, "/category_ids", given));
        replace(images, self.images, |given| fields::images(&mut fields, "/images", given));
        replace(attributes, self.attributes, |given| fields::attributes(&mut fields, "/attributes", given));
        replace(tags, self.tags, |given| fields::tags(&mut fields, "/tags", given));
        replace(options, self.options, |given| fields::options(&mut fields, "/options", given));
        for (sku, given) in self.sku_options.into_iter().flatten() {
            let at = format!("/sku_options/{sku}");
            let values = fields::option_values(&mut fields, &at, given);
            match after.variants.iter_mut().find(|variant| variant.sku.as_str() == sku) {
                Some(variant) => variant.options = values,
                None => fields.refuse(&at, "is not a SKU of this product"),
            }
        }
        if fields.is_empty()
            && let Err(malformed) = after.check_variants()
        {
            refuse_variant(&mut fields, "", "title", malformed);
        }
        let after = fields.finish(|| Some(after))?;
        following(before, after).ok_or_else(|| Problem::internal("a variant has no offer"))
    }
}

fn replace<T, G>(present: &mut T, given: Option<G>, check: impl FnOnce(G) -> T) {
    if let Some(given) = given {
        *present = check(given);
    }
}

/// The listing that a changed product makes: its offers follow it in title, state and categories.
pub fn following(before: &Listing, product: Product) -> Option<Listing> {
    let offers = before.offers.iter().map(|offer| {
        let variant = product.variant(&offer.sku)?;
        Some(Offer {
            title: product.offer_title(variant).ok()?,
            active: product.sells(variant),
            category_ids: product.category_ids.clone(),
            ..offer.clone()
        })
    });
    renewed(before, product.clone(), offers.collect::<Option<_>>()?)
}

/// One version on.
pub fn renewed(before: &Listing, product: Product, offers: Vec<Offer>) -> Option<Listing> {
    let lowest = product.lowest_of(&offers);
    let version = before.product.version + 1;
    Some(Listing { product: Product { lowest, version, updated_at: clock::now(), ..product }, offers })
}

/// Change a product
///
/// What is not given stays. SKUs have routes of their own.
#[utoipa::path(
    patch,
    path = "/v1/admin/products/{id}",
    params(("id" = ProductId, Path), ("If-Match" = String, Header, description = "The ETag of what was read.")),
    request_body = ProductChange,
    responses((status = 200, description = "The product as it is now.", body = ProductDetails, headers(("etag" = String, description = "Its version."))), (status = 409, description = "taken"), (status = 412, description = "outdated"), (status = 428, description = "version-needed")),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn change_product(
    State(app): State<App>,
    staff: Staff<may::WriteCatalog>,
    Segment(id): Segment,
    IfMatch(version): IfMatch,
    Body(body): Body<ProductChange>,
) -> Result<Response, Problem> {
    let before = listing(&app, &id).await?;
    if before.product.version != version {
        return Err(outdated());
    }
    let after = body.check(&before)?;
    let Product { version, updated_at, .. } = before.product;
    if (Product { version, updated_at, ..after.product.clone() }) == before.product {
        return Ok(details(before));
    }
    app.table.save_product(&before, &after, staff.caller.actor()).await?;
    Ok(details(after))
}

/// Delete a product
///
/// Only one that has never been ordered; others are archived. Its slug and its SKUs are free then.
#[utoipa::path(
    delete,
    path = "/v1/admin/products/{id}",
    params(("id" = ProductId, Path)),
    responses((status = 204, description = "The product is gone."), (status = 409, description = "in-use"), (status = 412, description = "outdated")),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn delete_product(
    State(app): State<App>,
    _: Staff<may::WriteCatalog>,
    Segment(id): Segment,
) -> Result<StatusCode, Problem> {
    app.table.delete_product(&listing(&app, &id).await?).await?;
    Ok(StatusCode::NO_CONTENT)
}
