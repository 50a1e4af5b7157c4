//! Changing the catalogue, for staff.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::money::{Currency, Money};
use waybill_domain::product::{Category, Description, MAX_SKUS, MAX_STOCK, Offer, Product, Title};
use waybill_domain::text::{ImageUrl, Invalid, Sku, Slug};
use waybill_lambda::{clock, random};
use waybill_storage::catalog::UnknownSku;
use waybill_storage::{Refused, Table};
use waybill_web::{Body, Fields, Problem, Segment, Staff, may};

use crate::App;
use crate::read::ProductPage;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCategory {
    #[schema(value_type = Slug)]
    slug: String,
    #[schema(value_type = Title, example = "Green tea")]
    title: String,
    #[schema(value_type = Description, example = "Fresh and grassy.")]
    description: String,
}

/// Make a category
#[utoipa::path(
    post,
    path = "/v1/admin/categories",
    request_body = NewCategory,
    responses((status = 201, description = "The category is made.", body = Category), (status = 409, description = "taken")),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn create_category(
    State(table): State<Table>,
    _: Staff<may::WriteCatalog>,
    Body(body): Body<NewCategory>,
) -> Result<(StatusCode, Json<Category>), Problem> {
    let mut fields = Fields::default();
    let slug = fields.take("/slug", body.slug.parse());
    let title = fields.take("/title", body.title.parse());
    let description = fields.take("/description", body.description.parse());
    let id = CategoryId::new(random::uuid_at(clock::now()));
    let category = fields.finish(|| Some(Category { id, slug: slug?, title: title?, description: description? }))?;
    table.create_category(&category).await?;
    Ok((StatusCode::CREATED, Json(category)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProduct {
    #[schema(value_type = Slug)]
    slug: String,
    #[schema(value_type = Title, example = "Sencha")]
    title: String,
    #[schema(value_type = Description, example = "From Uji.")]
    description: String,
    #[schema(value_type = CategoryId)]
    category_id: String,
    #[schema(value_type = Option<ImageUrl>)]
    image: Option<String>,
    #[schema(min_items = 1, max_items = 48)]
    skus: Vec<NewSku>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSku {
    #[schema(value_type = Sku)]
    sku: String,
    /// What sets it apart from the product's other SKUs, such as `250 g, ground`.
    #[schema(value_type = Option<Title>, example = "250 g, ground")]
    variant: Option<String>,
    price: Price,
    /// Units on hand.
    #[schema(minimum = 0, maximum = 1_000_000_000, example = 40)]
    stock: i64,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Minor units, such as cents.
    #[schema(minimum = 1, maximum = 100_000_000, example = 1999)]
    amount: i64,
    /// The shop's own.
    #[schema(value_type = Currency)]
    currency: String,
}

impl Price {
    /// A price in the shop's currency.
    fn check(self, fields: &mut Fields, pointer: &str, shop: Currency) -> Option<Money> {
        let currency = fields.take(
            &format!("{pointer}/currency"),
            self.currency.parse().and_then(|currency: Currency| {
                if currency == shop {
                    Ok(currency)
                } else {
                    Err(Invalid::new(format!("must be the shop's currency, {shop}")))
                }
            }),
        );
        let price = Money::new(self.amount, currency.unwrap_or(shop)).as_price();
        currency.and(fields.take(&format!("{pointer}/amount"), price))
    }
}

impl NewProduct {
    fn check(self, shop: Currency) -> Result<(Product, Vec<Offer>), Problem> {
        let now = clock::now();
        let id = ProductId::new(random::uuid_at(now));
        let mut fields = Fields::default();
        let slug = fields.take("/slug", self.slug.parse());
        let title: Option<Title> = fields.take("/title", self.title.parse());
        let description = fields.take("/description", self.description.parse());
        let category_id = fields.take("/category_id", self.category_id.parse());
        let image = fields.take_optional("/image", self.image.map(|image| image.parse()));
        if self.skus.is_empty() || self.skus.len() > MAX_SKUS {
            fields.refuse("/skus", format!("must hold 1 to {MAX_SKUS} SKUs"));
        }
        let mut seen = BTreeSet::new();
        let mut offers = Vec::new();
        for (index, new) in self.skus.into_iter().take(MAX_SKUS).enumerate() {
            let pointer = format!("/skus/{index}");
            let sku: Option<Sku> = fields.take(&format!("{pointer}/sku"), new.sku.parse());
            if sku.as_ref().is_some_and(|sku| !seen.insert(sku.clone())) {
                fields.refuse(&format!("{pointer}/sku"), "stands twice in this product");
            }
            let full_title = title.as_ref().map(|title| match new.variant.as_deref().map(str::trim) {
                None => Ok(title.clone()),
                Some("") => Err(Invalid::new("must not be empty; leave it out for a SKU without variants")),
                Some(variant) => format!("{title}, {variant}")
                    .parse()
                    .map_err(|_| Invalid::new("must make one line of at most 120 characters with the product's title")),
            });
            let full_title = fields.take_optional(&format!("{pointer}/variant"), full_title);
            let price = new.price.check(&mut fields, &format!("{pointer}/price"), shop);
            let stock = u32::try_from(new.stock).ok().filter(|stock| *stock <= MAX_STOCK);
            let stock = stock.ok_or_else(|| Invalid::new(format!("must be from 0 to {MAX_STOCK}")));
            let available = fields.take(&format!("{pointer}/stock"), stock);
            offers.extend(sku.zip(full_title).zip(price).zip(available).map(|(((sku, title), price), available)| {
                Offer { sku, product_id: id, title, price, available, active: true }
            }));
        }
        fields.finish(|| {
            let price = offers.iter().map(|offer| offer.price).min_by_key(|price| price.amount)?;
            let product = Product {
                id,
                slug: slug?,
                title: title?,
                description: description?,
                category_id: category_id?,
                image,
                price,
                created_at: now,
            };
            Some((product, offers))
        })
    }
}

/// Make a product
#[utoipa::path(
    post,
    path = "/v1/admin/products",
    request_body = NewProduct,
    responses((status = 201, description = "The product is made, with all its SKUs.", body = ProductPage, headers(("location" = String, description = "The path of what was made."))), (status = 409, description = "taken")),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn create_product(
    State(app): State<App>,
    _: Staff<may::WriteCatalog>,
    Body(body): Body<NewProduct>,
) -> Result<(StatusCode, [(http::HeaderName, String); 1], Json<ProductPage>), Problem> {
    let (product, offers) = body.check(app.currency)?;
    app.table.create_product(&product, &offers).await?;
    let location = format!("/v1/products/{}", product.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(ProductPage { product, skus: offers })))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SkuChange {
    price: Option<Price>,
    active: Option<bool>,
}

/// Change a SKU
///
/// Its price, or whether it is for sale; what is not given stays.
#[utoipa::path(
    patch,
    path = "/v1/admin/skus/{sku}",
    params(("sku" = Sku, Path)),
    request_body = SkuChange,
    responses((status = 204, description = "The SKU is changed.")),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn change_sku(
    State(app): State<App>,
    _: Staff<may::WriteCatalog>,
    Segment(sku): Segment,
    Body(body): Body<SkuChange>,
) -> Result<StatusCode, Problem> {
    let mut fields = Fields::default();
    let price = body.price.and_then(|price| price.check(&mut fields, "/price", app.currency));
    let active = body.active;
    fields.finish(|| Some(()))?;
    let unknown = || Problem::not_found("SKU");
    let sku: Sku = sku.parse().map_err(|_| unknown())?;
    let product = app.table.owner_of(&sku).await?.ok_or_else(unknown)?;
    match app.table.change_offer(product, &sku, price, active).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(Refused::By(reasons)) => match reasons.as_slice() {
            [UnknownSku, ..] | [] => Err(unknown()),
        },
        Err(Refused::Failed(error)) => Err(error.into()),
    }
}
