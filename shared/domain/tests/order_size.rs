//! An order is an item of the table, which has 400 KB at most, whatever becomes of it.

use uuid::Uuid;
use waybill_domain::Timestamp;
use waybill_domain::cart::{PricedLine, Quote};
use waybill_domain::id::{AccountId, CartId, OrderId, ProductId};
use waybill_domain::message::Actor;
use waybill_domain::money::Money;
use waybill_domain::order::refund::{self, Outcome, Request, Wanted};
use waybill_domain::order::{
    self, Address, Command, MAX_BYTES, MAX_ENTRIES, MAX_REFUNDS, MAX_SHIPMENTS, Order, Parcel, Refusal, Units,
};
use waybill_domain::text::Sku;
use waybill_domain::totals::{Discounts, LineDiscount, LineTotals, Shipping, Tax, Totals};

const ITEM: usize = 400 * 1024;
const LINES: i64 = 50;
const UNITS: i64 = 1_000;
const PRICE: i64 = 1_000_000;

fn usd(amount: i64) -> Money {
    Money::new(amount, "USD".parse().unwrap())
}

fn skus() -> impl Iterator<Item = Sku> {
    (0..LINES).map(|number| format!("SKU-{number:036}").parse().unwrap())
}

/// The most lines, each with the longest texts and a part of 20 promotions.
fn largest() -> Order {
    let total = usd(UNITS * PRICE);
    let discounts =
        vec![LineDiscount { promotion_id: "pro_01K3ZQ8V5E7N9WJ2R4T6Y8B0CD".parse().unwrap(), amount: usd(PRICE) }; 20];
    let line = |sku| PricedLine {
        sku,
        product_id: ProductId::new(Uuid::nil()),
        title: "\u{4e2d}".repeat(120).parse().unwrap(),
        quantity: UNITS.try_into().unwrap(),
        unit_price: usd(PRICE),
        total,
    };
    let of_line = |sku| LineTotals {
        sku,
        subtotal: total,
        discount: usd(0),
        discounts: discounts.clone(),
        tax: Some(total),
        total,
    };
    let all = usd(LINES * UNITS * PRICE);
    let totals = Totals {
        lines: skus().map(of_line).collect(),
        subtotal: all,
        discounts: Discounts { amount: usd(0), applied: Vec::new(), outdone: Vec::new(), refused: Vec::new() },
        shipping: Shipping::DestinationUnknown,
        tax: Tax::DestinationUnknown,
        total: all,
    };
    let quote = Quote {
        buyer: AccountId::new(Uuid::nil()),
        cart_id: CartId::new(Uuid::nil()),
        cart_version: 3,
        contact: None,
        draft: None,
        lines: skus().map(line).collect(),
        totals,
        destination: None,
        uses: Vec::new(),
        buckets: Default::default(),
        expires_at: Timestamp::UNIX_EPOCH,
    };
    let address = Address {
        name: "Ann".parse().unwrap(),
        line1: "1 Main St".parse().unwrap(),
        line2: None,
        city: "Springfield".parse().unwrap(),
        region: None,
        postal_code: "12345".parse().unwrap(),
        country: "US".parse().unwrap(),
    };
    let email = "ann@example.com".parse().unwrap();
    order::place(OrderId::new(Uuid::nil()), quote, email, address, Actor::Customer, Timestamp::UNIX_EPOCH)
}

fn decide(order: &Order, command: Command) -> Result<Order, Refusal> {
    order.decide(command, Actor::Stripe, Timestamp::UNIX_EPOCH)
}

fn bytes(order: &Order) -> usize {
    serde_json::to_vec(order).unwrap().len()
}

/// One unit of each line.
fn one_of_each() -> Vec<Units> {
    skus().map(|sku| Units { sku, quantity: 1.try_into().unwrap() }).collect()
}

#[test]
fn no_order_outgrows_its_item_and_none_that_is_long_loses_a_payment_or_a_refund() {
    let mut order = largest();
    while order.timeline.len() < MAX_ENTRIES {
        order = decide(&order, Command::DeclinePayment).unwrap();
    }
    order = decide(&order, Command::Pay { intent: "pi_1".into(), amount: order.total }).unwrap();
    order = decide(&order, Command::Process).unwrap();
    let mut shipped = 0;
    while shipped < MAX_SHIPMENTS {
        let tracking_number = format!("{shipped:080}").parse().unwrap();
        let parcel = Parcel { carrier: "UPS".parse().unwrap(), tracking_number, units: Some(one_of_each()) };
        match decide(&order, Command::Ship(parcel)) {
            Ok(after) => order = after,
            Err(refusal) => {
                assert_eq!(refusal, Refusal::TooLong);
                break;
            }
        }
        shipped += 1;
    }
    assert!(shipped > 0 && shipped < MAX_SHIPMENTS && bytes(&order) <= MAX_BYTES, "{shipped}, {}", bytes(&order));
    for number in 1..=u32::try_from(MAX_REFUNDS).unwrap() {
        let request = Request { key: format!("{number:0255}"), fingerprint: "f".repeat(64) };
        let wanted = Wanted::Units(one_of_each());
        let ask = refund::Command::Request { wanted, reason: Some("r".repeat(200).parse().unwrap()), request };
        order = decide(&order, Command::Refund(ask)).unwrap();
        let settle = refund::Command::Settle { number, outcome: Outcome::Succeeded { stripe: "re".repeat(20) } };
        order = decide(&order, Command::Refund(settle)).unwrap();
    }
    println!("{} bytes", bytes(&order));
    // As the table counts, which writes numbers shorter and has a summary and keys beside it.
    assert!(bytes(&order) < ITEM - 16 * 1024, "{}", bytes(&order));
}
