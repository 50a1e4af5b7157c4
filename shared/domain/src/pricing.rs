//! What the shop takes off, how it ships and how it taxes, and what a cart comes to by that.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cart::{Cart, PricedCart};
use crate::category::Tree;
use crate::id::PromotionId;
use crate::money::{Currency, MoneyError};
use crate::product::Offer;
use crate::text::Sku;
use crate::totals::{
    self, Basket, BasketLine, Effect, Promotion, Shipping, ShippingMethod, ShippingOffer, Tariff, Taxes, Totals,
    Trigger, UseLimit,
};

/// Promotions that a shop has at a time.
pub const MAX_PROMOTIONS: usize = 100;
pub const MAX_METHODS: usize = 50;
pub const MAX_ZONES: usize = 300;
/// Categories, products or SKUs that one promotion names.
pub const MAX_SCOPE: usize = 100;
/// Places that one shipping method serves.
pub const MAX_PLACES: usize = 50;
/// Bands of one tariff.
pub const MAX_BANDS: usize = 20;
/// Tax classes of one zone.
pub const MAX_RATES: usize = 10;
/// Grams of a tariff's highest band: a thousand tonnes.
pub const MAX_BAND_GRAMS: u32 = 1_000_000_000;
/// Promotions that one cart is reckoned with. Two counters for each, 50 offers, the order and the cart stay below
/// DynamoDB's 100 writes of one transaction, and what each took off each of 50 lines below its 400 KB an item.
pub const MAX_CONSIDERED: usize = 20;

/// The shop's own settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pricing {
    pub promotions: Vec<Promotion>,
    pub methods: Vec<ShippingMethod>,
    pub taxes: Taxes,
}

/// How often a promotion has been used: by orders, and by those of the customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    pub in_all: u32,
    pub by_customer: u32,
}

/// A promotion that an order uses, which may be used so often only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionUse {
    pub promotion_id: PromotionId,
    /// What its customer knows it by: its code, or its title.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<UseLimit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_per_customer: Option<UseLimit>,
}

/// A cart's lines that have a price, and the promotions that it is reckoned with: what is known before anybody has
/// looked how often those were used.
#[derive(Clone, Debug)]
pub struct Reckoning<'a> {
    pricing: &'a Pricing,
    cart: &'a Cart,
    lines: Vec<BasketLine>,
    promotions: Vec<Promotion>,
    now: Timestamp,
}

/// What a cart comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reckoned {
    pub totals: Totals,
    /// The methods that the cart can be shipped by; none while its destination is unknown.
    pub shipping_offers: Vec<ShippingOffer>,
    /// What an order needs and the customer has not said.
    pub missing: Vec<Missing>,
    /// Those that took something off and may be used so often only.
    pub uses: Vec<PromotionUse>,
    /// When the first of the applied promotions ends.
    pub ends_at: Option<Timestamp>,
}

/// What is missing from a cart's total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// A shop that ships or taxes has to know where to.
    Destination,
    /// The shop ships or taxes differently within the destination's country.
    Region,
    /// None is chosen, or one that cannot ship this.
    ShippingMethod,
}

impl Pricing {
    /// Whether any promotion depends on where products stand.
    pub fn is_by_category(&self) -> bool {
        self.promotions.iter().any(|promotion| promotion.scope.is_by_category())
    }

    /// Looks at a cart. Amounts in another currency than the cart's mean nothing to it: promotions and methods with such
    /// are not there.
    pub fn look_at<'a>(
        &'a self,
        cart: &'a Cart,
        priced: &PricedCart,
        offers: &HashMap<Sku, Offer>,
        tree: &Tree,
        now: Timestamp,
    ) -> Reckoning<'a> {
        let lines = priced.lines.iter().filter_map(|line| line.standing.priced()).filter_map(|line| {
            let offer = offers.get(&line.sku)?;
            let above = offer.category_ids.iter().flat_map(|id| tree.ancestors(*id));
            Some(BasketLine {
                sku: line.sku.clone(),
                product_id: line.product_id,
                category_ids: offer.category_ids.iter().copied().chain(above).collect(),
                quantity: line.quantity,
                unit_price: line.unit_price,
                weight_grams: offer.weight,
                tax_class: offer.tax_class.clone(),
            })
        });
        let lines: Vec<_> = lines.collect();
        let promotions = self.considered(cart, &lines, now);
        Reckoning { pricing: self, cart, lines, promotions, now }
    }

    /// Those that the cart is reckoned with: those of its codes first, then those that need no code, are in force and
    /// are about one of its lines; of either the oldest first, and [`MAX_CONSIDERED`] at most.
    fn considered(&self, cart: &Cart, lines: &[BasketLine], now: Timestamp) -> Vec<Promotion> {
        let is_meant = |promotion: &&Promotion| match &promotion.trigger {
            Trigger::Code { code } => cart.codes.contains(code),
            Trigger::Automatic => {
                promotion.from.is_none_or(|from| from <= now)
                    && promotion.until.is_none_or(|until| now < until)
                    && lines.iter().any(|line| promotion.scope.includes(line))
            }
        };
        let known = self.promotions.iter().filter(|promotion| speaks(promotion, cart.currency));
        let mut promotions: Vec<_> = known.filter(is_meant).cloned().collect();
        promotions.sort_by_key(|promotion| (promotion.code().is_none(), promotion.id));
        promotions.truncate(MAX_CONSIDERED);
        promotions
    }

    fn methods_in(&self, currency: Currency) -> impl Iterator<Item = &ShippingMethod> {
        self.methods.iter().filter(move |method| match &method.tariff {
            Tariff::Weight { bands } => bands.iter().all(|band| band.price.currency == currency),
            Tariff::Value { bands } => {
                bands.iter().all(|band| band.price.currency == currency && band.from.currency == currency)
            }
        })
    }
}

/// Whether all of a promotion's amounts are in this currency.
fn speaks(promotion: &Promotion, currency: Currency) -> bool {
    let off = match promotion.effect {
        Effect::Fixed { off } => Some(off),
        Effect::BuyXGetY { .. } | Effect::Percentage { .. } | Effect::FreeShipping => None,
    };
    off.iter().chain(&promotion.minimum).all(|amount| amount.currency == currency)
}

impl Reckoning<'_> {
    /// The promotions whose uses have to be known.
    pub fn limited(&self) -> Vec<PromotionId> {
        self.promotions.iter().filter(|promotion| promotion.is_limited()).map(|promotion| promotion.id).collect()
    }

    /// What the cart comes to, given how often the limited promotions were used.
    pub fn reckon(&self, uses: &HashMap<PromotionId, Uses>) -> Result<Reckoned, MoneyError> {
        let reached = |limit: Option<UseLimit>, uses: u32| limit.is_some_and(|limit| uses >= limit.get());
        let used_up = self.promotions.iter().filter(|promotion| {
            let Uses { in_all, by_customer } = uses.get(&promotion.id).copied().unwrap_or_default();
            reached(promotion.limit, in_all) || reached(promotion.limit_per_customer, by_customer)
        });
        let used_up: Vec<_> = used_up.map(|promotion| promotion.id).collect();
        let destination = self.cart.destination.as_ref();
        let methods: Vec<_> = self.pricing.methods_in(self.cart.currency).collect();
        let chosen = self.cart.shipping_method_id;
        let basket = Basket {
            currency: self.cart.currency,
            lines: &self.lines,
            promotions: &self.promotions,
            used_up: &used_up,
            codes: &self.cart.codes,
            destination,
            // One that was deleted since is not chosen any more.
            method: methods.iter().copied().find(|method| Some(method.id) == chosen),
            taxes: &self.pricing.taxes,
        };
        let totals = totals::totals(&basket, self.now)?;
        // Asking only those that serve the place saves the others' totals.
        let serving = methods.iter().filter(|method| {
            destination.is_some_and(|destination| method.places.iter().any(|place| place.covers(destination)))
        });
        let serving: Vec<ShippingMethod> = serving.map(|method| (*method).clone()).collect();
        let shipping_offers = totals::shipping_offers(&basket, &serving, self.now)?;
        let applied = |promotion: &&Promotion| {
            let mut applied = totals.discounts.applied.iter();
            applied.any(|applied| applied.promotion_id == promotion.id && applied.amount.amount > 0)
        };
        let applied: Vec<_> = self.promotions.iter().filter(applied).collect();
        let uses = applied.iter().filter(|promotion| promotion.is_limited()).map(|promotion| PromotionUse {
            promotion_id: promotion.id,
            name: promotion.code().map_or_else(|| promotion.title.to_string(), ToString::to_string),
            limit: promotion.limit,
            limit_per_customer: promotion.limit_per_customer,
        });
        Ok(Reckoned {
            shipping_offers,
            missing: self.missing(&totals),
            uses: uses.collect(),
            ends_at: applied.iter().filter_map(|promotion| promotion.until).min(),
            totals,
        })
    }

    fn missing(&self, totals: &Totals) -> Vec<Missing> {
        let Pricing { methods, taxes, .. } = self.pricing;
        if methods.is_empty() && taxes.zones.is_empty() {
            return Vec::new();
        }
        let Some(destination) = &self.cart.destination else { return vec![Missing::Destination] };
        let mut places =
            methods.iter().flat_map(|method| &method.places).chain(taxes.zones.iter().map(|zone| &zone.place));
        // Or whoever does not tell their region would be shipped to and taxed as if they lived in none.
        let needs_region = destination.region.is_none()
            && places.any(|place| place.country == destination.country && place.region.is_some());
        let is_shipped =
            methods.is_empty() || matches!(totals.shipping, Shipping::Priced { .. } | Shipping::NothingToShip);
        let missing = [(needs_region, Missing::Region), (!is_shipped, Missing::ShippingMethod)];
        missing.into_iter().filter_map(|(is_missing, missing)| is_missing.then_some(missing)).collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::cart::{self, CartLine};
    use crate::id::{CartId, ProductId, ShippingMethodId};
    use crate::money::Money;
    use crate::product::Price;
    use crate::stock::Selling;
    use crate::totals::{Place, Scope, Stacking, TaxZone, WeightBand};

    fn usd(amount: i64) -> Money {
        Money::new(amount, "USD".parse().unwrap())
    }

    fn eur(amount: i64) -> Money {
        Money::new(amount, "EUR".parse().unwrap())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// One cent off, without a code.
    fn promotion(id: usize) -> Promotion {
        Promotion {
            id: PromotionId::new(Uuid::from_u128(id as u128)),
            title: "Sale".parse().unwrap(),
            trigger: Trigger::Automatic,
            effect: Effect::Fixed { off: usd(1) },
            scope: Scope::Everything,
            minimum: None,
            from: None,
            until: None,
            stacking: Stacking::Stacks,
            limit: None,
            limit_per_customer: None,
        }
    }

    fn by_code(id: usize, code: &str) -> Promotion {
        Promotion { trigger: Trigger::Code { code: code.parse().unwrap() }, ..promotion(id) }
    }

    fn country(code: &str) -> Place {
        Place { country: code.parse().unwrap(), region: None }
    }

    fn region(code: &str, region: &str) -> Place {
        Place { region: Some(region.parse().unwrap()), ..country(code) }
    }

    fn method(place: Place, price: Money) -> ShippingMethod {
        ShippingMethod {
            id: ShippingMethodId::new(Uuid::nil()),
            title: "Parcel".parse().unwrap(),
            places: vec![place],
            tariff: Tariff::Weight { bands: vec![WeightBand { up_to_grams: 1_000, price }] },
        }
    }

    /// One unit at 10 dollars.
    fn cart() -> Cart {
        let line = CartLine { product_id: ProductId::new(Uuid::nil()), quantity: 1.try_into().unwrap(), price: None };
        Cart {
            id: CartId::new(Uuid::nil()),
            version: 1,
            currency: usd(0).currency,
            lines: [("TEA".parse().unwrap(), line)].into(),
            codes: Vec::new(),
            destination: None,
            shipping_method_id: None,
            expires_at: 0,
        }
    }

    fn reckoned(pricing: &Pricing, cart: &Cart, uses: &HashMap<PromotionId, Uses>) -> Reckoned {
        let offer = Offer {
            sku: "TEA".parse().unwrap(),
            product_id: ProductId::new(Uuid::nil()),
            title: "Tea".parse().unwrap(),
            prices: [(usd(0).currency, Price { amount: 1_000, compare_at: None })].into(),
            available: 9,
            active: true,
            weight: 100,
            tax_class: "standard".parse().unwrap(),
            category_ids: Vec::new(),
            ordered: 0,
            selling: Selling::default(),
            low_stock_at: None,
            spread: None,
        };
        let offers = HashMap::from([(offer.sku.clone(), offer)]);
        let priced = cart::price(cart, &offers).unwrap();
        pricing.look_at(cart, &priced, &offers, &Tree::default(), at(100)).reckon(uses).unwrap()
    }

    fn applied(pricing: &Pricing, cart: &Cart) -> Vec<PromotionId> {
        let totals = reckoned(pricing, cart, &HashMap::new()).totals;
        totals.discounts.applied.iter().map(|applied| applied.promotion_id).collect()
    }

    #[test]
    fn a_cart_is_reckoned_with_its_codes_first_and_then_the_oldest_that_are_about_it() {
        let mut promotions: Vec<_> = (1..=MAX_CONSIDERED + 5).map(promotion).collect();
        promotions.push(by_code(99, "CODE"));
        let ended = Promotion { until: Some(at(100)), ..promotion(0) };
        let other = Promotion { scope: Scope::Skus { skus: vec!["CUP".parse().unwrap()] }, ..promotion(0) };
        let early = Promotion { from: Some(at(101)), ..promotion(0) };
        promotions.extend([ended, other, early]);
        let pricing = Pricing { promotions, ..Pricing::default() };
        let ids = |ids: Vec<usize>| ids.into_iter().map(|id| promotion(id).id).collect::<Vec<_>>();
        assert_eq!(applied(&pricing, &cart()), ids((1..=MAX_CONSIDERED).collect()));
        let with_code = Cart { codes: vec!["CODE".parse().unwrap()], ..cart() };
        assert_eq!(applied(&pricing, &with_code), ids((1..MAX_CONSIDERED).chain([99]).collect()));
    }

    #[test]
    fn amounts_in_another_currency_mean_nothing_to_a_cart() {
        let percentage = Effect::Percentage { off: 100.try_into().unwrap() };
        let pricing = Pricing {
            promotions: vec![
                Promotion { effect: Effect::Fixed { off: eur(1) }, ..promotion(1) },
                Promotion { effect: percentage.clone(), minimum: Some(eur(1)), ..promotion(2) },
                Promotion { effect: percentage, ..promotion(3) },
            ],
            methods: vec![method(country("US"), eur(490))],
            ..Pricing::default()
        };
        let there =
            Cart { destination: Some(country("US")), shipping_method_id: Some(pricing.methods[0].id), ..cart() };
        assert_eq!(applied(&pricing, &there), [promotion(3).id]);
        let reckoned = reckoned(&pricing, &there, &HashMap::new());
        assert_eq!((reckoned.shipping_offers, reckoned.missing), (vec![], vec![Missing::ShippingMethod]));
    }

    #[test]
    fn what_an_order_needs_depends_on_what_the_shop_has_set_up() {
        let parcel = method(country("US"), usd(490));
        let zone = |place| TaxZone { place, rates: Default::default() };
        let taxed = |zones| Taxes { zones, ..Taxes::default() };
        let plain = Pricing::default();
        let ships = Pricing { methods: vec![parcel.clone()], ..Pricing::default() };
        let taxes = Pricing { taxes: taxed(vec![zone(country("US"))]), ..Pricing::default() };
        let by_region = Pricing { taxes: taxed(vec![zone(region("US", "CA"))]), ..ships.clone() };
        let missing = |pricing: &Pricing, destination: Option<Place>, chooses: bool| {
            let cart = Cart { destination, shipping_method_id: chooses.then_some(parcel.id), ..cart() };
            reckoned(pricing, &cart, &HashMap::new()).missing
        };
        assert_eq!(missing(&plain, None, false), []);
        for pricing in [&ships, &taxes, &by_region] {
            assert_eq!(missing(pricing, None, true), [Missing::Destination]);
        }
        assert_eq!(missing(&taxes, Some(country("FR")), false), []);
        assert_eq!(missing(&ships, Some(country("US")), false), [Missing::ShippingMethod]);
        assert_eq!(missing(&ships, Some(country("FR")), true), [Missing::ShippingMethod]);
        assert_eq!(missing(&ships, Some(country("US")), true), []);
        assert_eq!(missing(&by_region, Some(country("US")), true), [Missing::Region]);
        assert_eq!(missing(&by_region, Some(region("US", "NV")), true), []);
    }

    #[test]
    fn a_promotion_is_used_up_at_its_limit_and_used_only_where_it_takes_something_off() {
        let limit = |uses: i64| Some(uses.try_into().unwrap());
        let limited = Promotion { limit: limit(3), limit_per_customer: limit(2), ..promotion(1) };
        let free = Promotion { effect: Effect::FreeShipping, limit: limit(9), ..promotion(2) };
        let ending = Promotion { until: Some(at(200)), ..promotion(3) };
        let pricing = Pricing { promotions: vec![limited.clone(), free, ending], ..Pricing::default() };
        let used = |in_all, by_customer| {
            let reckoned = reckoned(&pricing, &cart(), &HashMap::from([(limited.id, Uses { in_all, by_customer })]));
            (reckoned.totals.total.amount, reckoned.uses.len(), reckoned.ends_at)
        };
        assert_eq!(used(2, 1), (998, 1, Some(at(200))));
        for (in_all, by_customer) in [(3, 0), (2, 2), (4, 4)] {
            assert_eq!(used(in_all, by_customer), (999, 0, Some(at(200))), "{in_all} {by_customer}");
        }
    }
}
