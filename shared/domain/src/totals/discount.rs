//! What each promotion takes off the lines.

use super::eligible::Claim;
use super::promotion::Effect;
use super::rounding::{WHOLE, part, spread, sum, units};
use super::{Basket, BasketLine};
use crate::id::PromotionId;
use crate::money::MoneyError;

/// A line while promotions are applied to it.
#[derive(Clone, Debug)]
pub(super) struct Remaining<'a> {
    pub line: &'a BasketLine,
    pub subtotal: i64,
    /// What is still to pay of the subtotal.
    pub left: i64,
    /// What each promotion took off, where it took anything, in the order in which they were applied.
    pub taken: Vec<(PromotionId, i64)>,
}

/// The basket's lines without discounts, in the order of their SKUs.
pub(super) fn priced<'a>(basket: &Basket<'a>) -> Result<Vec<Remaining<'a>>, MoneyError> {
    let mut lines = Vec::with_capacity(basket.lines.len());
    for line in basket.lines {
        units(line.unit_price, basket.currency)?;
        let subtotal = line.unit_price.times(line.quantity.get())?.amount;
        lines.push(Remaining { line, subtotal, left: subtotal, taken: Vec::new() });
    }
    lines.sort_by_key(|remaining| &remaining.line.sku);
    Ok(lines)
}

/// Takes a promotion off the lines; answers how much that is in all.
pub(super) fn apply(claim: &Claim<'_>, goods: &mut [Remaining<'_>]) -> Result<i64, MoneyError> {
    let (weights, amount) = match &claim.promotion.effect {
        Effect::BuyXGetY { buy, get, off } => {
            let weights = got(claim, goods, buy.get(), get.get());
            let amount = part(sum(weights.iter().copied())?, off.get().into(), WHOLE)?;
            (weights, amount)
        }
        Effect::Percentage { off } => {
            let weights = left_in_scope(claim, goods);
            let amount = part(sum(weights.iter().copied())?, off.get().into(), WHOLE)?;
            (weights, amount)
        }
        Effect::Fixed { off } => {
            let weights = left_in_scope(claim, goods);
            let amount = off.amount.min(sum(weights.iter().copied())?);
            (weights, amount)
        }
        Effect::FreeShipping => return Ok(0),
    };
    for (remaining, taken) in goods.iter_mut().zip(spread(amount, &weights)?) {
        if taken > 0 {
            remaining.left -= taken;
            remaining.taken.push((claim.promotion.id, taken));
        }
    }
    Ok(amount)
}

fn left_in_scope(claim: &Claim<'_>, goods: &[Remaining<'_>]) -> Vec<i64> {
    goods.iter().zip(&claim.in_scope).map(|(goods, in_scope)| if *in_scope { goods.left } else { 0 }).collect()
}

/// What is left, per line, of the units that are got.
fn got(claim: &Claim<'_>, goods: &[Remaining<'_>], buy: u32, get: u32) -> Vec<i64> {
    let mut cheapest_first: Vec<usize> = (0..goods.len()).filter(|place| claim.in_scope[*place]).collect();
    cheapest_first.sort_by_key(|place| goods[*place].line.unit_price.amount);
    let present: u64 = cheapest_first.iter().map(|place| u64::from(goods[*place].line.quantity.get())).sum();
    let mut unclaimed = present / u64::from(buy + get) * u64::from(get);
    let mut worth = vec![0; goods.len()];
    for place in cheapest_first {
        let quantity = i64::from(goods[place].line.quantity.get());
        let units = quantity.min(i64::try_from(unclaimed).unwrap_or(quantity));
        unclaimed -= units.unsigned_abs();
        worth[place] = cheapest_units(goods[place].left, quantity, units);
    }
    worth
}

/// What `units` of the `quantity` units are worth among which `left` is shared evenly, to the last minor unit: those
/// with the smaller shares.
fn cheapest_units(left: i64, quantity: i64, units: i64) -> i64 {
    let (share, dearer) = (left / quantity, left % quantity);
    share * units + (units - (quantity - dearer)).max(0)
}
