//! Exports of any size, as staff start them, see how far they have come, and get the file.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::export::{Days, Export, ExportSummary, Format, State as Stands, What};
use waybill_domain::id::{AccountId, ExportId};
use waybill_domain::report::Period;
use waybill_domain::{Date, SignedDuration, Timestamp};
use waybill_lambda::{clock, random};
use waybill_storage::Cursor;
use waybill_storage::exports::Started;
use waybill_web::openapi::Paging;
use waybill_web::query::{Idempotency, List, Parameters};
use waybill_web::{Body, Fields, Kind, Problem, Segment, Staff, may};

use crate::App;
use crate::books::Open;
use crate::range::{chosen, date};

/// How long a link to a file is good for.
const LINK_IS_GOOD_FOR: Duration = Duration::from_secs(15 * 60);

/// What is to be written into one file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewExportJob)]
pub struct NewExport {
    of: What,
    #[serde(default)]
    format: Format,
    /// `today`, or up to today the last `7_days`, `30_days` (the default), `90_days` or `year`. Products are of no days.
    #[schema(value_type = Option<String>, example = "year")]
    period: Option<String>,
    /// The first day, in the shop's time zone; instead of a period.
    #[schema(value_type = Option<String>, format = Date, example = "2026-11-01")]
    from: Option<String>,
    /// The last day; today unless it is given. Less than 3,660 days, which are ten years, after the first one.
    #[schema(value_type = Option<String>, format = Date, example = "2026-11-30")]
    to: Option<String>,
}

/// An export, and how far it has come.
#[derive(Serialize, ToSchema)]
#[schema(as = ExportJob)]
pub struct ExportView {
    id: ExportId,
    of: What,
    format: Format,
    /// The days that it is about; products are of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = Date, example = "2026-11-01", required = false)]
    from: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = Date, example = "2026-11-30", required = false)]
    to: Option<Date>,
    state: ExportState,
    /// How much of the days is written, from the last to the first; of products, how many of their states.
    #[schema(minimum = 0, maximum = 100)]
    percent: u8,
    /// Rows that are written.
    rows: u64,
    bytes: u64,
    /// Once it is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    download: Option<Download>,
    started_by: AccountId,
    started_at: Timestamp,
    updated_at: Timestamp,
    /// Until when it and its file are kept.
    kept_until: Timestamp,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ExportState {
    /// Rows are being written.
    Running,
    /// The file is there.
    Ready,
    /// It does not come about. Start another one, of fewer days.
    Failed,
}

/// The file, for whoever has its link.
#[derive(Serialize, ToSchema)]
#[schema(as = Download)]
struct Download {
    /// Takes a GET without a token. Made anew whenever the export is read.
    #[schema(example = "https://waybill-exports.s3.us-east-1.amazonaws.com/exports/…")]
    url: String,
    expires_at: Timestamp,
}

impl ExportView {
    fn of(export: &Export, app: &App, now: Timestamp) -> Result<Self, Problem> {
        let download = match export.state {
            Stands::Ready => Some(Download {
                url: app.files.link(&export.object(), now, LINK_IS_GOOD_FOR).map_err(Problem::internal)?,
                expires_at: now + SignedDuration::try_from(LINK_IS_GOOD_FOR).map_err(Problem::internal)?,
            }),
            Stands::Writing { .. } | Stands::Closing { .. } | Stands::Failed => None,
        };
        Ok(ExportView {
            id: export.id,
            of: export.what,
            format: export.format,
            from: export.days.map(|days| days.first),
            to: export.days.map(|days| days.last),
            state: match export.state {
                Stands::Writing { .. } | Stands::Closing { .. } => ExportState::Running,
                Stands::Ready => ExportState::Ready,
                Stands::Failed => ExportState::Failed,
            },
            percent: export.percent(),
            rows: export.rows,
            bytes: export.bytes,
            download,
            started_by: export.started_by,
            started_at: export.started_at,
            updated_at: export.updated_at,
            kept_until: export.kept_until(),
        })
    }
}

/// Start an export
///
/// Any number of rows in one file, written after the answer: the rows of `GET /v1/admin/orders/export`,
/// `GET /v1/admin/accounts/export` (for administrators), `GET /v1/admin/stock-movements/export` or `GET /v1/admin/products/export`,
/// with the same columns, under one header. Of what has days, nothing is in it that is placed, made or moved while it is being
/// written. Products are all of them, so a period or days given with them are refused, and the file can be imported again. The same
/// `Idempotency-Key` goes on where a request was lost.
#[utoipa::path(
    post,
    path = "/v1/admin/exports",
    params(Idempotency),
    request_body = NewExport,
    responses(
        (status = 202, description = "The export is under way, now or since the first request with this key.", body = ExportView, headers(("location" = String, description = "Where to see how far it has come."), ("idempotent-replayed" = String, description = "`true` when an earlier request started it.")))
    ),
    security(("bearer" = ["reports:read"])),
)]
pub async fn start_export(
    State(app): State<App>,
    staff: Staff<may::ReadReports>,
    Idempotency(key): Idempotency,
    Body(body): Body<NewExport>,
) -> Result<Response, Problem> {
    let caller = staff.caller;
    let permission = body.of.permission();
    if !caller.may(permission) {
        let detail = format!("This takes the permission {}, which your role has not.", permission.name());
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    let now = clock::now();
    let open = app.books.open(now).await?;
    let asked = [body.of.as_str(), body.format.as_str()].into_iter();
    let asked = asked.chain([&body.period, &body.from, &body.to].map(|text| text.as_deref().unwrap_or_default()));
    let fingerprint = random::hash(&asked.collect::<Vec<_>>().join("\n"));
    let days = days(&body, &open, now)?;
    let export = Export {
        id: ExportId::for_request(caller.account, &key),
        what: body.of,
        format: body.format,
        days,
        started_by: caller.account,
        started_at: now,
        fingerprint,
        state: Stands::Writing { behind: None, upload: None, parts: Vec::new(), aside: None },
        steps: 0,
        rows: 0,
        bytes: 0,
        updated_at: now,
    };
    match app.table.start_export(&export).await? {
        Started::Now => accepted(&export, &app, now, false),
        Started::Before(before) if before.fingerprint == export.fingerprint => accepted(&before, &app, now, true),
        Started::Before(_) => Err(Problem::invalid_header(Idempotency::HEADER, "was used before, for another request")),
    }
}

/// The days that are meant; products are of none.
fn days(body: &NewExport, open: &Open, now: Timestamp) -> Result<Option<Days>, Problem> {
    let mut fields = Fields::default();
    let given = [("/period", &body.period), ("/from", &body.from), ("/to", &body.to)];
    if body.of.dated().is_none() {
        for (pointer, _) in given.into_iter().filter(|(_, text)| text.is_some()) {
            fields.refuse(pointer, "cannot be given with products, which are of no days");
        }
        return fields.finish(|| Some(None));
    }
    let period = fields.take_optional("/period", body.period.as_ref().map(|text| text.parse::<Period>()));
    let from = fields.take_optional("/from", body.from.as_ref().map(|text| date(text)));
    let to = fields.take_optional("/to", body.to.as_ref().map(|text| date(text)));
    let range = if fields.is_empty() { Some(chosen(period, from, to, open.today(now))) } else { None };
    if let Some(Err((name, detail))) = &range {
        fields.refuse(&format!("/{name}"), detail);
    }
    let range = fields.finish(|| range?.ok())?;
    let (from, before) = open.moments(range);
    // What happens from now on would come between pages that are written already.
    Ok(Some(Days { first: range.first(), last: range.last(), from, before: before.min(now) }))
}

fn accepted(export: &Export, app: &App, now: Timestamp, replayed: bool) -> Result<Response, Problem> {
    let location = [(LOCATION, format!("/v1/admin/exports/{}", export.id))];
    let view = Json(ExportView::of(export, app, now)?);
    Ok(match replayed {
        false => (StatusCode::ACCEPTED, location, view).into_response(),
        true => (StatusCode::ACCEPTED, location, [("idempotent-replayed", "true")], view).into_response(),
    })
}

/// A line of the list of exports.
#[derive(Serialize, ToSchema)]
pub struct ExportLine {
    id: ExportId,
    of: What,
    format: Format,
    /// The days that it is about; products are of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = Date, example = "2026-11-01", required = false)]
    from: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = Date, example = "2026-11-30", required = false)]
    to: Option<Date>,
    started_by: AccountId,
    started_at: Timestamp,
}

impl From<ExportSummary> for ExportLine {
    fn from(ExportSummary { id, what, format, first, last, started_by, started_at }: ExportSummary) -> Self {
        ExportLine { id, of: what, format, from: first, to: last, started_by, started_at }
    }
}

const LIST: &str = "exports";

/// List exports
///
/// Those of the last seven days, without those that are not the caller's to see.
#[utoipa::path(
    get,
    path = "/v1/admin/exports",
    params(Paging),
    responses((status = 200, description = "A page of exports, the newest first.", body = List<ExportLine>)),
    security(("bearer" = ["reports:read"])),
)]
pub async fn list_exports(
    State(app): State<App>,
    staff: Staff<may::ReadReports>,
    mut parameters: Parameters,
) -> Result<Json<List<ExportLine>>, Problem> {
    let (limit, list) = (parameters.limit(), (&app.guard.cursors, LIST));
    let cursor = parameters.cursor(list, Cursor::among_exports);
    parameters.finish()?;
    let mut page = app.table.exports(limit, cursor).await?;
    page.items.retain(|export| staff.caller.may(export.what.permission()));
    Ok(Json(List::of(page, list)))
}

/// Read an export
#[utoipa::path(
    get,
    path = "/v1/admin/exports/{id}",
    params(("id" = ExportId, Path)),
    responses((status = 200, description = "How far it has come, and in the end a link to its file.", body = ExportView)),
    security(("bearer" = ["reports:read"])),
)]
pub async fn read_export(
    State(app): State<App>,
    staff: Staff<may::ReadReports>,
    Segment(id): Segment,
) -> Result<Json<ExportView>, Problem> {
    let unknown = || Problem::not_found("export");
    let (id, now) = (id.parse().map_err(|_| unknown())?, clock::now());
    let export = app.table.export(id).await?.filter(|export| now < export.kept_until()).ok_or_else(unknown)?;
    if !staff.caller.may(export.what.permission()) {
        return Err(unknown());
    }
    ExportView::of(&export, &app, now).map(Json)
}
