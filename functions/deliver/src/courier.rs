//! What is done about one message: whether it is due, what is sent, and what is noted of it.

use std::time::Duration;

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::operation::change_message_visibility::{
    ChangeMessageVisibility, ChangeMessageVisibilityError, ChangeMessageVisibilityInput, ChangeMessageVisibilityOutput,
};
use serde_json::{Value, json};
use waybill_aws::{Operation, RuntimePlugin};
use waybill_domain::id::DeliveryId;
use waybill_domain::message::{Message, WebhookEvent, WebhookMessage};
use waybill_domain::webhook::{Asked, Delivery, Endpoint, Failure, Outcome, Secrets, TEST_TAG, TestHosts};
use waybill_domain::{SignedDuration, Timestamp};
use waybill_lambda::{clock, random};
use waybill_storage::{StorageError, Table};

use crate::send::Client;
use crate::signature::signatures;

static CHANGE_MESSAGE_VISIBILITY: Operation<
    ChangeMessageVisibilityInput,
    ChangeMessageVisibilityOutput,
    ChangeMessageVisibilityError,
> = Operation::new(|| ChangeMessageVisibility::new().config());

/// Carries messages to endpoints.
pub struct Courier {
    table: Table,
    sqs: waybill_aws::Client,
    queue: String,
    client: Client,
}

#[derive(Debug, thiserror::Error)]
pub enum NotCarried {
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Somebody else noted something of the same delivery meanwhile.
    #[error("it is being sent twice at once")]
    Overtaken,
    #[error("it cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
}

impl Courier {
    pub fn new(table: Table, sqs: waybill_aws::Client, queue: String, tests: TestHosts) -> Self {
        Courier { table, sqs, queue, client: Client::new(tests) }
    }

    /// Sends what a message is about, if it is due. Answers how long it is to stay away where it is to come again; None when
    /// nothing is left to be done.
    pub async fn carry(&self, message: WebhookMessage) -> Result<Option<SignedDuration>, NotCarried> {
        let WebhookMessage { id, endpoint_id, event, .. } = message;
        let (endpoint, secrets, logged) = tokio::try_join!(
            self.table.endpoint(endpoint_id),
            self.table.endpoint_secrets(endpoint_id),
            self.table.delivery(endpoint_id, id)
        )?;
        // Whoever deleted it wants nothing of it any more.
        let Some((endpoint, secrets)) = endpoint.zip(secrets) else { return Ok(None) };
        let (asked, delivery, seen) = match (&event, logged) {
            (WebhookEvent::Due { .. }, Some(logged)) => (Asked::BySchedule, logged.value, logged.version),
            (WebhookEvent::Due { message }, None) => {
                (Asked::BySchedule, Delivery::new(message, endpoint_id, clock::now()), 0)
            }
            (WebhookEvent::Asked, Some(logged)) => (Asked::ByStaff, logged.value, logged.version),
            // The log has forgotten it since.
            (WebhookEvent::Asked, None) => return Ok(None),
        };
        match delivery.due_in(asked, clock::now()) {
            None => return Ok(None),
            Some(wait) if wait > SignedDuration::ZERO => return Ok(Some(wait)),
            Some(_) => {}
        }
        let began = clock::now();
        let outcome = match (asked, endpoint.value.enabled) {
            (Asked::BySchedule, false) => Outcome::Failed(Failure::Disabled),
            (Asked::BySchedule, true) | (Asked::ByStaff, _) => match self.body(id, event, &delivery).await? {
                None => Outcome::Failed(Failure::Forgotten),
                Some(body) => self.send(&endpoint.value, &secrets, id, body).await,
            },
        };
        let ended = clock::now();
        let [jitter] = random::bytes();
        let tried = delivery.tried(asked, outcome, (began, ended), jitter);
        let since = endpoint.value.failing_since;
        tracing::info!(
            endpoint.id = %endpoint_id, delivery.id = %id, outcome = %outcome, tries = tried.tries,
            duration_ms = u64::try_from(ended.duration_since(began).as_millis()).unwrap_or_default(),
            "a webhook was sent"
        );
        if !self.table.keep_delivery(&tried, seen, ended).await? {
            return Err(NotCarried::Overtaken);
        }
        // Should this be lost, the next attempt notes the same.
        self.judge(&endpoint.value, asked, outcome, since, ended).await?;
        Ok(tried.due_in(asked, ended))
    }

    /// Has a message come again only after `wait`. Should that fail, it comes sooner, and is put off then.
    pub async fn put_off(&self, receipt: &str, wait: SignedDuration) {
        let wait = Duration::try_from(wait).unwrap_or_default();
        // Never before it is due, and at once is not worth a call.
        let seconds = i32::try_from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).unwrap_or(i32::MAX);
        let change = ChangeMessageVisibilityInput::builder().queue_url(&self.queue).receipt_handle(receipt);
        let change = change.visibility_timeout(seconds).build();
        if let Err(error) = self.sqs.call(&CHANGE_MESSAGE_VISIBILITY, change).await {
            tracing::warn!(error = %DisplayErrorContext(&error), "a message could not be put off");
        }
    }

    /// What is sent: of a change the message about it, of a test that it is one. None when the customer has left of whose order
    /// staff ask to be told once more.
    async fn body(
        &self,
        id: DeliveryId,
        event: WebhookEvent,
        delivery: &Delivery,
    ) -> Result<Option<String>, NotCarried> {
        let message = match (event, id) {
            (WebhookEvent::Due { message }, _) => Some(*message),
            (WebhookEvent::Asked, DeliveryId::Change { order, version }) => {
                self.table.order(order).await?.and_then(|order| delivery.told_again(&order, version))
            }
            (WebhookEvent::Asked, DeliveryId::Test(_)) => {
                return Ok(Some(test(id, delivery.created_at).to_string()));
            }
        };
        let message = message.map(|message| Message { places: None, ..message });
        Ok(message.map(|message| serde_json::to_string(&message)).transpose()?)
    }

    async fn send(&self, endpoint: &Endpoint, secrets: &Secrets, id: DeliveryId, body: String) -> Outcome {
        let (message, now) = (id.message(), clock::now());
        let signature = signatures(secrets, &message, now, body.as_bytes());
        let headers = [
            ("webhook-id", message),
            ("webhook-timestamp", now.as_second().to_string()),
            ("webhook-signature", signature),
        ];
        self.client.post(&endpoint.url, &headers, body).await
    }

    /// Notes what an outcome says of the endpoint. What staff asked for says nothing against it.
    async fn judge(
        &self,
        endpoint: &Endpoint,
        asked: Asked,
        outcome: Outcome,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let is_ours = matches!(outcome, Outcome::Failed(failure) if failure.is_ours());
        match (outcome.is_success(), asked) {
            (true, _) if since.is_some() => self.table.endpoint_answered(endpoint.id).await,
            (true, _) | (false, Asked::ByStaff) => Ok(()),
            (false, Asked::BySchedule) if is_ours => Ok(()),
            (false, Asked::BySchedule) => match endpoint.given_up(&outcome, now) {
                Some(reason) => {
                    if self.table.disable_endpoint(endpoint.id, reason, now).await? {
                        tracing::warn!(endpoint.id = %endpoint.id, reason = ?reason, "a webhook endpoint was disabled");
                    }
                    Ok(())
                }
                None if since.is_none() => self.table.endpoint_failed(endpoint.id, now).await,
                None => Ok(()),
            },
        }
    }
}

fn test(id: DeliveryId, at: Timestamp) -> Value {
    json!({ "id": id.message(), "at": at, "event": { "type": TEST_TAG } })
}
