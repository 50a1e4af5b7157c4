//! Logging in. An address that nobody has costs the same calls and the same time, and gets the same answer.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use http::header::USER_AGENT;
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::account::Password;
use waybill_domain::text::Email;
use waybill_lambda::{clock, random};
use waybill_storage::accounts::{Credentials, Holder};
use waybill_storage::sessions::{Opened, Proof};
use waybill_web::limits::{Address, Limit};
use waybill_web::{Body, Fields, Kind, Problem};

use crate::sessions::{self, Tokens};
use crate::{App, passwords, second_factor};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    #[schema(value_type = Email)]
    email: String,
    #[schema(value_type = Password)]
    password: String,
    /// Six digits of the authenticator app, where the account has a second factor.
    #[schema(nullable = false)]
    code: Option<String>,
    /// Instead of `code`, for whoever has lost the app. Each is good once.
    #[schema(nullable = false)]
    recovery_code: Option<String>,
    /// What an earlier log-in to the account answered. Whoever has one is counted by themselves, so that somebody who
    /// guesses passwords elsewhere cannot lock them out.
    #[schema(nullable = false)]
    device_token: Option<String>,
}

/// Log in
///
/// A wrong address and a wrong password get the same answer. Where the account has a second factor, `code` or
/// `recovery_code` is needed too.
#[utoipa::path(
    post,
    path = "/v1/sessions",
    request_body = LogIn,
    responses((status = 201, description = "Logged in.", body = Tokens), (status = 401, description = "unauthorized, second-factor")),
)]
pub async fn log_in(
    State(app): State<App>,
    address: Address,
    headers: http::HeaderMap,
    Body(body): Body<LogIn>,
) -> Result<(StatusCode, Json<Tokens>), Problem> {
    let mut fields = Fields::default();
    let email: Option<Email> = fields.take("/email", body.email.parse());
    let password: Option<Password> = fields.take("/password", body.password.parse());
    let (email, password) = fields.finish(|| email.zip(password))?;
    let (now, begin) = (clock::now(), Instant::now());
    let (known, device) = admit(&app, &email, &address, body.device_token, now).await?;
    let matches = passwords::matches(&password, known.as_ref().map(|known| known.password_hash.as_str()));
    let known_account = known.as_ref().map(|known| known.account_id.to_string());
    let Some(credentials) = known.filter(|_| matches) else {
        tracing::info!(account.id = known_account, "a log-in was refused");
        even_out(begin).await;
        return Err(Problem::unauthorized("The address or the password is wrong."));
    };
    if passwords::is_outdated(&credentials.password_hash) {
        let hash = passwords::hash(&password).map_err(Problem::internal)?;
        app.table.replace_password_hash(&email, &credentials.password_hash, &hash).await?;
    }
    let account = credentials.account_id;
    let (id, secret, session) = sessions::fresh(&app, headers.get(USER_AGENT), now);
    let mut proof = match body.recovery_code {
        Some(code) => Proof::RecoveryCode { hash: second_factor::recovery_hash(account, &code) },
        None => Proof::Password,
    };
    let mut opened = app.table.open_session(&credentials, id, &session, &proof).await?;
    // The account says only now that it wants a code: most have none, and so are opened with one write.
    if let (Opened::SecondFactor(holder), Some(code), Proof::Password) = (&opened, &body.code, &proof) {
        let step = second_factor::step(&app, holder, code, now)?;
        proof = Proof::Code { step: step.ok_or_else(code_refused)? };
        opened = app.table.open_session(&credentials, id, &session, &proof).await?;
    }
    let holder: Holder = match opened {
        Opened::Opened(holder) => *holder,
        Opened::SecondFactor(_) => return Err(code_refused()),
        Opened::Gone => return Err(Problem::unauthorized("The address or the password is wrong.")),
    };
    tracing::info!(account.id = %account, session.id = %id, second_factor = ?proof_name(&proof), "logged in");
    let mut tokens = sessions::tokens(&app, &holder, id, &secret, now)?;
    tokens.device_token = Some(device.unwrap_or_else(|| app.vault.device_token(account, credentials.changed_at)));
    Ok((StatusCode::CREATED, Json(tokens)))
}

/// Counts the try, and reads the credentials. With a device token of this very account, its holder is counted by that;
/// anybody else by where they come from and by the address that they name.
async fn admit(
    app: &App,
    email: &Email,
    address: &Address,
    device: Option<String>,
    now: Timestamp,
) -> Result<(Option<Credentials>, Option<String>), Problem> {
    let limits = &app.guard.limits;
    if let Some(token) = device {
        let known = app.table.credentials(email).await?;
        let is_device = |known: &Credentials| app.vault.is_device_of(known.account_id, known.changed_at, &token);
        if known.as_ref().is_some_and(is_device) {
            limits.take(Limit::LogInDevice, &random::hash(&token), now).await?;
            return Ok((known, Some(token)));
        }
    }
    // Whoever is refused by where they come from is not counted for the address that they name.
    limits.take(Limit::LogInAddress, &address.0, now).await?;
    let ((), known) = tokio::try_join!(limits.take(Limit::LogInEmail, email.as_str(), now), async {
        Ok(app.table.credentials(email).await?)
    })?;
    Ok((known, None))
}

/// Refusals come in steps of this length after the request, so that what a known address costs more than an unknown one,
/// some tens of microseconds, does not show.
const STEP: Duration = Duration::from_millis(100);

async fn even_out(begin: Instant) {
    let steps = begin.elapsed().as_micros() / STEP.as_micros() + 1;
    tokio::time::sleep_until(begin + STEP * u32::try_from(steps).unwrap_or(u32::MAX)).await;
}

fn code_refused() -> Problem {
    tracing::info!("a second factor was refused");
    let detail = "A code of the authenticator app is needed, which was not used before, or a recovery code.";
    Problem::new(Kind::SecondFactor, detail)
}

fn proof_name(proof: &Proof) -> &'static str {
    match proof {
        Proof::Password => "none",
        Proof::Code { .. } => "code",
        Proof::RecoveryCode { .. } => "recovery code",
    }
}
