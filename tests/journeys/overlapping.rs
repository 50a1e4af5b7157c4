//! A function on Lambda Managed Instances, where one process serves several requests at once.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use waybill_local::build_functions;
use waybill_tests::TestShop;

use super::failures::processes;

/// The Lambda Runtime API with an invocation for each of two products, and a table that answers neither before it has
/// been asked for both.
struct Gate {
    products: [String; 2],
    handed_out: AtomicUsize,
    /// Which of them the table has been asked for.
    asked: watch::Sender<[bool; 2]>,
    answers: mpsc::UnboundedSender<(String, Value)>,
    table: String,
}

async fn next(State(gate): State<Arc<Gate>>) -> impl IntoResponse {
    let number = gate.handed_out.fetch_add(1, Ordering::SeqCst);
    let Some(product) = gate.products.get(number) else { std::future::pending().await };
    let heads = [
        ("lambda-runtime-aws-request-id", format!("request-{number}")),
        ("lambda-runtime-deadline-ms", "4102444800000".into()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:catalog".into()),
    ];
    (heads.map(|(name, value)| (header::HeaderName::from_static(name), value)), read(product).to_string())
}

async fn response(State(gate): State<Arc<Gate>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    gate.answers.send((id, serde_json::from_slice(&body).unwrap())).unwrap();
    StatusCode::ACCEPTED
}

async fn table(State(gate): State<Arc<Gate>>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let text = String::from_utf8_lossy(&body);
    if let Some(number) = gate.products.iter().position(|product| text.contains(product)) {
        gate.asked.send_modify(|asked| asked[number] = true);
        gate.asked.subscribe().wait_for(|asked| *asked == [true; 2]).await.unwrap();
    }
    let call = reqwest::Client::new().post(&gate.table).headers(headers).body(body).send().await.unwrap();
    let (status, headers) = (call.status(), call.headers().clone());
    (status, headers, call.bytes().await.unwrap())
}

fn read(id: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "GET /v1/products/{id}", "rawPath": format!("/v1/products/{id}"), "rawQueryString": "",
        "headers": { "host": "example.com" }, "pathParameters": { "id": id }, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "123456789012", "apiId": "example", "domainName": "example.com", "requestId": "r",
            "http": { "method": "GET", "path": format!("/v1/products/{id}"), "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "test" },
            "routeKey": "GET /v1/products/{id}", "stage": "$default", "time": "27/Nov/2026:09:00:00 +0000", "timeEpoch": 1_795_770_000_000_i64
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn on_managed_instances_two_requests_are_served_at_once_and_each_gets_its_own_answer() {
    let shop = TestShop::open().await;
    let mut products = Vec::new();
    for sku in ["TEA", "MUG"] {
        products.push(shop.product(sku, 450, 10).await.text("/id"));
    }
    let process = processes(&shop.addresses().aws, "catalog")[0];
    let environment = std::fs::read_to_string(format!("/proc/{process}/environ")).unwrap();
    let environment: BTreeMap<_, _> = environment.split('\0').filter_map(|variable| variable.split_once('=')).collect();

    let (answers, mut answered) = mpsc::unbounded_channel();
    let gate = Arc::new(Gate {
        products: products.clone().try_into().unwrap(),
        handed_out: AtomicUsize::new(0),
        asked: watch::Sender::new([false; 2]),
        answers,
        table: shop.addresses().dynamodb.clone(),
    });
    let routes = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/", post(table))
        .with_state(gate);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let mut function = Command::new(build_functions().unwrap().join("catalog"))
        .env_clear()
        .envs(&environment)
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{address}"))
        .env("AWS_LAMBDA_MAX_CONCURRENCY", "2")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();

    for _ in 0..2 {
        // One after the other, the first would wait for the second until the SDK's patience ends, and answer 503.
        let (id, answer) =
            tokio::time::timeout(std::time::Duration::from_secs(60), answered.recv()).await.unwrap().unwrap();
        let number: usize = id.strip_prefix("request-").unwrap().parse().unwrap();
        assert_eq!((&answer["statusCode"], &answer["headers"]["request-id"]), (&json!(200), &json!(id)), "{answer}");
        let product: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(product["id"], products[number]);
    }
    function.kill().unwrap();
    function.wait().unwrap();
    shop.stop().await;
}
