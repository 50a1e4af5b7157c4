//! Units of an order's lines: what is shipped, returned or paid back of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Order;
use crate::cart::Quantity;
use crate::text::Sku;

/// Units of a line of the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Units {
    pub sku: Sku,
    pub quantity: Quantity,
}

/// Why units cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitsRefused {
    #[error("{0} is not in the order")]
    NotOrdered(Sku),
    #[error("only {left} units of {sku} are left")]
    TooMany { sku: Sku, left: u32 },
}

/// How many units of a SKU these are together.
pub(super) fn count(units: &[Units], sku: &Sku) -> u32 {
    let of = units.iter().filter(|units| units.sku == *sku);
    of.fold(0, |sum, units| sum.saturating_add(units.quantity.get()))
}

impl Order {
    /// All units that were ordered.
    pub(super) fn units(&self) -> Vec<Units> {
        self.lines.iter().map(|line| Units { sku: line.sku.clone(), quantity: line.quantity }).collect()
    }

    /// What was ordered without what has `gone`.
    pub(super) fn units_left(&self, gone: &[Units]) -> Vec<Units> {
        let left = |line: Units| {
            let left = line.quantity.get().saturating_sub(count(gone, &line.sku));
            i64::from(left).try_into().ok().map(|quantity| Units { quantity, ..line })
        };
        self.units().into_iter().filter_map(left).collect()
    }

    /// That all of these, of the lines of the order, are among what there was without what has `gone`.
    pub(super) fn check_left(&self, wanted: &[Units], there: &[Units], gone: &[Units]) -> Result<(), UnitsRefused> {
        for Units { sku, .. } in wanted {
            if !self.lines.iter().any(|line| line.sku == *sku) {
                return Err(UnitsRefused::NotOrdered(sku.clone()));
            }
            let left = count(there, sku).saturating_sub(count(gone, sku));
            if count(wanted, sku) > left {
                return Err(UnitsRefused::TooMany { sku: sku.clone(), left });
            }
        }
        Ok(())
    }
}
