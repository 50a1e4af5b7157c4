//! The whole catalogue, a page at a time, as an import takes it again.

use std::str::FromStr;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use utoipa::ToSchema;
use waybill_domain::category::Tree;
use waybill_domain::id::ProductId;
use waybill_domain::product::ProductState;
use waybill_domain::text::Invalid;
use waybill_storage::Cursor;
use waybill_storage::catalog::{Listing, Products};
use waybill_web::query::Parameters;
use waybill_web::{Problem, Staff, may};

use crate::App;
use crate::bulk::columns::COLUMNS;
use crate::bulk::written;

/// Products of a page unless `limit` says otherwise, and at most.
const MOST: u8 = 100;
/// Bytes at which a page ends: Lambda answers 6 MB, of which base64 takes a quarter.
const PAGE_BYTES: usize = 3 * 1024 * 1024;

/// What a page is written as.
#[derive(Clone, Copy, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum ExportFormat {
    /// A row for each SKU.
    Csv,
    /// A line for each product.
    Jsonl,
}

impl ExportFormat {
    fn as_str(self) -> &'static str {
        match self {
            ExportFormat::Csv => "csv",
            ExportFormat::Jsonl => "jsonl",
        }
    }
}

impl FromStr for ExportFormat {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        match name {
            "csv" => Ok(ExportFormat::Csv),
            "jsonl" => Ok(ExportFormat::Jsonl),
            _ => Err(Invalid::new("must be csv or jsonl")),
        }
    }
}

/// Where a page begins: among the products of which state, and behind which of them.
struct Start {
    state: ProductState,
    after: Option<ProductId>,
}

impl Start {
    fn read(text: &str) -> Option<Start> {
        let (state, after) = text.split_once('.')?;
        let after = if after.is_empty() { None } else { Some(after.parse().ok()?) };
        Some(Start { state: state.parse().ok()?, after })
    }

    fn write(&self) -> String {
        format!("{}.{}", self.state.as_str(), self.after.map(|id| id.to_string()).unwrap_or_default())
    }
}

/// Export products
///
/// All products in whatever state, a page at a time; the header `link` leads to the next page (RFC 8288), until there is
/// none. What is exported can be imported again. A CSV has its header on each page, and an apostrophe before whatever a
/// spreadsheet might execute, which an import takes off again. `infra/tools/export-products` puts all pages together.
#[utoipa::path(
    get,
    path = "/v1/admin/products/export",
    params(
        ("format" = Option<ExportFormat>, Query, description = "`csv` unless it is given."),
        ("limit" = Option<u8>, Query, description = "How many products a page has at most: 100 unless it is given. One with long texts may have fewer.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "As the link to the page has it.")
    ),
    responses((status = 200, description = "A page.", content((String = "text/csv; charset=utf-8"), (String = "application/x-ndjson")))),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn export_products(
    State(app): State<App>,
    _: Staff<may::WriteCatalog>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let format = parameters.take("format", str::parse).unwrap_or(ExportFormat::Csv);
    let limit = parameters.take("limit", |text| match text.parse() {
        Ok(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        _ => Err(format!("must be a number from 1 to {MOST}")),
    });
    let limit = limit.unwrap_or(MOST);
    let name = format.as_str();
    let list = format!("export as {name}");
    let start = parameters.cursor((&app.guard.cursors, &list), Start::read);
    parameters.finish()?;
    let start = start.unwrap_or(Start { state: ProductState::ALL[0], after: None });
    let (listings, mut next) = page(&app, start, limit).await?;
    let (body, written) = match format {
        ExportFormat::Csv => as_csv(&listings, &app, &app.table.categories(false).await?)?,
        ExportFormat::Jsonl => as_lines(&listings, &app)?,
    };
    if let Some(last) = listings.get(..written).and_then(<[Listing]>::last).filter(|_| written < listings.len()) {
        next = Some(Start { state: last.product.state, after: Some(last.product.id) });
    }
    let (kind, file) = match format {
        ExportFormat::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"products.csv\""),
        ExportFormat::Jsonl => ("application/x-ndjson", "attachment; filename=\"products.jsonl\""),
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(file));
    if let Some(next) = next {
        let cursor = app.guard.cursors.seal(&list, &next.write());
        let link = format!("</v1/admin/products/export?format={name}&limit={limit}&cursor={cursor}>; rel=\"next\"");
        headers.insert(LINK, HeaderValue::try_from(link).map_err(Problem::internal)?);
    }
    Ok(response)
}

/// Products of one state: those of the next where there are none left. And where the next page begins.
async fn page(app: &App, start: Start, limit: u8) -> Result<(Vec<Listing>, Option<Start>), Problem> {
    let states = ProductState::ALL.into_iter().skip_while(|state| *state != start.state);
    let mut after = start.after;
    let mut found = (Vec::new(), None);
    for state in states {
        let cursor = after.take().and_then(|id| Cursor::among_products(&id.to_string()));
        let page = app.table.products(Products::Of(state), limit, cursor).await?;
        let ids: Vec<_> = page.items.iter().map(|summary| summary.id).collect();
        let more = ids.last().filter(|_| page.next.is_some()).map(|last| Start { state, after: Some(*last) });
        // With a link to what follows, a page may be empty: its products may all be gone by now.
        let goes_on = more.is_some();
        let following = ProductState::ALL.into_iter().skip_while(|other| *other != state).nth(1);
        let next = more.or_else(|| following.map(|state| Start { state, after: None }));
        found = (app.table.listings(&ids).await?, next);
        if goes_on || !found.0.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// As much of the products as a page takes, at least one; and how many those are.
fn as_csv(listings: &[Listing], app: &App, categories: &Tree) -> Result<(Vec<u8>, usize), Problem> {
    // Quoted all of it, so that a spreadsheet that parts cells by semicolons leaves them whole.
    let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
    writer.write_record(COLUMNS.map(|(name, _)| name)).map_err(Problem::internal)?;
    let (mut written, mut bytes) = (0, 0);
    for listing in listings {
        let rows = written::rows(listing, app.currency, categories);
        // As JSON, in which Lambda takes it, a quote that is meant is four bytes and one around a cell two.
        bytes += rows.iter().flatten().map(|cell| cell.len() + 3 * cell.matches('"').count() + 5).sum::<usize>();
        if written > 0 && bytes > PAGE_BYTES {
            break;
        }
        for row in rows {
            writer.write_record(row).map_err(Problem::internal)?;
        }
        written += 1;
    }
    Ok((writer.into_inner().map_err(Problem::internal)?, written))
}

fn as_lines(listings: &[Listing], app: &App) -> Result<(Vec<u8>, usize), Problem> {
    let (mut body, mut written) = (Vec::new(), 0);
    for listing in listings {
        let mut line = serde_json::to_vec(&written::line(listing, app.currency)).map_err(Problem::internal)?;
        line.push(b'\n');
        if written > 0 && body.len() + line.len() > PAGE_BYTES {
            break;
        }
        body.extend(line);
        written += 1;
    }
    Ok((body, written))
}
