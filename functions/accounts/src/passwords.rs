//! Passwords: which are taken, and how they are kept: argon2id with 19 MiB, two passes, one lane (OWASP's first
//! recommendation).

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use unicode_normalization::UnicodeNormalization;
use waybill_domain::account::Password;
use waybill_domain::text::{Email, Invalid};

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What a password is compared with when nobody has the address, so that the answer takes as long as any other.
const NOBODYS_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$d2F5YmlsbC1ub2JvZHk$oeASPtJJvvdSMbOWzfKzLmq3FbuCrGzGJLi1nHKE1iI";

/// 16,293 passwords, sorted, in small letters and NFKC. common-passwords.md says where they come from.
const COMMON: &str = include_str!("common-passwords.txt");

/// What a password must have beside words that anyone would try with this address and this shop.
const OWN_CHARACTERS: usize = 4;

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Refuses a new password that is among the most common, or hardly more than the address or the shop's name (NIST SP
/// 800-63B-4, 3.1.1.2).
pub fn check_new(password: &Password, email: &Email, shop: &str) -> Result<(), Invalid> {
    let folded = fold(password.reveal());
    if COMMON.lines().any(|common| common == folded) {
        return Err(Invalid::new("is one of the most common passwords; please choose another"));
    }
    let (local, domain) = email.as_str().split_once('@').unwrap_or_default();
    let shop = fold(shop);
    let words = local.split(['.', '-', '_', '+']).chain(domain.split('.')).chain(shop.split_whitespace());
    let words = words.chain([local, "waybill", "password"]).filter(|word| word.chars().count() >= OWN_CHARACTERS);
    let mut words: Vec<_> = words.collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let rest = words.iter().fold(folded, |rest, word| rest.replace(word, ""));
    if rest.chars().count() < OWN_CHARACTERS {
        return Err(Invalid::new("is too much like the address or the shop's name; please choose another"));
    }
    Ok(())
}

/// As passwords are looked up, not as they are kept: the case of letters still counts.
fn fold(text: &str) -> String {
    text.to_lowercase().nfkc().collect()
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

    #[test]
    fn a_password_that_everybody_would_try_is_refused() {
        let check = |password: &str| {
            check_new(&password.parse().unwrap(), &"ann.archer@tealeaf.example".parse().unwrap(), "The Corner Shop")
        };
        for bad in [
            "password",
            "PassWord1",
            "iloveyou1",
            "12345678",
            "\u{ff50}assword1",
            "annarcher",
            "ann.archer@tealeaf.example",
            "Archer77!",
            "cornershop",
            "tealeaf123",
            "waybill-password",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        for good in ["correct horse", "archer of the north", "  spaces count  ", "q8#Zr!0p"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn the_list_is_as_it_says() {
        let lines: Vec<_> = COMMON.lines().collect();
        assert_eq!(lines.len(), 16_293);
        assert!(lines.iter().all(|line| fold(line) == **line && (8..=128).contains(&line.chars().count())));
    }
}
