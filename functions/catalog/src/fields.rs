//! What staff write of a product and of a category, field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use waybill_domain::id::CategoryId;
use waybill_domain::language::{Language, MAX_TRANSLATIONS, Texts, Translations};
use waybill_domain::money::{Currency, Money};
use waybill_domain::product::{
    AttributeValue, Choice, Description, Image, MAX_ATTRIBUTES, MAX_CATEGORIES, MAX_CURRENCIES, MAX_IMAGES,
    MAX_OPTIONS, MAX_SKUS, MAX_TAGS, MAX_VALUES, OptionName, OptionValue, Price, Title,
};
use waybill_domain::text::{ImageUrl, Invalid, Line, Sku, Slug};
use waybill_web::Fields;
pub use waybill_web::given;

use crate::list::OR;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTexts {
    #[schema(value_type = Title, example = "Grüntee")]
    title: String,
    #[schema(value_type = Description, example = "Frisch und grasig.")]
    description: String,
}

pub fn translations(fields: &mut Fields, at: &str, given: BTreeMap<String, NewTexts>) -> Translations {
    at_most(fields, at, given.len(), MAX_TRANSLATIONS, "languages");
    let translated = given.into_iter().filter_map(|(language, texts)| {
        let at = format!("{at}/{language}");
        let language: Option<Language> = fields.take(&at, language.parse());
        let title = fields.take(&format!("{at}/title"), texts.title.parse());
        let description = fields.take(&format!("{at}/description"), texts.description.parse());
        Some((language?, Texts { title: title?, description: description? }))
    });
    translated.collect()
}

pub fn category_ids(fields: &mut Fields, at: &str, given: Vec<String>) -> Vec<CategoryId> {
    let ids = list(fields, at, given, MAX_CATEGORIES, |fields, at, id| fields.take(at, id.parse()));
    if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
        fields.refuse(at, "names a category twice");
    }
    ids
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewImage {
    #[schema(value_type = ImageUrl)]
    url: String,
    /// What it shows, for those who do not see it.
    #[schema(value_type = Option<Line<1, 200>>, example = "A bag of tea")]
    alt: Option<String>,
}

pub fn images(fields: &mut Fields, at: &str, given: Vec<NewImage>) -> Vec<Image> {
    list(fields, at, given, MAX_IMAGES, |fields, at, image| {
        let url = fields.take(&format!("{at}/url"), image.url.parse());
        let alt = fields.take_optional(&format!("{at}/alt"), image.alt.map(|alt| alt.parse()));
        Some(Image { url: url?, alt })
    })
}

pub fn attributes(
    fields: &mut Fields,
    at: &str,
    given: BTreeMap<String, Vec<String>>,
) -> BTreeMap<Slug, Vec<AttributeValue>> {
    at_most(fields, at, given.len(), MAX_ATTRIBUTES, "attributes");
    let attributes = given.into_iter().filter_map(|(name, values)| {
        let at = format!("{at}/{name}");
        let name: Option<Slug> = fields.take(&at, name.parse());
        if values.is_empty() {
            fields.refuse(&at, "must have a value");
        }
        let values = list(fields, &at, values, MAX_VALUES, |fields, at, value| {
            if value.contains(OR) {
                fields.refuse(at, format!("must not contain {OR}, which stands between values in searches"));
            }
            fields.take(at, value.parse())
        });
        Some((name?, values))
    });
    attributes.collect()
}

pub fn tags(fields: &mut Fields, at: &str, given: Vec<String>) -> BTreeSet<Slug> {
    list(fields, at, given, MAX_TAGS, |fields, at, tag| fields.take(at, tag.parse())).into_iter().collect()
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChoice {
    #[schema(value_type = OptionName, example = "Size")]
    name: String,
    #[schema(value_type = Vec<OptionValue>, min_items = 1, max_items = 31)]
    values: Vec<String>,
}

pub fn options(fields: &mut Fields, at: &str, given: Vec<NewChoice>) -> Vec<Choice> {
    let options = list(fields, at, given, MAX_OPTIONS, |fields, at, option| {
        let name = fields.take(&format!("{at}/name"), option.name.parse());
        let at = format!("{at}/values");

        let values: Vec<OptionValue> =
            list(fields, &at, option.values, MAX_SKUS, |fields, at, value| fields.take(at, value.parse()));
        if values.is_empty() || values.iter().map(|value| value.as_str()).collect::<BTreeSet<_>>().len() < values.len()
        {
            fields.refuse(&at, "must hold values that differ");
        }
        Some(Choice { name: name?, values })
    });
    if options.iter().map(|option| option.name.as_str()).collect::<BTreeSet<_>>().len() < options.len() {
        fields.refuse(at, "names an option twice");
    }
    options
}

/// The values of a variant's options.
pub fn option_values(fields: &mut Fields, at: &str, given: BTreeMap<String, String>) -> BTreeMap<String, OptionValue> {
    at_most(fields, at, given.len(), MAX_OPTIONS, "options");
    let values = given.into_iter().filter_map(|(name, value)| {
        let at = format!("{at}/{name}");
        let name: Option<OptionName> = fields.take(&at, name.parse());
        Some((name?.to_string(), fields.take(&at, value.parse())?))
    });
    values.collect()
}

#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPrice {
    /// Minor units, such as cents.
    #[schema(minimum = 1, maximum = 100_000_000, example = 1999)]
    amount: i64,
    #[schema(value_type = Currency)]
    currency: String,
    /// What it cost before, or costs elsewhere: more than `amount`.
    #[schema(minimum = 1, maximum = 100_000_000, example = 2499)]
    compare_at: Option<i64>,
}

/// Prices in different currencies, one of them the shop's own.
pub fn prices(fields: &mut Fields, at: &str, given: Vec<NewPrice>, shop: Currency) -> BTreeMap<Currency, Price> {
    let mut prices = BTreeMap::new();
    let before = given.len();
    let parsed = list(fields, at, given, MAX_CURRENCIES, |fields, at, price| {
        let currency = fields.take(&format!("{at}/currency"), price.currency.parse());
        let money = |amount: i64| Money::new(amount, currency.unwrap_or(shop)).as_price();
        let amount = fields.take(&format!("{at}/amount"), money(price.amount));
        let at = format!("{at}/compare_at");
        let compare_at = fields.take_optional(&at, price.compare_at.map(money)).map(|money| money.amount);
        if compare_at.is_some_and(|compare_at| compare_at <= price.amount) {
            fields.refuse(&at, "must be more than the amount");
        }
        Some((currency?, Price { amount: amount?.amount, compare_at }))
    });
    let complete = parsed.len() == before;
    for (currency, price) in parsed {
        if prices.insert(currency, price).is_some() {
            fields.refuse(at, format!("names {currency} twice"));
        }
    }
    if complete && !prices.contains_key(&shop) {
        fields.refuse(at, format!("must have one in the shop's currency, {shop}"));
    }
    prices
}

/// Grams of one unit.
pub fn weight(fields: &mut Fields, at: &str, grams: i64) -> Option<u32> {
    let most = waybill_domain::product::MAX_WEIGHT;
    let weight = u32::try_from(grams).ok().filter(|grams| *grams <= most);
    fields.take(at, weight.ok_or_else(|| Invalid::new(format!("must be from 0 to {most} grams"))))
}

/// Texts by language.
pub fn translations_schema() -> Schema {
    map(Language::schema(), NewTexts::schema(), MAX_TRANSLATIONS)
}

/// Values by the name of an attribute.
pub fn attributes_schema() -> Schema {
    let values = ArrayBuilder::new().items(AttributeValue::schema()).min_items(Some(1)).max_items(Some(MAX_VALUES));
    map(Slug::schema(), values.into(), MAX_ATTRIBUTES)
}

/// A value by the name of an option.
pub fn option_values_schema() -> Schema {
    map(OptionName::schema(), OptionValue::schema(), MAX_OPTIONS)
}

/// Values of options, by SKU.
pub fn sku_options_schema() -> Schema {
    map(Sku::schema(), option_values_schema().into(), MAX_SKUS)
}

fn map(names: RefOr<Schema>, values: RefOr<Schema>, most: usize) -> Schema {
    let RefOr::T(names) = names else { unreachable!("a text's schema stands for itself") };
    let object = ObjectBuilder::new().schema_type(Type::Object).property_names(Some(names));
    object.additional_properties(Some(values)).max_properties(Some(most)).into()
}

fn list<X, T>(
    fields: &mut Fields,
    at: &str,
    given: Vec<X>,
    most: usize,
    check: impl Fn(&mut Fields, &str, X) -> Option<T>,
) -> Vec<T> {
    at_most(fields, at, given.len(), most, "entries");
    let checked = given.into_iter().take(most).enumerate();
    checked.filter_map(|(place, given)| check(fields, &format!("{at}/{place}"), given)).collect()
}

fn at_most(fields: &mut Fields, at: &str, count: usize, most: usize, what: &str) {
    if count > most {
        fields.refuse(at, format!("must have at most {most} {what}"));
    }
}
