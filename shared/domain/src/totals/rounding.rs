//! The one place where amounts are divided.

use crate::money::{Currency, Money, MoneyError};

/// 100 % in basis points.
pub(super) const WHOLE: i64 = 10_000;

/// The minor units of an amount that must be of `currency` and not negative.
pub(super) fn units(money: Money, currency: Currency) -> Result<i64, MoneyError> {
    if money.currency != currency {
        return Err(MoneyError::CurrencyMismatch(currency, money.currency));
    }
    if money.amount < 0 {
        return Err(MoneyError::Negative);
    }
    Ok(money.amount)
}

pub(super) fn sum(amounts: impl IntoIterator<Item = i64>) -> Result<i64, MoneyError> {
    amounts.into_iter().try_fold(0_i64, |sum, amount| sum.checked_add(amount).ok_or(MoneyError::TooLarge))
}

/// `amount * numerator / denominator`, half away from zero. None of them is negative.
pub(crate) fn part(amount: i64, numerator: i64, denominator: i64) -> Result<i64, MoneyError> {
    let (amount, numerator, denominator) = (i128::from(amount), i128::from(numerator), i128::from(denominator));
    let exact = amount * numerator;
    let rounded = exact / denominator + i128::from(exact % denominator * 2 >= denominator);
    i64::try_from(rounded).map_err(|_| MoneyError::TooLarge)
}

/// `amount` in parts proportional to `weights`, to the last minor unit: what is left after rounding down goes to the
/// largest remainders, the first of equal ones. With an amount of at most the weights' sum, no part is above its weight.
pub(crate) fn spread(amount: i64, weights: &[i64]) -> Result<Vec<i64>, MoneyError> {
    let whole = i128::from(sum(weights.iter().copied())?);
    if whole == 0 {
        return Ok(vec![0; weights.len()]);
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    for (place, weight) in weights.iter().enumerate() {
        let exact = i128::from(amount) * i128::from(*weight);
        parts.push(i64::try_from(exact / whole).map_err(|_| MoneyError::TooLarge)?);
        remainders.push((exact % whole, place));
    }
    remainders.sort_by(|(a, _), (b, _)| b.cmp(a));
    let undivided = usize::try_from(amount - sum(parts.iter().copied())?).map_err(|_| MoneyError::TooLarge)?;
    for (_, place) in remainders.iter().take(undivided) {
        parts[*place] += 1;
    }
    Ok(parts)
}
