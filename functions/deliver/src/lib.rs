//! Sends webhooks: what the queue brings, to the endpoint that it is for, until it is delivered or its time is over. Each
//! message stands or falls alone. It may come twice, late and in any order: what became of it so far, the log says.

mod connect;
mod courier;
mod send;
pub mod signature;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use futures_util::future::join_all;
use tracing::Instrument;
use waybill_domain::message::WebhookMessage;
use waybill_lambda::batch::{Answer, Failed};

pub use courier::Courier;
pub use send::Client;

/// Works off one batch of the queue, all of it at once: one endpoint that is slow holds up nothing but its own.
pub async fn work_off(courier: &Courier, event: SqsEvent) -> Answer {
    let handled = event.records.into_iter().map(|record| async move {
        let id = record.message_id.clone().unwrap_or_default();
        let span = tracing::info_span!("message", sqs.id = id);
        (handle(courier, record).instrument(span).await, id)
    });
    let failed = join_all(handled).await.into_iter().filter(|(done, _)| !done);
    Answer { batch_item_failures: failed.map(|(_, item_identifier)| Failed { item_identifier }).collect() }
}

/// Whether nothing is left to be done about a message.
async fn handle(courier: &Courier, record: SqsMessage) -> bool {
    let message: WebhookMessage = match serde_json::from_str(&record.body.unwrap_or_default()) {
        Ok(message) => message,
        Err(error) => {
            // Only where it went wrong: the text around it may hold a customer's address.
            tracing::error!(line = error.line(), column = error.column(), "a message that cannot be read");
            return false;
        }
    };
    let (endpoint, id) = (message.endpoint_id, message.id);
    match courier.carry(message).await {
        Ok(None) => true,
        Ok(Some(wait)) => {
            courier.put_off(&record.receipt_handle.unwrap_or_default(), wait).await;
            false
        }
        Err(error) => {
            tracing::warn!(endpoint.id = %endpoint, delivery.id = %id, error = %error, "a message comes back");
            false
        }
    }
}
