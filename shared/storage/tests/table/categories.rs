//! The tree of categories.

use waybill_domain::category::{Category, MAX_TREE, Misplaced, Tree};
use waybill_domain::text::Slug;
use waybill_storage::categories::CategoryRefused;

use crate::shop::{STAFF, Shop, category, listing, offer, product, reasons};

async fn made(shop: &Shop, slug: &str, parent: Option<&Category>) -> Category {
    let category = Category { parent_id: parent.map(|parent| parent.id), ..category(slug) };
    shop.table.create_category(&category).await.unwrap();
    category
}

async fn tree(shop: &Shop) -> Tree {
    shop.table.categories(true).await.unwrap()
}

fn below(parent: &Category) -> impl Fn(Category) -> Category + use<> {
    let parent_id = Some(parent.id);
    move |category| Category { parent_id, ..category }
}

#[tokio::test]
async fn a_slug_is_taken_once_also_by_a_change_and_free_again_after_one() {
    let shop = Shop::open().await;
    let (tea, cups) = (made(&shop, "tea", None).await, made(&shop, "cups", None).await);
    assert_eq!(reasons(shop.table.create_category(&category("tea")).await), [CategoryRefused::SlugTaken]);
    let named = |slug: &str| {
        let slug: Slug = slug.parse().unwrap();
        move |category| Category { slug: slug.clone(), ..category }
    };
    let taken = shop.table.change_category(cups.id, 1, named("tea")).await;
    assert_eq!(reasons(taken), [CategoryRefused::SlugTaken]);
    assert_eq!(shop.table.change_category(tea.id, 1, named("teas")).await.unwrap().version, 2);
    shop.table.change_category(cups.id, 1, named("tea")).await.unwrap();
    let tree = tree(&shop).await;
    assert_eq!((tree.by_slug("teas").unwrap().id, tree.by_slug("tea").unwrap().id), (tea.id, cups.id));
    assert_eq!(tree.in_order().len(), 2);
}

#[tokio::test]
async fn a_change_is_for_the_version_that_was_read() {
    let shop = Shop::open().await;
    let tea = made(&shop, "tea", None).await;
    let moved = |category| Category { position: 7, ..category };
    assert_eq!(shop.table.change_category(tea.id, 1, moved).await.unwrap().position, 7);
    assert_eq!(reasons(shop.table.change_category(tea.id, 1, moved).await), [CategoryRefused::Changed]);
    assert_eq!(reasons(shop.table.change_category(category("x").id, 1, moved).await), [CategoryRefused::Unknown]);
}

#[tokio::test]
async fn categories_are_read_by_one_query_however_long_their_texts() {
    let shop = Shop::open().await;
    let described = |number| {
        let mut category = category(&format!("category-{number:02}"));
        category.description = "🍵".repeat(5000).parse().unwrap();
        category
    };
    let most = MAX_TREE / serde_json::to_vec(&described(0)).unwrap().len();
    for number in 0..most {
        shop.table.create_category(&described(number)).await.unwrap();
    }
    let refused = reasons(shop.table.create_category(&described(most)).await);
    assert_eq!(refused, [CategoryRefused::Misplaced(Misplaced::TooLarge)]);
    shop.wire.calls();
    assert_eq!(tree(&shop).await.in_order().len(), most);
    assert_eq!(shop.wire.calls(), ["Query"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_move_below_each_other_at_once_make_no_ring() {
    for _ in 0..10 {
        let shop = Shop::open().await;
        let (tea, cups) = (made(&shop, "tea", None).await, made(&shop, "cups", None).await);
        let (one, two) = tokio::join!(
            shop.table.change_category(tea.id, 1, below(&cups)),
            shop.table.change_category(cups.id, 1, below(&tea)),
        );
        let refused: Vec<_> = [one, two].into_iter().filter(Result::is_err).map(reasons).collect();
        assert_eq!(refused, [[CategoryRefused::Misplaced(Misplaced::BelowItself)]]);
        assert_eq!(tree(&shop).await.in_order().len(), 2, "all are still reached from the top");
    }
}

#[tokio::test]
async fn a_category_is_deleted_once_nothing_stands_in_it_or_below_it() {
    let shop = Shop::open().await;
    let tea = made(&shop, "tea", None).await;
    let green = made(&shop, "green-tea", Some(&tea)).await;
    let sencha = product(green.id, "sencha");
    let sencha = listing(&sencha, [offer(&sencha, "SENCHA", 900, 5)]);
    shop.table.create_product(&sencha, STAFF).await.unwrap();
    assert_eq!(reasons(shop.table.delete_category(tea.id).await), [CategoryRefused::HasChildren]);
    assert_eq!(reasons(shop.table.delete_category(green.id).await), [CategoryRefused::HasProducts]);
    shop.table.delete_product(&sencha).await.unwrap();
    shop.table.delete_category(green.id).await.unwrap();
    shop.table.delete_category(tea.id).await.unwrap();
    assert_eq!(reasons(shop.table.delete_category(tea.id).await), [CategoryRefused::Unknown]);
    made(&shop, "tea", None).await;
}
