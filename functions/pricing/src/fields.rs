//! What several settings are made of, as staff writes it.

use waybill_domain::Timestamp;
use waybill_domain::text::{self, Invalid};
use waybill_domain::totals::Place;
use waybill_web::{Fields, NewPlace};

/// One of some words.
pub fn one_of<T: Copy>(fields: &mut Fields, at: &str, given: &str, words: &[(&str, T)]) -> Option<T> {
    let known = words.iter().find(|(word, _)| *word == given).map(|(_, meaning)| *meaning);
    let names = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    fields.take(at, known.ok_or_else(|| Invalid::new(format!("must be one of {}", names()))))
}

pub fn time(fields: &mut Fields, at: &str, given: &str) -> Option<Timestamp> {
    fields.take(at, text::time(given))
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
