//! Many more buyers than units, while some of them change their minds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::{StreamExt, stream};
use waybill_domain::cart::Quote;
use waybill_domain::message::Actor;
use waybill_domain::order::{Command, Order};
use waybill_domain::product::Offer;
use waybill_storage::Table;
use waybill_storage::stock::Done;

use crate::shop::{Shop, at, customer, order};
use crate::stock::release;

const BUYERS: usize = 500;
const UNITS: i64 = 100;

/// How a try to buy ended.
enum Bought {
    Kept { units: i64 },
    Cancelled { units: i64 },
    SoldOut(Box<Quote>),
}

/// What is sold at this moment, and never more than there is: it counts after a placement and before a cancellation.
#[derive(Clone, Default)]
struct Sold(Arc<AtomicI64>);

impl Sold {
    fn add(&self, units: i64) {
        let sold = self.0.fetch_add(units, Ordering::SeqCst) + units;
        assert!(sold <= UNITS, "{sold} of {UNITS} are sold");
    }
}

async fn buy(table: Table, quote: Quote, sold: Sold, changes_their_mind: bool) -> Bought {
    let placed = order("key", &quote, at(0));
    let units = placed.lines[0].quantity.get().into();
    if table.place_order(&placed, &quote, "fingerprint").await.is_err() {
        assert_eq!(table.order(placed.id).await.unwrap(), None);
        return Bought::SoldOut(Box::new(quote));
    }
    sold.add(units);
    if !changes_their_mind {
        return Bought::Kept { units };
    }
    sold.add(-units);
    let cancel = Command::Cancel { closed: None, reason: None };
    let decide = |order: &Order| order.decide(cancel.clone(), Actor::Customer, at(1));
    table.change_order(placed.id, None, decide).await.unwrap();
    // The queue brings it twice.
    let (sku, back) = (&placed.lines[0].sku, release(&placed));
    let (one, other) = tokio::join!(table.move_stock(sku, &back), table.move_stock(sku, &back));
    assert!(matches!(
        (one.unwrap(), other.unwrap()),
        (Done::Now(_), Done::Before(_)) | (Done::Before(_), Done::Now(_))
    ));
    Bought::Cancelled { units }
}

/// The quote of a cart like that of another buyer. It wants one unit, or sets the SKU twice and then wants two: the last word,
/// and not the sum.
async fn quoted(shop: &Shop, offer: &Offer, like: &Quote) -> Quote {
    let buyer = customer();
    let mut cart = shop.set_line(buyer, offer, 1).await;
    if like.lines[0].quantity.get() == 2 {
        cart = shop.set_line(buyer, offer, 2).await;
    }
    assert_eq!(cart.lines[&offer.sku].quantity, like.lines[0].quantity);
    Quote { buyer, cart_id: cart.id, cart_version: cart.version, ..like.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_500_buyers_at_once_who_also_cancel_100_units_are_never_oversold_and_sold_in_the_end() {
    let shop = Shop::open_without_stream().await;
    // Those take minutes for so many at once, and turn some of them away as too many: what a queue tries again later.
    if shop.is_elsewhere() {
        return;
    }
    let hot = shop.sells("HOT", 450, UNITS as u32).await;
    let first = customer();
    shop.set_line(first, &hot, 1).await;
    let one = shop.quote(first).await;
    shop.set_line(first, &hot, 2).await;
    let two = shop.quote(first).await;
    let quotes = (0..BUYERS).map(|number| quoted(&shop, &hot, if number % 3 == 0 { &two } else { &one }));
    let mut quotes: Vec<_> = stream::iter(quotes).buffer_unordered(8).collect().await;
    let (sold, mut kept, mut cancelled) = (Sold::default(), 0, 0);
    // All at once; then whoever went away empty tries for what the others gave back.
    for others_cancel in [true, false] {
        let buying = quotes.drain(..).enumerate().map(|(number, quote)| {
            tokio::spawn(buy(shop.table.clone(), quote, sold.clone(), others_cancel && number % 2 == 0))
        });
        let mut left_out = Vec::new();
        for buyer in buying.collect::<Vec<_>>() {
            match buyer.await.unwrap() {
                Bought::Kept { units } => kept += units,
                Bought::Cancelled { units } => cancelled += units,
                Bought::SoldOut(quote) => left_out.push(*quote),
            }
        }
        quotes = left_out;
    }
    println!("{kept} units are kept, {cancelled} were cancelled and sold again");
    assert!(kept == UNITS && cancelled > 0, "{kept} and {cancelled}");
    assert_eq!(shop.levels(&hot).await, (UNITS, UNITS, 0), "on hand, reserved, available");
    assert_eq!(shop.offer(&hot).await.ordered, (kept + cancelled).unsigned_abs());
    assert_eq!(shop.findings().await, []);
}
