//! A shop of its own for each test: an empty table in memory, and what a test fills it with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dynoxide::Database;
use serde_json::{Value, json};
use uuid::Uuid;
use waybill_domain::Timestamp;
use waybill_domain::cart::{self, Cart, CartLine, Quote};
use waybill_domain::category::Category;
use waybill_domain::id::{AccountId, CartId, CategoryId, OrderId, ProductId, SessionId};
use waybill_domain::message::Actor;
use waybill_domain::money::Money;
use waybill_domain::order::{self, Address, Command, Order, PaymentSession};
use waybill_domain::product::{Offer, Price, Product, ProductState, Variant};
use waybill_domain::stock::Selling;
use waybill_domain::text::Sku;
use waybill_storage::Table;
use waybill_storage::carts::NewCart;
use waybill_storage::catalog::Listing;

use crate::wire::Wire;

/// Of a table that is only played.
pub const TABLE: &str = "shop";

pub struct Shop {
    pub table: Table,
    pub wire: Wire,
    /// The engine, where it is our own.
    pub engine: Option<Database>,
    endpoint: String,
    pub name: String,
}

/// The engine that `WAYBILL_DYNAMODB` points to, or one of our own in memory.
#[allow(clippy::disallowed_methods)] // Who runs the tests says which engine they are for.
async fn engine() -> (String, Option<Database>) {
    if let Ok(endpoint) = std::env::var("WAYBILL_DYNAMODB") {
        return (endpoint, None);
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let engine = Database::memory().unwrap();
    tokio::spawn(dynoxide::server::serve_on(listener, engine.clone()));
    (endpoint, Some(engine))
}

impl Shop {
    /// The engine as template.yaml has the table.
    pub async fn open() -> Shop {
        Shop::with_stream(true).await
    }

    /// For tests of so many writes that the embedded engine, which looks at the whole stream before each, takes too long.
    pub async fn open_without_stream() -> Shop {
        Shop::with_stream(false).await
    }

    async fn with_stream(is_wanted: bool) -> Shop {
        let (endpoint, engine) = engine().await;
        let name = format!("shop-{}-{}", std::process::id(), number());
        let attribute = |name| json!({ "AttributeName": name, "AttributeType": "S" });
        let attributes = ["pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"].map(attribute);
        let index = |name| {
            let keys = key(&format!("{name}pk"), &format!("{name}sk"));
            let projection = json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": ["summary"] });
            json!({ "IndexName": name, "KeySchema": keys, "Projection": projection })
        };
        let mut definition = json!({
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": attributes,
            "KeySchema": key("pk", "sk"),
            "GlobalSecondaryIndexes": [index("gsi1"), index("gsi2")],
        });
        if is_wanted {
            definition["StreamSpecification"] = json!({ "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" });
        }
        let wire = Wire::default();
        // DynamoDB Local may take its time.
        let client = wire.client(&endpoint).waiting(Duration::from_secs(120));
        let shop = Shop { table: Table::new(client, &name), wire, engine, endpoint, name };
        shop.call("DynamoDB_20120810.CreateTable", definition).await;
        shop
    }

    /// Whether the engine is not our own.
    pub fn is_elsewhere(&self) -> bool {
        self.engine.is_none()
    }

    /// A call as it goes over the wire, which the shop's own wire does not see.
    pub async fn call(&self, target: &str, input: Value) -> Value {
        // Engines on localhost look at who signs, and at nothing else of the signature.
        let signature = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, \
            SignedHeaders=host;x-amz-date, Signature=0";
        let request = reqwest::Client::new()
            .post(&self.endpoint)
            .header("x-amz-target", target)
            .header("x-amz-date", "20260101T000000Z")
            .header("authorization", signature)
            .header("content-type", "application/x-amz-json-1.0")
            .body(input.to_string());
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{target}: {status}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Puts a product of one SKU on sale.
    pub async fn sells(&self, sku: &str, cents: i64, units: u32) -> Offer {
        let category = category(&format!("category-{}", number()));
        self.table.create_category(&category).await.unwrap();
        let product = product(category.id, &format!("product-{}", number()));
        let offer = offer(&product, sku, cents, units);
        self.table.create_product(&listing(&product, [offer.clone()]), STAFF).await.unwrap();
        offer
    }

    /// The offer as it is now.
    pub async fn offer(&self, offer: &Offer) -> Offer {
        let mut offers = self.table.offers(&[(offer.sku.clone(), offer.product_id)]).await.unwrap();
        offers.remove(&offer.sku).unwrap()
    }

    /// Changes an offer as staff does.
    pub async fn change_offer(&self, offer: &Offer, change: impl FnOnce(&mut Offer)) {
        let before = self.table.product(offer.product_id, true).await.unwrap().unwrap();
        let mut after = before.clone();
        after.product.version += 1;
        change(after.offers.iter_mut().find(|present| present.sku == offer.sku).unwrap());
        self.table.save_product(&before, &after, STAFF).await.unwrap();
    }

    pub async fn set_line(&self, buyer: AccountId, offer: &Offer, units: i64) -> Cart {
        self.table.set_cart_line(buyer, &offer.sku, line(offer, units), fresh_cart()).await.unwrap()
    }

    /// The buyer's cart at today's prices, under the shop's settings.
    pub async fn quote(&self, buyer: AccountId) -> Quote {
        let cart = self.table.cart(buyer).await.unwrap().unwrap();
        self.quote_of(&cart, buyer).await
    }

    /// A quote of any cart, for this buyer.
    pub async fn quote_of(&self, cart: &Cart, buyer: AccountId) -> Quote {
        let wanted: Vec<(Sku, ProductId)> =
            cart.lines.iter().map(|(sku, line)| (sku.clone(), line.product_id)).collect();
        let offers: HashMap<_, _> = self.table.offers(&wanted).await.unwrap();
        let (priced, pricing) = (cart::price(cart, &offers).unwrap(), self.table.pricing(true).await.unwrap());
        let tree = self.table.categories(true).await.unwrap();
        let reckoning = pricing.look_at(cart, &priced, &offers, &tree, at(0));
        let uses = self.table.promotion_uses(&reckoning.limited(), Some(buyer)).await.unwrap();
        Quote::of(buyer, cart, &priced, &reckoning.reckon(&uses).unwrap(), at(0)).unwrap()
    }

    /// An order of one unit, placed by a new customer.
    pub async fn placed(&self, offer: &Offer) -> Order {
        self.placed_by(customer(), offer, at(0)).await
    }

    pub async fn placed_by(&self, buyer: AccountId, offer: &Offer, now: Timestamp) -> Order {
        self.set_line(buyer, offer, 1).await;
        let quote = self.quote(buyer).await;
        let order = order(&format!("key-{}", number()), &quote, now);
        self.table.place_order(&order, &quote, "fingerprint").await.unwrap();
        order
    }

    /// The item as the table has it, or null.
    pub async fn stored(&self, pk: &str, sk: &str) -> Value {
        let key =
            json!({ "TableName": self.name, "ConsistentRead": true, "Key": { "pk": { "S": pk }, "sk": { "S": sk } } });
        self.call("DynamoDB_20120810.GetItem", key).await["Item"].take()
    }

    /// Sets a number of an item behind the back of whoever keeps it.
    pub async fn set_number(&self, pk: &str, sk: &str, path: &str, value: i64) {
        let names: serde_json::Map<_, _> =
            path.split('.').enumerate().map(|(n, name)| (format!("#n{n}"), json!(name))).collect();
        let path: Vec<_> = names.keys().cloned().collect();
        let update = json!({
            "TableName": self.name,
            "Key": { "pk": { "S": pk }, "sk": { "S": sk } },
            "UpdateExpression": format!("SET {} = :value", path.join(".")),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": { ":value": { "N": value.to_string() } },
        });
        self.call("DynamoDB_20120810.UpdateItem", update).await;
    }

    /// Every item of the table.
    pub async fn items(&self) -> Value {
        let scan = json!({ "TableName": self.name, "ConsistentRead": true });
        self.call("DynamoDB_20120810.Scan", scan).await["Items"].take()
    }

    /// Commands an order as staff does.
    pub async fn command(&self, order: &Order, command: Command) -> Order {
        let decide = |order: &Order| order.decide(command.clone(), Actor::Customer, at(1));
        self.table.change_order(order.id, None, decide).await.unwrap()
    }

    /// What the table's stream has brought so far, as the functions read it.
    pub async fn images(&self) -> Vec<serde_dynamo::Item> {
        let streams =
            async |action: &str, input: Value| self.call(&format!("DynamoDBStreams_20120810.{action}"), input).await;
        let arn = streams("ListStreams", json!({ "TableName": self.name })).await["Streams"][0]["StreamArn"].take();
        let mut shards = streams("DescribeStream", json!({ "StreamArn": arn })).await;
        let shard = shards["StreamDescription"]["Shards"][0]["ShardId"].take();
        let request = json!({ "StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" });
        let start = streams("GetShardIterator", request).await["ShardIterator"].take();
        let records = streams("GetRecords", json!({ "ShardIterator": start })).await;
        let images = records["Records"].as_array().unwrap().iter().map(|record| record["dynamodb"]["NewImage"].clone());
        images
            .filter_map(|mut image| {
                image.as_object_mut()?.values_mut().for_each(put_empty_maps_right);
                Some(serde_json::from_value(image).unwrap())
            })
            .collect()
    }
}

/// DynamoDB Local's streams, and nothing else, write an empty map as `{}` instead of `{"M": {}}`.
fn put_empty_maps_right(value: &mut Value) {
    let Value::Object(value) = value else { return };
    match value.iter_mut().next() {
        None => drop(value.insert("M".into(), json!({}))),
        Some((_, Value::Object(fields))) => fields.values_mut().for_each(put_empty_maps_right),
        Some((_, Value::Array(items))) => items.iter_mut().for_each(put_empty_maps_right),
        Some(_) => {}
    }
}

fn key(hash: &str, range: &str) -> Value {
    json!([{ "AttributeName": hash, "KeyType": "HASH" }, { "AttributeName": range, "KeyType": "RANGE" }])
}

/// Another number each time, so that ids differ and sort in the order in which they were made.
pub fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub fn uuid() -> Uuid {
    Uuid::from_u128(number().into())
}

pub fn customer() -> AccountId {
    AccountId::new(uuid())
}

/// What a new cart begins with.
pub fn fresh_cart() -> NewCart {
    NewCart { id: cart_id(), currency: usd(0).currency, now: at(0) }
}

pub fn cart_id() -> CartId {
    CartId::new(uuid())
}

pub fn session_id() -> SessionId {
    SessionId::new(uuid())
}

/// Whose WebSockets tests open.
pub const SESSION: SessionId = SessionId::new(Uuid::nil());

/// Who fills the catalogue.
pub const STAFF: Actor = Actor::Staff { account_id: AccountId::new(Uuid::nil()) };

pub fn order_id() -> OrderId {
    OrderId::new(uuid())
}

/// Seconds after a fixed moment.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub fn usd(cents: i64) -> Money {
    Money::new(cents, "USD".parse().unwrap())
}

pub fn category(slug: &str) -> Category {
    Category {
        id: CategoryId::new(uuid()),
        slug: slug.parse().unwrap(),
        title: "Tea".parse().unwrap(),
        description: "Leaves.".parse().unwrap(),
        translations: BTreeMap::new(),
        parent_id: None,
        position: 0,
        version: 1,
    }
}

pub fn product(category_id: CategoryId, slug: &str) -> Product {
    Product {
        id: ProductId::new(uuid()),
        slug: slug.parse().unwrap(),
        title: "Earl Grey".parse().unwrap(),
        state: ProductState::Active,
        description: "".parse().unwrap(),
        translations: BTreeMap::new(),
        category_ids: vec![category_id],
        images: Vec::new(),
        attributes: BTreeMap::new(),
        tags: BTreeSet::new(),
        options: Vec::new(),
        variants: Vec::new(),
        lowest: BTreeMap::new(),
        created_at: at(0),
        updated_at: at(0),
        version: 1,
    }
}

/// The product with these offers, each of a variant of its own.
pub fn listing(product: &Product, offers: impl IntoIterator<Item = Offer>) -> Listing {
    let offers: Vec<_> = offers.into_iter().collect();
    let variant = |offer: &Offer| Variant {
        sku: offer.sku.clone(),
        variant: None,
        options: BTreeMap::new(),
        barcode: None,
        image: None,
        active: true,
    };
    let mut product = Product { variants: offers.iter().map(variant).collect(), ..product.clone() };
    product.lowest = product.lowest_of(&offers);
    Listing { product, offers }
}

pub fn offer(product: &Product, sku: &str, cents: i64, units: u32) -> Offer {
    Offer {
        sku: sku.parse().unwrap(),
        product_id: product.id,
        title: product.title.clone(),
        prices: [(usd(0).currency, Price { amount: cents, compare_at: None })].into(),
        available: units.into(),
        active: true,
        weight: 100,
        tax_class: "standard".parse().unwrap(),
        category_ids: product.category_ids.clone(),
        ordered: 0,
        selling: Selling::Stock,
        low_stock_at: None,
        spread: None,
    }
}

pub fn line(offer: &Offer, units: i64) -> CartLine {
    CartLine { product_id: offer.product_id, quantity: units.try_into().unwrap(), price: None }
}

pub fn address() -> Address {
    Address {
        name: "Ann".parse().unwrap(),
        line1: "1 Main St".parse().unwrap(),
        line2: None,
        city: "Springfield".parse().unwrap(),
        region: None,
        postal_code: "12345".parse().unwrap(),
        country: "US".parse().unwrap(),
    }
}

pub fn order(key: &str, quote: &Quote, now: Timestamp) -> Order {
    let id = OrderId::for_placement(quote.buyer, &key.parse().unwrap());
    order::place(id, quote.clone(), "ann@example.com".parse().unwrap(), address(), Actor::Customer, now)
}

pub fn pay(order: &Order) -> Command {
    Command::Pay { intent: "pi_1".into(), amount: order.total }
}

pub fn start_payment() -> Command {
    let session =
        PaymentSession::Page { id: "cs_1".into(), url: "https://pay.example/cs_1".into(), expires_at: at(1800) };
    Command::StartPayment { attempt: 1, session }
}

/// The reasons of a refusal; anything else fails the test.
#[track_caller]
pub fn reasons<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, waybill_storage::Refused<E>>) -> Vec<E> {
    match result {
        Err(waybill_storage::Refused::By(reasons)) => reasons,
        other => panic!("not refused: {other:?}"),
    }
}
