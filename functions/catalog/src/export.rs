//! The whole catalogue, a page at a time, as an import takes it again.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use waybill_domain::export::Format;
use waybill_web::query::Parameters;
use waybill_web::{Problem, Staff, may};

use crate::App;
use crate::bulk::pages::{self, MOST, Shape, Start, Written};

/// Export products
///
/// All products in whatever state, a page at a time; the header `link` leads to the next page (RFC 8288), until there is
/// none. What is exported can be imported again. A CSV has its header on each page, and an apostrophe before whatever a
/// spreadsheet might execute, which an import takes off again. `infra/tools/export-products` puts all pages together;
/// `POST /v1/admin/exports` writes the same rows into one file.
#[utoipa::path(
    get,
    path = "/v1/admin/products/export",
    params(
        ("format" = Option<Format>, Query, description = "`csv`, a row for each SKU, unless it is given; `jsonl` has a line for each product."),
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
    let format: Format = parameters.take("format", str::parse).unwrap_or_default();
    let limit = parameters.take("limit", |text| match text.parse() {
        Ok(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        _ => Err(format!("must be a number from 1 to {MOST}")),
    });
    let limit = limit.unwrap_or(MOST);
    let name = format.as_str();
    let list = format!("export as {name}");
    let start = parameters.cursor((&app.guard.cursors, &list), Start::read);
    parameters.finish()?;
    let page = pages::page(&app.table, start.unwrap_or_default(), limit).await?;
    let shape = Shape::of(format, &app.table).await?;
    let mut body = Vec::new();
    shape.begin(&mut body).map_err(Problem::internal)?;
    let Written { next, .. } = page.write(&mut body, &shape, app.currency).map_err(Problem::internal)?;
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let header = |text: String| HeaderValue::try_from(text).map_err(Problem::internal);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(CONTENT_DISPOSITION, header(format!("attachment; filename=\"products.{name}\""))?);
    if let Some(next) = next {
        let cursor = app.guard.cursors.seal(&list, &next.to_string());
        let query = format!("format={name}&limit={limit}&cursor={cursor}");
        headers.insert(LINK, header(format!("</v1/admin/products/export?{query}>; rel=\"next\""))?);
    }
    Ok(response)
}
