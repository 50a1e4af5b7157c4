//! Orders, their lines and their refunds of any days, a page at a time, for spreadsheets and programs.

mod rows;

use std::str::FromStr;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use waybill_domain::cell::guarded;
use waybill_domain::text::Invalid;
use waybill_lambda::clock;
use waybill_storage::Cursor;
use waybill_storage::order_lists::{Orders, Placed};
use waybill_web::query::Parameters;
use waybill_web::{Problem, Staff, may};

use crate::App;
use crate::range::{self, Days};
use rows::{Cell, Row};

/// Orders of a page unless `limit` says otherwise, and at most: with fifty lines each they stay far below the 6 MB that Lambda
/// answers.
const MOST: u8 = 100;

/// What there is a row of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case", as = OrderExportOf)]
pub enum Of {
    Orders,
    /// One for each line of each order.
    Lines,
    /// One for each refund of each order.
    Refunds,
}

/// What a page is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case", as = OrderExportFormat)]
pub enum Format {
    /// As RFC 4180 has it, with a header.
    Csv,
    /// An object for each row (JSON Lines).
    Jsonl,
}

impl Of {
    fn as_str(self) -> &'static str {
        match self {
            Of::Orders => "orders",
            Of::Lines => "lines",
            Of::Refunds => "refunds",
        }
    }
}

impl FromStr for Of {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let all = [Of::Orders, Of::Lines, Of::Refunds];
        all.into_iter().find(|of| of.as_str() == name).ok_or_else(|| Invalid::new("must be orders, lines or refunds"))
    }
}

impl FromStr for Format {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        match name {
            "csv" => Ok(Format::Csv),
            "jsonl" => Ok(Format::Jsonl),
            _ => Err(Invalid::new("must be csv or jsonl")),
        }
    }
}

/// Export orders
///
/// Orders that were placed on these days, the newest first, a page at a time; the header `link` leads to the next page (RFC 8288),
/// until there is none, and `infra/tools/export-products` puts all pages together. So any number of orders is exported in as little
/// memory as a page takes. Amounts are told in minor units (`total_minor`) and as a decimal number (`total`). Columns of
/// orders: order_id, number, customer_id, email, products, shipping_address, status, payment_status, fulfilment_status, currency,
/// subtotal, discount, shipping, tax, total, refunded, created_at. Of lines: order_id, number, created_at, sku, product_id, title,
/// quantity, currency, unit_price, subtotal, discount, tax, total. Of refunds: order_id, number, refund, cause, status, currency,
/// amount, requested_at, settled_at, stripe_id. In a CSV an apostrophe stands before whatever a spreadsheet might execute.
#[utoipa::path(
    get,
    path = "/v1/admin/orders/export",
    params(
        ("of" = Option<Of>, Query, description = "`orders` unless it is given."),
        ("format" = Option<Format>, Query, description = "`csv` unless it is given."),
        Days,
        ("limit" = Option<u8>, Query, description = "How many orders a page has at most: 100 unless it is given.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "As the link to the page has it.")
    ),
    responses((status = 200, description = "A page.", content((String = "text/csv; charset=utf-8"), (String = "application/x-ndjson")))),
    security(("bearer" = ["reports:read"])),
)]
pub async fn export_orders(
    State(app): State<App>,
    _: Staff<may::ReadReports>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let now = clock::now();
    let open = app.books.open(now).await?;
    let of = parameters.take("of", str::parse).unwrap_or(Of::Orders);
    let format = parameters.take("format", str::parse).unwrap_or(Format::Csv);
    let range = range::take(&mut parameters, open.today(now));
    let limit = parameters.take("limit", |text| match text.parse() {
        Ok(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        _ => Err(format!("must be a number from 1 to {MOST}")),
    });
    let limit = limit.unwrap_or(MOST);
    let days = range.map(|range| format!("from={}&to={}", range.first(), range.last())).unwrap_or_default();
    let list = format!("export of {} {days}", of.as_str());
    let cursor = parameters.cursor((&app.guard.cursors, &list), Cursor::among_orders);
    parameters.finish()?;
    let Some(range) = range else { return Err(Problem::internal("an export is about no days")) };
    let (from, before) = open.moments(range);
    let placed = Placed { from: Some(from), before: Some(before) };
    let page = app.table.orders(Orders::All, placed, limit, cursor).await?;
    let ids: Vec<_> = page.items.iter().map(|order| order.id).collect();
    let orders = app.table.whole_orders(&ids).await?;
    let (columns, rows) = rows::of(of, &orders);
    let (body, kind, extension) = match format {
        Format::Csv => (as_csv(&columns, &rows)?, "text/csv; charset=utf-8", "csv"),
        Format::Jsonl => (as_lines(&columns, rows)?, "application/x-ndjson", "jsonl"),
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let header = |text: String| HeaderValue::try_from(text).map_err(Problem::internal);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_DISPOSITION, header(format!("attachment; filename=\"{}.{extension}\"", of.as_str()))?);
    if let Some(next) = page.next {
        let cursor = app.guard.cursors.seal(&list, &next.to_string());
        let query = format!("of={}&format={extension}&{days}&limit={limit}&cursor={cursor}", of.as_str());
        headers.insert(LINK, header(format!("</v1/admin/orders/export?{query}>; rel=\"next\""))?);
    }
    Ok(response)
}

fn as_csv(columns: &[String], rows: &[Row]) -> Result<Vec<u8>, Problem> {
    // Quoted all of it, so that a spreadsheet that parts cells by semicolons leaves them whole.
    let mut writer = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Always)
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    writer.write_record(columns).map_err(Problem::internal)?;
    for row in rows {
        let cells = row.iter().map(|cell| match cell {
            Cell::Text(text) => guarded(text).into_owned(),
            Cell::Number(number) => number.to_string(),
            Cell::Decimal(number) => number.clone(),
            Cell::Nothing => String::new(),
        });
        writer.write_record(cells).map_err(Problem::internal)?;
    }
    writer.into_inner().map_err(Problem::internal)
}

fn as_lines(columns: &[String], rows: Vec<Row>) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    for row in rows {
        let values = row.into_iter().map(|cell| match cell {
            Cell::Text(text) | Cell::Decimal(text) => Value::String(text),
            Cell::Number(number) => number.into(),
            Cell::Nothing => Value::Null,
        });
        let line: Map<String, Value> = columns.iter().cloned().zip(values).collect();
        serde_json::to_writer(&mut body, &line).map_err(Problem::internal)?;
        body.push(b'\n');
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By the first character of what a spreadsheet looks at, said in another way than the code says it.
    fn begins_a_formula(cell: &str) -> bool {
        let first = cell.chars().find(|c| !(c.is_whitespace() || c.is_control() || "\"\u{feff}".contains(*c)));
        first.is_some_and(|first| "=+-@＝＋－＠".contains(first)) || cell.starts_with(['\t', '\r', '\n'])
    }

    fn texts() -> impl Strategy<Value = Vec<String>> {
        let part = || {
            prop_oneof![
                "[=+@'\" \t\r\n|＝＋－＠\u{feff}\u{a0}\\\\-]{1,3}",
                "[a-z0-9,;äß]{0,4}",
                any::<String>().prop_map(|text| text.chars().take(3).collect()),
            ]
        };
        proptest::collection::vec(proptest::collection::vec(part(), 0..5).prop_map(|parts| parts.concat()), 100)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// A hundred cells a thousand times.
        #[test]
        fn no_cell_is_executed_and_a_reader_of_rfc_4180_finds_each_where_it_was_put(texts in texts()) {
            let columns: Vec<String> = (0..10).map(|column| column.to_string()).collect();
            let rows: Vec<Row> = texts.chunks(10).map(|row| row.iter().cloned().map(Cell::Text).collect()).collect();
            let csv = as_csv(&columns, &rows).unwrap();
            prop_assert!(csv.ends_with(b"\"\r\n"));
            let mut reader = csv::Reader::from_reader(csv.as_slice());
            let cells: Vec<String> =
                reader.records().flat_map(|row| row.unwrap().iter().map(ToOwned::to_owned).collect::<Vec<_>>()).collect();
            prop_assert_eq!(cells.len(), texts.len());
            for (cell, text) in cells.iter().zip(&texts) {
                prop_assert!(!begins_a_formula(cell), "{cell:?}");
                prop_assert_eq!(waybill_domain::cell::unguarded(cell), text.as_str());
            }
        }
    }

    #[test]
    fn a_csv_ends_its_lines_as_rfc_4180_has_it_and_executes_nothing() {
        let row = vec![
            Cell::Text("=HYPERLINK(\"http://x\")".into()),
            Cell::Number(-5),
            Cell::Decimal("-0.05".into()),
            Cell::Nothing,
            Cell::Text("a,\"b\"\r\nc".into()),
        ];
        let columns = ["a", "b", "c", "d", "e"].map(ToOwned::to_owned);
        let csv = as_csv(&columns, std::slice::from_ref(&row)).unwrap();
        let expected = "\"a\",\"b\",\"c\",\"d\",\"e\"\r\n\
            \"'=HYPERLINK(\"\"http://x\"\")\",\"-5\",\"-0.05\",\"\",\"a,\"\"b\"\"\r\nc\"\r\n";
        assert_eq!(String::from_utf8(csv).unwrap(), expected);
        let lines = as_lines(&columns, vec![row]).unwrap();
        let line: Value = serde_json::from_slice(&lines).unwrap();
        assert_eq!(
            (&line["a"], &line["b"], &line["d"]),
            (&"=HYPERLINK(\"http://x\")".into(), &(-5).into(), &Value::Null)
        );
        assert!(lines.ends_with(b"}\n"));
    }
}
