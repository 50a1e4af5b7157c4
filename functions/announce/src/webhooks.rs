//! Tells the merchant's own endpoints: of each change a message for each endpoint that hears of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use waybill_domain::id::DeliveryId;
use waybill_domain::message::{Message, WebhookEvent, WebhookMessage};
use waybill_domain::webhook::Endpoint;
use waybill_domain::{SignedDuration, Timestamp};
use waybill_storage::{StorageError, Table};

use crate::{Announced, Audience};

/// The shop's endpoints, as they were a moment ago.
pub struct Endpoints {
    lifetime: SignedDuration,
    known: Mutex<Option<(Timestamp, Arc<Vec<Endpoint>>)>>,
}

impl Endpoints {
    /// What is known is good for `lifetime`: so long a new endpoint may hear nothing. A shop without any pays one query in
    /// that time, and nothing for what happens.
    pub fn new(lifetime: SignedDuration) -> Self {
        Endpoints { lifetime, known: Mutex::default() }
    }

    async fn look(&self, table: &Table, now: Timestamp) -> Result<Arc<Vec<Endpoint>>, StorageError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, endpoints)) = known.filter(|(at, _)| now.duration_since(*at) < self.lifetime) {
            return Ok(endpoints);
        }
        let endpoints = Arc::new(table.endpoints(false).await?);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, endpoints.clone()));
        Ok(endpoints)
    }
}

/// Puts behind each update what endpoints are sent of it. Answers the sequence numbers of those that it is not known of who
/// hears them.
pub async fn add(
    table: &Table,
    endpoints: &Endpoints,
    announced: &mut Vec<Announced>,
    now: Timestamp,
) -> BTreeSet<String> {
    let is_update = |announced: &&Announced| announced.update.is_some();
    if !announced.iter().any(|announced| is_update(&announced)) {
        return BTreeSet::new();
    }
    let endpoints = match endpoints.look(table, now).await {
        Ok(endpoints) => endpoints,
        Err(error) => {
            tracing::error!(error = %error, "the webhook endpoints could not be read");
            return announced.iter().filter(is_update).map(|announced| announced.sequence_number.clone()).collect();
        }
    };
    if !endpoints.iter().any(|endpoint| endpoint.enabled) {
        return BTreeSet::new();
    }
    for update in std::mem::take(announced) {
        let sent = update.update.as_deref().map_or_else(Vec::new, |message| texts(message, &endpoints));
        let sequence_number = update.sequence_number.clone();
        announced.push(update);
        announced.extend(sent.into_iter().map(|text| Announced {
            sequence_number: sequence_number.clone(),
            text,
            to: Audience { webhook: true, ..Audience::NOBODY },
            update: None,
        }));
    }
    BTreeSet::new()
}

fn texts(message: &Message, endpoints: &[Endpoint]) -> Vec<String> {
    let hearing = endpoints.iter().filter(|endpoint| endpoint.hears(message.event.tag()));
    let due = hearing.map(|endpoint| WebhookMessage {
        id: DeliveryId::of(message.order.id, message.order.version),
        at: message.at,
        endpoint_id: endpoint.id,
        event: WebhookEvent::Due { message: Box::new(message.clone()) },
    });
    due.filter_map(|due| serde_json::to_string(&due).ok()).collect()
}
