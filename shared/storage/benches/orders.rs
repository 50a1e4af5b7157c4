//! What lists of orders cost in a small and in a large shop: `cargo bench -p waybill-storage --bench orders`. Other sizes
//! than 1,000 and 1,000,000 orders: `cargo bench -p waybill-storage --bench orders -- 1000 100000`. A million take 8 GB of
//! memory and about ten minutes.
//!
//! The engine is the embedded one, so what counts is the ratio, the calls, the units and the bytes, not the milliseconds.

#![allow(dead_code)] // The shop of the tests can do more than is asked of it here.

mod history;
mod measure;
#[path = "../tests/table/shop.rs"]
mod shop;
#[path = "../tests/table/wire.rs"]
mod wire;

use waybill_domain::Timestamp;
use waybill_domain::id::NoteId;
use waybill_domain::order::Status;
use waybill_storage::notes::Note;
use waybill_storage::order_lists::{Orders, Placed};

use history::{FEW, History, RARE, REGULAR, SOLD_OFTEN, SOLD_RARELY, filled, moment};
use measure::{Cost, cost};
use shop::{at, customer};

const PAGE: usize = 20;

#[tokio::main]
async fn main() {
    let sizes = measure::sizes(&[1_000, 1_000_000]);
    let mut shops = Vec::new();
    for size in &sizes {
        shops.push(filled(*size).await);
    }
    let mut columns = vec![Vec::new(); sizes.len()];
    // What else the machine does meanwhile, it does to all of them.
    for (name, read) in reads() {
        for (shop, column) in shops.iter().zip(&mut columns) {
            column.push((name, measured(shop, name, &read).await));
        }
    }
    measure::show(&sizes, &columns, None);
}

/// What is read, and how many it has to be.
enum Read {
    List(Orders, Part, usize),
    One,
    Counts,
    Notes,
    /// Unpaid orders from before that.
    Unpaid(Timestamp, usize),
}

/// What of a list is read.
enum Part {
    Newest,
    /// The page behind a place half-way, as a cursor has it.
    FromTheMiddle,
    /// What was placed in the year around the middle.
    Year,
}

fn reads() -> Vec<(&'static str, Read)> {
    use Part::{FromTheMiddle, Newest, Year};
    let list = |list: &Orders, part| Read::List(list.clone(), part, PAGE);
    let selling = |sku: &str| Orders::Selling(sku.parse().unwrap());
    let (delivered, often) = (Orders::With(Status::Delivered), selling(SOLD_OFTEN));
    vec![
        ("all", list(&Orders::All, Newest)),
        ("all, from the middle", list(&Orders::All, FromTheMiddle)),
        ("all, of a year", list(&Orders::All, Year)),
        ("pending", list(&Orders::With(Status::Pending), Newest)),
        ("paid", list(&Orders::With(Status::Paid), Newest)),
        ("delivered", list(&delivered, Newest)),
        ("delivered, from the middle", list(&delivered, FromTheMiddle)),
        ("delivered, of a year", list(&delivered, Year)),
        ("of a customer of many", list(&Orders::Of(REGULAR), Newest)),
        ("of a customer of many, from the middle", list(&Orders::Of(REGULAR), FromTheMiddle)),
        ("of a customer of many, of a year", list(&Orders::Of(REGULAR), Year)),
        ("of a customer of few", Read::List(Orders::Of(RARE), Newest, FEW)),
        ("of a SKU sold often", list(&often, Newest)),
        ("of a SKU sold often, from the middle", list(&often, FromTheMiddle)),
        ("of a SKU sold often, of a year", list(&often, Year)),
        ("of a SKU sold rarely", Read::List(selling(SOLD_RARELY), Newest, FEW)),
        ("one by its number", Read::One),
        ("how many stand where", Read::Counts),
        ("notes about one", Read::Notes),
        ("unpaid for too long", Read::Unpaid(moment(1.0), PAGE)),
        ("unpaid for too long, none", Read::Unpaid(moment(0.0), 0)),
    ]
}

async fn measured(History { shop, middle }: &History, name: &str, read: &Read) -> Cost {
    let (table, number) = (&shop.table, middle.id.number());
    match read {
        Read::List(list, part, length) => {
            let (placed, cursor) = match part {
                Part::Newest => (Placed::default(), None),
                Part::FromTheMiddle => {
                    let before = Placed { from: None, before: Some(moment(0.5)) };
                    (Placed::default(), table.orders(list.clone(), before, 1, None).await.unwrap().next)
                }
                Part::Year => (Placed { from: Some(moment(0.25)), before: Some(moment(0.75)) }, None),
            };
            let read = async || {
                let page = table.orders(list.clone(), placed, PAGE as u8, cursor.clone()).await.unwrap();
                assert_eq!(page.items.len(), *length, "{name}");
            };
            cost(shop, read).await
        }
        Read::One => cost(shop, async || assert!(table.order_numbered(number).await.unwrap().is_some())).await,
        Read::Counts => cost(shop, async || drop(table.order_counts().await.unwrap())).await,
        Read::Notes => {
            for key in 0..=PAGE {
                let (by, key) = (customer(), format!("key-{key}").parse().unwrap());
                let id = NoteId::for_request(middle.id, by, &key);
                let note = Note { id, text: "The buyer called.".parse().unwrap(), by: Some(by), at: at(0) };
                table.write_note(number, &note).await.unwrap();
            }
            let notes = async || assert_eq!(table.notes(number, PAGE as u8, None).await.unwrap().items.len(), PAGE);
            cost(shop, notes).await
        }
        Read::Unpaid(before, length) => {
            let unpaid = async || {
                let (orders, _) = table.unpaid_orders(*before, PAGE as u8, None).await.unwrap();
                assert_eq!(orders.len(), *length, "{name}");
            };
            cost(shop, unpaid).await
        }
    }
}
