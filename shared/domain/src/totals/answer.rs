//! The totals as they are answered and kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Basket;
use super::choice::Outcome;
use super::eligible::Verdict;
use super::rounding::sum;
use super::shipping::{Quoted, Shipping};
use super::tax::{RateTax, Tax};
use crate::id::PromotionId;
use crate::money::{Money, MoneyError};
use crate::product::Title;
use crate::text::{PromotionCode, Sku};

/// What a basket comes to. No amount is negative, and all are in the basket's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// In the order of their SKUs.
    pub lines: Vec<LineTotals>,
    /// Of the lines, before discounts.
    pub subtotal: Money,
    pub discounts: Discounts,
    pub shipping: Shipping,
    pub tax: Tax,
    /// The lines' totals, the charge for shipping and, where prices exclude it, the tax: as far as they are known.
    pub total: Money,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineTotals {
    pub sku: Sku,
    /// Unit price times quantity.
    pub subtotal: Money,
    pub discount: Money,
    /// The parts of the discount: each promotion that took something off.
    pub discounts: Vec<LineDiscount>,
    /// On the total; contained in it where prices include tax. None while the destination is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tax: Option<Money>,
    /// The subtotal less the discount. Tax that is added to prices is not in it.
    pub total: Money,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineDiscount {
    pub promotion_id: PromotionId,
    pub amount: Money,
}

/// Every code that was entered is either that of an applied promotion or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Discounts {
    /// Off lines and shipping.
    pub amount: Money,
    /// In the order in which they were applied.
    pub applied: Vec<AppliedPromotion>,
    /// Those that were not applied because the total is lower without them, by id.
    pub outdone: Vec<Outdone>,
    /// In alphabetical order.
    pub refused: Vec<RefusedCode>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppliedPromotion {
    pub promotion_id: PromotionId,
    pub title: Title,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<PromotionCode>,
    /// What it took off the lines, or off shipping. 0 where others left it nothing, or shipping is not priced yet.
    pub amount: Money,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outdone {
    pub promotion_id: PromotionId,
    pub title: Title,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<PromotionCode>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedCode {
    pub code: PromotionCode,
    /// Where the code is that of several promotions, the reason of the one with the lowest id.
    pub refusal: CodeRefusal,
}

/// Why a code brings nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum CodeRefusal {
    Unknown,
    NotYet {
        from: Timestamp,
    },
    Expired {
        until: Timestamp,
    },
    UsedUp,
    NothingInScope,
    BelowMinimum {
        minimum: Money,
        /// Of the lines in scope, before discounts.
        subtotal: Money,
    },
    TooFewUnits {
        needed: u32,
        present: u64,
    },
    /// The total is lower without it.
    Outdone,
}

impl Totals {
    /// Whether nothing is missing from the total: destination and method are known, and the method can ship.
    pub fn is_final(&self) -> bool {
        let shipping_is_known = matches!(self.shipping, Shipping::Priced { .. } | Shipping::NothingToShip);
        shipping_is_known && matches!(self.tax, Tax::Known { .. })
    }
}

pub(super) fn answer(basket: &Basket<'_>, verdict: &Verdict<'_>, outcome: Outcome<'_>) -> Result<Totals, MoneyError> {
    let money = |amount| Money::new(amount, basket.currency);
    let lines = outcome.goods.iter().enumerate().map(|(place, goods)| LineTotals {
        sku: goods.line.sku.clone(),
        subtotal: money(goods.subtotal),
        discount: money(goods.subtotal - goods.left),
        discounts: goods
            .taken
            .iter()
            .map(|(id, amount)| LineDiscount { promotion_id: *id, amount: money(*amount) })
            .collect(),
        tax: outcome.tax.as_ref().map(|tax| money(tax.lines[place])),
        total: money(goods.left),
    });
    Ok(Totals {
        lines: lines.collect(),
        subtotal: money(sum(outcome.goods.iter().map(|goods| goods.subtotal))?),
        discounts: discounts(basket, verdict, &outcome)?,
        shipping: shipping(basket, &outcome),
        tax: match &outcome.tax {
            None => Tax::DestinationUnknown,
            Some(tax) => Tax::Known {
                amount: money(tax.amount),
                prices: basket.taxes.prices,
                by_rate: tax
                    .by_rate
                    .iter()
                    .map(|(rate, net, tax)| RateTax { rate: *rate, net: money(*net), amount: money(*tax) })
                    .collect(),
            },
        },
        total: money(outcome.total),
    })
}

fn discounts(basket: &Basket<'_>, verdict: &Verdict<'_>, outcome: &Outcome<'_>) -> Result<Discounts, MoneyError> {
    let money = |amount| Money::new(amount, basket.currency);
    let was_applied = |id: PromotionId| outcome.applied.iter().any(|(applied, _)| applied.id == id);
    let mut outdone: Vec<_> =
        verdict.claims.iter().map(|claim| claim.promotion).filter(|promotion| !was_applied(promotion.id)).collect();
    outdone.sort_by_key(|promotion| promotion.id);
    let mut refused = verdict.refused.clone();
    for code in outdone.iter().filter_map(|promotion| promotion.code()) {
        let is_applied = outcome.applied.iter().any(|(applied, _)| applied.code() == Some(code));
        if !is_applied && !refused.iter().any(|refused| refused.code == *code) {
            refused.push(RefusedCode { code: code.clone(), refusal: CodeRefusal::Outdone });
        }
    }
    refused.sort_by(|a, b| a.code.cmp(&b.code));
    Ok(Discounts {
        amount: money(sum(outcome.applied.iter().map(|(_, amount)| *amount))?),
        applied: outcome
            .applied
            .iter()
            .map(|(promotion, amount)| AppliedPromotion {
                promotion_id: promotion.id,
                title: promotion.title.clone(),
                code: promotion.code().cloned(),
                amount: money(*amount),
            })
            .collect(),
        outdone: outdone
            .into_iter()
            .map(|promotion| Outdone {
                promotion_id: promotion.id,
                title: promotion.title.clone(),
                code: promotion.code().cloned(),
            })
            .collect(),
        refused,
    })
}

fn shipping(basket: &Basket<'_>, outcome: &Outcome<'_>) -> Shipping {
    let money = |amount| Money::new(amount, basket.currency);
    match outcome.shipping {
        Quoted::NothingToShip => Shipping::NothingToShip,
        Quoted::DestinationUnknown => Shipping::DestinationUnknown,
        Quoted::MethodNotChosen => Shipping::MethodNotChosen,
        Quoted::Impossible { method, reason } => Shipping::CannotShip { method_id: method.id, reason },
        Quoted::Priced { method, price } => Shipping::Priced {
            method_id: method.id,
            title: method.title.clone(),
            price: money(price),
            discount: money(outcome.shipping_discount),
            charge: money(price - outcome.shipping_discount),
            tax: money(outcome.tax.as_ref().map_or(0, |tax| tax.shipping)),
        },
    }
}
