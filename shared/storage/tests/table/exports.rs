//! Exports: each step counts once and calls for the next; and what is exported is found by when it was made.

use std::collections::BTreeSet;

use waybill_domain::export::{Days, Export, Format, State, What};
use waybill_domain::id::ExportId;
use waybill_domain::message::ExportMessage;
use waybill_domain::product::ProductState;
use waybill_storage::Cursor;
use waybill_storage::catalog::Products;
use waybill_storage::exports::Started;
use waybill_storage::order_lists::{Orders, Placed};
use waybill_storage::outbox::{Announcement, announcement};
use waybill_storage::stock::Wanted;

use crate::accounts::{ann, bob};
use crate::shop::{STAFF, Shop, at, customer, listing, offer, product, uuid};
use crate::stock::receive;

pub fn export() -> Export {
    Export {
        id: ExportId::new(uuid()),
        what: What::Orders,
        format: Format::Csv,
        days: Some(Days {
            first: "2026-11-01".parse().unwrap(),
            last: "2026-11-30".parse().unwrap(),
            from: at(0),
            before: at(100),
        }),
        started_by: customer(),
        started_at: at(100),
        fingerprint: "f".into(),
        state: State::Writing { behind: None, upload: None, parts: Vec::new(), aside: None },
        steps: 0,
        rows: 0,
        bytes: 0,
        updated_at: at(100),
    }
}

/// The steps that were called for, in their order.
async fn announced(shop: &Shop) -> Vec<String> {
    let announced = shop.images().await.into_iter().filter_map(|image| announcement(image).unwrap());
    let of_export = |announcement| match announcement {
        Announcement::Export(ExportMessage { id, .. }) => Some(id),
        Announcement::Order { .. }
        | Announcement::Letter(_)
        | Announcement::Customer(_)
        | Announcement::Stock(_)
        | Announcement::Import(_)
        | Announcement::Webhook(_) => None,
    };
    announced.filter_map(of_export).collect()
}

#[tokio::test]
async fn a_step_counts_once_and_calls_for_the_next_until_there_is_none() {
    let shop = Shop::open().await;
    let first = export();
    assert_eq!(shop.table.start_export(&first).await.unwrap(), Started::Now);
    let again = Export { what: What::Lines, ..first.clone() };
    assert_eq!(shop.table.start_export(&again).await.unwrap(), Started::Before(Box::new(first.clone())));
    let claims =
        [shop.table.claim_export_step(&first).await.unwrap(), shop.table.claim_export_step(&first).await.unwrap()];
    assert_eq!(claims, [1, 2]);

    let second = Export { steps: 1, rows: 7, updated_at: at(101), ..first.clone() };
    assert!(shop.table.end_export_step(&first, &second).await.unwrap());
    let slower = Export { rows: 8, ..second.clone() };
    assert!(!shop.table.end_export_step(&first, &slower).await.unwrap());
    assert_eq!(shop.table.export(first.id).await.unwrap(), Some(second.clone()));
    let ready = Export { steps: 2, state: State::Ready, ..second.clone() };
    assert!(shop.table.end_export_step(&second, &ready).await.unwrap());
    assert_eq!(shop.table.export(first.id).await.unwrap(), Some(ready));
    assert_eq!(announced(&shop).await, [format!("{}/1", first.id), format!("{}/2", first.id)]);

    let later = Export { started_at: at(200), ..export() };
    shop.table.start_export(&later).await.unwrap();
    let page = shop.table.exports(1, None).await.unwrap();
    assert_eq!(page.items, [later.summary()]);
    let next = Cursor::among_exports(&page.next.unwrap().to_string()).unwrap();
    assert_eq!(shop.table.exports(1, Some(next)).await.unwrap().items, [first.summary()]);
}

#[tokio::test]
async fn movements_of_all_skus_are_found_by_when_they_were() {
    let shop = Shop::open_without_stream().await;
    let (tea, cup) = (shop.sells("TEA.1", 450, 5).await, shop.sells("CUP", 900, 0).await);
    let mut expected = Vec::new();
    for (units, offer) in [(10, &tea), (20, &cup), (30, &tea), (40, &cup)] {
        let movement = Wanted { at: at(units.into()), ..receive(units) };
        shop.table.move_stock(&offer.sku, &movement).await.unwrap();
        expected.insert(0, (offer.product_id, offer.sku.clone(), i64::from(units)));
    }
    let then = |from, before| Placed { from: Some(at(from)), before: Some(at(before)) };
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = shop.table.ledgers(then(10, 41), 3, cursor).await.unwrap();
        found.extend(page.items.into_iter().map(|line| (line.product_id, line.sku, line.movement.units)));
        match page.next {
            Some(next) => cursor = Some(Cursor::among_ledgers(&next.to_string()).unwrap()),
            None => break,
        }
    }
    assert_eq!(found, expected);
    let some = shop.table.ledgers(then(20, 40), 100, None).await.unwrap().items;
    assert_eq!(some.iter().map(|line| line.movement.units).collect::<Vec<_>>(), [30, 20]);
    assert!(shop.table.ledgers(then(20, 20), 100, None).await.unwrap().items.is_empty());
    // A SKU's own list tells the same.
    let own = shop.table.movements(tea.product_id, &tea.sku, 100, None).await.unwrap().items;
    assert_eq!(own[0], some[0].movement);
}

#[tokio::test]
async fn accounts_are_found_by_when_they_were_made_until_they_are_gone() {
    let shop = Shop::open_without_stream().await;
    let (ann, bob) = (ann(&shop).await, bob(&shop).await);
    let made = Placed { from: Some(at(0)), before: Some(at(1)) };
    let mut ids = BTreeSet::new();
    let first = shop.table.accounts(made, 1, None).await.unwrap();
    let next = Cursor::among_accounts(&first.next.clone().unwrap().to_string()).unwrap();
    let second = shop.table.accounts(made, 1, Some(next)).await.unwrap();
    ids.extend(first.items.iter().chain(&second.items).map(|account| account.id));
    assert_eq!(ids, BTreeSet::from([ann.id, bob.id]));
    let later = Placed { from: Some(at(1)), before: None };
    assert!(shop.table.accounts(later, 100, None).await.unwrap().items.is_empty());
    shop.table.begin_to_leave(bob.id, at(2)).await.unwrap();
    shop.table.leave(&bob, at(3)).await.unwrap();
    assert_eq!(shop.table.accounts(made, 100, None).await.unwrap().items, [ann.account()]);
}

#[tokio::test]
async fn a_hundred_orders_of_an_export_are_some_queries_and_one_read_of_the_orders() {
    let shop = Shop::open_without_stream().await;
    let tea = shop.sells("TEA", 450, 1_000).await;
    for _ in 0..100 {
        shop.placed(&tea).await;
    }
    shop.wire.calls();
    shop.wire.units();
    let page = shop.table.orders(Orders::All, Placed::default(), 100, None).await.unwrap();
    let ids: Vec<_> = page.items.iter().map(|order| order.id).collect();
    assert_eq!(shop.table.whole_orders(&ids).await.unwrap().len(), 100);
    let calls = shop.wire.calls();
    assert_eq!(calls.iter().filter(|call| *call != "Query").collect::<Vec<_>>(), ["BatchGetItem"]);
    // Half a unit for each order, and for each 4 KB of lines of the lists.
    let units = shop.wire.units();
    assert!(shop.is_elsewhere() || units <= 50.0 + 20.0, "{units}");
    println!("{units} read units for 100 orders");

    let export = export();
    shop.wire.calls();
    shop.table.start_export(&export).await.unwrap();
    shop.table.export(export.id).await.unwrap();
    shop.table.claim_export_step(&export).await.unwrap();
    shop.table.end_export_step(&export, &Export { steps: 1, ..export.clone() }).await.unwrap();
    assert_eq!(shop.wire.calls(), ["PutItem", "GetItem", "UpdateItem", "PutItem"]);
}

#[tokio::test]
async fn a_hundred_products_of_an_export_are_half_a_unit_each_and_half_a_unit_for_each_of_their_offers() {
    let shop = Shop::open_without_stream().await;
    let tea = shop.sells("TEA-0", 450, 5).await;
    for number in 1..100 {
        let product = product(tea.category_ids[0], &format!("tea-{number}"));
        let offer = offer(&product, &format!("TEA-{number}"), 450, 5);
        shop.table.create_product(&listing(&product, [offer]), STAFF).await.unwrap();
    }
    shop.wire.calls();
    shop.wire.units();
    let page = shop.table.products(Products::Of(ProductState::Active), 100, None).await.unwrap();
    let ids: Vec<_> = page.items.iter().map(|product| product.id).collect();
    assert_eq!(shop.table.listings(&ids).await.unwrap().len(), 100);
    assert_eq!(shop.wire.calls(), ["Query", "BatchGetItem", "BatchGetItem"]);
    // And half a unit for each 4 KB of lines of the list.
    let units = shop.wire.units();
    assert!(shop.is_elsewhere() || units <= 100.0 + 10.0, "{units}");
    println!("{units} read units for 100 products");
}
