//! Placing an order: once for each idempotency key, at the table's own prices, or not at all.

use serde_json::json;
use waybill_tests::{TestShop, address, key};

#[tokio::test(flavor = "multi_thread")]
async fn fifty_equal_requests_at_once_place_one_order_and_get_one_answer() {
    const AT_ONCE: usize = 50;
    let shop = TestShop::open().await;
    let product = shop.product("TEA", 450, 10).await.text("/id");
    let customer = shop.customer().await;
    let (quote, key) = (customer.quote(&[("TEA", 2)]).await, key());
    let requests = (0..AT_ONCE).map(|_| {
        let (customer, key, quote) = (customer.clone(), key.clone(), quote.clone());
        tokio::spawn(async move { customer.place_patiently(&key, &quote).await })
    });
    let mut answers = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        answers.push(request.await.unwrap());
    }
    let one = &answers[0];
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (201, &one.body));
        assert_eq!(answer.header("location"), one.header("location"));
    }
    let replays = answers.iter().filter(|answer| answer.header("idempotent-replayed") == Some("true")).count();
    assert_eq!(replays, AT_ONCE - 1, "all but the one that placed it");
    assert_eq!(shop.available(&product, "TEA").await, 8);

    let later = customer.place(&key, &quote).await;
    assert_eq!((later.status, later.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(customer.get("/v1/orders").await.body["items"].as_array().unwrap().len(), 1);
    let location = one.header("location").unwrap();
    assert_eq!(customer.get(location).await.body["id"], one.body["id"]);
    assert_eq!(customer.get("/v1/cart").await.body["lines"], json!([]), "the cart has become the order");

    let mut elsewhere = address();
    elsewhere["city"] = "Shelbyville".into();
    let other_body = customer.place_with(&key, json!({ "quote": quote, "shipping_address": elsewhere })).await;
    other_body.assert_problem(422, "invalid");
    assert_eq!(other_body.fields(), ["Idempotency-Key"]);
    // Another key cannot order the same cart again.
    customer.place(&self::key(), &quote).await.assert_problem(409, "cart-changed");
    // And the same key of somebody else is another key.
    let stranger = shop.customer().await;
    let quote = stranger.quote(&[("TEA", 1)]).await;
    let theirs = stranger.place(&key, &quote).await;
    assert_eq!(theirs.status, 201);
    assert_ne!(theirs.body["id"], one.body["id"]);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_had_as_quoted_changes_nothing() {
    let shop = TestShop::open().await;
    let category = shop.category().await;
    let product = shop.product_in(&category, &[("TEA", 450, 5), ("CUP", 1999, 5), ("POT", 2999, 5)]).await.text("/id");
    let staff = shop.administrator().await;
    let customer = shop.customer().await;

    let quote = customer.quote(&[("CUP", 1), ("TEA", 6)]).await;
    let refused = customer.place(&key(), &quote).await;
    refused.assert_problem(409, "out-of-stock");
    assert_eq!(refused.fields(), ["/quote/lines/1"]);
    assert_eq!(refused.text("/errors/0/detail"), "TEA has only 5 left");

    let quote = customer.quote(&[("TEA", 1)]).await;
    staff.patch("/v1/admin/skus/TEA", json!({ "prices": [{ "amount": 460, "currency": "USD" }] })).await;
    let refused = customer.place(&key(), &quote).await;
    refused.assert_problem(409, "price-changed");
    assert_eq!(refused.text("/errors/0/detail"), "TEA costs 4.60 USD now");

    let quote = customer.get("/v1/cart").await.text("/quote");
    staff.patch("/v1/admin/skus/CUP", json!({ "active": false })).await;
    customer.place(&key(), &quote).await.assert_problem(409, "out-of-stock");
    staff.patch("/v1/admin/skus/CUP", json!({ "active": true })).await;

    customer.put_line("POT", 1).await;
    customer.place(&key(), &quote).await.assert_problem(409, "cart-changed");

    for sku in ["TEA", "CUP", "POT"] {
        assert_eq!(shop.available(&product, sku).await, 5);
    }
    assert_eq!(customer.get("/v1/orders").await.body["items"], json!([]));
    let quote = customer.get("/v1/cart").await.text("/quote");
    assert_eq!(customer.place(&key(), &quote).await.status, 201, "the cart survived all of it");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_good_for_its_own_buyer_and_as_it_was_made_only() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let (ann, bob) = (shop.customer().await, shop.customer().await);
    let quote = ann.quote(&[("TEA", 1)]).await;
    bob.put_line("TEA", 1).await;
    let mut cheaper = quote.clone().into_bytes();
    cheaper[40] = if cheaper[40] == b'A' { b'B' } else { b'A' };
    let cheaper = String::from_utf8(cheaper).unwrap();
    for (person, quote) in [(&bob, quote.as_str()), (&ann, &cheaper), (&ann, ""), (&ann, "a.b")] {
        let refused = person.place(&key(), quote).await;
        refused.assert_problem(422, "invalid");
        assert_eq!(refused.fields(), ["/quote"]);
    }
    shop.stop().await;
}
