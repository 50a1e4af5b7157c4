//! Text from outside, parsed once: bounded, trimmed, without control characters.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::schema::{self, described};

/// Why a value was refused, as the end of a sentence about its field: "must be …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(Cow<'static, str>);

impl Invalid {
    pub fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Invalid(why.into())
    }
}

/// A moment as RFC 3339 has it, before the last days of the year 9999.
pub fn time(text: &str) -> Result<Timestamp, Invalid> {
    text.parse().map_err(|_| Invalid::new("must be a time such as 2026-12-01T00:00:00Z, before 9999-12-30T22:00:01Z"))
}

/// A line of text of `MIN` to `MAX` characters once white space around it is gone; no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Line<const MIN: usize, const MAX: usize>(String);

/// As [`Line`], but line breaks and tabs may stand in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Prose<const MIN: usize, const MAX: usize>(String);

/// A SKU: 1 to 40 capitals, digits, `-`, `_` or `.`, the first a capital or a digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Sku(String);

/// A slug: 1 to 64 small letters and digits in words joined by single hyphens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Slug(String);

/// An e-mail address, lower-cased: at most 254 characters (RFC 5321), the local part one or more atoms of RFC 5322
/// (no quoted ones) of ASCII, as SES wants it, and a domain with a dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Email(String);

/// An https address of an image, at most 500 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ImageUrl(String);

/// The client's name for one attempt to place an order: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// What a customer types to ask for a promotion, in capitals: 3 to 32 capitals, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct PromotionCode(String);

/// What kind of goods a thing is to the tax office, such as `standard`, `reduced` or `zero`: 1 to 32 small letters,
/// digits and `_`, the first a letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct TaxClass(String);

fn bounded(text: &str, min: usize, max: usize, breaks: bool) -> Result<String, Invalid> {
    let forbidden = |c: char| c.is_control() && !(breaks && matches!(c, '\n' | '\r' | '\t'));
    // Also where trimming would take it away: a tab at the end of a line is no more a line's than one within.
    if text.chars().any(forbidden) {
        return Err(Invalid::new("must not contain control characters"));
    }
    let text = text.trim();
    let length = text.chars().count();
    if length < min || length > max {
        return Err(Invalid::new(match min {
            0 => format!("must be at most {max} characters long"),
            _ => format!("must be {min} to {max} characters long"),
        }));
    }
    Ok(text.to_owned())
}

impl<const MIN: usize, const MAX: usize> FromStr for Line<MIN, MAX> {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        bounded(text, MIN, MAX, false).map(Line)
    }
}

impl<const MIN: usize, const MAX: usize> FromStr for Prose<MIN, MAX> {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        bounded(text, MIN, MAX, true).map(Prose)
    }
}

impl FromStr for Sku {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let legal = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_' | b'.');
        let bytes = text.as_bytes();
        let starts_well = bytes.first().is_some_and(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if starts_well && bytes.len() <= 40 && bytes.iter().copied().all(legal) {
            Ok(Sku(text.to_owned()))
        } else {
            Err(Invalid::new("must be a SKU: 1 to 40 capitals, digits, '-', '_' or '.', such as TEA-EARL-100"))
        }
    }
}

impl FromStr for Slug {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let legal = |word: &str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if text.len() <= 64 && text.split('-').all(legal) {
            Ok(Slug(text.to_owned()))
        } else {
            Err(Invalid::new(
                "must be a slug: 1 to 64 small letters and digits, words joined by '-', such as green-tea",
            ))
        }
    }
}

impl FromStr for Email {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let atom = |c: u8| c.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&c);
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
        };
        let well_formed = text.split_once('@').is_some_and(|(local, domain)| {
            (1..=64).contains(&local.len())
                && local.bytes().all(atom)
                && domain.contains('.')
                && domain.split('.').all(label)
        });
        if text.len() <= 254 && well_formed {
            Ok(Email(text.to_ascii_lowercase()))
        } else {
            Err(Invalid::new("must be an e-mail address"))
        }
    }
}

impl FromStr for ImageUrl {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let visible = text.bytes().all(|c| c.is_ascii_graphic() && !matches!(c, b'"' | b'<' | b'>'));
        if text.len() <= 500 && text.len() > "https://".len() && text.starts_with("https://") && visible {
            Ok(ImageUrl(text.to_owned()))
        } else {
            Err(Invalid::new("must be an https address of at most 500 characters"))
        }
    }
}

impl FromStr for IdempotencyKey {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if (1..=255).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic()) {
            Ok(IdempotencyKey(text.to_owned()))
        } else {
            Err(Invalid::new("must be 1 to 255 visible ASCII characters, such as a UUID"))
        }
    }
}

impl FromStr for PromotionCode {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let code = text.trim().to_ascii_uppercase();
        let legal = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'-';
        if (3..=32).contains(&code.len()) && code.bytes().all(legal) {
            Ok(PromotionCode(code))
        } else {
            Err(Invalid::new("must be a code: 3 to 32 letters, digits and '-', such as SUMMER-10"))
        }
    }
}

impl FromStr for TaxClass {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let legal = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        let starts_well = text.bytes().next().is_some_and(|c| c.is_ascii_lowercase());
        if starts_well && text.len() <= 32 && text.bytes().all(legal) {
            Ok(TaxClass(text.to_owned()))
        } else {
            Err(Invalid::new("must be a tax class: 1 to 32 small letters, digits and '_', such as standard"))
        }
    }
}

/// What every parsed text can do: be borrowed as `str`, be shown, be made from an owned string.
macro_rules! text {
    ($name:ty $(, [$($generics:tt)*])?) => {
        impl $(<$($generics)*>)? $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl $(<$($generics)*>)? TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl $(<$($generics)*>)? fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text!(Line<MIN, MAX>, [const MIN: usize, const MAX: usize]);
text!(Prose<MIN, MAX>, [const MIN: usize, const MAX: usize]);
text!(Sku);
text!(Slug);
text!(Email);
text!(ImageUrl);
text!(IdempotencyKey);
text!(PromotionCode);
text!(TaxClass);

described!(Sku, schema::text("A SKU.", 1, 40, "^[A-Z0-9][A-Z0-9._-]{0,39}$", "TEA-EARL-100"));
described!(Slug, schema::text("A name for addresses of pages.", 1, 64, "^[a-z0-9]+(-[a-z0-9]+)*$", "green-tea"));
described!(
    Email,
    schema::text("An e-mail address. It is kept and compared in lower case.", 6, 254, EMAIL, "ann@example.com")
);
described!(
    ImageUrl,
    schema::text("An https address of an image.", 9, 500, "^https://[!#-;=?-~]+$", "https://shop.example.com/tea.jpg")
);
described!(
    IdempotencyKey,
    schema::text(
        "The client's name for one attempt, such as a fresh UUID.",
        1,
        255,
        "^[!-~]{1,255}$",
        "6f9f7a52-6c0e-4b8e-9d5f-1f6d0e2a4c11"
    )
);
described!(
    PromotionCode,
    schema::text(
        "A promotion's code. It is kept and compared in capitals.",
        3,
        32,
        "^[A-Za-z0-9-]{3,32}$",
        "SUMMER-10"
    )
);
described!(TaxClass, schema::text("A tax class.", 1, 32, "^[a-z][a-z0-9_]{0,31}$", "standard"));

/// An address as the code above takes it: atoms of RFC 5322, a domain with a dot.
const EMAIL: &str = concat!(
    r"^(?=.{6,254}$)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}",
    r"@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$"
);

impl<const MIN: usize, const MAX: usize> PartialSchema for Line<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        let pattern = if MIN == 0 {
            "^[^\\x00-\\x1f\\x7f-\\x9f]*$"
        } else {
            "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
        };
        schema::text("One line. White space around it is dropped.", MIN, MAX, pattern, "")
    }
}

impl<const MIN: usize, const MAX: usize> PartialSchema for Prose<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        let pattern = "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$";
        schema::text("Text of several lines. White space around it is dropped.", MIN, MAX, pattern, "")
    }
}

impl<const MIN: usize, const MAX: usize> ToSchema for Line<MIN, MAX> {
    fn name() -> Cow<'static, str> {
        format!("Line{MIN}To{MAX}").into()
    }
}

impl<const MIN: usize, const MAX: usize> ToSchema for Prose<MIN, MAX> {
    fn name() -> Cow<'static, str> {
        format!("Prose{MIN}To{MAX}").into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_trimmed_and_held_to_its_bounds() {
        assert_eq!("  Tea ".parse::<Line<3, 5>>().unwrap().as_str(), "Tea");
        assert!("Te".parse::<Line<3, 5>>().is_err());
        assert!("Teaséé".parse::<Line<3, 5>>().is_err());
        assert!("Teasé".parse::<Line<3, 5>>().is_ok());
        for within_or_around in ["a\nb", "a\n", "\ta", "a\u{85}"] {
            assert!(within_or_around.parse::<Line<0, 9>>().is_err(), "{within_or_around:?}");
        }
        assert_eq!("\n a\t".parse::<Prose<0, 9>>().unwrap().as_str(), "a");
        assert!("a\u{b}".parse::<Prose<0, 9>>().is_err());
        assert!("a\nb".parse::<Prose<0, 9>>().is_ok());
        assert!("a\u{0}b".parse::<Prose<0, 9>>().is_err());
    }

    #[test]
    fn skus_and_slugs_are_what_they_say() {
        for good in ["A", "TEA-EARL.100_X", "0", &"A".repeat(40)] {
            assert!(good.parse::<Sku>().is_ok(), "{good}");
        }
        for bad in ["", "-A", "tea", "A B", "Ä", "A#B", &"A".repeat(41)] {
            assert!(bad.parse::<Sku>().is_err(), "{bad}");
        }
        for good in ["tea", "green-tea-2"] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        for bad in ["", "-tea", "tea-", "a--b", "Tea", &"a".repeat(65)] {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_one_mailbox_and_is_compared_in_lower_case() {
        assert_eq!("Ann@Example.COM".parse::<Email>().unwrap().as_str(), "ann@example.com");
        for bad in [
            "",
            "ann",
            "@x.y",
            "a@b",
            "a@b@c.d",
            "a@x..y",
            "a b@c.d",
            "a@b.c\r\nBcc: x@y.z",
            "a@-b.c",
            "Ann <a@b.c>",
            "änn@b.c",
            "a@bücher.de",
            "a@b.c,d@e.f",
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_promotion_code_is_compared_in_capitals() {
        assert_eq!(" summer-10 ".parse::<PromotionCode>().unwrap().as_str(), "SUMMER-10");
        for good in ["ABC", &"A".repeat(32)] {
            assert!(good.parse::<PromotionCode>().is_ok(), "{good}");
        }
        for bad in ["", "AB", "A B", "A_B", "ÄBC", &"A".repeat(33)] {
            assert!(bad.parse::<PromotionCode>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tax_class_is_a_short_name() {
        for good in ["a", "standard", "reduced_2", &"a".repeat(32)] {
            assert!(good.parse::<TaxClass>().is_ok(), "{good}");
        }
        for bad in ["", "2a", "_a", "Standard", "a-b", &"a".repeat(33)] {
            assert!(bad.parse::<TaxClass>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics_and_none_that_is_accepted_carries_a_control_character(text: String) {
            for accepted in [
                text.parse::<Line<1, 80>>().ok().map(|t| t.to_string()),
                text.parse::<Email>().ok().map(|t| t.to_string()),
                text.parse::<Sku>().ok().map(|t| t.to_string()),
                text.parse::<ImageUrl>().ok().map(|t| t.to_string()),
                text.parse::<IdempotencyKey>().ok().map(|t| t.to_string()),
            ].into_iter().flatten() {
                prop_assert!(!accepted.chars().any(char::is_control));
            }
        }
    }
}
