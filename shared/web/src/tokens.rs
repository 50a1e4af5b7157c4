//! Access tokens: Ed25519 JWTs that any function can verify and only `accounts` can sign.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};
use waybill_domain::id::{AccountId, SessionId};
use waybill_storage::signing_keys::SigningKey;
use waybill_storage::{StorageError, Table};

use crate::remembered::Remembered;

pub const ISSUER: &str = "waybill";
pub const AUDIENCE: &str = "waybill-api";
/// Seconds that an access token lives.
pub const ACCESS_LIFETIME: i64 = 15 * 60;
/// Clocks may differ by this many seconds.
const LEEWAY: u32 = 5;
/// Seconds between two looks for a key that is not known, so that forged tokens cannot make us read the table.
const REFRESH_PAUSE: i64 = 10;

/// Seconds after which the keys are read again, so that one that is not published any more dies everywhere.
const KEYS_LIFETIME: i64 = 5 * 60;
/// Tokens that a process knows again, some 600 bytes of each.
const MOST: usize = 1_000;
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

/// The public keys that tokens may be signed with, by their names.
#[derive(Clone, Default)]
pub struct Keys(Vec<(String, DecodingKey)>);

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Signed with a key of a name that is not among these, whatever the signature is worth.
    UnknownKey,
    Invalid,
    Expired,
}

/// The same, or that the keys could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the access token is not valid")]
    Invalid,
    #[error("the access token has expired")]
    Expired,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Keys {
    pub fn new(keys: Vec<SigningKey>) -> Keys {
        Keys(
            keys.into_iter().filter_map(|key| Some((key.kid, DecodingKey::from_ed_components(&key.x).ok()?))).collect(),
        )
    }

    /// What a token says, if one of these keys signed it as an access token of this shop that is good at this moment.
    pub fn verify(&self, token: &str) -> Result<Claims, Rejected> {
        let header = decode_header(token).map_err(|_| Rejected::Invalid)?;
        if header.typ.as_deref() != Some(TOKEN_TYPE) {
            return Err(Rejected::Invalid);
        }
        let kid = header.kid.ok_or(Rejected::Invalid)?;
        let (_, key) = self.0.iter().find(|(name, _)| *name == kid).ok_or(Rejected::UnknownKey)?;
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        rules.validate_nbf = true;
        rules.leeway = LEEWAY.into();
        match decode::<Claims>(token, key, &rules) {
            Ok(token) => Ok(token.claims),
            Err(error) if *error.kind() == ErrorKind::ExpiredSignature => Err(Rejected::Expired),
            Err(_) => Err(Rejected::Invalid),
        }
    }
}

/// Knows the published keys, and looks again when a token names one that it does not know, or after
/// [`KEYS_LIFETIME`] seconds. Until then it knows a token again that it has verified: who is in a shop asks for many things.
#[derive(Clone)]
pub struct Verifier {
    table: Table,
    known: Arc<Mutex<Known>>,
}

struct Known {
    keys: Keys,
    read_at: Timestamp,
    /// Tokens that one of these keys has signed.
    good: Remembered<String, Claims, MOST>,
}

impl Known {
    fn verify(&mut self, token: &str, now: Timestamp) -> Result<Claims, Rejected> {
        if let Some(claims) = self.good.get(token) {
            let is_over = claims.exp < now.as_second() - i64::from(LEEWAY);
            return if is_over { Err(Rejected::Expired) } else { Ok(claims.clone()) };
        }
        let claims = self.keys.verify(token)?;
        self.good.note(token.to_owned(), claims.clone());
        Ok(claims)
    }
}

impl Verifier {
    pub fn new(table: Table, keys: Vec<SigningKey>, now: Timestamp) -> Self {
        let known = Known { keys: Keys::new(keys), read_at: now, good: Remembered::default() };
        Verifier { table, known: Arc::new(Mutex::new(known)) }
    }

    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let (mut verdict, age) = {
            let mut known = self.known();
            (known.verify(token, now), now.as_second() - known.read_at.as_second())
        };
        if age >= KEYS_LIFETIME || (verdict == Err(Rejected::UnknownKey) && age >= REFRESH_PAUSE) {
            self.look_again(now).await?;
            verdict = self.known().verify(token, now);
        }
        verdict.map_err(|rejected| match rejected {
            Rejected::UnknownKey | Rejected::Invalid => TokenError::Invalid,
            Rejected::Expired => TokenError::Expired,
        })
    }

    async fn look_again(&self, now: Timestamp) -> Result<(), StorageError> {
        // Others who ask in the meantime do not read too.
        self.known().read_at = now;
        let keys = Keys::new(self.table.shared_keys().await?.signing_keys);
        *self.known() = Known { keys, read_at: now, good: Remembered::default() };
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use jiff::SignedDuration;
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::{Value, json};
    use waybill_lambda::clock;

    use super::*;

    struct Pair {
        private: EncodingKey,
        public: SigningKey,
    }

    fn pair(kid: &str, seed: u8) -> Pair {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let private = AsDer::<Pkcs8V1Der>::as_der(&pair).unwrap();
        let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key());
        Pair { private: EncodingKey::from_ed_der(private.as_ref()), public: SigningKey { kid: kid.into(), x } }
    }

    fn claims() -> Value {
        let now = clock::now().as_second();
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + ACCESS_LIFETIME,
            "sub": "acc_00000000000000000000000001", "sid": "ses_00000000000000000000000001",
        })
    }

    fn header(kid: &str) -> Header {
        Header { kid: Some(kid.into()), typ: Some(TOKEN_TYPE.into()), ..Header::new(Algorithm::EdDSA) }
    }

    fn with(field: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[field] = value;
        claims
    }

    #[test]
    fn every_claim_is_checked() {
        let ours = pair("ours", 1);
        let keys = Keys::new(vec![ours.public.clone()]);
        let sign = |claims: &Value| jsonwebtoken::encode(&header("ours"), claims, &ours.private).unwrap();
        assert!(keys.verify(&sign(&claims())).is_ok());
        let now = clock::now().as_second();
        let cases = [
            ("iss", json!("another shop"), Rejected::Invalid),
            ("aud", json!("another api"), Rejected::Invalid),
            ("aud", json!([]), Rejected::Invalid),
            ("exp", json!(now - 6), Rejected::Expired),
            ("exp", json!(-1), Rejected::Invalid),
            ("exp", json!("tomorrow"), Rejected::Invalid),
            ("nbf", json!(now + 60), Rejected::Invalid),
            ("sub", json!("somebody"), Rejected::Invalid),
            ("sid", json!(7), Rejected::Invalid),
        ];
        for (field, value, why) in cases {
            assert_eq!(keys.verify(&sign(&with(field, value.clone()))), Err(why), "{field} {value}");
        }
        for field in ["iss", "aud", "exp", "nbf", "sub", "sid"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(field);
            assert_eq!(keys.verify(&sign(&claims)), Err(Rejected::Invalid), "without {field}");
        }
    }

    #[test]
    fn the_header_names_our_key_our_algorithm_and_what_it_is() {
        let (ours, foreign) = (pair("ours", 1), pair("foreign", 2));
        let keys = Keys::new(vec![ours.public.clone()]);
        let sign = |header: &Header, key: &EncodingKey| jsonwebtoken::encode(header, &claims(), key).unwrap();
        assert_eq!(keys.verify(&sign(&header("foreign"), &foreign.private)), Err(Rejected::UnknownKey));
        assert_eq!(keys.verify(&sign(&header("ours"), &foreign.private)), Err(Rejected::Invalid));
        let nameless = Header { kid: None, ..header("ours") };
        assert_eq!(keys.verify(&sign(&nameless, &ours.private)), Err(Rejected::Invalid));
        for typ in [None, Some("JWT".to_owned())] {
            assert_eq!(keys.verify(&sign(&Header { typ, ..header("ours") }, &ours.private)), Err(Rejected::Invalid));
        }
        // The public key as the secret of a symmetric algorithm.
        let swapped = Header { alg: Algorithm::HS256, ..header("ours") };
        for secret in [ours.public.x.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(&ours.public.x).unwrap()] {
            assert_eq!(keys.verify(&sign(&swapped, &EncodingKey::from_secret(secret))), Err(Rejected::Invalid));
        }
        let good = sign(&header("ours"), &ours.private);
        let [_, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
        let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"ours","typ":"at+jwt"}"#);
        for forged in [format!("{none}.{body}."), format!("{none}.{body}.{signature}"), good[..good.len() - 2].into()] {
            assert_eq!(keys.verify(&forged), Err(Rejected::Invalid), "{forged}");
        }
    }

    #[test]
    fn while_a_key_gives_way_to_another_both_are_good() {
        let (old, new) = (pair("old", 1), pair("new", 2));
        let sign = |pair: &Pair| jsonwebtoken::encode(&header(&pair.public.kid), &claims(), &pair.private).unwrap();
        let both = Keys::new(vec![new.public.clone(), old.public.clone()]);
        assert!(both.verify(&sign(&old)).is_ok() && both.verify(&sign(&new)).is_ok());
        assert_eq!(Keys::new(vec![new.public.clone()]).verify(&sign(&old)), Err(Rejected::UnknownKey));
    }

    #[test]
    fn a_token_that_is_known_again_ends_as_any_other_and_no_forged_one_is_known() {
        let ours = pair("ours", 1);
        let now = clock::now();
        let mut known = Known { keys: Keys::new(vec![ours.public.clone()]), read_at: now, good: Remembered::default() };
        let token = jsonwebtoken::encode(&header("ours"), &claims(), &ours.private).unwrap();
        let first = known.verify(&token, now).unwrap();
        let (content, signature) = token.rsplit_once('.').unwrap();
        let forged = format!("{content}.{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
        for _ in 0..2 {
            assert_eq!(known.verify(&token, now), Ok(first.clone()));
            assert_eq!(known.verify(&forged, now), Err(Rejected::Invalid));
        }
        assert_eq!(known.good.count(), 1);
        let last = Timestamp::from_second(first.exp + i64::from(LEEWAY)).unwrap();
        assert_eq!(known.verify(&token, last), Ok(first));
        assert_eq!(known.verify(&token, last + SignedDuration::from_secs(1)), Err(Rejected::Expired));
    }

    #[test]
    fn so_many_tokens_are_known_again_and_no_more() {
        let ours = pair("ours", 1);
        let now = clock::now();
        let mut known = Known { keys: Keys::new(vec![ours.public.clone()]), read_at: now, good: Remembered::default() };
        for number in 0..=MOST {
            let sid = format!("ses_{number:026}");
            let token = jsonwebtoken::encode(&header("ours"), &with("sid", json!(sid)), &ours.private).unwrap();
            known.verify(&token, now).unwrap();
            assert!(known.good.count() <= MOST);
        }
        assert_eq!(known.good.count(), 1);
    }
}
