//! The keys that access tokens are verified with.

use waybill_storage::signing_keys::SigningKey;

use crate::shop::Shop;

fn key(kid: &str) -> SigningKey {
    SigningKey { kid: kid.into(), x: "x".into() }
}

#[tokio::test]
async fn signing_keys_are_read_as_they_were_last_published() {
    let shop = Shop::open().await;
    assert_eq!(shop.table.shared_keys().await.unwrap().signing_keys, []);
    shop.table.publish_signing_keys(vec![key("old")]).await.unwrap();
    shop.table.publish_signing_keys(vec![key("new"), key("old")]).await.unwrap();
    assert_eq!(shop.table.shared_keys().await.unwrap().signing_keys, [key("new"), key("old")]);
    shop.table.warm_up().await.unwrap();
}

#[tokio::test]
async fn of_two_keys_for_cursors_the_first_counts_and_signing_keys_leave_it_alone() {
    let shop = Shop::open().await;
    assert_eq!(shop.table.shared_keys().await.unwrap().cursor_key, None);
    assert_eq!(shop.table.cursor_key("one").await.unwrap(), "one");
    assert_eq!(shop.table.cursor_key("two").await.unwrap(), "one");
    shop.table.publish_signing_keys(vec![key("new")]).await.unwrap();
    let keys = shop.table.shared_keys().await.unwrap();
    assert_eq!((keys.cursor_key.as_deref(), keys.signing_keys), (Some("one"), vec![key("new")]));
}
