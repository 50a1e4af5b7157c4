//! What a customer says of a cart beside its lines: codes, where it goes, and how.

use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::cart::MAX_CODES;
use waybill_domain::id::ShippingMethodId;
use waybill_domain::pricing::Pricing;
use waybill_domain::text::PromotionCode;
use waybill_storage::carts::CartWishes;
use waybill_web::{Fields, NewPlace, Problem, given};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CartChange {
    /// All codes of promotions.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<PromotionCode>>, max_items = 10, required = false)]
    codes: Option<Option<Vec<String>>>,
    /// Where it is to go. The address of the order has to lie there.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<NewPlace>, required = false)]
    destination: Option<Option<NewPlace>>,
    /// One of the cart's `shipping_offers`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ShippingMethodId>, required = false)]
    shipping_method_id: Option<Option<String>>,
}

impl CartChange {
    pub fn check(self, pricing: &Pricing) -> Result<CartWishes, Problem> {
        let mut fields = Fields::default();
        let codes = self.codes.map(|codes| checked_codes(&mut fields, codes.unwrap_or_default()));
        let destination =
            self.destination.map(|place| place.and_then(|place| place.check("/destination", &mut fields)));
        let shipping_method_id = self.shipping_method_id.map(|id| {
            let id: ShippingMethodId = fields.take("/shipping_method_id", id?.parse())?;
            if !pricing.methods.iter().any(|method| method.id == id) {
                fields.refuse("/shipping_method_id", "there is no such shipping method");
            }
            Some(id)
        });
        fields.finish(|| Some(CartWishes { codes, destination, shipping_method_id }))
    }
}

/// Each code once.
fn checked_codes(fields: &mut Fields, given: Vec<String>) -> Vec<PromotionCode> {
    if given.len() > MAX_CODES {
        fields.refuse("/codes", format!("must have at most {MAX_CODES} entries"));
    }
    let mut codes: Vec<PromotionCode> = Vec::new();
    for (place, code) in given.into_iter().take(MAX_CODES).enumerate() {
        let code = fields.take(&format!("/codes/{place}"), code.parse());
        codes.extend(code.filter(|code| !codes.contains(code)));
    }
    codes
}
