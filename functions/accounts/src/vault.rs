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
    /// The present one, and those before it that second factors may still be sealed with.
    sealing: Vec<[u8; 32]>,
    devices: hmac::Key,
    refreshes: hmac::Key,
}

const NONCE: usize = 12;

impl Vault {
    /// Of a secret, and after it, apart by spaces, those that it replaced: what they sealed still opens.
    pub fn new(secrets: &str) -> Self {
        let key = |purpose: &str, secret: &str| {
            let mut key = [0; 32];
            key.copy_from_slice(digest(&SHA256, format!("{purpose}\n{secret}").as_bytes()).as_ref());
            key
        };
        let present = secrets.split_whitespace().next().unwrap_or_default();
        let signing = |purpose| hmac::Key::new(hmac::HMAC_SHA256, &key(purpose, present));
        let sealing = secrets.split_whitespace().map(|secret| key("second factor", secret)).collect();
        Vault { sealing, devices: signing("device"), refreshes: signing("refresh") }
    }

    /// Encrypts the secret of an account's second factor; it opens for that account only.
    pub fn seal(&self, account: AccountId, secret: &[u8]) -> Option<String> {
        let mut content = secret.to_vec();
        let key = RandomizedNonceKey::new(&AES_256_GCM, self.sealing.first()?).ok()?;
        let nonce = key.seal_in_place_append_tag(Aad::from(account.to_string()), &mut content).ok()?;
        let sealed = [nonce.as_ref().as_slice(), &content].concat();
        Some(BASE64_URL_SAFE_NO_PAD.encode(sealed))
    }

    pub fn open(&self, account: AccountId, sealed: &str) -> Option<Vec<u8>> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, content) = bytes.split_at_checked(NONCE)?;
        let open = |key: &[u8; 32]| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let key = RandomizedNonceKey::new(&AES_256_GCM, key).ok()?;
            let mut content = content.to_vec();
            Some(key.open_in_place(nonce, Aad::from(account.to_string()), &mut content).ok()?.to_vec())
        };
        self.sealing.iter().find_map(open)
    }

    /// A token that says that its holder has logged in to this account before, with the password that was set at
    /// `password_at`: with a new one it is worth nothing. It opens nothing.
    pub fn device_token(&self, account: AccountId, password_at: i64) -> String {
        let device = random::secret()[..22].to_owned();
        let tag = hmac::sign(&self.devices, format!("{account} {password_at} {device}").as_bytes());
        format!("{device}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    }

    /// Whether this shop made the device token for this account with its present password.
    pub fn is_device_of(&self, account: AccountId, password_at: i64, token: &str) -> bool {
        let parts =
            token.split_once('.').and_then(|(device, tag)| Some((device, BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?)));
        parts.is_some_and(|(device, tag)| {
            hmac::verify(&self.devices, format!("{account} {password_at} {device}").as_bytes(), &tag).is_ok()
        })
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
    fn what_a_replaced_secret_sealed_still_opens() {
        let sealed = Vault::new("one").seal(account(1), b"twenty bytes of it..").unwrap();
        let renewed = Vault::new("two one");
        assert_eq!(renewed.open(account(1), &sealed).unwrap(), b"twenty bytes of it..");
        let sealed = renewed.seal(account(1), b"other bytes").unwrap();
        assert_eq!(Vault::new("one").open(account(1), &sealed), None);
        assert_eq!(Vault::new("two").open(account(1), &sealed).unwrap(), b"other bytes");
    }

    #[test]
    fn a_device_token_is_good_for_its_account_and_until_the_password_changes() {
        let vault = Vault::new("one");
        let token = vault.device_token(account(1), 7);
        assert!(vault.is_device_of(account(1), 7, &token));
        assert!(!vault.is_device_of(account(2), 7, &token));
        assert!(!vault.is_device_of(account(1), 8, &token));
        assert!(!Vault::new("two").is_device_of(account(1), 7, &token));
        assert!(!vault.is_device_of(account(1), 7, "x"));
    }
}
