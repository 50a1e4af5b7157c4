//! What the table is asked.

use aws_sdk_dynamodb::operation;
use waybill_aws::{Operation, RuntimePlugin};

pub(crate) use operation::batch_get_item::{BatchGetItem, BatchGetItemError, BatchGetItemInput, BatchGetItemOutput};
pub(crate) use operation::delete_item::{DeleteItem, DeleteItemError, DeleteItemInput, DeleteItemOutput};
pub(crate) use operation::get_item::{GetItem, GetItemError, GetItemInput, GetItemOutput};
pub(crate) use operation::put_item::{PutItem, PutItemError, PutItemInput, PutItemOutput};
pub(crate) use operation::query::{Query, QueryError, QueryInput, QueryOutput};
pub(crate) use operation::scan::{Scan, ScanError, ScanInput, ScanOutput};
pub(crate) use operation::transact_get_items::{
    TransactGetItems, TransactGetItemsError, TransactGetItemsInput, TransactGetItemsOutput,
};
pub(crate) use operation::transact_write_items::{
    TransactWriteItems, TransactWriteItemsError, TransactWriteItemsInput, TransactWriteItemsOutput,
};
pub(crate) use operation::update_item::{UpdateItem, UpdateItemError, UpdateItemInput, UpdateItemOutput};

pub(crate) static BATCH_GET_ITEM: Operation<BatchGetItemInput, BatchGetItemOutput, BatchGetItemError> =
    Operation::new(|| BatchGetItem::new().config());
pub(crate) static DELETE_ITEM: Operation<DeleteItemInput, DeleteItemOutput, DeleteItemError> =
    Operation::new(|| DeleteItem::new().config());
pub(crate) static GET_ITEM: Operation<GetItemInput, GetItemOutput, GetItemError> =
    Operation::new(|| GetItem::new().config());
pub(crate) static PUT_ITEM: Operation<PutItemInput, PutItemOutput, PutItemError> =
    Operation::new(|| PutItem::new().config());
pub(crate) static QUERY: Operation<QueryInput, QueryOutput, QueryError> = Operation::new(|| Query::new().config());
pub(crate) static SCAN: Operation<ScanInput, ScanOutput, ScanError> = Operation::new(|| Scan::new().config());
pub(crate) static TRANSACT_GET_ITEMS: Operation<TransactGetItemsInput, TransactGetItemsOutput, TransactGetItemsError> =
    Operation::new(|| TransactGetItems::new().config());
pub(crate) static TRANSACT_WRITE_ITEMS: Operation<
    TransactWriteItemsInput,
    TransactWriteItemsOutput,
    TransactWriteItemsError,
> = Operation::new(|| TransactWriteItems::new().config());
pub(crate) static UPDATE_ITEM: Operation<UpdateItemInput, UpdateItemOutput, UpdateItemError> =
    Operation::new(|| UpdateItem::new().config());
