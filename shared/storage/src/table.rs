//! The table and its failures: what a request can do nothing about, told apart from what it can.

use std::error::Error;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, Get, KeysAndAttributes, TransactGetItem};
use serde::Serialize;
use serde::de::DeserializeOwned;
use waybill_aws::{Client, Failed};

use crate::keys::{self, Item, Key};
use crate::operations::{
    BATCH_GET_ITEM, BatchGetItemInput, GET_ITEM, GetItemInput, QUERY, QueryInput, TRANSACT_GET_ITEMS,
    TransactGetItemsError, TransactGetItemsInput,
};
use crate::random;
use crate::spreading::Scarce;

/// The shop's table. Cheap to clone.
#[derive(Clone)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    /// What this process has found to run low.
    pub(crate) scarce: Scarce,
}

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Others wrote the same items, or the table throttled or failed within, and it did not clear up in time. The same
    /// request, with the same key, may succeed in a moment.
    #[error("the table is busy: {0}")]
    Busy(String),
    /// The table did not answer, though it was asked again. Nobody knows whether it was written; the same request, with the
    /// same key, finds out.
    #[error("the table did not answer: {0}")]
    Unreached(String),
    /// Anything else; the text is for the log, never for a client.
    #[error("the table failed: {0}")]
    Broken(String),
}

impl Table {
    /// The table of this name, asked by a client of DynamoDB.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Table { client, name: name.into(), scarce: Scarce::default() }
    }

    /// Opens the connection, so that the first request need not: one read of an item that is always small.
    pub async fn warm_up(&self) -> Result<(), StorageError> {
        self.get(&keys::signing_keys(), false).await.map(drop)
    }

    /// Reads one item: half a read unit for each 4 KB, a whole one when `consistent`.
    pub(crate) async fn get(&self, key: &Key, consistent: bool) -> Result<Option<Item>, StorageError> {
        let answer = self
            .client
            .call(
                &GET_ITEM,
                GetItemInput::builder()
                    .table_name(&self.name)
                    .set_key(Some(key.item()))
                    .consistent_read(consistent)
                    .build(),
            )
            .await
            .map_err(StorageError::from_sdk)?;
        Ok(answer.item)
    }

    /// Items as they were at one moment, which no transaction lies across: one call, two read units for each 4 KB of each.
    /// Meeting a transaction is retried with jitter.
    pub(crate) async fn at_once<const N: usize>(&self, keys: [Key; N]) -> Result<[Option<Item>; N], StorageError> {
        let get = |key: &Key| {
            let get = Get::builder().table_name(&self.name).set_key(Some(key.item())).build();
            TransactGetItem::builder().get(get.expect("a read names its table and its key")).build()
        };
        let gets: Vec<_> = keys.iter().map(get).collect();
        let mut attempt = 0;
        loop {
            let input = TransactGetItemsInput::builder().set_transact_items(Some(gets.clone())).build();
            let error = match self.client.call(&TRANSACT_GET_ITEMS, input).await {
                Ok(answer) => {
                    let mut items = answer.responses.unwrap_or_default().into_iter().map(|response| response.item);
                    return Ok(keys.map(|_| items.next().flatten()));
                }
                Err(error) => error,
            };
            let reasons = match error.as_service_error() {
                Some(TransactGetItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons()
                }
                Some(_) | None => return Err(StorageError::from_sdk(error)),
            };
            match reasons.iter().filter_map(|reason| reason.code()).find(|code| is_busy(code)) {
                None => return Err(StorageError::from_sdk(error)),
                Some(code) if attempt + 1 == ATTEMPTS => return Err(StorageError::Busy(code.to_owned())),
                Some(_) => back_off(attempt).await,
            }
            attempt += 1;
        }
    }

    /// All items of a small partition: one query for each 1 MB, as with `get` at half a read unit or a whole one.
    pub(crate) async fn partition(&self, pk: &str, consistent: bool) -> Result<Vec<Item>, StorageError> {
        self.query(pk, "", consistent).await
    }

    /// As `partition`, of the items whose sort keys begin so, as they were a moment ago.
    pub(crate) async fn partition_from(&self, pk: &str, beginning: &str) -> Result<Vec<Item>, StorageError> {
        self.query(pk, beginning, false).await
    }

    /// As `partition`, of the items whose sort keys begin so.
    pub(crate) async fn query(&self, pk: &str, beginning: &str, consistent: bool) -> Result<Vec<Item>, StorageError> {
        let (condition, beginning) = match beginning {
            "" => ("pk = :pk", None),
            beginning => ("pk = :pk AND begins_with(sk, :sk)", Some(beginning)),
        };
        let mut values = Item::from([(":pk".to_owned(), AttributeValue::S(pk.to_owned()))]);
        values.extend(beginning.map(|beginning| (":sk".to_owned(), AttributeValue::S(beginning.to_owned()))));
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .client
                .call(
                    &QUERY,
                    QueryInput::builder()
                        .table_name(&self.name)
                        .key_condition_expression(condition)
                        .set_expression_attribute_values(Some(values.clone()))
                        .set_exclusive_start_key(start)
                        .consistent_read(consistent)
                        .build(),
                )
                .await
                .map_err(StorageError::from_sdk)?;
            items.extend(answer.items.unwrap_or_default());
            match answer.last_evaluated_key {
                Some(last) => start = Some(last),
                None => return Ok(items),
            }
        }
    }

    /// Some items, at most 100, in any order: one call, half a read unit for each 4 KB of each. Those that are not there
    /// are not among them.
    pub(crate) async fn batch(&self, mut keys: Vec<Item>) -> Result<Vec<Item>, StorageError> {
        let mut items = Vec::with_capacity(keys.len());
        let mut attempt = 0;
        // DynamoDB may leave keys unread when it throttles, and then names them.
        while !keys.is_empty() {
            if attempt > 0 {
                back_off(attempt).await;
            }
            if attempt == BATCHES {
                return Err(StorageError::Busy("some items stayed unread".into()));
            }
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).build();
            let wanted = wanted.expect("a batch names its keys");
            let answer = self
                .client
                .call(&BATCH_GET_ITEM, BatchGetItemInput::builder().request_items(&self.name, wanted).build())
                .await
                .map_err(StorageError::from_sdk)?;
            items.extend(answer.responses.into_iter().flat_map(|mut tables| tables.remove(&self.name)).flatten());
            keys = answer
                .unprocessed_keys
                .and_then(|mut tables| tables.remove(&self.name))
                .map(|keys| keys.keys)
                .unwrap_or_default();
            attempt += 1;
        }
        Ok(items)
    }
}

/// How often what met another transaction is tried before the caller is told that the table is busy.
pub(crate) const ATTEMPTS: u32 = 8;
/// How often keys are asked for that stayed unread.
const BATCHES: u32 = 8;

impl StorageError {
    pub(crate) fn from_sdk<E>(error: Failed<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let busy = error.code().is_some_and(is_busy);
        // Not the SDK's own account of it, which quotes what was in the way: an item of it may hold somebody's address.
        let causes = std::iter::successors(Some(&error as &dyn Error), |&error| error.source());
        let cause = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        match error {
            _ if busy => StorageError::Busy(cause),
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
                StorageError::Unreached(cause)
            }
            _ => StorageError::Broken(cause),
        }
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
            // DynamoDB's own failure, which it asks to try again: it is not known to have written nothing.
            // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
            | "InternalServerError"
    )
}

/// Waits up to twice as long with each attempt, at random (full jitter), so that those who met do not meet again.
pub(crate) async fn back_off(attempt: u32) {
    let longest = 10_u64 << attempt.min(6);
    let wait = random::number().map_or(longest / 2, |random| random % longest);
    tokio::time::sleep(Duration::from_millis(wait)).await;
}

/// A value as an item. Our own types always fit one, but an item may be read that an older or newer release wrote.
pub(crate) fn to_item<T: Serialize>(value: &T) -> Result<Item, StorageError> {
    serde_dynamo::to_item(value).map_err(|error| StorageError::Broken(format!("cannot be written: {error}")))
}

/// As `to_item`, of one attribute.
pub(crate) fn to_value<T: Serialize>(value: &T) -> Result<AttributeValue, StorageError> {
    serde_dynamo::to_attribute_value(value).map_err(|error| StorageError::Broken(format!("cannot be written: {error}")))
}

pub(crate) fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, StorageError> {
    serde_dynamo::from_item(item).map_err(|error| StorageError::Broken(format!("cannot be read: {error}")))
}
