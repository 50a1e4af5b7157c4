//! Form encoding: `name=value` pairs out of a body or a query.

use aws_lc_rs::digest::{Context, SHA256};

use super::refusal::Refusal;

/// The decoded pairs, in the order they were sent.
pub fn pairs(encoded: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let parts = encoded.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    let pairs = parts.map(|part| {
        let mut sides = part.splitn(2, |byte| *byte == b'=');
        let name = decode(sides.next().unwrap_or_default());
        let value = decode(sides.next().unwrap_or_default());
        name.zip(value).ok_or_else(Refusal::not_a_form)
    });
    pairs.collect()
}

/// The same for the same parameters, in whatever order they come; Stripe compares requests with one Idempotency-Key so.
pub fn fingerprint(route: &str, encoded: &[u8]) -> Result<String, Refusal> {
    let mut pairs = pairs(encoded)?;
    pairs.sort();
    let mut digest = Context::new(&SHA256);
    for text in std::iter::once(route).chain(pairs.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()])) {
        digest.update(&text.len().to_be_bytes());
        digest.update(text.as_bytes());
    }
    Ok(hex::encode(digest.finish()))
}

fn decode(encoded: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                bytes.extend(hex::decode(digits).ok()?);
                rest = after;
            }
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_parameters_makes_no_difference_to_a_fingerprint() {
        let of = |route: &str, body: &str| fingerprint(route, body.as_bytes()).unwrap();
        assert_eq!(of("POST /a", "x=1&y=2"), of("POST /a", "y=2&x=1"));
        assert_ne!(of("POST /a", "x=1&y=2"), of("POST /b", "x=1&y=2"));
        assert_ne!(of("POST /a", "x=1&y=2"), of("POST /a", "x=1&y=3"));
        assert_ne!(of("POST /a", "x=12"), of("POST /a", "x1=2"));
    }
}
