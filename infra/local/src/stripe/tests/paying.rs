//! Creating, paying, declining, expiring: seen through the real Stripe client and a browser.

use super::*;

#[test]
fn the_version_is_the_one_that_the_client_is_compiled_for() {
    assert_eq!(events::API_VERSION, stripe_shared::version::VERSION.as_str());
}

#[tokio::test]
async fn a_session_is_created_paid_and_announced_as_the_real_client_understands_it() {
    let mut street = Street::open().await;
    let created = street.session().await;
    assert_eq!(created.amount_total, Some(2598));
    assert_eq!(created.url.as_deref(), Some(format!("{}/pay/{}", street.url, created.id).as_str()));
    assert!(created.payment_intent.is_none());

    assert_eq!(street.post(&format!("/_control/sessions/{}/pay", created.id)).await, StatusCode::OK);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let event = street.event().await;
        assert_eq!(event.api_version, Some(stripe_shared::version::VERSION));
        match event.data.object {
            EventObject::CheckoutSessionCompleted(session) => {
                assert_eq!(session.id, created.id);
                assert_eq!(session.client_reference_id.as_deref(), Some("ord_1"));
                assert_eq!(session.metadata.unwrap()["attempt"], "1");
                assert_eq!(session.payment_status.as_str(), "paid");
                seen.push("session");
            }
            EventObject::PaymentIntentSucceeded(intent) => {
                assert_eq!((intent.amount_received, intent.status.as_str()), (2598, "succeeded"));
                assert_eq!(intent.metadata["order"], "ord_1");
                seen.push("intent");
            }
            EventObject::ChargeSucceeded(charge) => {
                assert!(charge.paid && charge.captured);
                seen.push("charge");
            }
            other => panic!("{other:?}"),
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, ["charge", "intent", "session"]);

    let read = RetrieveCheckoutSession::new(created.id.clone())
        .expand(["line_items".to_owned(), "payment_intent.latest_charge".to_owned()])
        .send(&street.client(KEY))
        .await
        .unwrap();
    assert_eq!(read.status, Some(CheckoutSessionStatus::Complete));
    assert_eq!(read.line_items.unwrap().data[0].amount_total, 2598);
    let intent = read.payment_intent.unwrap().into_object().unwrap();
    assert!(intent.latest_charge.unwrap().into_object().unwrap().paid);
    street.stand_in.stop().await;
}

#[tokio::test]
async fn a_declined_payment_is_announced_and_may_be_tried_again() {
    let mut street = Street::open().await;
    let session = street.session().await;
    assert_eq!(street.post(&format!("/pay/{}/decline", session.id)).await, StatusCode::SEE_OTHER);
    match street.event().await.data.object {
        EventObject::PaymentIntentPaymentFailed(intent) => {
            assert_eq!(intent.last_payment_error.unwrap().decline_code.as_deref(), Some("generic_decline"));
        }
        other => panic!("{other:?}"),
    }
    let page = street.page(&format!("/pay/{}", session.id)).await;
    assert!(page.contains("The card was declined") && page.contains("Pay USD 25.98"), "{page}");
    assert_eq!(street.post(&format!("/pay/{}/pay", session.id)).await, StatusCode::SEE_OTHER);
    assert_eq!(street.kinds(3).await.len(), 3);
}

#[tokio::test]
async fn the_page_shows_the_shops_texts_as_text() {
    let street = Street::open().await;
    let session = street.session().await;
    let page = street.page(&format!("/pay/{}", session.id)).await;
    assert!(page.contains("Mug &amp; saucer &lt;b&gt;") && !page.contains("saucer <b>"), "{page}");
    street.post(&format!("/pay/{}/pay", session.id)).await;
    let page = street.page(&format!("/pay/{}", session.id)).await;
    assert!(page.contains(&format!("href=\"https://shop.test/paid?session={}\"", session.id)), "{page}");
    let unknown = street.http.get(format!("{}/pay/cs_1", street.url)).send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn of_two_clicks_that_race_one_pays() {
    let mut street = Street::open().await;
    let session = street.session().await;
    let path = format!("/pay/{}/pay", session.id);
    let clicks =
        futures_util::future::join_all((0..8).map(|_| street.http.post(format!("{}{path}", street.url)).send())).await;
    let again = clicks.into_iter().filter(|click| {
        let to = click.as_ref().unwrap().headers()["location"].to_str().unwrap();
        to.ends_with("?again")
    });
    assert_eq!(again.count(), 7);
    assert_eq!(street.kinds(3).await.len(), 3);
    street.hears_nothing().await;
    assert!(street.page(&format!("/pay/{}?again", session.id)).await.contains("paid already"));
}

#[tokio::test]
async fn an_expired_session_cannot_be_paid_or_expired_again() {
    let mut street = Street::open().await;
    let client = street.client(KEY);
    let session = street.session().await;
    let expired = ExpireCheckoutSession::new(session.id.clone()).send(&client).await.unwrap();
    assert_eq!((expired.status, expired.url), (Some(CheckoutSessionStatus::Expired), None));
    assert_eq!(street.kinds(1).await, ["checkout.session.expired"]);
    assert_eq!(street.post(&format!("/pay/{}/pay", session.id)).await, StatusCode::SEE_OTHER);
    assert_eq!(street.post(&format!("/_control/sessions/{}/pay", session.id)).await, StatusCode::CONFLICT);
    assert!(street.page(&format!("/pay/{}", session.id)).await.contains("expired"));
    let (status, error) = refused(ExpireCheckoutSession::new(session.id.clone()).send(&client).await);
    assert_eq!(status, 400);
    assert!(error.message.unwrap().contains("has a status of `expired`"));
    street.hears_nothing().await;
}
