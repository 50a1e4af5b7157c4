//! Bad input gets a 4xx problem that names the field, and changes nothing.

use reqwest::Method;
use serde_json::{Value, json};
use waybill_tests::{Answer, TestShop, address, key};

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named() {
    let shop = TestShop::open().await;
    let category = shop.category().await;
    let product = shop.product_in(&category, &[("TEA", 450, 10)]).await.text("/id");
    let (customer, staff) = (shop.customer().await, shop.administrator().await);
    let quote = customer.quote(&[("TEA", 1)]).await;
    let cart = async || {
        let mut cart = customer.get("/v1/cart").await.body;
        // Sealed anew at each reading.
        cart.as_object_mut().unwrap().remove("quote");
        cart
    };
    let before = cart().await;
    let anyone = shop.anyone();
    let good_product = json!({
        "slug": "x", "title": "X", "description": "", "category_ids": [category],
        "skus": [{ "sku": "X", "prices": [{ "amount": 1, "currency": "USD" }], "stock": 1 }],
    });
    let with = |pointer: &str, value: Value| {
        let mut body = good_product.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let order_to = |field: &str, value: Value| {
        let mut address = address();
        address[field] = value;
        json!({ "quote": quote, "shipping_address": address })
    };
    let cases: Vec<(Answer, u16, Vec<&str>)> = vec![
        (
            anyone.post("/v1/accounts", json!({ "email": "x", "password": "short" })).await,
            422,
            vec!["/email", "/password"],
        ),
        (anyone.post("/v1/accounts", json!({ "email": "a@b.co" })).await, 422, vec![""]),
        (anyone.post("/v1/accounts", json!({ "email": 5, "password": "12345678" })).await, 422, vec!["/email"]),
        (
            anyone
                .post("/v1/accounts", json!({ "email": "a@b.co", "password": "12345678", "role": "administrator" }))
                .await,
            422,
            vec!["/role"],
        ),
        (anyone.post("/v1/accounts", json!([])).await, 422, vec![""]),
        (anyone.get("/v1/products?limit=0").await, 422, vec!["limit"]),
        (anyone.get("/v1/products?limit=101&cursor=x&colour=red").await, 422, vec!["limit", "cursor", "colour"]),
        (anyone.get("/v1/products?category=tea").await, 422, vec!["category"]),
        (anyone.get("/v1/products?limit=1&limit=2").await, 422, vec!["limit"]),
        (anyone.get("/v1/products/not-an-id").await, 404, vec![]),
        (anyone.get("/v1/products/%00").await, 404, vec![]),
        (anyone.get("/v1/products/%ED%A0%80").await, 404, vec![]),
        (anyone.get("/v1/products?cursor=%ED%A0%80").await, 422, vec!["cursor"]),
        (customer.get("/v1/orders?cursor=AAAA").await, 422, vec!["cursor"]),
        (customer.get("/v1/orders/prd_00000000000000000000000000").await, 404, vec![]),
        (customer.put_line("TEA", 0).await, 422, vec!["/quantity"]),
        (customer.put_line("TEA", -1).await, 422, vec!["/quantity"]),
        (customer.put_line("TEA", 1_000_000_000_000).await, 422, vec!["/quantity"]),
        (customer.put_line("NOPE", 1).await, 404, vec![]),
        (customer.put_line("not%20a%20sku", 1).await, 404, vec![]),
        (
            customer.send(Method::PUT, "/v1/cart/lines/TEA", Some(json!({ "quantity": 1.5 }))).await,
            422,
            vec!["/quantity"],
        ),
        (
            customer.send(Method::PUT, "/v1/cart/lines/TEA", Some(json!({ "quantity": 1, "price": 1 }))).await,
            422,
            vec!["/price"],
        ),
        (customer.place_with(&key(), order_to("country", json!("USA"))).await, 422, vec!["/shipping_address/country"]),
        (customer.place_with(&key(), order_to("city", json!(""))).await, 422, vec!["/shipping_address/city"]),
        (customer.place_with(&key(), order_to("name", json!("a\nb"))).await, 422, vec!["/shipping_address/name"]),
        (
            customer.place_with(&key(), order_to("line1", json!("x".repeat(121)))).await,
            422,
            vec!["/shipping_address/line1"],
        ),
        (customer.place_with(&key(), order_to("planet", json!("Mars"))).await, 422, vec!["/shipping_address/planet"]),
        (customer.place_with(&"k".repeat(256), order_to("city", json!("x"))).await, 422, vec!["Idempotency-Key"]),
        (customer.post("/v1/orders", order_to("city", json!("x"))).await, 422, vec!["Idempotency-Key"]),
        (staff.post("/v1/admin/products", with("/slug", json!("Not a slug"))).await, 422, vec!["/slug"]),
        (
            staff.post("/v1/admin/products", with("/category_ids", json!(["cat_00000000000000000000000000"]))).await,
            422,
            vec!["/category_ids"],
        ),
        (staff.post("/v1/admin/products", with("/skus", json!([]))).await, 422, vec!["/skus"]),
        (
            staff.post("/v1/admin/products", with("/skus/0/prices/0/amount", json!(-1))).await,
            422,
            vec!["/skus/0/prices/0/amount"],
        ),
        (
            staff.post("/v1/admin/products", with("/skus/0/prices/0/amount", json!(1e3))).await,
            422,
            vec!["/skus/0/prices/0/amount"],
        ),
        (
            staff.post("/v1/admin/products", with("/skus/0/prices/0/currency", json!("EUR"))).await,
            422,
            vec!["/skus/0/prices"],
        ),
        (staff.post("/v1/admin/products", with("/skus/0/stock", json!(-1))).await, 422, vec!["/skus/0/stock"]),
        (staff.post("/v1/admin/products", with("/skus/0/sku", json!("TEA"))).await, 409, vec!["/skus"]),
        (staff.patch("/v1/admin/skus/NOPE", json!({ "active": true })).await, 404, vec![]),
    ];
    for (number, (answer, status, fields)) in cases.iter().enumerate() {
        assert_eq!(answer.status, *status, "case {number}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "case {number}");
        assert_eq!(answer.fields(), *fields, "case {number}: {}", answer.body);
    }
    assert_eq!(shop.available(&product, "TEA").await, 10);
    assert_eq!(anyone.get("/v1/products").await.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(customer.get("/v1/orders").await.body["items"], json!([]));
    assert_eq!(cart().await, before, "the cart is as it was");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_broken_deep_large_or_no_json_is_refused() {
    let shop = TestShop::open().await;
    let send = async |kind: &str, body: String| {
        let request = shop.anyone().request(Method::POST, "/v1/accounts").header("content-type", kind).body(body);
        Answer::of(request.send().await.unwrap()).await
    };
    let json = "application/json";
    send(json, "{".into()).await.assert_problem(400, "malformed-json");
    send(json, String::new()).await.assert_problem(400, "malformed-json");
    send(json, "{} trailing".into()).await;
    send(json, format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))).await.assert_problem(413, "too-large");
    let deep = format!("{{\"email\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    assert!([400, 422].contains(&send(json, deep).await.status));
    let at_the_edge = |length: usize| {
        let frame = r#"{"email":"","password":"12345678"}"#;
        frame.replacen("\"\"", &format!("\"{}\"", "x".repeat(length - frame.len())), 1)
    };
    send(json, at_the_edge(64 * 1024)).await.assert_problem(422, "invalid");
    send(json, at_the_edge(64 * 1024 + 1)).await.assert_problem(413, "too-large");
    send("text/plain", "{}".into()).await.assert_problem(415, "unsupported-media-type");
    send("application/x-www-form-urlencoded", "email=x".into()).await.assert_problem(415, "unsupported-media-type");
    let wrong_method = shop.anyone().send(Method::PUT, "/v1/products", Some(json!({}))).await;
    wrong_method.assert_problem(405, "method-not-allowed");
    shop.anyone().get("/").await.assert_problem(404, "unknown-route");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_takes_fifty_skus_and_not_one_more() {
    let shop = TestShop::open().await;
    let category = shop.category().await;
    let skus: Vec<String> = (0..51).map(|number| format!("SKU-{number:02}")).collect();
    for half in skus.chunks(26) {
        let skus: Vec<_> = half.iter().map(|sku| (sku.as_str(), 100, 1000)).collect();
        shop.product_in(&category, &skus).await;
    }
    let customer = shop.customer().await;
    for sku in &skus[..50] {
        assert_eq!(customer.put_line(sku, 1).await.status, 200);
    }
    customer.put_line(&skus[50], 1).await.assert_problem(409, "cart-full");
    let cart = customer.put_line(&skus[0], 1000).await;
    assert_eq!(cart.status, 200, "a line that is there can still be changed");
    let placed = customer.place(&key(), &cart.text("/quote")).await;
    assert_eq!(placed.status, 201, "fifty lines fit into one transaction: {}", placed.body);
    assert_eq!(placed.body["total"]["amount"], (49 + 1000) * 100);
    shop.stop().await;
}
