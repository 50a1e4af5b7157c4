//! What is stored survives the shop.

use std::path::Path;

use serde_json::json;
use waybill_local::{Folder, Store};
use waybill_tests::{TestShop, eventually};

async fn open(folder: &Path) -> TestShop {
    TestShop::open_with(|options| options.store = Store::Folder(Folder::open(folder, false).unwrap())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_goes_on_where_it_stopped() {
    let folder = std::env::temp_dir().join(format!("waybill-restart-{}", waybill_tests::key()));
    let shop = open(&folder).await;
    let product = shop.product("TEA", 450, 10).await.text("/id");
    let (customer, order, session) = shop.order_to_pay("TEA").await;
    let (token, email) = (customer.token().to_owned(), customer.email.clone());
    shop.stop().await;

    let shop = open(&folder).await;
    let customer = shop.anyone().with_token(&token);
    assert_eq!(customer.get(&format!("/v1/orders/{order}")).await.text("/payment_status"), "pending");
    assert_eq!(shop.available(&product, "TEA").await, 9);
    // The page that was open before is still the order's.
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    eventually("the payment", async || {
        let order = customer.get(&format!("/v1/orders/{order}")).await;
        (order.text("/payment_status") == "paid").then_some(())
    })
    .await;
    // Stopped at once: what was announced but not yet mailed is mailed after the next start, once.
    shop.stop().await;
    let shop = open(&folder).await;
    eventually("the mail", async || shop.order_mails_to(&email).await.pop()).await;
    assert_eq!(shop.order_mails_to(&email).await.len(), 1);
    shop.stop().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn shops_side_by_side_know_nothing_of_each_other() {
    let (one, other) = tokio::join!(TestShop::open(), TestShop::open());
    one.product("TEA", 450, 10).await;
    assert_eq!(one.anyone().get("/v1/products").await.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(other.anyone().get("/v1/products").await.body["items"].as_array().unwrap().len(), 0);
    one.stop().await;
    other.stop().await;
}
