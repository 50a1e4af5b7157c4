//! Which promotions may be applied to a basket, and why a code brings none.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::answer::{CodeRefusal, RefusedCode};
use super::discount::Remaining;
use super::promotion::{Effect, Promotion};
use super::rounding::{sum, units};
use super::{Basket, Trigger};
use crate::money::{Money, MoneyError};
use crate::text::PromotionCode;

/// A promotion that may be applied, and for each line of the basket whether it is about it.
#[derive(Clone, Debug)]
pub(super) struct Claim<'a> {
    pub promotion: &'a Promotion,
    pub in_scope: Vec<bool>,
}

pub(super) struct Verdict<'a> {
    /// In the order in which they are applied.
    pub claims: Vec<Claim<'a>>,
    /// Codes none of whose promotions may be applied, in alphabetical order.
    pub refused: Vec<RefusedCode>,
}

pub(super) fn judge<'a>(
    basket: &Basket<'a>,
    goods: &[Remaining<'a>],
    now: Timestamp,
) -> Result<Verdict<'a>, MoneyError> {
    let codes: BTreeSet<&PromotionCode> = basket.codes.iter().collect();
    let mut claims = Vec::new();
    let mut refusals: Vec<(&Promotion, CodeRefusal)> = Vec::new();
    for promotion in basket.promotions {
        check_amounts(promotion, basket)?;
        let asked_for = match &promotion.trigger {
            Trigger::Automatic => true,
            Trigger::Code { code } => codes.contains(code),
        };
        if !asked_for {
            continue;
        }
        match claim(basket, promotion, goods, now)? {
            Ok(claim) => claims.push(claim),
            Err(refusal) => refusals.push((promotion, refusal)),
        }
    }
    claims.sort_by_key(|claim: &Claim<'_>| claim.promotion.turn());
    refusals.sort_by_key(|(promotion, _)| promotion.id);
    let refused = codes
        .into_iter()
        .filter(|code| !claims.iter().any(|claim| claim.promotion.code() == Some(code)))
        .map(|code| {
            let refusal = refusals.iter().find(|(promotion, _)| promotion.code() == Some(code));
            let refusal = refusal.map_or(CodeRefusal::Unknown, |(_, refusal)| refusal.clone());
            RefusedCode { code: code.clone(), refusal }
        })
        .collect();
    Ok(Verdict { claims, refused })
}

/// Of every promotion that is given, asked for or not, so that a wrong one shows at once.
fn check_amounts(promotion: &Promotion, basket: &Basket<'_>) -> Result<(), MoneyError> {
    if let Effect::Fixed { off } = promotion.effect {
        units(off, basket.currency)?;
    }
    if let Some(minimum) = promotion.minimum {
        units(minimum, basket.currency)?;
    }
    Ok(())
}

fn claim<'a>(
    basket: &Basket<'a>,
    promotion: &'a Promotion,
    goods: &[Remaining<'a>],
    now: Timestamp,
) -> Result<Result<Claim<'a>, CodeRefusal>, MoneyError> {
    if let Some(from) = promotion.from.filter(|from| now < *from) {
        return Ok(Err(CodeRefusal::NotYet { from }));
    }
    if let Some(until) = promotion.until.filter(|until| now >= *until) {
        return Ok(Err(CodeRefusal::Expired { until }));
    }
    if basket.used_up.contains(&promotion.id) {
        return Ok(Err(CodeRefusal::UsedUp));
    }
    let in_scope: Vec<bool> = goods.iter().map(|goods| promotion.scope.includes(goods.line)).collect();
    let lines = || goods.iter().zip(&in_scope).filter(|(_, in_scope)| **in_scope).map(|(goods, _)| goods);
    if lines().next().is_none() {
        return Ok(Err(CodeRefusal::NothingInScope));
    }
    if let Some(minimum) = promotion.minimum {
        let subtotal = sum(lines().map(|goods| goods.subtotal))?;
        if subtotal < minimum.amount {
            let subtotal = Money::new(subtotal, basket.currency);
            return Ok(Err(CodeRefusal::BelowMinimum { minimum, subtotal }));
        }
    }
    if let Effect::BuyXGetY { buy, get, .. } = promotion.effect {
        let needed = buy.get() + get.get();
        let present = lines().map(|goods| u64::from(goods.line.quantity.get())).sum();
        if present < u64::from(needed) {
            return Ok(Err(CodeRefusal::TooFewUnits { needed, present }));
        }
    }
    Ok(Ok(Claim { promotion, in_scope }))
}
