//! The table: the embedded engine, called in this process, and the table's stream.
//!
//! The engine's own stream stays off, because the engine looks through all of it before each write. What is written is read
//! back instead, once for each commit and in their order; announce takes no notice of what the stream's filters would have
//! left out.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use dynoxide::{Database, DynoxideError};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use waybill_local::FaultSwitch;

use super::wire::Post;

pub const TABLE: &str = "shop";

/// Clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    database: Database,
    post: UnboundedSender<Post>,
    stream: Mutex<Stream>,
}

#[derive(Default)]
struct Stream {
    records: u64,
    /// Tokens of transactions that are in it: one that is sent again is not made again.
    committed: HashSet<String>,
}

impl Engine {
    /// With an empty table. What is written goes into the post.
    pub fn new(post: UnboundedSender<Post>) -> Engine {
        let database = Database::memory().unwrap();
        let attributes = ["pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"];
        let key = |pk: &str, sk: &str| json!([{ "AttributeName": pk, "KeyType": "HASH" }, { "AttributeName": sk, "KeyType": "RANGE" }]);
        let index = |name: &str| {
            let projection = json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": ["summary"] });
            json!({ "IndexName": name, "KeySchema": key(&format!("{name}pk"), &format!("{name}sk")), "Projection": projection })
        };
        let definition = json!({
            "TableName": TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": attributes.map(|name| json!({ "AttributeName": name, "AttributeType": "S" })),
            "KeySchema": key("pk", "sk"),
            "GlobalSecondaryIndexes": [index("gsi1"), index("gsi2")],
        });
        database.create_table(serde_json::from_value(definition).unwrap()).unwrap();
        Engine(Arc::new(Inner { database, post, stream: Mutex::default() }))
    }

    /// DynamoDB's endpoint, behind what goes wrong on purpose.
    pub fn routes(&self, faults: FaultSwitch) -> Router {
        Router::new().fallback(answer).layer(from_fn_with_state(faults, FaultSwitch::meet)).with_state(self.clone())
    }

    fn run(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, DynoxideError> {
        let database = &self.0.database;
        match operation {
            "GetItem" => written(database.get_item(read(body)?)?),
            "BatchGetItem" => written(database.batch_get_item(read(body)?)?),
            "TransactGetItems" => written(database.transact_get_items(read(body)?)?),
            "Query" => written(database.query(read(body)?)?),
            "PutItem" => written(database.put_item(read(body)?)?),
            "UpdateItem" => written(database.update_item(read(body)?)?),
            "DeleteItem" => written(database.delete_item(read(body)?)?),
            "TransactWriteItems" => written(database.transact_write_items(read(body)?)?),
            other => panic!("the simulated table does not know {other}"),
        }
    }

    /// Puts what a call has written into the stream.
    fn announce(&self, operation: &str, body: &[u8]) {
        if !["PutItem", "UpdateItem", "TransactWriteItems"].contains(&operation) {
            return;
        }
        let input: Value = serde_json::from_slice(body).unwrap();
        let mut stream = self.0.stream.lock().unwrap();
        let token = input["ClientRequestToken"].as_str();
        if token.is_some_and(|token| !stream.committed.insert(token.to_owned())) {
            return;
        }
        for key in keys(operation, &input) {
            let get = json!({ "TableName": TABLE, "Key": key, "ConsistentRead": true });
            let image = self.0.database.get_item(serde_json::from_value(get).unwrap()).unwrap().item;
            stream.records += 1;
            let change = json!({
                "ApproximateCreationDateTime": 0.0,
                "Keys": key,
                "NewImage": image,
                "SequenceNumber": format!("{:021}", stream.records),
                "SizeBytes": 0,
                "StreamViewType": "NEW_IMAGE",
            });
            let record = json!({ "eventID": "", "eventName": "MODIFY", "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1", "eventSourceARN": "", "dynamodb": change });
            // Nobody listens any more once the history is over.
            let _ = self.0.post.send(Post::Record(record));
        }
    }
}

async fn answer(State(engine): State<Engine>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap();
    match engine.run(operation, &body) {
        Ok(answer) => {
            engine.announce(operation, &body);
            answer.into_response()
        }
        Err(error) => (StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST), error.to_json())
            .into_response(),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DynoxideError> {
    serde_json::from_slice(body).map_err(|error| DynoxideError::SerializationException(error.to_string()))
}

fn written<T: Serialize>(answer: T) -> Result<Vec<u8>, DynoxideError> {
    Ok(serde_json::to_vec(&answer).unwrap())
}

/// The keys of the items that a call writes.
fn keys(operation: &str, input: &Value) -> Vec<Value> {
    let key = |item: &Value| json!({ "pk": item["pk"], "sk": item["sk"] });
    match operation {
        "PutItem" => vec![key(&input["Item"])],
        "UpdateItem" => vec![key(&input["Key"])],
        _ => {
            let writes = input["TransactItems"].as_array().unwrap().iter();
            let item = |write: &Value| write.pointer("/Put/Item").or(write.pointer("/Update/Key")).map(key);
            writes.filter_map(item).collect()
        }
    }
}
