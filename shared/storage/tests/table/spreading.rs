//! Stock that is spread over buckets: wherever units lie, all of them can be ordered, and none twice.

use futures_util::future::join_all;
use waybill_domain::order::Order;
use waybill_domain::product::Offer;
use waybill_domain::stock::{Refusal, Selling};
use waybill_storage::catalog::ProductRefused;
use waybill_storage::placing::NotPlaced;
use waybill_storage::stock::{NotMoved, SkuStock, Terms};
use waybill_storage::{Refused, StorageError};

use crate::shop::{Shop, at, customer, order, reasons, uuid};
use crate::stock::{correct, receive, release, sale};

impl Shop {
    pub async fn spreads(&self, offer: &Offer, buckets: Option<u16>) -> SkuStock {
        let terms = Terms { buckets: Some(buckets), ..Terms::default() };
        self.table.sell_on(&offer.sku, terms, at(1)).await.unwrap()
    }

    /// What lies in each bucket that is there.
    async fn buckets(&self, offer: &Offer) -> Vec<u64> {
        let items = self.items().await;
        let pk = format!("BUCKETS#{}#{}#", offer.product_id, offer.sku);
        let of_ours =
            items.as_array().unwrap().iter().filter(|item| item["pk"]["S"].as_str().unwrap().starts_with(&pk));
        of_ours.map(|item| item["available"]["N"].as_str().unwrap().parse().unwrap()).collect()
    }

    async fn assert_adds_up(&self, offer: &Offer, on_hand: i64, reserved: i64) {
        assert_eq!(self.levels(offer).await, (on_hand, reserved, (on_hand - reserved).unsigned_abs()));
        assert_eq!(self.findings().await, []);
    }
}

#[track_caller]
fn left(refused: &[NotPlaced]) -> u64 {
    match refused {
        [NotPlaced::LineRefused { offer: Some(offer), .. }] => offer.orderable(),
        other => panic!("not one refused line: {other:?}"),
    }
}

#[tokio::test]
async fn stock_is_dealt_out_evenly_and_gathered_again() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 1_000).await;
    for buckets in [16, 256, 100] {
        let stock = shop.spreads(&tea, Some(buckets)).await;
        assert_eq!((stock.offer.available, stock.offer.orderable(), stock.stock.available), (0, 1_000, 1_000));
        let there = shop.buckets(&tea).await;
        assert_eq!((there.len(), there.iter().sum::<u64>()), (buckets.into(), 1_000));
        let even = 1_000 / u64::from(buckets);
        assert!(there.iter().all(|units| (even..=even + 1).contains(units)), "{there:?}");
        shop.assert_adds_up(&tea, 1_000, 0).await;
        assert_eq!(shop.spreads(&tea, Some(buckets)).await, stock, "it is spread so already");
    }
    let stock = shop.spreads(&tea, None).await;
    assert_eq!((stock.offer.available, stock.offer.spread), (1_000, None));
    assert_eq!(shop.buckets(&tea).await, Vec::<u64>::new());
    shop.assert_adds_up(&tea, 1_000, 0).await;
}

#[tokio::test]
async fn an_order_of_what_is_spread_is_one_call_and_no_read() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 1_000).await;
    let mut placed = Vec::new();
    for buckets in [None, Some(16)] {
        shop.spreads(&tea, buckets).await;
        let ann = customer();
        shop.set_line(ann, &tea, 3).await;
        let quote = shop.quote(ann).await;
        assert_eq!(quote.buckets.get(&tea.sku).copied(), buckets);
        let order = order("key", &quote, at(2));
        shop.wire.calls();
        shop.wire.units();
        shop.table.place_order(&order, &quote, "fingerprint").await.unwrap();
        assert_eq!(shop.wire.calls(), ["TransactWriteItems"]);
        placed.push((order, shop.wire.units()));
    }
    let [(_, units), (order, units_when_spread)] = placed.try_into().unwrap();
    assert_eq!(units, units_when_spread);
    shop.assert_adds_up(&tea, 1_000, 6).await;
    shop.moves(&tea, &sale(&order)).await.unwrap();
    shop.assert_adds_up(&tea, 997, 3).await;
}

/// As infra/decisions/table.md has it.
#[tokio::test]
async fn to_deal_out_to_count_and_to_gather_costs_a_few_calls() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 1_000).await;
    let (get, query, commit, update) = ("GetItem", "Query", "TransactWriteItems", "UpdateItem");
    shop.wire.calls();
    shop.spreads(&tea, Some(256)).await;
    let spread = [get, get, commit, get];
    let dealt = [get, commit, commit, commit, get];
    let looked_at = [get, get, query, query, query, query];
    assert_eq!(shop.wire.calls(), [&spread[..], &dealt, &looked_at].concat());
    shop.orders(&tea, 1).await.unwrap();
    shop.wire.calls();
    shop.table.warn_if_low(tea.product_id, &tea.sku, at(1)).await.unwrap();
    assert_eq!(
        shop.wire.calls(),
        [get, query, query, query, query, update, get],
        "999 units are not plenty for 256 buckets"
    );
    shop.moves(&tea, &receive(1_000)).await.unwrap();
    shop.table.tell_waiting(tea.product_id, &tea.sku, at(1)).await.unwrap();
    shop.wire.calls();
    shop.table.warn_if_low(tea.product_id, &tea.sku, at(1)).await.unwrap();
    assert_eq!(shop.wire.calls(), [get], "they were counted just now");
    shop.table.warn_if_low(tea.product_id, &tea.sku, at(2)).await.unwrap();
    assert_eq!(shop.wire.calls(), [get, query, query, query, query, get], "they are as many as before");
    shop.spreads(&tea, Some(16)).await;
    shop.wire.calls();
    shop.spreads(&tea, None).await;
    let gathered = [[get, update, query].as_slice(), &[update; 16], &[commit]].concat();
    assert_eq!(shop.wire.calls(), [&[get, get], &gathered[..], &[commit, get, get]].concat());
}

#[tokio::test]
async fn the_last_units_are_sold_wherever_they_lie_and_not_one_more() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 40).await;
    shop.spreads(&tea, Some(16)).await;
    // No bucket has more than three.
    shop.orders(&tea, 20).await.unwrap();
    assert_eq!(left(&shop.orders(&tea, 21).await.unwrap_err()), 20);
    for _ in 0..19 {
        shop.orders(&tea, 1).await.unwrap();
    }
    assert_eq!(left(&shop.orders(&tea, 2).await.unwrap_err()), 1);
    let last = shop.orders(&tea, 1).await.unwrap();
    assert_eq!(left(&shop.orders(&tea, 1).await.unwrap_err()), 0);
    shop.assert_adds_up(&tea, 40, 40).await;
    assert_eq!(shop.offer(&tea).await.orderable(), 0, "who was refused has noted that nothing is left");

    // What somebody gives back lies with the offer, until it is dealt out.
    shop.moves(&tea, &release(&last)).await.unwrap();
    assert_eq!(shop.offer(&tea).await.orderable(), 1);
    shop.orders(&tea, 1).await.unwrap();
    shop.moves(&tea, &receive(5)).await.unwrap();
    shop.table.tell_waiting(tea.product_id, &tea.sku, at(4)).await.unwrap();
    assert_eq!((shop.offer(&tea).await.available, shop.offer(&tea).await.orderable()), (0, 5));
    shop.orders(&tea, 5).await.unwrap();
    shop.assert_adds_up(&tea, 45, 45).await;
}

#[tokio::test]
async fn crumbs_in_more_buckets_than_fit_into_one_transaction_are_put_together() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 256).await;
    shop.spreads(&tea, Some(256)).await;
    assert_eq!(shop.buckets(&tea).await, [1; 256]);
    shop.orders(&tea, 96).await.unwrap();
    assert_eq!(shop.buckets(&tea).await.iter().sum::<u64>(), 160);
    shop.orders(&tea, 97).await.unwrap();
    assert_eq!(shop.buckets(&tea).await, Vec::<u64>::new());
    shop.orders(&tea, 63).await.unwrap();
    assert_eq!(left(&shop.orders(&tea, 1).await.unwrap_err()), 0);
    shop.assert_adds_up(&tea, 256, 256).await;
}

#[tokio::test]
async fn a_quote_from_before_the_stock_was_spread_or_gathered_is_good() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 100).await;
    let mut reserved = 0;
    for (before, after) in [(None, Some(16)), (Some(16), Some(64)), (Some(64), Some(16)), (Some(16), None)] {
        shop.spreads(&tea, before).await;
        let ann = customer();
        shop.set_line(ann, &tea, 3).await;
        let quote = shop.quote(ann).await;
        shop.spreads(&tea, after).await;
        let order = order("key", &quote, at(2));
        shop.table.place_order(&order, &quote, "fingerprint").await.unwrap();
        reserved += 3;
        shop.assert_adds_up(&tea, 100, reserved).await;
        // The same request again meets the order that it made.
        let again = reasons(shop.table.place_order(&order, &quote, "fingerprint").await);
        assert!(matches!(&again[..], [NotPlaced::AlreadyPlaced { .. }, ..]), "{again:?}");
    }
}

#[tokio::test]
async fn who_took_the_last_units_meets_that_order_again() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 20).await;
    shop.spreads(&tea, Some(16)).await;
    let (ann, ben) = (customer(), customer());
    shop.set_line(ann, &tea, 20).await;
    shop.set_line(ben, &tea, 20).await;
    let (quote, other) = (shop.quote(ann).await, shop.quote(ben).await);
    let placed = order("key", &quote, at(2));
    shop.table.place_order(&placed, &quote, "fingerprint").await.unwrap();
    let late = order("other", &other, at(2));
    assert_eq!(left(&reasons(shop.table.place_order(&late, &other, "fingerprint").await)), 0);
    for _ in 0..2 {
        let again = reasons(shop.table.place_order(&placed, &quote, "fingerprint").await);
        assert!(matches!(&again[..], [NotPlaced::AlreadyPlaced { order, .. }] if order.id == placed.id), "{again:?}");
    }
}

#[tokio::test]
async fn staff_change_price_and_sale_of_what_is_spread_and_no_order_comes_at_the_old_price() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 100).await;
    shop.spreads(&tea, Some(32)).await;
    let ann = customer();
    shop.set_line(ann, &tea, 1).await;
    let quote = shop.quote(ann).await;
    shop.change_offer(&tea, |offer| offer.weight = 7).await;
    assert_eq!(shop.buckets(&tea).await.len(), 32, "no order asks for the weight");
    shop.change_offer(&tea, |offer| offer.prices.values_mut().for_each(|price| price.amount = 500)).await;
    let refused = reasons(shop.table.place_order(&order("key", &quote, at(2)), &quote, "fingerprint").await);
    let refused = matches!(&refused[..], [NotPlaced::LineRefused { offer: Some(offer), .. }] if offer.prices.values().all(|price| price.amount == 500));
    assert!(refused);
    shop.orders(&tea, 1).await.unwrap();
    let ben = customer();
    shop.set_line(ben, &tea, 1).await;
    let quote = shop.quote(ben).await;
    shop.change_offer(&tea, |offer| offer.active = false).await;
    let refused = reasons(shop.table.place_order(&order("key", &quote, at(2)), &quote, "fingerprint").await);
    assert!(
        matches!(&refused[..], [NotPlaced::LineRefused { offer: Some(offer), .. }] if !offer.active),
        "{refused:?}"
    );
    assert_eq!(shop.buckets(&tea).await, Vec::<u64>::new());
    shop.change_offer(&tea, |offer| offer.active = true).await;
    assert_eq!(shop.buckets(&tea).await.len(), 32);
    shop.orders(&tea, 98).await.unwrap();
    shop.assert_adds_up(&tea, 100, 99).await;
}

#[tokio::test]
async fn staff_take_away_what_is_not_ordered_wherever_it_lies() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 100).await;
    shop.spreads(&tea, Some(16)).await;
    shop.orders(&tea, 30).await.unwrap();
    let refused = shop.moves(&tea, &correct(-71)).await;
    assert!(matches!(refused, Err(NotMoved::Refused(Refusal::Ordered { available: 70 }))), "{refused:?}");
    shop.moves(&tea, &correct(-60)).await.unwrap();
    shop.assert_adds_up(&tea, 40, 30).await;
    assert_eq!(left(&shop.orders(&tea, 11).await.unwrap_err()), 10);
    shop.orders(&tea, 10).await.unwrap();
    shop.spreads(&tea, Some(16)).await;
    assert!(shop.sold_as(&tea, Selling::Backorder { up_to: 50 }).await.is_ok());
    shop.orders(&tea, 50).await.unwrap();
    let refused = shop.sold_as(&tea, Selling::Stock).await;
    assert!(matches!(refused, Err(NotMoved::Refused(Refusal::Ordered { available: 0 }))), "{refused:?}");
}

#[tokio::test]
async fn a_product_of_spread_stock_is_deleted_only_while_nobody_has_ordered_it() {
    let shop = Shop::open().await;
    let (tea, cup) = (shop.sells("TEA", 450, 100).await, shop.sells("CUP", 900, 100).await);
    for offer in [&tea, &cup] {
        shop.spreads(offer, Some(16)).await;
    }
    shop.orders(&tea, 1).await.unwrap();
    let listing = async |offer: &Offer| shop.table.product(offer.product_id, true).await.unwrap().unwrap();
    assert_eq!(reasons(shop.table.delete_product(&listing(&tea).await).await), [ProductRefused::Sold]);
    shop.table.delete_product(&listing(&cup).await).await.unwrap();
    assert_eq!(shop.buckets(&cup).await, Vec::<u64>::new());
    shop.assert_adds_up(&tea, 100, 1).await;
}

/// A process dies after each of its calls in turn, while it deals out or gathers; another one goes on.
#[tokio::test]
async fn dealing_and_gathering_may_be_broken_off_anywhere() {
    let shop = Shop::open_without_stream().await;
    let tea = shop.sells("TEA", 450, 500).await;
    let (mut reserved, mut busy) = (0, 0);
    let deaths = (0..40).map(|calls| (16, calls)).chain((115..135).map(|calls| (120, calls)));
    for (buckets, calls) in deaths {
        for buckets in [Some(buckets), None] {
            shop.wire.end_after(calls);
            let terms = Terms { buckets: Some(buckets), ..Terms::default() };
            let result = shop.table.sell_on(&tea.sku, terms, at(1)).await;
            shop.wire.go_on();
            let is_dead = matches!(result, Err(NotMoved::Failed(StorageError::Unreached(_) | StorageError::Broken(_))));
            assert!(result.is_ok() || is_dead, "{result:?}");
            assert_eq!(shop.findings().await, [], "after {calls} calls of {buckets:?}");
            let buyer = customer();
            shop.set_line(buyer, &tea, 1).await;
            let quote = shop.quote(buyer).await;
            match shop.table.place_order(&order("key", &quote, at(2)), &quote, "fingerprint").await {
                Ok(()) => reserved += 1,
                // What lies in closed buckets comes once somebody sees to it.
                Err(Refused::Failed(StorageError::Busy(_))) => busy += 1,
                Err(other) => panic!("after {calls} calls of {buckets:?}: {other:?}"),
            }
            shop.table.warn_if_low(tea.product_id, &tea.sku, at(2)).await.unwrap();
            shop.assert_adds_up(&tea, 500, reserved).await;
            let offer = shop.offer(&tea).await;
            assert!(!offer.spread.is_some_and(|spread| spread.gathering), "{offer:?}");
        }
    }
    println!("{busy} orders came while everything was in closed buckets");
    assert!(busy > 0);
    shop.orders(&tea, 500 - reserved).await.unwrap();
    shop.assert_adds_up(&tea, 500, 500).await;
}

/// Buyers, cancels, staff who spread, gather, correct and reprice: all at once.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_at_once_nothing_is_oversold_and_everything_adds_up() {
    let shop = Shop::open_without_stream().await;
    let tea = shop.sells("TEA", 450, 300).await;
    shop.spreads(&tea, Some(16)).await;
    let buyers = (0..60).map(async |number| {
        let units = 1 + number % 7;
        let Ok(order) = shop.tries(&tea, units).await else { return 0 };
        if number % 3 == 0 {
            shop.moves(&tea, &release(&order)).await.unwrap();
            return 0;
        }
        units
    });
    let staff = async {
        for round in 0..6 {
            shop.table
                .sell_on(
                    &tea.sku,
                    Terms { buckets: Some([Some(64), None, Some(16)][round % 3]), ..Terms::default() },
                    at(1),
                )
                .await
                .unwrap();
            shop.moves(&tea, &correct(-5)).await.unwrap();
            shop.table.tell_waiting(tea.product_id, &tea.sku, at(2)).await.unwrap();
            shop.change_offer(&tea, |offer| offer.active = true).await;
        }
    };
    let (kept, ()) = tokio::join!(join_all(buyers), staff);
    shop.assert_adds_up(&tea, 270, kept.iter().sum()).await;
    let left = 270 - kept.iter().sum::<i64>();
    shop.orders(&tea, left).await.unwrap();
    shop.assert_adds_up(&tea, 270, 270).await;
}

impl Shop {
    /// As `orders`, for who may be told that the shop is busy, and comes again.
    async fn tries(&self, offer: &Offer, units: i64) -> Result<Order, Vec<NotPlaced>> {
        let buyer = customer();
        self.set_line(buyer, offer, units).await;
        let quote = self.quote(buyer).await;
        let order = order(&format!("key-{}", uuid()), &quote, at(2));
        loop {
            match self.table.place_order(&order, &quote, "fingerprint").await {
                Ok(()) => return Ok(order),
                Err(Refused::By(reasons)) => return Err(reasons),
                Err(Refused::Failed(StorageError::Busy(_))) => {}
                Err(Refused::Failed(error)) => panic!("{error}"),
            }
        }
    }
}
