//! An SQS queue as the source of a function's invocations.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Report, Stopped, Verdict, verdict};
use crate::aws::{Aws, REGION};
use crate::functions::InvokeError;
use crate::lambda::Invoke;
use crate::queues::wire::{md5_hex, md5_of_attributes, system_attributes};
use crate::queues::{QueueError, Queues, Received, queue_arn};
use crate::template::QueueMapping;

/// Batches of one mapping that may be under way at once.
pub(super) const POLLERS: usize = 3;

const LONG_POLL: Duration = Duration::from_secs(20);
const BUSY_PAUSE: Duration = Duration::from_millis(250);

pub(super) async fn poll(mapping: QueueMapping, aws: Aws, report: Report, mut stopped: Stopped) {
    while let Some(batch) = stopped.unless(next_batch(&aws.queues, &mapping)).await {
        let outcome = match batch {
            Ok(batch) if batch.is_empty() => continue,
            Ok(batch) => deliver(&mapping, &aws, &batch).await,
            Err(error) => {
                report(format!("{}: {}: {error}", mapping.function, mapping.queue));
                return;
            }
        };
        if let Err(trouble) = outcome {
            report(format!("{}: a batch of {} {trouble}", mapping.function, mapping.queue));
        }
    }
}

/// What is there, or what comes within the mapping's window after the first message.
async fn next_batch(queues: &Queues, mapping: &QueueMapping) -> Result<Vec<Received>, QueueError> {
    let mut batch = queues.receive(&mapping.queue, mapping.batch_size, None, LONG_POLL).await?;
    let until = Instant::now() + mapping.window;
    while !batch.is_empty() && batch.len() < mapping.batch_size && Instant::now() < until {
        let missing = mapping.batch_size - batch.len();
        batch.extend(queues.receive(&mapping.queue, missing, None, until - Instant::now()).await?);
    }
    Ok(batch)
}

/// Deletes what the function has done. What failed stays invisible until its time is over, then it comes again.
async fn deliver(mapping: &QueueMapping, aws: &Aws, batch: &[Received]) -> Result<(), String> {
    let event = json!({ "Records": batch.iter().map(|received| record(&mapping.queue, received)).collect::<Vec<_>>() });
    let visibility = aws.queues.settings(&mapping.queue).map_err(|error| error.to_string())?.visibility_timeout;
    let response =
        invoke(&aws.invoke, &mapping.function, &event, visibility).await.map_err(|error| format!("failed: {error}"))?;
    let failed = match verdict(&response, |id| batch.iter().any(|received| received.message.id == id)) {
        Verdict::Some(failed) if mapping.reports_item_failures => failed,
        Verdict::All(why) if mapping.reports_item_failures => {
            return Err(format!("counts as failed: {why}"));
        }
        _ => Vec::new(),
    };
    for received in batch.iter().filter(|received| !failed.contains(&received.message.id)) {
        aws.queues.delete(&mapping.queue, &received.receipt).map_err(|error| error.to_string())?;
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("was done in part: {} of {} messages failed", failed.len(), batch.len()))
}

/// A function that is busy is asked again for as long as the messages are held.
async fn invoke(invoke: &Invoke, function: &str, event: &Value, held_for: Duration) -> Result<Vec<u8>, InvokeError> {
    let until = Instant::now() + held_for;
    loop {
        match invoke.call(function, event.to_string().into_bytes()).await {
            Err(InvokeError::Busy) if Instant::now() + BUSY_PAUSE < until => tokio::time::sleep(BUSY_PAUSE).await,
            answer => return answer,
        }
    }
}

fn record(queue: &str, received: &Received) -> Value {
    let message = &received.message;
    let attributes = message.attributes.iter().map(|(name, attribute)| {
        let mut value = json!({ "dataType": attribute.data_type, "stringListValues": [], "binaryListValues": [] });
        if let Some(text) = &attribute.string_value {
            value["stringValue"] = json!(text);
        }
        if let Some(binary) = &attribute.binary_value {
            value["binaryValue"] = json!(binary);
        }
        (name.clone(), value)
    });
    let mut record = json!({
        "messageId": message.id,
        "receiptHandle": received.receipt,
        "body": message.body,
        "attributes": system_attributes(received),
        "messageAttributes": attributes.collect::<serde_json::Map<_, _>>(),
        "md5OfBody": md5_hex(message.body.as_bytes()),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn(queue),
        "awsRegion": REGION,
    });
    if !message.attributes.is_empty() {
        record["md5OfMessageAttributes"] = json!(md5_of_attributes(&message.attributes));
    }
    record
}
