//! What the mails say, in each language that has a file in `translations/`.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use waybill_domain::Timestamp;
use waybill_domain::language::Language;
use waybill_domain::money::Money;

#[cfg(test)]
mod tests;

/// Each translation's language, and what its file says.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/translations.rs"));

/// Why something cannot be said. The tests find all of these before a mail does.
#[derive(Debug, thiserror::Error)]
pub enum Unsaid {
    #[error("the translation {language} cannot be read: {why}")]
    Unreadable { language: String, why: String },
    #[error("there is no translation into {0}")]
    NoSuchLanguage(Language),
    #[error("the translation {language} cannot say {key}: {why}")]
    Key { language: Language, key: String, why: String },
}

/// Every language that there is, and which of them is the shop's own.
pub struct Languages {
    all: Vec<Words>,
    own: usize,
}

/// One language.
pub struct Words {
    language: Language,
    bundle: FluentBundle<FluentResource>,
}

/// A variable of a translation, by name.
pub type Given<'a> = (&'a str, FluentValue<'a>);

impl Languages {
    /// Reads all translations; refused where there is none of the shop's own language.
    pub fn read(own: &Language) -> Result<Languages, Unsaid> {
        let all = FILES.iter().map(|(language, text)| Words::read(language, text)).collect::<Result<Vec<_>, _>>()?;
        let position = |wanted: &Language| all.iter().position(|words| words.language == *wanted);
        let found = position(own).or_else(|| position(&own.without_region()?));
        let own = found.ok_or_else(|| Unsaid::NoSuchLanguage(own.clone()))?;
        Ok(Languages { all, own })
    }

    /// The words of the language that is asked for: exactly that one, else the same without its region, else the shop's.
    pub fn of(&self, asked: Option<&Language>) -> &Words {
        let known = |wanted: &Language| self.all.iter().find(|words| words.language == *wanted);
        let exact = asked.and_then(known);
        exact.or_else(|| known(&asked?.without_region()?)).unwrap_or(&self.all[self.own])
    }

    pub fn all(&self) -> impl Iterator<Item = &Language> {
        self.all.iter().map(|words| &words.language)
    }
}

impl Words {
    fn read(language: &str, text: &str) -> Result<Words, Unsaid> {
        let unreadable = |why: String| Unsaid::Unreadable { language: language.to_owned(), why };
        let known: Language = language.parse().map_err(|error| unreadable(format!("its name: {error}")))?;
        let id = language.parse().map_err(|error| unreadable(format!("its name: {error}")))?;
        let resource =
            FluentResource::try_new(text.to_owned()).map_err(|(_, errors)| unreadable(format!("{errors:?}")))?;
        let mut bundle = FluentBundle::new_concurrent(vec![id]);
        // Marks around what is put in would show as boxes in subjects and plain text of older clients.
        bundle.set_use_isolating(false);
        bundle.add_resource(resource).map_err(|errors| unreadable(format!("{errors:?}")))?;
        Ok(Words { language: known, bundle })
    }

    pub fn language(&self) -> &Language {
        &self.language
    }

    /// What the language says under a key, such as `total` or `order-paid.subject`, with what is given put in.
    pub fn say(&self, key: &str, given: &[Given<'_>]) -> Result<String, Unsaid> {
        #[cfg(test)]
        tests::note(key, given);
        let unsaid = |why: String| Unsaid::Key { language: self.language.clone(), key: key.to_owned(), why };
        let (message, attribute) = key.split_once('.').map_or((key, None), |(message, name)| (message, Some(name)));
        let message = self.bundle.get_message(message).ok_or_else(|| unsaid("it is not there".to_owned()))?;
        let pattern = match attribute {
            Some(name) => message.get_attribute(name).map(|attribute| attribute.value()),
            None => message.value(),
        };
        let pattern = pattern.ok_or_else(|| unsaid("it is not there".to_owned()))?;
        let arguments: FluentArgs = given.iter().map(|(name, value)| (*name, value.clone())).collect();
        let mut errors = Vec::new();
        let said = self.bundle.format_pattern(pattern, Some(&arguments), &mut errors).into_owned();
        if errors.is_empty() { Ok(said) } else { Err(unsaid(format!("{errors:?}"))) }
    }

    /// An amount as the language writes it: `$1,999.00`, `1.999,00 €`.
    pub fn money(&self, money: Money) -> Result<String, Unsaid> {
        let digits = money.currency.minor_digits();
        let unit = 10_u64.pow(digits);
        let amount = money.amount.unsigned_abs();
        let mut written = grouped(amount / unit, &self.say("group-separator", &[])?);
        if digits > 0 {
            let separator = self.say("decimal-separator", &[])?;
            written += &format!("{separator}{:0width$}", amount % unit, width = digits as usize);
        }
        let written = self.say("money", &[("amount", written.into()), ("currency", money.currency.code().into())])?;
        if money.amount < 0 { self.say("less", &[("money", written.into())]) } else { Ok(written) }
    }

    /// The day, in UTC, as the language writes it.
    pub fn date(&self, at: Timestamp) -> Result<String, Unsaid> {
        let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let (day, year) = (date.day().to_string(), date.year().to_string());
        self.say("date", &[("day", day.into()), ("month", date.month().into()), ("year", year.into())])
    }

    pub fn list(&self, items: &[String]) -> Result<String, Unsaid> {
        Ok(items.join(&self.say("list-separator", &[])?))
    }
}

/// A whole number in groups of three digits.
fn grouped(number: u64, separator: &str) -> String {
    let digits = number.to_string();
    let mut written = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            written += separator;
        }
        written.push(digit);
    }
    written
}
