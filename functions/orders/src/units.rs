//! Units of an order, as requests name them.

use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::cart::{MAX_LINES, Quantity};
use waybill_domain::order::Units;
use waybill_domain::text::Sku;
use waybill_web::Fields;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUnits {
    #[schema(value_type = Sku)]
    sku: String,
    #[schema(value_type = Quantity)]
    quantity: i64,
}

/// Units of the line that stands `at` a place of the request.
pub fn units(sku: &str, quantity: i64, at: &str, fields: &mut Fields) -> Option<Units> {
    let sku: Option<Sku> = fields.take(&format!("{at}/sku"), sku.parse());
    let quantity = fields.take(&format!("{at}/quantity"), quantity.try_into());
    Some(Units { sku: sku?, quantity: quantity? })
}

impl NewUnits {
    /// The units of a request's `/lines`, each SKU once.
    pub fn check(lines: Vec<NewUnits>, fields: &mut Fields) -> Option<Vec<Units>> {
        if lines.is_empty() || lines.len() > MAX_LINES {
            fields.refuse("/lines", format!("must be 1 to {MAX_LINES} lines"));
            return None;
        }
        let mut checked: Vec<Units> = Vec::new();
        for (place, NewUnits { sku, quantity }) in lines.into_iter().enumerate() {
            let Some(line) = units(&sku, quantity, &format!("/lines/{place}"), fields) else { continue };
            if checked.iter().any(|before| before.sku == line.sku) {
                fields.refuse(&format!("/lines/{place}/sku"), "is given twice");
            }
            checked.push(line);
        }
        Some(checked)
    }
}
