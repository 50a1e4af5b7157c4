//! Drafts: carts that staff fill for customers, each under an id of its own, and kept as long as any cart.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::cart::Cart;
use waybill_domain::id::{AccountId, DraftId};
use waybill_domain::order::Exchange;
use waybill_domain::text::Email;

use crate::carts::{LIFETIME, NewCart};
use crate::keys::{self, Index, Item, SUMMARY};
use crate::notes::NoteText;
use crate::page::{Cursor, Page};
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// What a draft is beside its cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Draft {
    pub id: DraftId,
    /// The customer's whom it is for.
    pub account_id: AccountId,
    /// The customer's address when it was begun. The order is for the one that they have then.
    pub email: Email,
    /// For other staff. It goes with the draft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub note: Option<NoteText>,
    /// The goods that its order is to be in exchange for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub exchange: Option<Exchange>,
    /// The member of staff who began it.
    pub by: AccountId,
    pub created_at: Timestamp,
}

/// Why a draft was not begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotBegun {
    /// It was begun before, by the same key; this is how it stands.
    Begun(Box<(Draft, Cart)>),
    /// There is no such account, or it is being deleted.
    NoCustomer,
}

impl Table {
    /// Begins a draft with nothing in it: one transaction, no read. It is one item with its cart, so that it ends as the cart
    /// does.
    pub async fn begin_draft(&self, draft: &Draft, fresh: NewCart) -> Result<Cart, Refused<NotBegun>> {
        let cart = Cart {
            id: fresh.id,
            version: 1,
            currency: fresh.currency,
            lines: Default::default(),
            codes: Vec::new(),
            destination: None,
            shipping_method_id: None,
            expires_at: fresh.now.as_second() + LIFETIME,
        };
        let mut item = to_item(&cart)?;
        item.extend(keys::cart(draft.id.into()).item());
        item.extend(keys::drafts(draft.created_at, draft.id).item());
        item.extend(keys::drafted_for(draft.account_id, draft.created_at, draft.id).item());
        item.insert(SUMMARY.into(), AttributeValue::M(to_item(draft)?));
        Transaction::new()
            .write(Write::put(item).only_if_new(), |item| Ok(NotBegun::Begun(Box::new(read(item)?))))
            .write(stays(draft.account_id), |_| Ok(NotBegun::NoCustomer))
            .commit(self)
            .await?;
        Ok(cart)
    }

    /// A draft as it is now: one read.
    pub async fn draft(&self, id: DraftId) -> Result<Option<(Draft, Cart)>, StorageError> {
        self.get(&keys::cart(id.into()), true).await?.map(read).transpose()
    }

    /// A page of drafts, the newest first: one query.
    pub async fn drafts(&self, limit: u8, cursor: Option<Cursor>) -> Result<Page<Draft>, StorageError> {
        self.page(Index::Gsi2, keys::DRAFTS, limit, cursor).await
    }

    /// Deletes what staff have drafted for an account.
    pub(crate) async fn end_drafts(&self, account: AccountId) -> Result<(), StorageError> {
        let mut cursor = None;
        loop {
            let page: Page<Draft> = self.page(Index::Gsi1, &keys::drafts_for(account), u8::MAX, cursor).await?;
            for draft in page.items {
                self.clear_cart(draft.id).await?;
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// That an account is there, and that nobody is deleting it.
pub(crate) fn stays(account: AccountId) -> Write {
    Write::check(&keys::account(account), "attribute_exists(pk) AND attribute_not_exists(leaving_since)")
}

fn read(mut item: Item) -> Result<(Draft, Cart), StorageError> {
    match item.remove(SUMMARY) {
        Some(AttributeValue::M(draft)) => Ok((from_item(draft)?, from_item(item)?)),
        _ => Err(StorageError::Broken("a draft says not whose it is".into())),
    }
}
