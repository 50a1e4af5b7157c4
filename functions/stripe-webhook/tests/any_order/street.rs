//! Where the stories happen: a stand-in Stripe that tells nobody by itself, and shops that are all at the same moment, each
//! with a table of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::{Body, to_bytes};
use dynoxide::{Database, ImportOptions};
use http::Request;
use payments::{Capture, Stripe};
use serde_json::{Value, json};
use stock::work::{Work, act};
use stripe_webhook_function::{App, routes};
use tokio::net::TcpListener;
use tower::ServiceExt;
use waybill_aws::Client;
use waybill_domain::cart::{CartLine, Quote};
use waybill_domain::id::OrderId;
use waybill_domain::message::{Actor, Event, Message, RefundMessage};
use waybill_domain::order::refund::{Cause, Outcome, RefundStatus};
use waybill_domain::order::{self, Command, FulfilmentStatus, Order, PaymentSession, PaymentStatus};
use waybill_domain::product::ProductState;
use waybill_lambda::clock;
use waybill_local::stripe::{Settings, StandIn, start};
use waybill_local::template::Template;
use waybill_storage::Table;
use waybill_storage::carts::NewCart;

use crate::goods::{address, at, goods, quote};

const KEY: &str = "sk_test_street";
const SECRET: &str = "whsec_street";

pub struct Street {
    database: Database,
    client: Client,
    /// CreateTable, as the template has it.
    definition: Value,
    tables: AtomicU32,
    stripe: Stripe,
    url: String,
    http: reqwest::Client,
    _stand_in: StandIn,
    /// As every shop has placed it.
    pub order: Order,
    quote: Quote,
}

/// A refund: why, how many cents, and what became of it.
pub type Refunded = (Cause, i64, RefundStatus);

/// How a story ends.
#[derive(Debug, PartialEq)]
pub struct Ending {
    pub payment: PaymentStatus,
    pub fulfilment: FulfilmentStatus,
    pub refunds: Vec<Refunded>,
    /// On hand, reserved, available.
    pub stock: (i64, i64, i64),
}

pub struct Shop {
    database: Database,
    name: String,
    table: Table,
    stripe: Stripe,
    webhook: Router,
    order: OrderId,
}

impl Street {
    pub async fn open() -> Street {
        Street::with(Capture::Automatic).await
    }

    /// A street whose shops capture payments so.
    pub async fn with(capture: Capture) -> Street {
        let database = Database::memory().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
        let template = waybill_local::workspace().join("template.yaml");
        let template = Template::read(&template, &BTreeMap::new(), &endpoint).unwrap();
        let mut definition = template.tables[0].create.clone();
        // The embedded engine looks at the whole stream before each write.
        definition.as_object_mut().unwrap().remove("StreamSpecification");

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let settings = Settings {
            secret_key: KEY.into(),
            webhook_secret: SECRET.into(),
            webhook_url: "http://127.0.0.1:9/".into(),
            store: None,
            public_url: url.clone(),
        };
        let stand_in = start(listener, settings).unwrap();
        let quote = quote();
        let id = OrderId::for_placement(quote.buyer, &"key".parse().unwrap());
        let email = "ann@example.com".parse().unwrap();
        let order = order::place(id, quote.clone(), email, address(), Actor::Customer, at(0));
        let street = Street {
            database,
            client: Client::of_stand_in("dynamodb", &endpoint),
            definition,
            tables: AtomicU32::new(0),
            stripe: Stripe::new(KEY, &format!("{url}/"), "https://shop.example").unwrap().with_capture(capture),
            url,
            http: reqwest::Client::new(),
            _stand_in: stand_in,
            order,
            quote,
        };
        street.faults("hold").await;
        street
    }

    /// The page of an attempt to pay the order.
    pub async fn page(&self, attempt: u32) -> PaymentSession {
        let page = self.stripe.open_page(&self.order, attempt, None).await.unwrap();
        Stripe::page_of(&self.order, page).unwrap()
    }

    /// Has the stand-in do something.
    pub async fn stripe(&self, control: &str) -> Value {
        self.control(control, json!({})).await
    }

    pub async fn faults(&self, fault: &str) {
        self.control("faults", json!({ fault: true })).await;
    }

    /// A refund as somebody makes it in the dashboard; its id.
    pub async fn refund(&self, page: &PaymentSession, cents: i64) -> String {
        let made = self.control(&format!("sessions/{}/refund", page.id()), json!({ "amount": cents })).await;
        made["refunds"][0]["id"].as_str().unwrap().to_owned()
    }

    /// The buyer's bank takes so much of a payment, and decides for the buyer after the shop has answered.
    pub async fn lose_dispute(&self, page: &PaymentSession, cents: i64) {
        let path = format!("sessions/{}/disputes", page.id());
        let made = self.control(&path, json!({ "amount": cents, "status": "needs_response" })).await;
        let dispute = made["disputes"][0]["id"].as_str().unwrap().to_owned();
        for status in ["under_review", "lost"] {
            self.control(&format!("{path}/{dispute}"), json!({ "status": status })).await;
        }
    }

    /// The refund that the order is due after these commands, made as the queue makes it; its id.
    pub async fn refund_own(&self, commands: &[Command], intent: &str) -> String {
        let decide = |order: Order, command: &Command| order.decide(command.clone(), Actor::Stripe, at(1)).unwrap();
        let order = commands.iter().fold(self.order.clone(), decide);
        let due = order.refunds_due().next().unwrap().1;
        let outcome: Option<Outcome> = self.stripe.refund(order.id, intent, due, at(1)).await.unwrap();
        assert_eq!(outcome, None, "the bank takes its time");
        let told = self.told().await;
        by("refund.created", &told)[0]["data"]["object"]["id"].as_str().unwrap().to_owned()
    }

    /// The payment on a page.
    pub async fn intent(&self, page: &PaymentSession) -> String {
        let told = self.told().await;
        let completed = by("checkout.session.completed", &told);
        let of_page = completed.iter().map(|event| &event["data"]["object"]).find(|session| session["id"] == page.id());
        of_page.unwrap()["payment_intent"].as_str().unwrap().to_owned()
    }

    /// All events so far, as Stripe sends them, the oldest first.
    pub async fn told(&self) -> Vec<Value> {
        let answer = self.http.get(format!("{}/_control/events", self.url)).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["events"].as_array().unwrap().iter().map(|event| event["body"].clone()).collect()
    }

    async fn control(&self, control: &str, body: Value) -> Value {
        let answer = self.http.post(format!("{}/_control/{control}", self.url)).json(&body).send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{control}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// A shop whose order was placed, and then changed so.
    pub async fn first_shop(&self, before: &[Command]) -> Shop {
        let shop = self.empty_shop();
        let (category, listing) = goods();
        shop.table.create_category(&category).await.unwrap();
        shop.table.create_product(&listing, Actor::Shop).await.unwrap();
        let line = &self.quote.lines[0];
        let in_cart = CartLine { product_id: line.product_id, quantity: line.quantity, price: None };
        let fresh = NewCart { id: self.quote.cart_id, currency: self.order.total.currency, now: at(0) };
        shop.table.set_cart_line(self.quote.buyer, &line.sku, in_cart, fresh).await.unwrap();
        shop.table.place_order(&self.order, &self.quote, "fingerprint").await.unwrap();
        for command in before {
            let decide = |order: &Order| order.decide(command.clone(), Actor::Customer, at(1));
            shop.table.change_order(self.order.id, None, decide).await.unwrap();
        }
        shop
    }

    /// Another, with a copy of every item of its table.
    pub fn shop_like(&self, first: &Shop) -> Shop {
        let shop = self.empty_shop();
        let scan = serde_json::from_value(json!({ "TableName": first.name })).unwrap();
        let items = self.database.scan(scan).unwrap().items.unwrap();
        self.database.import_items(&shop.name, items, ImportOptions::default()).unwrap();
        shop
    }

    fn empty_shop(&self) -> Shop {
        let name = format!("shop-{}", self.tables.fetch_add(1, Ordering::Relaxed));
        let mut definition = self.definition.clone();
        definition["TableName"] = json!(name);
        self.database.create_table(serde_json::from_value(definition).unwrap()).unwrap();
        let (table, stripe) = (Table::new(self.client.clone(), &name), self.stripe.clone());
        let app = App { table: table.clone(), stripe: stripe.clone(), secret: SECRET.into() };
        Shop { database: self.database.clone(), name, table, stripe, webhook: routes(app), order: self.order.id }
    }
}

/// The engine takes longer over each write, the more tables it has.
impl Drop for Shop {
    fn drop(&mut self) {
        let request = serde_json::from_value(json!({ "TableName": self.name })).unwrap();
        self.database.delete_table(request).unwrap();
    }
}

impl Shop {
    /// A signed request, which has to be taken.
    pub async fn deliver(&self, event: &Value) {
        let (body, now) = (serde_json::to_string_pretty(event).unwrap(), clock::now().as_second());
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let mac = hex::encode(hmac::sign(&key, format!("{now}.{body}").as_bytes()));
        let request = Request::post("/v1/stripe/events").header("Stripe-Signature", format!("t={now},v1={mac}"));
        let answer = self.webhook.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = answer.status();
        let answer = to_bytes(answer.into_body(), 10_000).await.unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    }

    /// What the queues bring of the order's changes.
    pub async fn bring_messages(&self) {
        let order = self.table.order(self.order).await.unwrap().unwrap();
        for entries in 1..=order.timeline.len() {
            let then = Order { timeline: order.timeline[..entries].to_vec(), ..order.clone() };
            let message = Message::latest(&then).unwrap();
            act(&self.table, Work::Order(Box::new(message)), at(2)).await.unwrap();
            if let Some(due) = RefundMessage::latest(&then) {
                payments::work::refund(&self.table, &self.stripe, due, at(2)).await.unwrap();
            }
        }
    }

    /// What has become of the order, and how; without the times.
    pub async fn way(&self) -> (Vec<Event>, PaymentStatus, FulfilmentStatus, Vec<Refunded>) {
        let order = self.table.order(self.order).await.unwrap().unwrap();
        let events = order.timeline.iter().map(|entry| entry.event.clone()).collect();
        (events, order.payment_status(), order.fulfilment_status(), refunds(&order))
    }

    /// How it ended; the stock has to be what its ledger says.
    pub async fn ending(&self) -> Ending {
        let order = self.table.order(self.order).await.unwrap().unwrap();
        let stock = self.table.stock(&order.lines[0].sku).await.unwrap().unwrap().stock;
        let audit = self.table.audit(ProductState::Active, None, 10).await.unwrap();
        assert_eq!((audit.skus, audit.findings), (1, vec![]));
        Ending {
            payment: order.payment_status(),
            fulfilment: order.fulfilment_status(),
            refunds: refunds(&order),
            stock: (stock.total(), stock.reserved(), stock.available.try_into().unwrap()),
        }
    }
}

fn refunds(order: &Order) -> Vec<Refunded> {
    let refunds = order.state.payment().map(|payment| payment.refunds.as_slice()).unwrap_or_default();
    refunds.iter().map(|refund| (refund.cause.clone(), refund.amount.amount, refund.state.status())).collect()
}

/// The events of a kind, the oldest first.
pub fn by(kind: &str, told: &[Value]) -> Vec<Value> {
    told.iter().filter(|event| event["type"] == kind).cloned().collect()
}
