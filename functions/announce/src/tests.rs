//! What becomes of a batch that not every queue takes.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router};
use serde_json::{Value, json};
use waybill_domain::SignedDuration;

use super::*;

/// Which queue took which message, by the message's id and tag: what there is to do of a change has the change's own id. Of a
/// dead letter, which record it is.
type Taken = Arc<Mutex<Vec<(String, String)>>>;

fn named(message: &Value) -> String {
    format!("{} {}", message["id"].as_str().unwrap(), message["event"]["type"].as_str().unwrap())
}

/// SQS, whose mail queue takes only the first message of each call.
async fn sqs() -> (Client, Taken) {
    sqs_refusing(true).await
}

async fn sqs_that_takes_all() -> (Client, Taken) {
    sqs_refusing(false).await
}

async fn sqs_refusing(second_mails: bool) -> (Client, Taken) {
    let taken = Taken::default();
    let noted = taken.clone();
    let send = move |call: String| {
        let call: Value = serde_json::from_str(&call).unwrap();
        let queue = call["QueueUrl"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for (place, entry) in call["Entries"].as_array().unwrap().iter().enumerate() {
            let message: Value = serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
            if second_mails && queue == "mail" && place > 0 {
                failed.push(json!({ "Id": entry["Id"], "Code": "InternalError", "SenderFault": false }));
                continue;
            }
            let name = match queue.as_str() {
                "dead" => message.to_string(),
                _ => named(&message),
            };
            noted.lock().unwrap().push((queue.clone(), name));
            successful.push(json!({ "Id": entry["Id"], "MessageId": "1", "MD5OfMessageBody": "" }));
        }
        std::future::ready(Json(json!({ "Successful": successful, "Failed": failed })))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().fallback(send)).into_future());
    (Client::of_stand_in("sqs", endpoint), taken)
}

/// A table whose feeds are kept and empty, and take everything or nothing; that tells of its endpoints, or not; and somebody
/// follows all orders.
async fn table(takes: bool, endpoints: Option<Value>) -> Table {
    table_heard_by(takes, endpoints, Some("LISTENERS#ALL".into()), kept()).await
}

/// The mark of a feed, for a minute.
fn kept() -> Value {
    json!([{ "since": { "N": "1" }, "expires_at": { "N": "60" } }])
}

/// As `table`, with listeners in this partition only; without one, it does not tell. Of each feed it has these items.
async fn table_heard_by(takes: bool, endpoints: Option<Value>, listeners: Option<String>, feed: Value) -> Table {
    let refused = || {
        let error = "com.amazonaws.dynamodb.v20120810#ValidationException";
        (StatusCode::BAD_REQUEST, Json(json!({ "__type": error, "message": "no" })))
    };
    let answer = move |headers: HeaderMap, body: String| {
        let operation = headers["x-amz-target"].to_str().unwrap().to_owned();
        std::future::ready(match (operation.as_str(), takes, &endpoints) {
            ("DynamoDB_20120810.Query", _, endpoints) if body.contains("WEBHOOKS") => match endpoints {
                Some(endpoints) => (StatusCode::OK, Json(json!({ "Items": endpoints }))),
                None => refused(),
            },
            ("DynamoDB_20120810.Query", ..) if body.contains("LISTENERS#") => match &listeners {
                Some(partition) => (StatusCode::OK, Json(json!({ "Count": u8::from(body.contains(partition)) }))),
                None => refused(),
            },
            ("DynamoDB_20120810.Query", ..) => (StatusCode::OK, Json(json!({ "Items": feed }))),
            ("DynamoDB_20120810.PutItem", true, _) => (StatusCode::OK, Json(json!({}))),
            ("DynamoDB_20120810.PutItem", false, _) => refused(),
            (other, ..) => panic!("{other}"),
        })
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    Table::new(Client::of_stand_in("dynamodb", endpoint), "shop")
}

fn queues() -> Queues {
    let url = |name: &str| format!("https://sqs.us-east-1.amazonaws.com/123456789012/{name}");
    let [mail, push, stock, import, refund, document, export, webhook, dead_letters] =
        ["mail", "push", "stock", "import", "refund", "document", "export", "webhook", "dead"].map(url);
    Queues { mail, push, stock, import, refund, document, export, webhook, dead_letters }
}

/// The recorded batch.
fn records() -> Vec<Record> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/announce/orders.json");
    let batch: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let record = |record: &Value| Record {
        sequence_number: record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned(),
        keys: record["dynamodb"]["Keys"].clone(),
        content: serde_json::from_value(record.clone()).map(Box::new),
    };
    batch["Records"].as_array().unwrap().iter().map(record).collect()
}

#[tokio::test]
async fn every_queue_is_told_of_what_comes_before_a_record_that_one_of_them_did_not_take() {
    let (client, taken) = sqs().await;
    let (table, endpoints) = (table(true, Some(json!([]))).await, Endpoints::new(SignedDuration::ZERO));
    let announced = read(records());
    let mailed: Vec<_> = announced.iter().filter(|announced| announced.to.mail).collect();
    assert!(mailed.len() >= 2, "a record that is not the first has to be refused");
    let refused = relay(&client, &table, &queues(), &endpoints, records(), Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert_eq!(refused, mailed[1].sequence_number);
    let taken = taken.lock().unwrap();
    for before in announced.iter().take_while(|announced| announced.sequence_number != refused) {
        let id = match &before.update {
            Some(message) => named(&serde_json::to_value(message).unwrap()),
            None => named(&serde_json::from_str(&before.text).unwrap()),
        };
        let is_told = |queue: &str| taken.contains(&(queue.to_owned(), id.clone()));
        match &before.update {
            Some(_) => assert!(is_told("push"), "push of {id}"),
            None => {
                for (name, hears) in [("mail", before.to.mail), ("stock", before.to.stock)] {
                    assert_eq!(is_told(name), hears, "{name} of {id}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_nobody_follows_is_not_pushed() {
    let changed = read(records()).into_iter().filter_map(|announced| announced.update);
    let changed: Vec<Message> = changed.map(|message| *message).collect();
    let (last, others) = changed.split_last().unwrap();
    assert!(others.iter().any(|other| other.order.id != last.order.id), "some have to be left out");
    let of = |ids: &[&Message]| ids.iter().map(|message| named(&serde_json::to_value(message).unwrap())).collect();
    let of_order: Vec<&Message> = changed.iter().filter(|message| message.order.id == last.order.id).collect();
    let of_buyer =
        changed.iter().filter(|message| message.order.account_id == last.order.account_id).collect::<Vec<_>>();
    let all: Vec<String> = of(&changed.iter().collect::<Vec<_>>());
    for (listeners, pushed) in [
        (Some("LISTENERS#nobody".to_owned()), Vec::new()),
        (Some(format!("LISTENERS#{}", last.order.id)), of(&of_order)),
        (Some(format!("LISTENERS#{}", last.order.account_id)), of(&of_buyer)),
        (Some("LISTENERS#ALL".to_owned()), all.clone()),
        // Whoever cannot be asked may be there.
        (None, all),
    ] {
        let (client, taken) = sqs_that_takes_all().await;
        let table = table_heard_by(true, Some(json!([])), listeners.clone(), kept()).await;
        let endpoints = Endpoints::new(SignedDuration::ZERO);
        relay(&client, &table, &queues(), &endpoints, records(), Timestamp::UNIX_EPOCH).await.unwrap();
        let taken = taken.lock().unwrap();
        let found: Vec<_> = of_queue(&taken, "push").cloned().collect();
        assert_eq!(found, pushed, "with {listeners:?}");
    }
}

#[tokio::test]
async fn of_what_nobody_has_followed_for_long_nothing_is_kept_nor_pushed_and_nobody_is_asked_who_follows_it() {
    for feed in [json!([]), kept()] {
        let (client, taken) = sqs_that_takes_all().await;
        // Neither writes nor tells who listens.
        let table = table_heard_by(false, Some(json!([])), None, feed.clone()).await;
        let endpoints = Endpoints::new(SignedDuration::ZERO);
        let now = Timestamp::from_second(if feed == kept() { 60 } else { 0 }).unwrap();
        relay(&client, &table, &queues(), &endpoints, records(), now).await.unwrap();
        let taken = taken.lock().unwrap();
        assert_eq!(of_queue(&taken, "push").count(), 0);
        assert!(of_queue(&taken, "mail").count() > 0);
    }
}

#[tokio::test]
async fn what_a_feed_did_not_take_is_not_pushed_and_comes_again_while_others_are_told() {
    let (client, taken) = sqs().await;
    let first = records().remove(0);
    let sequence_number = first.sequence_number.clone();
    let (table, endpoints) = (table(false, Some(json!([]))).await, Endpoints::new(SignedDuration::ZERO));
    let refused = relay(&client, &table, &queues(), &endpoints, vec![first], Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert_eq!(refused, sequence_number);
    let told: Vec<String> = taken.lock().unwrap().iter().map(|(queue, _)| queue.clone()).collect();
    assert!(told.contains(&"stock".into()) && !told.contains(&"push".into()), "{told:?}");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_a_dead_letter_and_holds_nobody_up() {
    let (client, taken) = sqs().await;
    let (table, endpoints) = (table(true, Some(json!([]))).await, Endpoints::new(SignedDuration::ZERO));
    let mut records = records();
    records.truncate(2);
    records[0].content = Err(serde_json::from_str::<u32>("{}").unwrap_err());
    let (sequence_number, keys) = (records[0].sequence_number.clone(), records[0].keys.clone());
    assert!(keys.to_string().contains("ORDER#"));
    relay(&client, &table, &queues(), &endpoints, records, Timestamp::UNIX_EPOCH).await.unwrap();
    let taken = taken.lock().unwrap();
    let dead: Vec<Value> = of_queue(&taken, "dead").map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(dead.len(), 1);
    assert_eq!((&dead[0]["sequence_number"], &dead[0]["keys"]), (&json!(sequence_number), &keys));
    assert!(dead[0]["error"].as_str().unwrap().contains("invalid type"), "{}", dead[0]);
    assert!(of_queue(&taken, "push").count() == 1, "the next one is told: {taken:?}");
}

fn of_queue<'a>(taken: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a String> {
    taken.iter().filter(move |(queue, _)| queue == name).map(|(_, text)| text)
}

#[tokio::test]
async fn while_it_is_not_known_who_is_to_be_sent_a_change_it_comes_again_and_others_are_told() {
    let (client, taken) = sqs().await;
    let first = records().remove(0);
    let sequence_number = first.sequence_number.clone();
    let (table, endpoints) = (table(true, None).await, Endpoints::new(SignedDuration::ZERO));
    let now = Timestamp::UNIX_EPOCH;
    let refused = relay(&client, &table, &queues(), &endpoints, vec![first], now).await.unwrap_err();
    assert_eq!(refused, sequence_number);
    let told: Vec<String> = taken.lock().unwrap().iter().map(|(queue, _)| queue.clone()).collect();
    assert!(told.contains(&"push".into()) && !told.contains(&"webhook".into()), "{told:?}");
}

#[tokio::test]
async fn each_endpoint_is_sent_what_it_hears_and_who_they_are_is_asked_once_in_a_while() {
    let (client, taken) = sqs().await;
    let endpoint = |id: u8, events: Value, enabled: bool| {
        json!({
            "id": { "S": format!("whk_0000000000000000000000000{id}") }, "url": { "S": "https://erp.example.com/" },
            "description": { "S": "" }, "events": { "L": events }, "enabled": { "BOOL": enabled },
            "created_at": { "S": "2026-01-01T00:00:00Z" }, "version": { "N": "1" },
        })
    };
    let known = json!([
        endpoint(1, json!([]), true),
        endpoint(2, json!([{ "S": "order.delivered.v1" }]), true),
        endpoint(3, json!([]), false),
    ]);
    let lifetime = SignedDuration::from_secs(30);
    let (knowing, endpoints) = (table(true, Some(known)).await, Endpoints::new(lifetime));
    let now = Timestamp::UNIX_EPOCH;
    let one = || vec![records().remove(0)];
    relay(&client, &knowing, &queues(), &endpoints, one(), now).await.unwrap();
    // What is known is good without another question.
    let silent = table(true, None).await;
    let before = now + lifetime - SignedDuration::from_millis(1);
    relay(&client, &silent, &queues(), &endpoints, one(), before).await.unwrap();
    relay(&client, &silent, &queues(), &endpoints, one(), now + lifetime).await.unwrap_err();
    let sent = taken.lock().unwrap().iter().filter(|(queue, _)| queue == "webhook").count();
    assert_eq!(sent, 2, "one endpoint hears of it, twice");
}
