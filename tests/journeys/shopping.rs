//! Browsing, filling a cart.

use reqwest::Method;
use serde_json::{Value, json};
use waybill_tests::{Answer, TestShop};

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_read_in_pages_without_gaps_or_doubles() {
    let shop = TestShop::open().await;
    let (tea, cups) = (shop.category().await, shop.category().await);
    let mut made = Vec::new();
    for number in 0..7 {
        let category = if number % 2 == 0 { &tea } else { &cups };
        made.push(shop.product_in(category, &[(&format!("SKU-{number}"), 100 + number, 5)]).await.text("/id"));
    }
    made.reverse();
    let anyone = shop.anyone();
    let mut seen: Vec<String> = Vec::new();
    let mut path = "/v1/products?limit=3".to_owned();
    loop {
        let page = anyone.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page.body["next"].as_str() {
            Some(next) => path = format!("/v1/products?limit=3&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made, "the newest first");
    let back = anyone.get(&path).await.text("/previous");
    let before = anyone.get(&format!("/v1/products?limit=3&cursor={back}")).await;
    let ids: Vec<_> = before.body["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
    assert_eq!(ids, made[3..6].iter().map(|id| json!(id)).collect::<Vec<_>>());
    assert_eq!(anyone.get("/v1/categories").await.body["items"].as_array().unwrap().len(), 2);

    let product = anyone.get(&format!("/v1/products/{}", made[0])).await;
    assert_eq!(product.body["skus"][0]["sku"], "SKU-6");
    assert_eq!(product.body["skus"][0]["price"], json!({ "amount": 106, "currency": "USD" }));
    assert_eq!(product.body["skus"][0]["available"], 5);
    anyone.get("/v1/products/prd_00000000000000000000000000").await.assert_problem(404, "not-found");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sku_goes_into_the_cart_as_the_product_has_it_that_it_is_of_by_now() {
    let shop = TestShop::open().await;
    let category = shop.category().await;
    let first = shop.product_in(&category, &[("TEA", 450, 10)]).await.text("/id");
    let customer = shop.customer().await;
    assert_eq!(customer.put_line("TEA", 1).await.body["total"]["amount"], 450);
    let deleted = shop.administrator().await.delete(&format!("/v1/admin/products/{first}")).await;
    assert_eq!(deleted.status, 204, "{}", deleted.body);
    let second = shop.product_in(&category, &[("TEA", 999, 10)]).await.text("/id");
    let cart = customer.put_line("TEA", 2).await;
    assert_eq!((&cart.body["total"]["amount"], &cart.body["lines"][0]["product_id"]), (&json!(1998), &json!(second)));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_is_priced_anew_each_time_it_is_looked_at() {
    let shop = TestShop::open().await;
    let category = shop.category().await;
    shop.product_in(&category, &[("TEA", 450, 10), ("CUP", 1999, 2)]).await;
    let customer = shop.customer().await;
    let empty = customer.get("/v1/cart").await;
    let nothing = json!({
        "lines": [], "codes": [], "destination": null, "shipping_method_id": null, "shipping_offers": [], "total": null,
        "totals": null, "missing": [], "quote": null
    });
    assert_eq!(empty.body, nothing);

    customer.put_line("TEA", 1).await;
    let cart = customer.put_line("CUP", 2).await;
    assert_eq!(cart.body["total"], json!({ "amount": 450 + 2 * 1999, "currency": "USD" }));
    let cart = customer.put_line("TEA", 3).await;
    assert_eq!(cart.body["total"]["amount"], 3 * 450 + 2 * 1999);
    assert_eq!(cart.body["lines"].as_array().unwrap().len(), 2);

    let price = json!({ "prices": [{ "amount": 500, "currency": "USD" }] });
    assert_eq!(shop.administrator().await.patch("/v1/admin/skus/TEA", price).await.status, 200);
    assert_eq!(customer.get("/v1/cart").await.body["total"]["amount"], 3 * 500 + 2 * 1999);

    let cart = customer.put_line("CUP", 3).await;
    let cup = cart.body["lines"].as_array().unwrap().iter().find(|line| line["sku"] == "CUP").unwrap().clone();
    assert_eq!(cup["only_available"], 2, "the cart says that there are not enough");

    let cart = customer.delete("/v1/cart/lines/CUP").await;
    assert_eq!(cart.body["total"]["amount"], 3 * 500);
    assert_eq!(customer.delete("/v1/cart").await.body["total"], json!(null));
    assert_eq!(customer.get("/v1/cart").await.body["lines"], json!([]));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_fills_a_cart_and_takes_it_along_at_the_log_in() {
    let shop = TestShop::open().await;
    let category = shop.category().await;
    shop.product_in(&category, &[("TEA", 450, 10), ("CUP", 1999, 2)]).await;
    let anyone = shop.anyone();
    let token = anyone.post("/v1/guest-carts", json!({})).await.text("/cart_token");
    let ask = async |method: Method, path: &str, token: &str, body: Value| {
        let request = anyone.request(method, &format!("/v1/guest-cart{path}")).header("cart-token", token);
        Answer::of(request.json(&body).send().await.unwrap()).await
    };
    let put = async |sku: &str, units: i64| {
        ask(Method::PUT, &format!("/lines/{sku}"), &token, json!({ "quantity": units })).await
    };
    assert_eq!(put("TEA", 2).await.body["total"]["amount"], 900);
    let cart = put("CUP", 1).await;
    assert_eq!((cart.status, &cart.body["quote"]), (200, &Value::Null), "a guest has no quote");
    put("NOPE", 1).await.assert_problem(404, "not-found");
    assert_eq!(put("TEA", 0).await.fields(), ["/quantity"]);
    assert_eq!(ask(Method::DELETE, "/lines/CUP", &token, json!({})).await.body["lines"].as_array().unwrap().len(), 1);
    // Whoever does not have the token has no cart; whoever has another one has another cart.
    for wrong in ["x", &token[..token.len() - 1], &token.replacen("crt_0", "crt_1", 1)] {
        ask(Method::GET, "", wrong, json!({})).await.assert_problem(404, "not-found");
    }
    let other = anyone.post("/v1/guest-carts", json!({})).await.text("/cart_token");
    assert_eq!(ask(Method::GET, "", &other, json!({})).await.body["lines"], json!([]));

    let customer = shop.customer().await;
    customer.put_line("TEA", 1).await;
    customer.put_line("CUP", 1).await;
    assert_eq!(customer.post("/v1/cart/merge", json!({ "cart_token": "x" })).await.fields(), ["/cart_token"]);
    for _ in 0..2 {
        let merged = customer.post("/v1/cart/merge", json!({ "cart_token": token })).await;
        assert_eq!(merged.body["total"]["amount"], 3 * 450 + 1999);
    }
    assert_eq!(ask(Method::GET, "", &token, json!({})).await.body["lines"], json!([]));
    let quote = customer.get("/v1/cart").await.text("/quote");
    assert_eq!(customer.place(&waybill_tests::key(), &quote).await.status, 201);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_says_what_has_changed_and_drops_no_line() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    shop.product("TEA", 450, 10).await;
    let cup = shop.product("CUP", 1999, 2).await.text("/id");
    let customer = shop.customer().await;
    customer.put_line("TEA", 2).await;
    customer.put_line("CUP", 1).await;
    let price = json!({ "prices": [{ "amount": 500, "currency": "USD" }] });
    staff.patch("/v1/admin/skus/TEA", price).await;
    assert_eq!(staff.delete(&format!("/v1/admin/products/{cup}")).await.status, 204);
    let cart = customer.get("/v1/cart").await;
    let line = |sku: &str| {
        let lines = cart.body["lines"].as_array().unwrap();
        lines.iter().find(|line| line["sku"] == sku).cloned().unwrap()
    };
    assert_eq!(line("TEA")["added_at_price"], json!({ "amount": 450, "currency": "USD" }));
    assert_eq!((&line("CUP")["unit_price"], &line("CUP")["only_available"]), (&Value::Null, &json!(0)));
    assert_eq!((&cart.body["total"]["amount"], &cart.body["quote"]), (&json!(1000), &Value::Null));
    // Taken out, the rest can be ordered; set anew, a line is seen at today's price.
    customer.delete("/v1/cart/lines/CUP").await;
    let cart = customer.put_line("TEA", 2).await;
    assert!(cart.body["lines"][0].get("added_at_price").is_none(), "{}", cart.body);
    assert_eq!(customer.place(&waybill_tests::key(), &cart.text("/quote")).await.status, 201);
    shop.stop().await;
}
