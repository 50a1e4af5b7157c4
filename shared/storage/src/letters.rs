//! Letters: mails about an account, written with what they tell of. The table's stream brings them to the mail queue,
//! as it does with orders; the link in one is made from its id by who sends it.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::Timestamp;
use waybill_domain::id::{AccountId, LetterId};
use waybill_domain::language::Language;
use waybill_domain::message::{AccountEvent, AccountMessage};
use waybill_domain::text::Email;

use crate::keys::{self, EXPIRES_AT};
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::Write;

/// Seconds that the link of a reset is good for.
pub const RESET_LIFETIME: i64 = 60 * 60;
/// Seconds that any other link is good for, and that a letter without one is kept.
pub const LETTER_LIFETIME: i64 = 24 * 60 * 60;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    pub id: LetterId,
    /// Names the address without telling it.
    pub mailbox: String,
    pub to: Email,
    pub event: AccountEvent,
    pub written_at: Timestamp,
    /// Seconds since 1970.
    pub expires_at: i64,
    /// Whose address is to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// The password of a sign-up, as a PHC string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    /// What it is written in, where its address may not tell of an account that does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

impl Letter {
    pub fn new(id: LetterId, mailbox: String, to: Email, event: AccountEvent, now: Timestamp) -> Self {
        let expires_at = now.as_second() + lifetime(event);
        Letter {
            id,
            mailbox,
            to,
            event,
            written_at: now,
            expires_at,
            account_id: None,
            password_hash: None,
            language: None,
        }
    }

    pub(crate) fn put(&self) -> Result<Write, StorageError> {
        let mut item = to_item(self)?;
        item.extend(keys::letter(&self.mailbox, self.id).item());
        item.insert(EXPIRES_AT.into(), AttributeValue::N(self.expires_at.to_string()));
        Ok(Write::put(item))
    }

    /// Uses up the letter's link, if it is still good.
    pub(crate) fn spend(&self, now: Timestamp) -> Write {
        Write::delete(&keys::letter(&self.mailbox, self.id))
            .only_if(format!("{EXPIRES_AT} > :now"))
            .number(":now", now.as_second())
    }

    pub(crate) fn message(self) -> AccountMessage {
        AccountMessage { id: self.id, at: self.written_at, to: self.to, language: self.language, event: self.event }
    }
}

/// Seconds that a letter is good for.
pub fn lifetime(event: AccountEvent) -> i64 {
    match event {
        AccountEvent::PasswordResetRequested => RESET_LIFETIME,
        AccountEvent::SignUpRequested
        | AccountEvent::EmailChangeRequested
        | AccountEvent::PasswordChanged
        | AccountEvent::EmailChanged
        | AccountEvent::SecondFactorChanged => LETTER_LIFETIME,
    }
}

impl Table {
    /// Writes a letter: one write.
    pub async fn write_letter(&self, letter: &Letter) -> Result<(), StorageError> {
        self.write(letter.put()?).await
    }

    /// The letter behind a link that is still good.
    pub async fn letter(&self, mailbox: &str, id: LetterId, now: Timestamp) -> Result<Option<Letter>, StorageError> {
        let letter: Option<Letter> = self.get(&keys::letter(mailbox, id), true).await?.map(from_item).transpose()?;
        Ok(letter.filter(|letter| letter.expires_at > now.as_second()))
    }
}
