//! Orders, their lines and their refunds, customers and the stock ledger of any days, a page at a time, for spreadsheets and
//! programs.

pub mod pages;
mod rows;
pub mod write;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use utoipa::{IntoParams, ToSchema};
use waybill_domain::export::{Dated, Format};
use waybill_domain::text::Invalid;
use waybill_lambda::clock;
use waybill_storage::order_lists::Placed;
use waybill_web::query::Parameters;
use waybill_web::{Problem, Staff, may};

use crate::App;
use crate::range::{self, Days};
use pages::MOST;

/// How a page is wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only tells the document what pages take")]
struct Asked {
    /// `csv` unless it is given.
    format: Option<Format>,
    /// How many orders, accounts or movements a page is about at most: 100 unless it is given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u8>,
    /// As the link to the page has it.
    cursor: Option<String>,
}

/// What there is a row of on such a page.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case", as = OrderExportOf)]
pub enum Of {
    Orders,
    /// One for each line of each order.
    Lines,
    /// One for each refund of each order.
    Refunds,
}

fn of(name: &str) -> Result<Dated, Invalid> {
    let all = [Dated::Orders, Dated::Lines, Dated::Refunds];
    all.into_iter().find(|of| of.as_str() == name).ok_or_else(|| Invalid::new("must be orders, lines or refunds"))
}

/// Export orders
///
/// Orders that were placed on these days, the newest first, a page at a time; the header `link` leads to the next page (RFC 8288),
/// until there is none, and `infra/tools/export-products` puts all pages together. So any number of orders is exported in as little
/// memory as a page takes. Amounts are told in minor units (`total_minor`) and as a decimal number (`total`). Columns of
/// orders: order_id, number, customer_id, email, products, shipping_address, status, payment_status, fulfilment_status, currency,
/// subtotal, discount, shipping, tax, total, refunded, created_at. Of lines: order_id, number, created_at, sku, product_id, title,
/// quantity, currency, unit_price, subtotal, discount, tax, total. Of refunds: order_id, number, refund, cause, status, currency,
/// amount, requested_at, settled_at, stripe_id. In a CSV an apostrophe stands before whatever a spreadsheet might execute. `POST /v1/admin/exports`
/// writes the same rows into one file.
#[utoipa::path(
    get,
    path = "/v1/admin/orders/export",
    params(
        ("of" = Option<Of>, Query, description = "`orders` unless it is given."),
        Asked,
        Days
    ),
    responses((status = 200, description = "A page.", content((String = "text/csv; charset=utf-8"), (String = "application/x-ndjson")))),
    security(("bearer" = ["reports:read"])),
)]
pub async fn export_orders(
    State(app): State<App>,
    _: Staff<may::ReadReports>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let of = parameters.take("of", of).unwrap_or(Dated::Orders);
    page(&app, "/v1/admin/orders/export", of, parameters).await
}

/// Export customers
///
/// All accounts that were made on these days, staff among them, page by page as orders are. Columns: customer_id, email, name,
/// language, role, created_at. For administrators.
#[utoipa::path(
    get,
    path = "/v1/admin/accounts/export",
    params(Asked, Days),
    responses((status = 200, description = "A page.", content((String = "text/csv; charset=utf-8"), (String = "application/x-ndjson")))),
    security(("bearer" = ["people:manage"])),
)]
pub async fn export_customers(
    State(app): State<App>,
    _: Staff<may::ManagePeople>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    page(&app, "/v1/admin/accounts/export", Dated::Customers, parameters).await
}

/// Export the stock ledger
///
/// The movements of all SKUs on these days, page by page as orders are. Columns: movement_id, moved_at, product_id, sku, kind,
/// units, places, by, staff_id, reason, order_id.
#[utoipa::path(
    get,
    path = "/v1/admin/stock-movements/export",
    params(Asked, Days),
    responses((status = 200, description = "A page.", content((String = "text/csv; charset=utf-8"), (String = "application/x-ndjson")))),
    security(("bearer" = ["stock:read"])),
)]
pub async fn export_movements(
    State(app): State<App>,
    _: Staff<may::ReadStock>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    page(&app, "/v1/admin/stock-movements/export", Dated::StockMovements, parameters).await
}

async fn page(app: &App, path: &str, of: Dated, mut parameters: Parameters) -> Result<Response, Problem> {
    let now = clock::now();
    let open = app.books.open(now).await?;
    let format: Format = parameters.take("format", str::parse).unwrap_or_default();
    let range = range::take(&mut parameters, open.today(now));
    let limit = parameters.take("limit", |text| match text.parse() {
        Ok(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        _ => Err(format!("must be a number from 1 to {MOST}")),
    });
    let limit = limit.unwrap_or(MOST);
    let days = range.map(|range| format!("from={}&to={}", range.first(), range.last())).unwrap_or_default();
    let list = format!("export of {} {days}", of.as_str());
    let cursor = parameters.cursor((&app.guard.cursors, &list), |text| pages::cursor(of, text));
    parameters.finish()?;
    let Some(range) = range else { return Err(Problem::internal("an export is about no days")) };
    let (from, before) = open.moments(range);
    let then = Placed { from: Some(from), before: Some(before) };
    let page = pages::page(&app.table, of, then, limit, cursor).await?;
    let (mut body, columns) = (Vec::new(), pages::columns(of));
    write::begin(&mut body, format, &columns).map_err(Problem::internal)?;
    write::add(&mut body, format, &columns, page.rows).map_err(Problem::internal)?;
    let extension = format.as_str();
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let header = |text: String| HeaderValue::try_from(text).map_err(Problem::internal);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(CONTENT_DISPOSITION, header(format!("attachment; filename=\"{}.{extension}\"", of.as_str()))?);
    if let Some(next) = page.next {
        let cursor = app.guard.cursors.seal(&list, &next.to_string());
        let of = if of.is_of_orders() { format!("of={}&", of.as_str()) } else { String::new() };
        let query = format!("{of}format={extension}&{days}&limit={limit}&cursor={cursor}");
        headers.insert(LINK, header(format!("<{path}?{query}>; rel=\"next\""))?);
    }
    Ok(response)
}
