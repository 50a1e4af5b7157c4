//! What is noted about an order, for staff.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::id::{AccountId, NoteId, OrderNumber};
use waybill_domain::text::Prose;

use crate::keys::{self, Index, Item, SUMMARY};
use crate::page::{Cursor, Page};
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

pub type NoteText = Prose<1, 2000>;

/// A note about an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    pub id: NoteId,
    pub text: NoteText,
    /// The member of staff who wrote it; absent from what was noted by itself, such as a mail that did not arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<AccountId>,
    pub at: Timestamp,
}

/// Why a note was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotNoted {
    UnknownOrder,
    /// It was written before, by the same request; this is what it says.
    Written(Box<Note>),
}

impl Table {
    /// Writes a note about an order whose buyer has not left: one transaction, no read; two units for the check, and two or more for the
    /// note and its place in a list.
    pub async fn write_note(&self, order: OrderNumber, note: &Note) -> Result<(), Refused<NotNoted>> {
        let mut item = Item::from([(SUMMARY.to_owned(), AttributeValue::M(to_item(note)?))]);
        item.extend(keys::note(order, note.id).item());
        item.extend(keys::noted(order, note.at, note.id).item());
        let meaning = |mut item: Item| match item.remove(SUMMARY) {
            Some(AttributeValue::M(note)) => Ok(NotNoted::Written(Box::new(from_item(note)?))),
            _ => Err(StorageError::Broken("a note says nothing".into())),
        };
        let is_known = Write::check(&keys::order(order), "contact.#kind = :known")
            .name("#kind", "kind")
            .value(":known", AttributeValue::S("known".to_owned()));
        Transaction::new()
            .write(is_known, |_| Ok(NotNoted::UnknownOrder))
            .write(Write::put(item).only_if_new(), meaning)
            .commit(self)
            .await
    }

    /// A page of the notes about an order, the newest first.
    pub async fn notes(
        &self,
        order: OrderNumber,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<Page<Note>, StorageError> {
        self.page(Index::Gsi1, &keys::notes_of(order), limit, cursor).await
    }

    /// Deletes a note; one that is not there is gone already.
    pub async fn delete_note(&self, order: OrderNumber, note: NoteId) -> Result<(), StorageError> {
        self.delete(&keys::note(order, note)).await
    }

    /// Deletes all that was noted about an order.
    pub async fn delete_notes(&self, order: OrderNumber) -> Result<(), StorageError> {
        for item in self.query(&keys::order(order).pk, keys::NOTE, true).await? {
            if let Some(key) = keys::of(&item) {
                self.delete(&key).await?;
            }
        }
        Ok(())
    }
}
