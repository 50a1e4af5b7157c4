//! Stripe's books against the orders: what no event told of is found, and what does not fit is said.

use serde_json::{Value, json};
use waybill_tests::{TestShop, key};

async fn compare(shop: &TestShop) -> Value {
    shop.invoke("sweep", json!({ "reconcile": { "settled_after_minutes": 0 } })).await
}

/// What was looked at, what was made good, and what does not fit.
fn counts(compared: &Value) -> [u64; 6] {
    let differences = compared["differences"].as_array().unwrap().len() as u64;
    assert_eq!(compared["is_complete"], true, "{compared}");
    let [payments, refunds, disputes, orders, repaired] =
        ["payments", "refunds", "disputes", "orders", "repaired"].map(|count| compared[count].as_u64().unwrap());
    [payments, refunds, disputes, orders, repaired, differences]
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_refunds_and_disputes_that_no_event_told_of_are_taken_note_of_once() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    shop.product("TEA", 450, 10).await;
    assert_eq!(counts(&compare(&shop).await), [0; 6]);
    shop.stripe("faults", json!({ "hold": true })).await;
    let (_, order, session) = shop.order_to_pay("TEA").await;
    let (_, open, _) = shop.order_to_pay("TEA").await;
    assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 200);
    let status = async |order: &str| staff.get(&format!("/v1/orders/{order}")).await.text("/payment_status");
    assert_eq!(status(&order).await, "pending");
    assert_eq!(counts(&compare(&shop).await), [1, 0, 0, 1, 1, 0]);
    assert_eq!((status(&order).await, status(&open).await), ("paid".into(), "pending".into()));

    assert_eq!(shop.stripe(&format!("sessions/{session}/refund"), json!({ "amount": 100 })).await.status, 200);
    let dispute = json!({ "amount": 350, "status": "needs_response" });
    assert_eq!(shop.stripe(&format!("sessions/{session}/disputes"), dispute).await.status, 200);
    let path = format!("/v1/admin/orders/{order}/refunds");
    assert_eq!(counts(&compare(&shop).await), [1, 1, 1, 1, 2, 0]);
    assert_eq!(status(&order).await, "disputed");
    let cent = json!({ "amount": { "amount": 1, "currency": "USD" } });
    staff.post_once(&path, &key(), cent).await.assert_problem(409, "refund-too-large");
    for _ in 0..2 {
        assert_eq!(counts(&compare(&shop).await), [1, 1, 1, 1, 0, 0]);
    }
    // The events come all the same.
    shop.stripe("faults", json!({ "hold": false, "reorder": true })).await;
    let shown = waybill_tests::eventually("the events", async || {
        let told = shop.stripe_events().await;
        let all = told.iter().all(|event| event["delivery"]["state"] == "delivered");
        if all { Some(staff.get(&format!("/v1/orders/{order}")).await) } else { None }
    });
    let shown = shown.await;
    let happened: Vec<_> =
        shown.body["timeline"].as_array().unwrap().iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    let expected = ["order.placed", "order.payment_started", "order.paid", "order.dispute_opened", "order.refunded"];
    assert_eq!(happened, expected);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_fits_no_order_and_an_order_without_its_money_are_told_of() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let (_, paid, session) = shop.order_to_pay("TEA").await;
    assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 200);
    let (_, forged, _) = shop.order_to_pay("TEA").await;
    let completed = waybill_tests::eventually("the payment", async || {
        let told = shop.stripe_events().await;
        told.into_iter().find(|event| event["type"] == "checkout.session.completed")
    });
    let mut event = completed.await["body"].clone();
    event["id"] = json!("evt_forged");
    event["data"]["object"]["client_reference_id"] = json!(forged);
    event["data"]["object"]["payment_intent"] = json!("pi_of_nobody");
    assert_eq!(shop.deliver(&event).await.text("/outcome"), "applied");

    // Somebody's money for an order that was never here.
    let gone = "ord_00000000000000000000000000";
    let other = shop.page_at_stripe(gone, 450, &[]).await;
    assert_eq!(shop.stripe(&format!("sessions/{other}/pay"), json!({})).await.status, 200);

    let compared = compare(&shop).await;
    assert_eq!(counts(&compared), [2, 0, 0, 2, 0, 2], "{compared}");
    let mut told: Vec<_> =
        compared["differences"].as_array().unwrap().iter().map(|told| (&told["order"], &told["why"])).collect();
    told.sort_by_key(|(order, _)| *order == forged.as_str());
    let expected = [
        (json!(gone), json!("it is of an order that is not here")),
        (json!(forged), json!("it is paid here, and Stripe has no such payment")),
    ];
    assert_eq!(told, expected.iter().map(|(order, why)| (order, why)).collect::<Vec<_>>());
    assert_ne!(told[1].0, paid.as_str());
    shop.stop().await;
}
