//! Of which SKUs little is left.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use waybill_storage::Cursor;
use waybill_storage::waiting::LowSku;
use waybill_web::openapi::Paging;
use waybill_web::query::{List, Parameters};
use waybill_web::{Problem, Staff, may, unless_known};

use crate::App;

/// List SKUs of which little is left
///
/// Those of which no more than their `low_stock_at` is left, sold out ones among them. A SKU that was low before this list was
/// kept is in it once it was restocked and is low again.
#[utoipa::path(
    get,
    path = "/v1/admin/reports/low-stock",
    params(Paging),
    responses((status = 200, description = "A page of SKUs, the latest first.", body = List<LowSku>, headers(("etag" = String, description = "What it is known by."))), (status = 304, description = "You have the newest.")),
    security(("bearer" = ["reports:read"])),
)]
pub async fn list_low_stock(
    State(app): State<App>,
    _: Staff<may::ReadReports>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let list = (&app.guard.cursors, "low stock");
    let limit = parameters.limit();
    let cursor = parameters.cursor(list, Cursor::among_low_stock);
    parameters.finish()?;
    let page: List<LowSku> = List::of(app.table.low_stock(limit, cursor).await?, list);
    unless_known(&headers, &page)
}
