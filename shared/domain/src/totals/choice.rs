//! Which of the promotions that may be applied are: the combination with the lowest total.

use super::discount::{self, Remaining};
use super::eligible::Claim;
use super::promotion::{Effect, Promotion, Stacking};
use super::rounding::sum;
use super::shipping::{self, Quoted};
use super::tax::{self, Levied};
use super::{Basket, Prices};
use crate::money::MoneyError;

/// A basket with one combination of promotions applied.
pub(super) struct Outcome<'a> {
    pub goods: Vec<Remaining<'a>>,
    /// With what each took off, in the order in which they were applied.
    pub applied: Vec<(&'a Promotion, i64)>,
    pub shipping: Quoted<'a>,
    pub shipping_discount: i64,
    pub tax: Option<Levied>,
    pub total: i64,
}

/// The combination that the customer gets: of those that stack all but the ones that make it dearer, or one alone.
pub(super) fn best<'a>(
    basket: &Basket<'a>,
    goods: &[Remaining<'a>],
    claims: &[Claim<'a>],
) -> Result<Outcome<'a>, MoneyError> {
    let (stacking, mut alone): (Vec<_>, Vec<_>) =
        claims.iter().partition(|claim| claim.promotion.stacking == Stacking::Stacks);
    alone.sort_by_key(|claim| claim.promotion.id);
    let mut candidates = Vec::new();
    if alone.is_empty() || !stacking.is_empty() {
        candidates.push(together(basket, goods, stacking)?);
    }
    for claim in alone {
        candidates.push(outcome(basket, goods, &[claim])?);
    }
    let best = candidates.into_iter().min_by_key(Outcome::preference);
    Ok(best.expect("without one that stands alone, there is the combination of those that stack"))
}

/// Leaves one after another out while that lowers the total.
fn together<'a>(
    basket: &Basket<'a>,
    goods: &[Remaining<'a>],
    mut claims: Vec<&Claim<'a>>,
) -> Result<Outcome<'a>, MoneyError> {
    let mut best = outcome(basket, goods, &claims)?;
    loop {
        let mut dearer_with = None;
        for place in 0..claims.len() {
            let mut others = claims.clone();
            others.remove(place);
            let without = outcome(basket, goods, &others)?;
            if without.preference() < best.preference() {
                best = without;
                dearer_with = Some(place);
            }
        }
        match dearer_with {
            Some(place) => claims.remove(place),
            None => return Ok(best),
        };
    }
}

impl Outcome<'_> {
    /// The least is the best. A total that cannot be shipped is none that can be ordered.
    fn preference(&self) -> (bool, i64) {
        (matches!(self.shipping, Quoted::Impossible { .. }), self.total)
    }
}

fn outcome<'a>(basket: &Basket<'a>, goods: &[Remaining<'a>], claims: &[&Claim<'a>]) -> Result<Outcome<'a>, MoneyError> {
    let mut goods = goods.to_vec();
    let mut applied = Vec::with_capacity(claims.len());
    for claim in claims {
        applied.push((claim.promotion, discount::apply(claim, &mut goods)?));
    }
    let shipping = shipping::quote(basket, &goods)?;
    // The first has all of it, and the others find nothing left.
    let free = applied.iter_mut().find(|(promotion, _)| promotion.effect == Effect::FreeShipping);
    let shipping_discount = match free {
        Some((_, amount)) => {
            *amount = shipping.price();
            shipping.price()
        }
        None => 0,
    };
    let charge = shipping.price() - shipping_discount;
    let tax = tax::levy(basket, &goods, shipping.is_priced().then_some(charge))?;
    let on_top = match (&tax, basket.taxes.prices) {
        (Some(tax), Prices::ExcludeTax) => tax.amount,
        (Some(_) | None, Prices::IncludeTax) | (None, Prices::ExcludeTax) => 0,
    };
    let total = sum(goods.iter().map(|goods| goods.left).chain([charge, on_top]))?;
    Ok(Outcome { goods, applied, shipping, shipping_discount, tax, total })
}
