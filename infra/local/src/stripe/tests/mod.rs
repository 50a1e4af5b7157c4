//! The stand-in as its users meet it: the real Stripe client, the real webhook check, a browser.

mod calls;
mod deliveries;
mod paying;

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
    CreateCheckoutSessionPaymentIntentData, ExpireCheckoutSession, ProductData, RetrieveCheckoutSession,
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
        let router =
            Router::new().route("/v1/stripe/events", post(receive)).with_state(Shop { tell, answers: answers.clone() });
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
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Street { url, http, told, answers, stand_in }
    }

    fn client(&self, key: &str) -> Client {
        ClientBuilder::new(key).url(format!("{}/", self.url)).build().unwrap()
    }

    async fn session(&self) -> CheckoutSession {
        order(1299, 2).send(&self.client(KEY)).await.unwrap()
    }

    async fn post(&self, path: &str) -> StatusCode {
        self.http.post(format!("{}{path}", self.url)).send().await.unwrap().status()
    }

    async fn page(&self, path: &str) -> String {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap().text().await.unwrap()
    }

    async fn faults(&self, faults: Value) {
        let set = self.http.post(format!("{}/_control/faults", self.url)).json(&faults).send().await.unwrap();
        assert_eq!(set.status(), StatusCode::OK, "{}", set.text().await.unwrap());
    }

    /// The next event that the shop receives, checked as the shop checks it.
    async fn event(&mut self) -> stripe_webhook::Event {
        let (body, signature) =
            tokio::time::timeout(Duration::from_secs(5), self.told.recv()).await.expect("an event in time").unwrap();
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
    shop.tell.send((String::from_utf8(body.to_vec()).unwrap(), signature)).unwrap();
    let answer = shop.answers.lock().await.pop().unwrap_or(200);
    StatusCode::from_u16(answer).unwrap()
}

fn order(unit_amount: i64, quantity: u64) -> CreateCheckoutSession {
    let product = ProductData { description: Some("Stoneware".into()), ..ProductData::new("Mug & saucer <b>") };
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
