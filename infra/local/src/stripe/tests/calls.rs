//! How the API treats a call: keys, idempotency, refusals, lost replies.

use super::*;

#[tokio::test]
async fn one_idempotency_key_makes_one_session() {
    let street = Street::open().await;
    let client = street.client(KEY);
    let first = order(1299, 2).customize().request_strategy(idempotent("ord_1/1")).send(&client).await.unwrap();
    // The client writes the metadata in another order each time: that is the same request.
    for _ in 0..5 {
        let again = order(1299, 2).customize().request_strategy(idempotent("ord_1/1")).send(&client).await.unwrap();
        assert_eq!(again.id, first.id);
    }
    let (status, error) =
        refused(order(1299, 3).customize().request_strategy(idempotent("ord_1/1")).send(&client).await);
    assert_eq!((status, error.type_.as_str()), (400, "idempotency_error"));
    let refusal = order(1, 1).customize().request_strategy(idempotent("ord_2/1")).send(&client).await;
    assert_eq!(refused(refusal).1.code.unwrap().as_str(), "amount_too_small");
    assert!(order(1299, 1).customize().request_strategy(idempotent("ord_2/1")).send(&client).await.is_ok());
}

#[tokio::test]
async fn an_answer_that_is_given_again_says_so() {
    let street = Street::open().await;
    let body = "mode=payment&success_url=https://shop.test&line_items[0][quantity]=1&line_items[0][price_data][currency]=jpy&line_items[0][price_data][unit_amount]=500&line_items[0][price_data][product_data][name]=Tea";
    let ask = || async {
        let request = street
            .http
            .post(format!("{}/v1/checkout/sessions", street.url))
            .bearer_auth(KEY)
            .header("idempotency-key", "k");
        request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap()
    };
    let first = ask().await;
    assert_eq!(first.status(), StatusCode::OK);
    assert!(!first.headers().contains_key("idempotent-replayed"));
    let second = ask().await;
    assert_eq!(second.headers()["idempotent-replayed"], "true");
    assert_eq!(second.headers()["original-request"], first.headers()["request-id"]);
    assert_eq!(second.headers()["stripe-version"], events::API_VERSION);
    assert_eq!(first.text().await.unwrap(), second.text().await.unwrap());
}

#[tokio::test]
async fn that_a_call_has_failed_is_saved_under_its_key_and_no_fault_is_used_up_by_telling_so_again() {
    let street = Street::open().await;
    let client = street.client(KEY);
    let ask = |key, cents| order(cents, 2).customize().request_strategy(idempotent(key));
    assert!(ask("made", 1299).send(&client).await.is_ok());
    street.faults(json!({ "fail_next": 2 })).await;
    for _ in 0..3 {
        assert_eq!(refused(ask("k", 1299).send(&client).await).0, 500);
        assert!(ask("made", 1299).send(&client).await.is_ok());
    }
    assert_eq!(refused(ask("k", 1300).send(&client).await).1.type_.as_str(), "idempotency_error");
    assert_eq!(refused(ask("other", 1299).send(&client).await).0, 500);
    assert!(ask("a third", 1299).send(&client).await.is_ok());
    assert_eq!(refused(ask("k", 1299).send(&client).await).0, 500);
}

#[tokio::test]
async fn of_calls_with_one_key_at_the_same_moment_all_but_the_first_are_told_so() {
    let street = Street::open().await;
    let client = street.client(KEY);
    let ask = |key| order(1299, 2).customize().request_strategy(idempotent(key));
    street.faults(json!({ "delay_ms": 500 })).await;
    let (one, two, other) = tokio::join!(ask("k").send(&client), ask("k").send(&client), ask("another").send(&client));
    assert!(other.is_ok());
    let (made, in_use) = if one.is_ok() { (one, two) } else { (two, one) };
    let (status, error) = refused(in_use);
    assert_eq!((status, error.type_.as_str()), (409, "idempotency_error"));
    assert_eq!(error.code.unwrap().as_str(), "idempotency_key_in_use");
    // Then it is the first's answer that is given.
    assert_eq!(ask("k").send(&client).await.unwrap().id, made.unwrap().id);
}

#[tokio::test]
async fn calls_without_the_right_key_and_unknown_routes_are_refused_in_stripes_shape() {
    let street = Street::open().await;
    let (status, error) = refused(order(1299, 2).send(&street.client("sk_test_other")).await);
    assert_eq!((status, error.type_.as_str()), (401, "invalid_request_error"));
    let read = RetrieveCheckoutSession::new("cs_test_unknown").send(&street.client(KEY)).await;
    let (status, error) = refused(read);
    assert_eq!((status, error.code.unwrap().as_str()), (404, "resource_missing"));
    for (method, path, key, status) in [
        ("GET", "/v1/balance", Some(KEY), 404),
        ("DELETE", "/v1/checkout/sessions", Some(KEY), 404),
        ("GET", "/v1/payment_intents/pi_1", None, 401),
        ("GET", "/elsewhere", None, 404),
    ] {
        let mut request = street.http.request(method.parse().unwrap(), format!("{}{path}", street.url));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        let body: Value = answer.json().await.unwrap();
        assert!(body["error"]["message"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn a_lost_reply_is_found_again_by_its_key() {
    let folder = std::env::temp_dir().join(objects::new_id("waybill-stripe-", 12));
    let names = || std::fs::read_dir(folder.join("stripe")).unwrap().map(|entry| entry.unwrap().file_name());
    let sessions = || names().filter(|name| name.to_string_lossy().starts_with("cs_")).count();
    let street = Street::with_store(Some(folder.clone())).await;
    let client = street.client(KEY);
    street.faults(json!({ "lose_reply_next": 1 })).await;
    let lost = order(1299, 2).customize().request_strategy(idempotent("k")).send(&client).await;
    assert!(matches!(lost, Err(ref error) if !matches!(error, StripeError::Stripe(..))), "{lost:?}");
    assert_eq!(sessions(), 1);
    assert!(order(1299, 2).customize().request_strategy(idempotent("k")).send(&client).await.is_ok());
    assert_eq!(sessions(), 1);

    street.faults(json!({ "fail_next": 1 })).await;
    assert_eq!(refused(order(1299, 2).send(&client).await).0, 500);
    assert_eq!(sessions(), 1);
    assert!(order(1299, 2).send(&client).await.is_ok());
    std::fs::remove_dir_all(folder).unwrap();
}
