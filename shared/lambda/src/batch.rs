//! The loop of a function that works off a queue: each message stands or falls alone.

use std::future::Future;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Serialize;
use tracing::Instrument;
use waybill_domain::message::Message;

/// What the queue is told: the messages that are to come back.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    pub batch_item_failures: Vec<Failed>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    pub item_identifier: String,
}

/// Serves a queue of [`Message`]s until Lambda ends the process. A message that `act` fails on, or that is not one,
/// comes back alone, and after the queue's number of tries goes to its dead-letter queue.
pub async fn run<F, Fut, E>(act: F) -> Result<(), Error>
where
    F: Fn(Message) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let act = &act;
    let serve = service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let mut answer = Answer::default();
        for record in event.payload.records {
            let id = record.message_id.clone().unwrap_or_default();
            let span = tracing::info_span!("message", sqs.id = id);
            if !handle(act, record).instrument(span).await {
                answer.batch_item_failures.push(Failed { item_identifier: id });
            }
        }
        Ok::<_, Error>(answer)
    });
    lambda_runtime::run(serve).await
}

async fn handle<F, Fut, E>(act: &F, record: SqsMessage) -> bool
where
    F: Fn(Message) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let message: Message = match serde_json::from_str(&record.body.unwrap_or_default()) {
        Ok(message) => message,
        Err(error) => {
            // Only where it went wrong: the text around it may hold a customer's address.
            tracing::error!(line = error.line(), column = error.column(), "a message that cannot be read");
            return false;
        }
    };
    let id = message.id.clone();
    match act(message).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(message.id = id, error = %error, "a message comes back");
            false
        }
    }
}
