//! A call that took effect but whose reply was lost: the client sends it again, and it must not meet itself as a stranger.

use waybill_domain::message::{AccountEvent, Actor};
use waybill_domain::order::Order;
use waybill_domain::pricing::Uses;
use waybill_domain::totals::{Promotion, Taxes};
use waybill_storage::addresses::AddressBook;
use waybill_storage::sessions::{Opened, Proof, Rotation};

use crate::accounts::{ann, letter};
use crate::addresses::ADDRESS;
use crate::changing::stripe_event;
use crate::drafts;
use crate::pricing::{enter, promotion};
use crate::sessions::{known, session};
use crate::shop::{SESSION, Shop, address, at, customer, order, pay, session_id};

#[tokio::test]
async fn an_order_is_placed_although_the_reply_was_lost() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let ann = customer();
    shop.set_line(ann, &tea, 1).await;
    let quote = shop.quote(ann).await;
    let order = order("key", &quote, at(0));
    shop.wire.calls();
    shop.wire.lose_next_reply();
    shop.table.place_order(&order, &quote, "fingerprint").await.unwrap();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems", "TransactWriteItems"]);
    assert_eq!(shop.offer(&tea).await.available, 4);
}

#[tokio::test]
async fn a_draft_is_begun_and_placed_although_the_replies_were_lost() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 5).await, ann(&shop).await);
    shop.wire.lose_next_reply();
    let draft = drafts::filled(&shop, ann.id, &tea, 1).await;
    let quote = drafts::quote(&shop, &draft).await;
    shop.wire.lose_next_reply();
    shop.table.place_order(&drafts::order("key", &quote), &quote, "fingerprint").await.unwrap();
    assert_eq!((shop.offer(&tea).await.available, shop.table.draft(draft.id).await.unwrap()), (4, None));
}

#[tokio::test]
async fn a_code_is_used_once_although_the_reply_was_lost() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 5).await, customer());
    let code = promotion("ONCE", Some(2), Some(2));
    shop.table.add_setting(&code).await.unwrap();
    shop.set_line(ann, &tea, 1).await;
    enter(&shop, ann, "ONCE").await;
    let quote = shop.quote(ann).await;
    shop.wire.lose_next_reply();
    shop.table.place_order(&order("key", &quote, at(0)), &quote, "fingerprint").await.unwrap();
    let uses = shop.table.promotion_uses(&[code.id], Some(ann)).await.unwrap();
    assert_eq!(uses[&code.id], Uses { in_all: 1, by_customer: 1 });
}

#[tokio::test]
async fn a_setting_is_changed_although_the_reply_was_lost() {
    let shop = Shop::open().await;
    let before = promotion("ONCE", None, None);
    shop.wire.lose_next_reply();
    shop.table.add_setting(&before).await.unwrap();
    let after = Promotion { title: "Another".parse().unwrap(), ..before.clone() };
    shop.wire.lose_next_reply();
    assert_eq!(shop.table.replace_setting(&after, 1).await.unwrap(), 2);
    shop.wire.lose_next_reply();
    assert_eq!(shop.table.set_taxes(&Taxes::default(), 0).await.unwrap(), 1);
    shop.wire.lose_next_reply();
    shop.table.remove_setting::<Promotion>(before.id).await.unwrap();
    assert!(shop.table.pricing(true).await.unwrap().promotions.is_empty());
}

#[tokio::test]
async fn an_account_is_made_although_the_reply_was_lost() {
    let shop = Shop::open().await;
    // The reply to the second write; the first is the letter's.
    shop.wire.lose_reply_after(1);
    ann(&shop).await;
}

#[tokio::test]
async fn an_order_is_changed_once_although_the_reply_was_lost() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    for event in [None, Some(stripe_event("evt_1"))] {
        let placed = shop.placed(&tea).await;
        let decide = |order: &Order| order.decide(pay(&placed), Actor::Stripe, at(1));
        // The reply to the write, which follows the read.
        shop.wire.lose_reply_after(1);
        let paid = shop.table.change_order(placed.id, event.as_ref(), decide).await;
        assert_eq!(paid.unwrap().version(), 2);
        assert_eq!(shop.table.order(placed.id).await.unwrap().unwrap().version(), 2);
    }
}

#[tokio::test]
async fn a_session_is_opened_and_rotated_although_the_replies_were_lost() {
    let shop = Shop::open().await;
    let (ann, id) = (ann(&shop).await, session_id());
    shop.wire.lose_next_reply();
    let opened = shop.table.open_session(&known(&ann), id, &session(0), &Proof::Password).await.unwrap();
    assert!(matches!(opened, Opened::Opened(_)), "{opened:?}");
    shop.wire.lose_next_reply();
    let until = at(200).as_second();
    let rotation = shop.table.rotate_session(ann.id, id, "first", "second", until, at(1)).await.unwrap();
    assert!(matches!(rotation, Rotation::Rotated(_)), "{rotation:?}");
}

#[tokio::test]
async fn a_code_opens_a_session_although_the_reply_was_lost() {
    let shop = Shop::open().await;
    let (ann, id) = (ann(&shop).await, session_id());
    shop.table.open_session(&known(&ann), id, &session(0), &Proof::Password).await.unwrap();
    shop.table.set_up_second_factor(ann.id, "sealed").await.unwrap();
    let factor = shop.table.holder(ann.id).await.unwrap().unwrap().second_factor.unwrap();
    let notice = letter("ann@example.com", AccountEvent::SecondFactorChanged, 2);
    let factor = factor.confirmed(7, ["one".to_owned()], at(2));
    shop.wire.lose_next_reply();
    shop.table.confirm_second_factor(ann.id, id, (session_id(), &session(2)), &factor, &notice).await.unwrap();
    for proof in [Proof::Code { step: 8 }, Proof::RecoveryCode { hash: "one".into() }] {
        // The reply to the second write: the first one says that a code is needed.
        shop.wire.lose_reply_after(1);
        let opened = shop.table.open_session(&known(&ann), session_id(), &session(3), &proof).await.unwrap();
        assert!(matches!(opened, Opened::Opened(_)), "{opened:?}");
    }
}

#[tokio::test]
async fn an_address_is_kept_once_although_the_reply_was_lost() {
    let shop = Shop::open().await;
    let account = ann(&shop).await.id;
    shop.wire.lose_reply_after(1);
    let keep = |book: &mut AddressBook| {
        if book.addresses.is_empty() { Ok(book.addresses.insert(ADDRESS.parse().unwrap(), address())) } else { Err(()) }
            .map(drop)
    };
    let book = shop.table.change_address_book(account, (), keep).await.unwrap();
    assert_eq!((book.addresses.len(), shop.table.address_book(account).await.unwrap().addresses.len()), (1, 1));
}

#[tokio::test]
async fn a_ticket_is_issued_and_opens_a_connection_although_the_replies_were_lost() {
    let shop = Shop::open().await;
    let ann = customer();
    shop.wire.lose_next_reply();
    shop.table.issue_ticket(ann, SESSION, "ticket", at(30)).await.unwrap();
    shop.wire.lose_next_reply();
    shop.table.connect(ann, SESSION, "ticket", "one", at(1), at(7200)).await.unwrap();
}

#[tokio::test]
async fn a_cart_line_is_set_and_removed_although_the_replies_were_lost() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let ann = customer();
    // The reply to the second write, which begins the cart: the first one says that there is none.
    shop.wire.lose_reply_after(1);
    assert_eq!(shop.set_line(ann, &tea, 1).await.lines.len(), 1);
    shop.wire.lose_next_reply();
    assert_eq!(shop.set_line(ann, &tea, 2).await.lines[&tea.sku].quantity.get(), 2);
    shop.wire.lose_next_reply();
    assert!(shop.table.remove_cart_line(ann, &tea.sku).await.unwrap().unwrap().lines.is_empty());
}
