//! Log-in sessions and their two tokens.

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::account::Account;
use waybill_domain::id::{AccountId, SessionId};
use waybill_domain::text::IdempotencyKey;
use waybill_lambda::{clock, random};
use waybill_storage::accounts::Holder;
use waybill_storage::sessions::{Rotation, Session};
use waybill_web::limits::{Address, Limit};
use waybill_web::query::{Idempotency, List};
use waybill_web::tokens::ACCESS_LIFETIME;
use waybill_web::{Body, Caller, Problem, Segment};

use crate::App;

/// Seconds that a session lives after its last refresh: 14 days.
const SESSION_LIFETIME: i64 = 14 * 24 * 60 * 60;
/// Characters that are kept of what a client calls itself.
const DEVICE_LENGTH: usize = 120;

/// The answer to sign-up, log-in and refresh.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    account: Account,
    /// A JWT, for the header `Authorization: Bearer …`.
    access_token: String,
    /// To be used once; the answer brings the next.
    refresh_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: i64,
    /// Answered by a log-in, to be kept beyond the session and sent with the next log-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub device_token: Option<String>,
}

/// A new session, not yet kept: its id, the secret of its refresh token, and what the table is to know.
pub fn fresh(app: &App, device: Option<&HeaderValue>, now: Timestamp) -> (SessionId, String, Session) {
    let id = SessionId::new(random::uuid_at(now));
    let secret = app.vault.secret(id);
    let device = device.and_then(|value| value.to_str().ok()).unwrap_or("unknown");
    let session = Session {
        token_hash: random::hash(&secret),
        created_at: now,
        last_used_at: now,
        expires_at: now.as_second() + SESSION_LIFETIME,
        device: device.chars().take(DEVICE_LENGTH).collect(),
        second_factor_at: None,
    };
    (id, secret, session)
}

pub fn tokens(app: &App, holder: &Holder, id: SessionId, secret: &str, now: Timestamp) -> Result<Tokens, Problem> {
    let access_token = app.signer.sign(holder.id, id, now).map_err(Problem::internal)?;
    let refresh_token = format!("{}.{id}.{secret}", holder.id);
    let account = holder.account();
    Ok(Tokens {
        account,
        access_token,
        refresh_token,
        token_type: "Bearer",
        expires_in: ACCESS_LIFETIME,
        device_token: None,
    })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The newest refresh token of the session.
    refresh_token: String,
}

/// Exchange a refresh token
///
/// A token is good once. One that is sent a second time ends its session: either its owner or a thief holds the newer
/// one, and nobody can tell which. For a reply that was lost there is a grace: within 60 seconds the same token with the
/// same `Idempotency-Key` answers the same next token. Clients that run in several windows must let one of them refresh.
#[utoipa::path(
    post,
    path = "/v1/sessions/refresh",
    params(("Idempotency-Key" = Option<IdempotencyKey>, Header, description = "Names this attempt; send the same with a repeated one.")),
    request_body = Refresh,
    responses((status = 200, description = "New tokens; the one that was sent is used up.", body = Tokens), (status = 401, description = "unauthorized")),
)]
pub async fn refresh(
    State(app): State<App>,
    address: Address,
    headers: HeaderMap,
    Body(body): Body<Refresh>,
) -> Result<Json<Tokens>, Problem> {
    let refused = || Problem::unauthorized("The refresh token is not valid any more. Please log in again.");
    let attempt = Idempotency::optional(&headers)?;
    let (account, id, secret) = parse(&body.refresh_token).ok_or_else(refused)?;
    if !app.vault.is_secret_of(id, secret) {
        return Err(refused());
    }
    let (limits, session, now) = (&app.guard.limits, id.to_string(), clock::now());
    tokio::try_join!(
        limits.take(Limit::RefreshAddress, &address.0, now),
        limits.take(Limit::RefreshSession, &session, now)
    )?;
    let next = match attempt {
        Some(attempt) => app.vault.next_secret(id, secret, &attempt),
        None => app.vault.secret(id),
    };
    let (present_hash, next_hash) = (random::hash(secret), random::hash(&next));
    let until = now.as_second() + SESSION_LIFETIME;
    match app.table.rotate_session(account, id, &present_hash, &next_hash, until, now).await? {
        Rotation::Rotated(holder) => tokens(&app, &holder, id, &next, now).map(Json),
        Rotation::Ended => Err(refused()),
        Rotation::Used => {
            tracing::warn!(account.id = %account, session.id = %id, "a refresh token was used twice; its session ends");
            app.table.end_session(account, id).await?;
            Err(refused())
        }
    }
}

fn parse(token: &str) -> Option<(AccountId, SessionId, &str)> {
    let mut parts = token.splitn(3, '.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    id: SessionId,
    created_at: Timestamp,
    /// When its tokens were last refreshed.
    last_used_at: Timestamp,
    expires_at: Timestamp,
    /// What the client that logged in calls itself.
    device: String,
    second_factor: bool,
    /// Whether this request was made in it.
    current: bool,
}

/// The sessions of an account that have not ended, the newest first.
pub fn views(holder: &Holder, current: SessionId, now: Timestamp) -> Vec<SessionView> {
    let live = holder.sessions.iter().rev().filter(|(_, session)| session.lives(now));
    live.map(|(id, session)| SessionView {
        id: *id,
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        expires_at: session.ends_at(),
        device: session.device.clone(),
        second_factor: session.second_factor_at.is_some(),
        current: *id == current,
    })
    .collect()
}

/// List one's sessions
///
/// At most ten, which end 14 days after their last refresh and 30 days after the log-in. A log-in more ends the one that was unused for longest.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    responses((status = 200, description = "The caller's sessions, the newest first.", body = List<SessionView>)),
    security(("bearer" = [])),
)]
pub async fn list_sessions(caller: Caller) -> Json<List<SessionView>> {
    Json(List::whole(views(&caller.holder, caller.session, clock::now())))
}

/// Log out
#[utoipa::path(
    delete,
    path = "/v1/sessions/current",
    responses((status = 204, description = "The session has ended, and its tokens are refused from now on.")),
    security(("bearer" = [])),
)]
pub async fn log_out(State(app): State<App>, caller: Caller) -> Result<StatusCode, Problem> {
    app.table.end_session(caller.account, caller.session).await?;
    tracing::info!(account.id = %caller.account, session.id = %caller.session, "logged out");
    Ok(StatusCode::NO_CONTENT)
}

/// End one of one's sessions
#[utoipa::path(
    delete,
    path = "/v1/sessions/{id}",
    params(("id" = SessionId, Path)),
    responses((status = 204, description = "The session has ended, and its tokens are refused from now on.")),
    security(("bearer" = [])),
)]
pub async fn end_session(State(app): State<App>, caller: Caller, Segment(id): Segment) -> Result<StatusCode, Problem> {
    let unknown = || Problem::not_found("session");
    let id: SessionId = id.parse().map_err(|_| unknown())?;
    if !caller.holder.sessions.contains_key(&id) {
        return Err(unknown());
    }
    app.table.end_session(caller.account, id).await?;
    tracing::info!(account.id = %caller.account, session.id = %id, "a session was ended");
    Ok(StatusCode::NO_CONTENT)
}

/// Log out everywhere
#[utoipa::path(
    delete,
    path = "/v1/sessions",
    responses((status = 204, description = "Every session has ended, this one too.")),
    security(("bearer" = [])),
)]
pub async fn log_out_everywhere(State(app): State<App>, caller: Caller) -> Result<StatusCode, Problem> {
    app.table.end_sessions(caller.account).await?;
    tracing::info!(account.id = %caller.account, "logged out everywhere");
    Ok(StatusCode::NO_CONTENT)
}
