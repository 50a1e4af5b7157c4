//! Address books: one item for each account, changed one version at a time.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::account::KeptAddress;
use waybill_domain::id::{AccountId, AddressId};
use waybill_domain::order::Address;

use crate::keys::{self, Item};
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
    pub async fn change_address_book<E: Clone>(
        &self,
        account: AccountId,
        change: impl Fn(&mut AddressBook) -> Result<(), E>,
    ) -> Result<AddressBook, Refused<E>> {
        for attempt in 0..CHANGES {
            let mut book = self.address_book(account).await?;
            let seen = book.version;
            change(&mut book).map_err(|reason| Refused::By(vec![reason]))?;
            book.version += 1;
            let mut item = to_item(&book)?;
            // By this a write that the SDK sends again, because its reply was lost, knows itself.
            let mark = getrandom::u64().map_err(|error| StorageError::Broken(format!("no random number: {error}")))?;
            let mark = AttributeValue::N(mark.to_string());
            item.insert(CHANGE.into(), mark.clone());
            item.extend(keys::address_book(account).item());
            let write = Write::put(item)
                .only_if("attribute_not_exists(pk) OR #version = :seen")
                .name("#version", "version")
                .value(":seen", AttributeValue::N(seen.to_string()));
            let is_ours = move |item: Item| Ok(item.get(CHANGE) == Some(&mark));
            match Transaction::new().write(write, is_ours).commit(self).await {
                Ok(()) => return Ok(book),
                Err(refused) => match refused.first()? {
                    true => return Ok(book),
                    false => back_off(attempt).await,
                },
            }
        }
        Err(StorageError::Busy("an address book changed again and again".into()).into())
    }
}
