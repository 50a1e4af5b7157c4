//! What a product is found by.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::id::CategoryId;
use crate::money::Currency;
use crate::product::{Offer, Product, ProductState, ProductSummary};
use crate::text::Slug;

/// Different words that a product is found by; those of its title and its SKUs come first.
pub const MAX_WORDS: usize = 300;
/// Letters of a word that count.
pub const MAX_WORD: usize = 30;
/// Letters by which names are put in order.
pub const NAME: usize = 16;

/// Something that products have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Term {
    /// That it is shown at all.
    Shown,
    /// That some of it can be had.
    InStock,
    Category(CategoryId),
    Tag(Slug),
    Attribute(Slug, String),
    Word(String),
}

/// All that lists and searches know of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub terms: BTreeSet<Term>,
    pub face: Face,
}

/// What lists show of a product, and sort it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Face {
    /// The lowest price, in minor units.
    pub prices: BTreeMap<Currency, i64>,
    /// The beginning of the name, as names are compared.
    pub name: String,
    /// How much of it was ordered, as a power of two: it changes seldom, though orders come often.
    pub popularity: u32,
    pub summary: ProductSummary,
}

impl Entry {
    /// What an active product is found by; None for another.
    pub fn of(product: &Product, offers: &[Offer]) -> Option<Entry> {
        if product.state != ProductState::Active {
            return None;
        }
        let mut terms = BTreeSet::from([Term::Shown]);
        if offers.iter().any(|offer| offer.is_orderable()) {
            terms.insert(Term::InStock);
        }
        terms.extend(product.category_ids.iter().copied().map(Term::Category));
        terms.extend(product.tags.iter().cloned().map(Term::Tag));
        for (name, values) in &product.attributes {
            terms.extend(values.iter().map(|value| Term::Attribute(name.clone(), value.as_str().to_owned())));
        }
        let first = product.variants.iter().flat_map(|variant| {
            // A SKU is found whole, and by its parts.
            std::iter::once(fold(variant.sku.as_str())).chain(words(variant.sku.as_str()))
        });
        let titles = std::iter::once(&product.title).chain(product.translations.values().map(|texts| &texts.title));
        let descriptions = product.translations.values().map(|texts| &texts.description);
        let descriptions = std::iter::once(&product.description).chain(descriptions);
        let all = titles.flat_map(|title| words(title.as_str())).chain(first);
        let all = all.chain(descriptions.flat_map(|description| words(description.as_str())));
        let mut found = BTreeSet::new();
        for word in all {
            if found.len() == MAX_WORDS {
                break;
            }
            found.insert(word);
        }
        terms.extend(found.into_iter().map(Term::Word));
        let ordered: u64 = offers.iter().map(|offer| offer.ordered).sum();
        let face = Face {
            prices: product.lowest.clone(),
            name: fold(product.title.as_str()).chars().take(NAME).collect(),
            popularity: u64::BITS - ordered.leading_zeros(),
            summary: product.summary(),
        };
        Some(Entry { terms, face })
    }
}

/// The words of a text, as they are compared: small letters and digits without accents.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let folded = fold(text);
    let words: Vec<String> = folded
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(MAX_WORD).collect())
        .collect();
    words.into_iter()
}

/// Without accents and capitals, so that `Crème` is `creme`.
fn fold(text: &str) -> String {
    text.nfkd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_accents_capitals_and_what_stands_between_them() {
        let found: Vec<_> = words("Crème-brûlée, ÜBER 100 g; ﬁne Straße (茶)").collect();
        assert_eq!(found, ["creme", "brulee", "uber", "100", "g", "fine", "straße", "茶"]);
        assert_eq!(words(" ,;- ").count(), 0);
        assert_eq!(words(&"x".repeat(99)).next().unwrap().len(), MAX_WORD);
    }
}
