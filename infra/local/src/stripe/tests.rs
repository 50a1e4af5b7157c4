//! The stand-in as its users meet it: the real Stripe client, the real webhook check, a browser.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use stripe::{Client, ClientBuilder, IdempotencyKey, RequestStrategy, StripeError, StripeRequest};
use stripe_checkout::checkout_session::{
    CreateCheckoutSession, CreateCheckoutSessionLineItems, CreateCheckoutSessionLineItemsPriceData,
    CreateCheckoutSessionPaymentIntentData, ExpireCheckoutSession, ProductData,
    RetrieveCheckoutSession,
};
use stripe_shared::{CheckoutSession, CheckoutSessionMode, CheckoutSessionStatus};
use stripe_webhook::{EventObject, Webhook};
use tokio::sync::{Mutex, mpsc};

use super::*;

const KEY: &str = "sk_test_local_1";
const SECRET: &str = "whsec_local_1";

/// A stand-in, and a shop that notes what it is told and answers as it is told to.
struct Street {
    url: String,
    http: reqwest::Client,
    told: mpsc::UnboundedReceiver<(String, String)>,
    answers: Arc<Mutex<Vec<u16>>>,
    stand_in: StandIn,
}

#[derive(Clone)]
struct Shop {
    tell: mpsc::UnboundedSender<(String, String)>,
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Street {
    async fn open() -> Street {
        Street::with_store(None).await
    }

    async fn with_store(store: Option<PathBuf>) -> Street {
        let (tell, told) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(Vec::new()));
        let shop = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let webhook_url = format!("http://{}/v1/stripe/events", shop.local_addr().unwrap());
        let router = Router::new()
            .route("/v1/stripe/events", post(receive))
            .with_state(Shop {
                tell,
                answers: answers.clone(),
            });
        tokio::spawn(async move { axum::serve(shop, router).await });

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let settings = Settings {
            secret_key: KEY.into(),
            webhook_secret: SECRET.into(),
            webhook_url,
            store,
            public_url: url.clone(),
        };
        let stand_in = start(listener, settings).unwrap();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Street {
            url,
            http,
            told,
            answers,
            stand_in,
        }
    }

    fn client(&self, key: &str) -> Client {
        ClientBuilder::new(key)
            .url(format!("{}/", self.url))
            .build()
            .unwrap()
    }

    async fn session(&self) -> CheckoutSession {
        order(1299, 2).send(&self.client(KEY)).await.unwrap()
    }

    async fn post(&self, path: &str) -> StatusCode {
        self.http
            .post(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap()
            .status()
    }

    async fn page(&self, path: &str) -> String {
        self.http
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    async fn faults(&self, faults: Value) {
        let set = self
            .http
            .post(format!("{}/_control/faults", self.url))
            .json(&faults)
            .send()
            .await
            .unwrap();
        assert_eq!(
            set.status(),
            StatusCode::OK,
            "{}",
            set.text().await.unwrap()
        );
    }

    /// The next event that the shop receives, checked as the shop checks it.
    async fn event(&mut self) -> stripe_webhook::Event {
        let (body, signature) = tokio::time::timeout(Duration::from_secs(5), self.told.recv())
            .await
            .expect("an event in time")
            .unwrap();
        Webhook::construct_event(&body, &signature, SECRET).unwrap()
    }

    async fn kinds(&mut self, count: usize) -> Vec<String> {
        let mut kinds = Vec::new();
        for _ in 0..count {
            kinds.push(self.event().await.type_.to_string());
        }
        kinds
    }

    async fn hears_nothing(&mut self) {
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert!(self.told.try_recv().is_err());
    }
}

async fn receive(State(shop): State<Shop>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
    shop.tell
        .send((String::from_utf8(body.to_vec()).unwrap(), signature))
        .unwrap();
    let answer = shop.answers.lock().await.pop().unwrap_or(200);
    StatusCode::from_u16(answer).unwrap()
}

fn order(unit_amount: i64, quantity: u64) -> CreateCheckoutSession {
    let product = ProductData {
        description: Some("Stoneware".into()),
        ..ProductData::new("Mug & saucer <b>")
    };
    let price = CreateCheckoutSessionLineItemsPriceData {
        currency: "usd".parse().unwrap(),
        product: None,
        product_data: Some(product),
        recurring: None,
        tax_behavior: None,
        unit_amount: Some(unit_amount),
        unit_amount_decimal: None,
    };
    let line = CreateCheckoutSessionLineItems {
        price_data: Some(price),
        quantity: Some(quantity),
        ..CreateCheckoutSessionLineItems::new()
    };
    let mut payment = CreateCheckoutSessionPaymentIntentData::new();
    payment.metadata = Some([("order".to_owned(), "ord_1".to_owned())].into());
    CreateCheckoutSession::new()
        .mode(CheckoutSessionMode::Payment)
        .line_items(vec![line])
        .client_reference_id("ord_1")
        .customer_email("ada@example.com")
        .metadata([
            ("order".to_owned(), "ord_1".to_owned()),
            ("attempt".to_owned(), "1".to_owned()),
            ("shop".to_owned(), "w".to_owned()),
        ])
        .payment_intent_data(payment)
        .success_url("https://shop.test/paid?session={CHECKOUT_SESSION_ID}")
        .cancel_url("https://shop.test/cart")
}

fn idempotent(key: &str) -> RequestStrategy {
    RequestStrategy::Idempotent(IdempotencyKey::new(key).unwrap())
}

fn refused(result: Result<CheckoutSession, StripeError>) -> (u16, stripe_shared::ApiErrors) {
    match result {
        Err(StripeError::Stripe(error, status)) => (status, *error),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_version_is_the_one_that_the_client_is_compiled_for() {
    assert_eq!(
        events::API_VERSION,
        stripe_shared::version::VERSION.as_str()
    );
}

#[tokio::test]
async fn a_session_is_created_paid_and_announced_as_the_real_client_understands_it() {
    let mut street = Street::open().await;
    let created = street.session().await;
    assert_eq!(created.amount_total, Some(2598));
    assert_eq!(
        created.url.as_deref(),
        Some(format!("{}/pay/{}", street.url, created.id).as_str())
    );
    assert!(created.payment_intent.is_none());

    assert_eq!(
        street
            .post(&format!("/_control/sessions/{}/pay", created.id))
            .await,
        StatusCode::OK
    );
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
                assert_eq!(
                    (intent.amount_received, intent.status.as_str()),
                    (2598, "succeeded")
                );
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
        .expand([
            "line_items".to_owned(),
            "payment_intent.latest_charge".to_owned(),
        ])
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
    assert_eq!(
        street.post(&format!("/pay/{}/decline", session.id)).await,
        StatusCode::SEE_OTHER
    );
    match street.event().await.data.object {
        EventObject::PaymentIntentPaymentFailed(intent) => {
            assert_eq!(
                intent.last_payment_error.unwrap().decline_code.as_deref(),
                Some("generic_decline")
            );
        }
        other => panic!("{other:?}"),
    }
    let page = street.page(&format!("/pay/{}", session.id)).await;
    assert!(
        page.contains("The card was declined") && page.contains("Pay USD 25.98"),
        "{page}"
    );
    assert_eq!(
        street.post(&format!("/pay/{}/pay", session.id)).await,
        StatusCode::SEE_OTHER
    );
    assert_eq!(street.kinds(3).await.len(), 3);
}

#[tokio::test]
async fn the_page_shows_the_shops_texts_as_text() {
    let street = Street::open().await;
    let session = street.session().await;
    let page = street.page(&format!("/pay/{}", session.id)).await;
    assert!(
        page.contains("Mug &amp; saucer &lt;b&gt;") && !page.contains("saucer <b>"),
        "{page}"
    );
    street.post(&format!("/pay/{}/pay", session.id)).await;
    let page = street.page(&format!("/pay/{}", session.id)).await;
    assert!(
        page.contains(&format!(
            "href=\"https://shop.test/paid?session={}\"",
            session.id
        )),
        "{page}"
    );
    let unknown = street
        .http
        .get(format!("{}/pay/cs_1", street.url))
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn of_two_clicks_that_race_one_pays() {
    let mut street = Street::open().await;
    let session = street.session().await;
    let path = format!("/pay/{}/pay", session.id);
    let clicks = futures_util::future::join_all(
        (0..8).map(|_| street.http.post(format!("{}{path}", street.url)).send()),
    )
    .await;
    let again = clicks.into_iter().filter(|click| {
        let to = click.as_ref().unwrap().headers()["location"]
            .to_str()
            .unwrap();
        to.ends_with("?again")
    });
    assert_eq!(again.count(), 7);
    assert_eq!(street.kinds(3).await.len(), 3);
    street.hears_nothing().await;
    assert!(
        street
            .page(&format!("/pay/{}?again", session.id))
            .await
            .contains("paid already")
    );
}

#[tokio::test]
async fn an_expired_session_cannot_be_paid_or_expired_again() {
    let mut street = Street::open().await;
    let client = street.client(KEY);
    let session = street.session().await;
    let expired = ExpireCheckoutSession::new(session.id.clone())
        .send(&client)
        .await
        .unwrap();
    assert_eq!(
        (expired.status, expired.url),
        (Some(CheckoutSessionStatus::Expired), None)
    );
    assert_eq!(street.kinds(1).await, ["checkout.session.expired"]);
    assert_eq!(
        street.post(&format!("/pay/{}/pay", session.id)).await,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        street
            .post(&format!("/_control/sessions/{}/pay", session.id))
            .await,
        StatusCode::CONFLICT
    );
    assert!(
        street
            .page(&format!("/pay/{}", session.id))
            .await
            .contains("expired")
    );
    let (status, error) = refused(
        ExpireCheckoutSession::new(session.id.clone())
            .send(&client)
            .await,
    );
    assert_eq!(status, 400);
    assert!(error.message.unwrap().contains("has a status of `expired`"));
    street.hears_nothing().await;
}

#[tokio::test]
async fn one_idempotency_key_makes_one_session() {
    let street = Street::open().await;
    let client = street.client(KEY);
    let first = order(1299, 2)
        .customize()
        .request_strategy(idempotent("ord_1/1"))
        .send(&client)
        .await
        .unwrap();
    // The client writes the metadata in another order each time: that is the same request.
    for _ in 0..5 {
        let again = order(1299, 2)
            .customize()
            .request_strategy(idempotent("ord_1/1"))
            .send(&client)
            .await
            .unwrap();
        assert_eq!(again.id, first.id);
    }
    let (status, error) = refused(
        order(1299, 3)
            .customize()
            .request_strategy(idempotent("ord_1/1"))
            .send(&client)
            .await,
    );
    assert_eq!((status, error.type_.as_str()), (400, "idempotency_error"));
    let refusal = order(1, 1)
        .customize()
        .request_strategy(idempotent("ord_2/1"))
        .send(&client)
        .await;
    assert_eq!(
        refused(refusal).1.code.unwrap().as_str(),
        "amount_too_small"
    );
    assert!(
        order(1299, 1)
            .customize()
            .request_strategy(idempotent("ord_2/1"))
            .send(&client)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn an_answer_that_is_given_again_says_so() {
    let street = Street::open().await;
    let body = "mode=payment&success_url=https://shop.test&line_items[0][quantity]=1&line_items[0][price_data][currency]=jpy&line_items[0][price_data][unit_amount]=500&line_items[0][price_data][product_data][name]=Tea";
    let ask = || async {
        let request = street
            .http
            .post(format!("{}/v1/checkout/sessions", street.url))
            .bearer_auth(KEY)
            .header("idempotency-key", "k");
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap()
    };
    let first = ask().await;
    assert_eq!(first.status(), StatusCode::OK);
    assert!(!first.headers().contains_key("idempotent-replayed"));
    let second = ask().await;
    assert_eq!(second.headers()["idempotent-replayed"], "true");
    assert_eq!(
        second.headers()["original-request"],
        first.headers()["request-id"]
    );
    assert_eq!(second.headers()["stripe-version"], events::API_VERSION);
    assert_eq!(first.text().await.unwrap(), second.text().await.unwrap());
}

#[tokio::test]
async fn calls_without_the_right_key_and_unknown_routes_are_refused_in_stripes_shape() {
    let street = Street::open().await;
    let (status, error) = refused(order(1299, 2).send(&street.client("sk_test_other")).await);
    assert_eq!(
        (status, error.type_.as_str()),
        (401, "invalid_request_error")
    );
    let read = RetrieveCheckoutSession::new("cs_test_unknown")
        .send(&street.client(KEY))
        .await;
    let (status, error) = refused(read);
    assert_eq!(
        (status, error.code.unwrap().as_str()),
        (404, "resource_missing")
    );
    for (method, path, key, status) in [
        ("GET", "/v1/balance", Some(KEY), 404),
        ("DELETE", "/v1/checkout/sessions", Some(KEY), 404),
        ("GET", "/v1/payment_intents/pi_1", None, 401),
        ("GET", "/elsewhere", None, 404),
    ] {
        let mut request = street
            .http
            .request(method.parse().unwrap(), format!("{}{path}", street.url));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        let body: Value = answer.json().await.unwrap();
        assert!(body["error"]["message"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn a_lost_reply_is_found_again_by_its_key() {
    let folder = std::env::temp_dir().join(objects::new_id("waybill-stripe-", 12));
    let sessions = || std::fs::read_dir(folder.join("stripe")).unwrap().count();
    let street = Street::with_store(Some(folder.clone())).await;
    let client = street.client(KEY);
    street.faults(json!({ "lose_reply_next": 1 })).await;
    let lost = order(1299, 2)
        .customize()
        .request_strategy(idempotent("k"))
        .send(&client)
        .await;
    assert!(
        matches!(lost, Err(ref error) if !matches!(error, StripeError::Stripe(..))),
        "{lost:?}"
    );
    assert_eq!(sessions(), 1);
    assert!(
        order(1299, 2)
            .customize()
            .request_strategy(idempotent("k"))
            .send(&client)
            .await
            .is_ok()
    );
    assert_eq!(sessions(), 1);

    street.faults(json!({ "fail_next": 1 })).await;
    assert_eq!(refused(order(1299, 2).send(&client).await).0, 500);
    assert_eq!(sessions(), 1);
    assert!(order(1299, 2).send(&client).await.is_ok());
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn held_events_come_in_reverse_and_twice_when_asked_for() {
    let mut street = Street::open().await;
    let session = street.session().await;
    street
        .faults(json!({ "hold": true, "reorder": true }))
        .await;
    street
        .post(&format!("/_control/sessions/{}/pay", session.id))
        .await;
    street.hears_nothing().await;
    street.faults(json!({ "hold": false })).await;
    assert_eq!(
        street.kinds(3).await,
        [
            "checkout.session.completed",
            "charge.succeeded",
            "payment_intent.succeeded"
        ]
    );

    street
        .faults(json!({ "reorder": false, "duplicate": true }))
        .await;
    let events: Value = serde_json::from_str(&street.page("/_control/events").await).unwrap();
    let id = events["events"][0]["id"].as_str().unwrap();
    assert_eq!(
        street
            .post(&format!("/_control/events/{id}/redeliver"))
            .await,
        StatusCode::ACCEPTED
    );
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
    street
        .post(&format!("/_control/sessions/{}/decline", session.id))
        .await;
    let ids: Vec<_> = [
        street.event().await.id,
        street.event().await.id,
        street.event().await.id,
    ]
    .into();
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
    street
        .post(&format!("/_control/sessions/{}/pay", session.id))
        .await;
    let (url, http) = (street.url.clone(), street.http.clone());
    street.stand_in.stop().await;
    assert!(
        http.get(format!("{url}/events")).send().await.is_err(),
        "the port is free again"
    );

    let mut street = Street::with_store(Some(folder.clone())).await;
    assert_eq!(street.kinds(3).await.len(), 3);
    let read = RetrieveCheckoutSession::new(session.id)
        .send(&street.client(KEY))
        .await
        .unwrap();
    assert_eq!(read.status, Some(CheckoutSessionStatus::Complete));
    street.stand_in.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}
