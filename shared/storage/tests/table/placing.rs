//! Placing an order: what it takes, and each reason to refuse it.

use std::collections::BTreeMap;

use waybill_domain::id::OrderId;
use waybill_domain::order::Order;
use waybill_domain::product::{Offer, Price};
use waybill_storage::order_lists::{Orders, Placed};
use waybill_storage::placing::NotPlaced;
use waybill_storage::{Refused, StorageError};

use crate::shop::{Shop, at, customer, order, reasons, usd};

/// What a refused order leaves as it was.
async fn assert_untouched(shop: &Shop, order: &Order, offers: &[&Offer]) {
    assert_eq!(shop.table.order(order.id).await.unwrap(), None);
    for offer in offers {
        assert_eq!(shop.offer(offer).await.available, offer.available, "{}", offer.sku);
    }
    assert_eq!(shop.table.orders(Orders::Of(order.buyer), Placed::default(), 10, None).await.unwrap().items, []);
}

#[track_caller]
fn line_refused(reasons: &[NotPlaced]) -> (usize, &str, Option<&Offer>) {
    match reasons {
        [NotPlaced::LineRefused { line, sku, offer }] => (*line, sku.as_str(), offer.as_ref()),
        other => panic!("not one refused line: {other:?}"),
    }
}

#[tokio::test]
async fn placing_takes_the_stock_ends_the_cart_and_writes_the_order() {
    let shop = Shop::open().await;
    let (tea, cup) = (shop.sells("TEA", 450, 5).await, shop.sells("CUP", 900, 1).await);
    let ann = customer();
    shop.set_line(ann, &tea, 3).await;
    shop.set_line(ann, &cup, 1).await;
    let quote = shop.quote(ann).await;
    let order = order("key", &quote, at(0));
    shop.table.place_order(&order, &quote, "fingerprint").await.unwrap();
    assert_eq!(shop.table.order(order.id).await.unwrap(), Some(order.clone()));
    assert_eq!(order.total, usd(3 * 450 + 900));
    assert_eq!((shop.offer(&tea).await.available, shop.offer(&cup).await.available), (2, 0));
    assert_eq!(shop.table.cart(ann).await.unwrap(), None);
    let listed = shop.table.orders(Orders::Of(ann), Placed::default(), 10, None).await.unwrap().items;
    assert_eq!(listed.iter().map(|summary| (summary.id, summary.units)).collect::<Vec<_>>(), [(order.id, 4)]);
}

#[tokio::test]
async fn an_order_has_as_many_lines_as_a_cart_may_have() {
    let shop = Shop::open().await;
    let ann = customer();
    for number in 0..50 {
        let offer = shop.sells(&format!("SKU-{number}"), 100, 1).await;
        shop.set_line(ann, &offer, 1).await;
    }
    let quote = shop.quote(ann).await;
    let order = order("key", &quote, at(0));
    shop.table.place_order(&order, &quote, "fingerprint").await.unwrap();
    assert_eq!(shop.table.order(order.id).await.unwrap().unwrap().lines.len(), 50);
}

#[tokio::test]
async fn more_than_is_left_is_refused_with_what_is_left() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 2).await;
    let ann = customer();
    let cart = shop.set_line(ann, &tea, 3).await;
    let quote = shop.quote(ann).await;
    let order = order("key", &quote, at(0));
    let refused = reasons(shop.table.place_order(&order, &quote, "fingerprint").await);
    assert_eq!(line_refused(&refused), (0, "TEA", Some(&tea)));
    assert_untouched(&shop, &order, &[&tea]).await;
    assert_eq!(shop.table.cart(ann).await.unwrap(), Some(cart));
}

#[tokio::test]
async fn a_price_that_has_changed_is_refused_with_the_present_one() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 2).await;
    let ann = customer();
    let price =
        |amount: i64, currency: &str| BTreeMap::from([(currency.parse().unwrap(), Price { amount, compare_at: None })]);
    for prices in [price(451, "USD"), price(449, "USD"), price(450, "EUR")] {
        let cart = shop.set_line(ann, &tea, 1).await;
        shop.change_offer(&tea, |offer| offer.prices = price(450, "USD")).await;
        let quote = shop.quote(ann).await;
        shop.change_offer(&tea, |offer| offer.prices = prices.clone()).await;
        let order = order("key", &quote, at(0));
        let refused = reasons(shop.table.place_order(&order, &quote, "fingerprint").await);
        assert_eq!(line_refused(&refused), (0, "TEA", Some(&Offer { prices, ..tea.clone() })));
        assert_untouched(&shop, &order, &[&tea]).await;
        assert_eq!(shop.table.cart(ann).await.unwrap(), Some(cart));
    }
}

#[tokio::test]
async fn a_sku_that_was_withdrawn_is_refused() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 2).await;
    let ann = customer();
    shop.set_line(ann, &tea, 1).await;
    let quote = shop.quote(ann).await;
    shop.change_offer(&tea, |offer| offer.active = false).await;
    let order = order("key", &quote, at(0));
    let refused = reasons(shop.table.place_order(&order, &quote, "fingerprint").await);
    assert_eq!(line_refused(&refused), (0, "TEA", Some(&Offer { active: false, ..tea.clone() })));
    assert_untouched(&shop, &order, &[&tea]).await;
}

#[tokio::test]
async fn an_unknown_sku_is_refused_without_an_offer() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 2).await;
    let ann = customer();
    shop.set_line(ann, &tea, 1).await;
    let mut quote = shop.quote(ann).await;
    quote.lines[0].sku = "UNKNOWN".parse().unwrap();
    let order = order("key", &quote, at(0));
    let refused = reasons(shop.table.place_order(&order, &quote, "fingerprint").await);
    assert_eq!(line_refused(&refused), (0, "UNKNOWN", None));
    assert_untouched(&shop, &order, &[&tea]).await;
}

#[tokio::test]
async fn a_cart_that_changed_since_its_quote_is_refused() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let ann = customer();
    shop.set_line(ann, &tea, 1).await;
    let quote = shop.quote(ann).await;
    let cart = shop.set_line(ann, &tea, 2).await;
    let order = order("key", &quote, at(0));
    let refused = reasons(shop.table.place_order(&order, &quote, "fingerprint").await);
    assert!(matches!(refused[..], [NotPlaced::CartChanged]), "{refused:?}");
    assert_untouched(&shop, &order, &[&tea]).await;
    assert_eq!(shop.table.cart(ann).await.unwrap(), Some(cart));
}

#[tokio::test]
async fn a_cart_begun_anew_is_another_one_even_at_the_same_version() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let ann = customer();
    shop.set_line(ann, &tea, 1).await;
    let quote = shop.quote(ann).await;
    shop.table.clear_cart(ann).await.unwrap();
    let order = order("key", &quote, at(0));
    let refused = reasons(shop.table.place_order(&order, &quote, "fingerprint").await);
    assert!(matches!(refused[..], [NotPlaced::CartChanged]), "{refused:?}");
    let cart = shop.set_line(ann, &tea, 1).await;
    assert_eq!(cart.version, quote.cart_version);
    let refused = reasons(shop.table.place_order(&order, &quote, "fingerprint").await);
    assert!(matches!(refused[..], [NotPlaced::CartChanged]), "{refused:?}");
    assert_untouched(&shop, &order, &[&tea]).await;
    assert_eq!(shop.table.cart(ann).await.unwrap(), Some(cart));
}

#[tokio::test]
async fn a_cart_is_ordered_once_whatever_the_key() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let ann = customer();
    shop.set_line(ann, &tea, 1).await;
    let quote = shop.quote(ann).await;
    shop.table.place_order(&order("first", &quote, at(0)), &quote, "fingerprint").await.unwrap();
    let second = order("second", &quote, at(0));
    let refused = reasons(shop.table.place_order(&second, &quote, "fingerprint").await);
    assert!(matches!(refused[..], [NotPlaced::CartChanged]), "{refused:?}");
    assert_eq!(shop.offer(&tea).await.available, 4);
}

#[tokio::test]
async fn everything_that_is_wrong_with_an_order_is_told_at_once() {
    let shop = Shop::open().await;
    let [cup, pot, tea] =
        [shop.sells("CUP", 900, 5).await, shop.sells("POT", 50, 1).await, shop.sells("TEA", 450, 5).await];
    let ann = customer();
    for offer in [&cup, &pot, &tea] {
        shop.set_line(ann, offer, 2).await;
    }
    let quote = shop.quote(ann).await;
    shop.change_offer(&tea, |offer| offer.prices.values_mut().for_each(|price| price.amount = 500)).await;
    shop.set_line(ann, &cup, 3).await;
    let order = order("key", &quote, at(0));
    let refused = reasons(shop.table.place_order(&order, &quote, "fingerprint").await);
    let [NotPlaced::LineRefused { line: 1, .. }, NotPlaced::LineRefused { line: 2, .. }, NotPlaced::CartChanged] =
        &refused[..]
    else {
        panic!("{refused:?}");
    };
    assert_untouched(&shop, &order, &[&cup, &pot, &tea]).await;
}

#[tokio::test]
async fn the_same_key_again_answers_the_order_of_the_first_whatever_else_has_changed() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 1).await;
    let ann = customer();
    shop.set_line(ann, &tea, 1).await;
    let quote = shop.quote(ann).await;
    let first = order("key", &quote, at(0));
    shop.table.place_order(&first, &quote, "first").await.unwrap();
    shop.change_offer(&tea, |offer| offer.active = false).await;
    let again = order("key", &quote, at(60));
    let refused = reasons(shop.table.place_order(&again, &quote, "second").await);
    let NotPlaced::AlreadyPlaced { order, fingerprint } = &refused[0] else { panic!("{refused:?}") };
    assert_eq!((&**order, fingerprint.as_str()), (&first, "first"));
    assert_eq!(shop.offer(&tea).await.available, 0);
}

#[tokio::test]
async fn the_same_key_answers_the_order_as_it_has_become() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 1).await;
    let ann = customer();
    shop.set_line(ann, &tea, 1).await;
    let quote = shop.quote(ann).await;
    let placed = order("key", &quote, at(0));
    shop.table.place_order(&placed, &quote, "first").await.unwrap();
    let paid = shop.command(&placed, crate::shop::pay(&placed)).await;
    let refused = reasons(shop.table.place_order(&placed, &quote, "first").await);
    let NotPlaced::AlreadyPlaced { order, fingerprint } = &refused[0] else { panic!("{refused:?}") };
    assert_eq!((&**order, fingerprint.as_str()), (&paid, "first"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_many_times_at_once_places_one_order() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 50).await;
    let ann = customer();
    shop.set_line(ann, &tea, 1).await;
    let quote = shop.quote(ann).await;
    let requests: Vec<_> = (0..20)
        .map(|seconds| {
            let (table, quote) = (shop.table.clone(), quote.clone());
            tokio::spawn(async move {
                let order = order("key", &quote, at(seconds));
                table.place_order(&order, &quote, "fingerprint").await
            })
        })
        .collect();
    let mut placed = 0;
    for request in requests {
        match request.await.unwrap() {
            Ok(()) => placed += 1,
            refused => assert!(matches!(reasons(refused)[0], NotPlaced::AlreadyPlaced { .. })),
        }
    }
    assert_eq!((placed, shop.offer(&tea).await.available), (1, 49));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_buyers_at_once_40_get_the_40_units_that_are_left() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 40).await;
    let mut quotes = Vec::new();
    for _ in 0..200 {
        let buyer = customer();
        shop.set_line(buyer, &tea, 1).await;
        quotes.push(shop.quote(buyer).await);
    }
    let buyers: Vec<_> = quotes
        .into_iter()
        .map(|quote| {
            let table = shop.table.clone();
            tokio::spawn(async move {
                let order = order("key", &quote, at(0));
                let mut outcome = table.place_order(&order, &quote, "fingerprint").await;
                // Who is told that the table is busy asks again, as a client does: DynamoDB Local lets nobody wait for long.
                for _ in 0..10 {
                    if !matches!(outcome, Err(Refused::Failed(StorageError::Busy(_)))) {
                        break;
                    }
                    outcome = table.place_order(&order, &quote, "fingerprint").await;
                }
                let cart = table.cart(quote.buyer).await.unwrap();
                (outcome, table.order(order.id).await.unwrap(), cart)
            })
        })
        .collect();
    let (mut placed, mut refused) = (0, 0);
    for buyer in buyers {
        match buyer.await.unwrap() {
            (Ok(()), Some(_), None) => placed += 1,
            (outcome @ Err(_), None, Some(_)) => {
                let reasons = reasons(outcome);
                assert_eq!(line_refused(&reasons).2.map(|offer| offer.available), Some(0));
                refused += 1;
            }
            other => panic!("neither placed nor refused: {other:?}"),
        }
    }
    assert_eq!((placed, refused, shop.offer(&tea).await.available), (40, 160, 0));
}

#[tokio::test]
async fn no_two_orders_have_the_same_number_and_each_is_read_by_its_own_id() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let first = shop.placed_by(customer(), &tea, at(0)).await;
    let buyer = customer();
    shop.set_line(buyer, &tea, 1).await;
    let quote = shop.quote(buyer).await;
    // Another id with the same end, which a hash comes to once in a very long time.
    let text = first.id.to_string();
    let begin = if text.starts_with("ord_7") { "ord_6" } else { "ord_7" };
    let other: OrderId = format!("{begin}{}", &text[begin.len()..]).parse().unwrap();
    assert_eq!((other == first.id, other.number()), (false, first.id.number()));
    let order = Order { id: other, ..order("key", &quote, at(1)) };
    let refused = reasons(shop.table.place_order(&order, &quote, "fingerprint").await);
    assert!(matches!(refused[0], NotPlaced::NumberTaken), "{refused:?}");
    assert_eq!(shop.table.order(other).await.unwrap(), None);
    assert_eq!(shop.table.placed_order(other).await.unwrap(), None);
    assert_eq!(shop.table.order_numbered(other.number()).await.unwrap(), Some(first));
    assert_eq!(shop.offer(&tea).await.available, 4, "nothing was taken");
}
