//! Documents, issued once and kept as they are. A series' last number and the document that takes the next one are written in one
//! transaction, so that no number is left out and none is given twice; and an order's documents are a list that only grows,
//! in which each place is taken once, by a document that was decided on all before it.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::Timestamp;
use waybill_domain::document::{self, Document, DocumentSummary, Letterhead, NotDue, Series};
use waybill_domain::id::{OrderId, OrderNumber};
use waybill_domain::order::Order;

use crate::keys::{self, Index, Item, SUMMARY};
use crate::page::{Cursor, Page};
use crate::table::{StorageError, Table, back_off, from_item, to_item, to_value};
use crate::transaction::{Refused, Transaction, Write};

/// How often issuing starts again when others took the next number, or issued for the same order.
const TRIES: u32 = 20;
const DOCUMENT: &str = "document";

/// How far a series has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    last: u64,
    issued_at: Timestamp,
}

impl Last {
    const NONE: Last = Last { last: 0, issued_at: Timestamp::UNIX_EPOCH };
}

/// Why documents that are due were not issued.
#[derive(Debug, thiserror::Error)]
pub enum NotIssued {
    #[error("there is no such order")]
    UnknownOrder,
    #[error(transparent)]
    NotDue(#[from] NotDue),
    #[error(transparent)]
    Failed(#[from] StorageError),
}

/// Why a document was not issued, though it was due when that was looked at.
#[derive(Debug)]
enum Overtaken {
    /// The order's next place is taken.
    ByAnotherOfTheOrder,
    /// So is the next number of the series.
    ByAnotherOfTheSeries(Last),
}

impl Table {
    /// Issues all documents that an order is due as it stands, and answers those that it issued: a query and a read where
    /// there are none; for each one more read and a transaction, of two units each for the number and each KB of the
    /// document, and one for its place in the series.
    pub async fn issue_documents(
        &self,
        id: OrderId,
        letterhead: &Letterhead,
        now: Timestamp,
    ) -> Result<Vec<Document>, NotIssued> {
        let mut done = Vec::new();
        let mut series = BTreeMap::new();
        let (mut order, mut issued) = self.order_with_documents(id).await?;
        let mut overtaken = 0;
        while overtaken < TRIES {
            let Some(draft) = document::next(&order, &issued, &letterhead.seller)? else { return Ok(done) };
            let last = match series.get(&draft.series()) {
                Some(last) => *last,
                None => self.last(draft.series()).await?,
            };
            let document = draft.issue(letterhead, last.last + 1, now.max(last.issued_at));
            match self.put_document(&order, issued.len(), &document, last).await {
                Ok(last) => {
                    series.insert(draft.series(), last);
                    issued.push(document.clone());
                    done.push(document);
                }
                Err(refused) => {
                    let by = refused.first()?;
                    back_off(overtaken).await;
                    overtaken += 1;
                    match by {
                        Overtaken::ByAnotherOfTheOrder => (order, issued) = self.order_with_documents(id).await?,
                        Overtaken::ByAnotherOfTheSeries(last) => drop(series.insert(draft.series(), last)),
                    }
                }
            }
        }
        Err(StorageError::Busy(format!("others issued documents {TRIES} times before those of order {id}")).into())
    }

    /// An order that is as new as the documents that were issued for it: were it older, what they are about would seem not to
    /// have happened.
    async fn order_with_documents(&self, id: OrderId) -> Result<(Order, Vec<Document>), NotIssued> {
        let issued = self.documents(id.number()).await?;
        let order = self.order(id).await?.ok_or(NotIssued::UnknownOrder)?;
        Ok((order, issued))
    }

    /// The documents of an order in the order in which they were issued: one query, consistent.
    pub async fn documents(&self, order: OrderNumber) -> Result<Vec<Document>, StorageError> {
        let items = self.query(&keys::documents_of(order), keys::DOCUMENT, true).await?;
        let document = |mut item: Item| match item.remove(DOCUMENT) {
            Some(AttributeValue::M(document)) => from_item(document),
            _ => Err(StorageError::Broken(format!("a document of order {order} says nothing"))),
        };
        items.into_iter().map(document).collect()
    }

    /// A page of a series, the last number first.
    pub async fn documents_in(
        &self,
        series: Series,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<Page<DocumentSummary>, StorageError> {
        self.page(Index::Gsi2, &keys::documents_in(series), limit, cursor).await
    }

    async fn last(&self, series: Series) -> Result<Last, StorageError> {
        self.get(&keys::series(series), true).await?.map_or(Ok(Last::NONE), from_item)
    }

    /// Writes a document at the next place of its order, with the number after `last` of its series.
    async fn put_document(
        &self,
        order: &Order,
        place: usize,
        document: &Document,
        last: Last,
    ) -> Result<Last, Refused<Overtaken>> {
        let series = document.subject.series();
        let number = order.id.number();
        let summary = DocumentSummary::from(document);
        let mut item = Item::from([(DOCUMENT.to_owned(), AttributeValue::M(to_item(document)?))]);
        item.insert(SUMMARY.to_owned(), AttributeValue::M(to_item(&summary)?));
        item.extend(keys::document(number, place).item());
        item.extend(keys::document_by_number(series, document.serial, number, place).item());
        let next = Last { last: document.serial, issued_at: document.issued_at };
        let count = Write::update(&keys::series(series), "SET #last = :next, issued_at = :now")
            .name("#last", "last")
            .value(":next", to_value(&next.last)?)
            .value(":now", to_value(&next.issued_at)?);
        let count = match last.last {
            0 => count.only_if_new(),
            before => count.only_if("#last = :before").value(":before", to_value(&before)?),
        };
        Transaction::new()
            .write(Write::put(item).only_if_new(), |_| Ok(Overtaken::ByAnotherOfTheOrder))
            .write(count, |item| {
                let last = if item.is_empty() { Last::NONE } else { from_item(item)? };
                Ok(Overtaken::ByAnotherOfTheSeries(last))
            })
            .commit(self)
            .await?;
        Ok(next)
    }
}
