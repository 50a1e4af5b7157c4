//! Carts: lines set, replaced and removed, by several devices at once.

use std::collections::{BTreeMap, BTreeSet};

use waybill_domain::cart::{Cart, CartLine, MAX_LINES};
use waybill_domain::id::{DraftId, ProductId};
use waybill_domain::text::Sku;
use waybill_storage::Refused;
use waybill_storage::carts::{CartRefused, LIFETIME, NewCart};

use crate::shop::{Shop, at, cart_id, customer, fresh_cart, reasons};

fn sku(number: usize) -> Sku {
    format!("SKU.{number:03}").parse().unwrap()
}

fn units(units: i64) -> CartLine {
    let product_id: ProductId = "prd_00000000000000000000000001".parse().unwrap();
    CartLine { product_id, quantity: units.try_into().unwrap(), price: None }
}

#[tokio::test]
async fn a_line_is_set_replaced_and_removed_and_the_version_tells() {
    let shop = Shop::open().await;
    let ann = customer();
    let fresh = fresh_cart();
    assert_eq!(shop.table.cart(ann).await.unwrap(), None);
    let begun = shop.table.set_cart_line(ann, &sku(1), units(2), fresh).await.unwrap();
    assert_eq!((begun.id, begun.version, begun.lines), (fresh.id, 1, [(sku(1), units(2))].into()));
    let second = shop.table.set_cart_line(ann, &sku(2), units(1), fresh_cart()).await.unwrap();
    assert_eq!((second.id, second.version), (fresh.id, 2));
    let replaced = shop.table.set_cart_line(ann, &sku(1), units(7), fresh_cart()).await.unwrap();
    assert_eq!((replaced.version, &replaced.lines), (3, &[(sku(1), units(7)), (sku(2), units(1))].into()));
    assert_eq!(shop.table.cart(ann).await.unwrap(), Some(replaced));
    let removed = shop.table.remove_cart_line(ann, &sku(1)).await.unwrap().unwrap();
    assert_eq!((removed.version, &removed.lines), (4, &[(sku(2), units(1))].into()));
    assert_eq!(shop.table.cart(ann).await.unwrap(), Some(removed));
}

#[tokio::test]
async fn a_cart_is_begun_where_there_is_none_and_a_draft_never_by_the_way() {
    let shop = Shop::open().await;
    let (ann, fresh) = (customer(), fresh_cart());
    let begun = shop.table.begin_cart(ann, &sku(1), units(2), fresh).await.unwrap().unwrap();
    assert_eq!((begun.id, begun.version, &begun.lines), (fresh.id, 1, &[(sku(1), units(2))].into()));
    assert_eq!(begun.expires_at, fresh.now.as_second() + LIFETIME);
    assert_eq!(shop.table.begin_cart(ann, &sku(2), units(1), fresh_cart()).await.unwrap(), None);
    assert_eq!(shop.table.cart(ann).await.unwrap(), Some(begun), "who comes second changes nothing");
    let draft: DraftId = "drf_00000000000000000000000001".parse().unwrap();
    assert_eq!(shop.table.begin_cart(draft, &sku(1), units(1), fresh_cart()).await.unwrap(), None);
    assert_eq!(shop.table.cart(draft).await.unwrap(), None);
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
    assert_eq!(reasons(refused), [CartRefused::Full]);
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

fn seconds(cart: &Cart) -> i64 {
    cart.expires_at - at(0).as_second()
}

#[tokio::test]
async fn a_cart_lives_for_thirty_days_after_its_last_use() {
    let shop = Shop::open().await;
    let ann = customer();
    let set = async |now: i64| {
        let fresh = NewCart { now: at(now), ..fresh_cart() };
        shop.table.set_cart_line(ann, &sku(1), units(1), fresh).await.unwrap()
    };
    assert_eq!(seconds(&set(0).await), LIFETIME);
    assert_eq!(seconds(&set(100).await), 100 + LIFETIME);
    // Looking at it costs a write once a day.
    let look = async |now: i64| {
        let cart = shop.table.cart(ann).await.unwrap().unwrap();
        shop.wire.calls();
        shop.table.renew_cart(ann, &cart, at(now)).await.unwrap();
        (shop.wire.calls().len(), seconds(&shop.table.cart(ann).await.unwrap().unwrap()))
    };
    assert_eq!(look(100 + 86_399).await, (0, 100 + LIFETIME));
    assert_eq!(look(100 + 86_400).await, (1, 100 + 86_400 + LIFETIME));
}

#[tokio::test]
async fn merged_carts_have_every_line_of_both_once() {
    let shop = Shop::open().await;
    let (ann, guest) = (customer(), cart_id());
    for (number, quantity) in [(1, 2), (2, 3)] {
        shop.table.set_cart_line(guest, &sku(number), units(quantity), fresh_cart()).await.unwrap();
    }
    // Nothing of one's own yet.
    let merged = shop.table.merge_carts(guest, ann, at(5)).await.unwrap().unwrap();
    assert_eq!(merged.lines, [(sku(1), units(2)), (sku(2), units(3))].into());
    assert_eq!((shop.table.cart(guest).await.unwrap(), seconds(&merged)), (None, 5 + LIFETIME));
    assert_eq!(shop.table.cart(ann).await.unwrap().as_ref(), Some(&merged));
    // Something in both.
    shop.table.set_cart_line(guest, &sku(2), units(4), fresh_cart()).await.unwrap();
    let again = shop.table.merge_carts(guest, ann, at(6)).await.unwrap().unwrap();
    assert_eq!(again.lines, [(sku(1), units(2)), (sku(2), units(7))].into());
    assert_eq!((again.id, again.version), (merged.id, merged.version + 1));
    // Once it is done, doing it again changes nothing.
    assert_eq!(shop.table.merge_carts(guest, ann, at(7)).await.unwrap(), Some(again));
    assert_eq!(shop.table.merge_carts(guest, customer(), at(7)).await.unwrap(), None);
    // More than a cart holds is refused, and both stay as they are.
    for number in 3..=MAX_LINES + 1 {
        shop.table.set_cart_line(guest, &sku(number), units(1), fresh_cart()).await.unwrap();
    }
    assert_eq!(reasons(shop.table.merge_carts(guest, ann, at(8)).await), [CartRefused::Full]);
    assert_eq!(shop.table.cart(guest).await.unwrap().unwrap().lines.len(), MAX_LINES - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn carts_that_are_merged_while_both_change_lose_no_line() {
    for _ in 0..5 {
        let shop = Shop::open().await;
        let (ann, guest) = (customer(), cart_id());
        shop.table.set_cart_line(guest, &sku(0), units(1), fresh_cart()).await.unwrap();
        let devices: Vec<_> = (0..24)
            .map(|number| {
                let table = shop.table.clone();
                tokio::spawn(async move {
                    match number % 3 {
                        0 => drop(table.set_cart_line(ann, &sku(number), units(1), fresh_cart()).await.unwrap()),
                        1 => drop(table.set_cart_line(guest, &sku(number), units(1), fresh_cart()).await.unwrap()),
                        _ => drop(table.merge_carts(guest, ann, at(1)).await.unwrap()),
                    }
                })
            })
            .collect();
        for device in devices {
            device.await.unwrap();
        }
        let merged = shop.table.merge_carts(guest, ann, at(2)).await.unwrap().unwrap();
        let expected: BTreeSet<_> = (0..24).filter(|number| number % 3 < 2).map(sku).collect();
        assert_eq!(merged.lines.into_keys().collect::<BTreeSet<_>>(), expected);
    }
}

/// What a device did to a line, and the cart as it was answered: how many of each SKU.
struct Done {
    sku: usize,
    /// None takes the line out.
    quantity: Option<i64>,
    version: u64,
    lines: [u16; SKUS],
}

const SKUS: usize = 60;

fn counted(cart: &Cart) -> [u16; SKUS] {
    let mut lines = [0; SKUS];
    for (place, count) in lines.iter_mut().enumerate() {
        *count = cart.lines.get(&sku(place)).map_or(0, |line| line.quantity.get() as u16);
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn what_thirty_two_devices_do_at_once_is_explained_by_one_order_of_it_all() {
    explained(60).await;
}

/// Some minutes: `cargo test --workspace --test table -- --ignored a_thousand_times`.
#[ignore = "slow"]
#[tokio::test(flavor = "multi_thread")]
async fn what_they_do_a_thousand_times_each_is_explained_too() {
    explained(1_000).await;
}

/// That every change of 32 devices, so many each, follows from the one before it.
async fn explained(changes: usize) {
    const DEVICES: usize = 32;
    let shop = Shop::open_without_stream().await;
    let ann = customer();
    let devices: Vec<_> = (0..DEVICES)
        .map(|device| {
            let table = shop.table.clone();
            tokio::spawn(async move {
                let (mut done, mut refused, mut seed) = (Vec::new(), 0, device as u64 + 1);
                for _ in 0..changes {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let any = (seed >> 33) as usize;
                    let (place, quantity) =
                        (any % SKUS, (!(any / SKUS).is_multiple_of(4)).then_some((any / 1_000 % 9 + 1) as i64));
                    let cart = match quantity {
                        Some(quantity) => {
                            match table.set_cart_line(ann, &sku(place), units(quantity), fresh_cart()).await {
                                Ok(cart) => Some(cart),
                                Err(Refused::By(_)) => None,
                                Err(Refused::Failed(error)) => panic!("{error}"),
                            }
                        }
                        None => table.remove_cart_line(ann, &sku(place)).await.unwrap(),
                    };
                    match cart {
                        Some(cart) => {
                            done.push(Done { sku: place, quantity, version: cart.version, lines: counted(&cart) });
                        }
                        None => refused += 1,
                    }
                }
                (done, refused)
            })
        })
        .collect();
    let (mut by_version, mut refused) = (BTreeMap::<u64, Vec<Done>>::new(), 0);
    for device in devices {
        let (done, of_it) = device.await.unwrap();
        refused += of_it;
        for done in done {
            by_version.entry(done.version).or_default().push(done);
        }
    }
    let last = shop.table.cart(ann).await.unwrap().unwrap();
    let mut before = [0; SKUS];
    for version in 1..=last.version {
        let answers = by_version.get(&version).unwrap_or_else(|| panic!("nobody was told of change {version}"));
        let after = answers[0].lines;
        assert!(answers.iter().all(|answer| answer.lines == after), "change {version} was told in two ways");
        // A line that was not there any more is taken out without a change: then others name the same version.
        let explains = |answer: &Done| {
            let mut lines = before;
            lines[answer.sku] = answer.quantity.unwrap_or_default() as u16;
            lines == after && (lines != before || answer.quantity.is_some())
        };
        assert!(answers.iter().any(explains), "change {version} is not explained");
        assert!(answers.iter().filter(|answer| answer.quantity.is_some()).count() <= 1, "{version} is of two changes");
        before = after;
    }
    assert_eq!(counted(&last), before);
    println!("{} changes, {refused} refused or without effect", last.version);
    assert!(last.version as usize > DEVICES * changes / 3);
}
