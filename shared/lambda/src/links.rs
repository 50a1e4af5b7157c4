//! Links in mails. The token of one is made from its letter's id with a key that `accounts` and `email` have, so that
//! neither the table nor a queue ever holds what opens an account.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use waybill_domain::id::LetterId;
use waybill_domain::text::Email;

use crate::random;

/// The key that links are made with.
#[derive(Clone)]
pub struct Links(Arc<hmac::Key>);

/// A name for an address that does not tell it: 128 bits of its hash, in hex.
pub fn mailbox(email: &Email) -> String {
    random::hash(email.as_str())[..MAILBOX].to_owned()
}

const MAILBOX: usize = 32;

impl Links {
    pub fn new(secret: &str) -> Self {
        Links(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
    }

    /// The token of a letter's link, safe in a URL.
    pub fn token(&self, to: &Email, letter: LetterId) -> String {
        let content = format!("{}.{letter}", mailbox(to));
        let tag = hmac::sign(&self.0, content.as_bytes());
        format!("{content}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    }

    /// The mailbox and the letter that a token was made for; None for one that this shop did not make.
    pub fn open(&self, token: &str) -> Option<(String, LetterId)> {
        let (content, tag) = token.rsplit_once('.')?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.0, content.as_bytes(), &tag).ok()?;
        let (mailbox, letter) = content.split_once('.')?;
        Some((mailbox.to_owned(), letter.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_with_the_key_that_made_it_and_unchanged_only() {
        let (to, letter) = ("ann@example.com".parse().unwrap(), "let_00000000000000000000000001".parse().unwrap());
        let links = Links::new("one");
        let token = links.token(&to, letter);
        assert!(!token.contains("ann"), "{token}");
        assert_eq!(links.open(&token), Some((mailbox(&to), letter)));
        assert_eq!(Links::new("two").open(&token), None);
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] ^= 1;
            let changed = String::from_utf8_lossy(&changed).into_owned();
            assert_eq!(links.open(&changed), None, "{changed}");
        }
        for nothing in ["", ".", "..", "a.b.c", &format!("{token}=")] {
            assert_eq!(links.open(nothing), None, "{nothing}");
        }
    }
}
