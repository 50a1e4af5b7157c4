//! The whole catalogue, page by page, as an import takes it again: the same pages whoever asks for them.

use std::fmt;
use std::io;

use waybill_domain::category::Tree;
use waybill_domain::export::Format;
use waybill_domain::id::ProductId;
use waybill_domain::money::Currency;
use waybill_domain::product::ProductState;
use waybill_storage::catalog::{Listing, Products};
use waybill_storage::{Cursor, StorageError, Table};
use waybill_web::spreadsheet::write_rows;

use super::columns::COLUMNS;
use super::written;

/// Products of a page, at most.
pub const MOST: u8 = 100;
/// Bytes at which a page ends: Lambda answers 6 MB, of which base64 takes a quarter.
const PAGE_BYTES: usize = 3 * 1024 * 1024;

/// Where a page begins: among the products of which state, and behind which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    state: ProductState,
    after: Option<ProductId>,
}

impl Default for Start {
    fn default() -> Self {
        Start { state: ProductState::ALL[0], after: None }
    }
}

impl Start {
    /// Reads what [`fmt::Display`] has written.
    pub fn read(text: &str) -> Option<Start> {
        let (state, after) = text.split_once('.')?;
        let after = if after.is_empty() { None } else { Some(after.parse().ok()?) };
        Some(Start { state: state.parse().ok()?, after })
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.state.as_str(), self.after.map(|id| id.to_string()).unwrap_or_default())
    }
}

/// What products are written as.
pub enum Shape {
    /// A row for each SKU, with the slugs of these categories.
    Csv(Tree),
    /// A line for each product.
    Jsonl,
}

impl Shape {
    /// Knows what a file of this format tells: one query for a CSV.
    pub async fn of(format: Format, table: &Table) -> Result<Shape, StorageError> {
        Ok(match format {
            Format::Csv => Shape::Csv(table.categories(false).await?),
            Format::Jsonl => Shape::Jsonl,
        })
    }

    /// Writes what a file begins with.
    pub fn begin(&self, file: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Shape::Csv(_) => write_rows(file, [COLUMNS.map(|(name, _)| name)]),
            Shape::Jsonl => Ok(()),
        }
    }
}

/// Products of one state, and where the next page begins.
pub struct Page {
    listings: Vec<Listing>,
    next: Option<Start>,
}

/// What a page came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub rows: u64,
    /// None at the end.
    pub next: Option<Start>,
}

/// Products of one state: those of the next where there are none left.
pub async fn page(table: &Table, start: Start, limit: u8) -> Result<Page, StorageError> {
    let states = ProductState::ALL.into_iter().skip_while(|state| *state != start.state);
    let mut after = start.after;
    let mut found = Page { listings: Vec::new(), next: None };
    for state in states {
        let cursor = after.take().and_then(|id| Cursor::among_products(&id.to_string()));
        let page = table.products(Products::Of(state), limit, cursor).await?;
        let ids: Vec<_> = page.items.iter().map(|summary| summary.id).collect();
        let more = ids.last().filter(|_| page.next.is_some()).map(|last| Start { state, after: Some(*last) });
        // With a link to what follows, a page may be empty: its products may all be gone by now.
        let goes_on = more.is_some();
        let following = ProductState::ALL.into_iter().skip_while(|other| *other != state).nth(1);
        let next = more.or_else(|| following.map(|state| Start { state, after: None }));
        found = Page { listings: table.listings(&ids).await?, next };
        if goes_on || !found.listings.is_empty() {
            break;
        }
    }
    Ok(found)
}

impl Page {
    /// Writes its products behind what is there: as many as a page takes, at least one.
    pub fn write(&self, file: &mut Vec<u8>, shape: &Shape, shop: Currency) -> io::Result<Written> {
        let (mut rows, mut bytes) = (0, 0);
        let mut last: Option<&Listing> = None;
        for listing in &self.listings {
            let product = Lines::of(listing, shape, shop)?;
            bytes += product.bytes();
            if let Some(last) = last.filter(|_| bytes > PAGE_BYTES) {
                let next = Start { state: last.product.state, after: Some(last.product.id) };
                return Ok(Written { rows, next: Some(next) });
            }
            rows += product.write(file)?;
            last = Some(listing);
        }
        Ok(Written { rows, next: self.next })
    }
}

/// What tells of one product.
enum Lines {
    Cells(Vec<Vec<String>>),
    Line(Vec<u8>),
}

impl Lines {
    fn of(listing: &Listing, shape: &Shape, shop: Currency) -> io::Result<Lines> {
        Ok(match shape {
            Shape::Csv(categories) => Lines::Cells(written::rows(listing, shop, categories)),
            Shape::Jsonl => {
                let mut line = serde_json::to_vec(&written::line(listing, shop))?;
                line.push(b'\n');
                Lines::Line(line)
            }
        })
    }

    /// Of an answer.
    fn bytes(&self) -> usize {
        match self {
            // As JSON, in which Lambda takes it, a quote that is meant is four bytes and one around a cell two.
            Lines::Cells(rows) => {
                rows.iter().flatten().map(|cell| cell.len() + 3 * cell.matches('"').count() + 5).sum::<usize>()
            }
            Lines::Line(line) => line.len(),
        }
    }

    /// Writes it behind what is there; how many rows it is.
    fn write(self, file: &mut Vec<u8>) -> io::Result<u64> {
        match self {
            Lines::Cells(rows) => {
                let count = rows.len() as u64;
                write_rows(file, rows)?;
                Ok(count)
            }
            Lines::Line(line) => {
                file.extend(line);
                Ok(1)
            }
        }
    }
}
