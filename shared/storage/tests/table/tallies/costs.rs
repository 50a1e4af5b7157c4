//! What counting and reading cost.

use waybill_domain::report::Range;
use waybill_storage::tallies::{MAX_SOLD, Told};

use super::orders::{counting, invented};
use crate::shop::{Shop, at, usd};

#[tokio::test]
async fn counting_and_reading_take_the_calls_and_units_that_they_are_said_to() {
    let shop = Shop::open_without_stream().await;
    let units = |expected: f64| {
        let units = shop.wire.units();
        assert!(shop.is_elsewhere() || units == expected, "{units}, not {expected}");
    };
    let life = invented(5);
    assert_eq!(life[0].lines.len(), 2);
    shop.table.tally([Told::from(&life[0])], &counting(), at(0)).await.unwrap();
    shop.wire.calls();
    shop.wire.units();
    // Another order is placed: what it is found by, its note, its day, and how many stand where.
    let placed = &invented(13)[0];
    shop.table.tally([Told::from(placed)], &counting(), at(0)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "BatchGetItem", "PutItem", "PutItem", "TransactWriteItems"]);
    units(1.0 + 0.5 + 2.0 + 2.0 * 3.0);
    // Somebody is paying: of that there is a note.
    shop.table.tally([Told::from(&life[1])], &counting(), at(0)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "BatchGetItem", "UpdateItem"]);
    units(1.0 + 0.5 + 1.0);
    // It is paid: its note, its day, where it stands, and its two SKUs, whose categories are looked up (they are gone in this
    // shop).
    shop.table.tally([Told::from(&life[2])], &counting(), at(0)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "BatchGetItem", "BatchGetItem", "TransactWriteItems"]);
    units(1.0 + 0.5 + 1.0 + 2.0 * 5.0);
    // Fifty that were placed on one day: a note for each, and the day and where they stand once.
    let fifty = (1_000..1_050).map(|number| {
        let mut placed = invented(number).swap_remove(0);
        placed.timeline[0].at = at(0);
        placed
    });
    let fifty: Vec<_> = fifty.collect();
    let skus = fifty.iter().map(|order| order.lines.len()).sum::<usize>() as f64;
    shop.table.tally(fifty.iter().map(Told::from), &counting(), at(0)).await.unwrap();
    assert_eq!(shop.wire.calls().iter().filter(|call| *call != "PutItem").count(), 3);
    units(1.0 + 50.0 * 0.5 + skus + 2.0 * 52.0);
}

#[tokio::test]
async fn a_report_costs_the_same_at_ten_orders_and_at_a_thousand() {
    let mut costs = Vec::new();
    for orders in [10, 1_000_u64] {
        let shop = Shop::open_without_stream().await;
        // All days of a month, and all SKUs, also in the small shop.
        let told = (0..orders).map(|number| {
            let mut order = invented(number * 8 + 3).pop().unwrap();
            let line = order.lines[0].clone();
            order.lines.truncate(1);
            order.lines[0].sku = format!("SKU-{}", number % 10).parse().unwrap();
            order.total = line.total;
            for entry in &mut order.timeline {
                entry.at = at((number as i64 % 10) * 3 * 86_400);
            }
            order
        });
        let told: Vec<_> = told.collect();
        shop.table.tally(told.iter().map(Told::from), &counting(), at(0)).await.unwrap();
        let generation = shop.table.current_tally().await.unwrap().unwrap();
        shop.wire.calls();
        shop.wire.units();
        let month = Range::new("2027-01-15".parse().unwrap(), "2027-02-13".parse().unwrap()).unwrap();
        let days = shop.table.tally_of(&generation, usd(0).currency, month).await.unwrap();
        let placed: i64 = days.values().map(|counts| counts.placed).sum();
        assert_eq!((placed, days.len(), shop.wire.calls()), (orders as i64, 10, vec!["Query".to_owned()]));
        let of_days = shop.wire.units();
        let sold = shop.table.sales_of(&generation, usd(0).currency, month, MAX_SOLD).await.unwrap().unwrap();
        assert_eq!((sold.len(), shop.wire.calls()), (10, vec!["Query".to_owned(); 2]));
        costs.push((of_days, shop.wire.units()));
        let at_most = async |most| shop.table.sales_of(&generation, usd(0).currency, month, most).await.unwrap();
        assert_eq!(at_most(10).await.unwrap().len(), 10);
        assert_eq!(at_most(9).await, None);
        shop.wire.units();
        assert!(shop.is_elsewhere() || of_days <= 1.0, "{of_days}");
    }
    assert_eq!(costs[0], costs[1]);
}
