//! Address books: one item for each account, changed one version at a time.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::account::KeptAddress;
use waybill_domain::id::{AccountId, AddressId};
use waybill_domain::order::Address;

use crate::keys::{self, Item};
use crate::random;
use crate::table::{StorageError, Table, back_off, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// How often a change starts again when others were faster.
const CHANGES: u32 = 8;
/// The attribute that tells one write from another.
const CHANGE: &str = "change";

/// The addresses of one account. Ids are made in the order of time, so that the oldest comes first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBook {
    pub addresses: BTreeMap<AddressId, Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<AddressId>,
    version: u64,
}

enum NotKept<E> {
    /// This very change is kept already.
    Kept,
    Changed,
    Left(E),
}

impl AddressBook {
    pub fn entry(&self, id: AddressId) -> Option<KeptAddress> {
        let address = self.addresses.get(&id)?.clone();
        Some(KeptAddress { id, is_default: self.default == Some(id), address })
    }

    pub fn entries(&self) -> Vec<KeptAddress> {
        self.addresses.keys().filter_map(|id| self.entry(*id)).collect()
    }
}

impl Table {
    pub async fn address_book(&self, account: AccountId) -> Result<AddressBook, StorageError> {
        let item = self.get(&keys::address_book(account), true).await?;
        Ok(item.map(from_item).transpose()?.unwrap_or_default())
    }

    /// Reads an address book, changes it, keeps it; and again from the start when somebody else changed it in between.
    /// `left` is the reason when its account is being deleted.
    pub async fn change_address_book<E: Clone + Send + Sync + 'static>(
        &self,
        account: AccountId,
        left: E,
        change: impl Fn(&mut AddressBook) -> Result<(), E>,
    ) -> Result<AddressBook, Refused<E>> {
        for attempt in 0..CHANGES {
            let mut book = self.address_book(account).await?;
            let seen = book.version;
            change(&mut book).map_err(|reason| Refused::By(vec![reason]))?;
            book.version += 1;
            let mut item = to_item(&book)?;
            // By this a write that is sent again, because its reply was lost, knows itself.
            let mark = random::fresh()?;
            let mark = AttributeValue::N(mark.to_string());
            item.insert(CHANGE.into(), mark.clone());
            item.extend(keys::address_book(account).item());
            let write = Write::put(item)
                .only_if("attribute_not_exists(pk) OR #version = :seen")
                .name("#version", "version")
                .value(":seen", AttributeValue::N(seen.to_string()));
            let is_ours = move |item: Item| match item.get(CHANGE) == Some(&mark) {
                true => Ok(NotKept::Kept),
                false => Ok(NotKept::Changed),
            };
            let stays = "attribute_exists(pk) AND attribute_not_exists(leaving_since)";
            let left = left.clone();
            let kept = Transaction::new()
                .write(write, is_ours)
                .write(Write::check(&keys::account(account), stays), move |_| Ok(NotKept::Left(left.clone())))
                .commit(self);
            match kept.await {
                Ok(()) => return Ok(book),
                Err(refused) => match refused.first()? {
                    NotKept::Kept => return Ok(book),
                    NotKept::Changed => back_off(attempt).await,
                    NotKept::Left(left) => return Err(Refused::By(vec![left])),
                },
            }
        }
        Err(StorageError::Busy("an address book changed again and again".into()).into())
    }
}
