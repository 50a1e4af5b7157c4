//! Shipping methods, for staff.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::id::ShippingMethodId;
use waybill_domain::money::Money;
use waybill_domain::pricing::{MAX_BAND_GRAMS, MAX_BANDS, MAX_PLACES};
use waybill_domain::product::Title;
use waybill_domain::text::Invalid;
use waybill_domain::totals::{ShippingMethod, Tariff, ValueBand, WeightBand};
use waybill_lambda::{clock, random};
use waybill_storage::Table;
use waybill_web::query::List;
use waybill_web::{Body, Fields, IfMatch, NewMoney, NewPlace, Problem, Segment, Staff, may, version_tag};

use crate::fields::{list, meaningless, needed, one_of, place};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShippingMethod {
    #[schema(value_type = Title, example = "Parcel")]
    title: String,
    /// Where it delivers to.
    #[schema(min_items = 1, max_items = 50)]
    places: Vec<NewPlace>,
    #[schema(value_type = Tariff)]
    tariff: NewTariff,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTariff {
    by: String,
    bands: Vec<NewBand>,
}

/// Of a tariff by weight, or of one by value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBand {
    up_to_grams: Option<i64>,
    from: Option<NewMoney>,
    price: NewMoney,
}

impl NewShippingMethod {
    fn check(self, id: ShippingMethodId) -> Result<ShippingMethod, Problem> {
        let mut fields = Fields::default();
        let title = fields.take("/title", self.title.parse());
        let places = list(&mut fields, "/places", self.places, MAX_PLACES, place);
        let tariff = self.tariff.check(&mut fields);
        fields.finish(|| Some(ShippingMethod { id, title: title?, places, tariff: tariff? }))
    }
}

impl NewTariff {
    fn check(self, fields: &mut Fields) -> Option<Tariff> {
        let (at, given) = ("/tariff/bands", self.bands.len());
        let is_by_weight = one_of(fields, "/tariff/by", &self.by, &[("weight", true), ("value", false)])?;
        let (tariff, amounts): (Tariff, Vec<Money>) = if is_by_weight {
            let bands = list(fields, at, self.bands, MAX_BANDS, by_weight);
            if bands.len() == given {
                each_once(fields, at, "up_to_grams", bands.iter().map(|band| band.up_to_grams));
            }
            let amounts = bands.iter().map(|band| band.price).collect();
            (Tariff::Weight { bands }, amounts)
        } else {
            let bands = list(fields, at, self.bands, MAX_BANDS, by_value);
            if bands.len() == given {
                each_once(fields, at, "from", bands.iter().map(|band| band.from.amount));
            }
            let amounts = bands.iter().flat_map(|band| [band.from, band.price]).collect();
            (Tariff::Value { bands }, amounts)
        };
        if amounts.iter().any(|amount| amount.currency != amounts[0].currency) {
            fields.refuse(at, "must be in one currency");
        }
        Some(tariff)
    }
}

/// Two bands with the same bound would leave it to chance which one counts.
fn each_once<T: Ord>(fields: &mut Fields, at: &str, name: &str, bounds: impl Iterator<Item = T>) {
    let mut seen = BTreeSet::new();
    for (place, bound) in bounds.enumerate() {
        if !seen.insert(bound) {
            fields.refuse(&format!("{at}/{place}/{name}"), "is that of a band before");
        }
    }
}

fn by_weight(fields: &mut Fields, at: &str, band: NewBand) -> Option<WeightBand> {
    meaningless(fields, &format!("{at}/from"), band.from);
    let price = band.price.check(fields, &format!("{at}/price"), 0);
    let at = format!("{at}/up_to_grams");
    let grams: i64 = needed(fields, &at, band.up_to_grams)?;
    let grams = u32::try_from(grams).ok().filter(|grams| (1..=MAX_BAND_GRAMS).contains(grams));
    let wrong = || Invalid::new(format!("must be from 1 to {MAX_BAND_GRAMS} grams"));
    Some(WeightBand { up_to_grams: fields.take(&at, grams.ok_or_else(wrong))?, price: price? })
}

fn by_value(fields: &mut Fields, at: &str, band: NewBand) -> Option<ValueBand> {
    meaningless(fields, &format!("{at}/up_to_grams"), band.up_to_grams);
    let price = band.price.check(fields, &format!("{at}/price"), 0);
    let at = format!("{at}/from");
    let from = needed(fields, &at, band.from)?.check(fields, &at, 0);
    Some(ValueBand { from: from?, price: price? })
}

/// List the shipping methods
#[utoipa::path(
    get,
    path = "/v1/admin/shipping-methods",
    responses((status = 200, description = "All methods, the oldest first, in one page.", body = List<ShippingMethod>)),
    security(("bearer" = ["pricing:write"])),
)]
pub async fn list_methods(
    State(table): State<Table>,
    _: Staff<may::WritePricing>,
) -> Result<Json<List<ShippingMethod>>, Problem> {
    Ok(Json(List::whole(table.pricing(true).await?.methods)))
}

/// Set up a shipping method
///
/// From the first one on, a cart has to say where it goes and by which method before it can be ordered.
#[utoipa::path(
    post,
    path = "/v1/admin/shipping-methods",
    request_body = NewShippingMethod,
    responses((status = 201, description = "The method is set up.", body = ShippingMethod, headers(("etag" = String, description = "Its version."), ("location" = String, description = "The path of what was made."))), (status = 409, description = "too-many")),
    security(("bearer" = ["pricing:write"])),
)]
pub async fn create_method(
    State(table): State<Table>,
    _: Staff<may::WritePricing>,
    Body(body): Body<NewShippingMethod>,
) -> Result<Response, Problem> {
    let method = body.check(ShippingMethodId::new(random::uuid_at(clock::now())))?;
    table.add_setting(&method).await?;
    let location = [(LOCATION, format!("/v1/admin/shipping-methods/{}", method.id))];
    Ok((StatusCode::CREATED, location, [version_tag(1)], Json(method)).into_response())
}

/// Read a shipping method
#[utoipa::path(
    get,
    path = "/v1/admin/shipping-methods/{id}",
    params(("id" = ShippingMethodId, Path)),
    responses((status = 200, description = "The method.", body = ShippingMethod, headers(("etag" = String, description = "Its version.")))),
    security(("bearer" = ["pricing:write"])),
)]
pub async fn read_method(
    State(table): State<Table>,
    _: Staff<may::WritePricing>,
    Segment(id): Segment,
) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("shipping method");
    let kept = table.setting::<ShippingMethod>(id.parse().map_err(|_| unknown())?).await?.ok_or_else(unknown)?;
    Ok(([version_tag(kept.version)], Json(kept.value)).into_response())
}

/// Replace a shipping method
#[utoipa::path(
    put,
    path = "/v1/admin/shipping-methods/{id}",
    params(("id" = ShippingMethodId, Path), ("If-Match" = String, Header, description = "The ETag of what was read.")),
    request_body = NewShippingMethod,
    responses((status = 200, description = "The method as it is now.", body = ShippingMethod, headers(("etag" = String, description = "Its version."))), (status = 412, description = "outdated"), (status = 428, description = "version-needed")),
    security(("bearer" = ["pricing:write"])),
)]
pub async fn replace_method(
    State(table): State<Table>,
    _: Staff<may::WritePricing>,
    Segment(id): Segment,
    IfMatch(version): IfMatch,
    Body(body): Body<NewShippingMethod>,
) -> Result<Response, Problem> {
    let method = body.check(id.parse().map_err(|_| Problem::not_found("shipping method"))?)?;
    let version = table.replace_setting(&method, version).await?;
    Ok(([version_tag(version)], Json(method)).into_response())
}

/// Delete a shipping method
///
/// Carts that have chosen it have to choose another.
#[utoipa::path(
    delete,
    path = "/v1/admin/shipping-methods/{id}",
    params(("id" = ShippingMethodId, Path)),
    responses((status = 204, description = "The method is gone.")),
    security(("bearer" = ["pricing:write"])),
)]
pub async fn delete_method(
    State(table): State<Table>,
    _: Staff<may::WritePricing>,
    Segment(id): Segment,
) -> Result<StatusCode, Problem> {
    table.remove_setting::<ShippingMethod>(id.parse().map_err(|_| Problem::not_found("shipping method"))?).await?;
    Ok(StatusCode::NO_CONTENT)
}
