//! What an authenticator app does, for people who are played: the codes of a second factor (RFC 6238).

use totp_rs::{Builder, Secret};

/// The code of a secret (base32, as the API answers it) at a time in seconds since 1970. None for what is no secret.
pub fn code(secret: &str, seconds: i64) -> Option<String> {
    let totp = Builder::new().with_secret(Secret::try_from_base32(secret).ok()?).build().ok()?;
    Some(totp.generate(seconds.try_into().ok()?).to_string())
}

/// Seconds that a code is good for, give or take one such step.
pub const STEP: i64 = 30;
