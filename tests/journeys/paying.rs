//! The path of a paid order, from the payment page to the mail and the WebSocket.

use serde_json::json;
use waybill_tests::{Socket, TestShop, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_order_is_told_of_once_by_mail_and_on_the_websocket() {
    let shop = TestShop::open().await;
    let category = shop.category().await;
    shop.product_in(&category, &[("TEA", 333, 10), ("CUP", 1999, 10)]).await;
    let customer = shop.customer().await;
    let order = customer.order(&[("TEA", 3), ("CUP", 2)]).await;
    let id = order.text("/id");
    let mut socket = Socket::open(&shop, &customer).await;

    let path = format!("/v1/orders/{id}/payment-sessions");
    let session = customer.post(&path, json!({})).await;
    assert_eq!(session.status, 201, "{}", session.body);
    let again = customer.post(&path, json!({})).await;
    assert_eq!(
        (again.status, again.text("/id")),
        (200, session.text("/id")),
        "one page, however often it is asked for"
    );

    // The page asks for what the order says, line by line, to the cent.
    let page = shop.http().get(session.text("/url")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    for amount in ["9.99", "39.98", "49.97"] {
        assert!(page.contains(amount), "{amount} is not on {page}");
    }
    assert_eq!(order.body["total"]["amount"], 4997);

    let declined = shop.http().post(format!("{}/decline", session.text("/url"))).send().await.unwrap();
    assert!(declined.status().is_success(), "{declined:?}");
    socket.until("order.payment_declined").await;
    assert_eq!(customer.get(&format!("/v1/orders/{id}")).await.text("/payment_status"), "failed");

    let paid = shop.http().post(format!("{}/pay", session.text("/url"))).send().await.unwrap();
    assert!(paid.status().is_success(), "{paid:?}");
    let update = socket.until("order.paid").await;
    assert_eq!(update["order_id"], id);
    assert_eq!(update["payment_status"], "paid");

    let mails = async || Some(shop.order_mails_to(&customer.email).await).filter(|mails| mails.len() == 2);
    let mails = eventually("the mail of the declined try, and a confirmation", mails).await;
    let about = |words: &str| mails.iter().find(|mail| mail["subject"].as_str().unwrap().contains(words));
    assert!(about("your payment has failed").is_some(), "{mails:?}");
    let mail = about("your order is confirmed").unwrap();
    for part in ["text", "html"] {
        let content = mail[part].as_str().unwrap();
        for expected in ["A product, variant TEA", "A product, variant CUP", "$9.99", "$39.98", "$49.97", &id] {
            assert!(content.contains(expected), "{expected} is not in {content}");
        }
    }
    let shown = customer.get(&format!("/v1/orders/{id}")).await;
    assert_eq!(shown.text("/payment_status"), "paid");
    customer.post(&path, json!({})).await.assert_problem(409, "order-state");

    // Whatever is delivered again changes nothing.
    let events = shop.stripe_events().await;
    assert!(events.len() >= 3);
    for event in &events {
        shop.stripe(&format!("events/{}/redeliver", event["id"].as_str().unwrap()), json!({})).await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(customer.get(&format!("/v1/orders/{id}")).await.body, shown.body);
    assert_eq!(shop.order_mails_to(&customer.email).await.len(), 2);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_closes_unpaid_makes_way_for_another() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let (customer, order, session) = shop.order_to_pay("TEA").await;
    shop.stripe(&format!("sessions/{session}/expire"), json!({})).await;
    let path = format!("/v1/orders/{order}");
    eventually("the end of the first page", async || {
        let timeline = customer.get(&path).await.body["timeline"].to_string();
        timeline.contains("order.payment_expired").then_some(())
    })
    .await;
    let next = customer.post(&format!("{path}/payment-sessions"), json!({})).await;
    assert_eq!(next.status, 201, "{}", next.body);
    assert_ne!(next.text("/id"), session);
    shop.stripe(&format!("sessions/{}/pay", next.text("/id")), json!({})).await;
    eventually("the payment", async || (customer.get(&path).await.text("/payment_status") == "paid").then_some(()))
        .await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_stripe_fails_or_its_reply_is_lost_the_order_stays_and_can_be_paid() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let customer = shop.customer().await;
    let path = async || {
        let order = customer.order(&[("TEA", 1)]).await.text("/id");
        format!("/v1/orders/{order}/payment-sessions")
    };
    // From now on Stripe is asked for nothing but pages.
    assert_eq!(customer.post(&path().await, json!({})).await.status, 201);
    let path = path().await;
    // Stripe saves that it has failed, and answers so again to the same key.
    shop.stripe("faults", json!({ "fail_next": 2 })).await;
    let failed = customer.post(&path, json!({})).await;
    failed.assert_problem(503, "unavailable");
    assert!(failed.header("retry-after").is_some());
    shop.stripe("faults", json!({ "lose_reply_next": 1 })).await;
    customer.post(&path, json!({})).await.assert_problem(503, "unavailable");
    // The page that was made while its reply was lost is the one that is found again.
    let (one, other) = tokio::join!(customer.post(&path, json!({})), customer.post(&path, json!({})));
    assert!([200, 201].contains(&one.status) && [200, 201].contains(&other.status), "{} {}", one.body, other.body);
    assert_eq!(one.text("/id"), other.text("/id"));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_has_failed_to_make_again_and_again_is_made_once_it_is_well() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let customer = shop.customer().await;
    // The first time it is who the buyer is that cannot be made, then a page, and then an intent.
    for way in ["payment-sessions", "payment-sessions", "payment-intents"] {
        let order = customer.order(&[("TEA", 1)]).await.text("/id");
        let path = format!("/v1/orders/{order}/{way}");
        shop.stripe("faults", json!({ "fail_next": 100 })).await;
        for _ in 0..7 {
            customer.post(&path, json!({})).await.assert_problem(503, "unavailable");
        }
        shop.stripe("faults", json!({ "fail_next": 0 })).await;
        let begun = customer.post(&path, json!({})).await;
        assert_eq!(begun.status, 201, "{}", begun.body);
        let again = customer.post(&path, json!({})).await;
        assert_eq!((again.status, again.text("/id")), (200, begun.text("/id")));
        assert_eq!(shop.stripe(&format!("sessions/{}/pay", begun.text("/id")), json!({})).await.status, 200);
        let path = format!("/v1/orders/{order}");
        let paid = async || (customer.get(&path).await.text("/payment_status") == "paid").then_some(());
        eventually("the payment", paid).await;
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_that_are_begun_at_the_same_moment_come_to_the_same_page() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let customer = shop.customer().await;
    // The first time both make who the buyer is, too; Stripe refuses the second of two with the same key while it has not
    // answered the first.
    shop.stripe("faults", json!({ "delay_ms": 400 })).await;
    for way in ["payment-sessions", "payment-intents"] {
        let path = format!("/v1/orders/{}/{way}", customer.order(&[("TEA", 1)]).await.text("/id"));
        let (one, other) = tokio::join!(customer.post(&path, json!({})), customer.post(&path, json!({})));
        for begun in [&one, &other] {
            assert!([200, 201].contains(&begun.status), "{}", begun.body);
        }
        assert_eq!(one.text("/id"), other.text("/id"));
    }
    shop.stop().await;
}
