//! Payments that a buyer's bank calls into question, as Stripe tells of them.

use serde_json::{Value, json};
use waybill_tests::{Answer, TestShop, eventually, key};

struct Sold {
    shop: TestShop,
    order: String,
    session: String,
}

impl Sold {
    /// A shop that has sold something for 13.50.
    async fn open() -> Sold {
        let shop = TestShop::open().await;
        shop.product("TEA", 1350, 10).await;
        let (_, order, session) = shop.order_to_pay("TEA").await;
        assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 200);
        let sold = Sold { shop, order, session };
        sold.until("paid").await;
        sold
    }

    async fn shown(&self) -> Value {
        self.shop.administrator().await.get(&format!("/v1/orders/{}", self.order)).await.body
    }

    async fn until(&self, payment_status: &str) {
        let look = async || (self.shown().await["payment_status"] == payment_status).then_some(());
        eventually(&format!("an order that is {payment_status}"), look).await;
    }

    /// The bank disputes an amount; answers the dispute's id at Stripe.
    async fn dispute(&self, amount: i64, status: &str) -> String {
        let told = json!({ "amount": amount, "status": status });
        let answer = self.shop.stripe(&format!("sessions/{}/disputes", self.session), told).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["disputes"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned()
    }

    async fn goes_on(&self, dispute: &str, status: &str) {
        let path = format!("sessions/{}/disputes/{dispute}", self.session);
        assert_eq!(self.shop.stripe(&path, json!({ "status": status })).await.status, 200);
    }

    async fn refund(&self, cents: i64) -> Answer {
        let staff = self.shop.administrator().await;
        let body = json!({ "amount": { "amount": cents, "currency": "USD" } });
        staff.post_once(&format!("/v1/admin/orders/{}/refunds", self.order), &key(), body).await
    }

    /// What becomes of an event.
    async fn deliver(&self, event: &Value) -> String {
        let answer = self.shop.deliver(event).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.text("/outcome")
    }
}

fn happened(order: &Value) -> Vec<&str> {
    let entries = order["timeline"].as_array().unwrap().iter();
    entries.map(|entry| entry["type"].as_str().unwrap()).filter(|event| event.starts_with("order.dispute")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bank_disputes_is_shown_and_not_paid_back_as_well_until_it_has_decided() {
    let sold = Sold::open().await;
    let first = sold.dispute(500, "needs_response").await;
    sold.until("disputed").await;
    let shown = sold.shown().await["disputes"][0].clone();
    assert_eq!(
        (&shown["amount"]["amount"], &shown["status"], &shown["reason"]),
        (&json!(500), &json!("needs_response"), &json!("product_not_received"))
    );
    sold.refund(851).await.assert_problem(409, "refund-too-large");
    sold.goes_on(&first, "under_review").await;
    let answered = async || (sold.shown().await["disputes"][0]["status"] == "under_review").then_some(());
    eventually("the answer", answered).await;
    sold.goes_on(&first, "won").await;
    sold.until("paid").await;
    let expected = ["order.dispute_opened", "order.dispute_updated", "order.dispute_closed"];
    assert_eq!(happened(&sold.shown().await), expected);

    let second = sold.dispute(500, "warning_needs_response").await;
    sold.until("disputed").await;
    sold.goes_on(&second, "needs_response").await;
    sold.goes_on(&second, "lost").await;
    sold.until("partially_refunded").await;
    sold.refund(851).await.assert_problem(409, "refund-too-large");
    sold.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_that_is_told_of_backwards_and_twice_ends_the_same() {
    let sold = Sold::open().await;
    sold.shop.stripe("faults", json!({ "hold": true })).await;
    let dispute = sold.dispute(1350, "needs_response").await;
    sold.goes_on(&dispute, "under_review").await;
    sold.goes_on(&dispute, "lost").await;
    sold.shop.stripe("faults", json!({ "hold": false, "reorder": true, "duplicate": true })).await;
    sold.until("refunded").await;
    let delivered =
        async || sold.shop.stripe_events().await.iter().all(|event| event["delivery"]["state"] == "delivered");
    eventually("the events", async || delivered().await.then_some(())).await;
    let shown = sold.shown().await;
    assert_eq!((happened(&shown), &shown["disputes"][0]["status"]), (vec!["order.dispute_closed"], &json!("lost")));
    sold.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_the_other_mode_or_another_api_or_against_what_was_decided_wait_for_a_person() {
    let sold = Sold::open().await;
    let dispute = sold.dispute(1350, "needs_response").await;
    sold.until("disputed").await;
    sold.goes_on(&dispute, "won").await;
    sold.until("paid").await;
    let told = sold.shop.stripe_events().await;
    let closed = told.iter().find(|event| event["type"] == "charge.dispute.closed").unwrap()["body"].clone();
    let changed = |id: &str, path: &str, value: Value| {
        let mut event = closed.clone();
        event["id"] = json!(id);
        *event.pointer_mut(path).unwrap() = value;
        event
    };
    for (event, outcome) in [
        (closed.clone(), "seen before"),
        (changed("evt_live", "/livemode", json!(true)), "parked"),
        (changed("evt_old", "/api_version", json!("2025-03-31.basil")), "parked"),
        (changed("evt_same_release", "/api_version", json!("2026-10-28.endive")), "seen before"),
        (changed("evt_lost", "/data/object/status", json!("lost")), "parked"),
        (changed("evt_new", "/data/object/status", json!("judged_by_a_robot")), "parked"),
        (changed("evt_other", "/data/object/payment_intent", json!("pi_somebody_elses")), "ignored"),
    ] {
        assert_eq!(sold.deliver(&event).await, outcome, "{event}");
    }
    let shown = sold.shown().await;
    assert_eq!((&shown["payment_status"], &shown["disputes"][0]["status"]), (&json!("paid"), &json!("won")));
    sold.shop.stop().await;
}
