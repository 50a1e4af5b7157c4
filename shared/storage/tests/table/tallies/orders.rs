//! Orders of no cart, how the table comes to have them, and what they come to.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use waybill_domain::cart::{PricedLine, Quote};
use waybill_domain::id::{AccountId, OrderId, ProductId};
use waybill_domain::message::Actor;
use waybill_domain::money::Money;
use waybill_domain::order::refund::{self, Outcome, Request, Wanted};
use waybill_domain::order::{Command, Order};
use waybill_domain::report::{Counts, Range, Sale, steps};
use waybill_domain::totals::{Discounts, Shipping, Tax, Totals};
use waybill_domain::{SignedDuration, Timestamp, report};
use waybill_storage::tallies::{Counting, MAX_SOLD};

use crate::shop::{Shop, at, cart_id, customer, pay, start_payment, usd};

pub fn counting() -> Counting {
    Counting { currency: usd(0).currency, zone: "America/New_York".into() }
}

/// Longer after the start than any recount waits.
pub fn later(seconds: i64) -> Timestamp {
    at(100_000 + seconds)
}

/// All days of the tests.
pub fn always() -> Range {
    Range::new("2027-01-01".parse().unwrap(), "2027-12-31".parse().unwrap()).unwrap()
}

/// What the shop has counted: by day, and by SKU.
pub async fn counted(shop: &Shop) -> (BTreeMap<String, Counts>, BTreeMap<String, Sale>) {
    let Some(generation) = shop.table.current_tally().await.unwrap() else { return Default::default() };
    let days = shop.table.tally_of(&generation, usd(0).currency, always()).await.unwrap();
    let sales = shop.table.sales_of(&generation, usd(0).currency, always(), MAX_SOLD).await.unwrap().unwrap();
    let nothing = Counts::default();
    let days = days.into_iter().filter(|(_, counts)| *counts != nothing).map(|(day, counts)| (day.to_string(), counts));
    let sales = sales.into_iter().filter(|sold| sold.sale != Sale::default());
    (days.collect(), sales.map(|sold| (sold.sku.to_string(), sold.sale)).collect())
}

/// The same of these orders, added up without any table.
pub fn added_up<'a>(orders: impl IntoIterator<Item = &'a Order>) -> (BTreeMap<String, Counts>, BTreeMap<String, Sale>) {
    let zone = report::zone(&counting().zone).unwrap();
    let (mut days, mut sales): (BTreeMap<String, Counts>, BTreeMap<String, Sale>) = Default::default();
    for step in orders.into_iter().flat_map(steps) {
        let day = days.entry(report::day_of(step.at, &zone).to_string()).or_default();
        *day = day.plus(step.counts);
        for sold in step.sales {
            let sale = sales.entry(sold.sku.to_string()).or_default();
            *sale = sale.plus(sold.sale);
        }
    }
    days.retain(|_, counts| *counts != Counts::default());
    sales.retain(|_, sale| *sale != Sale::default());
    (days, sales)
}

/// An order that nobody placed in the table: of some of twenty SKUs, placed and changed at moments that follow from the number.
pub fn invented(number: u64) -> Vec<Order> {
    let placed_at = at((number * 5_339_809 % 8_640_000) as i64);
    let skus = 1 + number % 4;
    let lines = (0..skus).map(|line| {
        let place = (number * 3 + line * 7) % 20;
        let (units, price) = (1 + (number + line) % 3, 450 + place as i64 * 10);
        PricedLine {
            sku: format!("SKU-{place}").parse().unwrap(),
            product_id: ProductId::new(uuid::Uuid::from_u128(u128::from(place))),
            title: "Tea".parse().unwrap(),
            quantity: (units as i64).try_into().unwrap(),
            unit_price: usd(price),
            total: usd(price * units as i64),
        }
    });
    let lines: Vec<_> = lines.collect();
    let total = usd(lines.iter().map(|line| line.total.amount).sum());
    let quote = quote(customer(), lines, total);
    let key = format!("key-of-order-{number}").parse().unwrap();
    let id = OrderId::for_placement(quote.buyer, &key);
    let (email, address) = ("ann@example.com".parse().unwrap(), crate::shop::address());
    let placed = waybill_domain::order::place(id, quote, email, address, Actor::Customer, placed_at);
    let request = Request { key: "key".into(), fingerprint: "it".into() };
    let half = Wanted::Amount(usd(total.amount / 2));
    let settle = |outcome| Command::Refund(refund::Command::Settle { number: 1, outcome });
    let stripe = || "re_1".to_owned();
    let life = [
        start_payment(),
        pay(&placed),
        Command::Refund(refund::Command::Request { wanted: half, reason: None, request }),
        settle(Outcome::Succeeded { stripe: stripe() }),
        settle(Outcome::Failed { stripe: Some(stripe()) }),
        Command::Cancel { reason: None, closed: None },
    ];
    let mut versions = vec![placed];
    for (place, command) in life.into_iter().take((number % 8) as usize).enumerate() {
        let now = placed_at + SignedDuration::from_hours(13 * (place as i64 + 1));
        let next = versions.last().unwrap().decide(command, Actor::Shop, now).unwrap();
        versions.push(next);
    }
    versions
}

/// All versions of so many orders, in the order in which they were made.
pub fn stream(orders: u64) -> (Vec<Order>, Vec<Order>) {
    let lives: Vec<_> = (0..orders).map(invented).collect();
    let ends = lives.iter().map(|life| life.last().unwrap().clone()).collect();
    let mut told: Vec<Order> = lives.into_iter().flatten().collect();
    told.sort_by_key(|order| order.timeline.last().unwrap().at);
    (told, ends)
}

fn quote(buyer: AccountId, lines: Vec<PricedLine>, total: Money) -> Quote {
    let discounts = Discounts { amount: usd(0), applied: Vec::new(), outdone: Vec::new(), refused: Vec::new() };
    let totals = Totals {
        lines: Vec::new(),
        subtotal: total,
        discounts,
        shipping: Shipping::DestinationUnknown,
        tax: Tax::DestinationUnknown,
        total,
    };
    Quote {
        buyer,
        cart_id: cart_id(),
        cart_version: 1,
        contact: None,
        draft: None,
        lines,
        totals,
        destination: None,
        uses: Vec::new(),
        buckets: Default::default(),
        expires_at: Timestamp::UNIX_EPOCH,
    }
}

/// Up to 25 orders, as they stand.
async fn put_some(shop: &Shop, orders: &[Order]) {
    let put = |order: &Order| {
        let item: serde_dynamo::Item = serde_dynamo::to_item(order).unwrap();
        let mut item: Value = serde_json::to_value(item).unwrap();
        item["pk"] = json!({ "S": format!("ORDER#{}", order.id.number()) });
        item["sk"] = json!({ "S": "ORDER" });
        json!({ "PutRequest": { "Item": item } })
    };
    let puts: Vec<_> = orders.iter().map(put).collect();
    shop.call("DynamoDB_20120810.BatchWriteItem", json!({ "RequestItems": { &shop.name: puts } })).await;
}

/// Has the table have these orders, as a recount reads them.
pub async fn put(shop: &Shop, orders: &[Order]) {
    for some in orders.chunks(25) {
        put_some(shop, some).await;
    }
}
