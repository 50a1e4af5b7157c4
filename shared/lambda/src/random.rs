//! The only source of randomness, and the hash that secrets are stored by.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use uuid::{NoContext, Uuid};

/// A new UUIDv7 of this moment: ids made later sort later.
pub fn uuid_at(now: Timestamp) -> Uuid {
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, now.as_second().unsigned_abs(), nanoseconds))
}

/// 256 bits that nobody can guess, in 43 characters that are safe in a URL.
pub fn secret() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes::<32>())
}

/// Bytes that nobody can guess.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// SHA-256 in hex. Fit for secrets of full strength only, not for passwords.
pub fn hash(secret: &str) -> String {
    hash_bytes(secret.as_bytes())
}

/// The same, of bytes.
pub fn hash_bytes(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}
