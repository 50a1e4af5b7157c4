//! The table's stream as the relay reads it.

use waybill_domain::id::AccountId;
use waybill_domain::message::{Event, Message};
use waybill_domain::order::PaymentStatus;
use waybill_storage::orders::announcement;

use crate::shop::{Shop, customer, pay};

async fn announced(shop: &Shop) -> Vec<Message> {
    shop.images().await.into_iter().filter_map(|image| announcement(image).unwrap()).collect()
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
