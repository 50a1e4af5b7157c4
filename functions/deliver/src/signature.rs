//! How a receiver knows that it was us: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use waybill_domain::Timestamp;
use waybill_domain::webhook::{Secret, Secrets};

/// The header `webhook-signature` of a request at a moment: one signature for each secret that is in force, with spaces
/// between them.
pub fn signatures(secrets: &Secrets, message: &str, at: Timestamp, body: &[u8]) -> String {
    let each = secrets.signing(at).map(|secret| sign(secret, message, at.as_second(), body));
    each.collect::<Vec<_>>().join(" ")
}

fn sign(secret: &Secret, message: &str, seconds: i64, body: &[u8]) -> String {
    // A secret is always base 64; were it not, its letters would be as good a key.
    let key = BASE64_STANDARD.decode(secret.base64()).unwrap_or_else(|_| secret.base64().as_bytes().to_vec());
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
    context.update(format!("{message}.{seconds}.").as_bytes());
    context.update(body);
    format!("v1,{}", BASE64_STANDARD.encode(context.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the libraries of Standard Webhooks.
    #[test]
    fn a_signature_is_as_standard_webhooks_has_it() {
        let secrets = Secrets { current: Secret::new("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), previous: None };
        let (message, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", Timestamp::from_second(1_614_265_330).unwrap());
        let signed = |body: &str| signatures(&secrets, message, at, body.as_bytes());
        assert_eq!(signed(r#"{"test": 2432232314}"#), "v1,g0hM9SsE+OTPJTt/tmKtSyEyNqxvSp2V3lH/6pMcGFs=");
        assert_ne!(signed(r#"{"test": 2432232315}"#), signed(r#"{"test": 2432232314}"#));
    }

    #[test]
    fn both_secrets_sign_while_a_rotation_overlaps() {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let (old, new) = (Secret::new("b2xk"), Secret::new("bmV3"));
        let one = |secret: &Secret| sign(secret, "m", at.as_second(), b"{}");
        let secrets = Secrets { current: old.clone(), previous: None }.rotated(new.clone(), at);
        assert_eq!(signatures(&secrets, "m", at, b"{}"), format!("{} {}", one(&new), one(&old)));
        let later = at + waybill_domain::webhook::OVERLAP;
        assert_eq!(signatures(&secrets, "m", later, b"{}"), sign(&new, "m", later.as_second(), b"{}"));
    }
}
