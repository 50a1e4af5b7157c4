//! Access tokens: Ed25519 JWTs that any function can verify and only `accounts` can sign.

use std::sync::{Arc, RwLock};

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};
use waybill_domain::id::{AccountId, SessionId};
use waybill_storage::signing_keys::SigningKey;
use waybill_storage::{StorageError, Table};

pub const ISSUER: &str = "waybill";
pub const AUDIENCE: &str = "waybill-api";
/// Seconds that an access token lives.
pub const ACCESS_LIFETIME: i64 = 15 * 60;
/// Clocks may differ by this many seconds.
const LEEWAY: u64 = 5;
/// Seconds between two looks for a key that is not known, so that forged tokens cannot make us read the table.
const REFRESH_PAUSE: i64 = 10;

/// Seconds after which the keys are read again, so that one that is not published any more dies everywhere.
const KEYS_LIFETIME: i64 = 5 * 60;
/// What the header of an access token says that it is (RFC 9068).
pub const TOKEN_TYPE: &str = "at+jwt";

/// What an access token says: whose session it is of. What its holder may do is not in it, because that may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: AccountId,
    pub sid: SessionId,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
}

/// Knows the published keys, and looks again when a token names one that it does not know.
#[derive(Clone)]
pub struct Verifier {
    table: Table,
    known: Arc<RwLock<Known>>,
}

struct Known {
    keys: Vec<(String, DecodingKey)>,
    read_at: Timestamp,
}

/// Why a token was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the access token is not valid")]
    Invalid,
    #[error("the access token has expired")]
    Expired,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Verifier {
    /// Reads the keys. Doing it at start also opens the connection that the first request then finds open.
    pub async fn start(table: Table, now: Timestamp) -> Result<Self, StorageError> {
        let keys = read(table.signing_keys().await?);
        Ok(Verifier { table, known: Arc::new(RwLock::new(Known { keys, read_at: now })) })
    }

    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        let kid = header.kid.ok_or(TokenError::Invalid)?;
        if header.typ.as_deref() != Some(TOKEN_TYPE) {
            return Err(TokenError::Invalid);
        }
        let key = match self.known_key(&kid, now) {
            Some(key) => key,
            None => self.look_again(&kid, now).await?.ok_or(TokenError::Invalid)?,
        };
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        rules.validate_nbf = true;
        rules.leeway = LEEWAY;
        match decode::<Claims>(token, &key, &rules) {
            Ok(token) => Ok(token.claims),
            Err(error) if *error.kind() == jsonwebtoken::errors::ErrorKind::ExpiredSignature => {
                Err(TokenError::Expired)
            }
            Err(_) => Err(TokenError::Invalid),
        }
    }

    fn known_key(&self, kid: &str, now: Timestamp) -> Option<DecodingKey> {
        let known = self.known.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        if now.as_second() - known.read_at.as_second() >= KEYS_LIFETIME {
            return None;
        }
        known.keys.iter().find(|(name, _)| name == kid).map(|(_, key)| key.clone())
    }

    async fn look_again(&self, kid: &str, now: Timestamp) -> Result<Option<DecodingKey>, StorageError> {
        {
            let mut known = self.known.write().unwrap_or_else(|poisoned| poisoned.into_inner());
            if !known.keys.is_empty() && now.as_second() - known.read_at.as_second() < REFRESH_PAUSE {
                return Ok(None);
            }
            known.read_at = now;
        }
        let keys = read(self.table.signing_keys().await?);
        self.known.write().unwrap_or_else(|poisoned| poisoned.into_inner()).keys = keys;
        Ok(self.known_key(kid, now))
    }
}

fn read(keys: Vec<SigningKey>) -> Vec<(String, DecodingKey)> {
    keys.into_iter().filter_map(|key| Some((key.kid, DecodingKey::from_ed_components(&key.x).ok()?))).collect()
}
