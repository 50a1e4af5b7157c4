//! Accounts, log-in sessions and WebSocket tickets.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::Timestamp;
use waybill_domain::account::{Account, Role};
use waybill_domain::id::{AccountId, SessionId};
use waybill_domain::text::Email;

use crate::keys::{self, EXPIRES_AT, Item};
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// What log-in needs of an account, in one item.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credentials {
    pub account_id: AccountId,
    pub email: Email,
    pub role: Role,
    pub created_at: Timestamp,
    /// A PHC string.
    pub password_hash: String,
}

impl Credentials {
    pub fn account(&self) -> Account {
        Account { id: self.account_id, email: self.email.clone(), role: self.role, created_at: self.created_at }
    }
}

/// One log-in. Its refresh token changes at each use; only hashes are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    pub id: SessionId,
    pub account_id: AccountId,
    pub token_hash: String,
    pub created_at: Timestamp,
    pub expires_at: i64,
}

/// The address belongs to an account already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmailTaken;

/// What came of presenting a refresh token.
#[derive(Clone, Debug)]
pub enum Rotation {
    Rotated,
    /// The session has ended, or the token is not its present one.
    Refused,
}

impl Table {
    /// Makes an account; its address is then taken.
    pub async fn create_account(&self, account: &Account, password_hash: &str) -> Result<(), Refused<EmailTaken>> {
        let credentials = Credentials {
            account_id: account.id,
            email: account.email.clone(),
            role: account.role,
            created_at: account.created_at,
            password_hash: password_hash.to_owned(),
        };
        let mut taken = to_item(&credentials)?;
        taken.extend(keys::credentials(&account.email).item());
        let mut item = to_item(account)?;
        item.extend(keys::account(account.id).item());
        Transaction::new()
            .write(Write::put(taken).only_if_new(), |_| Ok(EmailTaken))
            .write(Write::put(item).only_if_new(), |_| Err(StorageError::Broken("an account id was made twice".into())))
            .commit(self)
            .await
    }

    /// One read of half a unit.
    pub async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, StorageError> {
        self.get(&keys::credentials(email), false).await?.map(from_item).transpose()
    }

    pub async fn replace_password_hash(&self, email: &Email, old: &str, new: &str) -> Result<(), StorageError> {
        let write = Write::update(&keys::credentials(email), "SET password_hash = :new")
            .only_if("password_hash = :old")
            .text(":new", new)
            .text(":old", old);
        match Transaction::new().write(write, |_| Ok(())).commit(self).await {
            // Somebody else has replaced it in the meantime; theirs is as good.
            Ok(()) | Err(Refused::By(_)) => Ok(()),
            Err(Refused::Failed(error)) => Err(error),
        }
    }

    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, StorageError> {
        self.get(&keys::account(id), false).await?.map(from_item).transpose()
    }

    pub async fn open_session(&self, session: &Session) -> Result<(), StorageError> {
        let mut item = to_item(session)?;
        item.extend(keys::session(session.account_id, session.id).item());
        // Without a condition: ids are random, and the SDK sends a write again whose reply was lost.
        Transaction::<()>::new()
            .write(Write::put(item), |_| Ok(()))
            .commit(self)
            .await
            .or_else(|refused| refused.first())
    }

    pub async fn session(&self, account: AccountId, id: SessionId) -> Result<Option<Session>, StorageError> {
        self.get(&keys::session(account, id), true).await?.map(from_item).transpose()
    }

    /// Exchanges the session's token. Of several that present the same one, one is served.
    pub async fn rotate_session(
        &self,
        session: &Session,
        token_hash: &str,
        expires_at: i64,
        now: Timestamp,
    ) -> Result<Rotation, StorageError> {
        let key = keys::session(session.account_id, session.id);
        let write = Write::update(&key, format!("SET token_hash = :new, {EXPIRES_AT} = :until"))
            .only_if(format!("token_hash = :present AND {EXPIRES_AT} > :now"))
            .text(":present", &session.token_hash)
            .text(":new", token_hash)
            .number(":until", expires_at)
            .number(":now", now.as_second());
        let new = AttributeValue::S(token_hash.to_owned());
        // The new token in the way is our own: the SDK sends a write again whose reply was lost.
        let meaning = move |item: Item| match item.get("token_hash") {
            Some(present) if *present == new => Ok(Rotation::Rotated),
            Some(_) | None => Ok(Rotation::Refused),
        };
        match Transaction::new().write(write, meaning).commit(self).await {
            Ok(()) => Ok(Rotation::Rotated),
            Err(refused) => refused.first(),
        }
    }

    /// Ends a session; ending one that has ended is no error.
    pub async fn end_session(&self, account: AccountId, id: SessionId) -> Result<(), StorageError> {
        let write = Write::delete(&keys::session(account, id));
        Transaction::<()>::new().write(write, |_| Ok(())).commit(self).await.or_else(|refused| refused.first())
    }

    /// Keeps a ticket that opens one WebSocket, by its hash.
    pub async fn issue_ticket(&self, account: AccountId, hash: &str, until: Timestamp) -> Result<(), StorageError> {
        let mut item = keys::ticket(account, hash).item();
        item.insert(EXPIRES_AT.into(), AttributeValue::N(until.as_second().to_string()));
        Transaction::<()>::new()
            .write(Write::put(item), |_| Ok(()))
            .commit(self)
            .await
            .or_else(|refused| refused.first())
    }
}
