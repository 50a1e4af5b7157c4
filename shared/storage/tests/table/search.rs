//! The index that products are found by: right after every change, whatever happened on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::product::{Offer, Price, Product, ProductState};
use waybill_domain::search;
use waybill_domain::text::Slug;
use waybill_storage::catalog::{Listing, Products};
use waybill_storage::search::{Facet, Facets, Filter, Found, Order, Search, Wanted};

use crate::shop::{STAFF, Shop, listing, number, offer, product, usd};

const WORDS: [&str; 8] = ["tea", "teapot", "green", "black", "cup", "crème", "über", "fine"];
const TAGS: [&str; 3] = ["new", "sale", "gift"];
const COLOURS: [&str; 4] = ["Red", "Dark red", "Blue", "White"];

/// A shop with categories that products are made in, and a source of choices that is the same in every run.
struct Store {
    shop: Shop,
    search: Search,
    categories: Vec<CategoryId>,
    listings: Vec<Listing>,
    seed: u64,
}

impl Store {
    async fn open(seed: u64) -> Store {
        let shop = Shop::open().await;
        let mut categories = Vec::new();
        for slug in ["one", "two", "three"] {
            let category = crate::shop::category(slug);
            shop.table.create_category(&category).await.unwrap();
            categories.push(category.id);
        }
        let search = Search::new(shop.table.clone(), Duration::ZERO);
        Store { shop, search, categories, listings: Vec::new(), seed }
    }

    /// A number below `below` (a linear congruential generator; Knuth's constants).
    fn any(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as usize % below
    }

    fn some<T: Clone>(&mut self, of: &[T]) -> Vec<T> {
        of.iter().filter(|_| self.any(2) == 0).cloned().collect()
    }

    /// Changes a product in every way that the index knows of.
    fn change(&mut self, product: &mut Product, offers: &mut [Offer]) {
        product.title = format!("{} {}", WORDS[self.any(8)], WORDS[self.any(8)]).parse().unwrap();
        product.description = self.some(&WORDS).join(", ").parse().unwrap();
        product.category_ids = self.some(&self.categories.clone());
        product.tags = self.some(&TAGS).iter().map(|tag| tag.parse().unwrap()).collect();
        let colours: Vec<_> = self.some(&COLOURS).iter().map(|colour| colour.parse().unwrap()).collect();
        product.attributes = BTreeMap::new();
        if !colours.is_empty() {
            product.attributes.insert("colour".parse().unwrap(), colours);
        }
        product.state = [ProductState::Active, ProductState::Active, ProductState::Draft][self.any(3)];
        for offer in &mut *offers {
            let amount = 100 * (1 + self.any(5) as i64);
            offer.prices = [(usd(0).currency, Price { amount, compare_at: None })].into();
        }
        product.lowest = product.lowest_of(&*offers);
    }

    async fn make(&mut self) {
        let mut new = product(self.categories[0], &format!("product-{}", number()));
        let stock = self.any(2) as u32;
        let mut offers = [offer(&new, &format!("SKU-{}", number()), 100, stock)];
        new = listing(&new, offers.clone()).product;
        self.change(&mut new, &mut offers);
        offers[0].active = new.state == ProductState::Active;
        let made = Listing { product: new, offers: offers.to_vec() };
        self.shop.table.create_product(&made, STAFF).await.unwrap();
        self.listings.push(made);
    }

    async fn change_one(&mut self) -> ProductId {
        let place = self.any(self.listings.len());
        let before = self.listings[place].clone();
        let mut after = before.clone();
        self.change(&mut after.product, &mut after.offers);
        after.product.version += 1;
        let active = after.product.state == ProductState::Active;
        after.offers.iter_mut().for_each(|offer| offer.active = active);
        self.shop.table.save_product(&before, &after, STAFF).await.unwrap();
        self.listings[place] = after;
        before.product.id
    }

    async fn delete_one(&mut self) -> ProductId {
        let place = self.any(self.listings.len());
        let gone = self.listings.remove(place);
        self.shop.table.delete_product(&gone).await.unwrap();
        gone.product.id
    }

    fn ids(&self) -> BTreeSet<ProductId> {
        self.listings.iter().map(|listing| listing.product.id).collect()
    }

    fn filter(&mut self) -> Filter {
        let names = |names: Vec<&str>| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let mut filter = Filter::default();
        if self.any(3) == 0 {
            filter.categories = Some(self.some(&self.categories.clone()).into_iter().collect());
        }
        if self.any(3) == 0 {
            filter.tags = self.some(&TAGS[..2]).iter().map(|tag| tag.parse().unwrap()).collect();
        }
        if self.any(3) == 0 {
            filter.attributes.insert("colour".parse().unwrap(), names(self.some(&COLOURS)));
        }
        filter.in_stock = self.any(3) == 0;
        if self.any(3) == 0 {
            let low = 100 * (1 + self.any(5) as i64);
            filter.price = Some((usd(0).currency, low..=low + 100));
        }
        if self.any(2) == 0 {
            filter.words =
                search::words(["te", "tea", "gre", "creme", "uber cup", "cup tea", "nothing"][self.any(7)]).collect();
        }
        filter
    }

    /// What the filter leaves, by looking at every product.
    fn looked_up(&self, filter: &Filter, but: Option<&Facet>) -> BTreeSet<ProductId> {
        let keeps = |facet: Facet| but != Some(&facet);
        let fits = |listing: &&Listing| {
            let Listing { product, offers } = listing;
            let text = format!("{} {} {}", product.title, product.description, offers[0].sku);
            let known: BTreeSet<String> = search::words(&text).collect();
            let has_word = |word: &String| {
                known
                    .iter()
                    .any(|known| known == word || (word.chars().count() >= 3 && known.starts_with(word.as_str())))
            };
            let colours = |wanted: &BTreeSet<String>| {
                product.attributes.values().flatten().any(|colour| wanted.contains(colour.as_str()))
            };
            product.state == ProductState::Active
                && (!keeps(Facet::Category)
                    || filter.categories.iter().all(|wanted| product.category_ids.iter().any(|id| wanted.contains(id))))
                && (!keeps(Facet::Tag) || filter.tags.is_subset(&product.tags))
                && (!keeps(Facet::Attribute("colour".parse().unwrap())) || filter.attributes.values().all(colours))
                && (!filter.in_stock || offers[0].available > 0)
                && filter.price.iter().all(|(currency, range)| range.contains(&product.lowest[currency]))
                && filter.words.iter().all(has_word)
        };
        self.listings.iter().filter(fits).map(|listing| listing.product.id).collect()
    }

    /// That searches find what looking at every product does.
    async fn assert_right(&mut self) {
        for _ in 0..12 {
            let filter = self.filter();
            let facets = [Facet::Category, Facet::Tag, Facet::Attribute("colour".parse().unwrap())];
            let found = self
                .search
                .find(&filter, Order::Newest, Facets { of: &facets, tree: None }, 100, &Wanted::First)
                .await
                .unwrap();
            let ids: BTreeSet<_> = found.items.iter().map(|item| item.id).collect();
            assert_eq!(ids, self.looked_up(&filter, None), "{filter:?}");
            assert_eq!((found.total, found.items.len()), (ids.len() as u64, ids.len()));
            for item in &found.items {
                let known = self.listings.iter().find(|listing| listing.product.id == item.id).unwrap();
                assert_eq!(*item, known.product.summary());
            }
            for (facet, counts) in facets.iter().zip(&found.counts) {
                assert_eq!(*counts, self.counted(&filter, facet), "{facet:?} {filter:?}");
            }
        }
    }

    fn counted(&self, filter: &Filter, facet: &Facet) -> Vec<(String, u64)> {
        let left = self.looked_up(filter, Some(facet));
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for listing in self.listings.iter().filter(|listing| left.contains(&listing.product.id)) {
            let Product { category_ids, tags, attributes, .. } = &listing.product;
            let values: Vec<String> = match facet {
                Facet::Category => category_ids.iter().map(ToString::to_string).collect(),
                Facet::Tag => tags.iter().map(ToString::to_string).collect(),
                Facet::Attribute(_) => attributes.values().flatten().map(ToString::to_string).collect(),
            };
            values.into_iter().for_each(|value| *counts.entry(value).or_default() += 1);
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(value, count)| (std::cmp::Reverse(*count), value.clone()));
        counts
    }

    async fn page(&self, order: Order, limit: usize, wanted: &Wanted) -> Found {
        self.search.find(&Filter::default(), order, Facets::default(), limit, wanted).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_find_what_looking_at_every_product_does_after_any_change() {
    let mut store = Store::open(1).await;
    for _ in 0..40 {
        store.make().await;
    }
    let ids = store.ids();
    store.shop.table.index_products(&ids).await.unwrap();
    store.assert_right().await;
    for _ in 0..12 {
        let mut changed = BTreeSet::new();
        for _ in 0..4 {
            changed.insert(store.change_one().await);
        }
        changed.insert(store.delete_one().await);
        store.shop.table.index_products(&changed).await.unwrap();
        store.assert_right().await;
    }
    // Once more of everything changes nothing, and writes nothing.
    store.shop.wire.calls();
    let ids = store.ids();
    assert_eq!(store.shop.table.index_products(&ids).await.unwrap(), 0);
    assert!(store.shop.wire.calls().iter().all(|call| call == "GetItem" || call == "Query"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_broke_off_after_any_call_is_right_when_it_is_done_again() {
    let mut store = Store::open(2).await;
    for _ in 0..6 {
        store.make().await;
    }
    let ids = store.ids();
    store.shop.table.index_products(&ids).await.unwrap();
    for calls in (0..120).step_by(3) {
        let mut changed = BTreeSet::from([store.change_one().await]);
        store.shop.wire.end_after(calls);
        let _ = store.shop.table.index_products(&changed).await;
        store.shop.wire.go_on();
        // Meanwhile it has changed once more.
        changed.insert(store.change_one().await);
        store.shop.table.index_products(&changed).await.unwrap();
        store.assert_right().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn products_that_are_indexed_at_once_are_all_found() {
    let mut store = Store::open(3).await;
    for _ in 0..24 {
        store.make().await;
    }
    let ids: Vec<_> = store.ids().into_iter().collect();
    let indexing: Vec<_> = ids
        .chunks(6)
        .map(|chunk| {
            let (table, chunk) = (store.shop.table.clone(), chunk.iter().copied().collect());
            tokio::spawn(async move { table.index_products(&chunk).await })
        })
        .collect();
    for done in indexing {
        done.await.unwrap().unwrap();
    }
    store.assert_right().await;
}

#[tokio::test]
async fn pages_of_every_order_lead_through_the_whole_list_and_back() {
    let mut store = Store::open(4).await;
    for _ in 0..23 {
        store.make().await;
    }
    let ids = store.ids();
    store.shop.table.index_products(&ids).await.unwrap();
    let currency = usd(0).currency;
    for order in [
        Order::Newest,
        Order::Price { currency, falling: false },
        Order::Price { currency, falling: true },
        Order::Price { currency: "EUR".parse().unwrap(), falling: false },
        Order::Name { falling: false },
        Order::Name { falling: true },
        Order::Popularity,
    ] {
        let all = store.page(order, 100, &Wanted::First).await;
        assert!(all.before.is_none() && all.after.is_none() && all.items.len() > 8);
        let (mut seen, mut pages, mut wanted) = (Vec::new(), Vec::new(), Wanted::First);
        loop {
            let page = store.page(order, 4, &wanted).await;
            assert_eq!((page.total, page.before.is_some()), (all.total, !seen.is_empty()));
            seen.extend(page.items.clone());
            let next = page.after;
            pages.push(page);
            match next {
                Some(mark) => wanted = Wanted::After(mark),
                None => break,
            }
        }
        assert_eq!(seen, all.items, "{order:?}");
        for place in (1..pages.len()).rev() {
            let back = store.page(order, 4, &Wanted::Before(pages[place].before.unwrap())).await;
            assert_eq!(back.items, pages[place - 1].items, "{order:?}");
            assert_eq!((back.before, back.after.is_some()), (pages[place - 1].before, true));
        }
        let prices: Vec<_> = all.items.iter().map(|item| item.lowest[&currency]).collect();
        match order {
            Order::Price { currency: asked, falling } if asked == currency => {
                assert!(if falling { prices.is_sorted_by(|a, b| a >= b) } else { prices.is_sorted() });
            }
            Order::Name { falling } => {
                let fold = |title: &str| search::words(title).collect::<Vec<_>>().join(" ");
                let names: Vec<_> = all.items.iter().map(|item| fold(item.title.as_str())).collect();
                assert!(if falling { names.is_sorted_by(|a, b| a >= b) } else { names.is_sorted() }, "{names:?}");
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn what_sells_best_comes_first() {
    let shop = Shop::open().await;
    let search = Search::new(shop.table.clone(), Duration::ZERO);
    let offers = [shop.sells("A", 100, 50).await, shop.sells("B", 100, 50).await, shop.sells("C", 100, 50).await];
    for (offer, orders) in offers.iter().zip([1, 9, 0]) {
        for _ in 0..orders {
            shop.placed(offer).await;
        }
    }
    let ids = offers.iter().map(|offer| offer.product_id).collect();
    shop.table.index_products(&ids).await.unwrap();
    let found =
        search.find(&Filter::default(), Order::Popularity, Facets::default(), 10, &Wanted::First).await.unwrap();
    let order: Vec<_> = found.items.iter().map(|item| item.id).collect();
    assert_eq!(order, [1, 0, 2].map(|place: usize| offers[place].product_id));
}

#[tokio::test]
async fn a_search_is_two_calls_in_a_row_and_one_while_the_sets_are_known() {
    let mut store = Store::open(5).await;
    for _ in 0..10 {
        store.make().await;
    }
    let ids = store.ids();
    store.shop.table.index_products(&ids).await.unwrap();
    let search = Search::new(store.shop.table.clone(), Duration::from_secs(60));
    let filter = Filter { in_stock: true, words: vec!["tea".into()], ..Filter::default() };
    let order = Order::Price { currency: usd(0).currency, falling: false };
    store.shop.wire.calls();
    let first =
        search.find(&filter, order, Facets { of: &[Facet::Tag], tree: None }, 20, &Wanted::First).await.unwrap();
    assert_eq!(store.shop.wire.calls(), ["Query", "Query", "Query", "Query", "Query", "BatchGetItem"]);
    let again =
        search.find(&filter, order, Facets { of: &[Facet::Tag], tree: None }, 20, &Wanted::First).await.unwrap();
    assert_eq!(store.shop.wire.calls(), ["BatchGetItem"]);
    assert_eq!(again.items, first.items);
    // What a list shows of a product stays small: twenty of them are two read units.
    store.shop.wire.bytes();
    let newest = store.shop.table.products(Products::Of(ProductState::Active), 20, None).await.unwrap();
    let bytes = store.shop.wire.bytes();
    assert!(bytes < 700 * newest.items.len() as u64, "{bytes} bytes, {} products", newest.items.len());
    let unknown = Filter { tags: [Slug::try_from("none".to_owned()).unwrap()].into(), ..Filter::default() };
    assert_eq!(search.find(&unknown, Order::Newest, Facets::default(), 20, &Wanted::First).await.unwrap().total, 0);
}
