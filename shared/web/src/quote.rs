//! Quotes on their way to a client and back: sealed, so that what comes back is what the shop offered; and deflated, so
//! that the longest fits into a body.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use waybill_domain::cart::Quote;
use waybill_domain::id::CartId;

/// A quote is so many bytes at most before it is deflated.
const LONGEST: usize = 1024 * 1024;
/// Of deflate: nearly the smallest in a quarter of the time.
const LEVEL: u8 = 6;

/// The key that quotes are sealed with; `carts` and `orders` have the same one.
#[derive(Clone)]
pub struct Seal(Arc<hmac::Key>);

impl Seal {
    pub fn new(secret: &str) -> Self {
        Seal(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
    }

    /// A quote as opaque text, safe in JSON. It can be read by its holder, but not changed.
    pub fn close(&self, quote: &Quote) -> Result<String, serde_json::Error> {
        let content = compress_to_vec(&serde_json::to_vec(quote)?, LEVEL);
        let content = BASE64_URL_SAFE_NO_PAD.encode(content);
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
        let content = BASE64_URL_SAFE_NO_PAD.decode(content).ok()?;
        serde_json::from_slice(&decompress_to_vec_with_limit(&content, LONGEST).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use waybill_domain::Timestamp;
    use waybill_domain::cart::PricedLine;
    use waybill_domain::money::Money;
    use waybill_domain::text::Sku;
    use waybill_domain::totals::{Discounts, LineDiscount, LineTotals, Shipping, Tax, Totals};

    use super::*;

    fn quote() -> Quote {
        Quote {
            buyer: "acc_00000000000000000000000001".parse().unwrap(),
            cart_id: "crt_00000000000000000000000001".parse().unwrap(),
            cart_version: 7,
            contact: None,
            draft: None,
            lines: Vec::new(),
            totals: totals(),
            destination: None,
            uses: Vec::new(),
            buckets: Default::default(),
            expires_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn usd(amount: i64) -> Money {
        Money::new(amount, "USD".parse().unwrap())
    }

    fn totals() -> Totals {
        Totals {
            lines: Vec::new(),
            subtotal: usd(900),
            discounts: Discounts { amount: usd(0), applied: Vec::new(), outdone: Vec::new(), refused: Vec::new() },
            shipping: Shipping::DestinationUnknown,
            tax: Tax::DestinationUnknown,
            total: usd(900),
        }
    }

    #[test]
    fn the_longest_quote_fits_into_a_body() {
        // 50 lines with the longest texts, of letters at random, each with a part of 20 promotions.
        let mut seed = 1_u32;
        let mut letters = |count: usize, from: &str| -> String {
            let from: Vec<char> = from.chars().collect();
            let mut letter = || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                from[(seed >> 16) as usize % from.len()]
            };
            (0..count).map(|_| letter()).collect()
        };
        const ID: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let ids: Vec<_> = (0..20).map(|_| format!("pro_0{}", letters(25, ID)).parse().unwrap()).collect();
        let mut quote = quote();
        for number in 0..50 {
            let sku: Sku = format!("{number}-{}", letters(37, ID)).parse().unwrap();
            let amount = usd(100_000_000_000 - number);
            quote.totals.lines.push(LineTotals {
                sku: sku.clone(),
                subtotal: amount,
                discount: amount,
                discounts: ids.iter().map(|id| LineDiscount { promotion_id: *id, amount }).collect(),
                tax: Some(amount),
                total: amount,
            });
            quote.lines.push(PricedLine {
                sku,
                product_id: format!("prd_0{}", letters(25, ID)).parse().unwrap(),
                title: letters(120, "abcdefghijklmnopqrstuvwxyzäöüßéèêçñøåæœ").parse().unwrap(),
                quantity: 1_000.try_into().unwrap(),
                unit_price: amount,
                total: amount,
            });
        }
        let seal = Seal::new("one");
        let sealed = seal.close(&quote).unwrap();
        println!("{} bytes of {}", sealed.len(), serde_json::to_vec(&quote).unwrap().len());
        assert!(sealed.len() < crate::body::MAX_BODY - 4 * 1024, "{}", sealed.len());
        assert_eq!(seal.open(&sealed), Some(quote));
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
