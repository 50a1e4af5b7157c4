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
    /// The record, or why it cannot be read.
    pub content: Result<Box<EventRecord>, serde_json::Error>,
}

/// Serves a stream until Lambda ends the process. `relay` takes a batch in order and answers the sequence number of
/// the first record that it could not relay, from which Lambda then starts again.
pub async fn run<F, Fut>(relay: F) -> Result<(), Error>
where
    F: Fn(Vec<Record>) -> Fut,
    Fut: Future<Output = Result<(), String>>,
{
    let relay = &relay;
    let serve = service_fn(|event: LambdaEvent<Batch>| async move {
        let records = event.payload.records.into_iter().map(read).collect();
        let failed = relay(records).await.err();
        Ok::<_, Error>(Answer {
            batch_item_failures: failed.into_iter().map(|item_identifier| Failed { item_identifier }).collect(),
        })
    });
    lambda_runtime::run(serve).await
}

fn read(record: serde_json::Value) -> Record {
    let sequence_number = record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned();
    Record { sequence_number, content: serde_json::from_value(record).map(Box::new) }
}
