//! The key that access tokens are signed with. It never leaves this function; only its public half is published.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::CACHE_CONTROL;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk};
use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::id::{AccountId, SessionId};
use waybill_lambda::random;
use waybill_storage::signing_keys::SigningKey;
use waybill_storage::{StorageError, Table};
use waybill_web::Problem;
use waybill_web::tokens::{ACCESS_LIFETIME, AUDIENCE, Claims, ISSUER, TOKEN_TYPE};

/// How many keys are published: today's and the one before it, whose tokens may still be about.
const PUBLISHED: usize = 2;

#[derive(Clone)]
pub struct Signer {
    key: EncodingKey,
    header: Header,
    public: SigningKey,
}

impl Signer {
    /// The key of a secret. The secret is any text of full strength; its hash is the key's seed, so that Secrets
    /// Manager can make and rotate it without knowing what an Ed25519 key is.
    pub fn from_secret(secret: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let pair = Ed25519KeyPair::from_seed_unchecked(digest(&SHA256, secret.as_bytes()).as_ref())?;
        let private = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der>::as_der(&pair)?;
        let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key());
        let kid = random::hash(&x)[..16].to_owned();
        let typ = Some(TOKEN_TYPE.to_owned());
        let header = Header { kid: Some(kid.clone()), typ, ..Header::new(Algorithm::EdDSA) };
        Ok(Signer { key: EncodingKey::from_ed_der(private.as_ref()), header, public: SigningKey { kid, x } })
    }

    /// Publishes the key where the other functions look, unless it is there.
    pub async fn publish(&self, table: &Table) -> Result<(), StorageError> {
        let published = table.shared_keys().await?.signing_keys;
        if published.first() == Some(&self.public) {
            return Ok(());
        }
        let others = published.into_iter().filter(|key| *key != self.public);
        let keys = std::iter::once(self.public.clone()).chain(others).take(PUBLISHED).collect();
        table.publish_signing_keys(keys).await
    }

    /// An access token of a session, good from `now` on for [`ACCESS_LIFETIME`] seconds.
    pub fn sign(&self, account: AccountId, session: SessionId, now: Timestamp) -> jsonwebtoken::errors::Result<String> {
        let now = now.as_second();
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: account,
            sid: session,
            iat: now,
            nbf: now,
            exp: now + ACCESS_LIFETIME,
        };
        jsonwebtoken::encode(&self.header, &claims, &self.key)
    }
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
    alg: Algorithm,
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
pub async fn read_signing_keys(State(table): State<Table>) -> Result<impl IntoResponse, Problem> {
    let keys = table.shared_keys().await?.signing_keys.into_iter().map(|key| Jwk {
        kty: "OKP",
        crv: jwk::EllipticCurve::Ed25519,
        alg: Algorithm::EdDSA,
        r#use: "sig",
        kid: key.kid,
        x: key.x,
    });
    Ok(([(CACHE_CONTROL, "public, max-age=300")], Json(KeySet { keys: keys.collect() })))
}
