//! Carts: lines set, replaced and removed, by several devices at once.

use waybill_domain::cart::{CartLine, MAX_LINES};
use waybill_domain::id::ProductId;
use waybill_domain::text::Sku;
use waybill_storage::carts::CartFull;

use crate::shop::{Shop, customer, fresh_cart, reasons};

fn sku(number: usize) -> Sku {
    format!("SKU.{number:03}").parse().unwrap()
}

fn units(units: i64) -> CartLine {
    let product_id: ProductId = "prd_00000000000000000000000001".parse().unwrap();
    CartLine { product_id, quantity: units.try_into().unwrap() }
}

#[tokio::test]
async fn a_line_is_set_replaced_and_removed_and_the_version_tells() {
    let shop = Shop::open().await;
    let ann = customer();
    let fresh = fresh_cart();
    assert_eq!(shop.table.cart(ann).await.unwrap(), None);
    let begun = shop.table.set_cart_line(ann, &sku(1), units(2), fresh).await.unwrap();
    assert_eq!((begun.id, begun.version, begun.lines), (fresh.0, 1, [(sku(1), units(2))].into()));
    let second = shop.table.set_cart_line(ann, &sku(2), units(1), fresh_cart()).await.unwrap();
    assert_eq!((second.id, second.version), (fresh.0, 2));
    let replaced = shop.table.set_cart_line(ann, &sku(1), units(7), fresh_cart()).await.unwrap();
    assert_eq!((replaced.version, &replaced.lines), (3, &[(sku(1), units(7)), (sku(2), units(1))].into()));
    assert_eq!(shop.table.cart(ann).await.unwrap(), Some(replaced));
    let removed = shop.table.remove_cart_line(ann, &sku(1)).await.unwrap().unwrap();
    assert_eq!((removed.version, &removed.lines), (4, &[(sku(2), units(1))].into()));
    assert_eq!(shop.table.cart(ann).await.unwrap(), Some(removed));
}

#[tokio::test]
async fn removing_a_line_that_is_not_there_changes_nothing() {
    let shop = Shop::open().await;
    let ann = customer();
    assert_eq!(shop.table.remove_cart_line(ann, &sku(1)).await.unwrap(), None);
    let cart = shop.table.set_cart_line(ann, &sku(1), units(2), fresh_cart()).await.unwrap();
    assert_eq!(shop.table.remove_cart_line(ann, &sku(2)).await.unwrap(), Some(cart.clone()));
    assert_eq!(shop.table.cart(ann).await.unwrap(), Some(cart));
}

#[tokio::test]
async fn an_emptied_cart_can_be_filled_again() {
    let shop = Shop::open().await;
    let ann = customer();
    let cart = shop.table.set_cart_line(ann, &sku(1), units(2), fresh_cart()).await.unwrap();
    assert!(shop.table.remove_cart_line(ann, &sku(1)).await.unwrap().unwrap().lines.is_empty());
    let again = shop.table.set_cart_line(ann, &sku(2), units(1), fresh_cart()).await.unwrap();
    assert_eq!((again.id, again.version, again.lines), (cart.id, 3, [(sku(2), units(1))].into()));
}

#[tokio::test]
async fn a_cleared_cart_is_gone_and_the_next_is_another_one() {
    let shop = Shop::open().await;
    let ann = customer();
    let cart = shop.table.set_cart_line(ann, &sku(1), units(2), fresh_cart()).await.unwrap();
    shop.table.clear_cart(ann).await.unwrap();
    shop.table.clear_cart(ann).await.unwrap();
    assert_eq!(shop.table.cart(ann).await.unwrap(), None);
    let next = shop.table.set_cart_line(ann, &sku(1), units(2), fresh_cart()).await.unwrap();
    assert_ne!(next.id, cart.id);
}

#[tokio::test]
async fn a_cart_is_its_buyers_own() {
    let shop = Shop::open().await;
    let (ann, bob) = (customer(), customer());
    shop.table.set_cart_line(ann, &sku(1), units(2), fresh_cart()).await.unwrap();
    assert_eq!(shop.table.cart(bob).await.unwrap(), None);
}

#[tokio::test]
async fn a_cart_holds_50_lines_and_refuses_the_51st() {
    let shop = Shop::open().await;
    let ann = customer();
    for number in 0..MAX_LINES {
        shop.table.set_cart_line(ann, &sku(number), units(1), fresh_cart()).await.unwrap();
    }
    let refused = shop.table.set_cart_line(ann, &sku(MAX_LINES), units(1), fresh_cart()).await;
    assert_eq!(reasons(refused), [CartFull]);
    let full = shop.table.cart(ann).await.unwrap().unwrap();
    assert_eq!((full.lines.len(), full.version), (MAX_LINES, MAX_LINES as u64));
    let replaced = shop.table.set_cart_line(ann, &sku(7), units(9), fresh_cart()).await.unwrap();
    assert_eq!((replaced.lines.len(), replaced.lines[&sku(7)]), (MAX_LINES, units(9)));
    shop.table.remove_cart_line(ann, &sku(0)).await.unwrap();
    let room = shop.table.set_cart_line(ann, &sku(MAX_LINES), units(1), fresh_cart()).await.unwrap();
    assert_eq!(room.lines.len(), MAX_LINES);
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_begin_a_cart_at_once_share_it_and_lose_no_line() {
    let shop = Shop::open().await;
    let ann = customer();
    let devices: Vec<_> = (0..20)
        .map(|number| {
            let table = shop.table.clone();
            tokio::spawn(async move { table.set_cart_line(ann, &sku(number), units(1), fresh_cart()).await.unwrap() })
        })
        .collect();
    let mut ids = Vec::new();
    for device in devices {
        ids.push(device.await.unwrap().id);
    }
    let cart = shop.table.cart(ann).await.unwrap().unwrap();
    assert_eq!((cart.lines.len(), cart.version), (20, 20));
    assert!(ids.iter().all(|id| *id == cart.id), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_set_and_remove_lines_at_once_never_lose_one() {
    let shop = Shop::open().await;
    let ann = customer();
    for number in 0..10 {
        shop.table.set_cart_line(ann, &sku(number), units(1), fresh_cart()).await.unwrap();
    }
    let devices: Vec<_> = (0..20)
        .map(|number| {
            let table = shop.table.clone();
            tokio::spawn(async move {
                if number < 10 {
                    table.remove_cart_line(ann, &sku(number)).await.unwrap();
                } else {
                    table.set_cart_line(ann, &sku(number), units(1), fresh_cart()).await.unwrap();
                }
            })
        })
        .collect();
    for device in devices {
        device.await.unwrap();
    }
    let cart = shop.table.cart(ann).await.unwrap().unwrap();
    assert_eq!(cart.lines.into_keys().collect::<Vec<_>>(), (10..20).map(sku).collect::<Vec<_>>());
    assert_eq!(cart.version, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_fill_a_cart_at_once_stop_at_50_lines() {
    let shop = Shop::open().await;
    let ann = customer();
    let devices: Vec<_> = (0..60)
        .map(|number| {
            let table = shop.table.clone();
            tokio::spawn(async move { table.set_cart_line(ann, &sku(number), units(1), fresh_cart()).await.is_ok() })
        })
        .collect();
    let mut taken = 0;
    for device in devices {
        taken += usize::from(device.await.unwrap());
    }
    assert_eq!((taken, shop.table.cart(ann).await.unwrap().unwrap().lines.len()), (MAX_LINES, MAX_LINES));
}
