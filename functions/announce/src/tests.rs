//! What becomes of a batch that not every queue takes.

use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_sdk_sqs::config::{BehaviorVersion, Region};
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::*;

/// Which queue took which message, by the message's id.
type Taken = Arc<Mutex<Vec<(String, String)>>>;

/// SQS, whose mail queue takes only the first message of each call.
async fn sqs() -> (aws_sdk_sqs::Client, Taken) {
    let taken = Taken::default();
    let noted = taken.clone();
    let send = move |call: String| {
        let call: Value = serde_json::from_str(&call).unwrap();
        let queue = call["QueueUrl"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for (place, entry) in call["Entries"].as_array().unwrap().iter().enumerate() {
            let message: Value = serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
            if queue == "mail" && place > 0 {
                failed.push(json!({ "Id": entry["Id"], "Code": "InternalError", "SenderFault": false }));
                continue;
            }
            noted.lock().unwrap().push((queue.clone(), message["id"].as_str().unwrap().to_owned()));
            successful.push(json!({ "Id": entry["Id"], "MessageId": "1", "MD5OfMessageBody": "" }));
        }
        std::future::ready(Json(json!({ "Successful": successful, "Failed": failed })))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().fallback(send)).into_future());
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .build();
    (aws_sdk_sqs::Client::from_conf(config), taken)
}

/// A table whose feeds are empty, and take everything or nothing.
async fn table(takes: bool) -> Table {
    let answer = move |headers: HeaderMap| async move {
        let operation = headers["x-amz-target"].to_str().unwrap().to_owned();
        match (operation.as_str(), takes) {
            ("DynamoDB_20120810.Query", _) => (StatusCode::OK, Json(json!({ "Items": [] }))),
            ("DynamoDB_20120810.PutItem", true) => (StatusCode::OK, Json(json!({}))),
            ("DynamoDB_20120810.PutItem", false) => {
                let error = "com.amazonaws.dynamodb.v20120810#ValidationException";
                (StatusCode::BAD_REQUEST, Json(json!({ "__type": error, "message": "no" })))
            }
            (other, _) => panic!("{other}"),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .build();
    Table::new(aws_sdk_dynamodb::Client::from_conf(config), "shop")
}

fn queues() -> Queues {
    let url = |name: &str| format!("https://sqs.us-east-1.amazonaws.com/123456789012/{name}");
    let [mail, push, stock, import, refund, document, export] =
        ["mail", "push", "stock", "import", "refund", "document", "export"].map(url);
    Queues { mail, push, stock, import, refund, document, export }
}

/// The recorded batch.
fn records() -> Vec<Record> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/announce/orders.json");
    let batch: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let record = |record: &Value| Record {
        sequence_number: record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned(),
        content: serde_json::from_value(record.clone()).map(Box::new),
    };
    batch["Records"].as_array().unwrap().iter().map(record).collect()
}

#[tokio::test]
async fn every_queue_is_told_of_what_comes_before_a_record_that_one_of_them_did_not_take() {
    let (client, taken) = sqs().await;
    let table = table(true).await;
    let (announced, _) = read(records());
    let mailed: Vec<_> = announced.iter().filter(|announced| announced.to.mail).collect();
    assert!(mailed.len() >= 2, "a record that is not the first has to be refused");
    let refused = relay(&client, &table, &queues(), records(), Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert_eq!(refused, mailed[1].sequence_number);
    let taken = taken.lock().unwrap();
    for before in announced.iter().take_while(|announced| announced.sequence_number != refused) {
        let id = |text: &str| serde_json::from_str::<Value>(text).unwrap()["id"].as_str().unwrap().to_owned();
        let id = before.update.as_ref().map_or_else(|| id(&before.text), |message| message.id.clone());
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
async fn what_a_feed_did_not_take_is_not_pushed_and_comes_again_while_others_are_told() {
    let (client, taken) = sqs().await;
    let first = records().remove(0);
    let sequence_number = first.sequence_number.clone();
    let table = table(false).await;
    let refused = relay(&client, &table, &queues(), vec![first], Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert_eq!(refused, sequence_number);
    let told: Vec<String> = taken.lock().unwrap().iter().map(|(queue, _)| queue.clone()).collect();
    assert!(told.contains(&"mail".into()) && !told.contains(&"push".into()), "{told:?}");
}
