//! Fills the store with orders of a year: real ones, placed and brought to where orders stand, and copies of them, which the
//! store's engine takes in bulk. Nobody is told of the copies, as of items that were restored from a backup: no mail is sent, and
//! the counts of reports leave them out until a recount.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::{AttributeValue, Database, ImportOptions, Item};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::client::Client;
use crate::processes::settle;
use crate::products::Sold;
use crate::shop::Shop;

/// Copies that are written together.
const TOGETHER: usize = 5_000;
/// The time that orders are spread over, which the report of a year is about.
const YEAR: i64 = 364 * 24 * 60 * 60 * 1000;
/// Orders of one buyer.
const OF_ONE: usize = 10;
/// What staff have done with each of the real orders, and how many in twenty are as it.
const FATES: [(&[&str], usize); 5] =
    [(&["process", "ship", "deliver"], 14), (&["process", "ship"], 2), (&["process"], 1), (&[], 1), (&["cancel"], 2)];

/// An order's item and that of its SKU, with gaps where copies differ.
struct Pattern {
    order: Vec<Piece>,
    of_sku: Vec<Piece>,
}

enum Piece {
    Same(String),
    Gap(Gap),
}

#[derive(Clone, Copy)]
enum Gap {
    /// What an id ends with, and its number is made of.
    End,
    Number,
    Buyer,
    Email,
    Product,
    Sku,
    /// A moment, so long after the order was placed.
    At(SignedDuration),
    /// The same in milliseconds, as keys have it.
    Millis(SignedDuration),
}

/// Makes so many orders, of all products and many buyers.
pub async fn fill(shop: &Shop, sold: &Sold, count: usize) {
    if count == 0 {
        return;
    }
    let client = Client::new(shop, &shop.customer(), Arc::new(sold.first()));
    let mut orders = Vec::new();
    for _ in FATES {
        orders.push(client.paid().await.unwrap_or_else(|refused| panic!("an order: {}", refused.0)));
    }
    // Stripe has told of the payments then.
    settle(shop.host).await;
    for ((fate, _), order) in FATES.iter().zip(&orders) {
        for step in *fate {
            let body = match *step {
                "ship" => json!({ "carrier": "UPS", "tracking_number": "1Z999AA10123456784" }),
                "cancel" => json!({ "reason": "The buyer has changed their mind." }),
                _ => json!({}),
            };
            shop.post(&format!("/v1/admin/orders/{order}/{step}"), &body).await;
        }
    }
    // What is done behind the requests: a refund, what finds the order by its SKU.
    settle(shop.host).await;
    let database = open(&shop.store);
    let patterns: Vec<_> = orders.iter().map(|id| Pattern::of(&database, id)).collect();
    let (products, skus) = (sold.products.clone(), sold.skus.clone());
    let (send, receive) = sync_channel::<Vec<Item>>(2);
    let maker = std::thread::spawn(move || {
        let fates: Vec<_> =
            FATES.iter().zip(&patterns).flat_map(|((_, of), one)| std::iter::repeat_n(one, *of)).collect();
        let now = Timestamp::now();
        for first in (0..count).step_by(TOGETHER) {
            let copies = (first..count.min(first + TOGETHER)).flat_map(|number| {
                // Orders of a buyer are months apart, those of a product too.
                let copy = Copy {
                    end: scattered(number),
                    buyer: scattered(number % count.div_ceil(OF_ONE)),
                    product: &products[number % products.len()],
                    sku: &skus[number % skus.len()],
                    placed_at: now - SignedDuration::from_millis(YEAR / count as i64 * number as i64),
                };
                let pattern = fates[number % fates.len()];
                [copy.fill(&pattern.order), copy.fill(&pattern.of_sku)]
            });
            send.send(copies.collect()).expect("somebody writes the copies");
        }
    });
    for items in receive {
        database.import_items("Table", items, ImportOptions::default()).expect("the engine takes copies");
    }
    maker.join().expect("the copies were made");
}

/// The store's file, beside the host, which has it too: each waits while the other writes.
fn open(store: &Path) -> Database {
    Database::new(&store.join("dynamodb.sqlite").to_string_lossy()).expect("the store has a file")
}

/// Ten digits that are no other number's, in no order, as ids are.
fn scattered(number: usize) -> String {
    format!("{:010}", number as u64 * 7_236_067_977 % 10_000_000_000)
}

impl Pattern {
    fn of(database: &Database, id: &str) -> Pattern {
        let (_, end) = id.split_at(id.len() - 10);
        let number = format!("{}-{}", &end[..5], &end[5..]);
        let order = item(database, &format!("ORDER#{number}"), "ORDER");
        let text = |path: &str| order.pointer(path).and_then(Value::as_str).expect("an order has it").to_owned();
        let (line, placed_at) = ("/lines/L/0/M", text("/placed_at/S"));
        let placed: Timestamp = placed_at.parse().expect("an order was placed sometime");
        let sku = text(&format!("{line}/sku/S"));
        let of_sku = item(database, &format!("SKU#{sku}#ORDERS"), &format!("{:013}#{id}", placed.as_millisecond()));
        let mut gaps = vec![
            (number, Gap::Number),
            (end.to_owned(), Gap::End),
            (text("/buyer/S"), Gap::Buyer),
            (text("/contact/M/email/S"), Gap::Email),
            (text(&format!("{line}/product_id/S")), Gap::Product),
            (sku, Gap::Sku),
        ];
        moments(&order, &mut |text, at| {
            let after = at.duration_since(placed);
            gaps.push((text.to_owned(), Gap::At(after)));
            gaps.push((format!("{:013}", at.as_millisecond()), Gap::Millis(after)));
        });
        Pattern { order: cut(&order.to_string(), &gaps), of_sku: cut(&of_sku.to_string(), &gaps) }
    }
}

fn item(database: &Database, pk: &str, sk: &str) -> Value {
    let key = [("pk", pk), ("sk", sk)].map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned())));
    let request = GetItemRequest { table_name: "Table".to_owned(), key: key.into(), ..Default::default() };
    let item = database.get_item(request).expect("the engine reads").item;
    serde_json::to_value(item.unwrap_or_else(|| panic!("there is no {pk} {sk}"))).expect("items are JSON")
}

/// Every moment that is told in there.
fn moments(value: &Value, tell: &mut impl FnMut(&str, Timestamp)) {
    match value {
        Value::String(text) => text.parse().into_iter().for_each(|at| tell(text, at)),
        Value::Array(values) => values.iter().for_each(|value| moments(value, tell)),
        Value::Object(fields) => fields.values().for_each(|value| moments(value, tell)),
        _ => {}
    }
}

/// A text with gaps instead of what stands for them.
fn cut(text: &str, gaps: &[(String, Gap)]) -> Vec<Piece> {
    let first =
        gaps.iter().filter_map(|(words, gap)| Some((text.find(words)?, words.len(), *gap))).min_by_key(|at| at.0);
    let Some((at, length, gap)) = first else { return vec![Piece::Same(text.to_owned())] };
    let mut pieces = vec![Piece::Same(text[..at].to_owned()), Piece::Gap(gap)];
    pieces.extend(cut(&text[at + length..], gaps));
    pieces
}

/// What is a copy's own.
struct Copy<'a> {
    end: String,
    buyer: String,
    product: &'a str,
    sku: &'a str,
    placed_at: Timestamp,
}

impl Copy<'_> {
    fn fill(&self, pieces: &[Piece]) -> Item {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Same(same) => text += same,
                Piece::Gap(gap) => text += &self.own(*gap),
            }
        }
        serde_json::from_str(&text).expect("a copy is an item")
    }

    fn own(&self, gap: Gap) -> String {
        match gap {
            Gap::End => self.end.clone(),
            Gap::Number => format!("{}-{}", &self.end[..5], &self.end[5..]),
            Gap::Buyer => format!("acc_0000000000000000{}", self.buyer),
            Gap::Email => format!("buyer-{}@example.com", self.buyer),
            Gap::Product => self.product.to_owned(),
            Gap::Sku => self.sku.to_owned(),
            Gap::At(after) => format!("{:.3}", self.placed_at + after),
            Gap::Millis(after) => format!("{:013}", (self.placed_at + after).as_millisecond()),
        }
    }
}
