//! What the shop sells: products, their variants, and the offer that each variant is bought by.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{CategoryId, ProductId};
use crate::language::Translations;
use crate::money::{Currency, Money};
use crate::schema::{self, described};
use crate::spread::Spread;
use crate::stock::Selling;
use crate::text::{ImageUrl, Invalid, Line, Prose, Sku, Slug, TaxClass};

pub type Title = Line<1, 120>;
pub type Description = Prose<0, 5000>;
pub type OptionName = Line<1, 40>;
pub type OptionValue = Line<1, 60>;
pub type AttributeValue = Line<1, 80>;

/// A product has at least one SKU and at most this many: it is made in one transaction of at most 100 writes,
/// three for each SKU and seven for the rest.
pub const MAX_SKUS: usize = 31;
/// On hand per SKU, in units.
pub const MAX_STOCK: u32 = 1_000_000_000;
/// Categories that one product stands in.
pub const MAX_CATEGORIES: usize = 5;
pub const MAX_IMAGES: usize = 20;
pub const MAX_ATTRIBUTES: usize = 30;
/// Values of one attribute.
pub const MAX_VALUES: usize = 20;
pub const MAX_TAGS: usize = 30;
/// What a product's variants differ in.
pub const MAX_OPTIONS: usize = 3;
/// Currencies that one SKU is priced in.
pub const MAX_CURRENCIES: usize = 10;
/// Grams of one unit: ten tonnes.
pub const MAX_WEIGHT: u32 = 10_000_000;

/// Whether customers see a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductState {
    /// Not yet for anybody but staff.
    Draft,
    #[default]
    Active,
    /// Not any more; orders of it go on.
    Archived,
}

impl ProductState {
    pub const ALL: [ProductState; 3] = [ProductState::Draft, ProductState::Active, ProductState::Archived];

    pub fn as_str(self) -> &'static str {
        match self {
            ProductState::Draft => "draft",
            ProductState::Active => "active",
            ProductState::Archived => "archived",
        }
    }
}

impl std::str::FromStr for ProductState {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let known = ProductState::ALL.into_iter().find(|state| state.as_str() == name);
        known.ok_or_else(|| Invalid::new("must be draft, active or archived"))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    pub id: ProductId,
    pub slug: Slug,
    pub state: ProductState,
    pub title: Title,
    pub description: Description,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub translations: Translations,
    /// The first is the one that it stands in above all.
    pub category_ids: Vec<CategoryId>,
    pub images: Vec<Image>,
    pub attributes: BTreeMap<Slug, Vec<AttributeValue>>,
    pub tags: BTreeSet<Slug>,
    /// What its variants differ in, and the values in the order that they are shown in.
    pub options: Vec<Choice>,
    pub variants: Vec<Variant>,
    /// The lowest price of its active variants, by currency; what lists show.
    pub lowest: BTreeMap<Currency, i64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Grows with each change.
    pub version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Image {
    pub url: ImageUrl,
    /// What it shows, for those who do not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub alt: Option<Line<1, 200>>,
}

/// Something that variants differ in, such as a size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProductOption)]
pub struct Choice {
    #[schema(example = "Size")]
    pub name: OptionName,
    pub values: Vec<OptionValue>,
}

/// What is told of a SKU beside its offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Variant {
    pub sku: Sku,
    /// What sets it apart from the product's other SKUs, such as `250 g, ground`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub variant: Option<Title>,
    /// A value for each of the product's options.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, OptionValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub barcode: Option<Barcode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image: Option<ImageUrl>,
    /// Whether it is for sale while its product is.
    pub active: bool,
}

/// What can be bought under one SKU: its price and how many are left. The small item that placing an order changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub sku: Sku,
    pub product_id: ProductId,
    /// The product's title with what sets this SKU apart, as carts, orders and mails show it.
    pub title: Title,
    pub prices: BTreeMap<Currency, Price>,
    /// Units that can still be ordered here; where the stock is spread, others lie in its buckets: [`Offer::orderable`].
    pub available: u64,
    /// Whether it is for sale at all: product and variant are.
    pub active: bool,
    /// Grams of one unit.
    pub weight: u32,
    pub tax_class: TaxClass,
    /// The product's, for what is taken off by category.
    pub category_ids: Vec<CategoryId>,
    /// Units that were ever ordered.
    #[serde(default)]
    pub ordered: u64,
    #[serde(default, skip_serializing_if = "Selling::is_stock")]
    pub selling: Selling,
    /// Staff hear of it when no more than this is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_stock_at: Option<u32>,
    /// How its stock is spread, where one item does not bear all who order it at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
}

/// In minor units of a currency that is named elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    pub amount: i64,
    /// What it cost before, or costs elsewhere: higher than the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare_at: Option<i64>,
}

impl Offer {
    /// What one unit costs; None where the shop does not sell it in this currency.
    pub fn price_in(&self, currency: Currency) -> Option<Money> {
        self.prices.get(&currency).map(|price| Money::new(price.amount, currency))
    }
}

/// A line of a product list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductSummary {
    pub id: ProductId,
    pub slug: Slug,
    pub title: Title,
    /// Titles in other languages.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub titles: BTreeMap<crate::language::Language, Title>,
    pub lowest: BTreeMap<Currency, i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
}

/// Why a product is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The variant at this place does not have exactly the product's options.
    Options(usize),
    /// The variant at this place has a value that its option does not list.
    UnknownValue(usize, String),
    /// The variant at this place has the same values as one before it.
    SameOptions(usize),
    /// The title of this variant's offer is too long.
    LongTitle(usize),
}

impl Malformed {
    /// Of the variant that it is about.
    pub fn place(&self) -> usize {
        match self {
            Malformed::Options(place)
            | Malformed::UnknownValue(place, _)
            | Malformed::SameOptions(place)
            | Malformed::LongTitle(place) => *place,
        }
    }
}

impl Product {
    pub fn summary(&self) -> ProductSummary {
        ProductSummary {
            id: self.id,
            slug: self.slug.clone(),
            title: self.title.clone(),
            titles: self.translations.iter().map(|(language, texts)| (language.clone(), texts.title.clone())).collect(),
            lowest: self.lowest.clone(),
            image: self.images.first().cloned(),
        }
    }

    pub fn variant(&self, sku: &Sku) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.sku == *sku)
    }

    /// Whether a variant can be bought.
    pub fn sells(&self, variant: &Variant) -> bool {
        self.state == ProductState::Active && variant.active
    }

    /// The title that a variant's offer has: the product's, and what sets the variant apart.
    pub fn offer_title(&self, variant: &Variant) -> Result<Title, Invalid> {
        let values = self.options.iter().filter_map(|option| variant.options.get(option.name.as_str()));
        let values: Vec<_> = values.map(|value| value.as_str()).collect();
        let apart = variant.variant.as_ref().map(|apart| apart.as_str().to_owned());
        match apart.or_else(|| (!values.is_empty()).then(|| values.join(", "))) {
            None => Ok(self.title.clone()),
            Some(apart) => format!("{}, {apart}", self.title)
                .parse()
                .map_err(|_| Invalid::new("must make one line of at most 120 characters with the product's title")),
        }
    }

    /// Whether its variants fit its options and differ.
    pub fn check_variants(&self) -> Result<(), Malformed> {
        let mut seen = BTreeSet::new();
        for (place, variant) in self.variants.iter().enumerate() {
            let named = self.options.iter().all(|option| variant.options.contains_key(option.name.as_str()));
            if !named || variant.options.len() != self.options.len() {
                return Err(Malformed::Options(place));
            }
            let values: Vec<_> =
                self.options.iter().filter_map(|option| variant.options.get(option.name.as_str())).collect();
            let unknown = self.options.iter().zip(&values).find(|(option, value)| !option.values.contains(value));
            if let Some((option, _)) = unknown {
                return Err(Malformed::UnknownValue(place, option.name.to_string()));
            }
            let values: Vec<_> = values.into_iter().map(|value| value.as_str()).collect();
            if !values.is_empty() && !seen.insert(values) {
                return Err(Malformed::SameOptions(place));
            }
            self.offer_title(variant).map_err(|_| Malformed::LongTitle(place))?;
        }
        Ok(())
    }

    /// The lowest price of the variants that can be bought, by currency.
    pub fn lowest_of<'a>(&self, offers: impl IntoIterator<Item = &'a Offer>) -> BTreeMap<Currency, i64> {
        let mut lowest: BTreeMap<Currency, i64> = BTreeMap::new();
        for offer in offers {
            if !self.variant(&offer.sku).is_some_and(|variant| variant.active) {
                continue;
            }
            for (currency, price) in &offer.prices {
                let known = lowest.entry(*currency).or_insert(price.amount);
                *known = (*known).min(price.amount);
            }
        }
        lowest
    }
}

/// A GTIN of 8, 12, 13 or 14 digits with its check digit (GS1 General Specifications 7.9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Barcode(String);

described!(
    Barcode,
    schema::text("A GTIN of 8, 12, 13 or 14 digits.", 8, 14, "^([0-9]{8}|[0-9]{12,14})$", "4006381333931")
);

impl Barcode {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Barcode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = text.bytes().all(|c| c.is_ascii_digit()) && matches!(text.len(), 8 | 12 | 13 | 14);
        // From the right, digits count three times and once in turn; the check digit makes the sum a multiple of ten.
        let sum: u32 = text
            .bytes()
            .rev()
            .enumerate()
            .map(|(place, digit)| u32::from(digit.wrapping_sub(b'0')) * if place % 2 == 0 { 1 } else { 3 })
            .sum();
        if digits && sum.is_multiple_of(10) {
            Ok(Barcode(text.to_owned()))
        } else {
            Err(Invalid::new("must be a GTIN of 8, 12, 13 or 14 digits with its check digit"))
        }
    }
}

impl TryFrom<String> for Barcode {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}
