//! The only source of randomness above the table, and the hash that secrets are stored by.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use uuid::Uuid;
use waybill_storage::random;

pub use waybill_storage::random::{mixed, simulate};

/// A new UUIDv7 of this moment: ids made later sort later.
pub fn uuid_at(now: Timestamp) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(now.as_millisecond().unsigned_abs(), &bytes()).into_uuid()
}

/// 256 bits that nobody can guess, in 43 characters that are safe in a URL.
pub fn secret() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes::<32>())
}

/// Bytes that nobody can guess.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    random::fill(&mut bytes).expect("the operating system gives random bytes");
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
