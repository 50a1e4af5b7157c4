//! Which of the promotions that may be applied are: the combination with the lowest total.

use std::cmp::Reverse;

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

/// Up to this many promotions that stack are applied in the combination with the lowest total; of more, all or none.
/// Weighing six takes 64 totals.
pub const MAX_WEIGHED: usize = 6;

/// What the customer gets: of equally good combinations the first, and no promotion only where each makes it dearer.
pub(super) fn best<'a>(
    basket: &Basket<'a>,
    goods: &[Remaining<'a>],
    claims: &[Claim<'a>],
) -> Result<Outcome<'a>, MoneyError> {
    let mut best = outcome(basket, goods, &[])?;
    for combination in combinations(claims).iter().rev() {
        let other = outcome(basket, goods, combination)?;
        if other.preference() <= best.preference() {
            best = other;
        }
    }
    Ok(best)
}

/// Those that stack: all of them, then with ever more left out, the later ones first. Then each that stands alone.
fn combinations<'c, 'a>(claims: &'c [Claim<'a>]) -> Vec<Vec<&'c Claim<'a>>> {
    let (stacking, mut alone): (Vec<_>, Vec<_>) =
        claims.iter().partition(|claim| claim.promotion.stacking == Stacking::Stacks);
    alone.sort_by_key(|claim| claim.promotion.id);
    let mut together: Vec<Vec<_>> = if stacking.len() > MAX_WEIGHED {
        vec![stacking]
    } else {
        let mut chosen: Vec<u32> = (1..1 << stacking.len()).collect();
        chosen.sort_by_key(|chosen| (Reverse(chosen.count_ones()), *chosen));
        let pick = |chosen: u32| {
            let is_chosen = |place: &usize| chosen >> place & 1 == 1;
            (0..stacking.len()).filter(is_chosen).map(|place| stacking[place]).collect()
        };
        chosen.into_iter().map(pick).collect()
    };
    together.extend(alone.into_iter().map(|claim| vec![claim]));
    together
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
