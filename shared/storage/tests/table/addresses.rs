//! Address books.

use waybill_domain::id::AddressId;
use waybill_storage::addresses::AddressBook;

use crate::shop::{Shop, address, customer, reasons, uuid};

pub const ADDRESS: &str = "adr_00000000000000000000000001";

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_kept_at_once_are_all_kept() {
    let shop = Shop::open().await;
    let account = customer();
    let keeping: Vec<_> = (0..5)
        .map(|_| {
            let (table, id) = (shop.table.clone(), AddressId::new(uuid()));
            tokio::spawn(async move {
                let keep = |book: &mut AddressBook| {
                    book.addresses.insert(id, address());
                    Ok::<_, ()>(())
                };
                table.change_address_book(account, keep).await.unwrap()
            })
        })
        .collect();
    for kept in keeping {
        kept.await.unwrap();
    }
    assert_eq!(shop.table.address_book(account).await.unwrap().entries().len(), 5);
    assert!(shop.table.address_book(customer()).await.unwrap().entries().is_empty());
}

#[tokio::test]
async fn a_refused_change_changes_nothing() {
    let shop = Shop::open().await;
    let account = customer();
    let refuse = |book: &mut AddressBook| {
        book.addresses.insert(ADDRESS.parse().unwrap(), address());
        Err("no")
    };
    assert_eq!(reasons(shop.table.change_address_book(account, refuse).await), ["no"]);
    assert!(shop.table.address_book(account).await.unwrap().addresses.is_empty());
}
