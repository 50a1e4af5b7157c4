//! Endpoints of webhooks, and the log of what was sent to them: who is faster, what it costs, and what is found again.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use waybill_domain::id::{DeliveryId, EndpointId, OrderId};
use waybill_domain::message::{Event, Message, WebhookEvent};
use waybill_domain::webhook::{
    Asked, Delivery, DeliveryStatus, DisabledFor, Endpoint, EndpointUrl, MAX_ENDPOINTS, Outcome, Secret, TestHosts,
};
use waybill_storage::outbox::{Announcement, announcement};
use waybill_storage::webhooks::{EndpointRefused, Wanted};
use waybill_storage::{Cursor, Page};

use crate::shop::{Shop, at, pay, reasons, uuid};

fn endpoint() -> Endpoint {
    Endpoint {
        id: EndpointId::new(uuid()),
        url: EndpointUrl::parse("https://erp.example.com/hooks", &TestHosts::default()).unwrap(),
        description: "ERP".parse().unwrap(),
        events: BTreeSet::new(),
        enabled: true,
        disabled: None,
        failing_since: None,
        created_at: at(0),
    }
}

fn secret(name: &str) -> Secret {
    Secret::new(name)
}

async fn added(shop: &Shop) -> Endpoint {
    let endpoint = endpoint();
    shop.table.add_endpoint(&endpoint, secret("one")).await.unwrap();
    endpoint
}

/// The message about a change of an order that there need not be.
async fn message(shop: &Shop) -> Message {
    let tea = shop.sells(&format!("TEA-{}", crate::shop::number()), 450, 5).await;
    Message::latest(&shop.placed(&tea).await).unwrap()
}

fn later(message: &Message, version: u32, event: Event) -> Message {
    let mut message = message.clone();
    message.id = format!("{}/{version}", message.order.id);
    message.order.version = version;
    message.event = event;
    message
}

const ERROR: Outcome = Outcome::Answered(500);

#[tokio::test]
async fn a_shop_has_at_most_so_many_endpoints_however_many_are_made_at_once() {
    let shop = Shop::open().await;
    let made = (0..MAX_ENDPOINTS + 3).map(|_| async {
        let endpoint = endpoint();
        shop.table.add_endpoint(&endpoint, secret("one")).await.map(|()| endpoint)
    });
    let (made, refused): (Vec<_>, Vec<_>) = join_all(made).await.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (MAX_ENDPOINTS, 3));
    for refused in refused {
        assert_eq!(reasons(refused), [EndpointRefused::TooMany]);
    }
    let listed = shop.table.endpoints(true).await.unwrap();
    assert_eq!(listed.len(), MAX_ENDPOINTS);
    let first = listed[0].id;
    shop.table.remove_endpoint(first).await.unwrap();
    assert_eq!(reasons(shop.table.remove_endpoint(first).await), [EndpointRefused::Unknown]);
    assert_eq!(shop.table.endpoint_secrets(first).await.unwrap(), None);
    shop.table.add_endpoint(&endpoint(), secret("one")).await.unwrap();
    assert_eq!(reasons(shop.table.add_endpoint(&endpoint(), secret("one")).await), [EndpointRefused::TooMany]);
}

#[tokio::test]
async fn an_endpoint_is_changed_on_the_version_that_was_read_and_keeps_what_failed_meanwhile() {
    let shop = Shop::open().await;
    let added = added(&shop).await;
    let rename = |text: &str| {
        let description = text.parse().unwrap();
        move |endpoint: Endpoint| Endpoint { description: Clone::clone(&description), ..endpoint }
    };
    shop.table.endpoint_failed(added.id, at(5)).await.unwrap();
    shop.table.endpoint_failed(added.id, at(6)).await.unwrap();
    let changed = shop.table.change_endpoint(added.id, 1, rename("Warehouse")).await.unwrap();
    assert_eq!((changed.version, changed.value.failing_since), (2, Some(at(5))));
    assert_eq!(shop.table.endpoint(added.id).await.unwrap().unwrap(), changed);
    let outdated = shop.table.change_endpoint(added.id, 1, rename("Old")).await;
    assert_eq!(reasons(outdated), [EndpointRefused::Changed]);
    let unknown = shop.table.change_endpoint(EndpointId::new(uuid()), 1, rename("None")).await;
    assert_eq!(reasons(unknown), [EndpointRefused::Unknown]);

    // That the shop has disabled it is a change as well.
    assert!(shop.table.disable_endpoint(added.id, DisabledFor::Failing, at(7)).await.unwrap());
    assert!(!shop.table.disable_endpoint(added.id, DisabledFor::Gone, at(8)).await.unwrap());
    assert_eq!(reasons(shop.table.change_endpoint(added.id, 2, rename("Old")).await), [EndpointRefused::Changed]);
    let disabled = shop.table.endpoint(added.id).await.unwrap().unwrap();
    assert_eq!((disabled.version, disabled.value.enabled), (3, false));
    assert_eq!(disabled.value.disabled.map(|it| (it.reason, it.at)), Some((DisabledFor::Failing, at(7))));
    shop.table.endpoint_answered(added.id).await.unwrap();
    assert_eq!(shop.table.endpoint(added.id).await.unwrap().unwrap().value.failing_since, None);

    // What comes of deliveries makes no endpoint of one that is gone.
    shop.table.remove_endpoint(added.id).await.unwrap();
    shop.table.endpoint_failed(added.id, at(9)).await.unwrap();
    shop.table.endpoint_answered(added.id).await.unwrap();
    assert!(!shop.table.disable_endpoint(added.id, DisabledFor::Gone, at(9)).await.unwrap());
    assert_eq!(shop.table.endpoints(true).await.unwrap(), []);
}

#[tokio::test]
async fn of_two_rotations_at_once_one_is_told_that_the_other_was_faster() {
    let shop = Shop::open().await;
    let endpoint = added(&shop).await;
    let (two, three) = (secret("two"), secret("three"));
    let rotate = |secret| shop.table.rotate_endpoint_secret(endpoint.id, secret, at(1));
    let rotated = rotate(&two).await.unwrap();
    assert_eq!(rotated.signing(at(2)).collect::<Vec<_>>(), [&two, &secret("one")]);
    let both = tokio::join!(rotate(&three), rotate(&two));
    for rotated in [both.0, both.1] {
        match rotated {
            Ok(rotated) => assert_eq!(
                shop.table.endpoint_secrets(endpoint.id).await.unwrap().map(|it| it.previous.is_some()),
                Some(rotated.previous.is_some())
            ),
            Err(refused) => assert_eq!(refused.first().unwrap(), EndpointRefused::Changed),
        }
    }
    let unknown = shop.table.rotate_endpoint_secret(EndpointId::new(uuid()), &two, at(1)).await;
    assert_eq!(reasons(unknown), [EndpointRefused::Unknown]);
    // Who lists endpoints reads no secret.
    let listed = serde_json::to_string(&shop.table.endpoints(true).await.unwrap()).unwrap();
    assert!(!listed.contains("whsec_"), "{listed}");
}

#[tokio::test]
async fn what_is_noted_of_a_delivery_by_two_at_once_is_noted_once() {
    let shop = Shop::open().await;
    let endpoint = added(&shop).await;
    let message = message(&shop).await;
    let fresh = Delivery::new(&message, endpoint.id, at(0));
    let ok = fresh.clone().tried(Asked::BySchedule, Outcome::Answered(200), (at(1), at(1)), 0);
    let failed = fresh.tried(Asked::BySchedule, ERROR, (at(1), at(2)), 0);
    let (first, second) =
        tokio::join!(shop.table.keep_delivery(&ok, 0, at(2)), shop.table.keep_delivery(&failed, 0, at(2)));
    assert!(first.unwrap() ^ second.unwrap());
    let kept = shop.table.delivery(endpoint.id, ok.id).await.unwrap().unwrap();
    assert_eq!(kept.version, 1);
    // The same once more is what a lost reply brings.
    assert!(shop.table.keep_delivery(&kept.value, 0, at(2)).await.unwrap());
    assert!(!shop.table.keep_delivery(&kept.value, 5, at(2)).await.unwrap());
}

#[tokio::test]
async fn what_staff_ask_for_is_announced_and_what_comes_of_it_is_not() {
    let shop = Shop::open().await;
    let endpoint = added(&shop).await;
    let message = message(&shop).await;
    let delivery = Delivery::new(&message, endpoint.id, at(0)).tried(Asked::BySchedule, ERROR, (at(1), at(1)), 0);
    assert!(shop.table.keep_delivery(&delivery, 0, at(1)).await.unwrap());
    assert_eq!(shop.table.ask_for_delivery(endpoint.id, DeliveryId::test(uuid()), at(2)).await.unwrap(), None);
    let asked = shop.table.ask_for_delivery(endpoint.id, delivery.id, at(2)).await.unwrap().unwrap();
    assert_eq!(asked.status, DeliveryStatus::Asked);
    let seen = shop.table.delivery(endpoint.id, delivery.id).await.unwrap().unwrap().version;
    let done = asked.tried(Asked::ByStaff, Outcome::Answered(200), (at(3), at(3)), 0);
    assert!(shop.table.keep_delivery(&done, seen, at(3)).await.unwrap());
    let test = Delivery::test(DeliveryId::test(uuid()), endpoint.id, at(4));
    assert!(shop.table.keep_delivery(&test, 0, at(4)).await.unwrap());
    let announced: Vec<_> = shop
        .images()
        .await
        .into_iter()
        .filter_map(|image| match announcement(image).unwrap() {
            Some(Announcement::Webhook(message)) => Some((message.endpoint_id, message.id, message.event)),
            _ => None,
        })
        .collect();
    assert_eq!(
        announced,
        [(endpoint.id, delivery.id, WebhookEvent::Asked), (endpoint.id, test.id, WebhookEvent::Asked)]
    );
}

#[tokio::test]
async fn the_log_is_searched_page_by_page_by_status_event_and_order() {
    let shop = Shop::open().await;
    let (endpoint, other) = (added(&shop).await, added(&shop).await);
    let (first, second) = (message(&shop).await, message(&shop).await);
    let mut logged = Vec::new();
    for number in 0..12_u32 {
        let about = if number % 3 == 0 { &first } else { &second };
        let event = if number % 2 == 0 { Event::Paid } else { Event::Processing };
        let fresh = Delivery::new(&later(about, number + 1, event), endpoint.id, at(number.into()));
        let outcome = if number % 4 == 0 { Outcome::Answered(410) } else { Outcome::Answered(200) };
        logged.push(fresh.tried(Asked::BySchedule, outcome, (at(number.into()), at(number.into())), 0));
    }
    logged.push(Delivery::test(DeliveryId::test(uuid()), endpoint.id, at(20)));
    for delivery in &logged {
        assert!(shop.table.keep_delivery(delivery, 0, at(20)).await.unwrap());
    }
    let elsewhere = Delivery::new(&first, other.id, at(1));
    assert!(shop.table.keep_delivery(&elsewhere, 0, at(1)).await.unwrap());

    let look = async |wanted: &Wanted, limit| {
        let (mut found, mut cursor, mut back) = (Vec::new(), None, None);
        loop {
            let page: Page<Delivery> = shop.table.deliveries(endpoint.id, wanted, limit, cursor).await.unwrap();
            assert!(page.items.len() <= usize::from(limit));
            if !found.is_empty() {
                // The page before is the one that was there.
                let text = page.previous.as_ref().unwrap().to_string();
                let read = Cursor::among_deliveries(endpoint.id, wanted.order, &text).unwrap();
                assert_eq!(Some(&read), page.previous.as_ref());
                let before = shop.table.deliveries(endpoint.id, wanted, limit, Some(read)).await.unwrap();
                assert_eq!(Some(before.items), back, "{wanted:?} by {limit}");
            }
            found.extend(page.items.iter().map(|delivery| delivery.id));
            back = Some(page.items);
            let Some(next) = page.next else { return found };
            cursor = Cursor::among_deliveries(endpoint.id, wanted.order, &next.to_string());
            assert_eq!(cursor, Some(next));
        }
    };
    let expected = |is_wanted: &dyn Fn(&Delivery) -> bool| -> Vec<_> {
        logged.iter().rev().filter(|delivery| is_wanted(delivery)).map(|delivery| delivery.id).collect()
    };
    let (paid, order) = ("order.paid.v1".to_owned(), first.order.id);
    let of = |status: Option<DeliveryStatus>, event: Option<&String>, order: Option<OrderId>| Wanted {
        status,
        event: event.cloned(),
        order,
    };
    for limit in [1, 2, 5, 100] {
        assert_eq!(look(&Wanted::default(), limit).await, expected(&|_| true), "all by {limit}");
        let failed = of(Some(DeliveryStatus::Failed), None, None);
        assert_eq!(look(&failed, limit).await, expected(&|it| it.status == DeliveryStatus::Failed));
        let about = of(None, None, Some(order));
        assert_eq!(look(&about, limit).await, expected(&|it| it.order_id == Some(order)));
    }
    // What is no partition is looked for in several queries, and pages are whole.
    for wanted in [
        of(None, Some(&paid), None),
        of(Some(DeliveryStatus::Delivered), Some(&paid), None),
        of(Some(DeliveryStatus::Delivered), Some(&paid), Some(order)),
        of(None, Some(&"webhook.test.v1".to_owned()), None),
    ] {
        let is_wanted = |it: &Delivery| {
            wanted.status.is_none_or(|status| it.status == status)
                && wanted.event.as_ref().is_none_or(|event| it.event == *event)
                && wanted.order.is_none_or(|order| it.order_id == Some(order))
        };
        let page = shop.table.deliveries(endpoint.id, &wanted, 100, None).await.unwrap();
        assert_eq!(page.items.iter().map(|it| it.id).collect::<Vec<_>>(), expected(&is_wanted), "{wanted:?}");
    }
    assert_eq!(Cursor::among_deliveries(endpoint.id, None, "1.x"), None);
    assert_eq!(Cursor::among_deliveries(endpoint.id, Some(order), "1.x"), None);
}

#[tokio::test]
async fn a_delivery_is_one_write_and_the_endpoint_is_written_only_when_it_begins_or_ends_to_fail() {
    let shop = Shop::open().await;
    let endpoint = added(&shop).await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    let order = shop.command(&placed, pay(&placed)).await;
    let fresh = Delivery::new(&Message::latest(&order).unwrap(), endpoint.id, at(0));
    shop.wire.calls();
    shop.wire.units();
    shop.table.endpoints(false).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query"]);
    let units = shop.wire.units();
    assert!(shop.is_elsewhere() || units == 0.5, "all endpoints: {units}");
    let delivered = fresh.tried(Asked::BySchedule, Outcome::Answered(200), (at(1), at(2)), 0);
    assert!(shop.table.keep_delivery(&delivered, 0, at(2)).await.unwrap());
    assert_eq!(shop.wire.calls(), ["PutItem"]);
    // The item and its two places, each below 1 KB.
    let units = shop.wire.units();
    assert!(shop.is_elsewhere() || units == 3.0, "a delivery: {units}");
    shop.table.endpoint_failed(endpoint.id, at(3)).await.unwrap();
    shop.table.endpoint_answered(endpoint.id).await.unwrap();
    assert_eq!(shop.wire.calls(), ["UpdateItem", "UpdateItem"]);
    let read = tokio::try_join!(
        shop.table.endpoint(endpoint.id),
        shop.table.endpoint_secrets(endpoint.id),
        shop.table.delivery(endpoint.id, delivered.id)
    );
    read.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem"; 3]);
}
