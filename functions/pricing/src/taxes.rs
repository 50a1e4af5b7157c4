//! How the shop taxes, for staff.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use waybill_domain::pricing::{MAX_RATES, MAX_ZONES};
use waybill_domain::text::TaxClass;
use waybill_domain::totals::{Prices, ShippingTax, TaxRate, TaxZone, Taxes};
use waybill_storage::Table;
use waybill_web::{Body, Fields, IfMatch, NewPlace, Problem, Staff, may, version_tag};

use crate::fields::{list, meaningless, needed, one_of, place};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTaxes {
    #[schema(value_type = Prices)]
    prices: String,
    #[schema(value_type = ShippingTax)]
    shipping: NewShippingTax,
    /// None of them: nothing is taxed, and nobody is asked where an order goes.
    #[schema(max_items = 300)]
    zones: Vec<NewZone>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewShippingTax {
    kind: String,
    class: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTaxZone)]
struct NewZone {
    place: NewPlace,
    /// At most ten. A class that is not named is taxed as `standard`; if that is not named either, not at all.
    #[schema(schema_with = rates_schema)]
    rates: BTreeMap<String, i64>,
}

impl NewTaxes {
    fn check(self) -> Result<Taxes, Problem> {
        let mut fields = Fields::default();
        let words = [("include_tax", Prices::IncludeTax), ("exclude_tax", Prices::ExcludeTax)];
        let prices = one_of(&mut fields, "/prices", &self.prices, &words);
        let shipping = self.shipping.check(&mut fields);
        let zones = match self.zones.is_empty() {
            true => Vec::new(),
            false => list(&mut fields, "/zones", self.zones, MAX_ZONES, zone),
        };
        fields.finish(|| Some(Taxes { prices: prices?, shipping: shipping?, zones }))
    }
}

impl NewShippingTax {
    fn check(self, fields: &mut Fields) -> Option<ShippingTax> {
        let at = "/shipping/class";
        if one_of(fields, "/shipping/kind", &self.kind, &[("untaxed", false), ("taxed", true)])? {
            let class = needed(fields, at, self.class)?;
            fields.take(at, class.parse()).map(|class| ShippingTax::Taxed { class })
        } else {
            meaningless(fields, at, self.class);
            Some(ShippingTax::Untaxed)
        }
    }
}

fn rates_schema() -> Schema {
    let RefOr::T(classes) = TaxClass::schema() else { unreachable!("a text's schema stands for itself") };
    let rates = ObjectBuilder::new().schema_type(Type::Object).property_names(Some(classes));
    rates.additional_properties(Some(TaxRate::schema())).max_properties(Some(MAX_RATES)).into()
}

fn zone(fields: &mut Fields, at: &str, given: NewZone) -> Option<TaxZone> {
    let place = place(fields, &format!("{at}/place"), given.place);
    let at = format!("{at}/rates");
    if given.rates.len() > MAX_RATES {
        fields.refuse(&at, format!("must have at most {MAX_RATES} classes"));
    }
    let rates = given.rates.into_iter().take(MAX_RATES).filter_map(|(class, rate)| {
        let at = format!("{at}/{}", class.replace('~', "~0").replace('/', "~1"));
        let class: Option<TaxClass> = fields.take(&at, class.parse());
        let rate: Option<TaxRate> = fields.take(&at, rate.try_into());
        Some((class?, rate?))
    });
    let rates = rates.collect();
    Some(TaxZone { place: place?, rates })
}

/// Read the taxes
#[utoipa::path(
    get,
    path = "/v1/admin/taxes",
    responses((status = 200, description = "How the shop taxes.", body = Taxes, headers(("etag" = String, description = "Its version.")))),
    security(("bearer" = ["pricing:write"])),
)]
pub async fn read_taxes(State(table): State<Table>, _: Staff<may::WritePricing>) -> Result<Response, Problem> {
    let kept = table.taxes().await?;
    Ok(([version_tag(kept.version)], Json(kept.value)).into_response())
}

/// Replace the taxes
///
/// From the first zone on, a cart has to say where it goes before it can be ordered; its region, too, where the country has
/// zones of regions.
#[utoipa::path(
    put,
    path = "/v1/admin/taxes",
    params(("If-Match" = String, Header, description = "The ETag of what was read.")),
    request_body = NewTaxes,
    responses((status = 200, description = "How the shop taxes now.", body = Taxes, headers(("etag" = String, description = "Its version."))), (status = 412, description = "outdated"), (status = 428, description = "version-needed")),
    security(("bearer" = ["pricing:write"])),
)]
pub async fn replace_taxes(
    State(table): State<Table>,
    _: Staff<may::WritePricing>,
    IfMatch(version): IfMatch,
    Body(body): Body<NewTaxes>,
) -> Result<Response, Problem> {
    let taxes = body.check()?;
    let version = table.set_taxes(&taxes, version).await?;
    Ok(([version_tag(version)], Json(taxes)).into_response())
}
