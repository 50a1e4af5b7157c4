//! Many more buyers than units.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Value, json};
use waybill_tests::{TestShop, eventually, key};

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_buyers_at_once_get_exactly_the_hundred_units_that_there_are() {
    const BUYERS: usize = 500;
    const UNITS: usize = 100;
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
            // A slow machine does not answer all in time.
            let answer = buyer.place_patiently(&key(), &quote).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_while_others_buy_is_sold_again_and_once() {
    what_is_cancelled_is_sold_again(json!(null)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_where_the_stock_is_spread_and_no_bucket_has_what_one_buyer_wants() {
    what_is_cancelled_is_sold_again(json!(16)).await;
}

async fn what_is_cancelled_is_sold_again(buckets: Value) {
    const BUYERS: usize = 40;
    const UNITS: i64 = 12;
    let shop = TestShop::open().await;
    let product = shop.product("HOT", 1000, UNITS).await.text("/id");
    let spread = shop.administrator().await.patch("/v1/admin/skus/HOT/stock", json!({ "buckets": buckets })).await;
    assert_eq!((&spread.body["buckets"], &spread.body["available"]), (&buckets, &json!(UNITS)));
    let wanted = |number: usize| if number.is_multiple_of(3) { 2 } else { 1 };
    let ready: Vec<_> = stream::iter(0..BUYERS)
        .map(async |number| {
            let buyer = shop.customer().await;
            // Some set the SKU twice: the last word is what they want, and not the sum.
            let quote = buyer.quote(&[("HOT", 1), ("HOT", wanted(number))]).await;
            (number, buyer, quote)
        })
        .buffer_unordered(16)
        .collect()
        .await;
    let buying = ready.into_iter().map(|(number, buyer, quote)| {
        tokio::spawn(async move {
            let answer = buyer.place_patiently(&key(), &quote).await;
            if answer.status != 201 {
                answer.assert_problem(409, "out-of-stock");
                return (number, buyer, quote, None);
            }
            assert_eq!(answer.body["lines"][0]["quantity"], wanted(number));
            let is_cancelled = number % 2 == 0;
            if is_cancelled {
                let path = format!("/v1/orders/{}/cancel", answer.text("/id"));
                assert_eq!(buyer.post(&path, json!({})).await.status, 200);
            }
            (number, buyer, quote, Some(is_cancelled))
        })
    });
    let (mut kept, mut cancelled, mut left_out) = (0, 0, Vec::new());
    for buyer in buying.collect::<Vec<_>>() {
        match buyer.await.unwrap() {
            (number, _, _, Some(false)) => kept += wanted(number),
            (number, _, _, Some(true)) => cancelled += wanted(number),
            (number, buyer, quote, None) if wanted(number) == 1 => left_out.push((buyer, quote)),
            (_, _, _, None) => {}
        }
    }
    // None, where whoever came late already got what was given back.
    let free = UNITS - kept;
    assert!(cancelled > 0 && free >= 0 && left_out.len() as i64 > free, "{kept} kept, {cancelled} cancelled");
    eventually("the release", async || (shop.available(&product, "HOT").await == free).then_some(())).await;
    let again = left_out.iter().map(async |(buyer, quote)| buyer.place_patiently(&key(), quote).await.status == 201);
    let sold = futures_util::future::join_all(again).await.into_iter().filter(|is_sold| *is_sold).count();
    assert_eq!(sold as i64, free);
    assert_eq!(shop.available(&product, "HOT").await, 0);
    let stock = shop.administrator().await.get("/v1/admin/skus/HOT/stock").await.body;
    assert_eq!((&stock["on_hand"], &stock["reserved"]), (&json!(UNITS), &json!(UNITS)));
    assert_eq!(shop.invoke("stock", json!({ "check_stock": {} })).await["findings"], json!([]));
    shop.stop().await;
}
