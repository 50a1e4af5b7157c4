//! What a client does in the shop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::json;
use uuid::Uuid;

use crate::products::Sold;
use crate::shop::{Refused, Shop, answer, text};

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

impl Client {
    pub fn new(shop: &Shop, customer: &str, sold: Arc<Sold>) -> Client {
        let [api, stripe, customer] = [&shop.api, &shop.stripe, customer].map(str::to_owned);
        let next = Uuid::new_v4().as_u128() as usize % sold.products.len();
        Client { http: reqwest::Client::new(), api, stripe, customer, staff: shop.staff(), sold, next, bought: next }
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
                let (_, page) = self.page().await?;
                self.timed(self.pay(&page)).await
            }
        }
    }

    /// An order that is paid.
    pub async fn paid(&self) -> Result<String, Refused> {
        let (order, page) = self.page().await?;
        answer(self.pay(&page)).await?;
        Ok(order)
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

    /// An order, and what pays it.
    async fn page(&self) -> Result<(String, String), Refused> {
        let order = self.order().await?;
        let session = text(answer(self.start_payment(&order)).await?, "id")?;
        Ok((order, format!("{}/_control/sessions/{session}/pay", self.stripe)))
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

    fn pay(&self, page: &str) -> RequestBuilder {
        self.http.post(page).json(&json!({}))
    }
}
