//! Webhooks as somebody could forge them.

use aws_lc_rs::hmac;

/// A `Stripe-Signature` header: https://docs.stripe.com/webhooks#verify-manually
pub fn sign(secret: &str, timestamp: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{timestamp}.{body}").as_bytes());
    format!("t={timestamp},v1={}", hex::encode(tag))
}
