//! Cursors on their way to a client and back: opaque, and worth nothing if they were changed or belong to another list.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Bytes of a seal.
const TAG: usize = 16;

/// Seals the cursors of lists. Cheap to clone.
#[derive(Clone)]
pub struct Cursors(Arc<hmac::Key>);

impl Cursors {
    pub fn new(key: &str) -> Self {
        Cursors(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())))
    }

    /// A place in this list as a client gets it; safe in a URL.
    pub fn seal(&self, list: &str, place: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([&self.tag(list, place)[..], place.as_bytes()].concat())
    }

    /// The place, if this shop sealed it for this list.
    pub fn open(&self, list: &str, cursor: &str) -> Option<String> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (tag, place) = bytes.split_at_checked(TAG)?;
        let place = std::str::from_utf8(place).ok()?;
        // Whether it was guessed shows nobody anything that they could not read anyway.
        (self.tag(list, place) == tag).then(|| place.to_owned())
    }

    fn tag(&self, list: &str, place: &str) -> [u8; TAG] {
        let tag = hmac::sign(&self.0, format!("{list}\n{place}").as_bytes());
        let mut short = [0; TAG];
        short.copy_from_slice(&tag.as_ref()[..TAG]);
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_for_its_list_with_its_key_as_it_was_made() {
        let cursors = Cursors::new("one");
        let sealed = cursors.seal("orders", "123");
        assert_eq!(cursors.open("orders", &sealed).as_deref(), Some("123"));
        assert_eq!(cursors.open("products", &sealed), None);
        assert_eq!(Cursors::new("two").open("orders", &sealed), None);
        for place in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(cursors.open("orders", std::str::from_utf8(&changed).unwrap()), None, "at {place}");
        }
        for strange in ["", "AAAA", "?", &sealed[1..]] {
            assert_eq!(cursors.open("orders", strange), None, "{strange:?}");
        }
    }
}
