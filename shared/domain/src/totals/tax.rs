//! The tax on lines and shipping.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::discount::Remaining;
use super::rounding::{WHOLE, part, sum};
use super::{Basket, Place};
use crate::money::{Money, MoneyError};
use crate::schema::{self, described};
use crate::text::{Invalid, TaxClass};

/// How the shop taxes; unless it says so, not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Taxes {
    pub prices: Prices,
    pub shipping: ShippingTax,
    pub zones: Vec<TaxZone>,
}

/// What the shop's prices, for goods and for shipping, say about tax.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Prices {
    /// Tax is the part of them that the destination's rate says; they are the same in every zone.
    #[default]
    IncludeTax,
    /// Tax is added to them.
    ExcludeTax,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ShippingTax {
    #[default]
    Untaxed,
    Taxed {
        class: TaxClass,
    },
}

/// What is taxed at which rate in one place. Of two zones for the same place the first listed counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaxZone {
    pub place: Place,
    /// A class that is not named is taxed as `standard`; if that is not named either, not at all.
    pub rates: BTreeMap<TaxClass, TaxRate>,
}

/// In basis points: 0 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "i64")]
pub struct TaxRate(u16);

described!(TaxRate, schema::number("Hundredths of a percent: 1,900 is 19 %.", 0, 10_000, 1_900));

impl TaxRate {
    pub const ZERO: TaxRate = TaxRate(0);

    pub fn get(self) -> u16 {
        self.0
    }

    /// The tax contained in an amount, or to be added to it.
    pub(crate) fn on(self, amount: i64, prices: Prices) -> Result<i64, MoneyError> {
        let rate = i64::from(self.0);
        match prices {
            Prices::IncludeTax => part(amount, rate, WHOLE + rate),
            Prices::ExcludeTax => part(amount, rate, WHOLE),
        }
    }
}

impl TryFrom<i64> for TaxRate {
    type Error = Invalid;

    fn try_from(points: i64) -> Result<Self, Invalid> {
        match u16::try_from(points) {
            Ok(points) if points <= 10_000 => Ok(TaxRate(points)),
            _ => Err(Invalid::new("must be from 0 to 10000 basis points")),
        }
    }
}

impl From<TaxRate> for u16 {
    fn from(rate: TaxRate) -> u16 {
        rate.0
    }
}

/// The tax on a basket, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Tax {
    DestinationUnknown,
    Known {
        /// On all lines, and on shipping once it is priced.
        amount: Money,
        prices: Prices,
        /// In the order of the rates, each that applies to something, 0 among them.
        by_rate: Vec<RateTax>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RateTax {
    pub rate: TaxRate,
    /// What is taxed at this rate, without the tax.
    pub net: Money,
    pub amount: Money,
}

/// The tax on each part of a basket, in minor units.
pub(super) struct Levied {
    pub amount: i64,
    /// In the order of the lines.
    pub lines: Vec<i64>,
    pub shipping: i64,
    /// Rate, net and tax.
    pub by_rate: Vec<(TaxRate, i64, i64)>,
}

/// None while the destination is unknown. `charge` is what shipping costs, once it is priced.
pub(super) fn levy(
    basket: &Basket<'_>,
    goods: &[Remaining<'_>],
    charge: Option<i64>,
) -> Result<Option<Levied>, MoneyError> {
    let Some(destination) = basket.destination else { return Ok(None) };
    let zone = basket.taxes.zone(destination);
    let mut by_rate: BTreeMap<TaxRate, (i64, i64)> = BTreeMap::new();
    let mut tax = |amount: i64, class: &TaxClass| {
        let rate = zone.map_or(TaxRate::ZERO, |zone| zone.rate(class));
        let tax = rate.on(amount, basket.taxes.prices)?;
        let net = match basket.taxes.prices {
            Prices::IncludeTax => amount - tax,
            Prices::ExcludeTax => amount,
        };
        let (nets, taxes) = by_rate.entry(rate).or_default();
        *nets = sum([*nets, net])?;
        *taxes = sum([*taxes, tax])?;
        Ok(tax)
    };
    let lines = goods.iter().map(|goods| tax(goods.left, &goods.line.tax_class)).collect::<Result<Vec<_>, _>>()?;
    let shipping = match (charge, &basket.taxes.shipping) {
        (Some(charge), ShippingTax::Taxed { class }) => tax(charge, class)?,
        (Some(_), ShippingTax::Untaxed) | (None, _) => 0,
    };
    let amount = sum(lines.iter().copied().chain([shipping]))?;
    let by_rate = by_rate.into_iter().map(|(rate, (net, tax))| (rate, net, tax)).collect();
    Ok(Some(Levied { amount, lines, shipping, by_rate }))
}

impl Taxes {
    fn zone(&self, destination: &Place) -> Option<&TaxZone> {
        let covering = || self.zones.iter().filter(|zone| zone.place.covers(destination));
        covering().find(|zone| zone.place.region.is_some()).or_else(|| covering().next())
    }
}

impl TaxZone {
    fn rate(&self, class: &TaxClass) -> TaxRate {
        let standard = || self.rates.iter().find(|(class, _)| class.as_str() == "standard").map(|(_, rate)| *rate);
        self.rates.get(class).copied().or_else(standard).unwrap_or(TaxRate::ZERO)
    }
}
