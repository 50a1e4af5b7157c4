//! What only `accounts` can make and read: the secrets of second factors as the table keeps them, device tokens, and
//! the refresh token that follows another.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use waybill_domain::id::{AccountId, SessionId};
use waybill_domain::text::IdempotencyKey;
use waybill_lambda::random;

/// Keys that come of one secret, each for one use.
#[derive(Clone)]
pub struct Vault {
    sealing: [u8; 32],
    devices: hmac::Key,
    refreshes: hmac::Key,
}

const NONCE: usize = 12;

impl Vault {
    pub fn new(secret: &str) -> Self {
        let key = |purpose: &str| {
            let mut key = [0; 32];
            key.copy_from_slice(digest(&SHA256, format!("{purpose}\n{secret}").as_bytes()).as_ref());
            key
        };
        let signing = |purpose| hmac::Key::new(hmac::HMAC_SHA256, &key(purpose));
        Vault { sealing: key("second factor"), devices: signing("device"), refreshes: signing("refresh") }
    }

    /// Encrypts the secret of an account's second factor; it opens for that account only.
    pub fn seal(&self, account: AccountId, secret: &[u8]) -> Option<String> {
        let mut content = secret.to_vec();
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.sealing).ok()?;
        let nonce = key.seal_in_place_append_tag(Aad::from(account.to_string()), &mut content).ok()?;
        let sealed = [nonce.as_ref().as_slice(), &content].concat();
        Some(BASE64_URL_SAFE_NO_PAD.encode(sealed))
    }

    pub fn open(&self, account: AccountId, sealed: &str) -> Option<Vec<u8>> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, content) = bytes.split_at_checked(NONCE)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.sealing).ok()?;
        let mut content = content.to_vec();
        let secret = key.open_in_place(nonce, Aad::from(account.to_string()), &mut content).ok()?;
        Some(secret.to_vec())
    }

    /// A token that says that its holder has logged in to this account before. It opens nothing.
    pub fn device_token(&self, account: AccountId) -> String {
        let device = format!("{account}.{}", &random::secret()[..22]);
        let tag = hmac::sign(&self.devices, device.as_bytes());
        format!("{device}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    }

    /// The account of a device token; None for one that this shop did not make.
    pub fn account_of_device(&self, token: &str) -> Option<AccountId> {
        let (device, tag) = token.rsplit_once('.')?;
        hmac::verify(&self.devices, device.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?).ok()?;
        device.split_once('.')?.0.parse().ok()
    }

    /// A refresh token's secret for a session.
    pub fn secret(&self, session: SessionId) -> String {
        self.signed(session, &random::secret())
    }

    /// The one that follows another: the same for the same attempt, so that a reply that was lost can be given again.
    pub fn next_secret(&self, session: SessionId, secret: &str, attempt: &IdempotencyKey) -> String {
        let tag = hmac::sign(&self.refreshes, format!("{secret}\n{}", attempt.as_str()).as_bytes());
        self.signed(session, &BASE64_URL_SAFE_NO_PAD.encode(tag))
    }

    /// Whether a secret was made for this session, be it used or not: what was never one ends no session.
    pub fn is_secret_of(&self, session: SessionId, secret: &str) -> bool {
        let parts =
            secret.split_once('.').and_then(|(seed, tag)| Some((seed, BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?)));
        parts.is_some_and(|(seed, tag)| {
            hmac::verify(&self.refreshes, format!("{session} {seed}").as_bytes(), &tag).is_ok()
        })
    }

    fn signed(&self, session: SessionId, seed: &str) -> String {
        let tag = hmac::sign(&self.refreshes, format!("{session} {seed}").as_bytes());
        format!("{seed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u8) -> AccountId {
        format!("acc_{number:026}").parse().unwrap()
    }

    #[test]
    fn a_secret_opens_for_its_account_with_its_key_only() {
        let vault = Vault::new("one");
        let sealed = vault.seal(account(1), b"twenty bytes of it..").unwrap();
        assert_ne!(sealed, vault.seal(account(1), b"twenty bytes of it..").unwrap());
        assert_eq!(vault.open(account(1), &sealed).unwrap(), b"twenty bytes of it..");
        assert_eq!(vault.open(account(2), &sealed), None);
        assert_eq!(Vault::new("two").open(account(1), &sealed), None);
        for nothing in ["", "AAAA", "?"] {
            assert_eq!(vault.open(account(1), nothing), None);
        }
    }

    #[test]
    fn a_device_token_names_the_account_that_it_was_made_for() {
        let vault = Vault::new("one");
        let token = vault.device_token(account(1));
        assert_eq!(vault.account_of_device(&token), Some(account(1)));
        assert_eq!(vault.account_of_device(&token.replacen("01.", "02.", 1)), None);
        assert_eq!(Vault::new("two").account_of_device(&token), None);
        assert_eq!(vault.account_of_device("x"), None);
    }
}
