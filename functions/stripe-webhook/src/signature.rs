//! Whether it was Stripe who sent an event. Nothing but a hash is needed for that, so that the fuzz target is made in a minute.
//!
//! async-stripe-webhook checks the same, and makes of the body one of all the objects that Stripe has, which is megabytes of code.
//! The tests hold this against it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key, Tag};

/// How many seconds a signature is good for, before and after it was made: what Stripe's own libraries take.
const TOLERANCE: u64 = 300;

/// Whether Stripe signed this payload with this secret, within five minutes of now. `header` is its Stripe-Signature, `now` is in
/// seconds since 1970. <https://docs.stripe.com/webhooks#verify-manually>
pub fn is_signed(payload: &str, header: &str, secret: &str, now: i64) -> bool {
    let Some(Signature { at, macs }) = Signature::read(header) else { return false };
    let right = mac(secret, at, payload);
    let is_right = |candidate: &&str| {
        hex::decode(candidate).is_ok_and(|mac| verify_slices_are_equal(&mac, right.as_ref()).is_ok())
    };
    macs.iter().any(is_right) && now.abs_diff(at) <= TOLERANCE
}

struct Signature<'a> {
    at: i64,
    /// While a secret is rolled there is one of each.
    macs: Vec<&'a str>,
}

impl<'a> Signature<'a> {
    /// Of other schemes than `v1` nothing is read.
    fn read(header: &'a str) -> Option<Self> {
        let (mut at, mut macs) = (None, Vec::new());
        for field in header.split(',') {
            match field.split_once('=')? {
                ("t", moment) => at = Some(moment.parse().ok()?),
                ("v1", mac) => macs.push(mac),
                _ => {}
            }
        }
        Some(Signature { at: at?, macs })
    }
}

fn mac(secret: &str, at: i64, payload: &str) -> Tag {
    let mut signed = Context::with_key(&Key::new(HMAC_SHA256, secret.as_bytes()));
    signed.update(at.to_string().as_bytes());
    signed.update(b".");
    signed.update(payload.as_bytes());
    signed.sign()
}
