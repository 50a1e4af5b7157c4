//! Five hundred buyers, one hundred units.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::json;
use waybill_tests::{TestShop, key};

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_buyers_at_once_get_exactly_the_hundred_units_that_there_are() {
    const BUYERS: usize = 500;
    const UNITS: usize = 100;
    const TRIES: usize = 5;
    let shop = Arc::new(TestShop::open().await);
    let product = shop.product("HOT", 1000, UNITS as i64).await.text("/id");
    let ready: Vec<_> = stream::iter(0..BUYERS)
        .map(|_| async {
            let buyer = shop.customer().await;
            let quote = buyer.quote(&[("HOT", 1)]).await;
            (buyer, quote)
        })
        .buffer_unordered(16)
        .collect()
        .await;
    // All at once: every request is on its way before the first answer is looked at.
    let placing = ready.into_iter().map(|(buyer, quote)| {
        tokio::spawn(async move {
            let key = key();
            let mut answer = buyer.place(&key, &quote).await;
            // A slow machine does not answer all in time. Asked again with the same key, as a client does, it is one order.
            for _ in 0..TRIES {
                if [503, 504].contains(&answer.status) {
                    answer = buyer.place(&key, &quote).await;
                }
            }
            (buyer, answer)
        })
    });
    let (mut placed, mut refused) = (0, 0);
    for request in placing.collect::<Vec<_>>() {
        let (buyer, answer) = request.await.unwrap();
        match answer.status {
            201 => placed += 1,
            _ => {
                answer.assert_problem(409, "out-of-stock");
                assert_eq!(answer.text("/errors/0/detail"), "HOT is sold out");
                assert_eq!(buyer.get("/v1/cart").await.body["lines"].as_array().unwrap().len(), 1, "the cart is kept");
                refused += 1;
            }
        }
    }
    assert_eq!((placed, refused), (UNITS, BUYERS - UNITS));
    assert_eq!(shop.available(&product, "HOT").await, 0);

    let staff = shop.administrator().await;
    let (mut orders, mut path) = (0, "/v1/admin/orders?status=pending&limit=100".to_owned());
    loop {
        let page = staff.get(&path).await;
        orders += page.body["items"].as_array().unwrap().len();
        match page.body["next"].as_str() {
            Some(next) => path = format!("/v1/admin/orders?status=pending&limit=100&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(orders, UNITS);
    let restocked = json!({ "active": false });
    assert_eq!(staff.patch("/v1/admin/skus/HOT", restocked).await.status, 200);
    Arc::into_inner(shop).unwrap().stop().await;
}
