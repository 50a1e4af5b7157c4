//! What happened to orders, numbered.

use std::collections::BTreeSet;

use waybill_domain::id::OrderId;
use waybill_domain::order::{FulfilmentStatus, PaymentStatus};
use waybill_domain::update::{Feed, Update};
use waybill_storage::feeds::{KEPT, PAGE};

use crate::shop::{Shop, at, customer, order_id};

fn update(order: OrderId, version: u32) -> Update {
    Update {
        id: format!("{order}/{version}"),
        r#type: "order.placed".into(),
        at: at(1),
        order_id: order,
        version,
        payment_status: PaymentStatus::Pending,
        fulfilment_status: FulfilmentStatus::Unfulfilled,
        carrier: None,
        tracking_number: None,
    }
}

fn updates(order: OrderId, versions: std::ops::RangeInclusive<u32>) -> Vec<Update> {
    versions.map(|version| update(order, version)).collect()
}

/// The first number of a feed that is begun at second 5.
fn start() -> u64 {
    u64::try_from(at(5).as_microsecond()).unwrap()
}

#[tokio::test]
async fn updates_are_numbered_without_gaps_and_answered_from_any_number_on() {
    let shop = Shop::open().await;
    let (feed, order) = (Feed::Of(customer()), order_id());
    assert_eq!(shop.table.position(feed).await.unwrap(), 0);
    let first = shop.table.append(feed, &updates(order, 1..=3), at(5)).await.unwrap();
    let second = shop.table.append(feed, &updates(order, 4..=4), at(5)).await.unwrap();
    let third = shop.table.append(feed, &updates(order, 5..=6), at(5)).await.unwrap();
    let start = start();
    assert_eq!([first, second, third].concat(), (start..start + 6).collect::<Vec<_>>());
    assert_eq!(shop.table.position(feed).await.unwrap(), start + 5);
    for after in start..start + 6 {
        let missed = shop.table.missed(feed, after).await.unwrap();
        let numbers: Vec<_> = missed.updates.iter().map(|numbered| numbered.number).collect();
        assert_eq!(numbers, (after + 1..start + 6).collect::<Vec<_>>());
        for numbered in &missed.updates {
            assert_eq!(u64::from(numbered.update.version), numbered.number - start + 1);
        }
        assert!(missed.complete && !missed.more);
    }
    // Who saw the feed empty gets all of it, and who saw something before all that is left is told so.
    let all = shop.table.missed(feed, 0).await.unwrap();
    assert_eq!((all.updates.len(), all.complete), (6, true));
    let old = shop.table.missed(feed, start - 2).await.unwrap();
    assert_eq!((old.updates.len(), old.complete), (6, false));
    // And who says what nobody has seen is told of nothing.
    assert_eq!(shop.table.missed(feed, u64::MAX).await.unwrap().updates, []);
    let Feed::Of(buyer) = feed else { unreachable!("it is a buyer's") };
    assert_eq!(shop.table.missed_of(buyer, order, u32::MAX).await.unwrap().updates, []);
}

#[tokio::test]
async fn what_is_appended_again_keeps_its_numbers() {
    let shop = Shop::open().await;
    let (feed, order) = (Feed::All(0), order_id());
    let first = shop.table.append(feed, &updates(order, 1..=3), at(5)).await.unwrap();
    assert_eq!(shop.table.append(feed, &updates(order, 1..=3), at(6)).await.unwrap(), first);
    let more = shop.table.append(feed, &updates(order, 2..=5), at(6)).await.unwrap();
    assert_eq!(more, [first[1], first[2], first[2] + 1, first[2] + 2]);
    assert_eq!(shop.table.missed(feed, 0).await.unwrap().updates.len(), 5);
    shop.wire.lose_reply_after(1);
    let lost = shop.table.append(feed, &updates(order, 6..=6), at(6)).await.unwrap();
    assert_eq!(lost, [first[2] + 3]);
    assert_eq!(shop.table.missed(feed, 0).await.unwrap().updates.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_who_append_at_once_make_neither_gaps_nor_doubles() {
    let shop = Shop::open().await;
    let feed = Feed::All(1);
    let appending = (0..8).map(|_| {
        let (table, order) = (shop.table.clone(), order_id());
        tokio::spawn(async move {
            let mut numbers = Vec::new();
            for batch in 0..4 {
                let first = batch * 2 + 1;
                loop {
                    // The stream brings again what was not taken.
                    if let Ok(taken) = table.append(feed, &updates(order, first..=first + 1), at(5)).await {
                        numbers.extend(taken);
                        break;
                    }
                }
            }
            assert!(numbers.is_sorted(), "{numbers:?}");
            numbers
        })
    });
    let mut numbers = BTreeSet::new();
    for appended in appending.collect::<Vec<_>>() {
        numbers.extend(appended.await.unwrap());
    }
    assert_eq!(numbers.into_iter().collect::<Vec<_>>(), (start()..start() + 64).collect::<Vec<_>>());
}

#[tokio::test]
async fn much_that_was_missed_comes_in_pages() {
    let shop = Shop::open().await;
    let (buyer, order) = (customer(), order_id());
    let feed = Feed::Of(buyer);
    for batch in 0..25 {
        shop.table.append(feed, &updates(order, batch * 10 + 1..=batch * 10 + 10), at(5)).await.unwrap();
    }
    let (mut after, mut versions, mut pages) = (0, Vec::new(), 0);
    loop {
        let missed = shop.table.missed(feed, after).await.unwrap();
        assert!(missed.complete && missed.updates.len() <= PAGE);
        after = missed.updates.last().unwrap().number;
        versions.extend(missed.updates.into_iter().map(|numbered| numbered.update.version));
        pages += 1;
        if !missed.more {
            break;
        }
    }
    assert_eq!((pages, versions), (3, (1..=250).collect::<Vec<_>>()));
    let exactly = shop.table.missed(feed, start() + 149).await.unwrap();
    assert_eq!((exactly.updates.len(), exactly.more), (PAGE, false));
    let of_one = shop.table.missed_of(buyer, order, 100).await.unwrap();
    assert_eq!((of_one.updates[0].number, of_one.updates.len(), of_one.more), (101, PAGE, true));
}

#[tokio::test]
async fn one_order_is_found_among_the_others_of_its_buyer() {
    let shop = Shop::open().await;
    let (buyer, one, other) = (customer(), order_id(), order_id());
    let feed = Feed::Of(buyer);
    for version in 1..=150 {
        shop.table.append(feed, &[update(one, version), update(other, version)], at(5)).await.unwrap();
    }
    shop.wire.calls();
    let missed = shop.table.missed_of(buyer, one, 148).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query"]);
    assert!(missed.updates.iter().all(|numbered| numbered.update.order_id == one));
    let versions: Vec<_> = missed.updates.iter().map(|numbered| numbered.number).collect();
    assert_eq!((versions, missed.complete), (vec![149, 150], true));
    assert!(shop.table.missed_of(buyer, one, 150).await.unwrap().updates.is_empty());
    let unknown = shop.table.missed_of(customer(), one, 3).await.unwrap();
    assert_eq!((unknown.updates.len(), unknown.complete), (0, true));
}

#[tokio::test]
async fn an_update_is_appended_by_one_read_and_one_unit_and_kept_for_a_week() {
    let shop = Shop::open().await;
    let (feed, order) = (Feed::Of(customer()), order_id());
    shop.table.append(feed, &updates(order, 1..=1), at(5)).await.unwrap();
    shop.wire.calls();
    shop.wire.units();
    shop.table.append(feed, &updates(order, 2..=2), at(5)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query", "PutItem"]);
    assert!(shop.is_elsewhere() || shop.wire.units() == 1.0 + 1.0);
    shop.table.position(feed).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query"]);
    let kept = shop.items().await.to_string();
    assert!(kept.contains(&format!("\"expires_at\":{{\"N\":\"{}\"}}", (at(5) + KEPT).as_second())), "{kept}");
}
