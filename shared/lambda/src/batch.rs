//! The loop of a function that works off a queue: each message stands or falls alone.

use std::future::Future;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tracing::Instrument;
use waybill_domain::message::{
    AccountMessage, CustomerMessage, DocumentMessage, ExportMessage, ImportMessage, Message, RefundMessage,
    StockMessage,
};

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

/// What can stand on a queue.
pub trait Queued: DeserializeOwned {
    /// The message's own id, the same however often it comes.
    fn id(&self) -> String;
}

impl Queued for Message {
    fn id(&self) -> String {
        self.id.clone()
    }
}

/// What the queue of what is to be done at the payment provider brings.
#[derive(Clone, Debug)]
pub enum Payable {
    Refund(RefundMessage),
    Customer(CustomerMessage),
}

impl Queued for Payable {
    fn id(&self) -> String {
        match self {
            Payable::Refund(message) => message.id.clone(),
            Payable::Customer(message) => message.id.to_string(),
        }
    }
}

impl<'de> Deserialize<'de> for Payable {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let message = if value["event"]["type"].as_str().is_some_and(|tag| tag.starts_with("customer.")) {
            serde_json::from_value(value).map(Payable::Customer)
        } else {
            serde_json::from_value(value).map(Payable::Refund)
        };
        message.map_err(serde::de::Error::custom)
    }
}

impl Queued for DocumentMessage {
    fn id(&self) -> String {
        self.id.clone()
    }
}

impl Queued for ImportMessage {
    fn id(&self) -> String {
        self.id.clone()
    }
}

impl Queued for ExportMessage {
    fn id(&self) -> String {
        self.id.clone()
    }
}

/// What the mail queue brings: a change of an order, a letter about an account, or what there is to tell of stock.
#[derive(Clone, Debug)]
pub enum Mailable {
    Order(Box<Message>),
    Account(AccountMessage),
    Stock(StockMessage),
}

impl Queued for Mailable {
    fn id(&self) -> String {
        match self {
            Mailable::Order(message) => message.id.clone(),
            Mailable::Account(message) => message.id.to_string(),
            Mailable::Stock(message) => message.id.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for Mailable {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let tag = value["event"]["type"].as_str().unwrap_or_default();
        let message = if tag.starts_with("account.") {
            serde_json::from_value(value).map(Mailable::Account)
        } else if tag.starts_with("stock.") {
            serde_json::from_value(value).map(Mailable::Stock)
        } else {
            serde_json::from_value(value).map(|message| Mailable::Order(Box::new(message)))
        };
        // Not serde's own words: they may quote what the message says of somebody.
        message.map_err(|_| serde::de::Error::custom("not a message that is known here"))
    }
}

/// Serves a queue of messages until Lambda ends the process. A message that `act` fails on, or that is not one,
/// comes back alone, and after the queue's number of tries goes to its dead-letter queue.
pub async fn run<M, F, Fut, E>(act: F) -> Result<(), Error>
where
    M: Queued,
    F: Fn(M) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let act = &act;
    let serve =
        service_fn(|event: LambdaEvent<SqsEvent>| async move { Ok::<_, Error>(work_off(act, event.payload).await) });
    lambda_runtime::run(serve).await
}

/// Works off one batch of a queue.
pub async fn work_off<M, F, Fut, E>(act: &F, event: SqsEvent) -> Answer
where
    M: Queued,
    F: Fn(M) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let mut answer = Answer::default();
    for record in event.records {
        let id = record.message_id.clone().unwrap_or_default();
        let span = tracing::info_span!("message", sqs.id = id);
        if !handle(act, record).instrument(span).await {
            answer.batch_item_failures.push(Failed { item_identifier: id });
        }
    }
    answer
}

async fn handle<M, F, Fut, E>(act: &F, record: SqsMessage) -> bool
where
    M: Queued,
    F: Fn(M) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let message: M = match serde_json::from_str(&record.body.unwrap_or_default()) {
        Ok(message) => message,
        Err(error) => {
            // Only where it went wrong: the text around it may hold a customer's address.
            tracing::error!(line = error.line(), column = error.column(), "a message that cannot be read");
            return false;
        }
    };
    let id = message.id();
    match act(message).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(message.id = id, error = %error, "a message comes back");
            false
        }
    }
}
