//! Finding products. infra/decisions/search.md says how, and where its limit is.
//!
//! Every product that is shown has a number. For each term (a category, a tag, a word) the table has the set of numbers
//! that it is true of, as a Roaring bitmap, and for each thing that lists are sorted by a column of values by number. A
//! search intersects sets, which costs microseconds, and then reads the few products that it shows by their numbers.

mod index;
mod read;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use waybill_domain::id::ProductId;
use waybill_domain::money::Currency;
use waybill_domain::search::Term;

use crate::keys::Key;
use crate::table::StorageError;

pub use read::{Facet, Facets, Filter, Found, Mark, Order, Search, Wanted};

/// Numbers of one chunk of a set: its bits fit into 8 KB.
const CHUNK: u32 = 1 << 16;
/// Values of one chunk of a column: 8 KB at four bytes each.
const ROWS: u32 = 2_048;
/// Bytes of a price in a column.
const WIDTH_OF_PRICE: usize = 4;
/// Letters of a word that choose its partition.
const SPREAD: usize = 1;

/// A chunk of the set of numbers that something is true of.
fn set(name: &SetName, chunk: u32) -> Key {
    Key { pk: partition(&name.field), sk: format!("{}#{chunk:05}", name.value) }
}

/// Where the set of a term is: in which partition, and under which name there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
struct SetName {
    field: String,
    value: String,
}

impl From<SetName> for String {
    fn from(name: SetName) -> String {
        format!("{}\n{}", name.field, name.value)
    }
}

impl From<String> for SetName {
    fn from(text: String) -> SetName {
        let (field, value) = text.split_once('\n').unwrap_or((&text, ""));
        SetName { field: field.to_owned(), value: value.to_owned() }
    }
}

fn partition(field: &str) -> String {
    format!("SET#{field}")
}

impl From<&Term> for SetName {
    fn from(term: &Term) -> SetName {
        let (field, value) = match term {
            Term::Shown => (SHOWN.to_owned(), "is".to_owned()),
            Term::InStock => (IN_STOCK.into(), "is".into()),
            Term::Category(id) => (CATEGORY.into(), id.to_string()),
            Term::Tag(tag) => (TAG.into(), tag.to_string()),
            Term::Attribute(name, value) => (attribute(name.as_str()), value.clone()),
            Term::Word(word) => (words_like(word), word.clone()),
        };
        SetName { field, value }
    }
}

const SHOWN: &str = "shown";
const IN_STOCK: &str = "in_stock";
const CATEGORY: &str = "category";
const TAG: &str = "tag";

fn attribute(name: &str) -> String {
    format!("attribute#{name}")
}

/// Words that begin alike share a partition.
fn words_like(word: &str) -> String {
    format!("word#{}", word.chars().take(SPREAD).collect::<String>())
}

/// The values of all products of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Column {
    Price(Currency),
    Name,
    Popularity,
}

impl Column {
    fn partition(self) -> String {
        match self {
            Column::Price(currency) => format!("COLUMN#price#{currency}"),
            Column::Name => "COLUMN#name".into(),
            Column::Popularity => "COLUMN#popularity".into(),
        }
    }

    /// Bytes of one value.
    fn width(self) -> usize {
        match self {
            Column::Price(_) => WIDTH_OF_PRICE,
            // Sixteen letters of at most four bytes would be 64; most have one.
            Column::Name => 24,
            Column::Popularity => 1,
        }
    }

    fn key(self, chunk: u32) -> Key {
        Key { pk: self.partition(), sk: format!("{chunk:05}") }
    }
}

/// The product that a record of the table's stream is about: by its key, or, of a SKU's stock, by what the item says.
pub fn product_of(keys: &serde_dynamo::Item, image: &serde_dynamo::Item) -> Option<ProductId> {
    let text = |item: &serde_dynamo::Item, name| match item.get(name) {
        Some(serde_dynamo::AttributeValue::S(text)) => Some(text.clone()),
        _ => None,
    };
    match text(keys, "pk")?.strip_prefix("PRODUCT#") {
        Some(id) => id.parse().ok(),
        None => text(image, "product_id")?.parse().ok(),
    }
}

/// What lists show of the product with a number.
fn card(number: u32) -> Key {
    Key { pk: format!("CARD#{number:010}"), sk: "CARD".into() }
}

fn bitmap(bytes: &[u8]) -> Result<RoaringBitmap, StorageError> {
    RoaringBitmap::deserialize_from(bytes)
        .map_err(|error| StorageError::Broken(format!("a set cannot be read: {error}")))
}
