//! Who waits for a change of stock, and that each is told once.

use waybill_domain::message::{StockEvent, StockMessage};
use waybill_domain::product::Offer;
use waybill_domain::stock::Selling;
use waybill_storage::Cursor;
use waybill_storage::outbox::{Announcement, announcement};
use waybill_storage::stock::Terms;
use waybill_storage::waiting::{NotWaiting, Wait};

use crate::accounts::{ann, bob};
use crate::shop::{Shop, at, customer, reasons};
use crate::stock::receive;

fn wait(offer: &Offer) -> Wait {
    Wait { sku: offer.sku.clone(), product_id: offer.product_id, since: at(0) }
}

impl Shop {
    /// What a change of the stock leads to, sooner or later.
    async fn tell(&self, offer: &Offer) {
        self.table.tell_waiting(offer.product_id, &offer.sku, at(5)).await.unwrap();
    }

    /// What is to be mailed of stock.
    async fn mailed(&self) -> Vec<StockMessage> {
        let mut mailed: Vec<StockMessage> = Vec::new();
        for image in self.images().await {
            if let Some(Announcement::Stock(message)) = announcement(image).unwrap()
                && message.event != StockEvent::Changed
                && !mailed.iter().any(|known| known.id == message.id)
            {
                mailed.push(message);
            }
        }
        mailed
    }

    async fn warns_at(&self, offer: &Offer, low_stock_at: Option<u32>) {
        let terms = Terms { selling: None, low_stock_at: Some(low_stock_at), buckets: None };
        self.table.sell_on(&offer.sku, terms, at(1)).await.unwrap();
    }
}

#[tokio::test]
async fn who_waits_for_what_is_sold_out_is_told_once_when_it_is_back() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 0).await;
    let (ann, bob) = (ann(&shop).await, bob(&shop).await);
    for account in [&ann, &bob] {
        shop.table.wait_for(account.id, &wait(&tea)).await.unwrap();
    }
    assert_eq!(reasons(shop.table.wait_for(ann.id, &wait(&tea)).await), [NotWaiting::Waiting]);
    assert_eq!(shop.table.waits_of(ann.id, 10, None).await.unwrap().items, [wait(&tea)]);
    shop.tell(&tea).await;
    assert_eq!(shop.mailed().await, [], "it is not back yet");
    shop.moves(&tea, &receive(1)).await.unwrap();
    for _ in 0..3 {
        shop.tell(&tea).await;
    }
    let mailed = shop.mailed().await;
    let told: std::collections::BTreeSet<_> = mailed
        .iter()
        .map(|message| match &message.event {
            StockEvent::Returned { to, title, .. } if *title == tea.title => to.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [ann.email.clone(), bob.email.clone()].into());
    assert_eq!(mailed.len(), 2);
    assert_eq!(shop.table.waits_of(ann.id, 10, None).await.unwrap().items, []);
}

#[tokio::test]
async fn who_was_told_may_wait_again() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 0).await;
    let ann = ann(&shop).await;
    for round in 0..2 {
        shop.table.wait_for(ann.id, &Wait { since: at(round), ..wait(&tea) }).await.unwrap();
        shop.moves(&tea, &receive(1)).await.unwrap();
        shop.tell(&tea).await;
        shop.placed(&tea).await;
    }
    assert_eq!(shop.mailed().await.len(), 2);
}

#[tokio::test]
async fn nobody_waits_for_what_can_be_had_or_is_not_for_sale() {
    let shop = Shop::open().await;
    let (tea, cup) = (shop.sells("TEA", 450, 1).await, shop.sells("CUP", 450, 0).await);
    let ann = customer();
    assert_eq!(reasons(shop.table.wait_for(ann, &wait(&tea)).await), [NotWaiting::Orderable]);
    shop.change_offer(&cup, |offer| offer.active = false).await;
    assert_eq!(reasons(shop.table.wait_for(ann, &wait(&cup)).await), [NotWaiting::UnknownSku]);
    let unknown = Wait { sku: "UNKNOWN".parse().unwrap(), ..wait(&tea) };
    assert_eq!(reasons(shop.table.wait_for(ann, &unknown).await), [NotWaiting::UnknownSku]);
    assert_eq!(shop.table.waits_of(ann, 10, None).await.unwrap().items, []);
}

#[tokio::test]
async fn who_waits_no_longer_is_not_told_and_neither_is_who_has_left() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 0).await;
    let (ann, bob) = (ann(&shop).await, bob(&shop).await);
    for account in [&ann, &bob] {
        shop.table.wait_for(account.id, &wait(&tea)).await.unwrap();
    }
    shop.table.wait_for(customer(), &wait(&tea)).await.unwrap();
    for _ in 0..2 {
        shop.table.wait_no_longer(ann.id, tea.product_id, &tea.sku).await.unwrap();
    }
    shop.table.clear_out(&bob, "mailbox").await.unwrap();
    shop.sold_as(&tea, Selling::Untracked).await.unwrap();
    shop.tell(&tea).await;
    assert_eq!(shop.mailed().await, []);
}

#[tokio::test]
async fn what_is_not_for_sale_calls_nobody_until_it_is() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 0).await;
    let ann = ann(&shop).await;
    shop.table.wait_for(ann.id, &wait(&tea)).await.unwrap();
    shop.change_offer(&tea, |offer| offer.active = false).await;
    shop.moves(&tea, &receive(1)).await.unwrap();
    shop.tell(&tea).await;
    assert_eq!(shop.mailed().await, []);
    shop.change_offer(&tea, |offer| offer.active = true).await;
    shop.tell(&tea).await;
    assert_eq!(shop.mailed().await.len(), 1);
}

#[tokio::test]
async fn staff_are_told_once_each_time_that_little_is_left() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 4).await;
    shop.warns_at(&tea, Some(2)).await;
    let order = async || {
        shop.placed(&tea).await;
        shop.tell(&tea).await;
        shop.tell(&tea).await;
        shop.mailed().await.len()
    };
    assert_eq!([order().await, order().await, order().await], [0, 1, 1]);
    let [message] = &shop.mailed().await[..] else { panic!("not one") };
    assert_eq!(message.event, StockEvent::Low { title: tea.title.clone(), left: 2, low_stock_at: 2 });
    shop.moves(&tea, &receive(2)).await.unwrap();
    shop.table.tell_waiting(tea.product_id, &tea.sku, at(6)).await.unwrap();
    shop.placed(&tea).await;
    shop.table.tell_waiting(tea.product_id, &tea.sku, at(7)).await.unwrap();
    assert_eq!(shop.mailed().await.len(), 2, "restocked above the threshold, it may be low again");
}

#[tokio::test]
async fn a_threshold_that_is_taken_away_or_a_sku_that_is_counted_no_more_ends_the_warning() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 1).await;
    for end in [0, 1] {
        shop.warns_at(&tea, Some(2)).await;
        shop.tell(&tea).await;
        let low = (format!("STOCK#{}#TEA", tea.product_id), "WATCH#LOW");
        assert!(shop.stored(&low.0, low.1).await.is_object());
        match end {
            0 => shop.warns_at(&tea, None).await,
            _ => drop(shop.sold_as(&tea, Selling::Untracked).await.unwrap()),
        }
        shop.tell(&tea).await;
        assert!(shop.stored(&low.0, low.1).await.is_null());
    }
}

#[tokio::test]
async fn a_warning_that_comes_late_is_not_written() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 1).await;
    shop.warns_at(&tea, Some(2)).await;
    let seen = shop.offer(&tea).await;
    shop.moves(&tea, &receive(9)).await.unwrap();
    shop.table.note_low(&seen, at(5)).await.unwrap();
    assert_eq!(shop.mailed().await, []);
}

#[tokio::test]
async fn skus_of_which_little_is_left_are_listed_with_what_is_left_by_now_until_they_are_restocked() {
    let shop = Shop::open().await;
    let mut offers = Vec::new();
    for (number, sku) in ["A", "B.2", "C"].into_iter().enumerate() {
        let offer = shop.sells(sku, 450, 2).await;
        shop.warns_at(&offer, Some(2)).await;
        shop.table.warn_if_low(offer.product_id, &offer.sku, at(number as i64)).await.unwrap();
        offers.push(offer);
    }
    shop.placed(&offers[1]).await;
    shop.wire.calls();
    let first = shop.table.low_stock(2, None).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query", "BatchGetItem"]);
    let next = Cursor::among_low_stock(&first.next.unwrap().to_string()).unwrap();
    let second = shop.table.low_stock(2, Some(next)).await.unwrap();
    let all = [first.items, second.items].concat();
    let told: Vec<_> = all.iter().map(|low| (low.sku.as_str(), low.left, low.low_stock_at, low.since)).collect();
    assert_eq!(told, [("C", 2, 2, at(2)), ("B.2", 1, 2, at(1)), ("A", 2, 2, at(0))]);
    shop.moves(&offers[2], &receive(9)).await.unwrap();
    shop.tell(&offers[2]).await;
    let left = shop.table.low_stock(20, None).await.unwrap();
    assert_eq!((left.items.as_slice(), left.next), (&all[1..], None));
    for strange in ["", "x", "1.A", "1.prd_1.A", "-1.A"] {
        assert!(Cursor::among_low_stock(strange).is_none(), "{strange}");
    }
}

#[tokio::test]
async fn what_somebody_waits_for_is_read_by_the_page() {
    let shop = Shop::open().await;
    let ann = customer();
    let mut expected = Vec::new();
    for sku in ["A", "B.2", "C"] {
        let offer = shop.sells(sku, 450, 0).await;
        shop.table.wait_for(ann, &wait(&offer)).await.unwrap();
        expected.insert(0, wait(&offer));
    }
    let first = shop.table.waits_of(ann, 2, None).await.unwrap();
    let next = Cursor::among_waits(ann, &first.next.unwrap().to_string()).unwrap();
    let second = shop.table.waits_of(ann, 2, Some(next)).await.unwrap();
    assert_eq!([first.items, second.items].concat(), expected);
    for strange in ["", "x", "x.A", "prd_1.A"] {
        assert!(Cursor::among_waits(ann, strange).is_none(), "{strange}");
    }
}
