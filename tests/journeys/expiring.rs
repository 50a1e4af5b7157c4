//! Orders that are not paid in time: what they hold is given back, and nobody pays for what was.

use serde_json::{Value, json};
use waybill_tests::{Person, Socket, TestShop, eventually};

/// Gives up all orders that are not paid, whatever their age.
async fn sweep(shop: &TestShop) -> Value {
    shop.invoke("sweep", json!({ "expire_orders": { "older_than_minutes": 0 } })).await
}

async fn open(units: i64) -> (TestShop, String) {
    let shop = TestShop::open().await;
    let product = shop.product("TEA", 450, units).await.text("/id");
    (shop, product)
}

async fn status(person: &Person, order: &str) -> (String, String) {
    let shown = person.get(&format!("/v1/orders/{order}")).await;
    (shown.text("/payment_status"), shown.text("/fulfilment_status"))
}

fn given_up() -> (String, String) {
    ("expired".into(), "cancelled".into())
}

/// What the stock says, and whether its ledger says the same.
async fn on_hand_and_reserved(shop: &TestShop) -> (Value, Value) {
    let stock = shop.administrator().await.get("/v1/admin/skus/TEA/stock").await.body;
    let findings = shop.invoke("stock", json!({ "check_stock": {} })).await["findings"].clone();
    assert_eq!(findings, json!([]));
    (stock["on_hand"].clone(), stock["reserved"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_paid_in_time_expires_and_what_it_held_can_be_ordered_again() {
    let (shop, product) = open(4).await;
    let ann = shop.customer().await;
    let mut socket = Socket::open(&shop, &ann).await;
    let without_page = ann.order(&[("TEA", 3)]).await.text("/id");
    let (bob, with_page, session) = shop.order_to_pay("TEA").await;
    assert_eq!(shop.available(&product, "TEA").await, 0);
    // By the shop's own deadline it is too early.
    assert_eq!(
        shop.invoke("sweep", json!({ "expire_orders": {} })).await,
        json!({ "expired": 0, "paid": 0, "left": 0 })
    );
    assert_eq!(sweep(&shop).await, json!({ "expired": 2, "paid": 0, "left": 0 }));
    assert_eq!(sweep(&shop).await, json!({ "expired": 0, "paid": 0, "left": 0 }), "each once");
    assert_eq!((status(&ann, &without_page).await, status(&bob, &with_page).await), (given_up(), given_up()));
    assert_eq!(socket.until("order.expired").await["payment_status"], "expired");
    let timeline = ann.get(&format!("/v1/orders/{without_page}")).await.body["timeline"].clone();
    assert_eq!((&timeline[1]["type"], &timeline[1]["by"]), (&json!("order.expired"), &json!("shop")));
    let mails = async || shop.order_mails_to(&ann.email).await.pop();
    assert!(eventually("the mail", mails).await["subject"].to_string().contains("has expired"));

    // Nobody can pay for it any more, on the page that was open or on another.
    assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 409);
    let pay = format!("/v1/orders/{with_page}/payment-sessions");
    bob.post(&pay, json!({})).await.assert_problem(409, "order-state");
    bob.post(&format!("/v1/orders/{with_page}/cancel"), json!({})).await.assert_problem(409, "order-state");
    eventually("the release", async || (shop.available(&product, "TEA").await == 4).then_some(())).await;
    let released = async || (on_hand_and_reserved(&shop).await == (json!(4), json!(0))).then_some(());
    eventually("the ledger", released).await;
    let listed = shop.administrator().await.get("/v1/admin/orders?status=expired").await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 2);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_nobody_has_heard_of_yet_is_honoured_and_not_swept_away() {
    let (shop, _) = open(2).await;
    let (ann, order, session) = shop.order_to_pay("TEA").await;
    let (bob, other, page) = shop.order_to_pay("TEA").await;
    shop.stripe("faults", json!({ "hold": true })).await;
    for session in [&session, &page] {
        assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 200);
    }
    assert_eq!(status(&ann, &order).await.0, "pending", "Stripe's event is on its way");
    assert_eq!(sweep(&shop).await, json!({ "expired": 0, "paid": 2, "left": 0 }));
    assert_eq!((status(&ann, &order).await.0, status(&bob, &other).await.0), ("paid".into(), "paid".into()));
    // The event comes late, and twice.
    shop.stripe("faults", json!({ "hold": false, "duplicate": true })).await;
    let delivered = async || shop.stripe_events().await.iter().all(|event| event["delivery"]["state"] == "delivered");
    eventually("the events", async || delivered().await.then_some(())).await;
    let events = ann.get(&format!("/v1/orders/{order}")).await.body["timeline"].clone();
    let events: Vec<_> = events.as_array().unwrap().iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    assert_eq!(events, ["order.placed", "order.payment_started", "order.paid"]);
    let sold = async || (on_hand_and_reserved(&shop).await == (json!(0), json!(0))).then_some(());
    eventually("the sale", sold).await;
    assert_eq!(shop.order_mails_to(&ann.email).await.len(), 1);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_stripe_is_down_what_has_no_page_expires_and_the_rest_waits() {
    let (shop, _) = open(9).await;
    let (first, without_page) = (shop.order_to_pay("TEA").await, shop.customer().await.order(&[("TEA", 1)]).await);
    let second = shop.order_to_pay("TEA").await;
    shop.stripe("faults", json!({ "fail_next": 100 })).await;
    assert_eq!(sweep(&shop).await, json!({ "expired": 1, "paid": 0, "left": 2 }));
    let administrator = shop.administrator().await;
    assert_eq!(status(administrator, &without_page.text("/id")).await, given_up());
    // A reply that is lost closes the page all the same; the next run finds it so.
    shop.stripe("faults", json!({ "fail_next": 0, "lose_reply_next": 1 })).await;
    let swept = sweep(&shop).await;
    assert_eq!(swept["expired"].as_u64().unwrap() + swept["left"].as_u64().unwrap(), 2, "{swept}");
    let left = async || (sweep(&shop).await["left"] == 0).then_some(());
    eventually("the end of both", left).await;
    for (_, order, session) in [&first, &second] {
        assert_eq!(status(administrator, order).await, given_up());
        assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 409);
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_orders_that_are_paid_and_given_up_at_the_same_moment_each_is_one_or_the_other() {
    let (shop, product) = open(24).await;
    let mut orders = Vec::new();
    for _ in 0..24 {
        orders.push(shop.order_to_pay("TEA").await);
    }
    // Half of them the sweep and the buyer race for, half the buyer races against themselves.
    let pays = orders
        .iter()
        .map(async |(_, _, session)| shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status == 200);
    let cancels = orders
        .iter()
        .skip(12)
        .map(async |(buyer, order, _)| buyer.post(&format!("/v1/orders/{order}/cancel"), json!({})).await.status);
    let sweeps = async {
        for _ in 0..3 {
            sweep(&shop).await;
        }
    };
    let (paid, cancelled, ()) =
        tokio::join!(futures_util::future::join_all(pays), futures_util::future::join_all(cancels), sweeps);
    assert!(cancelled.iter().all(|status| [200, 409].contains(status)), "{cancelled:?}");
    let mut units = 0;
    for ((buyer, order, _), paid) in orders.iter().zip(paid) {
        let settled = async || {
            Some(status(buyer, order).await)
                .filter(|(payment, fulfilment)| payment != "pending" || fulfilment == "cancelled")
        };
        let (payment, fulfilment) = eventually("one or the other", settled).await;
        // What the buyer has paid is kept, unless they wanted both at once: then it goes back.
        let money_is_here = matches!(payment.as_str(), "paid" | "refunded" | "partially_refunded");
        assert_eq!(money_is_here, paid, "{order} is {payment}");
        let is_kept = fulfilment != "cancelled";
        assert!(paid || !is_kept, "{order} is {fulfilment}");
        if paid && !is_kept {
            let back = async || (status(buyer, order).await.0 == "refunded").then_some(());
            eventually("the refund", back).await;
        }
        units += i64::from(is_kept);
    }
    println!("{units} of {} are kept", orders.len());
    eventually("the rest", async || (shop.available(&product, "TEA").await == 24 - units).then_some(())).await;
    let settled = async || (on_hand_and_reserved(&shop).await == (json!(24 - units), json!(0))).then_some(());
    eventually("the ledger", settled).await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_payment_that_fails_without_an_event_ends_by_the_sweep_by_a_cancellation_or_by_another_payment() {
    let (shop, product) = open(3).await;
    let swept = shop.order_to_pay("TEA").await;
    let cancelled = shop.order_to_pay("TEA").await;
    let paid = shop.order_to_pay("TEA").await;
    let at_stripe = async |session: &str, what: &str| {
        assert_eq!(shop.stripe(&format!("sessions/{session}/{what}"), json!({})).await.status, 200);
    };
    // From here on no event arrives.
    shop.stripe("faults", json!({ "hold": true })).await;
    for (buyer, order, session) in [&swept, &cancelled, &paid] {
        at_stripe(session, "transfer").await;
        let another = buyer.post(&format!("/v1/orders/{order}/payment-intents"), json!({})).await;
        another.assert_problem(409, "payment-pending");
        buyer.post(&format!("/v1/orders/{order}/cancel"), json!({})).await.assert_problem(409, "payment-pending");
    }
    assert_eq!(sweep(&shop).await, json!({ "expired": 0, "paid": 3, "left": 0 }), "the money may come");
    for (_, _, session) in [&swept, &cancelled, &paid] {
        at_stripe(session, "bounce").await;
    }
    let (buyer, order, _) = &cancelled;
    assert_eq!(buyer.post(&format!("/v1/orders/{order}/cancel"), json!({})).await.status, 200);
    let (buyer, order, session) = &paid;
    let another = buyer.post(&format!("/v1/orders/{order}/payment-intents"), json!({})).await;
    assert_eq!(another.status, 201, "{}", another.body);
    at_stripe(&another.text("/id"), "pay").await;
    assert_eq!(sweep(&shop).await, json!({ "expired": 1, "paid": 1, "left": 0 }));
    assert_eq!(status(&swept.0, &swept.1).await, given_up());
    assert_eq!(status(buyer, order).await.0, "paid");
    // The events come after all, in any order, and change nothing.
    shop.stripe("faults", json!({ "hold": false, "duplicate": true, "reorder": true })).await;
    let delivered = async || shop.stripe_events().await.iter().all(|event| event["delivery"]["state"] == "delivered");
    eventually("the events", async || delivered().await.then_some(())).await;
    assert_eq!(status(&swept.0, &swept.1).await, given_up());
    assert_eq!(status(&cancelled.0, &cancelled.1).await.1, "cancelled");
    assert_eq!(status(buyer, order).await.0, "paid");
    assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 409);
    eventually("the stock", async || (shop.available(&product, "TEA").await == 2).then_some(())).await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_payment_is_there_once_its_money_has_come_or_makes_way_for_another() {
    let (shop, _) = open(3).await;
    let (buyer, order, session) = shop.order_to_pay("TEA").await;
    let (other, bounced, page) = shop.order_to_pay("TEA").await;
    let at_stripe = async |session: &str, what: &str| {
        assert_eq!(shop.stripe(&format!("sessions/{session}/{what}"), json!({})).await.status, 200);
    };
    let until = async |person: &Person, order: &str, payment: &str| {
        eventually(payment, async || (status(person, order).await.0 == payment).then_some(())).await;
    };
    for session in [&session, &page] {
        at_stripe(session, "transfer").await;
    }
    assert_eq!(status(&buyer, &order).await.0, "pending");
    at_stripe(&session, "arrive").await;
    until(&buyer, &order, "paid").await;
    at_stripe(&page, "bounce").await;
    let closed = async || {
        let timeline = other.get(&format!("/v1/orders/{bounced}")).await.body["timeline"].to_string();
        timeline.contains("order.payment_expired").then_some(())
    };
    eventually("the page that has closed", closed).await;
    let next = other.post(&format!("/v1/orders/{bounced}/payment-intents"), json!({})).await.text("/id");
    // An intent of the shop's own front stays open, also where it was tried slowly.
    at_stripe(&next, "transfer").await;
    assert_eq!(sweep(&shop).await, json!({ "expired": 0, "paid": 1, "left": 0 }));
    at_stripe(&next, "bounce").await;
    let again = other.post(&format!("/v1/orders/{bounced}/payment-intents"), json!({})).await;
    assert_eq!((again.status, again.text("/id")), (200, next.clone()));
    at_stripe(&next, "pay").await;
    until(&other, &bounced, "paid").await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_page_stripe_does_not_know_can_be_given_up_cancelled_and_paid_anew() {
    let (shop, _) = open(4).await;
    let swept = shop.order_to_pay("TEA").await;
    let cancelled = shop.order_to_pay("TEA").await;
    let paid = shop.order_to_pay("TEA").await;
    for (_, _, session) in [&swept, &cancelled, &paid] {
        assert_eq!(shop.stripe(&format!("sessions/{session}/forget"), json!({})).await.status, 204);
        assert_eq!(shop.stripe(&format!("sessions/{session}/forget"), json!({})).await.status, 404);
    }
    let (buyer, order, _) = &cancelled;
    assert_eq!(buyer.post(&format!("/v1/orders/{order}/cancel"), json!({})).await.status, 200);
    let (buyer, order, _) = &paid;
    let another = buyer.post(&format!("/v1/orders/{order}/payment-intents"), json!({})).await;
    assert_eq!(another.status, 201, "{}", another.body);
    let session = another.text("/id");
    assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 200);
    eventually("the payment", async || (status(buyer, order).await.0 == "paid").then_some(())).await;
    assert_eq!(sweep(&shop).await, json!({ "expired": 1, "paid": 0, "left": 0 }));
    assert_eq!(status(&swept.0, &swept.1).await, given_up());
    assert_eq!(status(&cancelled.0, &cancelled.1).await.1, "cancelled");
    shop.stop().await;
}
