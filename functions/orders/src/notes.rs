//! What staff note about orders, for each other: buyers never see it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::id::{NoteId, OrderId};
use waybill_lambda::clock;
use waybill_storage::notes::{NotNoted, Note, NoteText};
use waybill_storage::{Cursor, Table};
use waybill_web::openapi::Paging;
use waybill_web::query::{Idempotency, List, Parameters};
use waybill_web::{Body, Fields, Guard, Problem, Segment, Staff, may};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNote {
    #[schema(value_type = NoteText, example = "Called: wants it delivered to the neighbour.")]
    text: String,
}

/// Note something about an order
///
/// For staff only: the buyer never sees it. It goes when the buyer deletes their account.
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/notes",
    params(("id" = OrderId, Path), Idempotency),
    request_body = NewNote,
    responses((status = 201, description = "The note, now or by the first request with this key.", body = Note, headers(("idempotent-replayed" = String, description = "`true` when an earlier request wrote it.")))),
    security(("bearer" = ["orders:note"])),
)]
pub async fn write_note(
    State(table): State<Table>,
    staff: Staff<may::NoteOrders>,
    Segment(id): Segment,
    Idempotency(key): Idempotency,
    Body(body): Body<NewNote>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let text = fields.take("/text", body.text.parse::<NoteText>());
    let text = fields.finish(|| text)?;
    let order: OrderId = id.parse().map_err(|_| unknown_order())?;
    let by = staff.caller.account;
    let note = Note { id: NoteId::for_request(order, by, &key), text, by: Some(by), at: clock::now() };
    let Err(refused) = table.write_note(order.number(), &note).await else {
        return Ok((StatusCode::CREATED, Json(note)).into_response());
    };
    match refused.first()? {
        NotNoted::UnknownOrder => Err(unknown_order()),
        NotNoted::Written(before) if before.text == note.text => {
            Ok((StatusCode::CREATED, [("idempotent-replayed", "true")], Json(*before)).into_response())
        }
        NotNoted::Written(_) => {
            Err(Problem::invalid_header(Idempotency::HEADER, "was used before, for another request"))
        }
    }
}

/// List the notes about an order
#[utoipa::path(
    get,
    path = "/v1/admin/orders/{id}/notes",
    params(("id" = OrderId, Path), Paging),
    responses((status = 200, description = "A page of the notes, the newest first.", body = List<Note>)),
    security(("bearer" = ["orders:read"])),
)]
pub async fn list_notes(
    State(table): State<Table>,
    State(guard): State<Guard>,
    _: Staff<may::ReadOrders>,
    Segment(id): Segment,
    mut parameters: Parameters,
) -> Result<Json<List<Note>>, Problem> {
    let order = id.parse::<OrderId>().map_err(|_| unknown_order())?.number();
    let list = format!("notes about {order}");
    let list = (&guard.cursors, list.as_str());
    let limit = parameters.limit();
    let cursor = parameters.cursor(list, |text| Cursor::among_notes(order, text));
    parameters.finish()?;
    Ok(Json(List::of(table.notes(order, limit, cursor).await?, list)))
}

/// Delete a note
#[utoipa::path(
    delete,
    path = "/v1/admin/orders/{id}/notes/{note}",
    params(("id" = OrderId, Path), ("note" = NoteId, Path)),
    responses((status = 204, description = "The note is gone, now or before.")),
    security(("bearer" = ["orders:note"])),
)]
pub async fn delete_note(
    State(table): State<Table>,
    _: Staff<may::NoteOrders>,
    Segment((id, note)): Segment<(String, String)>,
) -> Result<StatusCode, Problem> {
    let order: OrderId = id.parse().map_err(|_| unknown_order())?;
    let note = note.parse().map_err(|_| Problem::not_found("note"))?;
    table.delete_note(order.number(), note).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn unknown_order() -> Problem {
    Problem::not_found("order")
}
