//! The keys that access tokens are verified with.

use waybill_storage::signing_keys::SigningKey;

use crate::shop::Shop;

#[tokio::test]
async fn signing_keys_are_read_as_they_were_last_published() {
    let shop = Shop::open().await;
    assert_eq!(shop.table.signing_keys().await.unwrap(), []);
    let key = |kid: &str| SigningKey { kid: kid.into(), x: "c29tZSBrZXk".into() };
    shop.table.publish_signing_keys(vec![key("old")]).await.unwrap();
    shop.table.publish_signing_keys(vec![key("new"), key("old")]).await.unwrap();
    assert_eq!(shop.table.signing_keys().await.unwrap(), [key("new"), key("old")]);
    shop.table.warm_up().await.unwrap();
}
