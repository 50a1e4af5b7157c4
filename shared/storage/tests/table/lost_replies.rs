//! A call that took effect but whose reply was lost: the SDK sends it again, and it must not meet itself as a stranger.

use waybill_domain::account::{Account, Role};
use waybill_domain::message::Actor;
use waybill_domain::order::Order;
use waybill_storage::accounts::Rotation;

use crate::accounts::session;
use crate::changing::stripe_event;
use crate::shop::{Shop, at, customer, order, pay};

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
async fn an_account_is_made_although_the_reply_was_lost() {
    let shop = Shop::open().await;
    let email = "ann@example.com".parse().unwrap();
    let ann = Account { id: customer(), email, role: Role::Customer, created_at: at(0) };
    shop.wire.lose_next_reply();
    shop.table.create_account(&ann, "$hash").await.unwrap();
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
    let session = session(customer());
    shop.wire.lose_next_reply();
    shop.table.open_session(&session).await.unwrap();
    shop.wire.lose_next_reply();
    let rotation = shop.table.rotate_session(&session, "second", at(200).as_second(), at(1)).await.unwrap();
    assert!(matches!(rotation, Rotation::Rotated));
}

#[tokio::test]
async fn a_ticket_is_issued_and_opens_a_connection_although_the_replies_were_lost() {
    let shop = Shop::open().await;
    let ann = customer();
    shop.wire.lose_next_reply();
    shop.table.issue_ticket(ann, "ticket", at(30)).await.unwrap();
    shop.wire.lose_next_reply();
    shop.table.connect(ann, "ticket", "one", at(1), at(7200)).await.unwrap();
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
