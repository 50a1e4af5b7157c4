//! The counts behind reports: each thing counts once, whatever is told twice, late, at once, in other batches and while all is
//! counted again; and what they cost.

mod costs;
mod orders;
mod recounting;

use waybill_domain::report::Counts;
use waybill_storage::tallies::{MAX_SOLD, SkuSales, Told};

use self::orders::{added_up, always, counted, later, stream};
pub use self::orders::{counting, invented};
use self::recounting::recount;
use crate::accounts::ann;
use crate::order_counts::recount as standing;
use crate::shop::{Shop, at, cart_id, customer, pay, usd};

#[tokio::test]
async fn what_is_told_twice_late_at_once_and_in_other_batches_counts_once() {
    let shop = Shop::open_without_stream().await;
    let (told, ends) = stream(40);
    let length = told.len();
    let expected = added_up(&ends);
    assert!(expected.0.len() > 10 && expected.1.len() > 10, "the orders are of many days and SKUs");
    // Everything three times, each time in another order and by many at once.
    let steps = [7, 11, 13].map(|step| (step..).find(|step| gcd(*step, length) == 1).unwrap());
    let order: Vec<_> =
        steps.into_iter().flat_map(|step| (0..length).map(move |place| place * step % length)).collect();
    let told: Vec<Told> = told.iter().map(Told::from).collect();
    let (counting, table) = (counting(), &shop.table);
    let work = order.chunks(9).map(|chunk| {
        let some: Vec<_> = chunk.iter().map(|place| told[*place].clone()).collect();
        table.tally(some, &counting, at(0))
    });
    let work: Vec<_> = work.collect();
    let batches = work.len();
    let busy = futures_util::future::join_all(work).await.into_iter().filter(Result::is_err).count();
    assert!(busy < batches, "all gave up");
    // As the stream has it: what could not be done comes again.
    for chunk in told.chunks(60) {
        table.tally(chunk.to_vec(), &counting, at(0)).await.unwrap();
    }
    assert_eq!(counted(&shop).await, expected);
    assert_eq!(table.order_counts().await.unwrap(), standing(&ends));
    assert_eq!(table.tally(told, &counting, at(0)).await.unwrap(), 0, "nothing is news");
}

fn gcd(one: usize, other: usize) -> usize {
    if other == 0 { one } else { gcd(other, one % other) }
}

#[tokio::test]
async fn counting_goes_on_wherever_it_broke_off() {
    let (told, ends) = stream(12);
    let told: Vec<Told> = told.iter().map(Told::from).collect();
    for calls in 1..60 {
        let shop = Shop::open_without_stream().await;
        shop.wire.end_after(calls);
        let first = shop.table.tally(told.clone(), &counting(), at(0)).await;
        shop.wire.go_on();
        let second = shop.table.tally(told.clone(), &counting(), at(0)).await.unwrap();
        assert_eq!(counted(&shop).await, added_up(&ends), "broken off before call {calls}");
        assert_eq!(shop.table.order_counts().await.unwrap(), standing(&ends), "broken off before call {calls}");
        if first.is_ok() {
            return assert_eq!((calls > 3, second), (true, 0));
        }
    }
    panic!("it never came to an end");
}

#[tokio::test]
async fn what_is_counted_although_the_reply_was_lost_counts_once() {
    let (told, ends) = stream(12);
    for replies in 1..5 {
        let shop = Shop::open_without_stream().await;
        shop.wire.lose_reply_after(replies);
        shop.table.tally(told.iter().map(Told::from), &counting(), at(0)).await.unwrap();
        assert_eq!(counted(&shop).await, added_up(&ends), "the reply of call {replies}");
        assert_eq!(shop.table.order_counts().await.unwrap(), standing(&ends), "the reply of call {replies}");
    }
}

#[tokio::test]
async fn an_order_that_is_first_told_of_when_it_was_long_paid_back_counts_on_all_its_days() {
    let shop = Shop::open_without_stream().await;
    let life = invented(7);
    assert_eq!(life.len(), 7);
    let last = life.last().unwrap();
    shop.table.tally([Told::from(last)], &counting(), at(0)).await.unwrap();
    assert_eq!(counted(&shop).await, added_up([last]));
    assert!(counted(&shop).await.0.len() > 1, "they are several");
    // What was before it is no news.
    assert_eq!(shop.table.tally(life.iter().map(Told::from), &counting(), at(0)).await.unwrap(), 0);
}

#[tokio::test]
async fn carts_and_customers_count_once_on_the_day_of_the_shop() {
    let shop = Shop::open_without_stream().await;
    // 2027-01-15, 03:00 in New York; eight hours earlier it was the day before.
    let (cart, customer) = (Told::cart(cart_id(), at(0)), Told::customer(customer(), at(-8 * 3_600)));
    for _ in 0..3 {
        shop.table.tally([cart.clone(), customer.clone(), cart.clone()], &counting(), at(0)).await.unwrap();
    }
    shop.table.tally([Told::cart(cart_id(), at(1))], &counting(), at(0)).await.unwrap();
    let day = |carts, customers| Counts { carts, customers, ..Counts::default() };
    let expected = [("2027-01-14".to_owned(), day(0, 1)), ("2027-01-15".to_owned(), day(2, 0))];
    assert_eq!(counted(&shop).await.0, expected.clone().into());
    assert_eq!(recount(&shop, later(0)).await, 3);
    assert_eq!(counted(&shop).await.0, expected.into(), "carts are gone by then, and count all the same");
}

#[tokio::test]
async fn the_stream_tells_of_orders_carts_and_customers_and_of_nothing_else() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    ann(&shop).await;
    let order = shop.placed_by(customer(), &tea, at(0)).await;
    let paid = shop.command(&order, pay(&order)).await;
    let told: Vec<_> = shop.images().await.iter().filter_map(Told::of).collect::<Result<_, _>>().unwrap();
    shop.table.tally(told, &counting(), at(0)).await.unwrap();
    let (mut days, sales) = counted(&shop).await;
    let (mut expected, sold) = added_up([&paid]);
    let day = expected.values_mut().next().unwrap();
    (day.carts, day.customers) = (1, 1);
    assert_eq!((days.len(), days.pop_first(), sales), (1, expected.pop_first(), sold));
    let generation = shop.table.current_tally().await.unwrap().unwrap();
    let sold: Vec<SkuSales> =
        shop.table.sales_of(&generation, usd(0).currency, always(), MAX_SOLD).await.unwrap().unwrap();
    assert_eq!((&sold[0].category_ids, &sold[0].title), (&tea.category_ids, &tea.title));
    assert!(!sold[0].category_ids.is_empty());
}
