//! What lists and searches cost in a small and in a large shop: `cargo bench -p waybill-storage --bench lists`. Other sizes
//! than 1,000 and 100,000 products: `cargo bench -p waybill-storage --bench lists -- 1000 20000`. Making 100,000 takes some
//! minutes.
//!
//! The engine is the embedded one, which takes longer over a key the more it holds, where DynamoDB does not. So what counts are
//! the calls, the bytes, and the last column: how much more a list has grown than reading one product has.

#![allow(dead_code)] // The shop of the tests can do more than is asked of it here.

mod measure;
#[path = "../tests/table/shop.rs"]
mod shop;
#[path = "../tests/table/wire.rs"]
mod wire;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use waybill_domain::category::Tree;
use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::money::Currency;
use waybill_domain::product::{Price, ProductState};
use waybill_domain::search::words;
use waybill_storage::catalog::{Listing, Products};
use waybill_storage::search::{Facet, Facets, Filter, Order, Search, Wanted};

use measure::{Cost, cost};
use shop::{STAFF, Shop, category, listing, offer, product, usd};

const CATEGORIES: usize = 40;
const VOCABULARY: usize = 3_000;
/// Products that are indexed together.
const TOGETHER: usize = 5_000;
const PAGE: usize = 20;
const ONE: &str = "a product";

#[tokio::main]
async fn main() {
    let sizes = measure::sizes(&[1_000, 100_000]);
    let mut columns = Vec::new();
    for size in &sizes {
        columns.push(measured(*size).await);
    }
    measure::show(&sizes, &columns, Some(ONE));
}

async fn measured(size: usize) -> Vec<(&'static str, Cost)> {
    let (shop, categories) = filled(size).await;
    let currency: Currency = usd(0).currency;
    let (warm, cold) = (Duration::from_secs(3_600), Duration::ZERO);
    let tree = Tree::default();
    let in_category = Filter { categories: Some([categories[3], categories[4]].into()), ..Filter::default() };
    let by_words = Filter { words: words("word12 word7").collect(), ..Filter::default() };
    let several = Filter {
        in_stock: true,
        price: Some((currency, 2_000..=8_000)),
        attributes: [("colour".parse().unwrap(), (0..6).map(|number| format!("Colour {number}")).collect())].into(),
        categories: Some(categories.iter().step_by(2).copied().collect()),
        ..Filter::default()
    };
    let facets = [Facet::Category, Facet::Attribute("colour".parse().unwrap())];
    let price = Order::Price { currency, falling: false };
    let none: &[Facet] = &[];
    let mut costs = Vec::new();
    let newest = async || {
        let page = shop.table.products(Products::Of(ProductState::Active), PAGE as u8, None).await.unwrap();
        assert_eq!(page.items.len(), PAGE);
    };
    costs.push(("the newest", cost(&shop, newest).await));
    let mut middle = None;
    for _ in 0..(size / 100 / 2) {
        middle = shop.table.products(Products::Of(ProductState::Active), 100, middle).await.unwrap().next;
    }
    let from_the_middle = async || {
        shop.table.products(Products::Of(ProductState::Active), PAGE as u8, middle.clone()).await.unwrap();
    };
    costs.push(("the newest, from the middle", cost(&shop, from_the_middle).await));
    let one = shop.table.products(Products::Of(ProductState::Active), 1, None).await.unwrap().items[0].id;
    costs.push((ONE, cost(&shop, async || drop(shop.table.product(one, false).await.unwrap())).await));
    for (name, filter, order, facets, lifetime) in [
        ("a category", &in_category, Order::Newest, none, warm),
        ("a category, sets not known", &in_category, Order::Newest, none, cold),
        ("a category by price", &in_category, price, none, warm),
        ("a category by price, not known", &in_category, price, none, cold),
        ("all by price", &Filter::default(), price, none, warm),
        ("two words", &by_words, Order::Newest, none, warm),
        ("two words, not known", &by_words, Order::Newest, none, cold),
        ("four filters, counted, by price", &several, price, &facets[..], warm),
    ] {
        let search = Search::new(shop.table.clone(), lifetime);
        let counted = Facets { of: facets, tree: Some(&tree) };
        search.find(filter, order, counted, PAGE, &Wanted::First).await.unwrap();
        let find = async || drop(search.find(filter, order, counted, PAGE, &Wanted::First).await.unwrap());
        costs.push((name, cost(&shop, find).await));
    }
    costs
}

/// A shop with so many products, the same in every run.
async fn filled(size: usize) -> (Shop, Vec<CategoryId>) {
    let shop = Shop::open_without_stream().await;
    let mut categories = Vec::new();
    for number in 0..CATEGORIES {
        let category = category(&format!("category-{number}"));
        shop.table.create_category(&category).await.unwrap();
        categories.push(category.id);
    }
    let mut any = measure::numbers();
    let begin = Instant::now();
    let mut waiting: BTreeSet<ProductId> = BTreeSet::new();
    for number in 0..size {
        let listing = generated(number, &categories, &mut any);
        shop.table.create_product(&listing, STAFF).await.unwrap();
        waiting.insert(listing.product.id);
        if waiting.len() == TOGETHER || number + 1 == size {
            shop.table.index_products(&std::mem::take(&mut waiting)).await.unwrap();
            measure::progress("products", number + 1, size, begin);
        }
    }
    (shop, categories)
}

fn generated(number: usize, categories: &[CategoryId], any: &mut impl FnMut(usize) -> usize) -> Listing {
    // Some words are much more frequent than others.
    let mut word = || {
        let most = 1 + any(VOCABULARY);
        format!("word{}", any(most))
    };
    let title: Vec<_> = (0..3).map(|_| word()).collect();
    let description: Vec<_> = (0..15).map(|_| word()).collect();
    let mut product = product(categories[any(CATEGORIES)], &format!("product-{number}"));
    product.title = title.join(" ").parse().unwrap();
    product.description = description.join(" ").parse().unwrap();
    product.attributes.insert("colour".parse().unwrap(), vec![format!("Colour {}", any(12)).parse().unwrap()]);
    product.attributes.insert("material".parse().unwrap(), vec![format!("Material {}", any(30)).parse().unwrap()]);
    product.tags.insert(format!("tag-{}", any(50)).parse().unwrap());
    let mut offer = offer(&product, &format!("SKU-{number}"), 0, if any(10) == 0 { 0 } else { 20 });
    offer.prices = [(usd(0).currency, Price { amount: 100 + any(10_000) as i64, compare_at: None })].into();
    listing(&product, [offer])
}
