//! A postal address as a client writes it.

use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::order::{Address, Country};
use waybill_domain::text::Line;
use waybill_domain::totals::{Place, Region};

use crate::Fields;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAddress {
    #[schema(value_type = Line<1, 120>, example = "Ann Example")]
    pub name: String,
    #[schema(value_type = Line<1, 120>, example = "1 Main St")]
    pub line1: String,
    #[schema(value_type = Option<Line<1, 120>>)]
    pub line2: Option<String>,
    #[schema(value_type = Line<1, 80>, example = "Springfield")]
    pub city: String,
    #[schema(value_type = Option<Line<1, 80>>, example = "IL")]
    pub region: Option<String>,
    #[schema(value_type = Line<1, 20>, example = "62701")]
    pub postal_code: String,
    #[schema(value_type = Country)]
    pub country: String,
}

/// A country, or one region of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlace {
    #[schema(value_type = Country)]
    pub country: String,
    /// As it stands in addresses.
    #[schema(value_type = Option<Region>, example = "IL")]
    pub region: Option<String>,
}

impl NewPlace {
    /// As [`NewAddress::check`].
    pub fn check(self, at: &str, fields: &mut Fields) -> Option<Place> {
        let country = fields.take(&format!("{at}/country"), self.country.parse());
        let region = fields.take_optional(&format!("{at}/region"), self.region.map(|region| region.parse()));
        Some(Place { country: country?, region })
    }
}

impl NewAddress {
    /// The address, if every field of it is right; `fields` hears of those that are not, as fields of what stands `at`.
    pub fn check(self, at: &str, fields: &mut Fields) -> Option<Address> {
        let at = |field: &str| format!("{at}/{field}");
        let name = fields.take(&at("name"), self.name.parse());
        let line1 = fields.take(&at("line1"), self.line1.parse());
        let line2 = fields.take_optional(&at("line2"), self.line2.map(|text| text.parse()));
        let city = fields.take(&at("city"), self.city.parse());
        let region = fields.take_optional(&at("region"), self.region.map(|text| text.parse()));
        let postal_code = fields.take(&at("postal_code"), self.postal_code.parse());
        let country = fields.take(&at("country"), self.country.parse());
        Some(Address {
            name: name?,
            line1: line1?,
            line2,
            city: city?,
            region,
            postal_code: postal_code?,
            country: country?,
        })
    }
}
