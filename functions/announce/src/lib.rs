//! The outbox relay: every change of an order, refunds and documents that are due, every letter about an account, and that it has
//! gone, what there is to tell of stock, every part of an import, every step of an export, and what is to be sent to endpoints
//! of webhooks, from the table's stream to the queues.

#[cfg(test)]
mod tests;

mod feeds;
mod hearers;
mod webhooks;

use std::collections::HashMap;

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::operation::send_message_batch::{
    SendMessageBatch, SendMessageBatchError, SendMessageBatchInput, SendMessageBatchOutput,
};
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use serde_json::json;
use waybill_aws::{Client, Operation, RuntimePlugin};
use waybill_domain::Timestamp;
use waybill_domain::message::{Event, Message, StockEvent};
use waybill_lambda::stream::Record;
use waybill_storage::Table;
use waybill_storage::outbox::{Announcement, announcement};

pub use webhooks::Endpoints;

static SEND_MESSAGE_BATCH: Operation<SendMessageBatchInput, SendMessageBatchOutput, SendMessageBatchError> =
    Operation::new(|| SendMessageBatch::new().config());

/// Messages that SQS takes in one call.
const BATCH: usize = 10;
/// Seconds until a message comes that is sent for later: the most that SQS takes.
const LATER: i32 = 15 * 60;

/// A message that a record announces.
struct Announced {
    sequence_number: String,
    text: String,
    to: Audience,
    /// What is to be appended to the feeds before it is pushed.
    update: Option<Box<Message>>,
}

/// Who is to hear of it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Audience {
    mail: bool,
    push: bool,
    stock: bool,
    import: bool,
    refund: bool,
    document: bool,
    export: bool,
    webhook: bool,
    /// Somebody has to look at it.
    dead_letters: bool,
    /// Seconds until they do.
    after: i32,
}

impl Audience {
    const NOBODY: Audience = Audience {
        mail: false,
        push: false,
        stock: false,
        import: false,
        refund: false,
        document: false,
        export: false,
        webhook: false,
        dead_letters: false,
        after: 0,
    };
}

/// The queues' addresses.
pub struct Queues {
    pub mail: String,
    pub push: String,
    pub stock: String,
    pub import: String,
    pub refund: String,
    pub document: String,
    pub export: String,
    pub webhook: String,
    /// Where a record goes that cannot be read.
    pub dead_letters: String,
}

/// Sends what the records announce, in order, and appends to the feeds what is pushed. Answers the first record that some
/// queue or feed did not take; it and those behind it come again, which consumers expect. What no browser follows is in the
/// feeds only. A record that cannot be read holds nobody up: which it was is a dead letter.
pub async fn relay(
    client: &Client,
    table: &Table,
    queues: &Queues,
    endpoints: &Endpoints,
    records: Vec<Record>,
    now: Timestamp,
) -> Result<(), String> {
    let mut announced = read(records);
    // What a feed did not take is not pushed, and so comes again; nobody else waits for that.
    let mut untold = feeds::place(table, &mut announced, now).await;
    hearers::look(table, &mut announced).await;
    untold.extend(webhooks::add(table, endpoints, &mut announced, now).await);
    for batch in announced.chunks(BATCH) {
        let mut refused = Vec::new();
        for (queue, hears) in [
            (&queues.mail, (|to| to.mail) as fn(Audience) -> bool),
            (&queues.push, |to| to.push),
            (&queues.stock, |to| to.stock),
            (&queues.import, |to| to.import),
            (&queues.refund, |to| to.refund),
            (&queues.document, |to| to.document),
            (&queues.export, |to| to.export),
            (&queues.webhook, |to| to.webhook),
            (&queues.dead_letters, |to| to.dead_letters),
        ] {
            let heard: Vec<_> = batch.iter().filter(|announced| hears(announced.to)).collect();
            // The other queues are told all the same: what is before the record that one did not take does not come again.
            if !heard.is_empty() {
                refused.extend(send(client, queue, &heard).await.err());
            }
        }
        let is_refused = |announced: &&Announced| {
            refused.contains(&announced.sequence_number) || untold.contains(&announced.sequence_number)
        };
        if let Some(first) = batch.iter().find(is_refused) {
            return Err(first.sequence_number.clone());
        }
    }
    Ok(())
}

/// What is announced, and which records cannot be read.
fn read(records: Vec<Record>) -> Vec<Announced> {
    let mut announced = Vec::new();
    for record in records {
        let sequence_number = record.sequence_number;
        let of = |text, to, update| Announced { sequence_number: sequence_number.clone(), text, to, update };
        let image = record.content.map(|record| record.change.new_image).map_err(|error| error.to_string());
        let announcement = image.and_then(|image| announcement(image).map_err(|error| error.to_string()));
        match announcement.and_then(|found| found.map(texts).transpose().map_err(|error| error.to_string())) {
            Ok(None) => {}
            Ok(Some((update, texts))) => {
                announced.extend(texts.into_iter().map(|(text, to)| of(text, to, None)));
                // Written once it has its places.
                announced.extend(update.map(|update| of(String::new(), Audience::NOBODY, Some(update))));
            }
            Err(error) => {
                tracing::error!(sequence_number, error, "a record that cannot be read");
                let letter = json!({ "sequence_number": sequence_number, "keys": record.keys, "error": error });
                announced.push(of(letter.to_string(), Audience { dead_letters: true, ..Audience::NOBODY }, None));
            }
        }
    }
    announced
}

/// What those who follow orders are told, and what others are.
type Texts = (Option<Box<Message>>, Vec<(String, Audience)>);

/// The texts of what an item announces, each with who is to hear it.
fn texts(announcement: Announcement) -> Result<Texts, serde_json::Error> {
    let (mut update, mut texts) = (None, Vec::new());
    match announcement {
        Announcement::Order { message, refund, document } => {
            if let Some(message) = message {
                let to = Audience { mail: message.is_mailed(), stock: moves_goods(&message.event), ..Audience::NOBODY };
                if to != Audience::NOBODY {
                    texts.push((serde_json::to_string(&message)?, to));
                }
                update = Some(message);
            }
            if let Some(message) = refund {
                texts.push((serde_json::to_string(&message)?, Audience { refund: true, ..Audience::NOBODY }));
            }
            if let Some(message) = document {
                texts.push((serde_json::to_string(&message)?, Audience { document: true, ..Audience::NOBODY }));
            }
        }
        Announcement::Letter(message) => {
            texts.push((serde_json::to_string(&message)?, Audience { mail: true, ..Audience::NOBODY }));
        }
        Announcement::Customer(message) => {
            let text = serde_json::to_string(&message)?;
            // Once more when whatever was under way as the account went has come to its end.
            for after in [0, LATER] {
                texts.push((text.clone(), Audience { refund: true, after, ..Audience::NOBODY }));
            }
        }
        Announcement::Stock(message) => {
            let stock = matches!(message.event, StockEvent::Changed);
            texts.push((serde_json::to_string(&message)?, Audience { mail: !stock, stock, ..Audience::NOBODY }));
        }
        Announcement::Import(messages) => {
            for message in messages {
                texts.push((serde_json::to_string(&message)?, Audience { import: true, ..Audience::NOBODY }));
            }
        }
        Announcement::Export(message) => {
            texts.push((serde_json::to_string(&message)?, Audience { export: true, ..Audience::NOBODY }));
        }
        Announcement::Webhook(message) => {
            texts.push((serde_json::to_string(&message)?, Audience { webhook: true, ..Audience::NOBODY }));
        }
    }
    Ok((update, texts))
}

/// Whether it takes goods, from those who may order or off the shelf, or gives them back.
fn moves_goods(event: &Event) -> bool {
    match event {
        Event::Placed
        | Event::Paid
        | Event::Cancelled
        | Event::Expired
        | Event::CancelledWithRefund { .. }
        | Event::RestCancelled { .. }
        | Event::ReturnReceived { .. } => true,
        Event::PaymentStarted
        | Event::PaymentDeclined
        | Event::PaymentExpired
        | Event::PaymentAuthorised
        | Event::Processing
        | Event::AddressChanged
        | Event::PartiallyShipped { .. }
        | Event::Shipped { .. }
        | Event::ShipmentDelivered { .. }
        | Event::Delivered
        | Event::PaidLate { .. }
        | Event::RefundRequested { .. }
        | Event::Refunded { .. }
        | Event::RefundFailed { .. }
        | Event::DisputeOpened { .. }
        | Event::DisputeUpdated { .. }
        | Event::DisputeClosed { .. }
        | Event::ReturnRequested { .. }
        | Event::ReturnApproved { .. }
        | Event::ReturnRefused { .. }
        | Event::Exchanged { .. } => false,
    }
}

async fn send(client: &Client, queue: &str, messages: &[&Announced]) -> Result<(), String> {
    let first = || messages[0].sequence_number.clone();
    let entries = messages.iter().enumerate().map(|(index, announced)| {
        let entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(&announced.text);
        // What is not said is zero; a queue of another delay would otherwise lose its own.
        let after = (announced.to.after > 0).then_some(announced.to.after);
        entry.set_delay_seconds(after).build()
    });
    let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|_| first())?;
    let input = SendMessageBatchInput::builder().queue_url(queue).set_entries(Some(entries)).build();
    let answer = client.call(&SEND_MESSAGE_BATCH, input).await;
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
            Err(messages[index].sequence_number.clone())
        }
    }
}
