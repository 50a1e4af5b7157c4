//! That every translation says all that mails ask for, and nothing else.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use fluent_syntax::ast::{CallArguments, Entry, Expression, InlineExpression, Pattern, PatternElement};

use super::*;
use crate::samples::samples;
use crate::{Colour, Shop};

thread_local! {
    static ASKED: RefCell<BTreeMap<String, BTreeSet<String>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Keeps what is asked for, with the variables that are given each time.
pub fn note(key: &str, given: &[Given<'_>]) {
    let given: BTreeSet<_> = given.iter().map(|(name, _)| (*name).to_owned()).collect();
    ASKED.with_borrow_mut(|asked| {
        asked.entry(key.to_owned()).and_modify(|before| before.retain(|name| given.contains(name))).or_insert(given);
    });
}

fn shop(own: &str) -> Shop {
    let languages = Languages::read(&own.parse().unwrap()).unwrap();
    let colour: Colour = "#1f6feb".parse().unwrap();
    Shop {
        name: "Shop".into(),
        url: "https://shop.example.com".into(),
        colour,
        logo: None,
        return_address: Vec::new(),
        languages,
    }
}

/// The keys of a translation, each with the variables that it names.
fn said(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut said = BTreeMap::new();
    let mut terms = BTreeMap::new();
    for entry in fluent_syntax::parser::parse(text).unwrap().body {
        match entry {
            Entry::Message(message) => {
                let name = message.id.name;
                let value = message.value.map(|value| (name.to_owned(), variables(&value)));
                said.extend(value);
                said.extend(
                    message.attributes.iter().map(|one| (format!("{name}.{}", one.id.name), variables(&one.value))),
                );
            }
            Entry::Term(term) => {
                terms.insert(term.id.name, variables(&term.value));
            }
            Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => {}
            Entry::Junk { content } => panic!("not a message: {content}"),
        }
    }
    assert!(terms.values().all(BTreeSet::is_empty), "a term is given no variables");
    said
}

fn variables(pattern: &Pattern<&str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { .. } => {}
            PatternElement::Placeable { expression } => of_expression(expression, &mut found),
        }
    }
    found
}

fn of_expression(expression: &Expression<&str>, found: &mut BTreeSet<String>) {
    match expression {
        Expression::Select { selector, variants } => {
            of_inline(selector, found);
            found.extend(variants.iter().flat_map(|variant| variables(&variant.value)));
        }
        Expression::Inline(inline) => of_inline(inline, found),
    }
}

fn of_inline(inline: &InlineExpression<&str>, found: &mut BTreeSet<String>) {
    match inline {
        InlineExpression::VariableReference { id } => {
            found.insert(id.name.to_owned());
        }
        InlineExpression::Placeable { expression } => of_expression(expression, found),
        InlineExpression::FunctionReference { arguments: CallArguments { positional, named }, .. } => {
            positional.iter().for_each(|one| of_inline(one, found));
            named.iter().for_each(|one| of_inline(&one.value, found));
        }
        InlineExpression::StringLiteral { .. }
        | InlineExpression::NumberLiteral { .. }
        | InlineExpression::TermReference { .. } => {}
        InlineExpression::MessageReference { id, .. } => panic!("{} has to be a term, -{0}", id.name),
    }
}

#[test]
fn every_translation_says_all_that_mails_ask_for_and_names_only_what_is_given() {
    for language in shop("en").languages.all() {
        let shop = shop(&language.to_string());
        for sample in samples().unwrap() {
            sample.compose(&shop, language).unwrap().unwrap();
        }
    }
    let asked = ASKED.take();
    for (language, text) in FILES {
        let said = said(text);
        let missing: Vec<_> = asked.keys().filter(|key| !said.contains_key(*key)).collect();
        let unused: Vec<_> = said.keys().filter(|key| !asked.contains_key(*key)).collect();
        assert!(
            missing.is_empty() && unused.is_empty(),
            "{language}.ftl lacks {missing:?}, and nobody asks for {unused:?}"
        );
        for (key, named) in said {
            let strange: Vec<_> = named.difference(&asked[&key]).collect();
            assert!(strange.is_empty(), "{language}.ftl names {strange:?} in {key}, which are not given");
        }
    }
}

#[test]
fn what_a_translation_cannot_say_is_an_error_and_not_a_mail() {
    let words = Words::read("en", "total = Total of { $all }\n").unwrap();
    assert_eq!(words.say("total", &[("all", "it".into())]).unwrap(), "Total of it");
    assert!(matches!(words.say("total", &[]), Err(Unsaid::Key { .. })));
    assert!(matches!(words.say("tax", &[]), Err(Unsaid::Key { .. })));
    assert!(Words::read("en", "total = { $all").is_err());
    assert!(Words::read("english", "total = Total\n").is_err());
}

#[test]
fn a_language_falls_back_to_itself_without_its_region_and_then_to_the_shops() {
    let of = |own: &str, asked: Option<&str>| {
        let languages = Languages::read(&own.parse().unwrap()).unwrap();
        languages.of(asked.map(|asked| asked.parse().unwrap()).as_ref()).language().to_string()
    };
    assert_eq!(of("en", Some("de")), "de");
    assert_eq!(of("en", Some("de-AT")), "de");
    assert_eq!(of("en", Some("fr-CA")), "en");
    assert_eq!(of("de-CH", Some("fr")), "de");
    assert_eq!(of("de", None), "de");
    assert!(Languages::read(&"fr".parse().unwrap()).is_err());
}

#[test]
fn amounts_and_days_are_written_as_the_language_does() {
    let languages = Languages::read(&"en".parse().unwrap()).unwrap();
    let written = |language: &str, amount: i64, currency: &str| {
        let money = Money::new(amount, currency.parse().unwrap());
        languages.of(Some(&language.parse().unwrap())).money(money).unwrap().replace('\u{a0}', "_")
    };
    assert_eq!(written("en", 123_456_789, "USD"), "$1,234,567.89");
    assert_eq!(written("de", 123_456_789, "EUR"), "1.234.567,89_€");
    assert_eq!(written("en", 99, "CHF"), "CHF_0.99");
    assert_eq!(written("de", 1500, "JPY"), "1.500_¥");
    assert_eq!(written("de", -100_000, "KWD"), "-100,000_KWD");
    assert_eq!(written("en", i64::MIN, "USD"), "-$92,233,720,368,547,758.08");
    let day = "2026-03-01T23:59:00Z".parse().unwrap();
    assert_eq!(languages.of(None).date(day).unwrap(), "March 1, 2026");
    assert_eq!(languages.of(Some(&"de".parse().unwrap())).date(day).unwrap(), "1. März 2026");
}
