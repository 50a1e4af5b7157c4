//! Quotes on their way to a client and back: sealed, so that what comes back is what the shop offered.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use waybill_domain::cart::Quote;
use waybill_domain::id::CartId;

/// The key that quotes are sealed with; `carts` and `orders` have the same one.
#[derive(Clone)]
pub struct Seal(hmac::Key);

impl Seal {
    pub fn new(secret: &str) -> Self {
        Seal(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// A quote as opaque text, safe in JSON. It can be read by its holder, but not changed.
    pub fn close(&self, quote: &Quote) -> Result<String, serde_json::Error> {
        let content = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(quote)?);
        let tag = hmac::sign(&self.0, content.as_bytes());
        Ok(format!("{content}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag)))
    }

    /// The token of a guest's cart: whoever has it has the cart.
    pub fn close_cart(&self, cart: CartId) -> String {
        let tag = hmac::sign(&self.0, format!("guest cart {cart}").as_bytes());
        format!("{cart}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    }

    /// The cart of a token, if this shop made it.
    pub fn open_cart(&self, token: &str) -> Option<CartId> {
        let (cart, tag) = token.split_once('.')?;
        let cart: CartId = cart.parse().ok()?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.0, format!("guest cart {cart}").as_bytes(), &tag).ok()?;
        Some(cart)
    }

    /// The quote, if this shop closed it and nobody changed it since.
    pub fn open(&self, sealed: &str) -> Option<Quote> {
        let (content, tag) = sealed.split_once('.')?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.0, content.as_bytes(), &tag).ok()?;
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(content).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use waybill_domain::money::Money;

    use super::*;

    fn quote() -> Quote {
        Quote {
            buyer: "acc_00000000000000000000000001".parse().unwrap(),
            cart_id: "crt_00000000000000000000000001".parse().unwrap(),
            cart_version: 7,
            lines: Vec::new(),
            total: Money::new(900, "USD".parse().unwrap()),
        }
    }

    #[test]
    fn a_quote_opens_with_the_key_that_closed_it_only() {
        let sealed = Seal::new("one").close(&quote()).unwrap();
        assert_eq!(Seal::new("one").open(&sealed), Some(quote()));
        assert_eq!(Seal::new("two").open(&sealed), None);
    }

    #[test]
    fn a_carts_token_opens_that_cart_only() {
        let (seal, cart) = (Seal::new("one"), quote().cart_id);
        let token = seal.close_cart(cart);
        assert_eq!(seal.open_cart(&token), Some(cart));
        assert_eq!(Seal::new("two").open_cart(&token), None);
        assert_eq!(seal.open_cart(&token.replacen("01.", "02.", 1)), None);
        // A quote is no token, nor the other way round.
        assert_eq!(seal.open(&token), None);
        assert_eq!(seal.open_cart(&seal.close(&quote()).unwrap()), None);
        for strange in ["", ".", "crt_00000000000000000000000001", "crt_00000000000000000000000001."] {
            assert_eq!(seal.open_cart(strange), None, "{strange:?}");
        }
    }

    #[test]
    fn a_quote_that_was_changed_anywhere_does_not_open() {
        let seal = Seal::new("one");
        let sealed = seal.close(&quote()).unwrap();
        for place in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(seal.open(&String::from_utf8(bytes).unwrap()), None, "at {place}");
        }
        for strange in ["", ".", "a.b", &sealed[..sealed.len() - 1]] {
            assert_eq!(seal.open(strange), None, "{strange:?}");
        }
    }
}
