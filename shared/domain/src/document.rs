//! Invoices, credit notes and reversals: what the shop's books say of an order's money. A document says all that it shows, so
//! that it never changes, whatever becomes of the order, its buyer and the shop's settings.
//!
//! An order that was paid in time has one invoice. Each refund that has succeeded has one credit note, and one reversal of it
//! where the bank sent the money back afterwards. They are issued one after the other, each decided on all before it.

mod credit;
mod due;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cart::Quantity;
use crate::id::{OrderId, OrderNumber};
use crate::money::Money;
use crate::order::Address;
use crate::product::Title;
use crate::schema::{self, described};
use crate::stock::Reason;
use crate::text::{Invalid, Line, Sku};
use crate::totals::{Prices, RateTax, TaxRate};

pub use due::{Draft, NotDue, next};

/// Lines of the seller's address.
pub const MAX_SELLER_LINES: usize = 6;

/// The documents of one series are numbered without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// What was paid for.
    Invoice,
    /// What was paid back.
    CreditNote,
    /// What was not paid back after all, though a credit note says so.
    Reversal,
}

impl Series {
    pub const ALL: [Series; 3] = [Series::Invoice, Series::CreditNote, Series::Reversal];

    pub fn as_str(self) -> &'static str {
        match self {
            Series::Invoice => "invoice",
            Series::CreditNote => "credit_note",
            Series::Reversal => "reversal",
        }
    }
}

/// What the numbers of a series begin with: 1 to 12 capitals, digits and hyphens, of which the last is no digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl FromStr for Prefix {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let legal = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'-';
        let ends_well = text.bytes().last().is_some_and(|c| !c.is_ascii_digit());
        if text.len() <= 12 && ends_well && text.bytes().all(legal) {
            Ok(Prefix(text.to_owned()))
        } else {
            Err(Invalid::new("must be 1 to 12 capitals, digits and '-', of which the last is no digit, such as INV-"))
        }
    }
}

/// A document's number, `INV-000001`. No two documents of a shop have the same, as long as no two series ever had the same
/// prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct DocumentNumber(String);

described!(
    DocumentNumber,
    schema::text(
        "A document's number. Each series has every number once.",
        7,
        32,
        "^[A-Z0-9-]{1,12}[0-9]{6,20}$",
        "INV-000001"
    )
);

impl DocumentNumber {
    pub fn new(prefix: &Prefix, serial: u64) -> Self {
        DocumentNumber(format!("{}{serial:06}", prefix.0))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DocumentNumber {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
        let legal = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'-';
        if (7..=32).contains(&text.len()) && digits >= 6 && digits < text.len() && text.bytes().all(legal) {
            Ok(DocumentNumber(text.to_owned()))
        } else {
            Err(Invalid::new("must be a document's number such as INV-000001"))
        }
    }
}

impl TryFrom<String> for DocumentNumber {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl fmt::Display for DocumentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the shop says of itself, and how it numbers: its settings at the time when a document is issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letterhead {
    pub seller: Seller,
    pub invoices: Prefix,
    pub credit_notes: Prefix,
    pub reversals: Prefix,
}

impl Letterhead {
    pub fn prefix(&self, series: Series) -> &Prefix {
        match series {
            Series::Invoice => &self.invoices,
            Series::CreditNote => &self.credit_notes,
            Series::Reversal => &self.reversals,
        }
    }

    /// Two series with one prefix would give two documents one number.
    pub fn check(self) -> Result<Letterhead, Invalid> {
        let prefixes = Series::ALL.map(|series| self.prefix(series));
        match prefixes[0] == prefixes[1] || prefixes[0] == prefixes[2] || prefixes[1] == prefixes[2] {
            false => Ok(self),
            true => Err(Invalid::new("must be another prefix for each series")),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    pub name: Line<1, 120>,
    pub address: Vec<Line<1, 120>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<Line<1, 60>>,
}

impl Seller {
    /// As settings have it: the address's lines with semicolons between them, the tax id empty where there is none.
    pub fn new(name: &str, address: &str, tax_id: &str) -> Result<Seller, Invalid> {
        let tax_id = Some(tax_id).filter(|id| !id.trim().is_empty()).map(str::parse).transpose()?;
        Ok(Seller { name: name.parse()?, address: Seller::address_lines(address)?, tax_id })
    }

    /// The lines of an address as settings have it, with semicolons between them.
    pub fn address_lines(address: &str) -> Result<Vec<Line<1, 120>>, Invalid> {
        let lines = address.split(';').filter(|line| !line.trim().is_empty());
        let address = lines.map(str::parse).collect::<Result<Vec<_>, _>>()?;
        if address.len() > MAX_SELLER_LINES {
            return Err(Invalid::new(format!("must be an address of at most {MAX_SELLER_LINES} lines")));
        }
        Ok(address)
    }
}

/// A document as it was issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub number: DocumentNumber,
    /// Its place in its series, 1 for the first.
    pub serial: u64,
    /// Within a series it never goes back.
    pub issued_at: Timestamp,
    pub subject: Subject,
    pub seller: Seller,
    /// None where they had deleted their account before the invoice was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Address>,
    pub order_id: OrderId,
    pub placed_at: Timestamp,
    pub paid_at: Timestamp,
    /// Of a credit note those that it pays back, where the refund was by units.
    pub lines: Vec<DocumentLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<ShippingLine>,
    /// What promotions took off lines and shipping, which are told without it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<Discount>,
    /// What the amounts of lines and shipping say about tax.
    pub prices: Prices,
    /// In the order of the rates; what no tax is about is in none of them.
    pub taxes: Vec<RateTax>,
    /// What was paid, was paid back, or was not paid back after all; with tax.
    pub total: Money,
}

/// What a document is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Subject {
    Invoice,
    CreditNote {
        /// The invoice that it corrects.
        invoice: DocumentNumber,
        /// The number of the refund among the order's.
        refund: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    Reversal {
        invoice: DocumentNumber,
        /// The credit note that it takes back.
        credit_note: DocumentNumber,
        refund: u32,
    },
}

impl Subject {
    pub fn series(&self) -> Series {
        match self {
            Subject::Invoice => Series::Invoice,
            Subject::CreditNote { .. } => Series::CreditNote,
            Subject::Reversal { .. } => Series::Reversal,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentLine {
    pub sku: Sku,
    pub title: Title,
    pub quantity: Quantity,
    /// Before discounts; None in credit notes, where units are paid back at what was paid for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
    pub discount: Money,
    /// None where nothing is taxed, or the order does not say at which rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<TaxRate>,
    /// After discounts.
    pub total: Money,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippingLine {
    pub title: Title,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<TaxRate>,
    /// After discounts.
    pub total: Money,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    pub title: Title,
    pub amount: Money,
}

/// A line of a list of documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DocumentSummary {
    pub number: DocumentNumber,
    pub kind: Series,
    pub order_id: OrderId,
    pub order_number: OrderNumber,
    pub issued_at: Timestamp,
    pub total: Money,
}

impl From<&Document> for DocumentSummary {
    fn from(document: &Document) -> Self {
        DocumentSummary {
            number: document.number.clone(),
            kind: document.subject.series(),
            order_id: document.order_id,
            order_number: document.order_id.number(),
            issued_at: document.issued_at,
            total: document.total,
        }
    }
}
