//! Two years of a shop's orders, all decided by the domain, which lie in the table as storage would have put them there.

mod items;

use std::collections::HashMap;
use std::time::Instant;

use dynoxide::ImportOptions;
use uuid::Uuid;
use waybill_domain::cart::{self, Cart, Quote};
use waybill_domain::category::Tree;
use waybill_domain::id::{AccountId, CategoryId};
use waybill_domain::message::Actor;
use waybill_domain::order::{Command, FulfilmentStatus, Order, Parcel, PaymentSession, PaymentStatus, Status, Units};
use waybill_domain::pricing::Pricing;
use waybill_domain::product::Offer;
use waybill_domain::text::Sku;
use waybill_domain::{SignedDuration, Timestamp};
use waybill_storage::order_counts::OrderCounts;
use waybill_storage::order_lists::{Orders, Placed};
use waybill_storage::tallies::{Counting, Told};

use crate::measure;
use crate::shop::{self, STAFF, Shop, at, cart_id, customer, line, offer, product, usd};

/// With fewer, some of the lists are shorter than a page.
const FEWEST: usize = 1_000;
const SKUS: usize = 1_000;
/// Orders that are put into the table together.
const TOGETHER: usize = 2_000;
/// About so many are read back as the shop reads them.
const SAMPLES: usize = 50;
const DAY: i64 = 24 * 60 * 60;
const TWO_YEARS: i64 = 730 * DAY;

/// Who orders again and again: each sixteenth order is theirs.
pub const REGULAR: AccountId = AccountId::new(Uuid::from_u128(1));
/// Who has placed [`FEW`] orders, years apart.
pub const RARE: AccountId = AccountId::new(Uuid::from_u128(2));
pub const FEW: usize = 3;
/// Other customers have five orders each.
const ORDERS_EACH: usize = 5;

/// In each tenth order.
pub const SOLD_OFTEN: &str = "SKU-0";
/// In the orders of [`RARE`], and in no other.
pub const SOLD_RARELY: &str = "SKU-1";

/// A shop with its past.
pub struct History {
    pub shop: Shop,
    /// An order that was placed half-way, and delivered.
    pub middle: Order,
}

/// A moment of the two years, by how much of them is over.
pub fn moment(over: f64) -> Timestamp {
    at(((over - 1.0) * TWO_YEARS as f64) as i64)
}

/// A shop with so many orders, the same in every run.
pub async fn filled(size: usize) -> History {
    assert!(size >= FEWEST, "a shop of fewer than {FEWEST} orders has lists of less than a page");
    check_items().await;
    let shop = Shop::open_without_stream().await;
    let engine = shop.engine.as_ref().expect("only an engine of our own takes orders in bulk");
    let put = |items| engine.import_items(&shop.name, items, ImportOptions::default()).unwrap();
    let goods = Goods::new();
    let mut any = measure::numbers();
    let (mut counts, mut samples, mut items) = (none(), Vec::new(), Vec::new());
    let begin = Instant::now();
    for number in 0..size {
        let order = goods.order(number, size, &mut any);
        *counts.status.get_mut(&order.state.status()).unwrap() += 1;
        *counts.payment_status.get_mut(&order.payment_status()).unwrap() += 1;
        *counts.fulfilment_status.get_mut(&order.fulfilment_status()).unwrap() += 1;
        items.extend(items::of(&order, number as u64));
        // One more, so that they are not all of one status.
        if number % (size / SAMPLES + 1) == 0 {
            samples.push(order);
        }
        let done = number + 1;
        if done % TOGETHER == 0 || done == size {
            put(std::mem::take(&mut items));
            measure::progress("orders", done, size, begin);
        }
    }
    put(vec![items::counts(&counts)]);
    assert_eq!(shop.table.order_counts().await.unwrap(), counts);
    for order in &samples {
        check_found(&shop, order).await;
    }
    let mut second_half = samples.split_off(samples.len() / 2).into_iter();
    let middle = second_half.find(|order| order.state.status() == Status::Delivered).unwrap();
    History { shop, middle }
}

fn none() -> OrderCounts {
    OrderCounts {
        status: Status::ALL.map(|status| (status, 0)).into(),
        payment_status: PaymentStatus::ALL.map(|status| (status, 0)).into(),
        fulfilment_status: FulfilmentStatus::ALL.map(|status| (status, 0)).into(),
    }
}

/// Fails unless storage writes orders of every status exactly as they are made here.
async fn check_items() {
    let shop = Shop::open_without_stream().await;
    let offers = [shop.sells("TEA", 450, 100).await, shop.sells("CUP", 900, 100).await];
    for status in Status::ALL {
        let buyer = customer();
        for offer in &offers {
            shop.set_line(buyer, offer, 2).await;
        }
        let quote = shop.quote(buyer).await;
        let mut order = shop::order("key", &quote, at(0));
        shop.table.place_order(&order, &quote, items::FINGERPRINT).await.unwrap();
        for (now, actor, command) in life(&order, status) {
            let decide = |order: &Order| order.decide(command.clone(), actor, now);
            order = shop.table.change_order(order.id, None, decide).await.unwrap();
        }
        assert_eq!(order.state.status(), status);
        let counting = Counting { currency: usd(0).currency, zone: "UTC".into() };
        shop.table.tally([Told::from(&order)], &counting, order.placed_at).await.unwrap();
        items::check(&shop, &order).await;
    }
}

/// Fails unless an order is read as it was decided, and is in each list that it belongs to.
async fn check_found(shop: &Shop, order: &Order) {
    assert_eq!(shop.table.order(order.id).await.unwrap().as_ref(), Some(order));
    let then = order.placed_at;
    let placed = Placed { from: Some(then), before: Some(then + SignedDuration::from_millis(1)) };
    let lists = [Orders::All, Orders::With(order.state.status()), Orders::Of(order.buyer)];
    for list in lists.into_iter().chain(order.lines.iter().map(|line| Orders::Selling(line.sku.clone()))) {
        let page = shop.table.orders(list.clone(), placed, 1, None).await.unwrap();
        let found: Vec<_> = page.items.iter().map(|found| (found.id, found.placed_at, found.total)).collect();
        assert_eq!(found, [(order.id, then, order.total)], "{list:?}");
    }
}

/// What the shop sells.
struct Goods {
    offers: HashMap<Sku, Offer>,
    skus: Vec<Sku>,
    pricing: Pricing,
}

impl Goods {
    fn new() -> Goods {
        let product = product(CategoryId::new(Uuid::nil()), "tea");
        let cents = |number: usize| 100 + (number as i64 * 37) % 10_000;
        let offer = |number| offer(&product, &format!("SKU-{number}"), cents(number), 100);
        let offers: Vec<_> = (0..SKUS).map(offer).collect();
        let skus = offers.iter().map(|offer| offer.sku.clone()).collect();
        let offers = offers.into_iter().map(|offer| (offer.sku.clone(), offer)).collect();
        Goods { offers, skus, pricing: Pricing::default() }
    }

    /// The order of this number of so many, as it stands today.
    fn order(&self, number: usize, size: usize, any: &mut impl FnMut(usize) -> usize) -> Order {
        // Orders are as far apart as they can be, to the millisecond.
        let placed_at = moment(0.0) + SignedDuration::from_millis(TWO_YEARS * 1000 * number as i64 / size as i64);
        let status = status(number, size);
        let is_rare = number > 0 && number.is_multiple_of(size / (FEW + 1)) && number / (size / (FEW + 1)) <= FEW;
        let buyer = match number % 16 {
            _ if is_rare => RARE,
            5 => REGULAR,
            _ => AccountId::new(Uuid::from_u128(3 + any(size / ORDERS_EACH) as u128)),
        };
        // Some of the others are sold much more often than others.
        let mut usual = || 2 + any(SKUS - 2).min(any(SKUS - 2));
        let mut wanted: Vec<_> = (0..1 + number % 3).map(|_| usual()).collect();
        wanted.extend((number % 10 == 3).then_some(0));
        wanted.extend(is_rare.then_some(1));
        let units = |sku| if status == Status::PartiallyShipped { 2 } else { 1 + (sku + number) as i64 % 2 };
        let lines = wanted.into_iter().map(|sku| (&self.skus[sku], units(sku)));
        let lines = lines.map(|(sku, units)| (sku.clone(), line(&self.offers[sku], units))).collect();
        let cart = Cart {
            id: cart_id(),
            version: 1,
            currency: usd(0).currency,
            lines,
            codes: Vec::new(),
            destination: None,
            shipping_method_id: None,
            expires_at: 0,
        };
        let (priced, tree) = (cart::price(&cart, &self.offers).unwrap(), Tree::default());
        let reckoning = self.pricing.look_at(&cart, &priced, &self.offers, &tree, placed_at);
        let quote = Quote::of(buyer, &cart, &priced, &reckoning.reckon(&HashMap::new()).unwrap(), placed_at).unwrap();
        let placed = shop::order(&format!("key-{number}"), &quote, placed_at);
        let decide = |order: Order, (now, actor, command)| order.decide(command, actor, now).unwrap();
        life(&placed, status).into_iter().fold(placed.clone(), decide)
    }
}

/// What has become of an order: the newest tenth is still under way, and of the others most have arrived.
fn status(number: usize, size: usize) -> Status {
    match (number % 20, number >= size - size / 10) {
        (0..4, true) => Status::Pending,
        (4..8, true) => Status::Paid,
        (8..12, true) => Status::Processing,
        (12..16, true) => Status::PartiallyShipped,
        (_, true) => Status::Shipped,
        (0..15, false) => Status::Delivered,
        (15..17, false) => Status::Cancelled,
        (_, false) => Status::Expired,
    }
}

/// All that happens to an order until it stands so: when, by whom, and what.
fn life(order: &Order, status: Status) -> Vec<(Timestamp, Actor, Command)> {
    let number = order.id.number();
    let after = |seconds| order.placed_at + SignedDuration::from_secs(seconds);
    let session = PaymentSession::Page {
        id: format!("cs_live_{number}"),
        url: format!("https://checkout.stripe.com/c/pay/cs_live_{number}"),
        expires_at: after(1800),
    };
    let start = (after(20), Actor::Customer, Command::StartPayment { attempt: 1, session });
    let pay = (after(90), Actor::Stripe, Command::Pay { intent: format!("pi_{number}"), amount: order.total });
    let process = (after(DAY / 4), STAFF, Command::Process);
    let ship = |units| {
        let tracking_number = format!("1Z{number}").parse().unwrap();
        (after(DAY), STAFF, Command::Ship(Parcel { carrier: "UPS".parse().unwrap(), tracking_number, units }))
    };
    let some = |order: &Order| vec![Units { sku: order.lines[0].sku.clone(), quantity: 1.try_into().unwrap() }];
    let deliver = (after(3 * DAY), STAFF, Command::Deliver { shipment: None });
    let cancel = (after(600), Actor::Customer, Command::Cancel { closed: None, reason: None });
    match status {
        Status::Pending => vec![start],
        Status::Authorised => {
            let held = Command::Authorise { intent: format!("pi_{number}"), amount: order.total };
            vec![start, (after(90), Actor::Stripe, held)]
        }
        Status::Paid => vec![start, pay],
        Status::Processing => vec![start, pay, process],
        Status::PartiallyShipped => vec![start, pay, process, ship(Some(some(order)))],
        Status::Shipped => vec![start, pay, process, ship(None)],
        Status::Delivered => vec![start, pay, process, ship(None), deliver],
        Status::Cancelled => vec![cancel],
        Status::Expired => vec![(after(3600), Actor::Shop, Command::Expire { closed: None })],
    }
}
