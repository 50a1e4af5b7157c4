//! Counts of orders, which stay right whatever is told twice, late, at once and in any order.

use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::{Command, FulfilmentStatus, Order, PaymentStatus, Status};
use waybill_storage::Cursor;
use waybill_storage::order_counts::OrderCounts;
use waybill_storage::order_lists::{Orders, Placed};
use waybill_storage::tallies::Told;

use crate::shop::{Shop, at, cart_id, customer, pay, start_payment};
use crate::tallies::counting;

/// What `Table::order_counts` has to say of these orders.
pub fn recount<'a>(orders: impl IntoIterator<Item = &'a Order>) -> OrderCounts {
    let mut counts = OrderCounts {
        status: Status::ALL.map(|status| (status, 0)).into(),
        payment_status: PaymentStatus::ALL.map(|status| (status, 0)).into(),
        fulfilment_status: FulfilmentStatus::ALL.map(|status| (status, 0)).into(),
    };
    for order in orders {
        *counts.status.get_mut(&order.state.status()).unwrap() += 1;
        *counts.payment_status.get_mut(&order.payment_status()).unwrap() += 1;
        *counts.fulfilment_status.get_mut(&order.fulfilment_status()).unwrap() += 1;
    }
    counts
}

/// All that an order was: how far it comes depends on its number.
fn life(order: Order, number: usize) -> Vec<Order> {
    let cancel = Command::Cancel { reason: None, closed: None };
    let commands = [start_payment(), pay(&order), Command::Process, cancel];
    let mut life = vec![order];
    for command in commands.into_iter().take(number % 5) {
        let next = life.last().unwrap().decide(command, Actor::Shop, at(1)).unwrap();
        life.push(next);
    }
    life
}

#[tokio::test]
async fn orders_are_counted_once_whatever_is_told_twice_late_at_once_and_in_any_order() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 100).await;
    let mut told = Vec::new();
    let mut ends = Vec::new();
    for number in 0..25 {
        let life = life(shop.placed_by(customer(), &tea, at(0)).await, number);
        told.extend(life.iter().map(Told::from));
        ends.push(life.last().unwrap().clone());
    }
    // Everything three times, each time in another order: steps that share no divisor with the length go through it all.
    let length = told.len();
    let order = [7, 11, 13].into_iter().flat_map(|step| (0..length).map(move |number| number * step % length));
    let order: Vec<_> = order.map(|index| told[index].clone()).collect();
    assert!([7, 11, 13].iter().all(|step| !length.is_multiple_of(*step)));
    let counting = counting();
    let work = order.chunks(9).map(|chunk| shop.table.tally(chunk.to_vec(), &counting, at(0)));
    let mut busy = 0;
    for counted in futures_util::future::join_all(work).await {
        // As the stream has it: what could not be done comes again.
        busy += usize::from(counted.is_err());
    }
    assert!(busy < order.len() / 9, "all gave up");
    for chunk in order.chunks(60) {
        shop.table.tally(chunk.to_vec(), &counting, at(0)).await.unwrap();
    }
    assert_eq!(shop.table.order_counts().await.unwrap(), recount(&ends));
    assert_eq!(shop.table.tally(told, &counting, at(0)).await.unwrap(), 0, "nothing is news");
}

#[tokio::test]
async fn more_orders_than_one_transaction_takes_are_counted() {
    let shop = Shop::open().await;
    assert_eq!(shop.table.order_counts().await.unwrap(), recount([]));
    let tea = shop.sells("TEA", 450, 100).await;
    let first = shop.placed(&tea).await;
    let another = |number: u32| {
        let id = OrderId::for_placement(customer(), &format!("key-of-order-{number}").parse().unwrap());
        Order { id, ..first.clone() }
    };
    let orders: Vec<_> = (0..120).map(another).collect();
    assert_eq!(shop.table.tally(orders.iter().map(Told::from), &counting(), at(0)).await.unwrap(), 120);
    assert_eq!(shop.table.order_counts().await.unwrap(), recount(&orders));
}

#[tokio::test]
async fn orders_are_counted_once_although_the_reply_was_lost() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 100).await;
    let order = shop.placed(&tea).await;
    let mut life = life(order, 4).into_iter();
    let placed = life.next().unwrap();
    shop.table.tally([Told::cart(cart_id(), at(0))], &counting(), at(0)).await.unwrap();
    shop.wire.calls();
    shop.wire.lose_reply_after(2);
    shop.table.tally([Told::from(&placed)], &counting(), at(0)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "BatchGetItem", "PutItem", "PutItem", "TransactWriteItems"]);
    // That somebody is paying moves no count: one write alone, which meets itself.
    let started = life.next().unwrap();
    shop.wire.lose_reply_after(2);
    shop.table.tally([Told::from(&started)], &counting(), at(0)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "BatchGetItem", "UpdateItem", "UpdateItem", "BatchGetItem"]);
    let last = life.last().unwrap();
    shop.table.tally([Told::from(&last)], &counting(), at(0)).await.unwrap();
    assert_eq!(shop.table.order_counts().await.unwrap(), recount([&last]));
}

#[tokio::test]
async fn orders_are_found_by_what_was_ordered_as_they_stand_by_now_newest_first_and_both_ways() {
    let shop = Shop::open().await;
    let (tea, cup) = (shop.sells("TEA", 450, 100).await, shop.sells("CUP", 450, 100).await);
    let mut with_tea = Vec::new();
    for number in 0..7 {
        let order = shop.placed_by(customer(), if number == 3 { &cup } else { &tea }, at(number)).await;
        // Before it is told of it is in no such list.
        shop.table.tally([Told::from(&order)], &counting(), at(0)).await.unwrap();
        if number != 3 {
            with_tea.insert(0, order);
        }
    }
    let paid = shop.command(&with_tea[2], pay(&with_tea[2])).await;
    let list = async |sku: &str, placed: Placed, limit, cursor| {
        let which = Orders::Selling(sku.parse().unwrap());
        let page = shop.table.orders(which, placed, limit, cursor).await.unwrap();
        let ids: Vec<_> = page.items.iter().map(|order| order.id).collect();
        (ids, page)
    };
    let ids: Vec<_> = with_tea.iter().map(|order| order.id).collect();
    let (all, page) = list("TEA", Placed::default(), 10, None).await;
    assert_eq!((&all, page.next, page.previous), (&ids, None, None));
    assert_eq!((page.items[2].id, page.items[2].payment_status), (paid.id, PaymentStatus::Paid), "as it is by now");
    assert_eq!(list("CUP", Placed::default(), 10, None).await.0.len(), 1);
    assert_eq!(list("NONE", Placed::default(), 10, None).await.0, []);
    let between = Placed { from: Some(at(2)), before: Some(at(6)) };
    assert_eq!(list("TEA", between, 10, None).await.0, ids[1..4]);
    // As a client brings a cursor back.
    let again = |cursor: Option<Cursor>| cursor.map(|cursor| Cursor::among_orders(&cursor.to_string()).unwrap());
    let (first, page) = list("TEA", Placed::default(), 4, None).await;
    let (second, page) = list("TEA", Placed::default(), 4, again(page.next)).await;
    assert_eq!(([first.clone(), second].concat(), page.next), (ids, None));
    assert_eq!(list("TEA", Placed::default(), 4, again(page.previous)).await.0, first);
}
