//! The loop of a function that follows the table's stream: in order, resuming at the first record that failed.

use std::future::Future;

use aws_lambda_events::dynamodb::EventRecord;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;

use crate::batch::{Answer, Failed};

/// A batch as Lambda brings it; records are read one by one, so that a strange one does not fail the others.
#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<serde_json::Value>,
}

/// A record of the stream.
pub struct Record {
    pub sequence_number: String,
    /// The key of the item that it is of, as the stream has it.
    pub keys: serde_json::Value,
    /// The record, or why it cannot be read.
    pub content: Result<Box<EventRecord>, serde_json::Error>,
}

/// Serves a stream until Lambda ends the process, by `relay` as [`work_off`] does.
pub async fn run<F, Fut>(relay: F) -> Result<(), Error>
where
    F: Fn(Vec<Record>) -> Fut,
    Fut: Future<Output = Result<(), String>>,
{
    let relay = &relay;
    lambda_runtime::run(service_fn(|event: LambdaEvent<serde_json::Value>| work_off(relay, event.payload))).await
}

/// Works off a batch. `relay` takes it in order and answers the sequence number of the first record that it could not
/// relay, from which Lambda then starts again.
pub async fn work_off<F, Fut>(relay: F, batch: serde_json::Value) -> Result<Answer, Error>
where
    F: Fn(Vec<Record>) -> Fut,
    Fut: Future<Output = Result<(), String>>,
{
    let records = Batch::deserialize(batch)?.records.into_iter().map(read).collect();
    let failed = relay(records).await.err();
    Ok(Answer { batch_item_failures: failed.into_iter().map(|item_identifier| Failed { item_identifier }).collect() })
}

fn read(record: serde_json::Value) -> Record {
    let sequence_number = record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned();
    let keys = record["dynamodb"]["Keys"].clone();
    Record { sequence_number, keys, content: serde_json::from_value(record).map(Box::new) }
}
