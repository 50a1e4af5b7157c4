//! Lists of products: the newest as they stand in the index, anything else by searching.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::category::Tree;
use waybill_domain::language::Language;
use waybill_domain::money::{Currency, MAX_PRICE};
use waybill_domain::product::ProductState;
use waybill_domain::search::words;
use waybill_domain::text::Slug;
use waybill_storage::Cursor;
use waybill_storage::catalog::Products;
use waybill_storage::search::{Facet, Facets, Filter, Found, Mark, Order, Wanted};
use waybill_web::openapi::Paging;
use waybill_web::query::{List, Parameters};
use waybill_web::{Problem, cacheable};

use crate::read::{KEPT, SummaryView, told};
use crate::{App, categories};

/// Letters of what is searched for.
const MAX_QUERY: usize = 200;
/// Words that are searched for.
const MAX_WORDS: usize = 8;
/// Filters of one kind, and values of one.
const MAX_FILTERS: usize = 10;
/// What can be counted at once.
const MAX_FACETS: usize = 5;
/// Values of a facet that are told: the most frequent ones.
const MAX_COUNTS: usize = 100;
/// Stands between values of which any will do.
pub const OR: char = '|';

#[derive(Serialize, ToSchema)]
pub struct ProductList {
    #[serde(flatten)]
    page: List<SummaryView>,
    /// How many there are in all; left out for the plain list of the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    total: Option<u64>,
    /// What was asked for as `facets`, in that order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    facets: Vec<Counts>,
}

/// How many products there are of each value. The filter of the same name is left out, so that the counts tell what
/// another choice would find.
#[derive(Serialize, ToSchema)]
#[schema(as = Facet)]
struct Counts {
    #[schema(example = "colour")]
    name: String,
    /// The most frequent first, at most 100. A category counts those below it too.
    values: Vec<Count>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FacetValue)]
struct Count {
    #[schema(example = "Blue")]
    value: String,
    count: u64,
}

/// What a client asks for.
struct Asked {
    query: Option<Vec<String>>,
    category: Option<String>,
    tags: Vec<Slug>,
    attributes: BTreeMap<Slug, BTreeSet<String>>,
    in_stock: bool,
    prices: (Option<i64>, Option<i64>),
    order: Order,
    facets: Vec<String>,
    language: Option<Language>,
    currency: Currency,
}

impl Asked {
    fn read(app: &App, parameters: &mut Parameters) -> Asked {
        let (language, currency) = told(app, parameters);
        let query = parameters.take("q", |text| {
            let words: BTreeSet<_> = words(text).collect();
            match text.chars().count() <= MAX_QUERY && (1..=MAX_WORDS).contains(&words.len()) {
                true => Ok(words.into_iter().collect()),
                false => Err(format!("must hold 1 to {MAX_WORDS} words in at most {MAX_QUERY} letters")),
            }
        });
        let category = parameters.take("category", |text| Ok::<_, String>(text.to_owned()));
        let tags = parameters.take("tag", tags);
        let given = parameters.take_group("attribute");
        let attributes = attributes(parameters, given);
        let in_stock = parameters.take("in_stock", |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be true or false"),
        });
        let mut price = |name: &str| {
            parameters.take(name, |text| match text.parse() {
                Ok(amount) if (0..=MAX_PRICE).contains(&amount) => Ok(amount),
                _ => Err(format!("must be from 0 to {MAX_PRICE} minor units")),
            })
        };
        let prices = (price("min_price"), price("max_price"));
        let order = parameters.take("sort", |text| match text {
            "newest" => Ok(Order::Newest),
            "price" => Ok(Order::Price { currency, falling: false }),
            "-price" => Ok(Order::Price { currency, falling: true }),
            "name" => Ok(Order::Name { falling: false }),
            "-name" => Ok(Order::Name { falling: true }),
            "popularity" => Ok(Order::Popularity),
            _ => Err("must be newest, price, -price, name, -name or popularity"),
        });
        let facets = parameters.take("facets", |text| {
            let names: Vec<_> = text.split(',').map(str::to_owned).collect();
            let are_slugs = names.iter().all(|name| name.parse::<Slug>().is_ok());
            match are_slugs && names.len() <= MAX_FACETS && names.iter().collect::<BTreeSet<_>>().len() == names.len() {
                true => Ok(names),
                false => Err(format!("must be at most {MAX_FACETS} different names: category, tag, or an attribute's")),
            }
        });
        Asked {
            query,
            category,
            tags: tags.unwrap_or_default(),
            attributes,
            in_stock: in_stock.unwrap_or_default(),
            prices,
            order: order.unwrap_or(Order::Newest),
            facets: facets.unwrap_or_default(),
            language,
            currency,
        }
    }

    /// Whether only the newest of all are wanted.
    fn is_plain(&self) -> bool {
        self.query.is_none()
            && self.category.is_none()
            && self.tags.is_empty()
            && self.attributes.is_empty()
            && !self.in_stock
            && self.prices == (None, None)
            && self.order == Order::Newest
            && self.facets.is_empty()
    }

    /// Names the list that a cursor is for: the same products in the same order.
    fn list(&self) -> String {
        let Asked { query, category, tags, attributes, in_stock, prices, order, currency, .. } = self;
        format!("products {order:?} {currency} {in_stock} {prices:?} {category:?} {tags:?} {attributes:?} {query:?}")
    }

    fn filter(&self, tree: &Tree) -> Result<Filter, Problem> {
        let categories = self.category.as_ref().map(|category| {
            let unknown = || Problem::invalid_parameter("category", "is not the id or the slug of a category");
            Ok::<_, Problem>(tree.below(categories::find(tree, category).ok_or_else(unknown)?.id))
        });
        let price = match self.prices {
            (None, None) => None,
            (least, most) => Some((self.currency, least.unwrap_or(0)..=most.unwrap_or(MAX_PRICE))),
        };
        Ok(Filter {
            categories: categories.transpose()?,
            tags: self.tags.iter().cloned().collect(),
            attributes: self.attributes.clone(),
            in_stock: self.in_stock,
            price,
            words: self.query.clone().unwrap_or_default(),
        })
    }
}

/// Tags with commas between them.
fn tags(text: &str) -> Result<Vec<Slug>, String> {
    let tags: Vec<Slug> =
        text.split(',').map(|tag| tag.parse().map_err(|error| format!("{error}"))).collect::<Result<_, _>>()?;
    if tags.len() <= MAX_FILTERS { Ok(tags) } else { Err(format!("must be at most {MAX_FILTERS} tags")) }
}

fn attributes(parameters: &mut Parameters, given: BTreeMap<String, String>) -> BTreeMap<Slug, BTreeSet<String>> {
    if given.len() > MAX_FILTERS {
        parameters.refuse("attribute", &format!("must be at most {MAX_FILTERS} attributes"));
    }
    let mut attributes = BTreeMap::new();
    for (name, values) in given {
        let values: BTreeSet<String> = values.split(OR).map(|value| value.trim().to_owned()).collect();
        match name.parse::<Slug>() {
            Ok(slug) if values.len() <= MAX_FILTERS => {
                attributes.insert(slug, values);
            }
            Ok(_) => parameters.refuse(&format!("attribute[{name}]"), &format!("must be at most {MAX_FILTERS} values")),
            Err(error) => parameters.refuse(&format!("attribute[{name}]"), &format!("{error}")),
        }
    }
    attributes
}

/// List products
///
/// Filtered, sorted and counted as is asked for. Everything that is given has to be true of a product. What was changed
/// is found within a few seconds; what is shown of a product is always what it is now.
#[utoipa::path(
    get,
    path = "/v1/products",
    params(
        ("q" = Option<String>, Query, description = "Words of title, description or SKU, in any language; all of them, those of three letters or more also as beginnings; 1 to 8 different ones. Of each product the first 300 are found.", max_length = 200),
        ("category" = Option<String>, Query, description = "A category's id or slug. Products of those below it are found too."),
        ("tag" = Option<String>, Query, description = "At most ten tags with commas between them; all of them.", example = "new,sale"),
        ("attribute" = Option<HashMap<String, String>>, Query, style = DeepObject, explode, description = "`attribute[colour]=Blue|Dark blue`: of at most ten attributes one of at most ten values each."),
        ("in_stock" = Option<bool>, Query, description = "Only what can be had."),
        ("min_price" = Option<i64>, Query, description = "Of the lowest price in the list's currency, in minor units.", minimum = 0, maximum = 100_000_000),
        ("max_price" = Option<i64>, Query, description = "Of the lowest price in the list's currency, in minor units.", minimum = 0, maximum = 100_000_000),
        ("sort" = Option<String>, Query, description = "`newest` unless it is given; `price`, `-price`, `name`, `-name` or `popularity`."),
        ("facets" = Option<String>, Query, description = "What to count: `category`, `tag` and names of attributes, at most five, with commas between them.", example = "category,colour"),
        ("language" = Option<Language>, Query, description = "Of the titles."),
        ("currency" = Option<Currency>, Query, description = "Of the prices; the shop's own unless it is given."),
        Paging
    ),
    responses((status = 200, description = "A page of products.", body = ProductList), (status = 304, description = "You have the newest.")),
)]
pub async fn list_products(
    State(app): State<App>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let asked = Asked::read(&app, &mut parameters);
    let limit = parameters.limit();
    let view = |summary| SummaryView::of(summary, asked.language.as_ref(), asked.currency);
    let name = asked.list();
    let list = (&app.guard.cursors, name.as_str());
    if asked.is_plain() {
        let cursor = parameters.cursor(list, Cursor::among_products);
        parameters.finish()?;
        let page = app.table.products(Products::Of(ProductState::Active), limit, cursor).await?;
        let List { items, next, previous } = List::of(page, list);
        let page = List { items: items.into_iter().map(view).collect(), next, previous };
        return cacheable(&headers, KEPT, &ProductList { page, total: None, facets: Vec::new() });
    }
    let wanted = parameters.cursor(list, place).unwrap_or(Wanted::First);
    parameters.finish()?;
    let needs_tree = asked.category.is_some() || asked.facets.iter().any(|facet| facet == "category");
    let tree = if needs_tree { app.table.categories(false).await? } else { Tree::default() };
    let facets: Vec<_> = asked.facets.iter().map(|name| facet(name)).collect();
    let facets = Facets { of: &facets, tree: needs_tree.then_some(&tree) };
    let filter = asked.filter(&tree)?;
    let found = app.search.find(&filter, asked.order, facets, usize::from(limit), &wanted).await?;
    let Found { items, before, after, total, counts } = found;
    let seal = |mark: Option<Mark>, way: char| mark.map(|mark| app.guard.cursors.seal(&name, &written(&mark, way)));
    let page =
        List { items: items.into_iter().map(view).collect(), next: seal(after, '+'), previous: seal(before, '-') };
    let facets = asked.facets.into_iter().zip(counts).map(|(name, counts)| {
        let values = counts.into_iter().take(MAX_COUNTS).map(|(value, count)| Count { value, count });
        Counts { name, values: values.collect() }
    });
    cacheable(&headers, KEPT, &ProductList { page, total: Some(total), facets: facets.collect() })
}

fn facet(name: &str) -> Facet {
    match name {
        "category" => Facet::Category,
        "tag" => Facet::Tag,
        name => name.parse().map_or(Facet::Tag, Facet::Attribute),
    }
}

/// A place in a list as text, and which way it leads.
fn written(mark: &Mark, way: char) -> String {
    format!("{way}{}.{}", mark.number, BASE64_URL_SAFE_NO_PAD.encode(mark.key))
}

fn place(text: &str) -> Option<Wanted> {
    let way: fn(Mark) -> Wanted = if text.starts_with('+') { Wanted::After } else { Wanted::Before };
    let (number, key) = text.get(1..)?.split_once('.')?;
    let key = BASE64_URL_SAFE_NO_PAD.decode(key).ok()?.try_into().ok()?;
    Some(way(Mark { number: number.parse().ok()?, key }))
}
