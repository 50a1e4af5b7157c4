//! Which mails have gone out, so that a message that arrives twice is mailed once.

use waybill_domain::Timestamp;

use crate::keys::{self, EXPIRES_AT};
use crate::table::{StorageError, Table};
use crate::transaction::Write;

/// A claim lasts this many seconds. Whoever holds it and dies frees it then; longer than the function may run.
const CLAIM: i64 = 60;
/// Sent mails are remembered for 30 days, longer than any queue keeps a message.
const MEMORY: i64 = 30 * 24 * 60 * 60;

/// What somebody who wants to send a mail is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is theirs to send.
    Granted,
    /// It has been sent.
    Sent,
    /// Somebody else is sending it right now, or died doing so; ask again later.
    Held,
}

impl Table {
    /// Asks for the right to send the mail of a message: one write.
    pub async fn claim_mail(&self, message: &str, now: Timestamp) -> Result<Claim, StorageError> {
        let write = Write::update(&keys::mail(message), format!("SET claimed_until = :until, {EXPIRES_AT} = :forget"))
            .only_if("attribute_not_exists(pk) OR (attribute_not_exists(sent_at) AND claimed_until < :now)")
            .number(":now", now.as_second())
            .number(":until", now.as_second() + CLAIM)
            .number(":forget", now.as_second() + MEMORY);
        Ok(match self.update(&write).await? {
            Ok(_) => Claim::Granted,
            Err(item) if item.contains_key("sent_at") => Claim::Sent,
            Err(_) => Claim::Held,
        })
    }

    /// Notes that the mail is out, under the id that SES gave it.
    pub async fn mail_sent(&self, message: &str, ses_id: &str, now: Timestamp) -> Result<(), StorageError> {
        let write = Write::update(&keys::mail(message), "SET sent_at = :now, ses_id = :ses")
            .number(":now", now.as_second())
            .text(":ses", ses_id);
        self.update(&write).await.map(drop)
    }

    /// Gives the right back after a failure, so that a retry need not wait for the claim to end.
    pub async fn release_mail(&self, message: &str) -> Result<(), StorageError> {
        let write = Write::update(&keys::mail(message), "SET claimed_until = :never")
            .only_if("attribute_not_exists(sent_at)")
            .number(":never", 0);
        self.update(&write).await.map(drop)
    }
}
