//! What the shop says, in several languages.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::product::{Description, Title};
use crate::schema::{self, described};
use crate::text::Invalid;

/// Languages that something is translated into, beside the shop's own.
pub const MAX_TRANSLATIONS: usize = 20;

/// A language, with or without a region: `de`, `pt-BR` (BCP 47, of which no more is taken than that).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Language(String);

described!(
    Language,
    schema::text("A language, with or without a region (BCP 47).", 2, 6, "^[a-z]{2,3}(-[A-Z]{2})?$", "pt-BR")
);

/// A title and a description in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Texts {
    pub title: Title,
    pub description: Description,
}

/// By language; the shop's own is not among them.
pub type Translations = BTreeMap<Language, Texts>;

impl Language {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same without its region.
    pub fn without_region(&self) -> Option<Language> {
        self.0.split_once('-').map(|(language, _)| Language(language.to_owned()))
    }
}

/// The texts in the language that is asked for: in exactly that one, else in the same without its region. None where
/// there is neither, and the shop's own language has to do.
pub fn translated<'a>(translations: &'a Translations, language: &Language) -> Option<&'a Texts> {
    let exact = translations.get(language);
    exact.or_else(|| language.without_region().and_then(|language| translations.get(&language)))
}

impl FromStr for Language {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (language, region) =
            text.split_once('-').map_or((text, None), |(language, region)| (language, Some(region)));
        let is_language = (2..=3).contains(&language.len()) && language.bytes().all(|c| c.is_ascii_lowercase());
        let is_region = region.is_none_or(|region| region.len() == 2 && region.bytes().all(|c| c.is_ascii_uppercase()));
        if is_language && is_region {
            Ok(Language(text.to_owned()))
        } else {
            Err(Invalid::new("must be a language such as de or pt-BR"))
        }
    }
}

impl TryFrom<String> for Language {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Language> for String {
    fn from(language: Language) -> String {
        language.0
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_two_or_three_letters_and_perhaps_a_region() {
        for good in ["de", "gsw", "pt-BR"] {
            assert_eq!(good.parse::<Language>().unwrap().as_str(), good);
        }
        for bad in ["", "d", "deut", "DE", "de-", "de-at", "de-ATX", "de_AT", "de-AT-1996", "dé"] {
            assert!(bad.parse::<Language>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_missing_region_falls_back_to_its_language_and_a_missing_language_to_nothing() {
        let texts = |title: &str| Texts { title: title.parse().unwrap(), description: "".parse().unwrap() };
        let translations: Translations = [("de", "Tee"), ("de-CH", "Tee (CH)")]
            .map(|(language, title)| (language.parse().unwrap(), texts(title)))
            .into();
        let title = |language: &str| {
            translated(&translations, &language.parse().unwrap()).map(|texts| texts.title.as_str().to_owned())
        };
        assert_eq!(title("de-CH").as_deref(), Some("Tee (CH)"));
        assert_eq!(title("de-AT").as_deref(), Some("Tee"));
        assert_eq!(title("de").as_deref(), Some("Tee"));
        assert_eq!(title("fr"), None);
    }
}
