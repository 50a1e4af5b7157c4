//! Log-in sessions and their two tokens.

use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::account::Account;
use waybill_domain::id::{AccountId, SessionId};
use waybill_lambda::random;
use waybill_storage::Table;
use waybill_storage::accounts::{Rotation, Session};
use waybill_web::Problem;
use waybill_web::tokens::ACCESS_LIFETIME;

use crate::Signer;

/// Seconds that a session lives after its last refresh: 30 days.
const SESSION_LIFETIME: i64 = 30 * 24 * 60 * 60;

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
}

/// Opens a session for somebody who has just proven who they are.
pub async fn open(table: &Table, signer: &Signer, account: Account, now: Timestamp) -> Result<Tokens, Problem> {
    let id = SessionId::new(random::uuid_at(now));
    let secret = random::secret();
    let session = Session {
        id,
        account_id: account.id,
        token_hash: random::hash(&secret),
        created_at: now,
        expires_at: now.as_second() + SESSION_LIFETIME,
    };
    table.open_session(&session).await?;
    tokens(signer, account, id, &secret, now)
}

/// Exchanges a refresh token for new tokens. A token that was exchanged before ends the whole session: either its
/// owner or a thief holds the newer one, and nobody can tell which.
pub async fn refresh(table: &Table, signer: &Signer, token: &str, now: Timestamp) -> Result<Tokens, Problem> {
    let refused = || Problem::unauthorized("The refresh token is not valid any more. Please log in again.");
    let (account_id, session_id, secret) = parse(token).ok_or_else(refused)?;
    let session = table.session(account_id, session_id).await?.ok_or_else(refused)?;
    if session.expires_at <= now.as_second() {
        return Err(refused());
    }
    let account = table.account(account_id).await?.ok_or_else(refused)?;
    if session.token_hash == random::hash(secret) {
        let secret = random::secret();
        let until = now.as_second() + SESSION_LIFETIME;
        match table.rotate_session(&session, &random::hash(&secret), until, now).await? {
            Rotation::Rotated => return tokens(signer, account, session_id, &secret, now),
            Rotation::Refused => {}
        }
    }
    tracing::warn!(account.id = %account_id, session.id = %session_id, "a refresh token was used twice; its session ends");
    table.end_session(account_id, session_id).await?;
    Err(refused())
}

fn tokens(signer: &Signer, account: Account, id: SessionId, secret: &str, now: Timestamp) -> Result<Tokens, Problem> {
    let access_token = signer.sign(&account, id, now).map_err(Problem::internal)?;
    let refresh_token = format!("{}.{id}.{secret}", account.id);
    Ok(Tokens { account, access_token, refresh_token, token_type: "Bearer", expires_in: ACCESS_LIFETIME })
}

fn parse(token: &str) -> Option<(AccountId, SessionId, &str)> {
    let mut parts = token.splitn(3, '.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?))
}
