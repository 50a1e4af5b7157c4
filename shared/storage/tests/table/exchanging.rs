//! Exchanges: a new order and the return that it goes out for say so of each other, both or neither.

use waybill_domain::id::AccountId;
use waybill_domain::message::{Event, Message};
use waybill_domain::order::refund::Request;
use waybill_domain::order::{Command, Exchange, Order, Parcel, Refusal, Units, returns};
use waybill_domain::product::Offer;
use waybill_storage::drafts::Draft;
use waybill_storage::outbox::{Announcement, announcement};
use waybill_storage::placing::NotPlaced;

use crate::accounts::ann;
use crate::drafts::{self, quote};
use crate::shop::{Shop, at, fresh_cart, line, number, pay, reasons};

fn ask(key: &str) -> Command {
    let lines = vec![Units { sku: "TEA".parse().unwrap(), quantity: 1.try_into().unwrap() }];
    let request = Request { key: key.into(), fingerprint: key.into() };
    Command::Return(returns::Command::Request { lines, reason: "Too small".parse().unwrap(), request })
}

fn refuse() -> Command {
    Command::Return(returns::Command::Refuse { number: 1, reason: "Worn".parse().unwrap() })
}

/// An order of three units that have arrived, of which one comes back.
async fn returned(shop: &Shop, buyer: AccountId, offer: &Offer) -> Order {
    shop.set_line(buyer, offer, 3).await;
    let quote = shop.quote(buyer).await;
    let placed = crate::shop::order(&format!("key-{}", number()), &quote, at(0));
    shop.table.place_order(&placed, &quote, "fingerprint").await.unwrap();
    let carrier = "UPS".parse().unwrap();
    let ship = Command::Ship(Parcel { carrier, tracking_number: "1Z".parse().unwrap(), units: None });
    let mut order = placed.clone();
    for command in [pay(&placed), Command::Process, ship, ask("one")] {
        order = shop.command(&order, command).await;
    }
    order
}

/// A draft of one unit that is to go out for what comes back.
async fn drafted(shop: &Shop, old: &Order, offer: &Offer) -> Draft {
    let exchange = Some(Exchange { order_id: old.id, return_number: 1 });
    let draft = Draft { exchange, ..drafts::draft(old.buyer, 0) };
    shop.table.begin_draft(&draft, fresh_cart()).await.unwrap();
    shop.table.set_cart_line(draft.id, &offer.sku, line(offer, 1), fresh_cart()).await.unwrap();
    draft
}

/// That an order and what it is in exchange for say so of each other, once.
async fn assert_linked(shop: &Shop, old: &Order, new: &Order) {
    let [old, new] = [old.id, new.id].map(|id| shop.table.order(id));
    let (old, new) = (old.await.unwrap().unwrap(), new.await.unwrap().unwrap());
    assert_eq!(new.exchange_for, Some(Exchange { order_id: old.id, return_number: 1 }));
    assert_eq!(old.returns[0].exchange_order, Some(new.id));
    let told = old.timeline.iter().filter(|entry| matches!(entry.event, Event::Exchanged { .. }));
    let told: Vec<_> = told.map(|entry| (entry.actor, entry.event.clone())).collect();
    assert_eq!(told, [(new.timeline[0].actor, Event::Exchanged { number: 1, order_id: new.id })]);
}

/// What an exchange that did not come about leaves as it was.
async fn assert_untouched(shop: &Shop, old: &Order, draft: &Draft, offer: &Offer, available: u64) {
    assert_eq!(shop.table.order(old.id).await.unwrap().as_ref(), Some(old));
    assert!(shop.table.draft(draft.id).await.unwrap().is_some());
    assert_eq!(shop.offer(offer).await.available, available);
}

#[tokio::test]
async fn an_exchange_is_a_read_and_one_transaction_and_is_announced_of_both() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 9).await, ann(&shop).await);
    let old = returned(&shop, ann.id, &tea).await;
    let draft = drafted(&shop, &old, &tea).await;
    let quote = quote(&shop, &draft).await;
    let new = drafts::order("key", &quote);
    shop.wire.calls();
    shop.table.place_order(&new, &quote, "fingerprint").await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "TransactWriteItems"]);
    assert_linked(&shop, &old, &new).await;
    assert_eq!(shop.offer(&tea).await.available, 5);
    let told = |image| match announcement(image).unwrap()? {
        Announcement::Order { message, refund, document: _ } => {
            assert!(refund.is_none(), "no money moves between orders");
            message.map(|message| *message)
        }
        Announcement::Letter(_)
        | Announcement::Customer(_)
        | Announcement::Stock(_)
        | Announcement::Import(_)
        | Announcement::Export(_)
        | Announcement::Webhook(_) => None,
    };
    let told: Vec<Message> = shop.images().await.into_iter().filter_map(told).collect();
    let of = |event: &Event| told.iter().filter(|message| message.event == *event).count();
    assert_eq!((of(&Event::Exchanged { number: 1, order_id: new.id }), of(&Event::Placed)), (1, 2));

    // The same request again finds what it has done.
    let again = reasons(shop.table.place_order(&new, &quote, "fingerprint").await);
    assert!(matches!(&again[0], NotPlaced::AlreadyPlaced { order, .. } if order.id == new.id), "{again:?}");
    assert_linked(&shop, &old, &new).await;
}

#[tokio::test]
async fn an_exchange_is_made_whole_wherever_a_process_dies_of_it() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 50).await, ann(&shop).await);
    // Before the read, before the transaction, and before its reply: that one is lost, and nobody asks again.
    for calls in 0..=2 {
        let old = returned(&shop, ann.id, &tea).await;
        let draft = drafted(&shop, &old, &tea).await;
        let quote = quote(&shop, &draft).await;
        let new = drafts::order("key", &quote);
        let available = shop.offer(&tea).await.available;
        if calls == 2 {
            shop.wire.lose_reply_after(1);
        }
        shop.wire.end_after(calls);
        let died = shop.table.place_order(&new, &quote, "fingerprint").await;
        assert!(matches!(died, Err(waybill_storage::Refused::Failed(_))), "{died:?}");
        shop.wire.go_on();
        if calls < 2 {
            assert_untouched(&shop, &old, &draft, &tea, available).await;
            shop.table.place_order(&new, &quote, "fingerprint").await.unwrap();
        } else {
            let again = reasons(shop.table.place_order(&new, &quote, "fingerprint").await);
            assert!(matches!(&again[0], NotPlaced::AlreadyPlaced { .. }), "{again:?}");
        }
        assert_linked(&shop, &old, &new).await;
        assert_eq!(shop.offer(&tea).await.available, available - 1);
    }
}

#[tokio::test]
async fn an_exchange_is_made_although_the_reply_was_lost() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 9).await, ann(&shop).await);
    let old = returned(&shop, ann.id, &tea).await;
    let quote = quote(&shop, &drafted(&shop, &old, &tea).await).await;
    let new = drafts::order("key", &quote);
    shop.wire.lose_reply_after(1);
    shop.table.place_order(&new, &quote, "fingerprint").await.unwrap();
    assert_linked(&shop, &old, &new).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_exchanges_of_one_return_at_once_one_is_made() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 50).await, ann(&shop).await);
    let old = returned(&shop, ann.id, &tea).await;
    let mut requests = Vec::new();
    for _ in 0..6 {
        let quote = quote(&shop, &drafted(&shop, &old, &tea).await).await;
        let (table, new) = (shop.table.clone(), drafts::order("key", &quote));
        requests.push(tokio::spawn(async move { (table.place_order(&new, &quote, "fingerprint").await, new) }));
    }
    let mut placed = Vec::new();
    for request in requests {
        match request.await.unwrap() {
            (Ok(()), new) => placed.push(new),
            (refused, new) => {
                let reasons = reasons(refused);
                let exchanged = Refusal::Return(returns::Refused::Exchanged);
                assert!(matches!(&reasons[..], [NotPlaced::NotExchanged(why)] if *why == exchanged), "{reasons:?}");
                assert_eq!(shop.table.order(new.id).await.unwrap(), None);
            }
        }
    }
    assert_eq!((placed.len(), shop.offer(&tea).await.available), (1, 46));
    assert_linked(&shop, &old, &placed[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_and_other_changes_of_the_old_order_at_once_all_take_effect() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 9).await, ann(&shop).await);
    let old = returned(&shop, ann.id, &tea).await;
    let quote = quote(&shop, &drafted(&shop, &old, &tea).await).await;
    let new = drafts::order("key", &quote);
    let (first, second) = (ask("two"), ask("three"));
    tokio::join!(
        async { shop.table.place_order(&new, &quote, "fingerprint").await.unwrap() },
        shop.command(&old, first),
        shop.command(&old, second)
    );
    assert_linked(&shop, &old, &new).await;
    assert_eq!(shop.table.order(old.id).await.unwrap().unwrap().version(), old.version() + 3);
}

#[tokio::test]
async fn what_is_not_taken_back_is_not_exchanged() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 9).await, ann(&shop).await);
    let old = returned(&shop, ann.id, &tea).await;
    let draft = drafted(&shop, &old, &tea).await;
    let quote = quote(&shop, &draft).await;
    let refused = shop.command(&old, refuse()).await;
    let reasons = reasons(shop.table.place_order(&drafts::order("key", &quote), &quote, "fingerprint").await);
    let not_taken = Refusal::Return(returns::Refused::NotTaken);
    assert!(matches!(&reasons[..], [NotPlaced::NotExchanged(why)] if *why == not_taken), "{reasons:?}");
    assert_untouched(&shop, &refused, &draft, &tea, 6).await;
}
