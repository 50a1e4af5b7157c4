//! Second factors: a secret that makes codes, and codes for the day that it is lost.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::Timestamp;
use waybill_domain::id::{AccountId, SessionId};

use crate::accounts::NotChanged;
use crate::keys;
use crate::letters::Letter;
use crate::sessions::{Proof, Session};
use crate::table::{StorageError, Table, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// TOTP (RFC 6238), set up by its holder and in force once a code of it was given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecondFactor {
    /// The secret, encrypted by the function that made it.
    pub sealed: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// The time step of the last code that was taken. No code of it or before it is taken again.
    pub last_step: u64,
    /// Hashes of the codes that are left.
    pub recovery_codes: BTreeMap<String, bool>,
}

impl Table {
    /// Keeps a secret that is not in force yet. Refused when one is.
    pub async fn set_up_second_factor(&self, account: AccountId, sealed: &str) -> Result<(), Refused<NotChanged>> {
        let factor = SecondFactor {
            sealed: sealed.to_owned(),
            confirmed_at: None,
            last_step: 0,
            recovery_codes: BTreeMap::new(),
        };
        let write = Write::update(&keys::account(account), "SET second_factor = :factor")
            .only_if("attribute_exists(pk) AND attribute_not_exists(second_factor.confirmed_at)")
            .value(":factor", AttributeValue::M(to_item(&factor)?));
        Transaction::new().write(write, |_| Ok(NotChanged::Changed)).commit(self).await
    }

    /// Puts a secret in force that a code was given of. The session that gave it ends; the new one in its place has the
    /// second factor.
    pub async fn confirm_second_factor(
        &self,
        account: AccountId,
        ended: SessionId,
        (id, session): (SessionId, &Session),
        factor: &SecondFactor,
        notice: &Letter,
    ) -> Result<(), Refused<NotChanged>> {
        let session = Session { second_factor_at: factor.confirmed_at, ..session.clone() };
        let confirm = Write::update(
            &keys::account(account),
            "SET second_factor = :factor, #sessions.#id = :session REMOVE #sessions.#ended",
        )
        .only_if(
            "second_factor.sealed = :sealed AND attribute_not_exists(second_factor.confirmed_at) \
             AND attribute_exists(#sessions.#ended)",
        )
        .name("#sessions", "sessions")
        .name("#id", &id.to_string())
        .name("#ended", &ended.to_string())
        .value(":factor", AttributeValue::M(to_item(factor)?))
        .value(":session", AttributeValue::M(to_item(&session)?))
        .text(":sealed", &factor.sealed);
        Transaction::new()
            .write(confirm, |_| Ok(NotChanged::Changed))
            .write(notice.put()?, |_| Ok(NotChanged::Changed))
            .commit(self)
            .await
    }

    /// Uses a code up outside of a log-in; false when it was used before, or is none of the account's.
    pub async fn spend_code(&self, account: AccountId, proof: &Proof) -> Result<bool, StorageError> {
        let key = keys::account(account);
        let write = match proof {
            Proof::Password => return Ok(false),
            Proof::Code { step } => Write::update(&key, "SET second_factor.last_step = :step")
                .only_if("second_factor.last_step < :step")
                .number(":step", i64::try_from(*step).unwrap_or(i64::MAX)),
            Proof::RecoveryCode { hash } => Write::update(&key, "REMOVE second_factor.recovery_codes.#code")
                .only_if("attribute_exists(second_factor.recovery_codes.#code)")
                .name("#code", hash),
        };
        Ok(self.update(&write).await?.is_ok())
    }

    /// Takes a second factor away; the sessions that it opened lose it. With `ends_sessions` they end.
    pub async fn remove_second_factor(
        &self,
        account: AccountId,
        sessions: &[SessionId],
        ends_sessions: bool,
        notice: &Letter,
    ) -> Result<(), Refused<NotChanged>> {
        let paths: Vec<_> = (0..sessions.len()).map(|number| format!("#sessions.#s{number}")).collect();
        let mut write = match ends_sessions {
            true => Write::update(&keys::account(account), "SET #sessions = :none REMOVE second_factor")
                .name("#sessions", "sessions")
                .value(":none", AttributeValue::M(Default::default())),
            false => {
                let lose = paths.iter().map(|path| format!(", {path}.second_factor_at")).collect::<String>();
                Write::update(&keys::account(account), format!("REMOVE second_factor{lose}"))
            }
        };
        let mut condition = "attribute_exists(pk)".to_owned();
        if !ends_sessions && !sessions.is_empty() {
            write = write.name("#sessions", "sessions");
            for (number, id) in sessions.iter().enumerate() {
                write = write.name(&format!("#s{number}"), &id.to_string());
                condition += &format!(" AND attribute_exists({})", paths[number]);
            }
        }
        Transaction::new()
            .write(write.only_if(condition), |_| Ok(NotChanged::Changed))
            .write(notice.put()?, |_| Ok(NotChanged::Changed))
            .commit(self)
            .await
    }
}

impl SecondFactor {
    /// The same, in force.
    pub fn confirmed(self, step: u64, recovery_codes: impl IntoIterator<Item = String>, now: Timestamp) -> Self {
        let recovery_codes = recovery_codes.into_iter().map(|hash| (hash, true)).collect();
        SecondFactor { confirmed_at: Some(now), last_step: step, recovery_codes, ..self }
    }
}
