//! A flash sale: orders for one SKU that come faster than one item bears. In front of the engine each transaction holds its
//! items for 25 ms, as DynamoDB's do, and whatever else writes one of them meanwhile meets a conflict. The clock is tokio's own and
//! stands still while anything is reckoned, so a slow machine changes nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use waybill_aws::Client;
use waybill_domain::Timestamp;
use waybill_domain::cart::Quote;
use waybill_domain::product::Offer;
use waybill_storage::placing::NotPlaced;
use waybill_storage::stock::Terms;
use waybill_storage::{Refused, StorageError, Table};

use crate::shop::{Shop, at, customer, order};

/// How long a transaction holds its items.
const HELD: Duration = Duration::from_millis(25);
/// Of the function that places orders.
const PROCESSES: usize = 50;
/// How long any other call takes.
const CALL: Duration = Duration::from_millis(4);

/// The engine behind its locks.
#[derive(Clone, Debug)]
struct Slow(Arc<Engine>);

#[derive(Debug)]
struct Engine {
    engine: Opaque,
    held: Mutex<HashMap<String, Instant>>,
    /// Transactions that would have placed an order.
    attempts: AtomicUsize,
    /// Those of them that met another, and that found too little.
    conflicts: AtomicUsize,
    misses: AtomicUsize,
}

struct Opaque(Database);

impl std::fmt::Debug for Opaque {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an engine")
    }
}

impl Slow {
    fn of(shop: &Shop) -> Option<Slow> {
        let engine = Opaque(shop.engine.clone()?);
        Some(Slow(Arc::new(Engine {
            engine,
            held: Mutex::default(),
            attempts: 0.into(),
            conflicts: 0.into(),
            misses: 0.into(),
        })))
    }

    fn table(&self, name: &str) -> Table {
        let http = SharedHttpConnector::new(self.clone());
        let credentials = Credentials::new("test", "test", None, None, "test");
        Table::new(Client::new(http, "dynamodb", "us-east-1", "http://engine", credentials), name)
    }

    async fn answer(self, operation: String, body: String) -> Result<String, String> {
        let input: Value = serde_json::from_str(&body).unwrap();
        let writes: Vec<&Value> = match operation.as_str() {
            "TransactWriteItems" => {
                let items = input["TransactItems"].as_array().unwrap().iter();
                items.map(|item| item.as_object().unwrap().values().next().unwrap()).collect()
            }
            "PutItem" | "UpdateItem" | "DeleteItem" => vec![&input],
            _ => Vec::new(),
        };
        let keys: Vec<String> = writes.iter().map(|write| key(write)).collect();
        let is_transaction = operation == "TransactWriteItems";
        let is_order = is_transaction && keys.iter().any(|key| key.starts_with("ORDER#"));
        if is_order {
            self.0.attempts.fetch_add(1, Ordering::Relaxed);
        }
        let met: Vec<bool> = {
            let (now, mut held) = (Instant::now(), self.0.held.lock().unwrap());
            held.retain(|_, until| *until > now);
            let met: Vec<bool> = keys.iter().map(|key| held.contains_key(key)).collect();
            if is_transaction && !met.contains(&true) {
                held.extend(keys.into_iter().map(|key| (key, now + HELD)));
            }
            met
        };
        if met.contains(&true) {
            self.0.conflicts.fetch_add(is_order.into(), Ordering::Relaxed);
            sleep(CALL).await;
            return Err(conflict(is_transaction, &met));
        }
        let answer = self.0.engine.answer(&operation, &body);
        self.0.misses.fetch_add((is_order && answer.is_err()).into(), Ordering::Relaxed);
        sleep(if is_transaction { HELD } else { CALL }).await;
        answer
    }
}

impl Opaque {
    fn answer(&self, operation: &str, body: &str) -> Result<String, String> {
        fn called<I: DeserializeOwned, O: Serialize>(
            body: &str,
            call: impl FnOnce(I) -> Result<O, DynoxideError>,
        ) -> Result<String, String> {
            let answer = call(serde_json::from_str(body).unwrap());
            answer.map(|answer| serde_json::to_string(&answer).unwrap()).map_err(|error| error.to_json())
        }
        match operation {
            "GetItem" => called(body, |input| self.0.get_item(input)),
            "BatchGetItem" => called(body, |input| self.0.batch_get_item(input)),
            "TransactGetItems" => called(body, |input| self.0.transact_get_items(input)),
            "Query" => called(body, |input| self.0.query(input)),
            "PutItem" => called(body, |input| self.0.put_item(input)),
            "UpdateItem" => called(body, |input| self.0.update_item(input)),
            "DeleteItem" => called(body, |input| self.0.delete_item(input)),
            "TransactWriteItems" => called(body, |input| self.0.transact_write_items(input)),
            other => panic!("{other} is not played"),
        }
    }
}

fn key(write: &Value) -> String {
    let key = if write["Key"].is_object() { &write["Key"] } else { &write["Item"] };
    format!("{}/{}", key["pk"]["S"].as_str().unwrap(), key["sk"]["S"].as_str().unwrap())
}

fn conflict(is_transaction: bool, met: &[bool]) -> String {
    if !is_transaction {
        let kind = "com.amazonaws.dynamodb.v20120810#TransactionConflictException";
        return json!({ "__type": kind, "message": "Transaction is ongoing for the item" }).to_string();
    }
    let reasons: Vec<_> =
        met.iter().map(|met| json!({ "Code": if *met { "TransactionConflict" } else { "None" } })).collect();
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    json!({ "__type": kind, "Message": "Transaction cancelled", "CancellationReasons": reasons }).to_string()
}

impl HttpConnector for Slow {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap();
        let operation = target.rsplit('.').next().unwrap().to_owned();
        let body = String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap();
        let answer = self.clone().answer(operation, body);
        HttpConnectorFuture::new(async move {
            let (status, body) = match answer.await {
                Ok(body) => (200, body),
                Err(body) => (400, body),
            };
            Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body)))
        })
    }
}

/// How a sale went.
#[derive(Debug, Default)]
struct Sale {
    sold: usize,
    sold_out: usize,
    /// Told to come again in a moment, and did not.
    busy: usize,
    attempts: usize,
    conflicts: usize,
    misses: usize,
}

/// So many units, and a fifth more people who want one each.
async fn sale(units: usize, buckets: Option<u16>, a_second: u32) -> Option<(Sale, Shop, Offer)> {
    let shop = Shop::open_without_stream().await;
    let slow = Slow::of(&shop)?;
    let tables: Vec<_> = (0..PROCESSES).map(|_| slow.table(&shop.name)).collect();
    let hot = shop.sells("HOT", 450, units.try_into().unwrap()).await;
    tokio::time::pause();
    let terms = Terms { buckets: Some(buckets), ..Terms::default() };
    tables[0].sell_on(&hot.sku, terms, at(0)).await.unwrap();
    let like = customer();
    shop.set_line(like, &hot, 1).await;
    let like = shop.quote(like).await;
    let mut quotes = Vec::new();
    for _ in 0..units + units / 5 {
        let buyer = customer();
        let cart = shop.set_line(buyer, &hot, 1).await;
        quotes.push(Quote { buyer, cart_id: cart.id, cart_version: cart.version, ..like.clone() });
    }
    slow.0.attempts.store(0, Ordering::Relaxed);
    let (begin, mut running, mut sale) = (Instant::now(), JoinSet::new(), Sale::default());
    for (number, quote) in quotes.into_iter().enumerate() {
        sleep_until(begin + Duration::from_secs(1) * number.try_into().unwrap() / a_second).await;
        running.spawn(buy(tables[number % PROCESSES].clone(), quote, hot.clone(), begin));
    }
    for bought in running.join_all().await {
        match bought {
            Bought::One => sale.sold += 1,
            Bought::SoldOut => sale.sold_out += 1,
            Bought::Busy => sale.busy += 1,
        }
    }
    sale.attempts = slow.0.attempts.load(Ordering::Relaxed);
    sale.conflicts = slow.0.conflicts.load(Ordering::Relaxed);
    sale.misses = slow.0.misses.load(Ordering::Relaxed);
    println!("{units} units in {buckets:?} buckets, {a_second} a second: {sale:?}");
    tokio::time::resume();
    Some((sale, shop, hot))
}

enum Bought {
    One,
    SoldOut,
    Busy,
}

/// Places an order as a customer does who is told to come again; and `stock` looks after it, as it does after each.
async fn buy(table: Table, quote: Quote, hot: Offer, begin: Instant) -> Bought {
    let now = || Timestamp::from_millisecond(at(10).as_millisecond() + begin.elapsed().as_millis() as i64).unwrap();
    let placed = order("key", &quote, now());
    for _ in 0..3 {
        match table.place_order(&placed, &quote, "fingerprint").await {
            Ok(()) => {
                sleep(Duration::from_millis(300)).await;
                table.warn_if_low(hot.product_id, &hot.sku, now()).await.unwrap();
                return Bought::One;
            }
            Err(Refused::By(reasons)) => {
                let is_sold_out =
                    matches!(&*reasons, [NotPlaced::LineRefused { offer: Some(offer), .. }] if offer.orderable() == 0);
                assert!(is_sold_out, "{reasons:?}");
                return Bought::SoldOut;
            }
            Err(Refused::Failed(StorageError::Busy(_))) => sleep(Duration::from_secs(1)).await,
            Err(Refused::Failed(error)) => panic!("{error}"),
        }
    }
    Bought::Busy
}

#[tokio::test]
async fn a_thousand_orders_a_second_for_one_sku_sell_all_of_it_and_not_one_more() {
    const UNITS: usize = 2_000;
    let Some((sale, shop, hot)) = sale(UNITS, Some(256), 1_000).await else { return };
    let orders = UNITS + UNITS / 5;
    assert!(sale.sold <= UNITS && sale.sold * 1_000 >= UNITS * 999, "{sale:?}");
    assert!(sale.attempts * 10 <= orders * 12, "{sale:?}");
    assert_eq!(shop.levels(&hot).await, (UNITS as i64, sale.sold as i64, (UNITS - sale.sold) as u64));
    assert_eq!(shop.findings().await, []);
}

#[tokio::test]
async fn one_item_does_not_bear_a_hundred_orders_a_second() {
    const UNITS: usize = 200;
    let Some((sale, ..)) = sale(UNITS, None, 100).await else { return };
    assert!(sale.attempts * 10 > (UNITS + UNITS / 5) * 20, "the simulation lets everything pass: {sale:?}");
}

#[tokio::test]
async fn a_request_that_comes_twice_at_once_for_the_last_unit_makes_one_order_and_meets_it() {
    let shop = Shop::open_without_stream().await;
    let Some(slow) = Slow::of(&shop) else { return };
    tokio::time::pause();
    for round in 0..10 {
        let hot = shop.sells(&format!("HOT-{round}"), 450, 1).await;
        let (one, other) = (slow.table(&shop.name), slow.table(&shop.name));
        one.sell_on(&hot.sku, Terms { buckets: Some(Some(16)), ..Terms::default() }, at(0)).await.unwrap();
        let buyer = customer();
        shop.set_line(buyer, &hot, 1).await;
        let quote = shop.quote(buyer).await;
        let placed = order("key", &quote, at(1));
        let place = async |table: &Table, late: u64| {
            sleep(Duration::from_millis(late)).await;
            table.place_order(&placed, &quote, "fingerprint").await
        };
        let answers = tokio::join!(place(&one, 0), place(&other, 7 * round));
        for answer in [answers.0, answers.1] {
            let is_this =
                |reason: &NotPlaced| matches!(reason, NotPlaced::AlreadyPlaced { order, .. } if order.id == placed.id);
            assert!(
                answer
                    .as_ref()
                    .map_or_else(|refused| matches!(refused, Refused::By(reasons) if is_this(&reasons[0])), |()| true),
                "{answer:?}"
            );
        }
        assert_eq!(shop.levels(&hot).await, (1, 1, 0));
    }
}
