//! Exports that are worked off after the answer: what is wanted, and how far it has come.
#![expect(clippy::disallowed_types, reason = "serde's flatten reads numbers of every kind; none of these is money")]

use std::str::FromStr;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::account::Permission;
use crate::id::{AccountId, ExportId};
use crate::product::ProductState;
use crate::text::Invalid;

/// How long an export and its file are kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Parts of one file, each of at least 5 MiB but the last: their names have to fit into one item of 400 KB.
pub const MAX_PARTS: usize = 5_000;

/// What there is a row of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExportOf)]
pub enum What {
    Orders,
    /// One for each line of each order.
    Lines,
    /// One for each refund of each order.
    Refunds,
    /// Accounts.
    Customers,
    /// The ledger of all SKUs.
    StockMovements,
    /// All there are, in whatever state and of whatever day, as an import takes them again: a row of a CSV for each SKU, a line
    /// of JSON Lines for each product.
    Products,
}

/// What is exported of some days, the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dated {
    Orders,
    Lines,
    Refunds,
    Customers,
    StockMovements,
}

/// The days that an export is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    /// The first and the last one, as they were asked for.
    pub first: Date,
    pub last: Date,
    /// The moments at which they begin and are over.
    pub from: Timestamp,
    pub before: Timestamp,
}

/// What a file is written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FileFormat)]
pub enum Format {
    /// As RFC 4180 has it, with a header.
    #[default]
    Csv,
    /// An object for each row (JSON Lines).
    Jsonl,
}

/// An export, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    pub id: ExportId,
    pub what: What,
    pub format: Format,
    /// None of products.
    #[serde(flatten)]
    pub days: Option<Days>,
    pub started_by: AccountId,
    pub started_at: Timestamp,
    /// Tells two requests with the same idempotency key apart.
    pub fingerprint: String,
    pub state: State,
    /// Steps that are done; of two who have done the same step only the first counts.
    pub steps: u32,
    pub rows: u64,
    pub bytes: u64,
    pub updated_at: Timestamp,
}

/// Where an export stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum State {
    /// Rows are still to be written.
    Writing {
        /// Behind which row; None at the beginning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        behind: Option<String>,
        /// The upload that parts belong to, once there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upload: Option<String>,
        parts: Vec<Part>,
        /// The claim under which rows were put aside that are too few for a part.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        aside: Option<u32>,
    },
    /// All rows are in parts; the upload is to be closed.
    Closing { upload: String, parts: Vec<Part> },
    /// The file is there.
    Ready,
    /// It does not come about: the upload was given up, or the file would be too large.
    Failed,
}

/// A part of a file, as S3 knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub number: u32,
    pub etag: String,
}

/// A line of the list of exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportSummary {
    pub id: ExportId,
    pub what: What,
    pub format: Format,
    /// The days that it is about; none of products.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Date>,
    pub started_by: AccountId,
    pub started_at: Timestamp,
}

impl What {
    pub fn as_str(self) -> &'static str {
        match self {
            What::Orders => "orders",
            What::Lines => "lines",
            What::Refunds => "refunds",
            What::Customers => "customers",
            What::StockMovements => "stock_movements",
            What::Products => "products",
        }
    }

    /// What of some days it is; None where it is of none.
    pub fn dated(self) -> Option<Dated> {
        match self {
            What::Orders => Some(Dated::Orders),
            What::Lines => Some(Dated::Lines),
            What::Refunds => Some(Dated::Refunds),
            What::Customers => Some(Dated::Customers),
            What::StockMovements => Some(Dated::StockMovements),
            What::Products => None,
        }
    }

    /// What whoever exports it needs to be allowed.
    pub fn permission(self) -> Permission {
        match self {
            What::Orders | What::Lines | What::Refunds => Permission::ReadReports,
            What::Customers => Permission::ManagePeople,
            What::StockMovements => Permission::ReadStock,
            What::Products => Permission::WriteCatalog,
        }
    }
}

impl Dated {
    pub const ALL: [Dated; 5] = [Dated::Orders, Dated::Lines, Dated::Refunds, Dated::Customers, Dated::StockMovements];

    pub fn as_str(self) -> &'static str {
        What::from(self).as_str()
    }

    /// Whether its rows are made of orders.
    pub fn is_of_orders(self) -> bool {
        match self {
            Dated::Orders | Dated::Lines | Dated::Refunds => true,
            Dated::Customers | Dated::StockMovements => false,
        }
    }
}

impl From<Dated> for What {
    fn from(dated: Dated) -> What {
        match dated {
            Dated::Orders => What::Orders,
            Dated::Lines => What::Lines,
            Dated::Refunds => What::Refunds,
            Dated::Customers => What::Customers,
            Dated::StockMovements => What::StockMovements,
        }
    }
}

impl Format {
    /// Also the ending of a file's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8",
            Format::Jsonl => "application/x-ndjson",
        }
    }
}

impl FromStr for Format {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let found = [Format::Csv, Format::Jsonl].into_iter().find(|format| format.as_str() == name);
        found.ok_or_else(|| Invalid::new("must be csv or jsonl"))
    }
}

impl Export {
    pub fn summary(&self) -> ExportSummary {
        let Export { id, what, format, days, started_by, started_at, .. } = *self;
        let (first, last) = (days.map(|days| days.first), days.map(|days| days.last));
        ExportSummary { id, what, format, first, last, started_by, started_at }
    }

    /// Until when it is kept.
    pub fn kept_until(&self) -> Timestamp {
        self.started_at.saturating_add(KEPT).unwrap_or(Timestamp::MAX)
    }

    /// Whether nothing is left to be done.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Ready | State::Failed)
    }

    /// What its file is saved as.
    pub fn file_name(&self) -> String {
        let days = self.days.map(|days| format!("-{}-{}", days.first, days.last)).unwrap_or_default();
        format!("{}{days}.{}", self.what.as_str(), self.format.as_str())
    }

    /// Where its file lies, below which all lies that belongs to it.
    pub fn object(&self) -> String {
        format!("exports/{}/{}", self.id, self.file_name())
    }

    /// Where rows lie that were put aside under a claim.
    pub fn aside(&self, claim: u32) -> String {
        format!("exports/{}/aside-{claim}", self.id)
    }

    /// How much of it is worked off, in percent: of its time, from the last moment to the first; of products, which know no
    /// time, how many of their states.
    pub fn percent(&self) -> u8 {
        let behind = match &self.state {
            State::Writing { behind, .. } => behind.as_deref().and_then(|behind| behind.split('.').next()),
            State::Closing { .. } | State::Ready => return 100,
            State::Failed => None,
        };
        let percent = match &self.days {
            Some(days) => {
                let (from, last) = (days.from.as_millisecond(), days.before.min(self.started_at).as_millisecond());
                let left = behind.and_then(|at| at.parse().ok()).unwrap_or(last).clamp(from, last.max(from));
                if last > from { (last - left) * 100 / (last - from) } else { 0 }
            }
            None => {
                let states = ProductState::ALL.map(ProductState::as_str);
                let done = states.iter().position(|state| Some(*state) == behind).unwrap_or_default();
                i64::try_from(done * 100 / states.len()).unwrap_or_default()
            }
        };
        u8::try_from(percent).unwrap_or(100).min(99)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export() -> Export {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        Export {
            id: "exp_00000000000000000000000001".parse().unwrap(),
            what: What::Orders,
            format: Format::Csv,
            days: Some(Days {
                first: "2026-11-01".parse().unwrap(),
                last: "2026-11-30".parse().unwrap(),
                from: at(1_000),
                before: at(9_000),
            }),
            started_by: "acc_00000000000000000000000001".parse().unwrap(),
            started_at: at(2_000),
            fingerprint: String::new(),
            state: State::Writing { behind: None, upload: None, parts: Vec::new(), aside: None },
            steps: 0,
            rows: 0,
            bytes: 0,
            updated_at: at(2_000),
        }
    }

    fn writing(export: Export, behind: Option<&str>) -> Export {
        let behind = behind.map(ToOwned::to_owned);
        Export { state: State::Writing { behind, upload: None, parts: Vec::new(), aside: None }, ..export }
    }

    #[test]
    fn how_far_an_export_is_goes_by_the_moments_that_it_has_come_past() {
        let percent = |behind: Option<&str>| writing(export(), behind).percent();
        let places = [(None, 0), (Some("2000000.x"), 0), (Some("1500000.x"), 50), (Some("1000000.x"), 99)];
        for (behind, expected) in places {
            assert_eq!(percent(behind), expected, "{behind:?}");
        }
        assert_eq!(percent(Some("9999999999.x")), 0);
        assert_eq!(Export { state: State::Ready, ..export() }.percent(), 100);
        // Days that are still to come.
        let days = export().days.map(|days| Days { from: Timestamp::from_second(3_000).unwrap(), ..days });
        assert_eq!(Export { days, ..export() }.percent(), 0);
    }

    #[test]
    fn how_far_an_export_of_products_is_goes_by_the_states_that_it_has_come_past() {
        let products = || Export { what: What::Products, days: None, ..export() };
        for (behind, expected) in
            [(None, 0), (Some("draft.prd_1"), 0), (Some("active."), 33), (Some("archived.prd_1"), 66), (Some("x."), 0)]
        {
            assert_eq!(writing(products(), behind).percent(), expected, "{behind:?}");
        }
        assert_eq!(Export { state: State::Ready, ..products() }.percent(), 100);
    }

    #[test]
    fn what_is_of_some_days_says_so_and_products_are_of_none() {
        for dated in Dated::ALL {
            assert_eq!(What::from(dated).dated(), Some(dated));
        }
        assert_eq!(What::Products.dated(), None);
    }

    #[test]
    fn an_export_reads_as_it_was_kept_with_days_and_without() {
        let products = Export { what: What::Products, days: None, ..export() };
        for export in [export(), products] {
            let kept = serde_json::to_value(&export).unwrap();
            assert_eq!(kept.get("first").is_some(), export.days.is_some(), "{kept}");
            assert_eq!(serde_json::from_value::<Export>(kept).unwrap(), export);
        }
    }

    #[test]
    fn a_file_is_named_by_what_is_in_it() {
        assert_eq!(export().file_name(), "orders-2026-11-01-2026-11-30.csv");
        let products = Export { what: What::Products, days: None, format: Format::Jsonl, ..export() };
        assert_eq!(products.file_name(), "products.jsonl");
    }
}
