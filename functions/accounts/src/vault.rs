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
    /// Of each, the present one, and those before it that may still be in use.
    sealing: Vec<[u8; 32]>,
    devices: Vec<hmac::Key>,
    refreshes: Vec<hmac::Key>,
}

const NONCE: usize = 12;

impl Vault {
    /// Of a secret, and after it, apart by spaces, those that it replaced: what they sealed still opens, and what they signed
    /// is still good.
    pub fn new(secrets: &str) -> Self {
        let key = |purpose: &str, secret: &str| {
            let mut key = [0; 32];
            key.copy_from_slice(digest(&SHA256, format!("{purpose}\n{secret}").as_bytes()).as_ref());
            key
        };
        let of_each = |purpose: &'static str| secrets.split_whitespace().map(move |secret| key(purpose, secret));
        let signing = |purpose| of_each(purpose).map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key)).collect();
        let sealing = of_each("second factor").collect();
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
        signed(self.devices.first(), &device, &format!("{account} {password_at} {device}"))
    }

    /// Whether this shop made the device token for this account with its present password.
    pub fn is_device_of(&self, account: AccountId, password_at: i64, token: &str) -> bool {
        signer(&self.devices, token, |device| format!("{account} {password_at} {device}")).is_some()
    }

    /// A refresh token's secret for a session.
    pub fn secret(&self, session: SessionId) -> String {
        let seed = random::secret();
        signed(self.refreshes.first(), &seed, &format!("{session} {seed}"))
    }

    /// The one that follows another: the same for the same attempt, so that a reply that was lost can be given again, also
    /// while the vault's secret is renewed. So it is signed with what the other one was.
    pub fn next_secret(&self, session: SessionId, secret: &str, attempt: &IdempotencyKey) -> String {
        let key = self.signer_of(session, secret).or(self.refreshes.first());
        let tag = key.map(|key| hmac::sign(key, format!("{secret}\n{}", attempt.as_str()).as_bytes()));
        let seed = tag.map(|tag| BASE64_URL_SAFE_NO_PAD.encode(tag)).unwrap_or_default();
        signed(key, &seed, &format!("{session} {seed}"))
    }

    /// Whether a secret was made for this session, be it used or not: what was never one ends no session.
    pub fn is_secret_of(&self, session: SessionId, secret: &str) -> bool {
        self.signer_of(session, secret).is_some()
    }

    fn signer_of(&self, session: SessionId, secret: &str) -> Option<&hmac::Key> {
        signer(&self.refreshes, secret, |seed| format!("{session} {seed}"))
    }
}

/// A token of what it begins with, which says what only the holder of the key can say.
fn signed(key: Option<&hmac::Key>, beginning: &str, saying: &str) -> String {
    let tag = key.map(|key| BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(key, saying.as_bytes())));
    format!("{beginning}.{}", tag.unwrap_or_default())
}

/// The key that a token was signed with.
fn signer<'a>(keys: &'a [hmac::Key], token: &str, saying: impl Fn(&str) -> String) -> Option<&'a hmac::Key> {
    let (beginning, tag) = token.split_once('.')?;
    let (tag, saying) = (BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?, saying(beginning));
    keys.iter().find(|key| hmac::verify(key, saying.as_bytes(), &tag).is_ok())
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
    fn what_a_replaced_secret_signed_is_still_good() {
        let (replaced, renewed, other) = (Vault::new("one"), Vault::new("two one"), Vault::new("two"));
        let device = replaced.device_token(account(1), 7);
        assert!(renewed.is_device_of(account(1), 7, &device) && !other.is_device_of(account(1), 7, &device));
        let device = renewed.device_token(account(1), 7);
        assert!(other.is_device_of(account(1), 7, &device) && !replaced.is_device_of(account(1), 7, &device));
        let session = "ses_00000000000000000000000001".parse().unwrap();
        let secret = replaced.secret(session);
        assert!(renewed.is_secret_of(session, &secret) && !other.is_secret_of(session, &secret));
        // Whichever instance is asked while they are replaced, the same attempt gets the same token, which both know.
        let attempt = "an-attempt".parse().unwrap();
        let next = renewed.next_secret(session, &secret, &attempt);
        assert_eq!(replaced.next_secret(session, &secret, &attempt), next);
        assert!(renewed.is_secret_of(session, &next) && replaced.is_secret_of(session, &next));
        let begun = renewed.secret(session);
        assert!(other.is_secret_of(session, &renewed.next_secret(session, &begun, &attempt)));
    }

    #[test]
    fn nothing_is_good_without_a_secret() {
        let nothing = Vault::new(" ");
        let session = "ses_00000000000000000000000001".parse().unwrap();
        let (device, secret) = (nothing.device_token(account(1), 7), nothing.secret(session));
        assert!(!nothing.is_device_of(account(1), 7, &device) && !nothing.is_secret_of(session, &secret));
        assert_eq!(nothing.seal(account(1), b"twenty bytes of it.."), None);
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
