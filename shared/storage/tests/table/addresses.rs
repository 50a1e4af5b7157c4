//! Address books.

use waybill_domain::id::AddressId;
use waybill_storage::addresses::AddressBook;

use crate::accounts::ann;
use crate::shop::{Shop, address, at, customer, reasons, uuid};

pub const ADDRESS: &str = "adr_00000000000000000000000001";

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_kept_at_once_are_all_kept() {
    let shop = Shop::open().await;
    let account = ann(&shop).await.id;
    let keeping: Vec<_> = (0..5)
        .map(|_| {
            let (table, id) = (shop.table.clone(), AddressId::new(uuid()));
            tokio::spawn(async move {
                let keep = |book: &mut AddressBook| {
                    book.addresses.insert(id, address());
                    Ok::<_, &str>(())
                };
                table.change_address_book(account, "left", keep).await.unwrap()
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
    let account = ann(&shop).await.id;
    let refuse = |book: &mut AddressBook| {
        book.addresses.insert(ADDRESS.parse().unwrap(), address());
        Err("no")
    };
    assert_eq!(reasons(shop.table.change_address_book(account, "left", refuse).await), ["no"]);
    assert!(shop.table.address_book(account).await.unwrap().addresses.is_empty());
}

#[tokio::test]
async fn nothing_is_kept_for_an_account_that_is_being_deleted_or_is_gone() {
    let shop = Shop::open().await;
    let account = ann(&shop).await.id;
    let keep = |book: &mut AddressBook| {
        book.addresses.insert(ADDRESS.parse().unwrap(), address());
        Ok(())
    };
    shop.table.begin_to_leave(account, at(1)).await.unwrap();
    for account in [account, customer()] {
        assert_eq!(reasons(shop.table.change_address_book(account, "left", keep).await), ["left"]);
        assert!(shop.table.address_book(account).await.unwrap().addresses.is_empty());
    }
}
