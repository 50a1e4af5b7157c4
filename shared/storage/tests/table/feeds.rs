//! What happened to orders, numbered.

use std::collections::BTreeSet;

use serde_json::json;
use waybill_domain::id::{AccountId, OrderId};
use waybill_domain::message::Entry;
use waybill_domain::order::{Contact, FulfilmentStatus, Order, PaymentStatus};
use waybill_domain::update::{Feed, Update};
use waybill_storage::feeds::{KEPT, PAGE};

use crate::shop::{Shop, at, customer, order_id};
use crate::tallies::invented;

const DAY: i64 = 24 * 60 * 60;

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

/// An order that changed at these seconds.
fn changed(buyer: AccountId, id: OrderId, seconds: &[i64]) -> Order {
    let order = invented(0).swap_remove(0);
    let entry = |second: &i64| Entry { at: at(*second), ..order.timeline[0].clone() };
    Order { id, buyer, timeline: seconds.iter().map(entry).collect(), ..order }
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
    shop.table.keep(feed, at(5)).await.unwrap();
    assert_eq!(shop.table.position(feed).await.unwrap(), start() - 1);
    let first = shop.table.append(feed, &updates(order, 1..=3), at(5)).await.unwrap().unwrap();
    let second = shop.table.append(feed, &updates(order, 4..=4), at(5)).await.unwrap().unwrap();
    let third = shop.table.append(feed, &updates(order, 5..=6), at(5)).await.unwrap().unwrap();
    let start = start();
    assert_eq!([first, second, third].concat(), (start..start + 6).collect::<Vec<_>>());
    assert_eq!(shop.table.position(feed).await.unwrap(), start + 5);
    for after in start..start + 6 {
        let missed = shop.table.missed(feed, after, at(6)).await.unwrap();
        let numbers: Vec<_> = missed.updates.iter().map(|numbered| numbered.number).collect();
        assert_eq!(numbers, (after + 1..start + 6).collect::<Vec<_>>());
        for numbered in &missed.updates {
            assert_eq!(u64::from(numbered.update.version), numbered.number - start + 1);
        }
        assert!(missed.complete && !missed.more);
    }
    // Who saw the feed empty gets all of it, and who saw something before it was followed is told so.
    let all = shop.table.missed(feed, start - 1, at(6)).await.unwrap();
    assert_eq!((all.updates.len(), all.complete), (6, true));
    let old = shop.table.missed(feed, start - 2, at(6)).await.unwrap();
    assert_eq!((old.updates.len(), old.complete), (6, false));
    // And who says what nobody has seen is told of nothing.
    assert_eq!(shop.table.missed(feed, u64::MAX, at(6)).await.unwrap().updates, []);
    let Feed::Of(buyer) = feed else { unreachable!("it is a buyer's") };
    let order = changed(buyer, order, &[1; 6]);
    let nothing = shop.table.missed_of(&order, u32::MAX, at(6)).await.unwrap();
    assert_eq!((nothing.updates, nothing.complete), (vec![], true));
}

#[tokio::test]
async fn what_is_appended_again_keeps_its_numbers() {
    let shop = Shop::open().await;
    let (feed, order) = (Feed::All(0), order_id());
    shop.table.keep(feed, at(5)).await.unwrap();
    let first = shop.table.append(feed, &updates(order, 1..=3), at(5)).await.unwrap().unwrap();
    assert_eq!(shop.table.append(feed, &updates(order, 1..=3), at(6)).await.unwrap().unwrap(), first);
    let more = shop.table.append(feed, &updates(order, 2..=5), at(6)).await.unwrap().unwrap();
    assert_eq!(more, [first[1], first[2], first[2] + 1, first[2] + 2]);
    assert_eq!(shop.table.missed(feed, 0, at(6)).await.unwrap().updates.len(), 5);
    shop.wire.lose_reply_after(1);
    let lost = shop.table.append(feed, &updates(order, 6..=6), at(6)).await.unwrap().unwrap();
    assert_eq!(lost, [first[2] + 3]);
    assert_eq!(shop.table.missed(feed, 0, at(6)).await.unwrap().updates.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_who_append_at_once_make_neither_gaps_nor_doubles() {
    let shop = Shop::open().await;
    let feed = Feed::All(1);
    shop.table.keep(feed, at(5)).await.unwrap();
    let appending = (0..8).map(|_| {
        let (table, order) = (shop.table.clone(), order_id());
        tokio::spawn(async move {
            let mut numbers = Vec::new();
            for batch in 0..4 {
                let first = batch * 2 + 1;
                loop {
                    // The stream brings again what was not taken.
                    if let Ok(Some(taken)) = table.append(feed, &updates(order, first..=first + 1), at(5)).await {
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
    shop.table.keep(feed, at(5)).await.unwrap();
    for batch in 0..25 {
        shop.table.append(feed, &updates(order, batch * 10 + 1..=batch * 10 + 10), at(5)).await.unwrap().unwrap();
    }
    let (mut after, mut versions, mut pages) = (start() - 1, Vec::new(), 0);
    loop {
        let missed = shop.table.missed(feed, after, at(6)).await.unwrap();
        assert!(missed.complete && missed.updates.len() <= PAGE);
        after = missed.updates.last().unwrap().number;
        versions.extend(missed.updates.into_iter().map(|numbered| numbered.update.version));
        pages += 1;
        if !missed.more {
            break;
        }
    }
    assert_eq!((pages, versions), (3, (1..=250).collect::<Vec<_>>()));
    let exactly = shop.table.missed(feed, start() + 149, at(6)).await.unwrap();
    assert_eq!((exactly.updates.len(), exactly.more), (PAGE, false));
    let of_one = shop.table.missed_of(&changed(buyer, order, &[5; 250]), 100, at(6)).await.unwrap();
    assert_eq!((of_one.updates[0].number, of_one.updates.len(), of_one.more), (101, PAGE, true));
}

#[tokio::test]
async fn one_order_is_found_among_the_others_of_its_buyer() {
    let shop = Shop::open().await;
    let (buyer, one, other) = (customer(), order_id(), order_id());
    let feed = Feed::Of(buyer);
    shop.table.keep(feed, at(5)).await.unwrap();
    for version in 1..=150 {
        shop.table.append(feed, &[update(one, version), update(other, version)], at(5)).await.unwrap().unwrap();
    }
    shop.wire.calls();
    let order = changed(buyer, one, &[6; 150]);
    let missed = shop.table.missed_of(&order, 148, at(7)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query"]);
    assert!(missed.updates.iter().all(|numbered| numbered.update.order_id == one));
    let versions: Vec<_> = missed.updates.iter().map(|numbered| numbered.number).collect();
    assert_eq!((versions, missed.complete), (vec![149, 150], true));
    let missed = shop.table.missed_of(&order, 150, at(7)).await.unwrap();
    assert_eq!((missed.updates, missed.complete), (vec![], true));
}

#[tokio::test]
async fn of_one_order_all_is_there_that_happened_since_its_buyer_is_followed_or_is_on_its_way() {
    let shop = Shop::open().await;
    let (buyer, id) = (customer(), order_id());
    // Nobody followed it when it was placed, and somebody did when it was changed.
    let order = changed(buyer, id, &[4, 66, 67]);
    let missed = async |after, now| {
        let missed = shop.table.missed_of(&order, after, at(now)).await.unwrap();
        (missed.updates.iter().map(|numbered| numbered.number).collect::<Vec<_>>(), missed.complete)
    };
    assert_eq!(missed(2, 5).await, (vec![], false));
    assert_eq!(missed(3, 5).await, (vec![], true), "nothing has happened since");
    shop.table.keep(Feed::Of(buyer), at(5)).await.unwrap();
    assert_eq!(missed(0, 67).await, (vec![], false));
    assert_eq!(missed(1, 67).await, (vec![], true), "it comes");
    shop.table.append(Feed::Of(buyer), &updates(id, 2..=2), at(67)).await.unwrap();
    assert_eq!(missed(0, 67).await, (vec![2], false));
    assert_eq!(missed(1, 67).await, (vec![2], true));
    assert_eq!(missed(1, 67 + DAY).await, (vec![2], false), "it has not come");
    assert_eq!(missed(1, 10 * DAY).await, (vec![2], false), "it is kept no longer");
    // What happened a moment before the mark was made may have found none.
    let order = changed(buyer, id, &[4, 65]);
    let missed = shop.table.missed_of(&order, 1, at(65)).await.unwrap();
    assert_eq!((missed.updates.len(), missed.complete), (1, true));
    let order = changed(buyer, order_id(), &[4, 65]);
    assert!(!shop.table.missed_of(&order, 1, at(65)).await.unwrap().complete);
}

#[tokio::test]
async fn of_an_order_whose_buyer_was_forgotten_nothing_is_said_to_be_there_that_is_not() {
    let shop = Shop::open().await;
    let (buyer, id) = (customer(), order_id());
    let mut order = changed(buyer, id, &[1, 2]);
    order.contact = Contact::Forgotten { forgotten_at: at(3) };
    assert_eq!(order.version(), 3);
    shop.table.keep(Feed::Of(buyer), at(5)).await.unwrap();
    assert!(shop.table.missed_of(&order, 3, at(6)).await.unwrap().complete);
    order.timeline.push(Entry { at: at(4), ..order.timeline[0].clone() });
    assert!(!shop.table.missed_of(&order, 3, at(6)).await.unwrap().complete);
    assert!(shop.table.missed_of(&order, 4, at(6)).await.unwrap().complete);
}

#[tokio::test]
async fn no_number_is_given_again_where_all_that_had_one_has_expired_and_who_had_it_is_told() {
    // DynamoDB deletes what has expired at some time; until then it is there.
    for is_deleted in [false, true] {
        let shop = Shop::open().await;
        let (buyer, order) = (customer(), order_id());
        let feed = Feed::Of(buyer);
        shop.table.keep(feed, at(0)).await.unwrap();
        let begun = shop.table.position(feed).await.unwrap();
        let seen = shop.table.append(feed, &updates(order, 1..=3), at(0)).await.unwrap().unwrap()[2];
        for day in 1..=6 {
            shop.table.keep(feed, at(day * DAY)).await.unwrap();
        }
        assert_eq!(shop.table.position(feed).await.unwrap(), seen, "it was not begun anew");
        assert!(shop.table.missed(feed, begun, at(7 * DAY - 1)).await.unwrap().complete);
        if is_deleted {
            let key = json!({ "pk": { "S": format!("FEED#{buyer}") }, "sk": { "S": format!("{:016}", begun + 1) } });
            shop.call("DynamoDB_20120810.DeleteItem", json!({ "TableName": shop.name, "Key": key })).await;
        }
        let numbers = shop.table.append(feed, &updates(order, 4..=4), at(7 * DAY)).await.unwrap().unwrap();
        assert!(numbers[0] > seen + 1, "{numbers:?} after {seen}");
        let missed = shop.table.missed(feed, seen, at(7 * DAY)).await.unwrap();
        assert_eq!((missed.updates.len(), missed.complete), (1, false), "there may have been more");
    }
}

#[tokio::test]
async fn who_comes_back_to_a_feed_that_has_run_dry_is_told_so() {
    let shop = Shop::open().await;
    let feed = Feed::All(3);
    shop.table.keep(feed, at(0)).await.unwrap();
    let seen = shop.table.position(feed).await.unwrap();
    shop.table.keep(feed, at(6 * DAY)).await.unwrap();
    assert_eq!(shop.table.position(feed).await.unwrap(), seen);
    shop.table.keep(feed, at(7 * DAY)).await.unwrap();
    assert!(shop.table.position(feed).await.unwrap() > seen);
    assert!(!shop.table.missed(feed, seen, at(7 * DAY)).await.unwrap().complete);
}

#[tokio::test]
async fn an_update_is_appended_by_one_read_and_one_unit_and_kept_for_a_week() {
    let shop = Shop::open().await;
    let (feed, order) = (Feed::Of(customer()), order_id());
    shop.table.keep(feed, at(5)).await.unwrap();
    shop.table.append(feed, &updates(order, 1..=1), at(5)).await.unwrap().unwrap();
    shop.wire.calls();
    shop.wire.units();
    shop.table.append(feed, &updates(order, 2..=2), at(5)).await.unwrap().unwrap();
    assert_eq!(shop.wire.calls(), ["Query", "PutItem"]);
    assert!(shop.is_elsewhere() || shop.wire.units() == 1.0 + 1.0);
    shop.table.position(feed).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query"]);
    let kept = shop.items().await.to_string();
    assert!(kept.contains(&format!("\"expires_at\":{{\"N\":\"{}\"}}", (at(5) + KEPT).as_second())), "{kept}");
}

#[tokio::test]
async fn nothing_is_appended_to_what_nobody_follows_and_who_begins_to_later_is_told_that_it_is_not_all() {
    let shop = Shop::open().await;
    let (feed, order) = (Feed::Of(customer()), order_id());
    shop.wire.calls();
    assert_eq!(shop.table.append(feed, &updates(order, 1..=1), at(5)).await.unwrap(), None);
    assert_eq!(shop.wire.calls(), ["Query"]);
    shop.table.keep(feed, at(6)).await.unwrap();
    let begun = shop.table.position(feed).await.unwrap();
    let numbers = shop.table.append(feed, &updates(order, 2..=3), at(7)).await.unwrap();
    assert_eq!(numbers, Some(vec![begun + 1, begun + 2]));
    assert!(shop.table.missed(feed, begun, at(8)).await.unwrap().complete);
    assert!(!shop.table.missed(feed, begun - 1, at(8)).await.unwrap().complete);
    assert!(!shop.table.missed(feed, 0, at(8)).await.unwrap().complete);
}

#[tokio::test]
async fn a_feed_is_kept_for_a_week_after_the_day_on_which_it_was_followed_last() {
    let shop = Shop::open().await;
    let (feed, order) = (Feed::All(2), order_id());
    shop.table.keep(feed, at(0)).await.unwrap();
    let begun = shop.table.position(feed).await.unwrap();
    shop.wire.calls();
    shop.table.keep(feed, at(DAY - 1)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query"], "once a day is enough");
    shop.table.keep(feed, at(DAY)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query", "PutItem"]);
    assert_eq!(shop.table.position(feed).await.unwrap(), begun, "it is the same feed still");
    let end = at(10 * DAY);
    assert!(end > at(2 * DAY - 1) + KEPT);
    let append = async |version, now| shop.table.append(feed, &updates(order, version..=version), now).await.unwrap();
    assert_eq!(append(1, at(7 * DAY - 1)).await, Some(vec![begun + 1]));
    assert_eq!(append(2, at(10 * DAY - 1)).await, Some(vec![begun + 2]));
    assert_eq!(append(3, end).await, None);
    assert!(!shop.table.missed(feed, begun, end).await.unwrap().complete, "more may have come since then");
    // Whoever follows it again begins behind what it was.
    shop.table.keep(feed, end).await.unwrap();
    let anew = shop.table.position(feed).await.unwrap();
    assert!(anew > begun + 2);
    assert_eq!(append(4, end).await, Some(vec![anew + 1]));
    assert!(!shop.table.missed(feed, begun + 2, end).await.unwrap().complete);
    let missed = shop.table.missed(feed, anew, end).await.unwrap();
    assert_eq!((missed.updates.len(), missed.complete), (1, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_who_begin_to_follow_at_once_begin_at_the_same_number() {
    let shop = Shop::open().await;
    let feed = Feed::Of(customer());
    let beginning = (0..8).map(|who| {
        let table = shop.table.clone();
        tokio::spawn(async move {
            table.keep(feed, at(who)).await.unwrap();
            table.position(feed).await.unwrap()
        })
    });
    let positions = futures_util::future::join_all(beginning).await.into_iter().map(Result::unwrap);
    assert_eq!(positions.collect::<BTreeSet<_>>().len(), 1);
}
