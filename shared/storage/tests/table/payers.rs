//! Who an account's holder is at the payment provider.

use waybill_domain::message::CustomerEvent;
use waybill_storage::outbox::{Announcement, announcement};
use waybill_storage::payers::Payer;

use crate::accounts::ann;
use crate::shop::{Shop, at, customer};

fn payer(customer: &str, email: &str) -> Payer {
    Payer { customer: customer.into(), email: email.parse().unwrap() }
}

#[tokio::test]
async fn the_first_of_two_is_kept_and_a_known_one_makes_way_for_the_next_only() {
    let shop = Shop::open().await;
    let ann = ann(&shop).await;
    let [first, second, third] = ["cus_1", "cus_2", "cus_3"].map(|id| payer(id, "ann@example.com"));
    assert_eq!(shop.table.keep_payer(ann.id, None, &first).await.unwrap().as_ref(), Some(&first));
    assert_eq!(shop.table.keep_payer(ann.id, None, &second).await.unwrap().as_ref(), Some(&first));
    assert_eq!(shop.table.keep_payer(ann.id, Some(&first), &second).await.unwrap().as_ref(), Some(&second));
    assert_eq!(shop.table.keep_payer(ann.id, Some(&first), &third).await.unwrap().as_ref(), Some(&second));
    let elsewhere = payer("cus_2", "anne@example.com");
    assert_eq!(shop.table.keep_payer(ann.id, Some(&second), &elsewhere).await.unwrap().as_ref(), Some(&elsewhere));
    assert_eq!(shop.table.holder(ann.id).await.unwrap().unwrap().payer, Some(elsewhere));
}

#[tokio::test]
async fn who_leaves_gets_no_payer_any_more_and_the_stream_tells_that_the_last_is_to_be_forgotten() {
    let shop = Shop::open().await;
    let ann = ann(&shop).await;
    let known = payer("cus_1", "ann@example.com");
    shop.table.keep_payer(ann.id, None, &known).await.unwrap();
    let leaving = shop.table.begin_to_leave(ann.id, at(2)).await.unwrap().unwrap();
    for before in [None, Some(&known)] {
        assert_eq!(shop.table.keep_payer(ann.id, before, &payer("cus_2", "ann@example.com")).await.unwrap(), None);
    }
    shop.table.leave(&leaving, at(3)).await.unwrap();
    assert_eq!(shop.table.keep_payer(ann.id, None, &known).await.unwrap(), None);
    assert_eq!(shop.table.keep_payer(customer(), None, &known).await.unwrap(), None);
    let told: Vec<_> = shop
        .images()
        .await
        .into_iter()
        .filter_map(|image| match announcement(image).unwrap() {
            Some(Announcement::Customer(message)) => Some(message),
            _ => None,
        })
        .collect();
    let [message] = &told[..] else { panic!("{told:?}") };
    assert_eq!((message.id, message.at), (ann.id, at(3)));
    assert_eq!(message.event, CustomerEvent::Left { customer: Some("cus_1".into()) });
}
