//! Money that goes back: asked for by staff, called for by a cancelled or late order, made at Stripe; once, and never more than
//! was paid.

use serde_json::{Value, json};
use waybill_tests::{Answer, Person, TestShop, eventually, key};

struct Paid {
    buyer: Person,
    order: String,
    session: String,
}

/// A shop with ten units at 4.50, and an order of three of them that is paid.
async fn open() -> (TestShop, String, Paid) {
    let shop = TestShop::open().await;
    let product = shop.product("TEA", 450, 10).await.text("/id");
    let paid = pay(&shop, 3).await;
    (shop, product, paid)
}

async fn pay(shop: &TestShop, units: i64) -> Paid {
    let buyer = shop.customer().await;
    let order = buyer.order(&[("TEA", units)]).await.text("/id");
    let session = buyer.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await.text("/id");
    assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 200);
    let path = format!("/v1/orders/{order}");
    eventually("the payment", async || (buyer.get(&path).await.text("/payment_status") == "paid").then_some(())).await;
    Paid { buyer, order, session }
}

impl Paid {
    async fn shown(&self) -> Value {
        self.buyer.get(&format!("/v1/orders/{}", self.order)).await.body
    }

    /// Numbers, cents and states of the refunds.
    async fn refunds(&self) -> Vec<(u64, i64, String)> {
        let shown = self.shown().await;
        let refund = |refund: &Value| {
            let status = refund["status"].as_str().unwrap().to_owned();
            (refund["number"].as_u64().unwrap(), refund["amount"]["amount"].as_i64().unwrap(), status)
        };
        shown["refunds"].as_array().unwrap().iter().map(refund).collect()
    }

    async fn until(&self, status: &str) {
        let look = async || (self.shown().await["payment_status"] == status).then_some(());
        eventually(&format!("an order that is {status}"), look).await;
    }
}

async fn refund(staff: &Person, order: &str, key: &str, body: Value) -> Answer {
    staff.post_once(&format!("/v1/admin/orders/{order}/refunds"), key, body).await
}

fn usd(cents: i64) -> Value {
    json!({ "amount": { "amount": cents, "currency": "USD" } })
}

fn made(number: u64, cents: i64) -> (u64, i64, String) {
    (number, cents, "succeeded".into())
}

/// What the stand-in Stripe has paid back of the payments there are.
async fn paid_back(shop: &TestShop) -> i64 {
    let events = shop.stripe_events().await;
    let made = events.iter().filter(|event| event["type"] == "refund.created");
    made.map(|event| event["body"]["data"]["object"]["amount"].as_i64().unwrap()).sum()
}

/// What a queue brings again.
async fn bring_again(shop: &TestShop, order: &str, version: u64) -> Value {
    let message = json!({ "id": format!("{order}/{version}"), "at": "2026-11-26T00:00:00Z", "order_id": order, "event": { "type": "refund.due.v1" } });
    let record = json!({ "messageId": "1", "body": message.to_string(), "eventSource": "aws:sqs" });
    shop.invoke("payments", json!({ "Records": [record] })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_pay_back_units_or_amounts_each_once_and_never_more_than_was_paid() {
    let (shop, _, paid) = open().await;
    let (staff, order) = (shop.administrator().await, paid.order.as_str());
    let broken = json!({ "lines": [{ "sku": "TEA", "quantity": 1 }], "reason": "Arrived broken" });
    for person in [&paid.buyer, &shop.staff("support").await] {
        refund(person, order, "first", broken.clone()).await.assert_problem(403, "forbidden");
    }
    let first = refund(staff, order, "first", broken.clone()).await;
    assert_eq!(
        (first.status, first.body["refunds"][0]["amount"]["amount"].as_i64()),
        (201, Some(450)),
        "{}",
        first.body
    );
    let again = refund(staff, order, "first", broken).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    refund(staff, order, "first", usd(450)).await.assert_problem(422, "invalid");
    paid.until("partially_refunded").await;
    let shown = paid.shown().await["refunds"][0].clone();
    assert_eq!((&shown["cause"], &shown["reason"]), (&json!("requested"), &json!("Arrived broken")));
    assert_eq!(
        shown["lines"],
        json!([{ "sku": "TEA", "quantity": 1, "amount": { "amount": 450, "currency": "USD" } }])
    );

    refund(staff, order, &key(), usd(901)).await.assert_problem(409, "refund-too-large");
    let too_many = json!({ "lines": [{ "sku": "TEA", "quantity": 3 }] });
    refund(staff, order, &key(), too_many).await.assert_problem(409, "refund-too-large");
    // Many at once come to no more than what is left.
    let asked = (0..8).map(|_| {
        let (staff, order) = (staff.clone(), order.to_owned());
        tokio::spawn(async move { refund(&staff, &order, &key(), usd(300)).await.status })
    });
    let mut taken = 0;
    for answer in asked.collect::<Vec<_>>() {
        match answer.await.unwrap() {
            201 => taken += 1,
            status => assert!([409, 503].contains(&status), "{status}"),
        }
    }
    assert_eq!(taken, 3);
    paid.until("refunded").await;
    assert_eq!(paid.refunds().await, [made(1, 450), made(2, 300), made(3, 300), made(4, 300)]);
    assert_eq!(paid_back(&shop).await, 1350);
    let mails = async || Some(shop.order_mails_to(&paid.buyer.email).await).filter(|mails| mails.len() == 5);
    let mails = eventually("a mail of each", mails).await;
    assert!(mails.iter().any(|mail| mail["text"].as_str().unwrap().contains("$4.50 back")), "{mails:?}");
    // Whatever comes again changes nothing.
    for event in shop.stripe_events().await {
        shop.stripe(&format!("events/{}/redeliver", event["id"].as_str().unwrap()), json!({})).await;
    }
    assert_eq!(bring_again(&shop, order, 4).await, json!({ "batchItemFailures": [] }));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!((paid.refunds().await.len(), paid_back(&shop).await), (4, 1350));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_staff_get_wrong_about_a_refund_is_named() {
    let (shop, _, paid) = open().await;
    let staff = shop.administrator().await;
    let unpaid = shop.customer().await.order(&[("TEA", 1)]).await.text("/id");
    refund(staff, &unpaid, &key(), usd(1)).await.assert_problem(409, "order-state");
    refund(staff, "ord_00000000000000000000000000", &key(), usd(1)).await.assert_problem(404, "not-found");
    let tea = json!({ "sku": "TEA", "quantity": 1 });
    for (body, fields) in [
        (json!({}), vec!["/amount"]),
        (json!({ "amount": { "amount": 1, "currency": "USD" }, "lines": [tea] }), vec!["/lines"]),
        (json!({ "amount": { "amount": 0, "currency": "USD" } }), vec!["/amount/amount"]),
        (json!({ "amount": { "amount": -1, "currency": "usd" } }), vec!["/amount/currency", "/amount/amount"]),
        (json!({ "lines": [] }), vec!["/lines"]),
        (json!({ "lines": [tea, tea] }), vec!["/lines/1/sku"]),
        (json!({ "lines": [{ "sku": "TEA", "quantity": 0 }] }), vec!["/lines/0/quantity"]),
        (json!({ "lines": [{ "sku": "CUP", "quantity": 1 }] }), vec!["/lines"]),
        (json!({ "amount": { "amount": 1, "currency": "USD" }, "reason": "" }), vec!["/reason"]),
        (json!({ "amount": { "amount": 1, "currency": "USD" }, "number": 1 }), vec!["/number"]),
    ] {
        let answer = refund(staff, &paid.order, &key(), body.clone()).await;
        answer.assert_problem(422, "invalid");
        assert_eq!(answer.fields(), fields, "{body}");
    }
    let euros = json!({ "amount": { "amount": 1, "currency": "EUR" } });
    let answer = refund(staff, &paid.order, &key(), euros).await;
    answer.assert_problem(422, "invalid");
    assert_eq!(answer.fields(), ["/amount/currency"]);
    let without_key = staff.post(&format!("/v1/admin/orders/{}/refunds", paid.order), usd(1)).await;
    without_key.assert_problem(422, "invalid");
    assert_eq!(paid.refunds().await, []);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_order_that_is_cancelled_is_refunded_and_restocked() {
    let (shop, product, own) = open().await;
    let staff = shop.administrator().await;
    let packed = pay(&shop, 2).await;
    staff.post(&format!("/v1/admin/orders/{}/process", packed.order), json!({})).await;
    assert_eq!(refund(staff, &packed.order, &key(), usd(100)).await.status, 201);
    assert_eq!(shop.available(&product, "TEA").await, 5);
    let cancelled = own.buyer.post(&format!("/v1/orders/{}/cancel", own.order), json!({})).await;
    assert_eq!((cancelled.status, cancelled.text("/fulfilment_status")), (200, "cancelled".into()));
    let cancel = format!("/v1/admin/orders/{}/cancel", packed.order);
    staff.post(&cancel, json!({})).await.assert_problem(422, "invalid");
    let cancelled = staff.post(&cancel, json!({ "reason": "Lost in the warehouse" })).await;
    assert_eq!((cancelled.status, cancelled.text("/cancellation_reason")), (200, "Lost in the warehouse".into()));
    own.until("refunded").await;
    packed.until("refunded").await;
    assert_eq!((own.refunds().await, packed.refunds().await), (vec![made(1, 1350)], vec![made(1, 100), made(2, 800)]));
    assert_eq!(paid_back(&shop).await, 2250);
    eventually("the goods", async || (shop.available(&product, "TEA").await == 10).then_some(())).await;
    let stock = staff.get("/v1/admin/skus/TEA/stock").await.body;
    assert_eq!((&stock["on_hand"], &stock["reserved"]), (&json!(10), &json!(0)));
    let returned = staff.get("/v1/admin/skus/TEA/stock-movements").await.body["items"].clone();
    let of =
        |order: &str| returned.as_array().unwrap().iter().find(|line| line["order_id"] == order).unwrap()["by"].clone();
    assert_eq!((of(&own.order), of(&packed.order)), (json!("customer"), json!("staff")));
    assert_eq!(shop.invoke("stock", json!({ "check_stock": {} })).await["findings"], json!([]));
    let subjects = async || {
        let mails = shop.order_mails_to(&own.buyer.email).await;
        Some(mails.iter().map(|mail| mail["subject"].to_string()).collect::<Vec<_>>()).filter(|all| all.len() == 3)
    };
    let subjects = eventually("three mails", subjects).await;
    assert!(subjects.iter().any(|subject| subject.contains("was cancelled")), "{subjects:?}");

    // Once it has gone it is not cancelled any more.
    let shipped = pay(&shop, 1).await;
    let path = format!("/v1/admin/orders/{}", shipped.order);
    staff.post(&format!("{path}/process"), json!({})).await;
    staff.post(&format!("{path}/ship"), json!({ "carrier": "UPS", "tracking_number": "1Z" })).await;
    let refused = shipped.buyer.post(&format!("/v1/orders/{}/cancel", shipped.order), json!({})).await;
    refused.assert_problem(409, "order-state");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_an_order_that_was_given_up_is_paid_back() {
    let (shop, _, paid) = open().await;
    let late = shop.customer().await;
    let order = late.order(&[("TEA", 3)]).await.text("/id");
    assert_eq!(late.post(&format!("/v1/orders/{order}/cancel"), json!({})).await.status, 200);
    // Stripe closes the page of an order that is given up, so the event of a payment that came too late is made by hand: it is
    // that of the paid order, naming the other.
    let events = shop.stripe_events().await;
    let completed = events.iter().find(|event| event["type"] == "checkout.session.completed").unwrap();
    let mut event = completed["body"].clone();
    event["id"] = json!("evt_late");
    event["data"]["object"]["client_reference_id"] = json!(order);
    for outcome in ["applied", "seen before"] {
        assert_eq!(shop.deliver(&event).await.text("/outcome"), outcome);
    }
    let late = Paid { buyer: late, order, session: String::new() };
    late.until("refunded").await;
    let shown = late.shown().await;
    assert_eq!(
        (&shown["fulfilment_status"], &shown["refunds"][0]["cause"]),
        (&json!("cancelled"), &json!("paid_late"))
    );
    assert_eq!((late.refunds().await, paid_back(&shop).await), (vec![made(1, 1350)], 1350));
    let mails = async || Some(shop.order_mails_to(&late.buyer.email).await).filter(|mails| mails.len() == 3);
    let mails = eventually("three mails", mails).await;
    assert!(mails.iter().any(|mail| mail["subject"].to_string().contains("came too late")), "{mails:?}");
    // Stripe's own word on it, which names the refund, is of the late order.
    assert_eq!((paid.refunds().await.len(), paid.shown().await["payment_status"].clone()), (0, json!("paid")));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_reply_is_lost_or_that_stripe_could_not_take_is_made_once() {
    let (shop, _, paid) = open().await;
    let staff = shop.administrator().await;
    // Without Stripe's events, which would tell of the refund too. The reply is lost, and that of looking for it.
    shop.stripe("faults", json!({ "hold": true, "lose_reply_next": 2 })).await;
    assert_eq!(refund(staff, &paid.order, &key(), usd(100)).await.status, 201);
    eventually("the refund", async || (paid_back(&shop).await == 100).then_some(())).await;
    let lost = async || {
        let looks = shop.http().get(format!("{}/_control/faults", shop.addresses().stripe.as_deref().unwrap()));
        let faults: Value = looks.send().await.unwrap().json().await.unwrap();
        (faults["lose_reply_next"] == 0).then_some(())
    };
    eventually("both losses", lost).await;
    assert_eq!(paid.refunds().await, [(1, 100, "requested".into())]);
    // Asked for again with the same key, it is the same refund.
    assert_eq!(bring_again(&shop, &paid.order, 4).await, json!({ "batchItemFailures": [] }));
    assert_eq!((paid.refunds().await, paid_back(&shop).await), (vec![made(1, 100)], 100));

    // Neither made nor looked for.
    shop.stripe("faults", json!({ "fail_next": 4 })).await;
    assert_eq!(refund(staff, &paid.order, &key(), usd(200)).await.status, 201);
    let failed = json!({ "batchItemFailures": [{ "itemIdentifier": "1" }] });
    let tried = async || (bring_again(&shop, &paid.order, 6).await != failed).then_some(());
    eventually("the second refund", tried).await;
    assert_eq!((paid.refunds().await, paid_back(&shop).await), (vec![made(1, 100), made(2, 200)], 300));
    shop.stripe("faults", json!({ "hold": false, "duplicate": true, "reorder": true })).await;
    let delivered = async || shop.stripe_events().await.iter().all(|event| event["delivery"]["state"] == "delivered");
    eventually("the events", async || delivered().await.then_some(())).await;
    assert_eq!((paid.refunds().await, paid_back(&shop).await), (vec![made(1, 100), made(2, 200)], 300));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_told_of_before_its_payment_is_taken_with_it() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let (buyer, order, session) = shop.order_to_pay("TEA").await;
    shop.stripe("faults", json!({ "hold": true })).await;
    assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 200);
    assert_eq!(shop.stripe(&format!("sessions/{session}/refund"), json!({ "amount": 450 })).await.status, 200);
    shop.stripe("faults", json!({ "hold": false, "reorder": true, "duplicate": true })).await;
    let delivered = async || shop.stripe_events().await.iter().all(|event| event["delivery"]["state"] == "delivered");
    eventually("the events", async || delivered().await.then_some(())).await;
    let shown = buyer.get(&format!("/v1/orders/{order}")).await;
    assert_eq!(shown.text("/payment_status"), "refunded");
    let happened = shown.body["timeline"].as_array().unwrap().iter().map(|entry| entry["type"].as_str().unwrap());
    let expected = ["order.placed", "order.payment_started", "order.paid", "order.refunded"];
    assert_eq!(happened.collect::<Vec<_>>(), expected);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_that_are_made_at_stripe_or_take_their_time_or_fail_are_taken_note_of() {
    let (shop, _, paid) = open().await;
    let (staff, session) = (shop.administrator().await, paid.session.as_str());
    let made_there = shop.stripe(&format!("sessions/{session}/refund"), json!({ "amount": 350 })).await;
    assert_eq!(made_there.status, 200, "{}", made_there.body);
    paid.until("partially_refunded").await;
    let shown = paid.shown().await;
    assert_eq!((&shown["refunds"][0]["cause"], &shown["timeline"][3]["by"]), (&json!("at_stripe"), &json!("stripe")));
    refund(staff, &paid.order, &key(), usd(1001)).await.assert_problem(409, "refund-too-large");

    shop.stripe("faults", json!({ "slow_refunds": true })).await;
    assert_eq!(refund(staff, &paid.order, &key(), usd(1000)).await.status, 201);
    let at_stripe = async || {
        let events = shop.stripe_events().await;
        let ours = events.iter().find(|event| event["body"]["data"]["object"]["metadata"]["refund"] == "2")?;
        ours["body"]["data"]["object"]["id"].as_str().map(ToOwned::to_owned)
    };
    let slow = eventually("the refund at Stripe", at_stripe).await;
    assert_eq!(paid.refunds().await, [made(1, 350), (2, 1000, "requested".into())]);
    shop.stripe(&format!("sessions/{session}/refunds/{slow}/fail"), json!({})).await;
    let failed = async || (paid.refunds().await[1].2 == "failed").then_some(());
    eventually("its failure", failed).await;
    shop.stripe("faults", json!({ "slow_refunds": false })).await;
    assert_eq!(refund(staff, &paid.order, &key(), usd(1000)).await.status, 201, "it can be paid back again");
    paid.until("refunded").await;

    // More than Stripe has left is refused there, and stays here as failed.
    let other = pay(&shop, 1).await;
    shop.stripe("faults", json!({ "hold": true })).await;
    let all = shop.stripe(&format!("sessions/{}/refund", other.session), json!({})).await;
    assert_eq!(all.status, 200);
    assert_eq!(refund(staff, &other.order, &key(), usd(450)).await.status, 201);
    let refused = async || (other.refunds().await == [(1, 450, "failed".into())]).then_some(());
    eventually("the refusal", refused).await;
    shop.stripe("faults", json!({ "hold": false })).await;
    other.until("refunded").await;
    assert_eq!(other.refunds().await, [(1, 450, "failed".into()), made(2, 450)]);
    shop.stop().await;
}
