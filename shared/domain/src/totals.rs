//! What a cart comes to: its lines, discounts, shipping and tax, in one pure function.
//!
//! # Rounding
//!
//! One rule: half away from zero, to a whole minor unit, at exactly these points: a percentage off the eligible amount
//! of a promotion (which is then spread over its lines), and the tax on each line and on shipping, each by itself. Every
//! other amount is a sum of rounded parts.
//!
//! # Discounts
//!
//! - Promotions are applied in a fixed order: BuyXGetY, Percentage, Fixed, FreeShipping; within a kind by id. Each is
//!   computed on what those before it left. The order in which lines, promotions and codes are given changes nothing.
//! - What a promotion takes off is spread over its lines in proportion to what is left of each, to the last minor unit,
//!   by largest remainder, ties by SKU. No more is taken off a line than is left of it.
//! - BuyXGetY counts the units of all its lines together and whole sets of X + Y only. The units that are got are the
//!   cheapest by unit price, ties by SKU. What is left of a line is shared among its units evenly, to the last minor
//!   unit; the units that are got are those with the smaller shares.
//! - A minimum is compared with the undiscounted subtotal of the promotion's lines, so no discount can undo another.
//! - FreeShipping takes off all of the shipping; its scope says which lines must be there and count for its minimum.
//! - A promotion is in force from `from` on and before `until`.
//! - Promotions that stack are applied together; one that stands alone is applied without any other. The customer gets
//!   whichever gives the lower total; ties go to the stacking ones, then to the lower id.
//! - A promotion without which the total is lower is left out: it may push the goods under the edge of a shipping band,
//!   or move a rounding. So one promotion more never makes a total higher, as long as at most [`MAX_WEIGHED`] stack; of
//!   more, all or none are applied. Of equal totals that with more promotions wins, then that without the later ones.
//! - A combination with which the chosen method cannot ship loses against any with which it can.
//!
//! # Shipping
//!
//! A method serves the places that it names. A band by weight reaches up to its grams, inclusive; one by value starts at
//! its amount, inclusive, and is compared with the goods after discounts (without tax that is added on top).
//!
//! # Tax
//!
//! The zone that names the destination's region wins over the one that names its country; where there is none, nothing
//! is taxed. A class that the zone does not name is taxed as `standard`. Where prices include tax, the tax is the part
//! contained in the price, and the total does not change by it: prices are then the same in every zone.
//!
//! # Limits
//!
//! Nothing is ever negative. The total is the sum of the lines' totals and of shipping, and of the tax where prices
//! exclude it. 50 lines of 1,000 units at [`MAX_PRICE`](crate::money::MAX_PRICE) stay far from overflow.

mod answer;
mod choice;
mod discount;
mod eligible;
mod promotion;
pub(crate) mod rounding;
mod shipping;
mod tax;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use answer::{AppliedPromotion, CodeRefusal, Discounts, LineDiscount, LineTotals, Outdone, RefusedCode, Totals};
pub use choice::MAX_WEIGHED;
pub use promotion::{BasisPoints, Effect, MAX_USES, Promotion, Scope, Stacking, Trigger, UseLimit};
pub use shipping::{
    CannotShip, Shipping, ShippingMethod, ShippingOffer, Tariff, ValueBand, WeightBand, shipping_offers,
};
pub use tax::{Prices, RateTax, ShippingTax, Tax, TaxRate, TaxZone, Taxes};

use crate::cart::Quantity;
use crate::id::{CategoryId, ProductId, PromotionId};
use crate::money::{Currency, Money, MoneyError};
use crate::order::{Address, Country};
use crate::text::{Line, PromotionCode, Sku, TaxClass};

pub type Region = Line<1, 80>;

/// All that a cart's totals depend on, but for the time.
#[derive(Clone, Copy, Debug)]
pub struct Basket<'a> {
    /// Of every amount that is given and answered.
    pub currency: Currency,
    /// One per SKU, in any order.
    pub lines: &'a [BasketLine],
    /// Those that may apply, in any order, each once; others of the shop may be among them.
    pub promotions: &'a [Promotion],
    /// Promotions that have been used as often as they, or this customer, may.
    pub used_up: &'a [PromotionId],
    /// As the customer entered them, known or not.
    pub codes: &'a [PromotionCode],
    /// None while the customer has not said: shipping and tax are then unknown.
    pub destination: Option<&'a Place>,
    /// None while the customer has not chosen.
    pub method: Option<&'a ShippingMethod>,
    pub taxes: &'a Taxes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasketLine {
    pub sku: Sku,
    pub product_id: ProductId,
    /// The category that the product stands in, and all above it.
    pub category_ids: Vec<CategoryId>,
    pub quantity: Quantity,
    pub unit_price: Money,
    /// Of one unit, packed, in grams.
    pub weight_grams: u32,
    pub tax_class: TaxClass,
}

/// A country, or one region of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    pub country: Country,
    /// Compared without regard to the case of ASCII letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub region: Option<Region>,
}

impl Place {
    /// Whether `other` is this place or lies in it. A country does not lie in its region: who has not told the region
    /// is not in it.
    pub fn covers(&self, other: &Place) -> bool {
        let same_region = match (&self.region, &other.region) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(region), Some(other)) => region.as_str().eq_ignore_ascii_case(other.as_str()),
        };
        self.country == other.country && same_region
    }
}

impl From<&Address> for Place {
    fn from(address: &Address) -> Place {
        Place { country: address.country.clone(), region: address.region.clone() }
    }
}

/// What a basket comes to at `now`, by the rules at the head of this module.
///
/// A code that brings nothing, a destination that is unknown and a method that cannot ship are answered, never errors.
/// Refused are amounts in another currency than the basket's, negative amounts, and totals beyond 64 bits.
pub fn totals(basket: &Basket<'_>, now: Timestamp) -> Result<Totals, MoneyError> {
    let goods = discount::priced(basket)?;
    let verdict = eligible::judge(basket, &goods, now)?;
    let outcome = choice::best(basket, &goods, &verdict.claims)?;
    answer::answer(basket, &verdict, outcome)
}
