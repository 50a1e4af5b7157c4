//! A shop that a test has for itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use uuid::Uuid;
use waybill_local::access::Use;
use waybill_local::meter::Usage;
use waybill_local::{Addresses, Faults, Options, Payments, Ports, Shop, Store, build_functions, workspace};

use crate::deployed::{self, Deployed};
use crate::people::{Answer, Person};

/// Of everybody who is not given another.
pub const PASSWORD: &str = "correct horse";

/// The engine looks at who signs, and at nothing else of it.
const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, \
    SignedHeaders=host;x-amz-date, Signature=0";

pub struct TestShop {
    place: Place,
    http: reqwest::Client,
    administrator: OnceCell<Person>,
    logs: Arc<Mutex<Vec<String>>>,
}

/// Where the shop is open.
enum Place {
    Local(Box<Shop>),
    Deployed(Box<Deployed>),
}

/// The function binaries, built once for all tests of a run.
fn binaries() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build_functions().expect("the functions build")).clone()
}

impl TestShop {
    /// An empty shop in memory, on ports that are free; or the deployed one that `WAYBILL_STACK` names, emptied.
    pub async fn open() -> TestShop {
        if deployed::is_wanted() {
            return TestShop::at(Place::Deployed(Box::new(Deployed::open().await)), Arc::default());
        }
        Self::open_with(|_| {}).await
    }

    fn at(place: Place, logs: Arc<Mutex<Vec<String>>>) -> TestShop {
        TestShop { place, http: reqwest::Client::new(), administrator: OnceCell::new(), logs }
    }

    /// An empty shop of infra/local's, with options changed.
    pub async fn open_with(change: impl FnOnce(&mut Options)) -> TestShop {
        let binaries = tokio::task::spawn_blocking(binaries).await.unwrap();
        let logs = Arc::new(Mutex::new(Vec::new()));
        let (lines, reports) = (logs.clone(), logs.clone());
        let mut options = Options {
            template: workspace().join("template.yaml"),
            binaries,
            store: Store::Memory,
            ports: Ports::default(),
            // Tests come from one address, and often; those about limits set their own.
            parameters: [
                ("RateLimits", "*=1000000/60"),
                ("SearchSeconds", "0"),
                ("PricingSeconds", "0"),
                ("WebhookSeconds", "0"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            payments: Payments::StandIn,
            workers_per_function: 4,
            holds_to_roles: true,
            logs: Arc::new(move |function, line| {
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{function}: {line}"));
            }),
            report: Arc::new(move |line| reports.lock().unwrap_or_else(PoisonError::into_inner).push(line)),
        };
        change(&mut options);
        let shop = Shop::start(options).await.unwrap();
        TestShop::at(Place::Local(Box::new(shop)), logs)
    }

    pub fn addresses(&self) -> &Addresses {
        match &self.place {
            Place::Local(shop) => shop.addresses(),
            Place::Deployed(deployed) => deployed.addresses(),
        }
    }

    /// The permissions that infra/local's functions have used so far.
    pub fn permissions_used(&self) -> BTreeSet<Use> {
        match &self.place {
            Place::Local(shop) => shop.permissions_used(),
            Place::Deployed(_) => panic!("an endpoint does not tell what was called"),
        }
    }

    /// What infra/local's functions have used since this was asked before; the first time nothing.
    pub fn used(&self) -> Usage {
        match &self.place {
            Place::Local(shop) => shop.used(),
            Place::Deployed(_) => panic!("an endpoint does not tell what was called"),
        }
    }

    /// From now on this goes wrong between infra/local's functions and the table, or nothing.
    pub fn set_faults(&self, faults: Option<Faults>) {
        match &self.place {
            Place::Local(shop) => shop.set_faults(faults),
            Place::Deployed(_) => panic!("an endpoint cannot be broken"),
        }
    }

    /// Invokes a function of infra/local's.
    pub async fn invoke(&self, function: &str, event: Value) -> Value {
        match &self.place {
            Place::Local(shop) => shop.invoke(function, &event).await.unwrap_or_else(|error| panic!("{error}")),
            Place::Deployed(_) => panic!("only functions of infra/local are invoked by hand"),
        }
    }

    /// A secret of the template, as functions get it.
    pub async fn secret(&self, name: &str) -> String {
        match &self.place {
            Place::Local(shop) => shop.secret(name).unwrap_or_else(|| panic!("there is no secret {name}")),
            Place::Deployed(deployed) => deployed.secret(name).await,
        }
    }

    /// Every item of the table and its indexes, as text.
    pub async fn items(&self) -> String {
        let mut items = String::new();
        for index in [json!({}), json!({ "IndexName": "gsi1" }), json!({ "IndexName": "gsi2" })] {
            let found = self.scan(index).await;
            assert!(found["Items"].is_array() && found["LastEvaluatedKey"].is_null(), "not all: {found}");
            items += &found["Items"].to_string();
        }
        items
    }

    async fn scan(&self, scan: Value) -> Value {
        if let Place::Deployed(deployed) = &self.place {
            return deployed.scan(scan).await;
        }
        self.dynamodb("Scan", scan).await
    }

    /// Asks infra/local's table by hand.
    pub async fn dynamodb(&self, operation: &str, mut asked: Value) -> Value {
        asked["TableName"] = json!("Table");
        let request = self
            .http
            .post(&self.addresses().dynamodb)
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("x-amz-date", "20260101T000000Z")
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", SIGNATURE);
        request.body(asked.to_string()).send().await.unwrap().json().await.unwrap()
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Every line that the functions have logged so far.
    pub fn logs(&self) -> Vec<String> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub async fn stop(self) {
        match self.place {
            Place::Local(shop) => shop.stop().await,
            Place::Deployed(deployed) => deployed.stop().await,
        }
    }

    /// Nobody: requests without a token.
    pub fn anyone(&self) -> Person {
        Person::new(self.http.clone(), self.addresses().api.clone())
    }

    /// A customer who has just signed up, under an address of their own.
    pub async fn customer(&self) -> Person {
        self.sign_up(&format!("{}@example.com", Uuid::new_v4().simple()), PASSWORD).await
    }

    /// Somebody who signs up with this address and password, and follows the link in the mail.
    pub async fn sign_up(&self, email: &str, password: &str) -> Person {
        let before = self.tokens_mailed_to(email, "confirm-sign-up").await.len();
        let asked = self.anyone().post("/v1/accounts", json!({ "email": email, "password": password })).await;
        assert_eq!(asked.status, 202, "{}", asked.body);
        let token = self.token_after(email, "confirm-sign-up", before).await;
        let body = json!({ "token": token, "password": password });
        let signed_up = self.anyone().post("/v1/accounts/confirm", body).await;
        assert_eq!(signed_up.status, 201, "{}", signed_up.body);
        self.anyone().with_tokens(&signed_up)
    }

    /// The token in the newest link of its kind to an address, once there is one.
    pub async fn token_mailed_to(&self, email: &str, kind: &str) -> String {
        self.token_after(email, kind, 0).await
    }

    /// The same, once there are more than so many.
    async fn token_after(&self, email: &str, kind: &str, count: usize) -> String {
        let find = async || self.tokens_mailed_to(email, kind).await.get(count..)?.last().cloned();
        eventually(&format!("a mail with a link to {kind}"), find).await
    }

    /// The tokens in all links of a kind to an address, the oldest first.
    async fn tokens_mailed_to(&self, email: &str, kind: &str) -> Vec<String> {
        let start = format!("/account/{kind}#token=");
        let mails = self.mails_to(email).await;
        let links = mails.iter().filter_map(|mail| mail["text"].as_str()?.split_once(&start));
        links.filter_map(|(_, rest)| rest.split_whitespace().next()).map(ToOwned::to_owned).collect()
    }

    /// The first administrator, made by the command, with a second factor.
    pub async fn administrator(&self) -> &Person {
        let log_in = || async {
            let email = "admin@example.com";
            match &self.place {
                Place::Local(shop) => shop.make_administrator(email, PASSWORD).await.unwrap(),
                Place::Deployed(deployed) => deployed.make_administrator(email, PASSWORD).await,
            }
            let logged_in = self.anyone().post("/v1/sessions", json!({ "email": email, "password": PASSWORD })).await;
            assert_eq!(logged_in.status, 201, "{}", logged_in.body);
            self.anyone().with_tokens(&logged_in).set_up_totp().await.0
        };
        self.administrator.get_or_init(log_in).await
    }

    /// Somebody new whom the administrator has given a role, with a second factor.
    pub async fn staff(&self, role: &str) -> Person {
        self.member(role).await.0
    }

    /// As `staff`, with the secret of the second factor.
    pub async fn member(&self, role: &str) -> (Person, String) {
        let person = self.customer().await;
        let path = format!("/v1/admin/accounts/{}/role", person.id);
        let given = self.administrator().await.put(&path, json!({ "role": role })).await;
        assert_eq!(given.status, 200, "{}", given.body);
        person.set_up_totp().await
    }

    /// A category of a new slug; its id.
    pub async fn category(&self) -> String {
        let slug = format!("c{}", Uuid::new_v4().simple());
        let body = json!({ "slug": slug, "title": "Tea", "description": "Leaves" });
        let made = self.administrator().await.post("/v1/admin/categories", body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.text("/id")
    }

    /// A product with one SKU at this price in cents, and this many of it.
    pub async fn product(&self, sku: &str, cents: i64, stock: i64) -> Answer {
        let category = self.category().await;
        self.product_in(&category, &[(sku, cents, stock)]).await
    }

    pub async fn product_in(&self, category: &str, skus: &[(&str, i64, i64)]) -> Answer {
        let skus: Vec<Value> = skus
            .iter()
            .map(|(sku, cents, stock)| {
                json!({ "sku": sku, "variant": format!("variant {sku}"), "prices": [{ "amount": cents, "currency": "USD" }], "stock": stock })
            })
            .collect();
        let slug = format!("p{}", Uuid::new_v4().simple());
        let body = json!({ "slug": slug, "title": "A product", "description": "Fine.", "category_ids": [category], "skus": skus });
        let made = self.administrator().await.post("/v1/admin/products", body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made
    }

    /// How many of a SKU can still be ordered.
    pub async fn available(&self, product: &str, sku: &str) -> i64 {
        let page = self.anyone().get(&format!("/v1/products/{product}")).await;
        let skus = page.body["skus"].as_array().cloned().unwrap_or_default();
        let offer = skus.iter().find(|offer| offer["sku"] == sku).unwrap_or_else(|| panic!("no {sku}: {}", page.body));
        offer["available"].as_i64().unwrap()
    }

    /// An order by a new customer, with its page at Stripe open: the customer, the order's id, the session's id.
    pub async fn order_to_pay(&self, sku: &str) -> (Person, String, String) {
        let customer = self.customer().await;
        let order = customer.order(&[(sku, 1)]).await.text("/id");
        let session = customer.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await;
        assert_eq!(session.status, 201, "{}", session.body);
        (customer, order, session.text("/id"))
    }

    /// Calls SQS about a queue of the template.
    pub async fn sqs(&self, action: &str, queue: &str, more: Value) -> Value {
        if let Place::Deployed(deployed) = &self.place {
            return deployed.sqs(action, queue, more).await;
        }
        let mut body = json!({ "QueueUrl": format!("{}/000000000000/{queue}", self.addresses().aws) });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let request = self.http.post(&self.addresses().aws).header("x-amz-target", format!("AmazonSQS.{action}"));
        let request = request.header("content-type", "application/x-amz-json-1.0").body(body.to_string());
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Tells the stand-in Stripe to do something: `sessions/{id}/pay`, `faults`…
    pub async fn stripe(&self, control: &str, body: Value) -> Answer {
        let url = format!("{}/_control/{control}", self.addresses().stripe.as_deref().unwrap());
        Answer::of(self.http.post(url).json(&body).send().await.unwrap()).await
    }

    /// A page for an order that the shop itself has not made, over this many cents and with `more` of Stripe's parameters; its id.
    pub async fn page_at_stripe(&self, order: &str, cents: i64, more: &[(&str, &str)]) -> String {
        let cents = cents.to_string();
        let form = [
            ("mode", "payment"),
            ("line_items[0][price_data][currency]", "usd"),
            ("line_items[0][price_data][unit_amount]", &cents),
            ("line_items[0][price_data][product_data][name]", "Tea"),
            ("line_items[0][quantity]", "1"),
            ("success_url", "https://shop.example.com"),
            ("client_reference_id", order),
            ("payment_intent_data[metadata][order_id]", order),
        ];
        let form: Vec<_> = form.iter().chain(more).copied().collect();
        let answer = self.at_stripe(Method::POST, "checkout/sessions", &form).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.text("/id")
    }

    /// Calls Stripe's API as somebody with the shop's key does.
    pub async fn at_stripe(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Answer {
        let form: Vec<_> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let url = format!("{}/v1/{path}", self.addresses().stripe.as_deref().unwrap());
        let request = self.http.request(method, url).header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("authorization", format!("Bearer {}", self.secret("StripeApiKey").await));
        Answer::of(request.body(form.join("&")).send().await.unwrap()).await
    }

    /// Brings an event as Stripe does, signed at this moment.
    pub async fn deliver(&self, event: &Value) -> Answer {
        let (body, secret) = (event.to_string(), self.secret("StripeWebhookKey").await);
        let signature = crate::sign(&secret, waybill_lambda::clock::now().as_second(), &body);
        let request = self.http.post(format!("{}/v1/stripe/events", self.addresses().api));
        Answer::of(request.header("stripe-signature", signature).body(body).send().await.unwrap()).await
    }

    /// Every event that the stand-in Stripe has made, the oldest first, with the story of its delivery.
    pub async fn stripe_events(&self) -> Vec<Value> {
        let url = format!("{}/_control/events", self.addresses().stripe.as_deref().unwrap());
        let answer = Answer::of(self.http.get(url).send().await.unwrap()).await;
        answer.body["events"].as_array().cloned().unwrap_or_else(|| panic!("{}", answer.body))
    }

    /// The mails to one address that are about an order, the oldest first.
    pub async fn order_mails_to(&self, email: &str) -> Vec<Value> {
        let mut mails = self.mails_to(email).await;
        mails.retain(|mail| mail["text"].as_str().is_some_and(|text| text.contains("/orders/ord_")));
        mails
    }

    /// The mails to one address, the oldest first.
    pub async fn mails_to(&self, email: &str) -> Vec<Value> {
        if let Place::Deployed(deployed) = &self.place {
            return deployed.mails_to(email).await;
        }
        let url = format!("{}/api/mails?to={email}", self.addresses().mail);
        let answer = Answer::of(self.http.get(url).send().await.unwrap()).await;
        let mut mails = answer.body["items"].as_array().cloned().unwrap_or_else(|| panic!("{}", answer.body));
        mails.reverse();
        mails
    }
}

/// Waits until `look` finds something, for 20 seconds at most.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    for _ in 0..400 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("this did not come about: {what}");
}
