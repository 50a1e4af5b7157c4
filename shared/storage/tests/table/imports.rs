//! Imports: not started before all of it is stored, and each part counted once.

use waybill_domain::id::ImportId;
use waybill_domain::import::{Content, Counts, Failure, Fault, Format, Import, PART_ROWS, Row};
use waybill_domain::message::ImportMessage;
use waybill_domain::product::MAX_SKUS;
use waybill_storage::imports::{FailureCursor, Started};
use waybill_storage::outbox::{Announcement, announcement};

use crate::shop::{STAFF, Shop, at, customer, listing, offer, product, uuid};

pub fn import(parts: u32) -> Import {
    Import {
        id: ImportId::new(uuid()),
        format: Format::JsonLines,
        columns: Vec::new(),
        rows: parts,
        parts,
        started_by: customer(),
        started_at: at(0),
        fingerprint: "f".into(),
    }
}

pub fn parts(count: u32) -> Vec<Vec<Row>> {
    (1..=count).map(|number| vec![Row { number, content: Content::Line(format!("line {number}")) }]).collect()
}

fn failure(row: u32) -> Failure {
    Failure { row, slug: None, sku: Some("TEA".into()), errors: vec![Fault::column("price", "must be a price")] }
}

async fn announced(shop: &Shop) -> Vec<ImportMessage> {
    let announced = shop.images().await.into_iter().filter_map(|image| announcement(image).unwrap());
    let import = |announcement| match announcement {
        Announcement::Import(messages) => messages,
        Announcement::Order { .. }
        | Announcement::Letter(_)
        | Announcement::Customer(_)
        | Announcement::Stock(_)
        | Announcement::Export(_)
        | Announcement::Webhook(_) => Vec::new(),
    };
    announced.flat_map(import).collect()
}

#[tokio::test]
async fn an_import_that_breaks_off_after_any_call_is_not_started_and_the_same_request_ends_it() {
    let shop = Shop::open().await;
    for calls in 0..4 {
        let import = import(3);
        shop.wire.end_after(calls);
        shop.table.start_import(&import, parts(3)).await.unwrap_err();
        shop.wire.go_on();
        assert_eq!(shop.table.import_progress(import.id).await.unwrap(), None, "after {calls} calls");
        assert_eq!(shop.table.start_import(&import, parts(3)).await.unwrap(), Started::Now);
        for part in 1..=3 {
            let rows = shop.table.import_part(&import, part).await.unwrap().unwrap();
            assert_eq!(rows, parts(3)[part as usize - 1]);
        }
    }
    assert_eq!(announced(&shop).await.len(), 4 * 3);
}

#[tokio::test]
async fn an_import_is_started_once_and_announces_each_part_once_also_when_the_reply_is_lost() {
    let shop = Shop::open().await;
    let import = import(2);
    shop.wire.lose_reply_after(2);
    assert_eq!(shop.table.start_import(&import, parts(2)).await.unwrap(), Started::Now);
    let other = Import { fingerprint: "g".into(), started_at: at(9), ..import.clone() };
    assert_eq!(shop.table.start_import(&other, parts(1)).await.unwrap(), Started::Before(import.clone()));
    assert_eq!(shop.table.import(import.id).await.unwrap().unwrap(), import);
    assert_eq!(shop.table.import_part(&import, 2).await.unwrap().unwrap(), parts(2)[1]);
    let told: Vec<_> = announced(&shop).await.into_iter().map(|message| message.id).collect();
    assert_eq!(told, [format!("{}/1", import.id), format!("{}/2", import.id)]);
    let list = shop.table.imports(20, None).await.unwrap();
    assert_eq!((list.items, list.next), (vec![import.summary()], None));
}

#[tokio::test]
async fn a_part_counts_once_however_often_it_ends() {
    let shop = Shop::open().await;
    let import = import(2);
    shop.table.start_import(&import, parts(2)).await.unwrap();
    let first = Counts { created: 3, failed: 1, ..Counts::default() };
    shop.wire.lose_next_reply();
    shop.table.end_import_part(&import, 1, first, &[failure(4)], at(1)).await.unwrap();
    assert_eq!(shop.table.import_part(&import, 1).await.unwrap(), None);
    // Somebody else worked it off, too, and found what the first had done.
    let late = Counts { unchanged: 2, failed: 2, ..Counts::default() };
    shop.table.end_import_part(&import, 1, late, &[failure(4), failure(5)], at(2)).await.unwrap();
    let (_, progress) = shop.table.import_progress(import.id).await.unwrap().unwrap();
    assert_eq!((progress.counts, progress.parts_done, progress.updated_at), (first, 1, at(1)));
    assert!(!import.is_finished(&progress));
    assert_eq!(shop.table.import_failures(import.id, 20, None).await.unwrap().items, [failure(4)]);
    let second = Counts { changed: 1, unchanged: 7, ..Counts::default() };
    shop.table.end_import_part(&import, 2, second, &[], at(3)).await.unwrap();
    let (_, progress) = shop.table.import_progress(import.id).await.unwrap().unwrap();
    assert_eq!(progress.counts, Counts { created: 3, changed: 1, unchanged: 7, failed: 1 });
    assert!(import.is_finished(&progress));
}

#[tokio::test]
async fn a_part_of_which_every_row_failed_ends_in_one_transaction_and_failures_come_in_pages_both_ways() {
    let shop = Shop::open().await;
    let import = import(1);
    shop.table.start_import(&import, parts(1)).await.unwrap();
    let rows = PART_ROWS as u32;
    let failures: Vec<_> = (1..=rows).map(failure).collect();
    let counts = Counts { failed: rows, ..Counts::default() };
    shop.wire.calls();
    shop.table.end_import_part(&import, 1, counts, &failures, at(1)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems"]);
    let rows_of = |items: &[Failure]| -> Vec<u32> { items.iter().map(|failure| failure.row).collect() };
    let first = shop.table.import_failures(import.id, 30, None).await.unwrap();
    assert_eq!((rows_of(&first.items), first.previous), ((1..=30).collect(), None));
    let second = shop.table.import_failures(import.id, 30, first.next).await.unwrap();
    assert_eq!(second.next, Some(FailureCursor::After(60)));
    let last = shop.table.import_failures(import.id, 30, second.next).await.unwrap();
    assert_eq!((rows_of(&last.items), last.next), ((61..=80).collect(), None));
    let back = shop.table.import_failures(import.id, 30, last.previous).await.unwrap();
    assert_eq!(rows_of(&back.items), rows_of(&second.items));
    let back = shop.table.import_failures(import.id, 30, back.previous).await.unwrap();
    assert_eq!(rows_of(&back.items), rows_of(&first.items));
}

#[tokio::test]
async fn some_products_are_read_with_all_their_offers_in_the_order_that_is_asked_for() {
    let shop = Shop::open().await;
    let made = shop.sells("TEA", 450, 5).await;
    let product = product(made.category_ids[0], "many");
    let many = listing(&product, (10..10 + MAX_SKUS).map(|number| offer(&product, &format!("CUP-{number}"), 100, 1)));
    shop.table.create_product(&many, STAFF).await.unwrap();
    let gone = waybill_domain::id::ProductId::new(uuid());
    let found = shop.table.listings(&[many.product.id, gone, made.product_id]).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], many);
    assert_eq!(found[1].offers, [made]);
}
