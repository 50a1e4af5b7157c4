//! Changing an order: one version at a time, and each Stripe event once.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use waybill_domain::message::Actor;
use waybill_domain::order::{Command, Order, Parcel, Refusal, Status};
use waybill_storage::orders::{EventOutcome, StripeEvent, Unchanged};

use crate::shop::{Shop, at, customer, order_id, pay, start_payment};

pub fn stripe_event(id: &str) -> StripeEvent<'_> {
    StripeEvent {
        id,
        kind: "checkout.session.completed",
        outcome: EventOutcome::Applied,
        received_at: at(1),
        parked: None,
    }
}

fn decline(order: &Order) -> Result<Order, Refusal> {
    order.decide(Command::DeclinePayment, Actor::Stripe, at(1))
}

#[tokio::test]
async fn a_changed_order_is_kept_as_it_was_decided() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    let carrier = || "UPS".parse().unwrap();
    let ship = Command::Ship(Parcel { carrier: carrier(), tracking_number: "1Z".parse().unwrap(), units: None });
    let mut order = placed.clone();
    for command in [start_payment(), pay(&placed), Command::Process, ship, Command::Deliver { shipment: None }] {
        let expected = order.decide(command.clone(), Actor::Customer, at(1)).unwrap();
        order = shop.command(&order, command).await;
        assert_eq!(order, expected);
        assert_eq!(shop.table.order(order.id).await.unwrap(), Some(expected));
    }
    assert_eq!(order.version(), 6);
}

#[tokio::test]
async fn an_unknown_order_is_not_made_by_changing_it() {
    let shop = Shop::open().await;
    let id = order_id();
    let refused = shop.table.change_order(id, None, decline).await;
    assert!(matches!(refused, Err(Unchanged::UnknownOrder)), "{refused:?}");
    assert_eq!(shop.table.order(id).await.unwrap(), None);
}

#[tokio::test]
async fn a_decision_against_it_leaves_an_order_as_it_was() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    let event = stripe_event("evt_1");
    let decide = |order: &Order| order.decide(Command::Deliver { shipment: None }, Actor::Customer, at(1));
    let refused = shop.table.change_order(placed.id, Some(&event), decide).await;
    assert!(matches!(refused, Err(Unchanged::Refused(Refusal::Forbidden { .. }))), "{refused:?}");
    assert_eq!(shop.table.order(placed.id).await.unwrap(), Some(placed.clone()));
    // The event has had no effect, so it may still have one.
    shop.table.change_order(placed.id, Some(&event), decline).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_another_one_overtook_is_decided_again_on_what_that_one_left() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    let asked = AtomicU32::new(0);
    let overtaken = |order: &Order| {
        if asked.fetch_add(1, Ordering::SeqCst) == 0 {
            let (table, id) = (shop.table.clone(), order.id);
            let other = async move { table.change_order(id, None, decline).await.unwrap() };
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(other));
        }
        decline(order)
    };
    let changed = shop.table.change_order(placed.id, None, overtaken).await.unwrap();
    assert_eq!((asked.load(Ordering::SeqCst), changed.version()), (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_once_take_effect_one_after_the_other() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    let changes: Vec<_> = (0..4)
        .map(|_| {
            let (table, id) = (shop.table.clone(), placed.id);
            tokio::spawn(async move { table.change_order(id, None, decline).await.unwrap() })
        })
        .collect();
    let mut versions = Vec::new();
    for change in changes {
        versions.push(change.await.unwrap().version());
    }
    versions.sort();
    assert_eq!(versions, [2, 3, 4, 5]);
    assert_eq!(shop.table.order(placed.id).await.unwrap().unwrap().version(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_process_an_order_at_once_one_does_and_the_others_are_told() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    let paid = shop.command(&placed, pay(&placed)).await;
    let staff: Vec<_> = (0..10)
        .map(|_| {
            let (table, id) = (shop.table.clone(), paid.id);
            let process = |order: &Order| order.decide(Command::Process, Actor::Customer, at(2));
            tokio::spawn(async move { table.change_order(id, None, process).await })
        })
        .collect();
    let mut processed = 0;
    for person in staff {
        match person.await.unwrap() {
            Ok(order) => processed += usize::from(order.state.status() == Status::Processing),
            Err(Unchanged::Refused(Refusal::Forbidden { status: Status::Processing, .. })) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(processed, 1);
    assert_eq!(shop.table.order(paid.id).await.unwrap().unwrap().version(), 3);
}

#[tokio::test]
async fn a_stripe_event_takes_effect_once() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    let event = stripe_event("evt_1");
    let declined = shop.table.change_order(placed.id, Some(&event), decline).await.unwrap();
    let again = shop.table.change_order(placed.id, Some(&event), decline).await;
    assert!(matches!(again, Err(Unchanged::EventSeen)), "{again:?}");
    assert_eq!(shop.table.order(placed.id).await.unwrap(), Some(declined));
    shop.table.change_order(placed.id, Some(&stripe_event("evt_2")), decline).await.unwrap();
    let kept = shop.stored("STRIPE_EVENT#evt_1", "STRIPE_EVENT").await;
    let until = at(1).as_second() + 35 * 24 * 60 * 60;
    assert_eq!(
        (&kept["expires_at"], &kept["outcome"]),
        (&json!({ "N": until.to_string() }), &json!({ "S": "applied" }))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripe_event_that_is_delivered_many_times_at_once_takes_effect_once() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    let deliveries: Vec<_> = (0..10)
        .map(|_| {
            let (table, id) = (shop.table.clone(), placed.id);
            tokio::spawn(async move { table.change_order(id, Some(&stripe_event("evt_1")), decline).await })
        })
        .collect();
    let mut effects = 0;
    for delivery in deliveries {
        match delivery.await.unwrap() {
            Ok(_) => effects += 1,
            Err(Unchanged::EventSeen) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((effects, shop.table.order(placed.id).await.unwrap().unwrap().version()), (1, 2));
}

#[tokio::test]
async fn changing_an_order_leaves_alone_what_only_its_placing_wrote() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed_by(customer(), &tea, at(0)).await;
    shop.command(&placed, pay(&placed)).await;
    let item = shop.stored(&format!("ORDER#{}", placed.id.number()), "ORDER").await;
    assert_eq!(item["fingerprint"], json!({ "S": "fingerprint" }));
}

#[tokio::test]
async fn an_event_that_is_parked_again_stays_as_it_was_first_parked() {
    let shop = Shop::open().await;
    let parked = |body| StripeEvent { outcome: EventOutcome::Parked, parked: Some(body), ..stripe_event("evt_1") };
    shop.table.park_stripe_event(&parked("first")).await.unwrap();
    shop.table.park_stripe_event(&parked("second")).await.unwrap();
    let kept = shop.stored("STRIPE_EVENT#evt_1", "STRIPE_EVENT").await;
    let until = at(1).as_second() + 400 * 24 * 60 * 60;
    assert_eq!((&kept["parked"], &kept["outcome"]), (&json!({ "S": "first" }), &json!({ "S": "parked" })));
    assert_eq!(kept["expires_at"], json!({ "N": until.to_string() }));
}

#[tokio::test]
async fn a_parked_event_takes_effect_once_when_it_is_delivered_again() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    let event = stripe_event("evt_1");
    let parked = StripeEvent { outcome: EventOutcome::Parked, parked: Some("{}"), ..event.clone() };
    shop.table.park_stripe_event(&parked).await.unwrap();
    let changed = shop.table.change_order(placed.id, Some(&event), decline).await.unwrap();
    assert_eq!(changed.version(), placed.version() + 1);
    let refused = shop.table.change_order(placed.id, Some(&event), decline).await;
    assert!(matches!(refused, Err(Unchanged::EventSeen)), "{refused:?}");
}
