//! Stripe's webhook, and what is not Stripe's.

use reqwest::Method;
use serde_json::{Value, json};
use waybill_tests::{Answer, TestShop, eventually, sign};

const SECRET: &str = "whsec_known_to_the_test";

/// A shop whose webhook secret the test knows; payments would go to a Stripe that is not there.
async fn shop_with_known_secret() -> TestShop {
    TestShop::open_with(|options| {
        options.payments =
            waybill_local::Payments::Stripe { secret_key: "sk_test_x".into(), webhook_secret: SECRET.into() };
    })
    .await
}

async fn deliver(shop: &TestShop, body: &str, signature: Option<&str>) -> Answer {
    let request = shop.anyone().request(Method::POST, "/v1/stripe/events").header("content-type", "application/json");
    let request = match signature {
        Some(signature) => request.header("Stripe-Signature", signature),
        None => request,
    };
    Answer::of(request.body(body.to_owned()).send().await.unwrap()).await
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_did_not_sign_just_now_is_refused() {
    let shop = shop_with_known_secret().await;
    let body = json!({ "id": "evt_1", "object": "event", "type": "strange.event" }).to_string();
    let good = sign(SECRET, now(), &body);
    let changed = body.replace("evt_1", "evt_2");
    let refused = [
        deliver(&shop, &body, None).await,
        deliver(&shop, &body, Some("")).await,
        deliver(&shop, &body, Some("t=1")).await,
        deliver(&shop, &body, Some("t=x,v1=00")).await,
        deliver(&shop, &body, Some(&sign("whsec_other", now(), &body))).await,
        deliver(&shop, &body, Some(&sign(SECRET, now() - 310, &body))).await,
        deliver(&shop, &body, Some(&sign(SECRET, now() + 310, &body))).await,
        deliver(&shop, &changed, Some(&good)).await,
        deliver(&shop, &body, Some(&good.replace("v1=", "v0="))).await,
    ];
    for answer in &refused {
        answer.assert_problem(400, "bad-signature");
    }
    // Stripe's own, but of a form that we do not know: it is taken and kept for a person.
    for _ in 0..2 {
        let parked = deliver(&shop, &body, Some(&good)).await;
        assert_eq!((parked.status, parked.body["outcome"].as_str()), (200, Some("parked")));
    }
    let nonsense = "signed nonsense";
    let refused = deliver(&shop, nonsense, Some(&sign(SECRET, now(), nonsense))).await;
    refused.assert_problem(400, "malformed-json");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_300_kib_can_be_kept_for_a_person_and_a_larger_one_is_not_taken() {
    const MOST: usize = 300 * 1024;
    let shop = shop_with_known_secret().await;
    let of_size = |id: &str, size: usize| {
        let event = json!({ "id": id, "object": "event", "type": "strange.event", "more": "" }).to_string();
        let more = "x".repeat(size - event.len());
        event.replace(r#""more":"""#, &format!(r#""more":"{more}""#))
    };
    let send = async |body: String| deliver(&shop, &body, Some(&sign(SECRET, now(), &body))).await;
    let largest = of_size("evt_largest", MOST);
    assert_eq!(largest.len(), MOST);
    for _ in 0..2 {
        let parked = send(largest.clone()).await;
        assert_eq!((parked.status, parked.body["outcome"].as_str()), (200, Some("parked")));
    }
    let refused = send(of_size("evt_too_large", MOST + 1)).await;
    refused.assert_problem(413, "too-large");
    assert!(refused.text("/detail").contains("307200 bytes"), "{}", refused.body);
    shop.stop().await;
}

/// An event that the stand-in delivered in another shop, so that it is as whole as Stripe's own.
async fn recorded(shop: &TestShop, kind: &str) -> Value {
    let look = async || shop.stripe_events().await.into_iter().find(|event| event["type"] == kind);
    eventually("an event of the stand-in", look).await["body"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_for_another_amount_an_unknown_order_or_a_second_payment_is_parked_and_changes_nothing() {
    let recording = TestShop::open().await;
    recording.product("TEA", 450, 10).await;
    let (_, _, session) = recording.order_to_pay("TEA").await;
    recording.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    let event = recorded(&recording, "checkout.session.completed").await;
    recording.stop().await;

    let shop = shop_with_known_secret().await;
    shop.product("TEA", 450, 10).await;
    let customer = shop.customer().await;
    let order = customer.order(&[("TEA", 1)]).await.text("/id");
    let send = async |id: &str, change: &dyn Fn(&mut Value)| {
        let mut event = event.clone();
        event["id"] = id.into();
        event["data"]["object"]["client_reference_id"] = order.as_str().into();
        change(&mut event["data"]["object"]);
        let body = event.to_string();
        let answer = deliver(&shop, &body, Some(&sign(SECRET, now(), &body))).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.text("/outcome")
    };
    let status = async || customer.get(&format!("/v1/orders/{order}")).await.text("/payment_status");
    assert_eq!(send("evt_less", &|session| session["amount_total"] = 449.into()).await, "parked");
    assert_eq!(send("evt_yen", &|session| session["currency"] = "jpy".into()).await, "parked");
    assert_eq!(
        send("evt_lost", &|session| session["client_reference_id"] = "ord_00000000000000000000000000".into()).await,
        "parked"
    );
    assert_eq!(send("evt_none", &|session| session["client_reference_id"] = Value::Null).await, "parked");
    assert_eq!(send("evt_unpaid", &|session| session["payment_status"] = "unpaid".into()).await, "ignored");
    assert_eq!(status().await, "pending");
    assert_eq!(send("evt_paid", &|_| {}).await, "applied");
    assert_eq!(status().await, "paid");
    assert_eq!(send("evt_paid", &|_| {}).await, "seen before");
    assert_eq!(send("evt_again", &|_| {}).await, "seen before", "another event of the same payment");
    assert_eq!(send("evt_second", &|session| session["payment_intent"] = "pi_other".into()).await, "parked");
    let entries = customer.get(&format!("/v1/orders/{order}")).await.body["timeline"].as_array().unwrap().len();
    assert_eq!(entries, 2, "placed, paid");
    shop.stop().await;
}
