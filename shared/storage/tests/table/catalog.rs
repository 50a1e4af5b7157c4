//! Categories, products, offers and their refusals.

use waybill_domain::product::MAX_SKUS;
use waybill_storage::catalog::{Taken, UnknownSku};

use crate::shop::{Shop, category, offer, product, reasons, usd};

#[tokio::test]
async fn a_category_slug_is_taken_once() {
    let shop = Shop::open().await;
    let (first, second) = (category("tea"), category("tea"));
    shop.table.create_category(&first).await.unwrap();
    assert_eq!(reasons(shop.table.create_category(&second).await), [Taken::Slug]);
    assert_eq!(shop.table.categories().await.unwrap(), [first]);
    // The refused category left nothing behind that a product could stand in.
    let product = product(second.id, "earl-grey");
    assert_eq!(reasons(shop.table.create_product(&product, &[]).await), [Taken::UnknownCategory]);
}

#[tokio::test]
async fn categories_are_listed_by_slug() {
    let shop = Shop::open().await;
    let [tea, cups, books] = ["tea", "cups", "books"].map(category);
    for category in [&tea, &cups, &books] {
        shop.table.create_category(category).await.unwrap();
    }
    assert_eq!(shop.table.categories().await.unwrap(), [books, cups, tea]);
}

#[tokio::test]
async fn categories_are_all_listed_also_where_they_are_more_than_one_answer_holds() {
    let shop = Shop::open().await;
    for number in 0..60 {
        let mut category = category(&format!("category-{number:02}"));
        category.description = "🍵".repeat(5000).parse().unwrap();
        shop.table.create_category(&category).await.unwrap();
    }
    assert_eq!(shop.table.categories().await.unwrap().len(), 60);
}

#[tokio::test]
async fn a_product_is_read_with_its_offers() {
    let shop = Shop::open().await;
    let tea = category("tea");
    shop.table.create_category(&tea).await.unwrap();
    let product = product(tea.id, "earl-grey");
    let offers: Vec<_> =
        (0..MAX_SKUS).map(|number| offer(&product, &format!("TEA.{number:02}"), 450 + number as i64, 7)).collect();
    shop.table.create_product(&product, &offers).await.unwrap();
    assert_eq!(shop.table.product(product.id).await.unwrap(), Some((product.clone(), offers.clone())));
    assert_eq!(shop.table.owner_of(&offers[3].sku).await.unwrap(), Some(product.id));
    let unknown = offer(&product, "UNKNOWN", 1, 1);
    assert_eq!(shop.table.owner_of(&unknown.sku).await.unwrap(), None);
    let wanted = [&offers[0], &unknown].map(|offer| (offer.sku.clone(), product.id));
    assert_eq!(shop.table.offers(&wanted).await.unwrap(), [(offers[0].sku.clone(), offers[0].clone())].into());
    assert_eq!(shop.table.offers(&[]).await.unwrap(), [].into());
}

#[tokio::test]
async fn a_product_that_was_never_made_is_unknown() {
    let shop = Shop::open().await;
    assert_eq!(shop.table.product(product(category("tea").id, "earl-grey").id).await.unwrap(), None);
}

#[tokio::test]
async fn a_product_slug_is_taken_once() {
    let shop = Shop::open().await;
    let tea = category("tea");
    shop.table.create_category(&tea).await.unwrap();
    let (first, second) = (product(tea.id, "earl-grey"), product(tea.id, "earl-grey"));
    shop.table.create_product(&first, &[offer(&first, "A", 1, 1)]).await.unwrap();
    let refused = shop.table.create_product(&second, &[offer(&second, "B", 1, 1)]).await;
    assert_eq!(reasons(refused), [Taken::Slug]);
    assert_eq!(shop.table.product(second.id).await.unwrap(), None);
    assert_eq!(shop.table.owner_of(&"B".parse().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_sku_belongs_to_one_product() {
    let shop = Shop::open().await;
    let taken = shop.sells("TAKEN", 450, 5).await;
    let tea = category("tea");
    shop.table.create_category(&tea).await.unwrap();
    let product = product(tea.id, "earl-grey");
    let offers = ["FREE", "TAKEN"].map(|sku| offer(&product, sku, 1, 1));
    assert_eq!(reasons(shop.table.create_product(&product, &offers).await), [Taken::Sku(taken.sku.clone())]);
    assert_eq!(shop.table.product(product.id).await.unwrap(), None);
    assert_eq!(shop.table.owner_of(&"FREE".parse().unwrap()).await.unwrap(), None);
    assert_eq!(shop.table.owner_of(&taken.sku).await.unwrap(), Some(taken.product_id));
    assert_eq!(shop.offer(&taken).await, taken);
}

#[tokio::test]
async fn a_product_stands_in_a_category_that_exists() {
    let shop = Shop::open().await;
    let product = product(category("never-made").id, "earl-grey");
    let refused = shop.table.create_product(&product, &[offer(&product, "A", 1, 1)]).await;
    assert_eq!(reasons(refused), [Taken::UnknownCategory]);
    assert_eq!(shop.table.product(product.id).await.unwrap(), None);
}

#[tokio::test]
async fn all_that_stands_in_the_way_of_a_product_is_told_at_once() {
    let shop = Shop::open().await;
    let tea = category("tea");
    shop.table.create_category(&tea).await.unwrap();
    let first = product(tea.id, "earl-grey");
    let offers = ["A", "B"].map(|sku| offer(&first, sku, 1, 1));
    shop.table.create_product(&first, &offers).await.unwrap();
    let second = product(category("never-made").id, "earl-grey");
    let offers = ["A", "B"].map(|sku| offer(&second, sku, 1, 1));
    let [a, b] = offers.each_ref().map(|offer| Taken::Sku(offer.sku.clone()));
    let refused = shop.table.create_product(&second, &offers).await;
    assert_eq!(reasons(refused), [Taken::Slug, Taken::UnknownCategory, a, b]);
}

#[tokio::test]
async fn a_price_and_whether_a_sku_is_for_sale_change_by_themselves() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    shop.table.change_offer(tea.product_id, &tea.sku, None, None).await.unwrap();
    assert_eq!(shop.offer(&tea).await, tea);
    shop.table.change_offer(tea.product_id, &tea.sku, Some(usd(500)), None).await.unwrap();
    shop.table.change_offer(tea.product_id, &tea.sku, None, Some(false)).await.unwrap();
    let mut changed = tea.clone();
    (changed.price, changed.active) = (usd(500), false);
    assert_eq!(shop.offer(&tea).await, changed);
}

#[tokio::test]
async fn an_unknown_sku_is_not_made_by_changing_it() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let unknown = "UNKNOWN".parse().unwrap();
    let refused = shop.table.change_offer(tea.product_id, &unknown, Some(usd(1)), Some(true)).await;
    assert_eq!(reasons(refused), [UnknownSku]);
    assert_eq!(shop.table.product(tea.product_id).await.unwrap().unwrap().1, [tea]);
}
