//! Imports, as staff start them and see what came of them.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::id::{AccountId, ImportId};
use waybill_domain::import::{Counts, Failure, Format, Import, ImportSummary, Progress};
use waybill_lambda::{clock, random};
use waybill_storage::Cursor;
use waybill_storage::imports::{FailureCursor, Started};
use waybill_web::openapi::Paging;
use waybill_web::query::{Idempotency, List, Parameters};
use waybill_web::{Kind, Problem, Segment, Staff, body, may};

use crate::App;
use crate::bulk::split::split;

/// Bytes of an upload: Lambda takes 6 MB, and what is no text comes in base64, a third longer.
pub const MAX_UPLOAD: usize = 4 * 1024 * 1024;

/// An import, and how far it has come.
#[derive(Serialize, ToSchema)]
#[schema(as = Import)]
pub struct ImportView {
    id: ImportId,
    format: Format,
    state: ImportState,
    rows: u32,
    /// Rows that are worked off.
    done: u32,
    #[serde(flatten)]
    #[schema(inline)]
    counts: Counts,
    started_by: AccountId,
    started_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ImportState {
    /// Rows wait to be worked off.
    Running,
    Finished,
}

impl ImportView {
    fn of(import: &Import, progress: &Progress) -> Self {
        ImportView {
            id: import.id,
            format: import.format,
            state: if import.is_finished(progress) { ImportState::Finished } else { ImportState::Running },
            rows: import.rows,
            done: progress.counts.rows(),
            counts: progress.counts,
            started_by: import.started_by,
            started_at: import.started_at,
            updated_at: progress.updated_at,
        }
    }
}

/// What is sent to be imported: its format, and its bytes.
pub struct Sent {
    format: Format,
    bytes: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let format = format(request.headers()).ok_or_else(|| {
            let detail =
                "An import is CSV or JSON Lines, with the header Content-Type: text/csv or application/x-ndjson.";
            Problem::new(Kind::UnsupportedMediaType, detail)
        })?;
        let bytes =
            Bytes::from_request(request, state).await.map_err(|rejection| body::refused(rejection, MAX_UPLOAD))?;
        Ok(Sent { format, bytes })
    }
}

fn format(headers: &HeaderMap) -> Option<Format> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
    match kind.as_str() {
        "text/csv" => Some(Format::Csv),
        "application/x-ndjson" => Some(Format::JsonLines),
        _ => None,
    }
}

/// Import products
///
/// Many products at once: at most 20,000 rows in 4 MiB of UTF-8. They are worked off after the answer; whoever fails is left
/// out and told why, the others go in. What an import does not mention stays as it is, and one that is sent again changes
/// nothing. The same `Idempotency-Key` goes on where a request was lost.
///
/// **JSON Lines** (`application/x-ndjson`): a product on each line, in the very shape of `POST /v1/admin/products`. One whose
/// `slug` is known is changed: fields that are left out stay, null clears one, and SKUs that are not named stay.
///
/// **CSV** (`text/csv`, RFC 4180, with a header): a SKU on each row; rows of the same `slug` are one product, of which the
/// first row tells and the others repeat it or leave it empty. A column that is left out leaves what is there; an empty cell
/// clears what may be missing. In a list, `|` stands between the values, and `\` before a `|`, `=` or `\` that is meant. An
/// apostrophe before what a spreadsheet would execute is taken off.
///
/// | column | what it holds |
/// | --- | --- |
/// | `slug` | The product's; has to be there. |
/// | `state` | `draft`, `active` or `archived`; `active` when empty. |
/// | `title` | In the shop's language. |
/// | `description` | In the shop's language. |
/// | `translations` | As JSON, by language: `{"de": {"title": "Tee", "description": ""}}`. |
/// | `categories` | Slugs: `tea\|green-tea`. |
/// | `images` | Addresses, each with what it shows behind a space: `https://example.com/tea.jpg A cup of tea`. |
/// | `attributes` | `colour=Blue\|colour=Green\|size=M`. |
/// | `tags` | `new\|sale`. |
/// | `sku` | Has to be there, once in a file. |
/// | `variant` | What sets it apart from the product's other SKUs. |
/// | `options` | `Size=M\|Colour=Blue`; names and values that are new become the product's. |
/// | `price` | Minor units, in the shop's currency. |
/// | `compare_at` | What it cost before, in the shop's currency. |
/// | `prices` | In other currencies, and behind a slash what it cost before: `EUR=1900\|GBP=1700/1900`. |
/// | `stock` | Units on hand of a SKU that is new; of one that is known it is passed over. |
/// | `weight` | Grams of one unit. |
/// | `tax_class` | `standard` when empty. |
/// | `barcode` | A GTIN. |
/// | `image` | An address. |
/// | `active` | `true` or `false`; `true` when empty. |
#[utoipa::path(
    post,
    path = "/v1/admin/imports",
    params(Idempotency),
    request_body(content((String = "text/csv"), (String = "application/x-ndjson")), description = "The rows."),
    responses(
        (status = 202, description = "The import is under way, now or since the first request with this key.", body = ImportView, headers(("location" = String, description = "Where to see how far it has come."), ("idempotent-replayed" = String, description = "`true` when an earlier request started it."))),
        (status = 400, description = "bad-request"), (status = 413, description = "too-large"), (status = 415, description = "unsupported-media-type"), (status = 422, description = "invalid")
    ),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn start_import(
    State(app): State<App>,
    staff: Staff<may::WriteCatalog>,
    Idempotency(key): Idempotency,
    Sent { format, bytes }: Sent,
) -> Result<Response, Problem> {
    let account = staff.caller.account;
    let fingerprint = random::hash_bytes(&[&[format as u8], &bytes[..]].concat());
    let id = ImportId::for_upload(account, &key);
    if let Some((import, progress)) = app.table.import_progress(id).await? {
        return replayed(&import, &progress, &fingerprint);
    }
    let upload = split(format, &bytes)?;
    let parts = u32::try_from(upload.parts.len()).map_err(Problem::internal)?;
    let import = Import {
        id,
        format,
        columns: upload.columns,
        rows: upload.rows,
        parts,
        started_by: account,
        started_at: clock::now(),
        fingerprint: fingerprint.clone(),
    };
    let none = Progress { parts_done: 0, counts: Counts::default(), updated_at: import.started_at };
    match app.table.start_import(&import, upload.parts).await? {
        Started::Now => Ok(accepted(&import, &none, false)),
        Started::Before(import) => replayed(&import, &none, &fingerprint),
    }
}

fn replayed(import: &Import, progress: &Progress, fingerprint: &str) -> Result<Response, Problem> {
    if import.fingerprint == fingerprint {
        Ok(accepted(import, progress, true))
    } else {
        Err(Problem::invalid_header(Idempotency::HEADER, "was used before, for another request"))
    }
}

fn accepted(import: &Import, progress: &Progress, replayed: bool) -> Response {
    let location = [(LOCATION, format!("/v1/admin/imports/{}", import.id))];
    let view = Json(ImportView::of(import, progress));
    match replayed {
        false => (StatusCode::ACCEPTED, location, view).into_response(),
        true => (StatusCode::ACCEPTED, location, [("idempotent-replayed", "true")], view).into_response(),
    }
}

/// A line of the list of imports.
#[derive(Serialize, ToSchema)]
pub struct ImportLine {
    id: ImportId,
    format: Format,
    rows: u32,
    started_by: AccountId,
    started_at: Timestamp,
}

impl From<ImportSummary> for ImportLine {
    fn from(ImportSummary { id, format, rows, started_by, started_at }: ImportSummary) -> Self {
        ImportLine { id, format, rows, started_by, started_at }
    }
}

const LIST: &str = "imports";

/// List imports
///
/// Those of the last 30 days.
#[utoipa::path(
    get,
    path = "/v1/admin/imports",
    params(Paging),
    responses((status = 200, description = "A page of imports, the newest first.", body = List<ImportLine>)),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn list_imports(
    State(app): State<App>,
    _: Staff<may::WriteCatalog>,
    mut parameters: Parameters,
) -> Result<Json<List<ImportLine>>, Problem> {
    let (limit, list) = (parameters.limit(), (&app.guard.cursors, LIST));
    let cursor = parameters.cursor(list, Cursor::among_imports);
    parameters.finish()?;
    Ok(Json(List::of(app.table.imports(limit, cursor).await?, list)))
}

fn unknown() -> Problem {
    Problem::not_found("import")
}

/// Read an import
#[utoipa::path(
    get,
    path = "/v1/admin/imports/{id}",
    params(("id" = ImportId, Path)),
    responses((status = 200, description = "How far it has come.", body = ImportView)),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn read_import(
    State(app): State<App>,
    _: Staff<may::WriteCatalog>,
    Segment(id): Segment,
) -> Result<Json<ImportView>, Problem> {
    let id = id.parse().map_err(|_| unknown())?;
    let (import, progress) = app.table.import_progress(id).await?.ok_or_else(unknown)?;
    Ok(Json(ImportView::of(&import, &progress)))
}

/// List what failed
///
/// Rows that were left out, in their order, with the reasons. While the import is running others may come between them.
#[utoipa::path(
    get,
    path = "/v1/admin/imports/{id}/failures",
    params(("id" = ImportId, Path), Paging),
    responses((status = 200, description = "A page of rows.", body = List<Failure>)),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn list_import_failures(
    State(app): State<App>,
    _: Staff<may::WriteCatalog>,
    Segment(id): Segment,
    mut parameters: Parameters,
) -> Result<Json<List<Failure>>, Problem> {
    let id: ImportId = id.parse().map_err(|_| unknown())?;
    let (limit, list) = (parameters.limit(), format!("failures of {id}"));
    let cursor = parameters.cursor((&app.guard.cursors, &list), row);
    parameters.finish()?;
    let (import, page) = tokio::try_join!(app.table.import(id), app.table.import_failures(id, limit, cursor))?;
    import.ok_or_else(unknown)?;
    let seal = |cursor: Option<FailureCursor>| cursor.map(|cursor| app.guard.cursors.seal(&list, &written(cursor)));
    Ok(Json(List { next: seal(page.next), previous: seal(page.previous), items: page.items }))
}

fn written(cursor: FailureCursor) -> String {
    match cursor {
        FailureCursor::After(row) => format!("+{row}"),
        FailureCursor::Before(row) => format!("-{row}"),
    }
}

fn row(text: &str) -> Option<FailureCursor> {
    let way = if text.starts_with('+') { FailureCursor::After } else { FailureCursor::Before };
    Some(way(text.get(1..)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use utoipa::OpenApi;

    use crate::Documented;
    use crate::bulk::columns::COLUMNS;

    #[test]
    fn the_document_tells_of_every_column_and_of_no_other() {
        let document = serde_json::to_value(Documented::openapi()).unwrap();
        let told = document["paths"]["/v1/admin/imports"]["post"]["description"].as_str().unwrap();
        let rows = told.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let told: Vec<_> = rows.collect();
        assert_eq!(told, COLUMNS.map(|(name, _)| name));
        assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), COLUMNS.len());
    }
}
