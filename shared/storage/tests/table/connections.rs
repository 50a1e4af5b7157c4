//! Tickets and the WebSockets they open.

use futures_util::future::try_join_all;
use serde_json::{Value, json};
use waybill_domain::id::{AccountId, OrderId};
use waybill_storage::connections::{Followed, Follows, Listener, MAX_FOLLOWED, TicketRefused, Topic};

use crate::shop::{SESSION, Shop, at, customer, order_id, reasons, session_id};

async fn open(shop: &Shop, account: AccountId) -> Vec<String> {
    let connections = shop.table.connections_of(account).await.unwrap();
    assert!(connections.iter().all(|connection| connection.session == SESSION));
    connections.into_iter().map(|connection| connection.id).collect()
}

#[tokio::test]
async fn a_ticket_opens_one_connection() {
    let shop = Shop::open().await;
    let ann = customer();
    shop.table.issue_ticket(ann, SESSION, "ticket", at(30)).await.unwrap();
    shop.table.connect(ann, SESSION, "ticket", "one", at(1), at(7200)).await.unwrap();
    assert_eq!(reasons(shop.table.connect(ann, SESSION, "ticket", "two", at(1), at(7200)).await), [TicketRefused]);
    assert_eq!(open(&shop, ann).await, ["one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_one_connection_however_many_want_it_at_once() {
    let shop = Shop::open().await;
    let ann = customer();
    shop.table.issue_ticket(ann, SESSION, "ticket", at(30)).await.unwrap();
    let tries: Vec<_> = (0..20)
        .map(|number| {
            let table = shop.table.clone();
            tokio::spawn(async move {
                table.connect(ann, SESSION, "ticket", &format!("connection-{number}"), at(1), at(7200)).await.is_ok()
            })
        })
        .collect();
    let mut open = 0;
    for try_ in tries {
        open += usize::from(try_.await.unwrap());
    }
    assert_eq!((open, shop.table.connections_of(ann).await.unwrap().len()), (1, 1));
}

#[tokio::test]
async fn an_expired_ticket_opens_none_even_while_its_item_is_there() {
    let shop = Shop::open().await;
    let ann = customer();
    shop.table.issue_ticket(ann, SESSION, "ticket", at(30)).await.unwrap();
    assert_eq!(reasons(shop.table.connect(ann, SESSION, "ticket", "one", at(30), at(7200)).await), [TicketRefused]);
    assert_eq!(open(&shop, ann).await, [""; 0]);
    shop.table.connect(ann, SESSION, "ticket", "one", at(29), at(7200)).await.unwrap();
}

#[tokio::test]
async fn a_ticket_that_was_never_issued_or_is_somebody_elses_opens_none() {
    let shop = Shop::open().await;
    let (ann, bob) = (customer(), customer());
    shop.table.issue_ticket(ann, SESSION, "ticket", at(30)).await.unwrap();
    assert_eq!(reasons(shop.table.connect(ann, SESSION, "guess", "one", at(1), at(7200)).await), [TicketRefused]);
    assert_eq!(reasons(shop.table.connect(bob, SESSION, "ticket", "one", at(1), at(7200)).await), [TicketRefused]);
    let other = session_id();
    assert_eq!(reasons(shop.table.connect(ann, other, "ticket", "one", at(1), at(7200)).await), [TicketRefused]);
    assert_eq!(open(&shop, bob).await, [""; 0]);
}

#[tokio::test]
async fn the_connections_of_an_account_are_its_own_and_open() {
    let shop = Shop::open().await;
    let (ann, bob) = (customer(), customer());
    for (account, ticket, connection) in [(ann, "1", "one"), (ann, "2", "two"), (bob, "3", "three")] {
        shop.table.issue_ticket(account, SESSION, ticket, at(30)).await.unwrap();
        shop.table.connect(account, SESSION, ticket, connection, at(1), at(7200)).await.unwrap();
    }
    assert_eq!(open(&shop, ann).await, ["one", "two"]);
    shop.table.disconnect("one").await.unwrap();
    shop.table.disconnect("one").await.unwrap();
    assert_eq!(open(&shop, ann).await, ["two"]);
    assert_eq!(open(&shop, bob).await, ["three"]);
}

#[tokio::test]
async fn a_connection_that_is_called_gone_is_forgotten_unless_it_is_only_being_opened() {
    let shop = Shop::open().await;
    let ann = customer();
    shop.table.issue_ticket(ann, SESSION, "ticket", at(30)).await.unwrap();
    shop.table.connect(ann, SESSION, "ticket", "one", at(10), at(7200)).await.unwrap();
    let gone = &shop.table.connections_of(ann).await.unwrap()[0];
    shop.table.forget_gone(gone, at(10)).await.unwrap();
    assert_eq!(open(&shop, ann).await, ["one"]);
    shop.table.forget_gone(gone, at(11)).await.unwrap();
    shop.table.forget_gone(gone, at(11)).await.unwrap();
    assert_eq!(open(&shop, ann).await, [""; 0]);
}

fn ids(listeners: Vec<Listener>) -> Vec<String> {
    let mut ids: Vec<_> = listeners.into_iter().map(|listener| listener.id).collect();
    ids.sort();
    ids
}

/// Opens a connection of this name.
async fn connect(shop: &Shop, account: AccountId, connection: &str) {
    shop.table.issue_ticket(account, SESSION, connection, at(30)).await.unwrap();
    shop.table.connect(account, SESSION, connection, connection, at(1), at(7200)).await.unwrap();
}

#[tokio::test]
async fn a_connection_follows_what_it_asked_for_until_it_leaves_it_or_ends() {
    let shop = Shop::open().await;
    let (ann, order) = (customer(), order_id());
    for connection in ["one", "two", "three"] {
        connect(&shop, ann, connection).await;
        for followed in [Followed::All, Followed::Order(order), Followed::All] {
            assert_eq!(shop.table.follow(connection, followed).await.unwrap(), Follows::Now);
        }
    }
    let known = shop.table.connection("one").await.unwrap().unwrap();
    assert_eq!(known.follows, [Followed::All, Followed::Order(order)]);
    assert_eq!((known.account, known.session, known.ends_at), (ann, SESSION, at(7200)));
    for _ in 0..2 {
        shop.table.unfollow("one", Followed::All).await.unwrap();
        shop.table.disconnect("two").await.unwrap();
    }
    assert_eq!(ids(shop.table.followers_of_all().await.unwrap()), ["three"]);
    assert_eq!(ids(shop.table.followers_of(order).await.unwrap()), ["one", "three"]);
    assert_eq!(open(&shop, ann).await, ["one", "three"]);
    assert_eq!(shop.table.follow("two", Followed::All).await.unwrap(), Follows::Unknown);
    assert_eq!(ids(shop.table.followers_of_all().await.unwrap()), ["three"]);
    for connection in ["one", "three"] {
        shop.table.disconnect(connection).await.unwrap();
    }
    let left = shop.items().await.to_string();
    assert!(!left.contains("LISTENERS#") && !left.contains("CONNECTION#"), "{left}");
}

#[tokio::test]
async fn a_connection_follows_so_many_orders_and_no_more() {
    let shop = Shop::open().await;
    connect(&shop, customer(), "one").await;
    for _ in 0..MAX_FOLLOWED {
        assert_eq!(shop.table.follow("one", Followed::Order(order_id())).await.unwrap(), Follows::Now);
    }
    let refused = order_id();
    assert_eq!(shop.table.follow("one", Followed::Order(refused)).await.unwrap(), Follows::TooMany);
    assert!(shop.table.followers_of(refused).await.unwrap().is_empty());
    // All of them are no order, before or after.
    assert_eq!(shop.table.follow("one", Followed::All).await.unwrap(), Follows::Now);
    connect(&shop, customer(), "two").await;
    assert_eq!(shop.table.follow("two", Followed::All).await.unwrap(), Follows::Now);
    for _ in 0..MAX_FOLLOWED {
        assert_eq!(shop.table.follow("two", Followed::Order(order_id())).await.unwrap(), Follows::Now);
    }
    assert_eq!(shop.table.follow("two", Followed::Order(refused)).await.unwrap(), Follows::TooMany);
}

/// A client does not wait for one answer before it asks again, and its frames are answered by different processes.
#[tokio::test]
async fn whatever_is_followed_at_once_is_forgotten_with_the_connection_and_is_no_more_than_may_be() {
    let shop = Shop::open().await;
    connect(&shop, customer(), "one").await;
    let orders: Vec<OrderId> = (0..MAX_FOLLOWED - 3).map(|_| order_id()).collect();
    for order in &orders {
        shop.table.follow("one", Followed::Order(*order)).await.unwrap();
    }
    let more: Vec<OrderId> = (0..6).map(|_| order_id()).collect();
    let asked = more.iter().map(|order| shop.table.follow("one", Followed::Order(*order)));
    let answers = try_join_all(asked).await.unwrap();
    assert_eq!(answers.iter().filter(|answer| **answer == Follows::Now).count(), 3, "{answers:?}");
    for (order, answer) in more.iter().zip(answers) {
        let followers = shop.table.followers_of(*order).await.unwrap().len();
        assert_eq!(followers, usize::from(answer == Follows::Now));
    }
    let unfollowed = orders.iter().take(4).map(|order| shop.table.unfollow("one", Followed::Order(*order)));
    try_join_all(unfollowed).await.unwrap();
    assert_eq!(shop.table.follow("one", Followed::Order(order_id())).await.unwrap(), Follows::Now);
    shop.table.disconnect("one").await.unwrap();
    let left = shop.items().await.to_string();
    assert!(!left.contains("LISTENERS#") && !left.contains("CONNECTION#"), "{left}");
}

#[tokio::test]
async fn a_listener_whose_connection_ended_while_it_began_to_follow_is_forgotten_when_it_is_met() {
    let shop = Shop::open().await;
    connect(&shop, customer(), "one").await;
    shop.table.follow("one", Followed::All).await.unwrap();
    let orphan = shop.table.followers_of_all().await.unwrap().remove(0);
    let stored = raw(&shop, "LISTENERS#ALL").await.remove(0);
    shop.table.disconnect("one").await.unwrap();
    put(&shop, std::slice::from_ref(&stored)).await;
    shop.table.forget_gone(&orphan, at(0)).await.unwrap();
    assert!(shop.table.followers_of_all().await.unwrap().is_empty());
    put(&shop, &[stored]).await;
    shop.table.silence(&orphan).await.unwrap();
    assert!(shop.table.followers_of_all().await.unwrap().is_empty());
}

/// The items whose partitions are named so, as they are stored.
async fn raw(shop: &Shop, beginning: &str) -> Vec<Value> {
    let items = shop.items().await;
    let is_meant = |item: &&Value| item["pk"]["S"].as_str().unwrap().starts_with(beginning);
    items.as_array().unwrap().iter().filter(is_meant).cloned().collect()
}

async fn put(shop: &Shop, items: &[Value]) {
    for items in items.chunks(25) {
        let puts: Vec<_> = items.iter().map(|item| json!({ "PutRequest": { "Item": item } })).collect();
        shop.call("DynamoDB_20120810.BatchWriteItem", json!({ "RequestItems": { &shop.name: puts } })).await;
    }
}

/// A query for each 1 MB, of a read unit for each 4 KB.
#[tokio::test]
async fn ten_thousand_who_follow_all_orders_are_found_by_two_queries_and_without_a_scan() {
    let shop = Shop::open_without_stream().await;
    connect(&shop, customer(), "0").await;
    shop.table.follow("0", Followed::All).await.unwrap();
    let made = raw(&shop, "LISTENERS#ALL").await.remove(0);
    let more = (1..10_000).map(|number| {
        let mut item = made.clone();
        item["sk"]["S"] = json!(format!("connection-{number:05}"));
        item
    });
    put(&shop, &more.collect::<Vec<_>>()).await;
    // Somebody else's connections are not looked at.
    let ann = customer();
    connect(&shop, ann, "ann").await;
    shop.wire.calls();
    shop.wire.units();
    assert_eq!(shop.table.followers_of_all().await.unwrap().len(), 10_000);
    let (calls, units) = (shop.wire.calls(), shop.wire.units());
    assert!(calls == ["Query"; 2] || shop.is_elsewhere() && calls.iter().all(|call| call == "Query"), "{calls:?}");
    println!("10,000 who follow all orders: {} queries, {units} read units", calls.len());
    assert!(shop.is_elsewhere() || units < 500.0, "{units}");
    assert_eq!(open(&shop, ann).await, ["ann"]);
    assert_eq!(shop.wire.calls(), ["Query"]);
    assert!(shop.is_elsewhere() || shop.wire.units() == 1.0);
    // Whether there are any is one unit, however many they are.
    for (topic, is_heard) in [(Topic::All, true), (Topic::Of(ann), true), (Topic::Of(customer()), false)] {
        assert_eq!(shop.table.has_listeners(topic).await.unwrap(), is_heard);
        assert_eq!(shop.wire.calls(), ["Query"]);
        assert!(shop.is_elsewhere() || shop.wire.units() == 1.0);
    }
}
