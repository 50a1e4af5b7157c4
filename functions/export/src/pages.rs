//! The pages that a file is made of, each written by the code of its own route.

use std::io;

use catalog::bulk::pages::{self as catalogue, Shape, Start};
use reports::export::{pages, write};
use waybill_domain::export::{Dated, Export, Format};
use waybill_domain::money::Currency;
use waybill_storage::Table;
use waybill_storage::order_lists::Placed;

use crate::{Shop, Trouble};

/// What is exported.
pub enum Pages<'a> {
    Dated { table: &'a Table, of: Dated, then: Placed, format: Format, columns: Vec<String> },
    Products { table: &'a Table, shape: Shape, currency: Currency },
}

/// What a page came to.
pub struct Added {
    pub rows: u64,
    /// The place behind it; None at the end.
    pub behind: Option<String>,
}

impl<'a> Pages<'a> {
    pub async fn of(shop: &'a Shop, export: &Export) -> Result<Pages<'a>, Trouble> {
        let (table, format) = (&shop.table, export.format);
        let Some(of) = export.what.dated() else {
            return Ok(Pages::Products { table, shape: Shape::of(format, table).await?, currency: shop.currency });
        };
        let days = export.days.ok_or(Trouble::NoDays)?;
        let then = Placed { from: Some(days.from), before: Some(days.before) };
        Ok(Pages::Dated { table, of, then, format, columns: pages::columns(of) })
    }

    /// Writes what a file begins with.
    pub fn begin(&self, file: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Pages::Dated { format, columns, .. } => write::begin(file, *format, columns),
            Pages::Products { shape, .. } => shape.begin(file),
        }
    }

    /// Writes a page behind what is there: the one behind this place, or the first.
    pub async fn add(&self, file: &mut Vec<u8>, behind: Option<&str>) -> Result<Added, Trouble> {
        let no_row = || Trouble::Place(behind.unwrap_or_default().to_owned());
        match self {
            Pages::Dated { table, of, then, format, columns } => {
                let cursor = behind.map(|text| pages::cursor(*of, text).ok_or_else(no_row)).transpose()?;
                let page = pages::page(table, *of, *then, pages::MOST, cursor).await?;
                let rows = page.rows.len() as u64;
                write::add(file, *format, columns, page.rows)?;
                Ok(Added { rows, behind: page.next.map(|next| next.to_string()) })
            }
            Pages::Products { table, shape, currency } => {
                let start = behind.map(|text| Start::read(text).ok_or_else(no_row)).transpose()?;
                let page = catalogue::page(table, start.unwrap_or_default(), catalogue::MOST).await?;
                let written = page.write(file, shape, *currency)?;
                Ok(Added { rows: written.rows, behind: written.next.map(|next| next.to_string()) })
            }
        }
    }
}
