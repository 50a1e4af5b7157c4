//! A change of an order that 10,000 connections of one store follow.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::extract::State;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use dynoxide::{Database, server};
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use waybill_aws::Client;
use waybill_domain::Timestamp;
use waybill_domain::account::Role;
use waybill_domain::id::{AccountId, SessionId};
use waybill_domain::message::Message;
use waybill_domain::update::Places;
use waybill_lambda::browsers::Browsers;
use waybill_local::workspace;
use waybill_storage::Table;
use waybill_storage::accounts::{Credentials as Known, Holder};
use waybill_storage::connections::Followed;
use waybill_storage::sessions::Session;

const CROWD: usize = 10_000;
/// Every so manieth connection is gone when it is told.
const GONE: usize = 100;

/// Calls of the table by their names, and who was told what.
#[derive(Default)]
struct Seen {
    calls: Mutex<Vec<String>>,
    told: Mutex<HashMap<String, Vec<Value>>>,
}

async fn note(State(seen): State<Arc<Seen>>, request: Request<axum::body::Body>, next: Next) -> Response {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
    let call = target.and_then(|target| target.split_once('.')).map(|(_, call)| call.to_owned());
    seen.calls.lock().unwrap().extend(call);
    next.run(request).await
}

async fn tell(State(seen): State<Arc<Seen>>, Path((_, id)): Path<(String, String)>, body: String) -> Response {
    if id.strip_prefix("follower-").is_some_and(|number| number.parse::<usize>().unwrap() % GONE == 0) {
        let headers = [("x-amzn-errortype", "GoneException")];
        return (StatusCode::GONE, headers, axum::Json(json!({ "message": null }))).into_response();
    }
    seen.told.lock().unwrap().entry(id).or_default().push(serde_json::from_str(&body).unwrap());
    StatusCode::OK.into_response()
}

async fn listen(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

/// The table without its stream, which the engine would look through before each write.
fn engine() -> Database {
    let database = Database::memory().unwrap();
    let key = json!([{ "AttributeName": "pk", "KeyType": "HASH" }, { "AttributeName": "sk", "KeyType": "RANGE" }]);
    let attributes = ["pk", "sk"].map(|name| json!({ "AttributeName": name, "AttributeType": "S" }));
    let definition = json!({
        "TableName": "shop",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": key,
        "AttributeDefinitions": attributes,
    });
    database.create_table(serde_json::from_value(definition).unwrap()).unwrap();
    database
}

/// Somebody of staff, and a connection of theirs that follows all orders.
async fn follower(table: &Table, number: u128, connection: &str) {
    let (id, session) = (AccountId::new(uuid::Uuid::from_u128(number)), SessionId::new(uuid::Uuid::from_u128(number)));
    let now = Timestamp::now();
    let mut holder = Holder::new(id, format!("{number}@example.com").parse().unwrap(), Role::Administrator, now);
    let opened = Session {
        token_hash: String::new(),
        created_at: now,
        last_used_at: now,
        expires_at: now.as_second() + 3600,
        device: "test".into(),
        second_factor_at: Some(now),
    };
    holder.sessions.insert(session, opened);
    table.create_administrator(&holder, &Known::new(id, String::new(), now)).await.ok().unwrap();
    table.issue_ticket(id, session, "ticket", now + Duration::from_secs(30)).await.unwrap();
    table.connect(id, session, "ticket", connection, now, now + Duration::from_secs(3600)).await.ok().unwrap();
    table.follow(connection, Followed::All).await.unwrap();
}

/// The engine's own items as text of DynamoDB's, made from those that were written by following.
fn multiply(database: &Database) {
    let scan = database.scan(serde_json::from_value(json!({ "TableName": "shop" })).unwrap()).unwrap();
    let items = serde_json::to_value(scan).unwrap()["Items"].take();
    let is_listener = |item: &&Value| item["pk"]["S"].as_str().unwrap().starts_with("LISTENERS#ALL");
    let made: Vec<&Value> = items.as_array().unwrap().iter().filter(is_listener).collect();
    let copies: Vec<Value> = (made.len()..CROWD)
        .map(|number| {
            let mut item = made[number % made.len()].clone();
            item["sk"]["S"] = json!(format!("follower-{number}"));
            json!({ "PutRequest": { "Item": item } })
        })
        .collect();
    for puts in copies.chunks(25) {
        let batch = json!({ "RequestItems": { "shop": puts } });
        database.batch_write_item(serde_json::from_value(batch).unwrap()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connections_are_told_once_each_and_without_a_scan() {
    let seen = Arc::new(Seen::default());
    let database = engine();
    let engine = listen_to_engine(database.clone(), &seen).await;
    let gateway = Router::new().route("/{stage}/@connections/{id}", post(tell)).with_state(seen.clone());
    let gateway = format!("{}/live", listen(gateway).await);
    let table = Table::new(Client::of_stand_in("dynamodb", engine), "shop");
    for number in 0..40 {
        follower(&table, number, &format!("staff-{number}")).await;
    }
    multiply(&database);

    let recorded = std::fs::read(workspace().join("events/messages/order.paid.v1.json")).unwrap();
    let mut message: Message = serde_json::from_slice(&recorded).unwrap();
    message.places = Some(Places { own: Some(7), all: Some(9) });
    let browsers = Browsers::new(Client::of_stand_in("execute-api", gateway));
    seen.calls.lock().unwrap().clear();
    let begin = Instant::now();
    push::push(&browsers, &table, message.clone()).await.unwrap();
    println!("10,000 connections were told in {:?}", begin.elapsed());
    let told = std::mem::take(&mut *seen.told.lock().unwrap());
    let gone = (40..CROWD).filter(|number| number % GONE == 0).count();
    assert_eq!(told.len(), CROWD - gone);
    let (_, first) = told.iter().next().unwrap();
    assert!(told.values().all(|updates| updates == first && updates.len() == 1));
    assert_eq!(first[0]["positions"].as_object().unwrap().values().collect::<Vec<_>>(), [9]);
    let calls = std::mem::take(&mut *seen.calls.lock().unwrap());
    let kinds: BTreeSet<&str> = calls.iter().map(String::as_str).collect();
    assert_eq!(kinds, BTreeSet::from(["BatchGetItem", "DeleteItem", "GetItem", "Query"]));
    let count = |kind: &str| calls.iter().filter(|call| *call == kind).count();
    // Their accounts in one call; of the others each that is gone is looked at and forgotten.
    assert_eq!((count("Query"), count("BatchGetItem"), count("DeleteItem")), (4, 1, gone));
    // Nobody is gone any more, so nobody is met a second time.
    push::push(&browsers, &table, message).await.unwrap();
    assert_eq!(seen.told.lock().unwrap().len(), CROWD - gone);
    assert!(!seen.calls.lock().unwrap().contains(&"DeleteItem".to_owned()));
}

/// The engine behind what notes its calls.
async fn listen_to_engine(database: Database, seen: &Arc<Seen>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(server::serve_on(listener, database));
    let http = reqwest::Client::new();
    let pass = move |headers: HeaderMap, body: axum::body::Bytes| {
        let (http, behind) = (http.clone(), behind.clone());
        async move {
            let answer = http.post(behind).headers(headers).body(body).send().await.unwrap();
            let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
            (status, answer.bytes().await.unwrap())
        }
    };
    listen(Router::new().fallback(pass).layer(from_fn_with_state(seen.clone(), note))).await
}
