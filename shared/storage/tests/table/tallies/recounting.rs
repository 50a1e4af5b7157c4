//! Counting everything again, while the shop is open.

use waybill_domain::Timestamp;
use waybill_storage::Refused;
use waybill_storage::tallies::{Counting, NotBegun, Told};

use super::orders::{added_up, counted, counting, later, put, stream};
use crate::order_counts::recount as standing;
use crate::shop::{Shop, at, cart_id};

/// After so many orders a tenth of the stream comes again; then all is counted again, and comes to the same.
async fn counts_equal_a_recount(orders: u64, together: usize) {
    let shop = Shop::open_without_stream().await;
    let (told, ends) = stream(orders);
    let expected = added_up(&ends);
    for chunk in told.chunks(together) {
        shop.table.tally(chunk.iter().map(Told::from), &counting(), at(0)).await.unwrap();
    }
    // In batches that begin elsewhere.
    let tenth = told.len() / 10;
    for chunk in told[told.len() / 3..][..tenth].chunks(together / 2 + 1) {
        assert_eq!(shop.table.tally(chunk.iter().map(Told::from), &counting(), at(0)).await.unwrap(), 0);
    }
    assert_eq!(counted(&shop).await, expected);
    put(&shop, &ends).await;
    assert_eq!(recount(&shop, later(0)).await, orders as usize);
    assert_eq!(counted(&shop).await, expected);
    assert_eq!(shop.table.order_counts().await.unwrap(), standing(&ends), "which a recount leaves alone");
}

/// Counts everything again, and answers how much that was.
pub async fn recount(shop: &Shop, now: Timestamp) -> usize {
    let number = shop.table.begin_recount(&counting(), now).await.unwrap();
    let (mut next, mut looked_at) = (None, 0);
    loop {
        let step = shop.table.recount(next.as_ref(), &counting(), now).await.unwrap().unwrap();
        looked_at += step.looked_at;
        next = step.next;
        if next.is_none() {
            break;
        }
    }
    shop.table.end_recount(number, &counting(), now).await.unwrap();
    looked_at
}

#[tokio::test]
async fn counts_equal_a_full_recount_after_a_tenth_of_the_stream_came_again() {
    counts_equal_a_recount(300, 70).await;
}

#[tokio::test]
#[ignore = "minutes: cargo test --workspace --test table -- --ignored hundred_thousand"]
async fn counts_of_a_hundred_thousand_orders_equal_a_full_recount() {
    counts_equal_a_recount(100_000, 100).await;
}

#[tokio::test]
async fn counts_that_went_wrong_are_repaired_while_the_shop_goes_on() {
    let shop = Shop::open_without_stream().await;
    let (_, ends) = stream(30);
    let (first, second) = ends.split_at(20);
    put(&shop, first).await;
    shop.table.tally(first.iter().map(Told::from), &counting(), at(0)).await.unwrap();
    let day = counted(&shop).await.0.pop_first().unwrap().0;
    shop.set_number("TALLY#1", &format!("USD#{day}"), "placed", 1_000).await;
    let wrong = counted(&shop).await;
    assert_ne!(wrong, added_up(first));

    let number = shop.table.begin_recount(&counting(), later(0)).await.unwrap();
    // What happens meanwhile counts in both, before and after the recount has come by.
    put(&shop, &second[..5]).await;
    shop.table.tally(second[..5].iter().map(Told::from), &counting(), later(0)).await.unwrap();
    let step = shop.table.recount(None, &counting(), later(0)).await.unwrap().unwrap();
    assert_eq!((step.next, step.looked_at), (None, 25));
    put(&shop, &second[5..]).await;
    shop.table.tally(second[5..].iter().map(Told::from), &counting(), later(0)).await.unwrap();
    assert_ne!(counted(&shop).await, added_up(&ends), "until it is over reports read what was before");
    shop.table.end_recount(number, &counting(), later(0)).await.unwrap();
    shop.table.end_recount(number, &counting(), later(0)).await.unwrap();
    assert_eq!(counted(&shop).await, added_up(&ends));
    assert_eq!(shop.table.order_counts().await.unwrap(), standing(&ends));
    assert_eq!(shop.table.tally(ends.iter().map(Told::from), &counting(), later(0)).await.unwrap(), 0);

    // Reports may still read the old ones; then they go.
    let too_soon = shop.table.begin_recount(&counting(), later(59)).await;
    assert!(matches!(too_soon, Err(Refused::By(reasons)) if reasons == [NotBegun::TooSoon]));
    assert!(!shop.table.forget_old_tallies(&counting(), || later(59), later(60)).await.unwrap());
    assert!(!shop.stored("TALLY#1", &format!("USD#{day}")).await.is_null());
    assert!(shop.table.forget_old_tallies(&counting(), || later(60), later(60)).await.unwrap());
    let items = shop.items().await;
    let of = |number: u32| {
        let parts = [format!("TALLY#{number}"), format!("SALES#{number}#")];
        let is_of = |pk: &str| pk == parts[0] || pk.starts_with(&parts[1]);
        items.as_array().unwrap().iter().filter(|item| is_of(item["pk"]["S"].as_str().unwrap())).count()
    };
    assert_eq!((of(1), of(2) > 0), (0, true));
}

#[tokio::test]
async fn a_recount_that_was_given_up_does_nothing_any_more() {
    let shop = Shop::open_without_stream().await;
    let (_, ends) = stream(10);
    put(&shop, &ends).await;
    let given_up = shop.table.begin_recount(&counting(), later(0)).await.unwrap();
    let place = shop.table.recount(None, &counting(), later(0)).await.unwrap().unwrap();
    assert!(place.next.is_none());
    let number = shop.table.begin_recount(&counting(), later(0)).await.unwrap();
    assert!(number > given_up);
    shop.table.end_recount(given_up, &counting(), later(0)).await.unwrap();
    assert_eq!(counted(&shop).await, Default::default(), "nothing has been counted in what is in force");
    shop.table.recount(None, &counting(), later(0)).await.unwrap().unwrap();
    shop.table.end_recount(number, &counting(), later(0)).await.unwrap();
    assert_eq!(counted(&shop).await, added_up(&ends));
    assert!(shop.table.recount(None, &counting(), later(0)).await.unwrap().is_none(), "there is none under way");
}

#[tokio::test]
async fn a_recount_counts_by_the_days_of_the_zone_that_the_shop_has_by_then() {
    let shop = Shop::open_without_stream().await;
    shop.table.tally([Told::cart(cart_id(), at(0))], &counting(), at(0)).await.unwrap();
    let apia = Counting { zone: "Pacific/Apia".into(), ..counting() };
    // Until then the days stay those that it was begun with.
    shop.table.tally([Told::cart(cart_id(), at(0))], &apia, at(0)).await.unwrap();
    assert_eq!(counted(&shop).await.0.into_keys().collect::<Vec<_>>(), ["2027-01-15"]);
    let number = shop.table.begin_recount(&apia, later(0)).await.unwrap();
    shop.table.recount(None, &apia, later(0)).await.unwrap().unwrap();
    shop.table.end_recount(number, &apia, later(0)).await.unwrap();
    let days = counted(&shop).await.0;
    assert_eq!(days.iter().map(|(day, counts)| (day.as_str(), counts.carts)).collect::<Vec<_>>(), [("2027-01-15", 2)]);
    assert_eq!(shop.table.current_tally().await.unwrap().unwrap().zone, "Pacific/Apia");
}
