//! Products and offers, and what stands in the way of a change.

use waybill_domain::product::{MAX_SKUS, Offer, Product, ProductState};
use waybill_storage::carts::NewCart;
use waybill_storage::catalog::{Listing, ProductRefused, Products};

use crate::shop::{STAFF, Shop, category, customer, fresh_cart, line, listing, offer, product, reasons, usd};

async fn made(shop: &Shop, slug: &str, skus: &[&str]) -> Listing {
    let category = category(&format!("for-{slug}"));
    shop.table.create_category(&category).await.unwrap();
    let product = product(category.id, slug);
    let made = listing(&product, skus.iter().map(|sku| offer(&product, sku, 450, 5)));
    shop.table.create_product(&made, STAFF).await.unwrap();
    made
}

async fn present(shop: &Shop, of: &Listing) -> Option<Listing> {
    shop.table.product(of.product.id, true).await.unwrap()
}

/// One version on.
fn changed(before: &Listing, change: impl FnOnce(&mut Product)) -> Listing {
    let mut after = before.clone();
    after.product.version += 1;
    change(&mut after.product);
    after
}

#[tokio::test]
async fn a_product_is_read_with_its_offers_by_id_and_by_slug() {
    let shop = Shop::open().await;
    let skus: Vec<_> = (0..MAX_SKUS).map(|number| format!("TEA.{number:02}")).collect();
    let made = made(&shop, "earl-grey", &skus.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let product = &made.product;
    assert_eq!(present(&shop, &made).await, Some(made.clone()));
    assert_eq!(shop.table.product_by_slug(&product.slug).await.unwrap(), Some(product.id));
    assert_eq!(shop.table.product_by_slug(&"nothing".parse().unwrap()).await.unwrap(), None);
    assert_eq!(shop.table.owner_of(&made.offers[3].sku).await.unwrap(), Some(product.id));
    let unknown = offer(product, "UNKNOWN", 1, 1);
    assert_eq!(shop.table.owner_of(&unknown.sku).await.unwrap(), None);
    let wanted = [&made.offers[0], &unknown].map(|offer| (offer.sku.clone(), product.id));
    let found = [(made.offers[0].sku.clone(), made.offers[0].clone())].into();
    assert_eq!(shop.table.offers(&wanted).await.unwrap(), found);
    assert_eq!(shop.table.offers(&[]).await.unwrap(), [].into());
}

#[tokio::test]
async fn a_product_slug_is_taken_once() {
    let shop = Shop::open().await;
    let first = made(&shop, "earl-grey", &["A"]).await;
    let second = product(first.product.category_ids[0], "earl-grey");
    let second = listing(&second, [offer(&second, "B", 1, 1)]);
    assert_eq!(reasons(shop.table.create_product(&second, STAFF).await), [ProductRefused::SlugTaken]);
    assert_eq!(present(&shop, &second).await, None);
    assert_eq!(shop.table.owner_of(&"B".parse().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_sku_belongs_to_one_product() {
    let shop = Shop::open().await;
    let taken = shop.sells("TAKEN", 450, 5).await;
    let product = product(taken.category_ids[0], "earl-grey");
    let both = listing(&product, ["FREE", "TAKEN"].map(|sku| offer(&product, sku, 1, 1)));
    let refused = [ProductRefused::SkuTaken(taken.sku.clone())];
    assert_eq!(reasons(shop.table.create_product(&both, STAFF).await), refused);
    assert_eq!(present(&shop, &both).await, None);
    assert_eq!(shop.table.owner_of(&"FREE".parse().unwrap()).await.unwrap(), None);
    // Nor is it taken by a product that gets it later.
    let one = listing(&product, [offer(&product, "FREE", 1, 1)]);
    shop.table.create_product(&one, STAFF).await.unwrap();
    assert_eq!(reasons(shop.table.save_product(&one, &both, STAFF).await), refused);
    assert_eq!(shop.table.owner_of(&taken.sku).await.unwrap(), Some(taken.product_id));
    assert_eq!(shop.offer(&taken).await, taken);
}

#[tokio::test]
async fn a_product_stands_in_categories_that_exist() {
    let shop = Shop::open().await;
    let never_made = category("never-made");
    let product = product(never_made.id, "earl-grey");
    let wanted = listing(&product, [offer(&product, "A", 1, 1)]);
    let refused = [ProductRefused::UnknownCategory(never_made.id)];
    assert_eq!(reasons(shop.table.create_product(&wanted, STAFF).await), refused);
    assert_eq!(present(&shop, &wanted).await, None);
    let before = made(&shop, "assam", &["B"]).await;
    let after = changed(&before, |product| product.category_ids.push(never_made.id));
    assert_eq!(reasons(shop.table.save_product(&before, &after, STAFF).await), refused);
    assert_eq!(present(&shop, &before).await, Some(before));
}

#[tokio::test]
async fn all_that_stands_in_the_way_of_a_product_is_told_at_once() {
    let shop = Shop::open().await;
    made(&shop, "earl-grey", &["A", "B"]).await;
    let never_made = category("never-made");
    let product = product(never_made.id, "earl-grey");
    let wanted = listing(&product, ["A", "B"].map(|sku| offer(&product, sku, 1, 1)));
    let [a, b] = ["A", "B"].map(|sku| ProductRefused::SkuTaken(sku.parse().unwrap()));
    let expected = [ProductRefused::SlugTaken, ProductRefused::UnknownCategory(never_made.id), a, b];
    assert_eq!(reasons(shop.table.create_product(&wanted, STAFF).await), expected);
}

#[tokio::test]
async fn a_change_is_kept_on_the_version_that_was_read_and_leaves_the_stock_to_orders() {
    let shop = Shop::open().await;
    let before = made(&shop, "earl-grey", &["A", "B"]).await;
    let mut after = changed(&before, |product| {
        product.slug = "earl-grey-blue".parse().unwrap();
        product.tags.insert("new".parse().unwrap());
    });
    after.offers[0].prices.values_mut().for_each(|price| price.amount = 500);
    after.offers.push(Offer { sku: "C".parse().unwrap(), ..before.offers[0].clone() });
    // An order takes a unit in between.
    shop.placed(&before.offers[0]).await;
    shop.table.save_product(&before, &after, STAFF).await.unwrap();
    let mut expected = after.clone();
    (expected.offers[0].available, expected.offers[0].ordered) = (4, 1);
    assert_eq!(present(&shop, &before).await, Some(expected));
    assert_eq!(shop.table.product_by_slug(&before.product.slug).await.unwrap(), None);
    assert_eq!(shop.table.product_by_slug(&after.product.slug).await.unwrap(), Some(after.product.id));
    let late = changed(&before, |product| product.tags.clear());
    assert_eq!(reasons(shop.table.save_product(&before, &late, STAFF).await), [ProductRefused::Changed]);
}

#[tokio::test]
async fn a_change_of_the_product_alone_is_kept_although_the_reply_was_lost() {
    let shop = Shop::open().await;
    let before = made(&shop, "earl-grey", &["A"]).await;
    let after = changed(&before, |product| product.title = "Lady Grey".parse().unwrap());
    shop.wire.lose_next_reply();
    shop.table.save_product(&before, &after, STAFF).await.unwrap();
    assert_eq!(present(&shop, &before).await, Some(after));
}

#[tokio::test]
async fn lists_show_products_by_their_state() {
    let shop = Shop::open().await;
    let before = made(&shop, "earl-grey", &["A"]).await;
    let category = before.product.category_ids[0];
    let listed = async |of: Products| shop.table.products(of, 20, None).await.unwrap().items.len();
    let counts = async || {
        let states = ProductState::ALL.map(Products::Of);
        (
            listed(states[0]).await,
            listed(states[1]).await,
            listed(states[2]).await,
            listed(Products::In(category)).await,
        )
    };
    assert_eq!(counts().await, (0, 1, 0, 1));
    let archived = changed(&before, |product| product.state = ProductState::Archived);
    shop.table.save_product(&before, &archived, STAFF).await.unwrap();
    assert_eq!(counts().await, (0, 0, 1, 0));
    let draft = changed(&archived, |product| product.state = ProductState::Draft);
    shop.table.save_product(&archived, &draft, STAFF).await.unwrap();
    assert_eq!(counts().await, (1, 0, 0, 0));
}

#[tokio::test]
async fn a_product_is_deleted_while_nobody_has_ordered_it_and_its_names_are_free_then() {
    let shop = Shop::open().await;
    let unsold = made(&shop, "earl-grey", &["A", "B"]).await;
    let outdated = changed(&unsold, |_| {});
    assert_eq!(reasons(shop.table.delete_product(&outdated).await), [ProductRefused::Changed]);
    shop.table.delete_product(&unsold).await.unwrap();
    assert_eq!(present(&shop, &unsold).await, None);
    let sold = product(unsold.product.category_ids[0], "earl-grey");
    let sold = listing(&sold, ["A", "B"].map(|sku| offer(&sold, sku, 450, 5)));
    shop.table.create_product(&sold, STAFF).await.unwrap();
    shop.placed(&sold.offers[1]).await;
    assert_eq!(reasons(shop.table.delete_product(&sold).await), [ProductRefused::Sold]);
    assert_eq!(present(&shop, &sold).await.unwrap().product, sold.product);
}

#[tokio::test]
async fn what_is_not_sold_in_a_currency_has_no_price_in_a_cart_of_it() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let euro = "EUR".parse().unwrap();
    assert_eq!((tea.price_in(usd(0).currency), tea.price_in(euro)), (Some(usd(450)), None));
    let cart = shop
        .table
        .set_cart_line(customer(), &tea.sku, line(&tea, 1), NewCart { currency: euro, ..fresh_cart() })
        .await
        .unwrap();
    let priced = waybill_domain::cart::price(&cart, &[(tea.sku.clone(), tea)].into()).unwrap();
    assert_eq!((priced.lines.len(), priced.lines[0].standing.priced()), (1, None));
}
