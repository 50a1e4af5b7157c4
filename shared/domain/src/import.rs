//! Imports of the catalogue: what was sent at once, in parts that are worked off by themselves, and what came of it.
#![expect(clippy::disallowed_types, reason = "serde's flatten reads numbers of every kind; none of these is money")]

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{AccountId, ImportId};
use crate::product::MAX_SKUS;

/// Rows of one import.
pub const MAX_ROWS: usize = 20_000;
/// Rows of one part: what failed of it is written with its end, in one transaction of at most 100 writes.
pub const PART_ROWS: usize = 80;
/// Bytes of one part, which is an item of at most 400 KB.
pub const PART_BYTES: usize = 200 * 1024;
/// Bytes of all rows of one product.
pub const PRODUCT_BYTES: usize = 128 * 1024;
/// Reasons that are kept of one row.
pub const MAX_FAULTS: usize = 5;

// The rows of a product stay together.
const _: () = assert!(MAX_SKUS <= PART_ROWS && PRODUCT_BYTES <= PART_BYTES);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportFormat)]
pub enum Format {
    /// A row is a SKU.
    Csv,
    /// A row is a product.
    JsonLines,
}

/// What was sent, by whom. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    pub id: ImportId,
    pub format: Format,
    /// Of a CSV, in its order.
    #[serde(default)]
    pub columns: Vec<String>,
    pub rows: u32,
    pub parts: u32,
    pub started_by: AccountId,
    pub started_at: Timestamp,
    /// Tells two uploads with the same idempotency key apart.
    pub fingerprint: String,
}

/// A line of the list of imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportSummary {
    pub id: ImportId,
    pub format: Format,
    pub rows: u32,
    pub started_by: AccountId,
    pub started_at: Timestamp,
}

/// How far an import has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub parts_done: u32,
    #[serde(flatten)]
    pub counts: Counts,
    pub updated_at: Timestamp,
}

/// What came of rows; each is one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportCounts)]
pub struct Counts {
    /// Rows whose SKUs (of JSON Lines: products) are new.
    pub created: u32,
    /// Rows that changed something.
    pub changed: u32,
    /// Rows that tell nothing new.
    pub unchanged: u32,
    /// Rows that were left out.
    pub failed: u32,
}

/// A row on its way into the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its place in what was sent, from 1; of a CSV the header is 1, as a spreadsheet counts.
    pub number: u32,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Cells(Vec<String>),
    Line(String),
    /// Nothing more to look at: it failed when it was sent.
    Failed(Failure),
}

/// A row that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportFailure)]
pub struct Failure {
    /// Its place in what was sent, from 1; of a CSV the header is 1, as a spreadsheet counts.
    pub row: u32,
    /// Of its product, as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub slug: Option<String>,
    /// As it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sku: Option<String>,
    /// The first five reasons.
    pub errors: Vec<Fault>,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportFault)]
pub struct Fault {
    #[serde(flatten)]
    #[schema(inline)]
    pub at: At,
    /// The end of a sentence about the field: "must be …".
    pub detail: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// A column of the CSV.
    Column(String),
    /// A JSON pointer (RFC 6901) into the line.
    Pointer(String),
}

/// Characters of a text that was sent, or of a reason, that are kept.
const MAX_TEXT: usize = 300;

/// As much of a text as is kept.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

impl Fault {
    pub fn column(name: &str, detail: impl AsRef<str>) -> Self {
        Fault { at: At::Column(name.to_owned()), detail: shortened(detail.as_ref()) }
    }

    pub fn pointer(pointer: &str, detail: impl AsRef<str>) -> Self {
        Fault { at: At::Pointer(shortened(pointer)), detail: shortened(detail.as_ref()) }
    }
}

impl Counts {
    pub fn rows(&self) -> u32 {
        self.created + self.changed + self.unchanged + self.failed
    }
}

impl Import {
    pub fn summary(&self) -> ImportSummary {
        let Import { id, format, rows, started_by, started_at, .. } = *self;
        ImportSummary { id, format, rows, started_by, started_at }
    }

    /// Whether all of it is worked off.
    pub fn is_finished(&self, progress: &Progress) -> bool {
        progress.parts_done >= self.parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_kept_in_part() {
        assert_eq!(shortened(&"ä".repeat(MAX_TEXT)), "ä".repeat(MAX_TEXT));
        assert_eq!(shortened(&"ä".repeat(MAX_TEXT + 1)), format!("{}…", "ä".repeat(MAX_TEXT)));
    }
}
