//! Goods that come back: asked for by the buyer, approved or refused by staff, received, restocked or not, and paid for.

use serde_json::{Value, json};
use waybill_tests::{Answer, Person, TestShop, eventually, key};

/// A shop with ten units, of which three were ordered, paid and delivered.
async fn delivered() -> (TestShop, Person, String) {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let (staff, buyer) = (shop.administrator().await, shop.customer().await);
    let order = buyer.order(&[("TEA", 3)]).await.text("/id");
    let (own, admin) = (format!("/v1/orders/{order}"), format!("/v1/admin/orders/{order}"));
    ask(&buyer, &order, &key(), 1).await.assert_problem(409, "order-state");
    let session = buyer.post(&format!("{own}/payment-sessions"), json!({})).await.text("/id");
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    eventually("the payment", async || (buyer.get(&own).await.text("/payment_status") == "paid").then_some(())).await;
    for (step, body) in
        [("process", json!({})), ("ship", json!({ "carrier": "UPS", "tracking_number": "1Z" })), ("deliver", json!({}))]
    {
        assert_eq!(staff.post(&format!("{admin}/{step}"), body).await.status, 200);
    }
    eventually("the sale", async || (stock(&shop).await == (7, 7)).then_some(())).await;
    (shop, buyer, order)
}

async fn ask(buyer: &Person, order: &str, key: &str, units: i64) -> Answer {
    let body = json!({ "lines": [{ "sku": "TEA", "quantity": units }], "reason": "Too small" });
    buyer.post_once(&format!("/v1/orders/{order}/returns"), key, body).await
}

async fn decide(shop: &TestShop, order: &str, number: u32, what: &str, body: Value) -> Answer {
    let path = format!("/v1/admin/orders/{order}/returns/{number}/{what}");
    shop.administrator().await.post(&path, body).await
}

fn received(units: i64, restocked: bool) -> Value {
    json!({ "lines": [{ "sku": "TEA", "quantity": units, "condition": "as_new", "restocked": restocked }] })
}

/// On hand, and available.
async fn stock(shop: &TestShop) -> (i64, i64) {
    let shown = shop.administrator().await.get("/v1/admin/skus/TEA/stock").await.body;
    (shown["on_hand"].as_i64().unwrap(), shown["available"].as_i64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_restocked_can_be_sold_again_once_and_the_rest_cannot() {
    let (shop, buyer, order) = delivered().await;
    let (first, second) = (key(), key());
    let asked = ask(&buyer, &order, &first, 2).await;
    assert_eq!((asked.status, asked.text("/returns/0/status")), (201, "requested".into()));
    let again = ask(&buyer, &order, &first, 2).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    ask(&buyer, &order, &first, 1).await.assert_problem(422, "invalid");
    ask(&buyer, &order, &second, 2).await.assert_problem(409, "too-many-units");
    ask(&shop.customer().await, &order, &key(), 1).await.assert_problem(404, "not-found");

    assert_eq!(decide(&shop, &order, 1, "approve", json!({})).await.text("/returns/0/status"), "approved");
    assert_eq!(decide(&shop, &order, 1, "approve", json!({})).await.status, 200);
    decide(&shop, &order, 1, "refuse", json!({ "reason": "Worn" })).await.assert_problem(409, "order-state");
    decide(&shop, &order, 2, "approve", json!({})).await.assert_problem(404, "not-found");
    decide(&shop, &order, 1, "receive", received(3, true)).await.assert_problem(409, "too-many-units");
    let nowhere = json!({ "lines": received(1, true)["lines"], "location_id": "loc_00000000000000000000000001" });
    decide(&shop, &order, 1, "receive", nowhere).await.assert_problem(422, "invalid");
    let two_conditions = json!({ "lines": [
        { "sku": "TEA", "quantity": 1, "condition": "as_new", "restocked": true },
        { "sku": "TEA", "quantity": 1, "condition": "damaged", "restocked": false },
    ] });
    let back = decide(&shop, &order, 1, "receive", two_conditions.clone()).await;
    assert_eq!((back.status, back.text("/returns/0/status")), (200, "received".into()));
    assert_eq!(decide(&shop, &order, 1, "receive", two_conditions).await.body, back.body, "it is here already");
    eventually("the unit", async || (stock(&shop).await == (8, 8)).then_some(())).await;

    // The last one, and all of it has come back.
    ask(&buyer, &order, &second, 1).await;
    assert_eq!(decide(&shop, &order, 2, "receive", received(1, true)).await.text("/fulfilment_status"), "returned");
    eventually("the last unit", async || (stock(&shop).await == (9, 9)).then_some(())).await;
    assert_eq!(shop.invoke("stock", json!({ "check_stock": {} })).await["findings"], json!([]));
    let mails = async || {
        let mails = shop.order_mails_to(&buyer.email).await;
        let told = |words: &str| mails.iter().filter(|mail| mail["subject"].as_str().unwrap().contains(words)).count();
        (told("send the goods back") == 1 && told("return has arrived") == 2).then_some(())
    };
    eventually("the mails", mails).await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_return_says_why_and_leaves_the_goods_where_they_are() {
    let (shop, buyer, order) = delivered().await;
    ask(&buyer, &order, &key(), 3).await;
    let refused = decide(&shop, &order, 1, "refuse", json!({ "reason": "Worn" })).await;
    assert_eq!(
        (refused.text("/returns/0/status"), refused.text("/returns/0/refusal")),
        ("refused".into(), "Worn".into())
    );
    decide(&shop, &order, 1, "receive", received(3, true)).await.assert_problem(409, "order-state");
    let told = async || {
        let mails = shop.order_mails_to(&buyer.email).await;
        mails.into_iter().find(|mail| mail["subject"].as_str().unwrap().contains("about your return"))
    };
    let mail = eventually("the mail", told).await;
    assert!(mail["text"].as_str().unwrap().contains("Worn"), "{mail}");
    assert_eq!(stock(&shop).await, (7, 7));
    shop.stop().await;
}
