//! Browsing, filling a cart.

use serde_json::json;
use waybill_tests::TestShop;

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
async fn a_cart_is_priced_anew_each_time_it_is_looked_at() {
    let shop = TestShop::open().await;
    let category = shop.category().await;
    shop.product_in(&category, &[("TEA", 450, 10), ("CUP", 1999, 2)]).await;
    let customer = shop.customer().await;
    let empty = customer.get("/v1/cart").await;
    assert_eq!(empty.body, json!({ "lines": [], "total": null, "quote": null }));

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
