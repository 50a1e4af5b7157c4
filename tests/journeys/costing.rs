//! What an order costs on AWS, from the first look at its goods to their delivery: counted, and held against a budget.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Barrier;
use waybill_local::meter::Usage;
use waybill_local::workspace;
use waybill_tests::{Person, Socket, TestShop, key};

/// What is billed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bill {
    /// To the HTTP API, Stripe's among them, and messages to WebSockets.
    requests: f64,
    invocations: f64,
    table_calls: f64,
    read_units: f64,
    write_units: f64,
    /// Sending, and Lambda's taking and deleting.
    queue_calls: f64,
    mails: f64,
}

/// What the life of an order of two products may cost at most: of all that is counted here nothing may grow unseen. Where
/// something has become cheaper, this and the README follow.
const BUDGET: Bill = Bill {
    requests: 15.0,
    invocations: 38.0,
    table_calls: 104.0,
    read_units: 64.0,
    write_units: 121.0,
    queue_calls: 24.0,
    mails: 4.0,
};

/// Dollars for a million more, at most, where the buyer and staff see each change of it as it happens.
const WATCHED: f64 = 36.0;

/// Dollars for a million, at most, where so many buyers do the same at a time, and share batches.
const BUSY: f64 = 95.0;
const TOGETHER: usize = 10;

/// Dollars for a million, list prices of us-east-1 on 27 November 2026: <https://aws.amazon.com/dynamodb/pricing/on-demand/>,
/// <https://aws.amazon.com/lambda/pricing/> (arm64), <https://aws.amazon.com/api-gateway/pricing/> (HTTP APIs),
/// <https://aws.amazon.com/sqs/pricing/>, <https://aws.amazon.com/ses/pricing/>.
const PRICES: Bill = Bill {
    requests: 1.0,
    // Each, and what it lasts and holds: it waits for DynamoDB, some 10 ms, with 256 MB at $13.3334 for a million GB-seconds.
    invocations: 0.2 + 0.010 * 0.25 * 13.3334,
    table_calls: 0.0,
    read_units: 0.125,
    write_units: 0.625,
    queue_calls: 0.4,
    mails: 100.0,
};

/// Functions that an API invokes, once for each request.
const APIS: [&str; 5] =
    ["CartsFunction", "CatalogFunction", "OrdersFunction", "PaymentsFunction", "StripeWebhookFunction"];
/// Functions that work off a queue.
const QUEUED: [&str; 4] = ["DocumentsFunction", "EmailFunction", "PushFunction", "StockFunction"];

impl Bill {
    fn of(usage: &Usage) -> Bill {
        let mut bill = Bill::default();
        for ((function, operation), used) in usage {
            let (function, calls) = (function.as_str(), used.calls as f64);
            match operation.as_str() {
                // It runs by the clock, however many orders there are.
                _ if function == "SweepFunction" => {}
                "Invoke" => {
                    bill.invocations += calls;
                    bill.requests += if APIS.contains(&function) { calls } else { 0.0 };
                    bill.queue_calls += if QUEUED.contains(&function) { 2.0 * calls } else { 0.0 };
                }
                // A message on a WebSocket is billed as a request is.
                "PostToConnection" => bill.requests += calls,
                "SendMessageBatch" => bill.queue_calls += calls,
                "SendEmail" => bill.mails += calls,
                "BatchGetItem" | "GetItem" | "Query" | "PutItem" | "UpdateItem" | "DeleteItem"
                | "TransactWriteItems" => {
                    bill.table_calls += calls;
                    bill.read_units += used.read_units;
                    bill.write_units += used.write_units;
                }
                // By each new process, not by each order.
                "GetSecretValue" => {}
                other => panic!("{other} has no price"),
            }
        }
        bill
    }

    fn each(self) -> [(&'static str, f64); 7] {
        [
            ("requests", self.requests),
            ("invocations", self.invocations),
            ("calls of the table", self.table_calls),
            ("read units", self.read_units),
            ("write units", self.write_units),
            ("calls of queues", self.queue_calls),
            ("mails", self.mails),
        ]
    }

    /// What it comes to for one of so many.
    fn each_of(self, orders: usize) -> Bill {
        let of = |all: f64| all / orders as f64;
        Bill {
            requests: of(self.requests),
            invocations: of(self.invocations),
            table_calls: of(self.table_calls),
            read_units: of(self.read_units),
            write_units: of(self.write_units),
            queue_calls: of(self.queue_calls),
            mails: of(self.mails),
        }
    }

    /// Dollars for a million such orders, without mails, of which SES is most.
    fn dollars(self) -> f64 {
        let priced = self.each().into_iter().zip(PRICES.each()).filter(|((what, _), _)| *what != "mails");
        priced.map(|((_, count), (_, price))| count * price).sum()
    }
}

/// What was used until nothing more is, for longer than a step's consequences take to begin.
async fn quiet(shop: &TestShop) -> Usage {
    let mut all = Usage::new();
    let mut still = 0;
    while still < 5 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let more = shop.used();
        still = if more.is_empty() { still + 1 } else { 0 };
        add(&mut all, more);
    }
    all
}

fn add(all: &mut Usage, more: Usage) {
    for (what, used) in more {
        let sum = all.entry(what).or_default();
        sum.calls += used.calls;
        sum.read_units += used.read_units;
        sum.write_units += used.write_units;
    }
}

/// The lives of so many orders, step by step, each with what came of it: all do the same at the same moment.
async fn live(shop: &TestShop, orders: usize, is_watched: bool) -> Vec<(&'static str, Usage)> {
    // New to the shop, and nobody else in it: alone, one shares nothing, which makes it the dearest order there is.
    let staff = shop.staff("manager").await;
    let (mut buyers, mut watching) = (Vec::new(), Vec::new());
    for _ in 0..orders {
        let buyer = shop.customer().await;
        if is_watched {
            watching.push(Socket::open(shop, &buyer).await);
        }
        buyers.push(buyer);
    }
    if is_watched {
        let mut socket = Socket::open(shop, &staff).await;
        socket.ask(json!({ "type": "follow", "feed": "all" })).await;
        watching.push(socket);
    }
    quiet(shop).await;
    let (together, steps) = (Barrier::new(orders), Mutex::new(Vec::new()));
    let step = async |name| {
        if together.wait().await.is_leader() {
            let used = quiet(shop).await;
            steps.lock().unwrap().push((name, used));
        }
        together.wait().await;
    };
    join_all(buyers.iter().map(|buyer| one(shop, buyer, &staff, &step))).await;
    for mut socket in watching {
        assert_eq!(socket.next().await["type"], "order.placed", "it has seen all of it");
        socket.close().await;
    }
    steps.into_inner().unwrap()
}

async fn one(shop: &TestShop, customer: &Person, staff: &Person, step: &impl AsyncFn(&'static str)) {
    let product = customer.get("/v1/products").await.text("/items/0/id");
    assert_eq!(customer.get(&format!("/v1/products/{product}")).await.status, 200);
    step("a list of products and a product").await;
    let quote = customer.quote(&[("TEA", 1), ("MUG", 1)]).await;
    step("two lines in the cart").await;
    let order = customer.place(&key(), &quote).await.text("/id");
    step("placing the order").await;
    let session = customer.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await.text("/id");
    step("beginning to pay").await;
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    step("paying").await;
    assert_eq!(customer.get(&format!("/v1/orders/{order}")).await.text("/payment_status"), "paid");
    customer.get("/v1/orders").await;
    staff.get("/v1/admin/orders?status=paid").await;
    step("a look at the order, the buyer's orders and staff's").await;
    for (name, body) in [
        ("process", json!({})),
        ("ship", json!({ "carrier": "DHL", "tracking_number": "JD014600003" })),
        ("deliver", json!({})),
    ] {
        let done = staff.post(&format!("/v1/admin/orders/{order}/{name}"), body).await;
        assert_eq!(done.status, 200, "{}", done.body);
        step(name).await;
    }
}

/// What a life comes to, and what there is to tell of the steps of all.
fn told(lives: Vec<(&'static str, Usage)>, orders: usize) -> (Bill, String) {
    let (mut whole, mut told) = (Usage::new(), String::new());
    for (step, usage) in lives {
        let bill = Bill::of(&usage).each_of(orders);
        told += &format!("{step}: ${:.2} a million, {bill:?}\n", bill.dollars());
        for ((function, operation), used) in &usage {
            told += &format!("    {function} {operation} {used:?}\n");
        }
        add(&mut whole, usage);
    }
    (Bill::of(&whole).each_of(orders), told)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_costs_no_more_than_its_budget() {
    // With what is kept in memory kept as long as it is where shops are open.
    let shop = TestShop::open_with(|options| options.parameters.retain(|name, _| name == "RateLimits")).await;
    let category = shop.category().await;
    for (sku, price) in [("TEA", 450), ("MUG", 1999)] {
        shop.product_in(&category, &[(sku, price, 1000)]).await;
    }
    shop.used();
    // Where a batch of the stream is cut differs from run to run; what is needed is the least of it.
    let mut least: Option<(Bill, String)> = None;
    for _ in 0..2 {
        let (whole, told) = told(live(&shop, 1, false).await, 1);
        if least.as_ref().is_none_or(|(least, _)| whole.dollars() < least.dollars()) {
            least = Some((whole, told));
        }
    }
    let (busy, told_of_busy) = told(live(&shop, TOGETHER, false).await, TOGETHER);
    // From then on somebody follows all orders.
    let (watched, _) = told(live(&shop, 1, true).await, 1);
    shop.stop().await;
    let (whole, told) = least.unwrap();
    println!("{told}\nall: ${:.2} a million, {whole:?}", whole.dollars());
    println!("{told_of_busy}\nof {TOGETHER}: ${:.2} a million, {busy:?}", busy.dollars());
    println!("watched: ${:.2} a million, {watched:?}", watched.dollars());
    assert!(watched.dollars() <= whole.dollars() + WATCHED, "{watched:?} instead of {whole:?}");
    assert!(busy.dollars() <= BUSY, "{busy:?}:\n{told_of_busy}");
    for ((what, count), (_, budget)) in whole.each().into_iter().zip(BUDGET.each()) {
        assert!(count <= budget, "{count} {what}, and the budget is {budget}:\n{told}");
    }
}

/// Each in the time of one call, or of two where there is one more behind the semicolon: what is read for somebody is read
/// while it is looked whether their session stands.
#[tokio::test(flavor = "multi_thread")]
async fn what_customers_ask_for_most_takes_no_more_calls_than_it_has_to() {
    let shop = TestShop::open_with(|options| options.parameters.retain(|name, _| name == "RateLimits")).await;
    let category = shop.category().await;
    for sku in ["TEA", "MUG"] {
        shop.product_in(&category, &[(sku, 450, 1000)]).await;
    }
    let customer = shop.customer().await;
    // What a process knows from then on.
    let quote = customer.quote(&[("TEA", 1), ("MUG", 1)]).await;
    let order = customer.place(&key(), &quote).await.text("/id");
    customer.quote(&[("TEA", 1), ("MUG", 1)]).await;
    let path = |path: &str| path.replace("{order}", &order);
    quiet(&shop).await;
    for (method, asked, function, expected) in [
        // The account and the cart; the offers.
        ("GET", "/v1/cart", "CartsFunction", [("BatchGetItem", 1), ("GetItem", 2)].as_slice()),
        // The account, the cart and the offer; the line, and the other offers.
        ("PUT", "/v1/cart/lines/TEA", "CartsFunction", &[("BatchGetItem", 2), ("GetItem", 2), ("UpdateItem", 1)]),
        ("DELETE", "/v1/cart", "CartsFunction", &[("DeleteItem", 1), ("GetItem", 1)]),
        // The first line: nothing else is in the cart, and nothing is tried that needs one.
        ("PUT", "/v1/cart/lines/TEA", "CartsFunction", &[("BatchGetItem", 1), ("GetItem", 2), ("UpdateItem", 1)]),
        // The account and the orders.
        ("GET", "/v1/orders", "OrdersFunction", &[("GetItem", 1), ("Query", 1)]),
        ("GET", "/v1/orders/{order}", "OrdersFunction", &[("GetItem", 2)]),
    ] {
        let answer = match method {
            "PUT" => customer.put(&path(asked), json!({ "quantity": 2 })).await,
            "DELETE" => customer.delete(&path(asked)).await,
            _ => customer.get(&path(asked)).await,
        };
        assert_eq!(answer.status, 200, "{method} {asked}: {}", answer.body);
        let used = shop.used();
        let calls = used.iter().filter(|((of, operation), _)| of == function && operation != "Invoke");
        let calls: Vec<_> = calls.map(|((_, operation), used)| (operation.as_str(), used.calls)).collect();
        assert_eq!(calls, expected, "{method} {asked}");
    }
    shop.stop().await;
}

#[test]
fn the_readme_tells_what_the_budget_comes_to() {
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    let whole = format!("**${:.0} for a million orders**", BUDGET.dollars());
    let (watched, busy) = (format!("${WATCHED:.0} more where"), format!("${BUSY:.0} where ten"));
    for told in [whole, watched, busy] {
        assert!(readme.contains(&told), "README.md does not say {told}");
    }
    for ((what, count), (_, price)) in BUDGET.each().into_iter().zip(PRICES.each()) {
        if price > 0.0 && what != "mails" {
            let row = format!("| {what} | {count} | ${:.2} |", count * price);
            assert!(readme.contains(&row), "README.md does not say {row}");
        }
    }
}
