//! Endpoints of webhooks, and the log of what was sent to them.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Deserialize;
use waybill_domain::id::{DeliveryId, EndpointId, OrderId};
use waybill_domain::message::{WebhookEvent, WebhookMessage};
use waybill_domain::webhook::{
    Delivery, DeliveryStatus, Disabled, DisabledFor, Endpoint, MAX_ENDPOINTS, Secret, Secrets,
};
use waybill_domain::{SignedDuration, Timestamp};

use crate::keys::{self, EXPIRES_AT, Index, Item, SUMMARY};
use crate::page::{Cursor, Page};
use crate::pricing::{Versioned, number};
use crate::table::{StorageError, Table, back_off, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// How long the log keeps a delivery after it was last tried.
pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How often a change starts again when others were faster.
const CHANGES: u32 = 8;
/// Queries of a page whose filter is not a partition.
const LOOKS: usize = 10;

/// Why an endpoint stayed as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointRefused {
    /// There are as many as there may be.
    TooMany,
    Unknown,
    /// It is not of the version that the change was meant for.
    Changed,
}

/// Which deliveries are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub status: Option<DeliveryStatus>,
    pub event: Option<String>,
    pub order: Option<OrderId>,
}

impl Wanted {
    fn has(&self, delivery: &Delivery) -> bool {
        self.status.is_none_or(|status| delivery.status == status)
            && self.event.as_ref().is_none_or(|event| delivery.event == *event)
            && self.order.is_none_or(|order| delivery.order_id == Some(order))
    }
}

enum NotKept {
    /// This very change is kept already: a write is sent again whose reply was lost.
    Kept,
    Changed,
}

impl Table {
    /// All endpoints, the oldest first, in one query: half a read unit for each 4 KB, twice that when `consistent`.
    pub async fn endpoints(&self, consistent: bool) -> Result<Vec<Endpoint>, StorageError> {
        let items = self.query(keys::WEBHOOKS, keys::ENDPOINT, consistent).await?;
        items.into_iter().map(from_item).collect()
    }

    pub async fn endpoint(&self, id: EndpointId) -> Result<Option<Versioned<Endpoint>>, StorageError> {
        self.get(&keys::endpoint(id), true).await?.map(versioned).transpose()
    }

    /// What an endpoint's requests are signed with.
    pub async fn endpoint_secrets(&self, id: EndpointId) -> Result<Option<Secrets>, StorageError> {
        self.get(&keys::endpoint_secrets(id), true).await?.map(from_item).transpose()
    }

    /// Keeps a new endpoint, of version 1, with its secret.
    pub async fn add_endpoint(&self, endpoint: &Endpoint, secret: Secret) -> Result<(), Refused<EndpointRefused>> {
        let mut secrets = to_item(&Secrets { current: secret, previous: None })?;
        secrets.extend(keys::endpoint_secrets(endpoint.id).item());
        let count = Write::update(&keys::endpoint_count(), "ADD #count :one")
            .only_if("attribute_not_exists(#count) OR #count < :most")
            .name("#count", "endpoints")
            .number(":one", 1)
            .number(":most", MAX_ENDPOINTS as i64);
        let twice = |_| Err(StorageError::Broken("an id was made twice".into()));
        Transaction::new()
            .write(Write::put(item(endpoint, 1)?).only_if_new(), twice)
            .write(Write::put(secrets).only_if_new(), twice)
            .write(count, |_| Ok(EndpointRefused::TooMany))
            .commit(self)
            .await
    }

    /// Changes an endpoint that is of this version; answers it as it is then, with its next version.
    pub async fn change_endpoint(
        &self,
        id: EndpointId,
        version: u64,
        change: impl Fn(Endpoint) -> Endpoint,
    ) -> Result<Versioned<Endpoint>, Refused<EndpointRefused>> {
        let refused = |reason| Refused::By(vec![reason]);
        for attempt in 0..CHANGES {
            let seen = self.endpoint(id).await?.ok_or_else(|| refused(EndpointRefused::Unknown))?;
            if seen.version != version {
                return Err(refused(EndpointRefused::Changed));
            }
            let changed = Versioned { value: change(seen.value.clone()), version: version.saturating_add(1) };
            let write = Write::put(item(&changed.value, changed.version)?).name("#since", "failing_since");
            // What came of deliveries in between does not make it another version, and is not to be lost.
            let write = match seen.value.failing_since {
                None => write.only_if("#version = :seen AND attribute_not_exists(#since)"),
                Some(since) => write.only_if("#version = :seen AND #since = :since").text(":since", since),
            };
            let write = write.name("#version", "version").number(":seen", signed(version));
            let ours = changed.clone();
            let kept = Transaction::new().write(write, move |item| {
                let is_ours = !item.is_empty() && versioned(item)? == ours;
                Ok(if is_ours { NotKept::Kept } else { NotKept::Changed })
            });
            match kept.commit(self).await {
                Ok(()) => return Ok(changed),
                Err(reasons) => match reasons.first()? {
                    NotKept::Kept => return Ok(changed),
                    NotKept::Changed => back_off(attempt).await,
                },
            }
        }
        Err(StorageError::Busy("an endpoint changed again and again".into()).into())
    }

    /// Deletes an endpoint and its secrets. What was sent to it stays in the table until its time is over.
    pub async fn remove_endpoint(&self, id: EndpointId) -> Result<(), Refused<EndpointRefused>> {
        let count =
            Write::update(&keys::endpoint_count(), "ADD #count :one").name("#count", "endpoints").number(":one", -1);
        let refused = |_| Err(StorageError::Broken("what nothing refuses was refused".into()));
        Transaction::new()
            .write(Write::delete(&keys::endpoint(id)).only_if("attribute_exists(pk)"), |_| Ok(EndpointRefused::Unknown))
            .write(Write::delete(&keys::endpoint_secrets(id)), refused)
            .write(count, refused)
            .commit(self)
            .await
    }

    /// Puts a new secret in front of the one that there is.
    pub async fn rotate_endpoint_secret(
        &self,
        id: EndpointId,
        secret: &Secret,
        now: Timestamp,
    ) -> Result<Secrets, Refused<EndpointRefused>> {
        let refused = |reason| Refused::By(vec![reason]);
        let seen = self.endpoint_secrets(id).await?.ok_or_else(|| refused(EndpointRefused::Unknown))?;
        let before = seen.current.as_str().to_owned();
        let rotated = seen.rotated(secret.clone(), now);
        let mut item = to_item(&rotated)?;
        item.extend(keys::endpoint_secrets(id).item());
        let write = Write::put(item).only_if("#current = :before").name("#current", "current").text(":before", before);
        let ours = rotated.clone();
        let kept = Transaction::new().write(write, move |item| {
            let is_ours = !item.is_empty() && from_item::<Secrets>(item)? == ours;
            Ok(if is_ours { NotKept::Kept } else { NotKept::Changed })
        });
        match kept.commit(self).await {
            Ok(()) => Ok(rotated),
            Err(reasons) => match reasons.first()? {
                NotKept::Kept => Ok(rotated),
                NotKept::Changed => Err(refused(EndpointRefused::Changed)),
            },
        }
    }

    /// Notes that an endpoint has answered well: one write, for one that had failed.
    pub async fn endpoint_answered(&self, id: EndpointId) -> Result<(), StorageError> {
        let write = Write::update(&keys::endpoint(id), "REMOVE #since")
            .only_if("attribute_exists(pk)")
            .name("#since", "failing_since");
        self.update(&write).await.map(drop)
    }

    /// Notes that nothing but failures comes of what is sent to an endpoint, from now on if it was not so before.
    pub async fn endpoint_failed(&self, id: EndpointId, now: Timestamp) -> Result<(), StorageError> {
        let write = Write::update(&keys::endpoint(id), "SET #since = :now")
            .only_if("attribute_exists(pk) AND attribute_not_exists(#since)")
            .name("#since", "failing_since")
            .text(":now", now);
        self.update(&write).await.map(drop)
    }

    /// Disables an endpoint. False where it was disabled already, or is not there.
    pub async fn disable_endpoint(
        &self,
        id: EndpointId,
        reason: DisabledFor,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let disabled = AttributeValue::M(to_item(&Disabled { reason, at: now })?);
        let write = Write::update(&keys::endpoint(id), "SET #enabled = :no, #disabled = :disabled ADD #version :one")
            .only_if("attribute_exists(pk) AND #enabled = :yes")
            .name("#enabled", "enabled")
            .name("#disabled", "disabled")
            .name("#version", "version")
            .value(":yes", AttributeValue::Bool(true))
            .value(":no", AttributeValue::Bool(false))
            .value(":disabled", disabled)
            .number(":one", 1);
        Ok(self.update(&write).await?.is_ok())
    }

    pub async fn delivery(
        &self,
        endpoint: EndpointId,
        id: DeliveryId,
    ) -> Result<Option<Versioned<Delivery>>, StorageError> {
        self.get(&keys::delivery(endpoint, id), true).await?.map(logged).transpose()
    }

    /// Keeps a delivery over the version that was seen of it, 0 for none. False where somebody else was faster.
    pub async fn keep_delivery(&self, delivery: &Delivery, seen: u64, now: Timestamp) -> Result<bool, StorageError> {
        let Delivery { endpoint_id, id, status, created_at, .. } = *delivery;
        let mut item = Item::from([(SUMMARY.to_owned(), AttributeValue::M(to_item(delivery)?))]);
        item.extend(keys::delivery(endpoint_id, id).item());
        item.extend(keys::delivered_to(endpoint_id, created_at, id).item());
        item.extend(keys::deliveries_by_status(endpoint_id, status, created_at, id).item());
        // The stream's filter looks at it.
        item.insert("status".into(), AttributeValue::S(status.as_str().into()));
        item.insert("version".into(), AttributeValue::N((seen + 1).to_string()));
        item.insert(EXPIRES_AT.into(), AttributeValue::N((now + KEPT).as_second().to_string()));
        let write = match seen {
            0 => Write::put(item).only_if_new(),
            seen => {
                Write::put(item).only_if("#version = :seen").name("#version", "version").number(":seen", signed(seen))
            }
        };
        let kept = Transaction::new().write(write, |item| Ok(if item.is_empty() { None } else { Some(logged(item)?) }));
        match kept.commit(self).await {
            Ok(()) => Ok(true),
            // It may be this very write, sent again.
            Err(refused) => {
                Ok(refused.first()?.is_some_and(|kept| kept.value == *delivery && kept.version == seen + 1))
            }
        }
    }

    /// Has a delivery of the log sent once more, which announces it; None where there is none.
    pub async fn ask_for_delivery(
        &self,
        endpoint: EndpointId,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Option<Delivery>, StorageError> {
        for attempt in 0..CHANGES {
            let Some(seen) = self.delivery(endpoint, id).await? else { return Ok(None) };
            let asked = Delivery { status: DeliveryStatus::Asked, ..seen.value };
            if self.keep_delivery(&asked, seen.version, now).await? {
                return Ok(Some(asked));
            }
            back_off(attempt).await;
        }
        Err(StorageError::Busy("a delivery changed again and again".into()))
    }

    /// A page of what was sent to an endpoint, the newest first; of one order, the latest change first. A page may be shorter
    /// than `limit` though there is a next: it is made of ten queries at most.
    pub async fn deliveries(
        &self,
        endpoint: EndpointId,
        wanted: &Wanted,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<Page<Delivery>, StorageError> {
        let (index, partition) = match (wanted.order, wanted.status) {
            (Some(order), _) => (None, keys::deliveries_about(endpoint, Some(order.number()))),
            (None, Some(status)) => (Some(Index::Gsi2), keys::deliveries_that_are(endpoint, status)),
            (None, None) => (Some(Index::Gsi1), keys::deliveries_to(endpoint)),
        };
        let back = cursor.as_ref().is_some_and(Cursor::is_back);
        let (mut cursor, mut found) = (cursor, Page { items: Vec::new(), next: None, previous: None });
        for look in 0..LOOKS {
            let missing = limit.saturating_sub(u8::try_from(found.items.len()).unwrap_or(u8::MAX));
            let page: Page<Delivery> = self.page_of(index, &partition, None, missing, cursor).await?;
            let items = page.items.into_iter().filter(|delivery| wanted.has(delivery));
            if back {
                found.items.splice(0..0, items);
                found.previous = page.previous;
                if look == 0 {
                    found.next = page.next;
                }
                cursor = found.previous.clone();
            } else {
                found.items.extend(items);
                found.next = page.next;
                if look == 0 {
                    found.previous = page.previous;
                }
                cursor = found.next.clone();
            }
            if cursor.is_none() || found.items.len() >= usize::from(limit) {
                break;
            }
        }
        Ok(found)
    }
}

/// What an item of the stream asks for.
pub(crate) fn asked(image: serde_dynamo::Item) -> serde_dynamo::Result<Option<WebhookMessage>> {
    #[derive(Deserialize)]
    struct Logged {
        summary: Delivery,
    }
    let Logged { summary: delivery } = serde_dynamo::from_item(image)?;
    Ok((delivery.status == DeliveryStatus::Asked).then_some(WebhookMessage {
        id: delivery.id,
        at: delivery.created_at,
        endpoint_id: delivery.endpoint_id,
        event: WebhookEvent::Asked,
    }))
}

fn item(endpoint: &Endpoint, version: u64) -> Result<Item, StorageError> {
    let mut item = to_item(endpoint)?;
    item.extend(keys::endpoint(endpoint.id).item());
    item.insert("version".into(), AttributeValue::N(version.to_string()));
    Ok(item)
}

fn versioned(item: Item) -> Result<Versioned<Endpoint>, StorageError> {
    Ok(Versioned { version: number(&item, "version")?, value: from_item(item)? })
}

fn logged(mut item: Item) -> Result<Versioned<Delivery>, StorageError> {
    let version = number(&item, "version")?;
    match item.remove(SUMMARY) {
        Some(AttributeValue::M(delivery)) => Ok(Versioned { value: from_item(delivery)?, version }),
        _ => Err(StorageError::Broken("a delivery says nothing".into())),
    }
}

fn signed(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}
