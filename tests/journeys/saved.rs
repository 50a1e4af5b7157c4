//! Who a buyer is at Stripe: one customer, with whom their ways to pay are kept, and who goes when the account does.

use http::Method;
use serde_json::{Value, json};
use waybill_tests::{PASSWORD, Person, TestShop, eventually};

async fn order(buyer: &Person) -> String {
    buyer.order(&[("TEA", 1)]).await.text("/id")
}

/// Begins to pay an order on a page; the page's session at Stripe.
async fn page(shop: &TestShop, buyer: &Person, order: &str) -> Value {
    let started = buyer.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await;
    assert_eq!(started.status, 201, "{}", started.body);
    shop.at_stripe(Method::GET, &format!("checkout/sessions/{}", started.text("/id")), &[]).await.body
}

/// The customers at Stripe of an account; None while Stripe fails.
async fn search(shop: &TestShop, account: &str) -> Option<Vec<Value>> {
    let path = format!("customers/search?query=metadata['account_id']:'{account}'");
    shop.at_stripe(Method::GET, &path, &[]).await.body["data"].as_array().cloned()
}

async fn customers(shop: &TestShop, account: &str) -> Vec<Value> {
    search(shop, account).await.expect("an answer of Stripe's")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_is_one_customer_on_every_page_and_intent() {
    let shop = TestShop::open().await;
    shop.product("TEA", 1350, 10).await;
    let (buyer, other) = (shop.customer().await, shop.customer().await);
    let orders = [order(&buyer).await, order(&buyer).await, order(&buyer).await];
    // What Stripe answers first is lost; then two begin at once.
    shop.stripe("faults", json!({ "lose_reply_next": 1 })).await;
    let lost = buyer.post(&format!("/v1/orders/{}/payment-sessions", orders[0]), json!({})).await;
    lost.assert_problem(503, "unavailable");
    let first = tokio::join!(page(&shop, &buyer, &orders[0]), page(&shop, &buyer, &orders[1]));
    let customer = first.0["customer"].clone();
    assert!(customer.is_string() && first.1["customer"] == customer, "{first:?}");
    assert_eq!(first.0["customer_details"]["email"], buyer.email);

    let path = format!("/v1/orders/{}/payment-intents", orders[2]);
    let intent = buyer.post(&path, json!({})).await;
    assert!(intent.text("/customer_session_client_secret").starts_with("cuss_secret_"), "{}", intent.body);
    let again = buyer.post(&path, json!({})).await;
    assert_eq!((again.status, again.text("/id")), (200, intent.text("/id")));
    let read = shop.at_stripe(Method::GET, &format!("payment_intents/{}", intent.text("/id")), &[]).await;
    assert_eq!(read.body["customer"], customer);

    let account = buyer.get("/v1/account").await.text("/id");
    let known = customers(&shop, &account).await;
    assert_eq!((known.len(), &known[0]["id"], &known[0]["email"]), (1, &customer, &json!(buyer.email)));
    let export = buyer.get("/v1/account/export").await;
    assert_eq!(export.body["payment_customer"], customer);

    let theirs = page(&shop, &other, &order(&other).await).await;
    assert!(theirs["customer"].is_string() && theirs["customer"] != customer, "{theirs}");
    assert_eq!(theirs["saved_payment_method_options"]["payment_method_save"], "enabled");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_could_not_be_made_or_was_deleted_is_made_again() {
    let shop = TestShop::open().await;
    shop.product("TEA", 1350, 10).await;
    let buyer = shop.customer().await;
    shop.stripe("faults", json!({ "fail_next": 2 })).await;
    let id = order(&buyer).await;
    let failed = buyer.post(&format!("/v1/orders/{id}/payment-sessions"), json!({})).await;
    failed.assert_problem(503, "unavailable");
    let first = page(&shop, &buyer, &id).await["customer"].as_str().unwrap().to_owned();
    // As somebody deletes it in Stripe's dashboard.
    assert_eq!(shop.at_stripe(Method::DELETE, &format!("customers/{first}"), &[]).await.status, 200);
    let id = order(&buyer).await;
    let session = page(&shop, &buyer, &id).await;
    let second = session["customer"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    let next = page(&shop, &buyer, &order(&buyer).await).await;
    assert_eq!(next["customer"], second, "it is kept");
    assert_eq!(shop.stripe(&format!("sessions/{}/pay", session["id"].as_str().unwrap()), json!({})).await.status, 200);
    let paid = async || (buyer.get(&format!("/v1/orders/{id}")).await.text("/payment_status") == "paid").then_some(());
    eventually("an order that is paid", paid).await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_is_forgotten_at_stripe_too() {
    let shop = TestShop::open().await;
    shop.product("TEA", 1350, 10).await;
    let (buyer, other) = (shop.customer().await, shop.customer().await);
    let id = order(&buyer).await;
    let session = page(&shop, &buyer, &id).await;
    let kept = page(&shop, &other, &order(&other).await).await["customer"].clone();
    let account = buyer.get("/v1/account").await.text("/id");
    // What a crash has left: a customer that the account does not know.
    let name = [("metadata[account_id]", account.as_str())];
    assert_eq!(shop.at_stripe(Method::POST, "customers", &name).await.status, 200);
    assert_eq!(customers(&shop, &account).await.len(), 2);
    assert_eq!(
        shop.stripe(&format!("sessions/{}/expire", session["id"].as_str().unwrap()), json!({})).await.status,
        200
    );
    let closed = async || {
        let shown = buyer.get(&format!("/v1/orders/{id}")).await.body["timeline"].to_string();
        shown.contains("order.payment_expired").then_some(())
    };
    eventually("an order whose page has closed", closed).await;
    let left = buyer.post_owned("/v1/account/deletion", json!({ "password": PASSWORD })).await;
    assert_eq!(left.status, 204, "{}", left.body);
    let is_forgotten = async || search(&shop, &account).await?.is_empty().then_some(());
    eventually("an account that is forgotten", is_forgotten).await;
    let gone = shop.at_stripe(Method::GET, &format!("customers/{}", session["customer"].as_str().unwrap()), &[]).await;
    assert_eq!(gone.body["deleted"], true);
    let other = shop.at_stripe(Method::GET, &format!("customers/{}", kept.as_str().unwrap()), &[]).await;
    assert!(other.body["email"].is_string(), "{}", other.body);
    shop.stop().await;
}
