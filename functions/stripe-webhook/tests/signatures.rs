//! Who may tell the shop of payments: whoever has the secret, within five minutes, and nobody else.

use std::fmt::Display;

use aws_lc_rs::hmac;
use stripe_webhook::{Webhook, WebhookError};
use stripe_webhook_function::is_signed;
use waybill_lambda::random::mixed;

const SECRET: &str = "whsec_known_to_the_test";
const NOW: i64 = 1_800_000_000;
/// Of a form that nobody knows: taken all the same where its signature is good, which is all that is asked here.
const BODY: &str = r#"{"id":"evt_1","object":"event","type":"strange.event"}"#;

/// Asked of the shop, and of async-stripe's check of the same: they have to agree, whatever it is.
fn is_taken(header: &str, body: &str) -> bool {
    let is_taken = is_signed(body, header, SECRET, NOW);
    let of_library = match Webhook::construct_event_with_timestamp(body, header, SECRET, NOW) {
        Ok(_) | Err(WebhookError::BadParse(_)) => true,
        Err(_) => false,
    };
    assert_eq!(is_taken, of_library, "{header:.200}");
    is_taken
}

/// https://docs.stripe.com/webhooks#verify-manually
fn mac(secret: &str, at: impl Display, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex::encode(hmac::sign(&key, format!("{at}.{body}").as_bytes()))
}

fn signed_at(at: i64) -> String {
    format!("t={at},v1={}", mac(SECRET, at, BODY))
}

#[test]
fn a_signature_is_good_for_five_minutes_before_and_after() {
    for skew in [0, 1, 299, 300] {
        assert!(is_taken(&signed_at(NOW - skew), BODY) && is_taken(&signed_at(NOW + skew), BODY), "{skew} seconds");
    }
    for skew in [301, 302, 3_600, NOW, i64::MAX - NOW] {
        assert!(!is_taken(&signed_at(NOW - skew), BODY) && !is_taken(&signed_at(NOW + skew), BODY), "{skew} seconds");
    }
}

#[test]
fn a_signature_of_any_other_time_is_refused_and_overflows_nothing() {
    for at in [i64::MIN, i64::MIN + 1, -NOW, -1, 0, 1, NOW - 301, NOW + 301, i64::MAX - 1, i64::MAX] {
        // Not asked of async-stripe, which subtracts.
        assert!(!is_signed(BODY, &signed_at(at), SECRET, NOW), "{at}");
        assert!(is_signed(BODY, &signed_at(at), SECRET, at), "{at}");
    }
    assert!(!is_signed(BODY, &signed_at(i64::MIN), SECRET, i64::MAX));
}

#[test]
fn a_signature_is_of_one_secret() {
    let padded = format!("{SECRET} ");
    for other in ["", "whsec_other", &SECRET[1..], &padded, &SECRET.to_uppercase()] {
        let header = format!("t={NOW},v1={}", mac(other, NOW, BODY));
        assert!(!is_taken(&header, BODY), "signed with {other:?}");
    }
}

#[test]
fn a_body_that_differs_by_one_byte_is_not_what_was_signed() {
    let header = signed_at(NOW);
    assert!(is_taken(&header, BODY));
    for place in 0..BODY.len() {
        let mut changed = BODY.as_bytes().to_vec();
        changed[place] ^= 1;
        assert!(!is_taken(&header, std::str::from_utf8(&changed).unwrap()), "byte {place}");
        changed.remove(place);
        assert!(!is_taken(&header, std::str::from_utf8(&changed).unwrap()), "without byte {place}");
    }
    for added in [format!("{BODY}\n"), format!(" {BODY}"), format!("\u{feff}{BODY}"), String::new()] {
        assert!(!is_taken(&header, &added), "{added:?}");
    }
    // What was signed is `t.body`: a digit must not go over from the one to the other.
    let (short, digit) = (NOW / 10, NOW % 10);
    assert!(!is_taken(&format!("t={short},v1={}", mac(SECRET, NOW, BODY)), &format!("{digit}.{BODY}")));
}

#[test]
fn of_several_signatures_one_must_be_right() {
    let right = mac(SECRET, NOW, BODY);
    let wrong = [mac("whsec_other", NOW, BODY), mac(SECRET, NOW - 1, BODY), mac(SECRET, NOW, "{}")];
    for place in 0..=wrong.len() {
        let mut macs = wrong.to_vec();
        macs.insert(place, right.clone());
        assert!(is_taken(&format!("t={NOW},v1={}", macs.join(",v1=")), BODY), "the right one at {place}");
        assert!(is_taken(&format!("v1={},t={NOW}", macs.join(",v1=")), BODY), "the moment last");
    }
    assert!(!is_taken(&format!("t={NOW},v1={}", wrong.join(",v1=")), BODY));
    // The right one, but of a scheme that Stripe has for tests only.
    assert!(!is_taken(&format!("t={NOW},v1={},v0={right}", wrong.join(",v1=")), BODY));
    assert!(is_taken(&format!("t={NOW},v0={},v1={right}", wrong[0]), BODY));
    // Many of them cost one hash of the body.
    let many = format!("v1={},", wrong[0]).repeat(1_000);
    assert!(is_taken(&format!("{many}t={NOW},v1={}", right.to_uppercase()), BODY));
    // All of them too old, whichever is right.
    let old = mac(SECRET, NOW - 301, BODY);
    assert!(!is_taken(&format!("t={},v1={old},v1={right}", NOW - 301), BODY));
    // Each right for another moment than is said.
    assert!(!is_taken(&format!("t={},v1={right}", NOW - 1), BODY));
    assert!(!is_taken(&format!("t={NOW},v1={}", mac(SECRET, NOW - 1, BODY)), BODY));
}

#[test]
fn an_empty_body_is_signed_as_any_other() {
    assert!(is_taken(&format!("t={NOW},v1={}", mac(SECRET, NOW, "")), ""));
    assert!(!is_taken(&signed_at(NOW), ""));
}

#[test]
fn a_malformed_header_is_refused() {
    let right = mac(SECRET, NOW, BODY);
    let (less, old) = (&right[1..], NOW - 400);
    for header in [
        String::new(),
        ",".into(),
        "=".into(),
        "t".into(),
        "v1".into(),
        "t=,v1=".into(),
        format!("t={NOW}"),
        format!("v1={right}"),
        format!("t={NOW},v1"),
        format!("t={NOW},v1="),
        format!("t={NOW},{right}"),
        format!("{NOW},v1={right}"),
        format!("t=,v1={right}"),
        format!("t={NOW},v0={right}"),
        format!("t={NOW},v2={right}"),
        format!("t={NOW},V1={right}"),
        format!("T={NOW},v1={right}"),
        format!("t={NOW}v1={right}"),
        format!("t={NOW} v1={right}"),
        format!("t={NOW};v1={right}"),
        format!("t={NOW}, v1={right}"),
        format!(" t={NOW},v1={right}"),
        format!("t= {NOW},v1={right}"),
        format!("t={NOW} ,v1={right}"),
        format!("t={NOW},v1= {right}"),
        format!("t={NOW},v1={right} "),
        format!("t={NOW},v1=\"{right}\""),
        format!("t={NOW},v1==") + &right,
        format!("t={NOW},v1:{right}"),
        format!("t={NOW},v1={right},nothing"),
        format!("t={NOW}.0,v1={right}"),
        format!("t={NOW}000,v1={right}"),
        format!("t=-{NOW},v1={right}"),
        format!("t=0x6b49d200,v1={right}"),
        format!("t=1e9,v1={right}"),
        format!("t=99999999999999999999,v1={right}"),
        format!("t=\u{0661}\u{0668}00000000,v1={right}"),
        format!("t={NOW},t={old},v1={right}"),
        format!("t={NOW},v1={less}"),
        format!("t={NOW},v1={}", &less[1..]),
        format!("t={NOW},v1={right}0"),
        format!("t={NOW},v1={right}00"),
        format!("t={NOW},v1={right}{right}"),
        format!("t={NOW},v1=z{less}"),
        format!("t={NOW},v1=\u{e9}{}", &less[1..]),
        format!("t={NOW},v1=0x{right}"),
        format!("t={NOW},v1={}", "0".repeat(64)),
        format!("t={NOW},v1={}", "=".repeat(100_000)),
        format!("t={NOW}{}", ",v1=00".repeat(10_000)),
    ] {
        assert!(!is_taken(&header, BODY), "{:.200}", header);
    }
}

#[test]
fn of_a_million_generated_headers_none_is_accepted() {
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            scope.spawn(move || no_generated_header_is_accepted(seed, 250_000));
        }
    });
}

fn no_generated_header_is_accepted(seed: u64, count: usize) {
    let (mut dice, right) = (Dice(seed), signed_at(NOW));
    let mac = right.split_once("v1=").unwrap().1;
    let mut tried = 0;
    while tried < count {
        let header = if dice.roll(2) == 0 { dice.mutated(&right) } else { dice.composed(mac) };
        if may_be_right(&header, mac) {
            continue;
        }
        assert!(!is_taken(&header, BODY), "{header:?} is accepted");
        tried += 1;
    }
}

/// Whether a header has both, in whatever places: what was signed, and its signature.
fn may_be_right(header: &str, mac: &str) -> bool {
    let values =
        |name| header.split(',').filter_map(move |field| field.split_once('=').filter(|(key, _)| *key == name));
    values("t").any(|(_, at)| at.parse() == Ok(NOW)) && values("v1").any(|(_, v1)| v1.eq_ignore_ascii_case(mac))
}

/// A seed makes the same choices again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        (mixed(&mut self.0) % sides as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }

    /// A right header after a few edits.
    fn mutated(&mut self, right: &str) -> String {
        const LETTERS: &[u8] = b"0123456789abcdefABCDEFtvz=,.;+- \t\"";
        let mut header = right.as_bytes().to_vec();
        for _ in 0..=self.roll(4) {
            let (place, other) = (self.roll(header.len().max(1)), self.roll(header.len().max(1)));
            match self.roll(6) {
                _ if header.is_empty() => header.push(self.pick(LETTERS)),
                0 => header[place] = self.pick(LETTERS),
                1 => header.insert(place, self.pick(LETTERS)),
                2 => drop(header.remove(place)),
                3 => header.swap(place, other),
                4 => header.truncate(place.max(1)),
                _ => {
                    let part = header[place.min(other)..place.max(other)].to_vec();
                    header.splice(place..place, part);
                }
            }
        }
        String::from_utf8(header).unwrap()
    }

    /// Fields as the grammar has them, and nearly so, in any number and order.
    fn composed(&mut self, mac: &str) -> String {
        let mut header = String::new();
        for _ in 0..self.roll(6) {
            header += self.pick(&["t", "t", "t", "v1", "v1", "v1", "v0", "v2", "V1", "v1 ", "", "scheme"]);
            header += self.pick(&["=", "=", "=", "=", "==", "", ":", " = "]);
            header += &match self.roll(8) {
                0..=2 => (NOW + self.roll(1_000) as i64 - 500).to_string(),
                3 => {
                    self.pick(&["", "0", "-1", "+1", "x", "1e9", "9223372036854775807", "-9223372036854775808"]).into()
                }
                4 => mac.to_owned(),
                5 => mac[self.roll(mac.len())..].to_owned(),
                6 => self.mutated(mac),
                _ => hex::encode([self.roll(256) as u8; 32]),
            };
            header += self.pick(&[",", ",", ",", ",", ",,", ";", " ", ", ", ""]);
        }
        header
    }
}
