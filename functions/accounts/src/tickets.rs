//! Tickets: what a browser opens a WebSocket with.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_lambda::{clock, random};
use waybill_web::{Caller, Problem};

use crate::App;

/// Seconds within which a ticket must be used.
const TICKET_LIFETIME: i64 = 30;

#[derive(Serialize, ToSchema)]
pub struct Ticket {
    /// To be sent as the query parameter `ticket` when the WebSocket is opened.
    ticket: String,
    expires_at: Timestamp,
}

/// Get a ticket for a WebSocket
///
/// A browser cannot send a bearer token with a WebSocket, and a token has no place in a URL: a ticket opens one
/// WebSocket, once, within 30 seconds. It brings updates for as long as the session lives.
#[utoipa::path(
    post,
    path = "/v1/websocket-tickets",
    responses((status = 201, description = "A ticket for one WebSocket.", body = Ticket)),
    security(("bearer" = [])),
)]
pub async fn issue_ticket(State(app): State<App>, caller: Caller) -> Result<(StatusCode, Json<Ticket>), Problem> {
    let secret = random::secret();
    let until = clock::now().as_second() + TICKET_LIFETIME;
    let expires_at = Timestamp::from_second(until).map_err(Problem::internal)?;
    app.table.issue_ticket(caller.account, caller.session, &random::hash(&secret), expires_at).await?;
    let ticket = format!("{}.{}.{secret}", caller.account, caller.session);
    Ok((StatusCode::CREATED, Json(Ticket { ticket, expires_at })))
}
