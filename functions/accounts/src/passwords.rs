//! Password hashes: argon2id with 19 MiB, two passes, one lane (OWASP's first recommendation).

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use waybill_domain::account::Password;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What a password is compared with when nobody has the address, so that the answer takes as long as any other.
const NOBODYS_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$d2F5YmlsbC1ub2JvZHk$oeASPtJJvvdSMbOWzfKzLmq3FbuCrGzGJLi1nHKE1iI";

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A PHC string with a fresh salt.
pub fn hash(password: &Password) -> Result<String, argon2::password_hash::Error> {
    Ok(argon2().hash_password(password.reveal().as_bytes())?.to_string())
}

/// Whether the password is the one behind `hash`; without a hash, no, in the same time.
pub fn matches(password: &Password, hash: Option<&str>) -> bool {
    let known = PasswordHash::new(hash.unwrap_or(NOBODYS_HASH))
        .is_ok_and(|parsed| argon2().verify_password(password.reveal().as_bytes(), &parsed).is_ok());
    known && hash.is_some()
}

/// Whether a hash was made with other parameters than today's.
pub fn is_outdated(hash: &str) -> bool {
    !hash.starts_with(&format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_its_password_only() {
        let (right, wrong): (Password, Password) =
            ("correct horse".parse().unwrap(), "battery staple".parse().unwrap());
        let hash = hash(&right).unwrap();
        assert!(matches(&right, Some(&hash)));
        assert!(!matches(&wrong, Some(&hash)));
        assert!(!matches(&right, None));
        assert!(!matches(&right, Some("not a hash")));
        assert!(!is_outdated(&hash));
        assert!(is_outdated("$argon2id$v=19$m=4096,t=3,p=1$c2FsdHNhbHQ$aGFzaA"));
    }

    #[test]
    fn nobodys_hash_costs_what_everybodys_does() {
        assert!(PasswordHash::new(NOBODYS_HASH).is_ok());
        assert!(!is_outdated(NOBODYS_HASH));
    }
}
