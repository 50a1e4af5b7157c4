//! The routes of accounts. Anyone may sign up, log in and refresh; the rest is for the account's own holder.

use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::header::{CACHE_CONTROL, LOCATION};
use jsonwebtoken::jwk;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};
use waybill_domain::Timestamp;
use waybill_domain::account::{Account, Password, Role};
use waybill_domain::id::AccountId;
use waybill_domain::text::Email;
use waybill_lambda::{clock, random};
use waybill_storage::accounts::EmailTaken;
use waybill_storage::{Refused, Table};
use waybill_web::problem::FieldError;
use waybill_web::tokens::Verifier;
use waybill_web::{Body, Caller, Fields, Kind, Problem};

use crate::sessions::{self, Tokens};
use crate::{Signer, passwords};

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub signer: Signer,
    pub verifier: Verifier,
}

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/.well-known/jwks.json", get(read_signing_keys))
        .route("/v1/accounts", post(sign_up))
        .route("/v1/account", get(read_account))
        .route("/v1/sessions", post(log_in))
        .route("/v1/sessions/refresh", post(refresh))
        .route("/v1/sessions/current", delete(log_out))
        .route("/v1/websocket-tickets", post(issue_ticket))
        .with_state(app)
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(paths(read_signing_keys, sign_up, read_account, log_in, refresh, log_out, issue_ticket))]
pub struct Documented;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    #[schema(value_type = Email)]
    email: String,
    #[schema(value_type = Password)]
    password: String,
}

impl Login {
    fn check(self) -> Result<(Email, Password), Problem> {
        let mut fields = Fields::default();
        let email = fields.take("/email", self.email.parse());
        let password = fields.take("/password", self.password.parse());
        fields.finish(|| email.zip(password))
    }
}

/// Sign up
#[utoipa::path(
    post,
    path = "/v1/accounts",
    request_body = Login,
    responses((status = 201, description = "The account is made, and its holder logged in.", body = Tokens, headers(("location" = String, description = "The path of what was made."))), (status = 409, description = "taken")),
)]
async fn sign_up(State(app): State<App>, Body(body): Body<Login>) -> Result<Response, Problem> {
    let (email, password) = body.check()?;
    let now = clock::now();
    let account = Account { id: AccountId::new(random::uuid_at(now)), email, role: Role::Customer, created_at: now };
    let hash = passwords::hash(&password).map_err(Problem::internal)?;
    match app.table.create_account(&account, &hash).await {
        Ok(()) => {}
        Err(Refused::By(_)) => return Err(taken(EmailTaken)),
        Err(Refused::Failed(error)) => return Err(error.into()),
    }
    let tokens = sessions::open(&app.table, &app.signer, account, now).await?;
    Ok((StatusCode::CREATED, [(LOCATION, "/v1/account")], Json(tokens)).into_response())
}

fn taken(EmailTaken: EmailTaken) -> Problem {
    Problem::new(Kind::Taken, "The address belongs to an account already. Please log in.")
        .with_errors(vec![FieldError::at("/email", "belongs to an account already")])
}

/// Log in
#[utoipa::path(
    post,
    path = "/v1/sessions",
    request_body = Login,
    responses((status = 201, description = "Logged in.", body = Tokens), (status = 401, description = "unauthorized")),
)]
async fn log_in(State(app): State<App>, Body(body): Body<Login>) -> Result<(StatusCode, Json<Tokens>), Problem> {
    let (email, password) = body.check()?;
    let known = app.table.credentials(&email).await?;
    let matches = passwords::matches(&password, known.as_ref().map(|known| known.password_hash.as_str()));
    let Some(credentials) = known.filter(|_| matches) else {
        return Err(Problem::unauthorized("The address or the password is wrong."));
    };
    if passwords::is_outdated(&credentials.password_hash) {
        let hash = passwords::hash(&password).map_err(Problem::internal)?;
        app.table.replace_password_hash(&email, &credentials.password_hash, &hash).await?;
    }
    let tokens = sessions::open(&app.table, &app.signer, credentials.account(), clock::now()).await?;
    Ok((StatusCode::CREATED, Json(tokens)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The newest refresh token of the session.
    refresh_token: String,
}

/// Exchange a refresh token
///
/// A token that is sent a second time ends its session: somebody else may have it.
#[utoipa::path(
    post,
    path = "/v1/sessions/refresh",
    request_body = Refresh,
    responses((status = 200, description = "New tokens; the one that was sent is used up.", body = Tokens), (status = 401, description = "unauthorized")),
)]
async fn refresh(State(app): State<App>, Body(body): Body<Refresh>) -> Result<Json<Tokens>, Problem> {
    sessions::refresh(&app.table, &app.signer, &body.refresh_token, clock::now()).await.map(Json)
}

/// Log out
#[utoipa::path(
    delete,
    path = "/v1/sessions/current",
    responses((status = 204, description = "The session has ended.")),
    security(("bearer" = [])),
)]
async fn log_out(State(app): State<App>, caller: Caller) -> Result<StatusCode, Problem> {
    app.table.end_session(caller.account, caller.session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read one's account
#[utoipa::path(
    get,
    path = "/v1/account",
    responses((status = 200, description = "The caller's own account.", body = Account)),
    security(("bearer" = [])),
)]
async fn read_account(State(app): State<App>, caller: Caller) -> Result<Json<Account>, Problem> {
    app.table.account(caller.account).await?.map(Json).ok_or_else(|| Problem::not_found("account"))
}

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
/// WebSocket, once, within 30 seconds.
#[utoipa::path(
    post,
    path = "/v1/websocket-tickets",
    responses((status = 201, description = "A ticket for one WebSocket.", body = Ticket)),
    security(("bearer" = [])),
)]
async fn issue_ticket(State(app): State<App>, caller: Caller) -> Result<(StatusCode, Json<Ticket>), Problem> {
    let secret = random::secret();
    let until = clock::now().as_second() + TICKET_LIFETIME;
    let expires_at = Timestamp::from_second(until).map_err(Problem::internal)?;
    app.table.issue_ticket(caller.account, &random::hash(&secret), expires_at).await?;
    Ok((StatusCode::CREATED, Json(Ticket { ticket: format!("{}.{secret}", caller.account), expires_at })))
}

#[derive(Serialize, ToSchema)]
pub struct KeySet {
    keys: Vec<Jwk>,
}

/// RFC 8037.
#[derive(Serialize, ToSchema)]
pub struct Jwk {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(value_type = String, example = "Ed25519")]
    crv: jwk::EllipticCurve,
    #[schema(value_type = String, example = "EdDSA")]
    alg: jsonwebtoken::Algorithm,
    r#use: &'static str,
    kid: String,
    x: String,
}

/// Read the signing keys
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    responses((status = 200, description = "The keys that access tokens are signed with (RFC 7517).", body = KeySet, headers(("cache-control" = String, description = "`public, max-age=300`")))),
)]
async fn read_signing_keys(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let keys = app.table.signing_keys().await?.into_iter().map(|key| Jwk {
        kty: "OKP",
        crv: jwk::EllipticCurve::Ed25519,
        alg: jsonwebtoken::Algorithm::EdDSA,
        r#use: "sig",
        kid: key.kid,
        x: key.x,
    });
    Ok(([(CACHE_CONTROL, "public, max-age=300")], Json(KeySet { keys: keys.collect() })))
}
