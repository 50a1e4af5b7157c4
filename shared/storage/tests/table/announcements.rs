//! The table's stream as the relay reads it.

use waybill_domain::id::AccountId;
use waybill_domain::message::{AccountEvent, Event, Message};
use waybill_domain::order::{Command, Order, Parcel, PaymentStatus, refund};
use waybill_storage::outbox::{Announcement, announcement};

use crate::accounts::letter;
use crate::shop::{Shop, at, customer, pay};

async fn announced(shop: &Shop) -> Vec<Message> {
    let announced = shop.images().await.into_iter().filter_map(|image| announcement(image).unwrap());
    let order = |announcement| match announcement {
        Announcement::Order { message, .. } => message.map(|message| *message),
        Announcement::Letter(_)
        | Announcement::Customer(_)
        | Announcement::Stock(_)
        | Announcement::Import(_)
        | Announcement::Export(_)
        | Announcement::Webhook(_) => None,
    };
    announced.filter_map(order).collect()
}

#[tokio::test]
async fn a_letter_is_announced_without_what_it_keeps() {
    let shop = Shop::open().await;
    let mut letter = letter("ann@example.com", AccountEvent::SignUpRequested, 0);
    letter.password_hash = Some("$hash".into());
    shop.table.write_letter(&letter).await.unwrap();
    let announced: Vec<_> = shop.images().await.into_iter().filter_map(|image| announcement(image).unwrap()).collect();
    let [Announcement::Letter(message)] = announced.as_slice() else { panic!("{announced:?}") };
    assert_eq!((message.id, &message.to, message.event), (letter.id, &letter.to, letter.event));
    assert!(!serde_json::to_string(message).unwrap().contains("hash"));
}

#[tokio::test]
async fn an_order_whose_buyer_is_forgotten_is_not_announced_again() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    shop.command(&placed, Command::Cancel { closed: None, reason: None }).await;
    let forget = |order: &Order| order.forget_buyer(at(2)).ok_or(());
    let forgotten = shop.table.change_order(placed.id, None, forget).await.unwrap();
    assert_eq!(shop.table.order(placed.id).await.unwrap().unwrap(), forgotten);
    assert_eq!(announced(&shop).await.len(), 2);
    let stored = shop.stored(&format!("ORDER#{}", placed.id.number()), "ORDER").await.to_string();
    assert!(!stored.contains("ann@") && !stored.contains("Main St") && !stored.contains("fingerprint"), "{stored}");
}

#[tokio::test]
async fn a_refund_is_announced_to_who_makes_it_even_where_nobody_is_left_to_be_told() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    let ship =
        Command::Ship(Parcel { carrier: "UPS".parse().unwrap(), tracking_number: "1Z".parse().unwrap(), units: None });
    for command in [pay(&placed), Command::Process, ship, Command::Deliver { shipment: None }] {
        shop.command(&placed, command).await;
    }
    let forget = |order: &Order| order.forget_buyer(at(2)).ok_or(());
    shop.table.change_order(placed.id, None, forget).await.unwrap();
    let request = refund::Request { key: "key".into(), fingerprint: "body".into() };
    let wanted = refund::Wanted::Amount(placed.total);
    let ask = refund::Command::Request { wanted, reason: None, request };
    let asked = shop.command(&placed, Command::Refund(ask)).await;
    let announced = async || shop.images().await.into_iter().filter_map(|image| announcement(image).unwrap()).collect();
    let before: Vec<_> = announced().await;
    let Some(Announcement::Order { message: None, refund: Some(due), .. }) = before.last() else {
        panic!("{before:?}")
    };
    assert_eq!((&due.id, due.order_id), (&format!("{}/{}", placed.id, asked.version()), placed.id));
    let made = refund::Outcome::Succeeded { stripe: "re_1".into() };
    shop.command(&placed, Command::Refund(refund::Command::Settle { number: 1, outcome: made })).await;
    let after: Vec<_> = announced().await;
    assert_eq!(after.len(), before.len() + 1);
    // That it was made is nobody's business any more, but for the books.
    let Some(Announcement::Order { message: None, refund: None, document: Some(due) }) = after.last() else {
        panic!("{after:?}")
    };
    assert_eq!(due.order_id, placed.id);
}

#[tokio::test]
async fn each_change_of_an_order_is_announced_once_and_nothing_else_is() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    shop.set_line(customer(), &tea, 1).await;
    assert_eq!(announced(&shop).await, []);
    let placed = shop.placed(&tea).await;
    let paid = shop.command(&placed, pay(&placed)).await;
    assert_eq!(announced(&shop).await, [Message::latest(&placed).unwrap(), Message::latest(&paid).unwrap()]);
    let messages = announced(&shop).await;
    let told: Vec<_> = messages.iter().map(|message| (message.id.clone(), message.event.clone())).collect();
    let id = placed.id;
    assert_eq!(told, [(format!("{id}/1"), Event::Placed), (format!("{id}/2"), Event::Paid)]);
    assert_eq!(messages[1].order.payment_status, PaymentStatus::Paid);
    let buyer: AccountId = messages[1].order.account_id;
    assert_eq!(buyer, placed.buyer);
}

#[tokio::test]
async fn an_order_that_cannot_be_read_is_an_error_and_not_silence() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    shop.placed(&tea).await;
    let order = serde_dynamo::AttributeValue::S("ORDER".into());
    let mut image = shop.images().await.into_iter().find(|image| image.get("sk") == Some(&order)).unwrap().into_inner();
    image.remove("lines");
    assert!(announcement(image.into()).is_err());
}
