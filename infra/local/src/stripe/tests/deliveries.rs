//! How events reach the shop, and how they do not.

use super::*;

#[tokio::test]
async fn held_events_come_in_reverse_and_twice_when_asked_for() {
    let mut street = Street::open().await;
    let session = street.session().await;
    street.faults(json!({ "hold": true, "reorder": true })).await;
    street.post(&format!("/_control/sessions/{}/pay", session.id)).await;
    street.hears_nothing().await;
    street.faults(json!({ "hold": false })).await;
    assert_eq!(street.kinds(3).await, ["checkout.session.completed", "charge.succeeded", "payment_intent.succeeded"]);

    street.faults(json!({ "reorder": false, "duplicate": true })).await;
    let events: Value = serde_json::from_str(&street.page("/_control/events").await).unwrap();
    let id = events["events"][0]["id"].as_str().unwrap();
    assert_eq!(street.post(&format!("/_control/events/{id}/redeliver")).await, StatusCode::ACCEPTED);
    for _ in 0..2 {
        assert_eq!(street.event().await.id.as_str(), id);
    }
    street.hears_nothing().await;
    let unknown = street
        .http
        .post(format!("{}/_control/faults", street.url))
        .json(&json!({ "rain": true }))
        .send()
        .await
        .unwrap();
    assert!(unknown.status().is_client_error());
}

#[tokio::test]
async fn an_event_that_the_shop_refuses_comes_again_until_it_is_taken() {
    let mut street = Street::open().await;
    let session = street.session().await;
    street.answers.lock().await.extend([500, 301]);
    street.post(&format!("/_control/sessions/{}/decline", session.id)).await;
    let ids: Vec<_> = [street.event().await.id, street.event().await.id, street.event().await.id].into();
    assert!(ids.iter().all(|id| *id == ids[0]));
    street.hears_nothing().await;
    let events: Value = serde_json::from_str(&street.page("/_control/events").await).unwrap();
    let answers: Vec<&str> = events["events"][0]["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["answer"].as_str().unwrap())
        .collect();
    assert_eq!(answers, ["301", "500", "200"]);
    assert!(street.page("/events").await.contains("delivered"));
}

#[tokio::test]
async fn undelivered_events_outlive_a_restart() {
    let folder = std::env::temp_dir().join(objects::new_id("waybill-stripe-", 12));
    let street = Street::with_store(Some(folder.clone())).await;
    let session = street.session().await;
    street.faults(json!({ "hold": true })).await;
    street.post(&format!("/_control/sessions/{}/pay", session.id)).await;
    let (url, http) = (street.url.clone(), street.http.clone());
    street.stand_in.stop().await;
    assert!(http.get(format!("{url}/events")).send().await.is_err(), "the port is free again");

    let mut street = Street::with_store(Some(folder.clone())).await;
    assert_eq!(street.kinds(3).await.len(), 3);
    let read = RetrieveCheckoutSession::new(session.id).send(&street.client(KEY)).await.unwrap();
    assert_eq!(read.status, Some(CheckoutSessionStatus::Complete));
    street.stand_in.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}
