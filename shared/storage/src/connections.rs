//! Open WebSockets, and what each of them follows.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use waybill_domain::Timestamp;
use waybill_domain::id::{AccountId, OrderId, SessionId};

use crate::keys::{self, EXPIRES_AT};
use crate::operations::{QUERY, QueryInput};
use crate::table::{StorageError, Table, back_off, from_item, to_item, to_value};
use crate::transaction::{Refused, Transaction, Write};

/// Orders that a connection may follow at once, beside all of them.
pub const MAX_FOLLOWED: usize = 20;
/// How often a change of what a connection follows starts again when another frame of its was faster.
const CHANGES: u32 = 12;

/// What a connection can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// The orders of a customer.
    Of(AccountId),
    Order(OrderId),
    /// All orders. Whoever is told reads all who listen, so more than one partition of them would save nobody a read.
    All,
}

/// What staff may ask to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    Order(OrderId),
    All,
}

impl Followed {
    fn topic(self) -> Topic {
        match self {
            Followed::Order(order) => Topic::Order(order),
            Followed::All => Topic::All,
        }
    }
}

/// An open WebSocket, and the session that it was opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub id: String,
    pub account: AccountId,
    pub session: SessionId,
    pub ends_at: Timestamp,
    /// What it follows beside the orders of its own account.
    pub follows: Vec<Followed>,
}

/// One that listens to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub id: String,
    pub account: AccountId,
    pub session: SessionId,
    pub ends_at: Timestamp,
    topic: Topic,
}

/// What the item of a connection has beside its key.
#[derive(Serialize, Deserialize)]
struct Opened {
    account: AccountId,
    session: SessionId,
    /// Seconds since 1970.
    connected_at: i64,
    expires_at: i64,
    /// Begins with the orders of its own account.
    topics: Vec<Topic>,
}

/// What the item of a listener has beside its key.
#[derive(Serialize, Deserialize)]
struct Listens {
    account: AccountId,
    session: SessionId,
    expires_at: i64,
}

/// The ticket was used before, has expired or never was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketRefused;

/// What came of following.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    Now,
    /// It follows [`MAX_FOLLOWED`] orders, and asks for one more.
    TooMany,
    /// The connection is not known, or not any more.
    Unknown,
}

impl Table {
    /// Spends a ticket for a connection, which follows the orders of its account from then on: one transaction, so that a
    /// ticket opens one WebSocket only.
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
        let topic = Topic::Of(account);
        let opened = Opened {
            account,
            session,
            connected_at: now.as_second(),
            expires_at: forget_at.as_second(),
            topics: vec![topic],
        };
        let mut item = keys::connection(connection).item();
        item.extend(to_item(&opened)?);
        let refused = |_| Err(StorageError::Broken("a connection was refused".into()));
        Transaction::new()
            .write(spend, |_| Ok(TicketRefused))
            .write(Write::put(item), refused)
            .write(listen(topic, connection, &opened)?, refused)
            .commit(self)
            .await
    }

    /// A connection: one consistent read.
    pub async fn connection(&self, id: &str) -> Result<Option<Connection>, StorageError> {
        let Some(item) = self.get(&keys::connection(id), true).await? else { return Ok(None) };
        let Opened { account, session, expires_at, topics, .. } = from_item(item)?;
        let followed = |topic| match topic {
            Topic::Of(_) => None,
            Topic::Order(order) => Some(Followed::Order(order)),
            Topic::All => Some(Followed::All),
        };
        let follows = topics.into_iter().filter_map(followed).collect();
        let ends_at = Timestamp::from_second(expires_at).unwrap_or(Timestamp::MIN);
        Ok(Some(Connection { id: id.to_owned(), account, session, ends_at, follows }))
    }

    /// Has a connection follow something beside the orders of its account. What is announced after that reaches it.
    pub async fn follow(&self, connection: &str, followed: Followed) -> Result<Follows, StorageError> {
        let key = keys::connection(connection);
        let topic = followed.topic();
        let is_order = |topic: &Topic| matches!(topic, Topic::Order(_));
        for attempt in 0..CHANGES {
            let Some(item) = self.get(&key, true).await? else { return Ok(Follows::Unknown) };
            let opened: Opened = from_item(item)?;
            if !opened.topics.contains(&topic) {
                if is_order(&topic) && opened.topics.iter().filter(|topic| is_order(topic)).count() >= MAX_FOLLOWED {
                    return Ok(Follows::TooMany);
                }
                // First what a disconnect forgets it by, so that none is left behind.
                let write = Write::update(&key, "SET topics = list_append(topics, :topic)")
                    .only_if("topics = :present")
                    .value(":present", to_value(&opened.topics)?)
                    .value(":topic", AttributeValue::L(vec![to_value(&topic)?]));
                // Another frame was faster, for a client does not wait for one answer before it asks again.
                if self.update(&write).await?.is_err() {
                    back_off(attempt).await;
                    continue;
                }
            }
            self.write(listen(topic, connection, &opened)?).await?;
            return Ok(Follows::Now);
        }
        Err(StorageError::Busy("what a connection follows changed again and again".into()))
    }

    /// Has a connection follow something no more; what it does not follow it need not leave.
    pub async fn unfollow(&self, connection: &str, followed: Followed) -> Result<(), StorageError> {
        let topic = followed.topic();
        self.delete(&keys::listener(topic, connection)).await?;
        let key = keys::connection(connection);
        for attempt in 0..CHANGES {
            let Some(item) = self.get(&key, true).await? else { return Ok(()) };
            let opened: Opened = from_item(item)?;
            let Some(place) = opened.topics.iter().position(|followed| *followed == topic) else { return Ok(()) };
            let write = Write::update(&key, format!("REMOVE topics[{place}]"))
                .only_if(format!("topics[{place}] = :topic"))
                .value(":topic", to_value(&topic)?);
            if self.update(&write).await?.is_ok() {
                return Ok(());
            }
            back_off(attempt).await;
        }
        Err(StorageError::Busy("what a connection follows changed again and again".into()))
    }

    /// Forgets a connection; one that is not known is forgotten already.
    pub async fn disconnect(&self, connection: &str) -> Result<(), StorageError> {
        let key = keys::connection(connection);
        let Some(item) = self.get(&key, true).await? else { return Ok(()) };
        let opened: Opened = from_item(item)?;
        try_join_all(opened.topics.iter().map(|topic| self.delete_listener(*topic, connection))).await?;
        // Last, so that one which was interrupted goes on.
        self.delete(&key).await
    }

    /// Forgets a listener that the gateway calls gone, if its connection was opened before `opened_before`.
    pub async fn forget_gone(&self, listener: &Listener, opened_before: Timestamp) -> Result<(), StorageError> {
        let Some(item) = self.get(&keys::connection(&listener.id), true).await? else {
            // It has disconnected while it began to follow.
            return self.delete_listener(listener.topic, &listener.id).await;
        };
        match from_item::<Opened>(item)?.connected_at < opened_before.as_second() {
            true => self.disconnect(&listener.id).await,
            false => Ok(()),
        }
    }

    /// Has one listen no more.
    pub async fn silence(&self, listener: &Listener) -> Result<(), StorageError> {
        match listener.topic {
            Topic::Of(_) => self.disconnect(&listener.id).await,
            Topic::Order(order) => self.unfollow(&listener.id, Followed::Order(order)).await,
            Topic::All => self.unfollow(&listener.id, Followed::All).await,
        }
    }

    /// An account's open connections: one query.
    pub async fn connections_of(&self, account: AccountId) -> Result<Vec<Listener>, StorageError> {
        self.listeners(Topic::Of(account)).await
    }

    /// Those who follow one order: one query.
    pub async fn followers_of(&self, order: OrderId) -> Result<Vec<Listener>, StorageError> {
        self.listeners(Topic::Order(order)).await
    }

    /// Those who follow all orders: one query.
    pub async fn followers_of_all(&self) -> Result<Vec<Listener>, StorageError> {
        self.listeners(Topic::All).await
    }

    /// Whether anybody listens to a topic: one read unit, consistent as [`Table::followers_of`] is.
    pub async fn has_listeners(&self, topic: Topic) -> Result<bool, StorageError> {
        let first = QueryInput::builder()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(keys::listeners(topic)))
            .limit(1)
            .consistent_read(true)
            .build();
        let answer = self.client.call(&QUERY, first).await.map_err(StorageError::from_sdk)?;
        Ok(answer.count > 0)
    }

    /// Consistent, so that whoever was told that it follows misses nothing: a read unit for each 4 KB.
    async fn listeners(&self, topic: Topic) -> Result<Vec<Listener>, StorageError> {
        let items = self.partition(&keys::listeners(topic), true).await?;
        let read = |mut item: keys::Item| {
            let Some(AttributeValue::S(id)) = item.remove("sk") else {
                return Err(StorageError::Broken("a listener has no key".into()));
            };
            let Listens { account, session, expires_at } = from_item(item)?;
            let ends_at = Timestamp::from_second(expires_at).unwrap_or(Timestamp::MIN);
            Ok(Listener { id, account, session, ends_at, topic })
        };
        items.into_iter().map(read).collect()
    }

    async fn delete_listener(&self, topic: Topic, connection: &str) -> Result<(), StorageError> {
        self.delete(&keys::listener(topic, connection)).await
    }
}

fn listen(topic: Topic, connection: &str, opened: &Opened) -> Result<Write, StorageError> {
    let Opened { account, session, expires_at, .. } = opened;
    let listens = Listens { account: *account, session: *session, expires_at: *expires_at };
    let mut item = keys::listener(topic, connection).item();
    item.extend(to_item(&listens)?);
    Ok(Write::put(item))
}
