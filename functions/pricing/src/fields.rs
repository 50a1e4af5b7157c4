//! What several settings are made of, as staff writes it.

use serde::Deserialize;
use serde_json::Value;
use waybill_domain::Timestamp;
use waybill_domain::money::{MAX_PRICE, Money};
use waybill_domain::text::Invalid;
use waybill_domain::totals::Place;
use waybill_web::{Fields, NewPlace};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMoney {
    amount: i64,
    currency: String,
}

impl NewMoney {
    /// An amount of at least so many minor units, and at most [`MAX_PRICE`].
    pub fn check(self, fields: &mut Fields, at: &str, least: i64) -> Option<Money> {
        let currency = fields.take(&format!("{at}/currency"), self.currency.parse());
        let amount = Some(self.amount).filter(|amount| (least..=MAX_PRICE).contains(amount));
        let wrong = || Invalid::new(format!("must be from {least} to {MAX_PRICE} minor units"));
        let amount = fields.take(&format!("{at}/amount"), amount.ok_or_else(wrong));
        Some(Money::new(amount?, currency?))
    }

    /// One that stands where something else could, too.
    pub fn of(value: Value) -> Result<NewMoney, Invalid> {
        match value {
            Value::Object(_) => serde_json::from_value(value).ok(),
            _ => None,
        }
        .ok_or_else(|| Invalid::new("must be an amount with its currency"))
    }
}

/// One of some words.
pub fn one_of<T: Copy>(fields: &mut Fields, at: &str, given: &str, words: &[(&str, T)]) -> Option<T> {
    let known = words.iter().find(|(word, _)| *word == given).map(|(_, meaning)| *meaning);
    let names = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    fields.take(at, known.ok_or_else(|| Invalid::new(format!("must be one of {}", names()))))
}

pub fn time(fields: &mut Fields, at: &str, given: &str) -> Option<Timestamp> {
    let parsed = given.parse().map_err(|_| Invalid::new("must be a time such as 2026-12-01T00:00:00Z"));
    fields.take(at, parsed)
}

/// What must be there in a setting of this kind.
pub fn needed<T>(fields: &mut Fields, at: &str, given: Option<T>) -> Option<T> {
    fields.take(at, given.ok_or_else(|| Invalid::new("must be given")))
}

/// What means nothing in a setting of this kind.
pub fn meaningless<T>(fields: &mut Fields, at: &str, given: Option<T>) {
    if given.is_some() {
        fields.refuse(at, "means nothing here");
    }
}

/// From 1 to `most` entries.
pub fn list<X, T>(
    fields: &mut Fields,
    at: &str,
    given: Vec<X>,
    most: usize,
    check: impl Fn(&mut Fields, &str, X) -> Option<T>,
) -> Vec<T> {
    if !(1..=most).contains(&given.len()) {
        fields.refuse(at, format!("must have 1 to {most} entries"));
    }
    let entries = given.into_iter().take(most).enumerate();
    entries.filter_map(|(place, given)| check(fields, &format!("{at}/{place}"), given)).collect()
}

pub fn place(fields: &mut Fields, at: &str, given: NewPlace) -> Option<Place> {
    given.check(at, fields)
}
