//! What shipping costs by a method, and which methods a basket can be shipped by.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::discount::Remaining;
use super::rounding::{sum, units};
use super::{Basket, Place, totals};
use crate::id::ShippingMethodId;
use crate::money::{Money, MoneyError};
use crate::product::Title;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShippingMethod {
    pub id: ShippingMethodId,
    pub title: Title,
    /// Where it delivers to.
    pub places: Vec<Place>,
    pub tariff: Tariff,
}

/// What shipping costs, by bands in any order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Tariff {
    /// The lowest band that the weight of all units does not exceed. What is heavier than every band is not shipped.
    Weight {
        #[schema(min_items = 1, max_items = 20)]
        bands: Vec<WeightBand>,
    },
    /// The highest band that the goods after discounts attain. What is below every band is not shipped.
    Value {
        #[schema(min_items = 1, max_items = 20)]
        bands: Vec<ValueBand>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WeightBand {
    /// Inclusive, in grams.
    #[schema(minimum = 1, maximum = 1_000_000_000, example = 1_000)]
    pub up_to_grams: u32,
    pub price: Money,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ValueBand {
    /// Inclusive.
    pub from: Money,
    pub price: Money,
}

/// What shipping a basket costs, as far as that can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Shipping {
    /// The basket is empty.
    NothingToShip,
    DestinationUnknown,
    MethodNotChosen,
    /// Another method may do.
    CannotShip {
        method_id: ShippingMethodId,
        reason: CannotShip,
    },
    Priced {
        method_id: ShippingMethodId,
        title: Title,
        /// Before discounts.
        price: Money,
        discount: Money,
        /// The price less the discount.
        charge: Money,
        /// On the charge; contained in it where prices include tax.
        tax: Money,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CannotShip {
    DestinationNotServed,
    /// The basket is too heavy or worth too little for every band of the method.
    OutsideEveryBand,
}

/// A method that a basket can be shipped by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShippingOffer {
    pub method_id: ShippingMethodId,
    pub title: Title,
    /// Before discounts.
    pub price: Money,
    /// What the customer would pay for shipping.
    pub charge: Money,
    /// What the whole basket would come to.
    pub total: Money,
}

/// Those of `methods` that a basket can be shipped by, the cheapest charge first, then by id; none while the destination
/// is unknown or the basket is empty. Each says what [`totals`] would answer with that method chosen, so the one that is
/// chosen in `basket` plays no part. Refuses what `totals` refuses.
pub fn shipping_offers(
    basket: &Basket<'_>,
    methods: &[ShippingMethod],
    now: Timestamp,
) -> Result<Vec<ShippingOffer>, MoneyError> {
    let mut offers = Vec::new();
    for method in methods {
        let totals = totals(&Basket { method: Some(method), ..*basket }, now)?;
        if let Shipping::Priced { method_id, title, price, charge, .. } = totals.shipping {
            offers.push(ShippingOffer { method_id, title, price, charge, total: totals.total });
        }
    }
    offers.sort_by_key(|offer| (offer.charge.amount, offer.method_id));
    Ok(offers)
}

/// [`Shipping`] before discount and tax.
pub(super) enum Quoted<'a> {
    NothingToShip,
    DestinationUnknown,
    MethodNotChosen,
    Impossible { method: &'a ShippingMethod, reason: CannotShip },
    Priced { method: &'a ShippingMethod, price: i64 },
}

impl Quoted<'_> {
    /// 0 unless it is priced.
    pub fn price(&self) -> i64 {
        match self {
            Quoted::Priced { price, .. } => *price,
            Quoted::NothingToShip
            | Quoted::DestinationUnknown
            | Quoted::MethodNotChosen
            | Quoted::Impossible { .. } => 0,
        }
    }

    pub fn is_priced(&self) -> bool {
        matches!(self, Quoted::Priced { .. })
    }
}

pub(super) fn quote<'a>(basket: &Basket<'a>, goods: &[Remaining<'_>]) -> Result<Quoted<'a>, MoneyError> {
    let bands = match basket.method {
        Some(method) => checked(&method.tariff, basket)?,
        None => Vec::new(),
    };
    if goods.is_empty() {
        return Ok(Quoted::NothingToShip);
    }
    let Some(destination) = basket.destination else { return Ok(Quoted::DestinationUnknown) };
    let Some(method) = basket.method else { return Ok(Quoted::MethodNotChosen) };
    if !method.places.iter().any(|place| place.covers(destination)) {
        return Ok(Quoted::Impossible { method, reason: CannotShip::DestinationNotServed });
    }
    let band = match method.tariff {
        Tariff::Weight { .. } => {
            let grams = weight(goods)?;
            bands.into_iter().filter(|(up_to, _)| grams <= *up_to).min()
        }
        Tariff::Value { .. } => {
            let value = sum(goods.iter().map(|goods| goods.left))?;
            bands.into_iter().filter(|(from, _)| *from <= value).min_by_key(|(from, price)| (-from, *price))
        }
    };
    Ok(match band {
        Some((_, price)) => Quoted::Priced { method, price },
        None => Quoted::Impossible { method, reason: CannotShip::OutsideEveryBand },
    })
}

/// The bands' edges (grams or minor units) and prices. Of two bands with the same edge the cheaper counts.
fn checked(tariff: &Tariff, basket: &Basket<'_>) -> Result<Vec<(i64, i64)>, MoneyError> {
    let amount = |money| units(money, basket.currency);
    match tariff {
        Tariff::Weight { bands } => {
            bands.iter().map(|band| Ok((band.up_to_grams.into(), amount(band.price)?))).collect()
        }
        Tariff::Value { bands } => bands.iter().map(|band| Ok((amount(band.from)?, amount(band.price)?))).collect(),
    }
}

fn weight(goods: &[Remaining<'_>]) -> Result<i64, MoneyError> {
    sum(goods.iter().map(|goods| i64::from(goods.line.weight_grams) * i64::from(goods.line.quantity.get())))
}
