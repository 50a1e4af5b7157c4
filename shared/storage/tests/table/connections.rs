//! Tickets and the WebSockets they open.

use waybill_domain::id::AccountId;
use waybill_storage::connections::TicketRefused;

use crate::shop::{SESSION, Shop, at, customer, reasons, session_id};

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
    shop.table.forget_gone("one", at(10)).await.unwrap();
    assert_eq!(open(&shop, ann).await, ["one"]);
    shop.table.forget_gone("one", at(11)).await.unwrap();
    shop.table.forget_gone("one", at(11)).await.unwrap();
    assert_eq!(open(&shop, ann).await, [""; 0]);
}
