//! Units of an order, as requests name them.

use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::cart::{MAX_LINES, Quantity};
use waybill_domain::order::Units;
use waybill_domain::text::{Invalid, Sku};
use waybill_web::Fields;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUnits {
    #[schema(value_type = Sku)]
    sku: String,
    #[schema(value_type = Quantity)]
    quantity: i64,
}

impl NewUnits {
    /// The units of a request's `/lines`, each SKU once.
    pub fn check(lines: Vec<NewUnits>, fields: &mut Fields) -> Option<Vec<Units>> {
        if lines.is_empty() || lines.len() > MAX_LINES {
            fields.refuse("/lines", format!("must be 1 to {MAX_LINES} lines"));
            return None;
        }
        let mut units: Vec<Units> = Vec::new();
        for (place, line) in lines.into_iter().enumerate() {
            let sku: Option<Sku> = fields.take(&format!("/lines/{place}/sku"), line.sku.parse());
            let quantity = fields.take(&format!("/lines/{place}/quantity"), line.quantity.try_into());
            let (Some(sku), Some(quantity)) = (sku, quantity) else { continue };
            if units.iter().any(|line| line.sku == sku) {
                let twice: Result<(), _> = Err(Invalid::new("is given twice"));
                fields.take(&format!("/lines/{place}/sku"), twice);
            }
            units.push(Units { sku, quantity });
        }
        Some(units)
    }
}
