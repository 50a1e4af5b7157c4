//! What a client does in the shop.

#![expect(clippy::disallowed_methods, reason = "a client makes its idempotency keys itself")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Clone, Copy)]
pub enum Step {
    List,
    Search,
    Product,
    Put,
    Place,
    StartPayment,
    Pay,
    OwnOrders,
    StaffOrders,
}

impl Step {
    pub fn name(self) -> &'static str {
        match self {
            Step::List => "20 products",
            Step::Search => "a search",
            Step::Product => "a product",
            Step::Put => "cart line",
            Step::Place => "place an order",
            Step::StartPayment => "start a payment",
            Step::Pay => "pay",
            Step::OwnOrders => "own orders",
            Step::StaffOrders => "staff's orders",
        }
    }

    /// Whether something else comes before each: its time is not counted, but its processor time can't be told apart.
    pub fn is_prepared(self) -> bool {
        matches!(self, Step::Place | Step::StartPayment | Step::Pay)
    }
}

/// What there is to buy.
pub struct Sold {
    products: Vec<String>,
    skus: Vec<String>,
}

pub struct Client {
    http: reqwest::Client,
    api: String,
    stripe: String,
    customer: String,
    staff: String,
    sold: Arc<Sold>,
    /// Of the next product to look at.
    next: usize,
    /// Of the SKU to buy, always the same: a cart takes so many different ones only.
    bought: usize,
}

/// What was not answered as it should be, and what was answered instead.
#[derive(Debug)]
pub struct Refused(pub String);

impl Client {
    pub fn new(api: &str, stripe: &str, customer: &str, staff: &str, sold: Arc<Sold>) -> Client {
        let [api, stripe, customer, staff] = [api, stripe, customer, staff].map(str::to_owned);
        let next = Uuid::new_v4().as_u128() as usize % sold.products.len();
        Client { http: reqwest::Client::new(), api, stripe, customer, staff, sold, next, bought: next }
    }

    /// How long the step took, without what has to come before it.
    pub async fn act(&mut self, step: Step) -> Result<Duration, Refused> {
        self.next = (self.next + 1) % self.sold.products.len();
        match step {
            Step::List => self.timed(self.get("/v1/products?limit=20")).await,
            Step::Search => self.timed(self.get("/v1/products?q=tea&limit=20")).await,
            Step::Product => self.timed(self.get(&format!("/v1/products/{}", self.sold.products[self.next]))).await,
            Step::Put => self.timed(self.put()).await,
            Step::OwnOrders => self.timed(self.get("/v1/orders?limit=20").bearer_auth(&self.customer)).await,
            Step::StaffOrders => self.timed(self.get("/v1/admin/orders?limit=20").bearer_auth(&self.staff)).await,
            Step::Place => {
                let quote = self.quote().await?;
                self.timed(self.place(&quote)).await
            }
            Step::StartPayment => {
                let order = self.order().await?;
                self.timed(self.start_payment(&order)).await
            }
            Step::Pay => {
                let order = self.order().await?;
                let session = text(answer(self.start_payment(&order)).await?, "id")?;
                let page = format!("{}/_control/sessions/{session}/pay", self.stripe);
                self.timed(self.http.post(page).json(&json!({}))).await
            }
        }
    }

    async fn timed(&self, request: RequestBuilder) -> Result<Duration, Refused> {
        let begin = Instant::now();
        answer(request).await?;
        Ok(begin.elapsed())
    }

    async fn quote(&self) -> Result<String, Refused> {
        text(answer(self.put()).await?, "quote")
    }

    async fn order(&self) -> Result<String, Refused> {
        let quote = self.quote().await?;
        text(answer(self.place(&quote)).await?, "id")
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.api))
    }

    fn put(&self) -> RequestBuilder {
        let url = format!("{}/v1/cart/lines/{}", self.api, self.sold.skus[self.bought]);
        self.http.put(url).bearer_auth(&self.customer).json(&json!({ "quantity": 1 }))
    }

    fn place(&self, quote: &str) -> RequestBuilder {
        let address = json!({ "name": "Ann Example", "line1": "1 Main St", "city": "Springfield", "postal_code": "62701", "country": "US" });
        let request = self.http.post(format!("{}/v1/orders", self.api)).bearer_auth(&self.customer);
        let request = request.header("idempotency-key", Uuid::new_v4().to_string());
        request.json(&json!({ "quote": quote, "shipping_address": address }))
    }

    fn start_payment(&self, order: &str) -> RequestBuilder {
        let url = format!("{}/v1/orders/{order}/payment-sessions", self.api);
        self.http.post(url).bearer_auth(&self.customer).json(&json!({}))
    }
}

async fn answer(request: RequestBuilder) -> Result<Value, Refused> {
    let broken = |error: reqwest::Error| Refused(error.to_string());
    let answer = request.send().await.map_err(broken)?;
    let well = answer.status().is_success();
    let body = answer.text().await.map_err(broken)?;
    if well { Ok(serde_json::from_str(&body).unwrap_or_default()) } else { Err(Refused(body)) }
}

fn text(value: Value, name: &str) -> Result<String, Refused> {
    value[name].as_str().map(str::to_owned).ok_or_else(|| Refused(format!("no {name}")))
}

/// Makes so many products, of each of which there is enough for everybody.
pub async fn fill(api: &str, staff: &str, count: usize) -> Sold {
    let http = reqwest::Client::new();
    let ask = async |method: Method, path: &str, body: Value| {
        let request = http.request(method, format!("{api}{path}")).bearer_auth(staff);
        let request = request.header("idempotency-key", Uuid::new_v4().to_string());
        answer(request.json(&body)).await.unwrap_or_else(|Refused(why)| panic!("{path}: {why}"))
    };
    let slug = Uuid::new_v4().simple().to_string();
    let category = ask(
        Method::POST,
        "/v1/admin/categories",
        json!({ "slug": slug, "title": "Load", "description": "What is drunk under load." }),
    )
    .await;
    let mut sold = Sold { products: Vec::new(), skus: Vec::new() };
    for number in 0..count {
        let sku = format!("LOAD-{}-{number}", slug[..8].to_uppercase());
        let product = json!({
            "slug": format!("load-{}-{number}", &slug[..8]),
            "title": format!("Tea number {number}"),
            "description": "A tea that is drunk under load. ".repeat(8),
            "category_ids": [category["id"]],
            "skus": [{ "sku": sku, "variant": "100 g", "prices": [{ "amount": 450, "currency": "USD" }], "stock": 1_000_000 }],
        });
        let made = ask(Method::POST, "/v1/admin/products", product).await;
        sold.products.push(made["id"].as_str().expect("a product has an id").to_owned());
        sold.skus.push(sku);
    }
    sold
}
