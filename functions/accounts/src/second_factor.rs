//! Second factors: TOTP (RFC 6238) with SHA-1, six digits, 30 seconds, as every authenticator app takes it, and
//! recovery codes. The secret is kept encrypted, and no code is good twice.

use axum::Json;
use axum::extract::State;
use http::header::USER_AGENT;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use totp_rs::{Builder, Secret, Totp};
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::id::AccountId;
use waybill_domain::message::AccountEvent;
use waybill_lambda::{clock, random};
use waybill_storage::Refused;
use waybill_storage::accounts::Holder;
use waybill_storage::second_factor::SecondFactor;
use waybill_web::limits::Limit;
use waybill_web::{Body, Caller, Kind, Problem};

use crate::sessions::{self, Tokens};
use crate::{App, Confirmed, not_changed};

/// Bytes of a secret: 160 bits, as RFC 4226 recommends.
const SECRET: usize = 20;
/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;

#[derive(Serialize, ToSchema)]
pub struct NewTotp {
    /// To be typed into the authenticator app (base32).
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// The same for a QR code (`otpauth://`).
    uri: String,
}

/// Set up a second factor
///
/// Answers a new secret for an authenticator app. It is in force once a code of it was given.
#[utoipa::path(
    post,
    path = "/v1/account/totp",
    request_body = Confirmed,
    responses((status = 201, description = "A secret that is not in force yet.", body = NewTotp), (status = 409, description = "second-factor-on")),
    security(("bearer" = [])),
)]
pub async fn set_up_totp(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<Confirmed>,
) -> Result<(StatusCode, Json<NewTotp>), Problem> {
    app.reauthenticate(&caller, body, "/password", clock::now()).await?;
    if caller.holder.has_second_factor() {
        return Err(already_on());
    }
    let secret: [u8; SECRET] = random::bytes();
    let totp = totp(&secret, &app.shop, caller.holder.email.as_str())?;
    let sealed = app.vault.seal(caller.account, &secret).ok_or_else(|| Problem::internal("a secret was not sealed"))?;
    match app.table.set_up_second_factor(caller.account, &sealed).await {
        Ok(()) => {}
        Err(Refused::By(_)) => return Err(already_on()),
        Err(Refused::Failed(error)) => return Err(error.into()),
    }
    let uri = totp.to_url().map_err(|_| Problem::internal("a secret has no URI"))?;
    Ok((StatusCode::CREATED, Json(NewTotp { secret: totp.secret().to_base32(), uri })))
}

fn already_on() -> Problem {
    Problem::new(Kind::SecondFactorOn, "The account has a second factor already; remove it first.")
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Six digits of the authenticator app.
    #[schema(example = "287082")]
    code: String,
}

#[derive(Serialize, ToSchema)]
pub struct SecondFactorOn {
    /// Each is good once, instead of a code. They are shown this once.
    #[schema(min_items = 10, max_items = 10)]
    recovery_codes: Vec<String>,
    /// Of a session with the second factor, in place of the one that this request was made in.
    tokens: Tokens,
}

/// Confirm a second factor
///
/// By a code of it. The session of this request ends, and the answer opens another one that counts as one with a second
/// factor; the account's other sessions go on without.
#[utoipa::path(
    post,
    path = "/v1/account/totp/confirm",
    request_body = Code,
    responses((status = 200, description = "The second factor is in force.", body = SecondFactorOn), (status = 409, description = "second-factor-on, changed")),
    security(("bearer" = [])),
)]
pub async fn confirm_totp(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Body(body): Body<Code>,
) -> Result<Json<SecondFactorOn>, Problem> {
    let now = clock::now();
    app.guard.limits.take(Limit::PasswordAccount, &caller.account.to_string(), now).await?;
    if caller.holder.has_second_factor() {
        return Err(already_on());
    }
    let refused = || Problem::invalid_field("/code", "is not the code of this moment");
    let factor = caller.holder.second_factor.clone().ok_or_else(refused)?;
    let step = step(&app, &caller.holder, &body.code, now)?.ok_or_else(refused)?;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
    let factor = factor.confirmed(step, codes.iter().map(|code| recovery_hash(caller.account, code)), now);
    let notice = app.letter(&caller.holder.email, AccountEvent::SecondFactorChanged, now);
    let (id, secret, session) = sessions::fresh(&app, headers.get(USER_AGENT), now);
    let confirmed = app.table.confirm_second_factor(caller.account, caller.session, (id, &session), &factor, &notice);
    confirmed.await.map_err(not_changed)?;
    tracing::info!(account.id = %caller.account, session.id = %id, "a second factor was set up");
    let holder = Holder { second_factor: Some(factor), ..*caller.holder };
    Ok(Json(SecondFactorOn { recovery_codes: codes, tokens: sessions::tokens(&app, &holder, id, &secret, now)? }))
}

/// Remove the second factor
///
/// Staff lose what their role allows until they have one again.
#[utoipa::path(
    post,
    path = "/v1/account/totp/removal",
    request_body = Confirmed,
    responses((status = 204, description = "A password is enough from now on."), (status = 409, description = "changed")),
    security(("bearer" = [])),
)]
pub async fn remove_totp(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<Confirmed>,
) -> Result<StatusCode, Problem> {
    let now = clock::now();
    app.reauthenticate(&caller, body, "/password", now).await?;
    take_away(&app, &caller.holder, false, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the second factor of an account away, and tells its holder; where there is none, nothing happens.
pub async fn take_away(app: &App, holder: &Holder, ends_sessions: bool, now: Timestamp) -> Result<(), Problem> {
    if !holder.has_second_factor() {
        return Ok(());
    }
    let sessions: Vec<_> = holder.sessions.keys().copied().collect();
    let notice = app.letter(&holder.email, AccountEvent::SecondFactorChanged, now);
    app.table.remove_second_factor(holder.id, &sessions, ends_sessions, &notice).await.map_err(not_changed)?;
    tracing::info!(account.id = %holder.id, "a second factor was removed");
    Ok(())
}

/// The time step that a code of the account's second factor belongs to: this one, the one before or the one after. None
/// if the code is none of theirs, or not newer than the last that was taken.
pub fn step(app: &App, holder: &Holder, code: &str, now: Timestamp) -> Result<Option<u64>, Problem> {
    let Some(SecondFactor { sealed, last_step, .. }) = &holder.second_factor else { return Ok(None) };
    let Some(secret) = app.vault.open(holder.id, sealed) else {
        tracing::error!(account.id = %holder.id, "a second factor does not open: the key it was encrypted with is another");
        return Ok(None);
    };
    let totp = totp(&secret, &app.shop, holder.email.as_str())?;
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    Ok(totp.check(code, seconds).filter(|step| step > last_step))
}

fn totp(secret: &[u8], shop: &str, email: &str) -> Result<Totp, Problem> {
    let issuer = shop.replace(':', " ");
    let totp = Builder::new().with_secret(Secret::from(secret)).with_issuer(Some(issuer)).with_account_name(email);
    totp.build().map_err(|_| Problem::internal("a secret makes no codes"))
}

/// 140 bits as seven groups of four letters and digits: with so many, a plain hash keeps them (ASVS 6.5.2). Without those
/// letters that are mistaken for digits.
fn recovery_code() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes: [u8; 28] = random::bytes();
    let letters: Vec<char> = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// As the table keeps a recovery code, however it was typed.
pub fn recovery_hash(account: AccountId, code: &str) -> String {
    let typed: String = code.chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
    random::hash(&format!("{account} {}", typed.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        let totp = totp(b"12345678901234567890", "A Shop: here", "ann@example.com").unwrap();
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(totp.generate(seconds).to_string(), code);
            assert_eq!(totp.check(code, seconds), Some(seconds / 30));
            assert_eq!(totp.check(code, seconds + 60), None);
        }
        assert!(totp.to_url().unwrap().starts_with("otpauth://totp/A%20Shop"));
    }

    #[test]
    fn a_recovery_code_is_read_as_people_type_it() {
        let account = "acc_00000000000000000000000001".parse().unwrap();
        let code = recovery_code();
        assert_eq!(code.len(), 34);
        assert_eq!(recovery_hash(account, &code), recovery_hash(account, &code.to_uppercase().replace('-', " ")));
        assert_ne!(recovery_hash(account, &code), recovery_hash(account, &recovery_code()));
    }
}
