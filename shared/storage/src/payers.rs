//! Who an account's holder is at the payment provider: kept in the account's item, and left behind when the account goes, so that
//! the provider is told to forget them too.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::Timestamp;
use waybill_domain::id::AccountId;
use waybill_domain::message::{CustomerEvent, CustomerMessage};
use waybill_domain::text::Email;

use crate::accounts::Holder;
use crate::keys::{self, EXPIRES_AT};
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::Write;

/// Seconds that a departure is kept: as long as the queue that it is announced to tries, and its dead letters wait.
const DEPARTURE_LIFETIME: i64 = 30 * 24 * 60 * 60;

/// Who an account's holder is at the payment provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    /// The provider's id.
    pub customer: String,
    /// As the provider was told it last.
    pub email: Email,
}

/// What is left of an account that has gone.
#[derive(Debug, Serialize, Deserialize)]
struct Departure {
    account_id: AccountId,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
}

pub(crate) fn departure(holder: &Holder, now: Timestamp) -> Result<Write, StorageError> {
    let customer = holder.payer.as_ref().map(|payer| payer.customer.clone());
    let mut item = to_item(&Departure { account_id: holder.id, at: now, customer })?;
    item.extend(keys::left(holder.id).item());
    let until = now.as_second() + DEPARTURE_LIFETIME;
    item.insert(EXPIRES_AT.into(), AttributeValue::N(until.to_string()));
    Ok(Write::put(item))
}

/// What a departure in the table's stream calls for.
pub(crate) fn left(image: serde_dynamo::Item) -> Result<CustomerMessage, serde_dynamo::Error> {
    let Departure { account_id, at, customer } = serde_dynamo::from_item(image)?;
    Ok(CustomerMessage { id: account_id, at, event: CustomerEvent::Left { customer } })
}

impl Table {
    /// Keeps who an account's holder is at the payment provider, in place of `before`: one write unit for each KB of the
    /// account. Answers who it is then, which another request may have said first; None where the account is gone or being
    /// deleted, and nothing is kept.
    pub async fn keep_payer(
        &self,
        account: AccountId,
        before: Option<&Payer>,
        payer: &Payer,
    ) -> Result<Option<Payer>, StorageError> {
        let set = Write::update(&keys::account(account), "SET payer = :payer")
            .value(":payer", AttributeValue::M(to_item(payer)?));
        let set = match before {
            None => set.only_if(
                "attribute_exists(pk) AND attribute_not_exists(leaving_since) AND attribute_not_exists(payer)",
            ),
            Some(before) => set
                .only_if("attribute_not_exists(leaving_since) AND payer.customer = :before")
                .text(":before", &before.customer),
        };
        if self.update(&set).await?.is_ok() {
            return Ok(Some(payer.clone()));
        }
        let holder: Option<Holder> = self.get(&keys::account(account), true).await?.map(from_item).transpose()?;
        Ok(holder.filter(|holder| holder.leaving_since.is_none()).and_then(|holder| holder.payer))
    }
}
