//! Whose the SKUs are that this process has met.

use std::sync::{Arc, Mutex, PoisonError};

use waybill_domain::id::ProductId;
use waybill_domain::text::Sku;
use waybill_web::remembered::Remembered;

/// SKUs that are remembered, some hundred bytes of each.
const MOST: usize = 10_000;

/// Cheap to clone; clones share what they remember. A SKU that was deleted may belong to another product since: what is said
/// here is where to look first.
#[derive(Clone, Default)]
pub struct Owners(Arc<Mutex<Remembered<Sku, ProductId, MOST>>>);

impl Owners {
    pub fn of(&self, sku: &Sku) -> Option<ProductId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(sku).copied()
    }

    pub fn note(&self, sku: Sku, product: ProductId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(sku, product);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_skus_are_remembered_and_no_more() {
        let (owners, product) = (Owners::default(), "prd_00000000000000000000000001".parse().unwrap());
        let sku = |number: usize| -> Sku { format!("SKU-{number}").parse().unwrap() };
        (0..MOST).for_each(|number| owners.note(sku(number), product));
        owners.note(sku(0), product);
        assert_eq!(owners.of(&sku(MOST - 1)), Some(product));
        owners.note(sku(MOST), product);
        assert_eq!((owners.of(&sku(MOST)), owners.of(&sku(0))), (Some(product), None));
    }
}
