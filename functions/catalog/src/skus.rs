//! The SKUs of a product, for staff.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::id::ProductId;
use waybill_domain::message::Actor;
use waybill_domain::money::Currency;
use waybill_domain::product::{Barcode, MAX_SKUS, MAX_STOCK, Offer, Price, Product, Title, Variant};
use waybill_domain::stock::Selling;
use waybill_domain::text::{ImageUrl, Invalid, Sku, TaxClass};
use waybill_storage::Refused;
use waybill_storage::catalog::{Listing, ProductRefused};
use waybill_web::{Body, Fields, Kind, Problem, Segment, Staff, may};

use crate::App;
use crate::fields::{self, NewPrice, given};
use crate::products::{ProductDetails, details, refuse_variant, renewed};

/// How often a change starts again when others were faster.
const CHANGES: u32 = 5;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSku {
    #[schema(value_type = Sku)]
    sku: String,
    /// What sets it apart from the product's other SKUs, such as `250 g, ground`. Its options say it unless it is given.
    #[schema(value_type = Option<Title>, example = "250 g, ground")]
    variant: Option<String>,
    /// A value for each of the product's options.
    #[serde(default)]
    #[schema(schema_with = fields::option_values_schema, required = false)]
    options: BTreeMap<String, String>,
    /// In different currencies, one of them the shop's own.
    #[schema(min_items = 1, max_items = 10)]
    prices: Vec<NewPrice>,
    /// Units on hand, received at the main location.
    #[schema(minimum = 0, maximum = 1_000_000_000, example = 40)]
    stock: i64,
    /// Grams of one unit.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 10_000_000, example = 250)]
    weight: i64,
    /// `standard` unless it is given.
    #[schema(value_type = Option<TaxClass>, example = "standard")]
    tax_class: Option<String>,
    #[schema(value_type = Option<Barcode>)]
    barcode: Option<String>,
    #[schema(value_type = Option<ImageUrl>)]
    image: Option<String>,
    #[serde(default = "yes")]
    active: bool,
}

fn yes() -> bool {
    true
}

/// A SKU that is right by itself.
#[derive(Clone)]
pub struct CheckedSku {
    pub variant: Variant,
    prices: BTreeMap<Currency, Price>,
    stock: u32,
    weight: u32,
    tax_class: TaxClass,
}

impl NewSku {
    pub fn check(self, fields: &mut Fields, at: &str, shop: Currency) -> Option<CheckedSku> {
        let field = |name: &str| format!("{at}/{name}");
        let sku = fields.take(&field("sku"), self.sku.parse());
        let variant = fields.take_optional(&field("variant"), self.variant.map(|text| text.parse()));
        let options = fields::option_values(fields, &field("options"), self.options);
        let prices = fields::prices(fields, &field("prices"), self.prices, shop);
        let stock = u32::try_from(self.stock).ok().filter(|stock| *stock <= MAX_STOCK);
        let stock = stock.ok_or_else(|| Invalid::new(format!("must be from 0 to {MAX_STOCK}")));
        let stock = fields.take(&field("stock"), stock);
        let weight = fields::weight(fields, &field("weight"), self.weight);
        let tax_class = self.tax_class.unwrap_or_else(|| "standard".to_owned());
        let tax_class = fields.take(&field("tax_class"), tax_class.parse());
        let barcode = fields.take_optional(&field("barcode"), self.barcode.map(|text| text.parse()));
        let image = fields.take_optional(&field("image"), self.image.map(|url| url.parse()));
        let variant = Variant { sku: sku?, variant, options, barcode, image, active: self.active };
        Some(CheckedSku { variant, prices, stock: stock?, weight: weight?, tax_class: tax_class? })
    }
}

impl CheckedSku {
    /// The offer of this SKU in its product.
    pub fn offer(self, product: &Product) -> Option<Offer> {
        Some(Offer {
            sku: self.variant.sku.clone(),
            product_id: product.id,
            title: product.offer_title(&self.variant).ok()?,
            prices: self.prices,
            available: self.stock.into(),
            active: product.sells(&self.variant),
            weight: self.weight,
            tax_class: self.tax_class,
            category_ids: product.category_ids.clone(),
            ordered: 0,
            selling: Selling::Stock,
            low_stock_at: None,
            spread: None,
        })
    }
}

/// Add a SKU to a product
#[utoipa::path(
    post,
    path = "/v1/admin/products/{id}/skus",
    params(("id" = ProductId, Path)),
    request_body = NewSku,
    responses((status = 201, description = "The product with its new SKU.", body = ProductDetails, headers(("etag" = String, description = "Its version."), ("location" = String, description = "The product's path."))), (status = 409, description = "taken, too-many"), (status = 412, description = "outdated")),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn add_sku(
    State(app): State<App>,
    staff: Staff<may::WriteCatalog>,
    Segment(id): Segment,
    Body(body): Body<NewSku>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let sku = body.check(&mut fields, "", app.currency);
    let sku = fields.finish(|| sku)?;
    let id: ProductId = id.parse().map_err(|_| Problem::not_found("product"))?;
    let with_it = |before: &Listing| with_sku(before, sku.clone());
    let after = changed(&app, id, "product", staff.caller.actor(), with_it).await?;
    let location = [(LOCATION, format!("/v1/products/{}", after.product.id))];
    Ok((StatusCode::CREATED, location, details(after)).into_response())
}

/// The listing with one SKU more.
fn with_sku(before: &Listing, sku: CheckedSku) -> Result<Listing, Problem> {
    if before.product.variants.len() >= MAX_SKUS {
        return Err(Problem::new(Kind::TooMany, format!("A product has at most {MAX_SKUS} SKUs.")));
    }
    if before.product.variant(&sku.variant.sku).is_some() {
        return Err(ProductRefused::SkuTaken(sku.variant.sku).into());
    }
    let mut product = before.product.clone();
    product.variants.push(sku.variant.clone());
    checked(&product)?;
    let offer = sku.offer(&product).ok_or_else(|| Problem::internal("a SKU has no title"))?;
    let offers = before.offers.iter().cloned().chain([offer]).collect();
    renewed(before, product, offers).ok_or_else(|| Problem::internal("a product has no offers"))
}

/// Whether the variant that is new or changed fits: then its fields are the body's.
fn checked(product: &Product) -> Result<(), Problem> {
    let Err(malformed) = product.check_variants() else { return Ok(()) };
    let mut fields = Fields::default();
    refuse_variant(&mut fields, "", "variant", malformed);
    fields.finish(|| Some(()))
}

#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SkuChange {
    /// Null leaves it to the options.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Title>, required = false)]
    variant: Option<Option<String>>,
    #[schema(schema_with = fields::option_values_schema, required = false)]
    options: Option<BTreeMap<String, String>>,
    /// All of them.
    #[schema(min_items = 1, max_items = 10)]
    prices: Option<Vec<NewPrice>>,
    #[schema(minimum = 0, maximum = 10_000_000, example = 250)]
    weight: Option<i64>,
    #[schema(value_type = Option<TaxClass>, example = "standard")]
    tax_class: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Barcode>, required = false)]
    barcode: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ImageUrl>, required = false)]
    image: Option<Option<String>>,
    active: Option<bool>,
}

impl SkuChange {
    /// The listing with this SKU changed.
    fn check(self, sku: &Sku, before: &Listing, shop: Currency) -> Result<Listing, Problem> {
        let unknown = || Problem::not_found("SKU");
        let mut fields = Fields::default();
        let mut product = before.product.clone();
        let variant = product.variants.iter_mut().find(|variant| variant.sku == *sku).ok_or_else(unknown)?;
        if let Some(text) = self.variant {
            variant.variant = fields.take_optional("/variant", text.map(|text| text.parse()));
        }
        if let Some(values) = self.options {
            variant.options = fields::option_values(&mut fields, "/options", values);
        }
        if let Some(barcode) = self.barcode {
            variant.barcode = fields.take_optional("/barcode", barcode.map(|text| text.parse()));
        }
        if let Some(image) = self.image {
            variant.image = fields.take_optional("/image", image.map(|url| url.parse()));
        }
        variant.active = self.active.unwrap_or(variant.active);
        let variant = variant.clone();
        let prices = self.prices.map(|prices| fields::prices(&mut fields, "/prices", prices, shop));
        let weight = self.weight.and_then(|grams| fields::weight(&mut fields, "/weight", grams));
        let tax_class = fields.take_optional("/tax_class", self.tax_class.map(|text| text.parse()));
        fields.finish(|| Some(()))?;
        checked(&product)?;
        let mut offers = before.offers.clone();
        let offer = offers.iter_mut().find(|offer| offer.sku == *sku).ok_or_else(unknown)?;
        offer.title = product.offer_title(&variant).map_err(Problem::internal)?;
        offer.active = product.sells(&variant);
        offer.prices = prices.unwrap_or_else(|| offer.prices.clone());
        offer.weight = weight.unwrap_or(offer.weight);
        offer.tax_class = tax_class.unwrap_or_else(|| offer.tax_class.clone());
        renewed(before, product, offers).ok_or_else(|| Problem::internal("a product has no offers"))
    }
}

/// Change a SKU
///
/// What is not given stays. Orders at the old price are refused from then on.
#[utoipa::path(
    patch,
    path = "/v1/admin/skus/{sku}",
    params(("sku" = Sku, Path)),
    request_body = SkuChange,
    responses((status = 200, description = "The SKU's product as it is now.", body = ProductDetails, headers(("etag" = String, description = "Its version."))), (status = 412, description = "outdated")),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn change_sku(
    State(app): State<App>,
    staff: Staff<may::WriteCatalog>,
    Segment(sku): Segment,
    Body(body): Body<SkuChange>,
) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("SKU");
    let sku: Sku = sku.parse().map_err(|_| unknown())?;
    let product = app.table.owner_of(&sku).await?.ok_or_else(unknown)?;
    let change = |before: &Listing| body.clone().check(&sku, before, app.currency);
    changed(&app, product, "SKU", staff.caller.actor(), change).await.map(details)
}

/// Changes a product as it is by then, and answers it: each SKU and each of its fields stands for itself, so what others change
/// at the same time is no reason to refuse this. `what` is not there when its product is not.
async fn changed(
    app: &App,
    product: ProductId,
    what: &str,
    by: Actor,
    change: impl Fn(&Listing) -> Result<Listing, Problem>,
) -> Result<Listing, Problem> {
    let mut tries = 0;
    loop {
        let before = app.table.product(product, true).await?.ok_or_else(|| Problem::not_found(what))?;
        let after = change(&before)?;
        if after.product.variants == before.product.variants && after.offers == before.offers {
            return Ok(before);
        }
        tries += 1;
        match app.table.save_product(&before, &after, by).await {
            Ok(()) => return Ok(after),
            Err(refused) if refused.is_by(&ProductRefused::Changed) && tries < CHANGES => {}
            Err(Refused::By(reasons)) => return Err(Refused::By(reasons).into()),
            Err(Refused::Failed(error)) => return Err(error.into()),
        }
    }
}
