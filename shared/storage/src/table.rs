//! The table and its failures: what a request can do nothing about, told apart from what it can.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::keys::{self, Item, Key};

/// The shop's table. Cheap to clone.
#[derive(Clone)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
}

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Others wrote the same items, or the table throttled, and it did not clear up in time. Nothing was written;
    /// the same request may succeed in a moment.
    #[error("the table is busy: {0}")]
    Busy(String),
    /// Anything else; the text is for the log, never for a client.
    #[error("the table failed: {0}")]
    Broken(String),
}

impl Table {
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Table { client, name: name.into() }
    }

    /// Opens the connection, so that the first request need not: one read of an item that is always small.
    pub async fn warm_up(&self) -> Result<(), StorageError> {
        self.get(&keys::signing_keys(), false).await.map(drop)
    }

    /// Reads one item: half a read unit for each 4 KB, a whole one when `consistent`.
    pub(crate) async fn get(&self, key: &Key, consistent: bool) -> Result<Option<Item>, StorageError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key.item()))
            .consistent_read(consistent)
            .send()
            .await
            .map_err(StorageError::from_sdk)?;
        Ok(answer.item)
    }

    /// All items of a small partition: one query for each 1 MB, as with `get` at half a read unit or a whole one.
    pub(crate) async fn partition(&self, pk: &str, consistent: bool) -> Result<Vec<Item>, StorageError> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.name)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
                .set_exclusive_start_key(start)
                .consistent_read(consistent)
                .send()
                .await
                .map_err(StorageError::from_sdk)?;
            items.extend(answer.items.unwrap_or_default());
            match answer.last_evaluated_key {
                Some(last) => start = Some(last),
                None => return Ok(items),
            }
        }
    }
}

impl StorageError {
    pub(crate) fn from_sdk<E>(error: SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let busy = error.code().is_some_and(is_busy);
        // Not the SDK's own account of it, which quotes the answer: an item of it may hold somebody's address.
        let causes = std::iter::successors(Some(&error as &dyn Error), |&error| error.source());
        let cause = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        if busy { StorageError::Busy(cause) } else { StorageError::Broken(cause) }
    }
}

/// Error codes, also those of cancellation reasons, that a retry may clear up.
pub(crate) fn is_busy(code: &str) -> bool {
    matches!(
        code,
        "TransactionConflict"
            | "TransactionConflictException"
            | "TransactionInProgressException"
            | "ThrottlingError"
            | "ThrottlingException"
            | "ProvisionedThroughputExceeded"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
    )
}

/// Waits up to twice as long with each attempt, at random (full jitter), so that those who met do not meet again.
pub(crate) async fn back_off(attempt: u32) {
    let longest = 10_u64 << attempt.min(6);
    let wait = getrandom::u64().map_or(longest / 2, |random| random % longest);
    tokio::time::sleep(Duration::from_millis(wait)).await;
}

/// A value as an item. Our own types always fit one, but an item may be read that an older or newer release wrote.
pub(crate) fn to_item<T: Serialize>(value: &T) -> Result<Item, StorageError> {
    serde_dynamo::to_item(value).map_err(|error| StorageError::Broken(format!("cannot be written: {error}")))
}

pub(crate) fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, StorageError> {
    serde_dynamo::from_item(item).map_err(|error| StorageError::Broken(format!("cannot be read: {error}")))
}
