//! Writes that happen together or not at all, each with the meaning of its refusal.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, ReturnValue,
    ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update,
};

use waybill_aws::Failed;

use crate::keys::{Item, Key};
use crate::operations::{
    DELETE_ITEM, DeleteItemError, DeleteItemInput, PUT_ITEM, PutItemError, PutItemInput, TRANSACT_WRITE_ITEMS,
    TransactWriteItemsError, TransactWriteItemsInput, UPDATE_ITEM, UpdateItemError, UpdateItemInput,
};
use crate::random;
use crate::table::{ATTEMPTS, StorageError, Table, back_off, is_busy};

/// The code of a write whose condition did not hold.
const REFUSED: &str = "ConditionalCheckFailed";

/// A write with its condition. Names are written `#name`, values `:name`, as DynamoDB's expressions have them.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    kind: Kind,
    condition: Option<String>,
    names: HashMap<String, String>,
    values: Item,
}

#[derive(Clone, Debug)]
enum Kind {
    Put(Item),
    Update(Item, String),
    Delete(Item),
    Check(Item),
}

impl Write {
    pub fn put(item: Item) -> Self {
        Write::new(Kind::Put(item))
    }

    pub fn update(key: &Key, expression: impl Into<String>) -> Self {
        Write::new(Kind::Update(key.item(), expression.into()))
    }

    pub fn delete(key: &Key) -> Self {
        Write::new(Kind::Delete(key.item()))
    }

    /// Writes nothing; the transaction stands only if `condition` holds of the item.
    pub fn check(key: &Key, condition: impl Into<String>) -> Self {
        Write::new(Kind::Check(key.item())).only_if(condition)
    }

    fn new(kind: Kind) -> Self {
        Write { kind, condition: None, names: HashMap::new(), values: HashMap::new() }
    }

    pub fn only_if(mut self, condition: impl Into<String>) -> Self {
        self.condition = Some(condition.into());
        self
    }

    pub fn only_if_new(self) -> Self {
        self.only_if("attribute_not_exists(pk)")
    }

    pub fn name(mut self, placeholder: &str, attribute: &str) -> Self {
        self.names.insert(placeholder.to_owned(), attribute.to_owned());
        self
    }

    pub fn text(self, placeholder: &str, value: impl ToString) -> Self {
        self.value(placeholder, AttributeValue::S(value.to_string()))
    }

    pub fn number(self, placeholder: &str, value: i64) -> Self {
        self.value(placeholder, AttributeValue::N(value.to_string()))
    }

    pub fn value(mut self, placeholder: &str, value: AttributeValue) -> Self {
        self.values.insert(placeholder.to_owned(), value);
        self
    }

    fn names(&self) -> Option<HashMap<String, String>> {
        (!self.names.is_empty()).then(|| self.names.clone())
    }

    fn values(&self) -> Option<Item> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }
}

/// What a refused write means to the caller; it gets the item that stood in the way.
type Meaning<E> = Box<dyn Fn(Item) -> Result<E, StorageError> + Send + Sync>;

/// Writes that are committed as one. A single write costs one write unit for each KB, several cost two each.
pub(crate) struct Transaction<E> {
    writes: Vec<(Write, Meaning<E>)>,
}

#[derive(Debug, thiserror::Error)]
pub enum Refused<E> {
    /// Conditions that did not hold, in the order of the writes. Nothing was written.
    #[error("refused")]
    By(Vec<E>),
    #[error(transparent)]
    Failed(#[from] StorageError),
}

impl<E: PartialEq> Refused<E> {
    /// Whether this is one of the reasons.
    pub fn is_by(&self, reason: &E) -> bool {
        matches!(self, Refused::By(reasons) if reasons.contains(reason))
    }
}

impl<E> Refused<E> {
    /// For a write that can be refused for one reason only.
    pub fn first(self) -> Result<E, StorageError> {
        match self {
            Refused::By(reasons) => {
                reasons.into_iter().next().ok_or_else(|| StorageError::Broken("refused without a reason".into()))
            }
            Refused::Failed(error) => Err(error),
        }
    }
}

/// How a try ended that did not write.
pub(crate) enum Outcome<E> {
    /// It met another transaction, or a throttle: the same may succeed in a moment.
    Busy(String),
    Refused(Refused<E>),
}

impl<E> Transaction<E> {
    pub fn new() -> Self {
        Transaction { writes: Vec::new() }
    }

    /// Adds a write; `meaning` turns the item in its way (empty when there is none) into the domain's reason.
    pub fn write(
        mut self,
        write: Write,
        meaning: impl Fn(Item) -> Result<E, StorageError> + Send + Sync + 'static,
    ) -> Self {
        self.writes.push((write, Box::new(meaning)));
        self
    }

    /// Writes all or nothing. Meeting another transaction, or a throttle of one item, is retried with jitter,
    /// [`ATTEMPTS`] times; a throttle of the whole call by the client.
    pub async fn commit(self, table: &Table) -> Result<(), Refused<E>> {
        let mut attempt = 0;
        loop {
            match self.attempt(table).await {
                Ok(()) => return Ok(()),
                Err(Outcome::Refused(refused)) => return Err(refused),
                Err(Outcome::Busy(cause)) if attempt + 1 == ATTEMPTS => {
                    return Err(Refused::Failed(StorageError::Busy(cause)));
                }
                Err(Outcome::Busy(_)) => back_off(attempt).await,
            }
            attempt += 1;
        }
    }

    /// Writes all or nothing, or says what it met. For who has something else to try than the same again.
    pub async fn attempt(&self, table: &Table) -> Result<(), Outcome<E>> {
        match self.writes.as_slice() {
            [(write, meaning)] => commit_one(table, write, meaning).await,
            writes => commit_all(table, writes).await,
        }
    }
}

async fn commit_one<E>(table: &Table, write: &Write, meaning: &Meaning<E>) -> Result<(), Outcome<E>> {
    match send(table, write).await {
        Ok(_) => Ok(()),
        Err(Failure::Condition(item)) => Err(Outcome::Refused(match meaning(item) {
            Ok(reason) => Refused::By(vec![reason]),
            Err(error) => Refused::Failed(error),
        })),
        Err(Failure::Busy(cause)) => Err(Outcome::Busy(cause)),
        Err(Failure::Other(error)) => Err(Outcome::Refused(Refused::Failed(error))),
    }
}

impl Table {
    /// Writes one item that nothing can refuse.
    pub(crate) async fn write(&self, write: Write) -> Result<(), StorageError> {
        Transaction::<()>::new().write(write, |_| Ok(())).commit(self).await.or_else(|refused| refused.first())
    }

    /// Deletes an item; one that is not there is deleted already.
    pub(crate) async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        self.write(Write::delete(key)).await
    }

    /// Updates one item and answers it as it is then; or, where the condition does not hold, as it is.
    pub(crate) async fn update(&self, write: &Write) -> Result<Result<Item, Item>, StorageError> {
        let mut attempt = 0;
        loop {
            match send(self, write).await {
                Ok(item) => return Ok(Ok(item)),
                Err(Failure::Condition(item)) => return Ok(Err(item)),
                Err(Failure::Busy(cause)) if attempt + 1 == ATTEMPTS => return Err(StorageError::Busy(cause)),
                Err(Failure::Busy(_)) => back_off(attempt).await,
                Err(Failure::Other(error)) => return Err(error),
            }
            attempt += 1;
        }
    }
}

/// What the four kinds of write share, alone and in a transaction.
macro_rules! conditioned {
    ($builder:expr, $table:expr, $write:expr) => {
        $builder
            .table_name(&$table.name)
            .set_condition_expression($write.condition.clone())
            .set_expression_attribute_names($write.names())
            .set_expression_attribute_values($write.values())
            .return_values_on_condition_check_failure(OnFailure::AllOld)
    };
}

/// Sends a single write; an update answers the item as it is then.
async fn send(table: &Table, write: &Write) -> Result<Item, Failure> {
    let client = &table.client;
    match &write.kind {
        Kind::Put(item) => {
            let put = conditioned!(PutItemInput::builder().set_item(Some(item.clone())), table, write);
            client.call(&PUT_ITEM, put.build()).await.map(|_| Item::new()).map_err(|error| {
                sort(error, |error| match error {
                    PutItemError::ConditionalCheckFailedException(failed) => failed.item.clone(),
                    _ => None,
                })
            })
        }
        Kind::Update(key, expression) => {
            let update = UpdateItemInput::builder().set_key(Some(key.clone())).update_expression(expression);
            let update = conditioned!(update.return_values(ReturnValue::AllNew), table, write);
            client.call(&UPDATE_ITEM, update.build()).await.map(|answer| answer.attributes.unwrap_or_default()).map_err(
                |error| {
                    sort(error, |error| match error {
                        UpdateItemError::ConditionalCheckFailedException(failed) => failed.item.clone(),
                        _ => None,
                    })
                },
            )
        }
        Kind::Delete(key) => {
            let delete = conditioned!(DeleteItemInput::builder().set_key(Some(key.clone())), table, write);
            client.call(&DELETE_ITEM, delete.build()).await.map(|_| Item::new()).map_err(|error| {
                sort(error, |error| match error {
                    DeleteItemError::ConditionalCheckFailedException(failed) => failed.item.clone(),
                    _ => None,
                })
            })
        }
        Kind::Check(_) => Err(Failure::Other(StorageError::Broken("a check alone writes nothing".into()))),
    }
}

/// How a single write failed; the condition's failure brings the item in the way.
enum Failure {
    Condition(Item),
    Busy(String),
    Other(StorageError),
}

fn sort<E>(error: Failed<E>, in_the_way: fn(&E) -> Option<Item>) -> Failure
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    match error.as_service_error() {
        Some(service) if service.code() == Some("ConditionalCheckFailedException") => {
            Failure::Condition(in_the_way(service).unwrap_or_default())
        }
        Some(service) if service.code() == Some("TransactionConflictException") => Failure::Busy(service.to_string()),
        // A throttle too: the client has tried again already.
        Some(_) | None => Failure::Other(StorageError::from_sdk(error)),
    }
}

async fn commit_all<E>(table: &Table, writes: &[(Write, Meaning<E>)]) -> Result<(), Outcome<E>> {
    let items = writes.iter().map(|(write, _)| in_transaction(table, write)).collect();
    // The client keeps a call's token over its tries: a reply that was lost after the commit is answered again, not executed
    // again. A token made from the idempotency key would not do: the same key a moment later writes another time of placing,
    // which DynamoDB takes for a misuse of the token.
    let failed = |error| Outcome::Refused(Refused::Failed(error));
    let token = format!("{:016x}{:016x}", random::fresh().map_err(failed)?, random::fresh().map_err(failed)?);
    let input = TransactWriteItemsInput::builder().set_transact_items(Some(items)).client_request_token(token);
    let error = match table.client.call(&TRANSACT_WRITE_ITEMS, input.build()).await {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let reasons = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled.cancellation_reasons(),
        Some(_) | None => return Err(failed(StorageError::from_sdk(error))),
    };
    // The first reason counts: a write that is merely busy may turn out to be refused, and what its refusal means (the
    // order is there already) would explain the refusals behind it.
    let first = reasons.iter().map(code).find(|code| *code == REFUSED || is_busy(code));
    if first.is_some_and(is_busy) {
        return Err(Outcome::Busy(format!("{:?}", reasons.iter().map(code).collect::<Vec<_>>())));
    }
    let mut meant = Vec::new();
    for (reason, (_, meaning)) in reasons.iter().zip(writes).filter(|(reason, _)| code(reason) == REFUSED) {
        match meaning(reason.item.clone().unwrap_or_default()) {
            Ok(reason) => meant.push(reason),
            // What the refusals before it mean explains it.
            Err(_) if !meant.is_empty() => {}
            Err(error) => return Err(Outcome::Refused(Refused::Failed(error))),
        }
    }
    Err(Outcome::Refused(match meant.is_empty() {
        true => Refused::Failed(StorageError::from_sdk(error)),
        false => Refused::By(meant),
    }))
}

fn code(reason: &CancellationReason) -> &str {
    reason.code().unwrap_or_default()
}

fn in_transaction(table: &Table, write: &Write) -> TransactWriteItem {
    let item = TransactWriteItem::builder();
    let complete = "a write names its table and its key";
    match &write.kind {
        Kind::Put(put) => {
            let put = conditioned!(Put::builder().set_item(Some(put.clone())), table, write);
            item.put(put.build().expect(complete))
        }
        Kind::Update(key, expression) => {
            let update = Update::builder().set_key(Some(key.clone())).update_expression(expression);
            item.update(conditioned!(update, table, write).build().expect(complete))
        }
        Kind::Delete(key) => {
            let delete = conditioned!(Delete::builder().set_key(Some(key.clone())), table, write);
            item.delete(delete.build().expect(complete))
        }
        Kind::Check(key) => {
            let check = conditioned!(ConditionCheck::builder().set_key(Some(key.clone())), table, write);
            item.condition_check(check.build().expect(complete))
        }
    }
    .build()
}
