//! The outbox relay: every change of an order, from the table's stream to the queues.

use std::collections::HashMap;

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use waybill_lambda::aws::Aws;
use waybill_lambda::stream::Record;
use waybill_lambda::{Error, log, settings, stream};
use waybill_storage::orders::announcement;

/// Messages that SQS takes in one call.
const BATCH: usize = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let client = Aws::from_environment()?.queues();
    let queues = settings::read(|variables| [variables.text("MAIL_QUEUE_URL"), variables.text("PUSH_QUEUE_URL")])?;
    stream::run(|records| relay(&client, &queues, records)).await
}

/// Sends what the records announce, in order. Answers the first record that could not be sent; those behind it come
/// again with it, which consumers expect.
async fn relay(client: &aws_sdk_sqs::Client, queues: &[String], records: Vec<Record>) -> Result<(), String> {
    let (mut messages, unreadable) = read(records);
    while !messages.is_empty() {
        let rest = messages.split_off(BATCH.min(messages.len()));
        for queue in queues {
            send(client, queue, &messages).await?;
        }
        messages = rest;
    }
    unreadable.map_or(Ok(()), Err)
}

/// The messages before the first record that cannot be read, as (sequence number, text), and that record.
fn read(records: Vec<Record>) -> (Vec<(String, String)>, Option<String>) {
    let mut messages = Vec::new();
    for record in records {
        let image = record.content.map(|record| record.change.new_image);
        let message = image.map_err(|error| error.to_string()).and_then(|image| {
            let message = announcement(image).map_err(|error| error.to_string())?;
            message.map(|message| serde_json::to_string(&message)).transpose().map_err(|error| error.to_string())
        });
        match message {
            Ok(Some(message)) => messages.push((record.sequence_number, message)),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(sequence_number = record.sequence_number, error, "a record that cannot be read");
                return (messages, Some(record.sequence_number));
            }
        }
    }
    (messages, None)
}

async fn send(client: &aws_sdk_sqs::Client, queue: &str, messages: &[(String, String)]) -> Result<(), String> {
    let first = || messages[0].0.clone();
    let entries = messages.iter().enumerate().map(|(index, (_, text))| {
        SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(text).build()
    });
    let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|_| first())?;
    let answer = client.send_message_batch().queue_url(queue).set_entries(Some(entries)).send().await;
    let answer = answer.map_err(|error| {
        tracing::warn!(error = %DisplayErrorContext(&error), "a queue took nothing");
        first()
    })?;
    let failed: HashMap<_, _> = answer.failed().iter().map(|entry| (entry.id(), entry.code())).collect();
    let lost = (0..messages.len()).find(|index| failed.contains_key(index.to_string().as_str()));
    match lost {
        None => Ok(()),
        Some(index) => {
            tracing::warn!(failed = failed.len(), "a queue refused messages");
            Err(messages[index].0.clone())
        }
    }
}
