//! Open WebSockets, by connection and by account.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::Timestamp;
use waybill_domain::id::{AccountId, SessionId};

use crate::keys::{self, EXPIRES_AT, Index, SUMMARY};
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// Seconds since 1970.
const CONNECTED_AT: &str = "connected_at";

/// An open WebSocket, and the session that it was opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub id: String,
    pub session: SessionId,
}

/// What the index has of a connection.
#[derive(Serialize, Deserialize)]
struct Summary {
    session: SessionId,
}

/// The ticket was used before, has expired or never was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketRefused;

impl Table {
    /// Spends a ticket for a connection: one transaction, so that a ticket opens one WebSocket only.
    pub async fn connect(
        &self,
        account: AccountId,
        session: SessionId,
        ticket_hash: &str,
        connection: &str,
        now: Timestamp,
        forget_at: Timestamp,
    ) -> Result<(), Refused<TicketRefused>> {
        let spend = Write::delete(&keys::ticket(account, ticket_hash))
            .only_if(format!("{EXPIRES_AT} > :now AND #session = :session"))
            .name("#session", "session")
            .text(":session", session)
            .number(":now", now.as_second());
        let mut item = keys::connection(connection).item();
        item.extend(keys::connections_of(account, connection).item());
        item.insert(SUMMARY.into(), AttributeValue::M(to_item(&Summary { session })?));
        item.insert(CONNECTED_AT.into(), AttributeValue::N(now.as_second().to_string()));
        item.insert(EXPIRES_AT.into(), AttributeValue::N(forget_at.as_second().to_string()));
        Transaction::new()
            .write(spend, |_| Ok(TicketRefused))
            .write(Write::put(item), |_| Err(StorageError::Broken("a connection was refused".into())))
            .commit(self)
            .await
    }

    /// Forgets a connection; one that is not known is forgotten already.
    pub async fn disconnect(&self, connection: &str) -> Result<(), StorageError> {
        self.delete(&keys::connection(connection)).await
    }

    /// Forgets a connection that the gateway calls gone, if it was opened before `opened_before`.
    pub async fn forget_gone(&self, connection: &str, opened_before: Timestamp) -> Result<(), StorageError> {
        let write = Write::delete(&keys::connection(connection))
            .only_if(format!("{CONNECTED_AT} < :before"))
            .number(":before", opened_before.as_second());
        Transaction::<()>::new().write(write, |_| Ok(())).commit(self).await.or_else(|refused| match refused {
            Refused::By(_) => Ok(()),
            Refused::Failed(error) => Err(error),
        })
    }

    /// An account's open connections: one query.
    pub async fn connections_of(&self, account: AccountId) -> Result<Vec<Connection>, StorageError> {
        let partition = keys::connections_of(account, "").pk;
        let mut connections = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.name)
                .index_name(Index::Gsi1.name())
                .key_condition_expression("gsi1pk = :partition")
                .expression_attribute_values(":partition", AttributeValue::S(partition.clone()))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StorageError::from_sdk)?;
            for mut item in answer.items.unwrap_or_default() {
                let (Some(AttributeValue::S(id)), Some(AttributeValue::M(summary))) =
                    (item.remove("gsi1sk"), item.remove(SUMMARY))
                else {
                    return Err(StorageError::Broken("a connection has no summary".into()));
                };
                connections.push(Connection { id, session: from_item::<Summary>(summary)?.session });
            }
            match answer.last_evaluated_key {
                Some(last) => start = Some(last),
                None => return Ok(connections),
            }
        }
    }
}
