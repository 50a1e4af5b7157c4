//! Documents: each once, and numbered without a gap, whatever is issued at once, breaks off or is sent again.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use waybill_domain::document::{Document, Letterhead, Seller, Series};
use waybill_domain::order::refund::{self, Outcome, Request, Wanted};
use waybill_domain::order::{Command, Order};
use waybill_storage::documents::NotIssued;
use waybill_storage::{Cursor, StorageError};

use crate::shop::{Shop, at, order_id, pay, usd};

pub fn letterhead() -> Letterhead {
    let [invoices, credit_notes, reversals] = ["INV-", "CN-", "RV-"].map(|prefix| prefix.parse().unwrap());
    Letterhead { seller: Seller::new("Shop", "1 Main St", "").unwrap(), invoices, credit_notes, reversals }
}

/// An order that is paid.
pub async fn paid(shop: &Shop) -> Order {
    let tea = shop.sells(&format!("TEA-{}", crate::shop::number()), 450, 5).await;
    let placed = shop.placed(&tea).await;
    shop.command(&placed, pay(&placed)).await
}

/// Cents that were paid back.
async fn refunded(shop: &Shop, order: &Order, cents: i64) -> Order {
    let request = Request { key: cents.to_string(), fingerprint: String::new() };
    let wanted = Wanted::Amount(usd(cents));
    let asked = shop.command(order, Command::Refund(refund::Command::Request { wanted, reason: None, request })).await;
    let number = u32::try_from(asked.state.payment().unwrap().refunds.len()).unwrap();
    settle(shop, order, number, Outcome::Succeeded { stripe: format!("re_{number}") }).await
}

async fn settle(shop: &Shop, order: &Order, number: u32, outcome: Outcome) -> Order {
    shop.command(order, Command::Refund(refund::Command::Settle { number, outcome })).await
}

/// Issues what is due, as often as others are faster: so does the queue.
async fn issue(shop: &Shop, order: &Order) -> Vec<Document> {
    let mut issued = Vec::new();
    for _ in 0..50 {
        match shop.table.issue_documents(order.id, &letterhead(), at(10)).await {
            Ok(more) => {
                issued.extend(more);
                return issued;
            }
            Err(NotIssued::Failed(StorageError::Busy(_))) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("others were always faster");
}

/// The numbers of a series, from the first on.
async fn numbers(shop: &Shop, series: Series) -> Vec<String> {
    let page = shop.table.documents_in(series, 100, None).await.unwrap();
    page.items.iter().rev().map(|document| document.number.to_string()).collect()
}

fn serials(prefix: &str, count: usize) -> Vec<String> {
    (1..=count).map(|serial| format!("{prefix}{serial:06}")).collect()
}

#[tokio::test]
async fn documents_that_are_issued_all_at_once_are_numbered_without_a_gap_and_each_is_issued_once() {
    let shop = Shop::open().await;
    let mut orders = Vec::new();
    for _ in 0..12 {
        orders.push(paid(&shop).await);
    }
    let thrice = || orders.iter().chain(&orders).chain(&orders);
    let issued: Vec<_> = join_all(thrice().map(|order| issue(&shop, order))).await.concat();
    assert_eq!(numbers(&shop, Series::Invoice).await, serials("INV-", 12));
    let told: BTreeSet<_> = issued.iter().map(|document| document.number.to_string()).collect();
    assert_eq!((issued.len(), told), (12, serials("INV-", 12).into_iter().collect()), "each is told of once");

    // Two refunds of each, the second told of while the first is being issued.
    let once = join_all(orders.iter().map(|order| refunded(&shop, order, 100))).await;
    let work = once.iter().map(async |order| {
        let (first, second) = tokio::join!(issue(&shop, order), async {
            refunded(&shop, order, 350).await;
            issue(&shop, order).await
        });
        first.len() + second.len()
    });
    assert_eq!(join_all(work).await, [2; 12]);
    assert_eq!(numbers(&shop, Series::CreditNote).await, serials("CN-", 24));
    for order in &orders {
        let documents = shop.table.documents(order.id.number()).await.unwrap();
        let cents: Vec<_> = documents.iter().map(|document| document.total.amount).collect();
        assert_eq!(cents, [450, 100, 350]);
    }
}

#[tokio::test]
async fn a_document_is_issued_once_although_the_reply_was_lost_or_the_run_broke_off_anywhere() {
    let shop = Shop::open().await;
    let order = paid(&shop).await;
    shop.wire.calls();
    // The reply to the transaction, after those to three reads.
    shop.wire.lose_reply_after(3);
    assert_eq!(issue(&shop, &order).await.len(), 1);
    let write = "TransactWriteItems";
    assert_eq!(shop.wire.calls(), ["Query", "GetItem", "GetItem", write, write]);
    assert_eq!(issue(&shop, &order).await, []);
    for calls in 0..=8 {
        let order = refunded(&shop, &paid(&shop).await, 100).await;
        shop.wire.end_after(calls);
        let broken = shop.table.issue_documents(order.id, &letterhead(), at(10)).await;
        assert_eq!(broken.is_ok(), calls >= 6, "after {calls} calls: {broken:?}");
        shop.wire.go_on();
        issue(&shop, &order).await;
        let documents = shop.table.documents(order.id.number()).await.unwrap();
        assert_eq!(documents.len(), 2, "after {calls} calls");
    }
    let invoices = numbers(&shop, Series::Invoice).await;
    assert_eq!(invoices, serials("INV-", 10));
    assert_eq!(numbers(&shop, Series::CreditNote).await, serials("CN-", 9));
}

#[tokio::test]
async fn a_refund_that_failed_after_all_is_reversed_also_by_who_has_not_heard_of_all_of_it() {
    let shop = Shop::open().await;
    let order = refunded(&shop, &paid(&shop).await, 100).await;
    assert_eq!(issue(&shop, &order).await.len(), 2);
    settle(&shop, &order, 1, Outcome::Failed { stripe: Some("re_1".into()) }).await;
    refunded(&shop, &order, 450).await;
    let both = tokio::join!(issue(&shop, &order), issue(&shop, &order));
    assert_eq!(both.0.len() + both.1.len(), 2);
    let documents = shop.table.documents(order.id.number()).await.unwrap();
    let numbers: Vec<_> = documents.iter().map(|document| document.number.as_str()).collect();
    assert_eq!(numbers, ["INV-000001", "CN-000001", "RV-000001", "CN-000002"]);
}

#[tokio::test]
async fn numbers_go_on_when_the_prefix_changes_and_dates_do_not_go_back() {
    let shop = Shop::open().await;
    let (first, second) = (paid(&shop).await, paid(&shop).await);
    shop.table.issue_documents(first.id, &letterhead(), at(100)).await.unwrap();
    let other = Letterhead { invoices: "R-".parse().unwrap(), ..letterhead() };
    let issued = shop.table.issue_documents(second.id, &other, at(50)).await.unwrap();
    assert_eq!((issued[0].number.as_str(), issued[0].issued_at), ("R-000002", at(100)));
    let nobody = shop.table.issue_documents(order_id(), &other, at(50)).await;
    assert!(matches!(nobody, Err(NotIssued::UnknownOrder)), "{nobody:?}");
    assert_eq!(shop.table.documents(first.id.number()).await.unwrap()[0].number.as_str(), "INV-000001");
}

#[tokio::test]
async fn a_series_is_listed_from_its_last_number_both_ways() {
    let shop = Shop::open().await;
    for _ in 0..7 {
        issue(&shop, &paid(&shop).await).await;
    }
    let list = async |limit, cursor| {
        let page = shop.table.documents_in(Series::Invoice, limit, cursor).await.unwrap();
        (page.items.iter().map(|document| document.number.to_string()).collect::<Vec<_>>(), page)
    };
    // As a client brings a cursor back.
    let again = |cursor: Option<Cursor>| cursor.map(|cursor| Cursor::among_documents(&cursor.to_string()).unwrap());
    let (first, page) = list(4, None).await;
    let (second, page) = list(4, again(page.next)).await;
    let mut all = serials("INV-", 7);
    all.reverse();
    assert_eq!(([first.clone(), second].concat(), page.next), (all, None));
    assert_eq!(list(4, again(page.previous)).await.0, first);
    for bad in ["", "1", "1.2", "000000000001.7K3F9-2QX4M", "000000000001.7K3F9-2QX4M.0000.1", "x.7K3F9-2QX4M.0000"] {
        assert!(Cursor::among_documents(bad).is_none(), "{bad:?}");
    }
}
