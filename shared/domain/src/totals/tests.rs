//! Baskets to reckon with, in euro cents.

mod choosing;
mod codes;
mod discounts;
mod kept;
mod limits;
mod promotions;
mod properties;
mod shipping;
mod taxes;

use uuid::Uuid;

use super::*;
use crate::id::ShippingMethodId;
use crate::money::MAX_PRICE;

/// Everything that a [`Basket`] borrows.
#[derive(Clone, Debug)]
struct Given {
    lines: Vec<BasketLine>,
    promotions: Vec<Promotion>,
    used_up: Vec<PromotionId>,
    codes: Vec<PromotionCode>,
    destination: Option<Place>,
    method: Option<ShippingMethod>,
    taxes: Taxes,
}

impl Given {
    fn basket(&self) -> Basket<'_> {
        Basket {
            currency: eur(0).currency,
            lines: &self.lines,
            promotions: &self.promotions,
            used_up: &self.used_up,
            codes: &self.codes,
            destination: self.destination.as_ref(),
            method: self.method.as_ref(),
            taxes: &self.taxes,
        }
    }

    fn totals(&self) -> Totals {
        totals(&self.basket(), at(0)).unwrap()
    }
}

fn lines<const N: usize>(lines: [(&str, i64, i64); N]) -> Given {
    Given {
        lines: lines.into_iter().map(|(sku, units, price)| line(sku, units, price)).collect(),
        promotions: Vec::new(),
        used_up: Vec::new(),
        codes: Vec::new(),
        destination: None,
        method: None,
        taxes: Taxes::default(),
    }
}

fn with<const N: usize>(given: Given, promotions: [Promotion; N]) -> Given {
    Given { promotions: promotions.into(), ..given }
}

fn eur(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn line(sku: &str, units: i64, price: i64) -> BasketLine {
    BasketLine {
        sku: sku.parse().unwrap(),
        product_id: ProductId::new(Uuid::from_u128(1)),
        category_ids: Vec::new(),
        quantity: units.try_into().unwrap(),
        unit_price: eur(price),
        weight_grams: 100,
        tax_class: "standard".parse().unwrap(),
    }
}

fn promotion_id(id: u128) -> PromotionId {
    PromotionId::new(Uuid::from_u128(id))
}

fn category_id(id: u128) -> CategoryId {
    CategoryId::new(Uuid::from_u128(id))
}

fn method_id(id: u128) -> ShippingMethodId {
    ShippingMethodId::new(Uuid::from_u128(id))
}

fn promotion(id: u128, effect: Effect) -> Promotion {
    Promotion {
        id: promotion_id(id),
        title: "Sale".parse().unwrap(),
        trigger: Trigger::Automatic,
        effect,
        scope: Scope::Everything,
        minimum: None,
        from: None,
        until: None,
        stacking: Stacking::Stacks,
        limit: None,
        limit_per_customer: None,
    }
}

fn percent(percent: i64) -> Effect {
    Effect::Percentage { off: points(percent * 100) }
}

fn fixed(amount: i64) -> Effect {
    Effect::Fixed { off: eur(amount) }
}

fn buy_get(buy: i64, get: i64, percent: i64) -> Effect {
    Effect::BuyXGetY { buy: buy.try_into().unwrap(), get: get.try_into().unwrap(), off: points(percent * 100) }
}

fn points(points: i64) -> BasisPoints {
    points.try_into().unwrap()
}

fn skus<const N: usize>(skus: [&str; N]) -> Scope {
    Scope::Skus { skus: skus.into_iter().map(|sku| sku.parse().unwrap()).collect() }
}

fn code(code: &str) -> PromotionCode {
    code.parse().unwrap()
}

fn by_code(text: &str, promotion: Promotion) -> Promotion {
    Promotion { trigger: Trigger::Code { code: code(text) }, ..promotion }
}

fn alone(promotion: Promotion) -> Promotion {
    Promotion { stacking: Stacking::Alone, ..promotion }
}

fn country(code: &str) -> Place {
    Place { country: code.parse().unwrap(), region: None }
}

fn region(code: &str, region: &str) -> Place {
    Place { region: Some(region.parse().unwrap()), ..country(code) }
}

/// Ships to Germany.
fn method(id: u128, tariff: Tariff) -> ShippingMethod {
    ShippingMethod { id: method_id(id), title: "Parcel".parse().unwrap(), places: vec![country("DE")], tariff }
}

fn by_weight<const N: usize>(bands: [(u32, i64); N]) -> Tariff {
    let band = |(up_to_grams, price)| WeightBand { up_to_grams, price: eur(price) };
    Tariff::Weight { bands: bands.into_iter().map(band).collect() }
}

fn by_value<const N: usize>(bands: [(i64, i64); N]) -> Tariff {
    let band = |(from, price)| ValueBand { from: eur(from), price: eur(price) };
    Tariff::Value { bands: bands.into_iter().map(band).collect() }
}

fn shipped_to_germany(given: Given, tariff: Tariff) -> Given {
    Given { destination: Some(country("DE")), method: Some(method(1, tariff)), ..given }
}

fn zone<const N: usize>(place: Place, rates: [(&str, i64); N]) -> TaxZone {
    let rate = |(class, points): (&str, i64)| (class.parse().unwrap(), points.try_into().unwrap());
    TaxZone { place, rates: rates.into_iter().map(rate).collect() }
}

/// What is taken off each line.
fn line_discounts(totals: &Totals) -> Vec<i64> {
    totals.lines.iter().map(|line| line.discount.amount).collect()
}

/// What each applied promotion takes off, by id.
fn applied(totals: &Totals) -> Vec<(PromotionId, i64)> {
    totals.discounts.applied.iter().map(|applied| (applied.promotion_id, applied.amount.amount)).collect()
}

fn outdone(totals: &Totals) -> Vec<PromotionId> {
    totals.discounts.outdone.iter().map(|outdone| outdone.promotion_id).collect()
}
