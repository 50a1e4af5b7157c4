//! What an open connection says, and how it is answered: through @connections, one answer to each frame.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use futures_util::future::try_join_all;
use waybill_domain::Timestamp;
use waybill_domain::account::Permission;
use waybill_domain::id::OrderId;
use waybill_domain::order::Order;
use waybill_domain::update::{Feed, PARTS, Shown};
use waybill_lambda::browsers::Browsers;
use waybill_storage::connections::{Connection, Followed, Follows, MAX_FOLLOWED};
use waybill_storage::feeds::Missed;
use waybill_storage::{StorageError, Table};

use crate::frames::{self, Answer, Following, Frame, HEARTBEAT, MAX_FRAMES, Position, Reason, Reply, Said, Sees, Why};

pub struct Front {
    pub table: Table,
    browsers: Browsers,
    heard: Mutex<Heard>,
}

/// How much each connection has said in this minute.
#[derive(Default)]
struct Heard {
    minute: i64,
    frames: HashMap<String, u32>,
}

/// Why a question is not answered.
enum Refusal {
    Problem(Why, String),
    Goodbye(Reason),
    Failed(StorageError),
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        Refusal::Failed(error)
    }
}

impl Front {
    pub fn new(table: Table, browsers: Browsers) -> Front {
        Front { table, browsers, heard: Mutex::default() }
    }

    /// Answers what a connection said. Whatever goes wrong is told to it or logged; it never fails.
    pub async fn answer(&self, id: &str, text: &str, now: Timestamp) {
        if self.is_too_much(id, now) {
            return self.part(id, Reason::TooManyFrames, None).await;
        }
        let (reference, asked) = match frames::read(text) {
            Ok(Frame { r#ref, said }) => (r#ref, Ok(said)),
            Err((why, detail)) => (None, Err(Refusal::Problem(why, detail))),
        };
        let answered = match asked {
            Ok(said) => self.act(id, said, reference.clone(), now).await,
            Err(refusal) => Err(refusal),
        };
        let problem = |problem, detail| Answer::Problem { problem, detail };
        match answered {
            Ok(()) => {}
            Err(Refusal::Problem(why, detail)) => self.reply(id, problem(why, detail), reference).await,
            Err(Refusal::Goodbye(reason)) => self.part(id, reason, reference).await,
            Err(Refusal::Failed(error)) => {
                tracing::error!(connection = id, error = %error, "a frame was not answered");
                let detail = "That did not work just now. Please ask again in a moment.".to_owned();
                self.reply(id, problem(Why::TryAgain, detail), reference).await;
            }
        }
    }

    async fn act(&self, id: &str, said: Said, reference: Option<String>, now: Timestamp) -> Result<(), Refusal> {
        let (connection, sees) = self.who(id, now).await?;
        let staff = || match sees {
            Sees::AllOrders => Ok(()),
            Sees::OwnOrders => Err(forbidden()),
        };
        let answer = match said {
            Said::Ping => Answer::Pong,
            Said::Hello => {
                let own = Feed::Of(connection.account);
                let positions = BTreeMap::from([(own.name(), self.table.position(own).await?)]);
                Answer::Hello { sees, positions, heartbeat_seconds: HEARTBEAT, ends_at: connection.ends_at }
            }
            Said::Follow { feed } => {
                staff()?;
                self.follow(id, feed, now).await?
            }
            Said::Unfollow { feed } => {
                let (followed, feed) = named(feed);
                self.table.unfollow(id, followed).await?;
                Answer::Unfollowed { feed }
            }
            Said::Resume { feed: Position::Own, after } => {
                let missed = self.table.missed(Feed::Of(connection.account), after, now).await?;
                return self.resumed(id, Feed::Of(connection.account).name(), after, &missed, reference).await;
            }
            Said::Resume { feed: Position::All(part), after } => {
                staff()?;
                let missed = self.table.missed(Feed::All(part), after, now).await?;
                return self.resumed(id, Feed::All(part).name(), after, &missed, reference).await;
            }
            Said::Resume { feed: Position::Order(order), after } => {
                staff()?;
                let order = self.order(order).await?;
                let version = u32::try_from(after).unwrap_or(u32::MAX - 1);
                let missed = self.table.missed_of(&order, version, now).await?;
                return self.resumed(id, order.id.to_string(), after, &missed, reference).await;
            }
        };
        self.reply(id, answer, reference).await;
        Ok(())
    }

    /// Who asks, and what they may see: the connection and its account, as they are at this moment.
    async fn who(&self, id: &str, now: Timestamp) -> Result<(Connection, Sees), Refusal> {
        let connection = self.table.connection(id).await?;
        let connection = connection.filter(|connection| connection.ends_at > now);
        let connection = connection.ok_or(Refusal::Goodbye(Reason::TimeIsUp))?;
        let holder = self.table.holder(connection.account).await?;
        let session = holder.as_ref().and_then(|holder| holder.session(connection.session, now));
        let (Some(holder), Some(session)) = (&holder, session) else {
            return Err(Refusal::Goodbye(Reason::SessionEnded));
        };
        let may = session.has_second_factor(now) && holder.role.may(Permission::ReadOrders);
        Ok((connection, if may { Sees::AllOrders } else { Sees::OwnOrders }))
    }

    async fn follow(&self, id: &str, feed: Following, now: Timestamp) -> Result<Answer<'static>, Refusal> {
        let (followed, name) = named(feed);
        // Kept before it is followed: what is not counted here then comes, and is there to be asked for.
        match followed {
            Followed::Order(order) => self.table.keep(Feed::Of(self.order(order).await?.buyer), now).await?,
            Followed::All => {
                try_join_all((0..PARTS).map(|part| self.table.keep(Feed::All(part), now))).await?;
            }
        }
        match self.table.follow(id, followed).await? {
            Follows::Now => {}
            Follows::TooMany => {
                let detail =
                    format!("A connection follows at most {MAX_FOLLOWED} orders. Unfollow one, or follow all.");
                return Err(Refusal::Problem(Why::TooManyFollowed, detail));
            }
            Follows::Unknown => return Err(Refusal::Goodbye(Reason::TimeIsUp)),
        }
        // Read after it follows.
        let mut positions = BTreeMap::new();
        match followed {
            Followed::Order(order) => {
                positions.insert(name.clone(), u64::from(self.order(order).await?.version()));
            }
            Followed::All => {
                for part in (0..PARTS).map(Feed::All) {
                    positions.insert(part.name(), self.table.position(part).await?);
                }
            }
        }
        Ok(Answer::Following { feed: name, positions })
    }

    async fn order(&self, order: OrderId) -> Result<Order, Refusal> {
        self.table.order(order).await?.ok_or_else(unknown)
    }

    async fn resumed(
        &self,
        id: &str,
        feed: String,
        after: u64,
        missed: &Missed,
        reference: Option<String>,
    ) -> Result<(), Refusal> {
        let shown = |numbered: &'_ waybill_storage::feeds::Numbered| BTreeMap::from([(feed.clone(), numbered.number)]);
        let updates =
            missed.updates.iter().map(|numbered| Shown { update: &numbered.update, positions: shown(numbered) });
        let answer = Answer::Resumed {
            position: missed.updates.last().map_or(after, |numbered| numbered.number),
            updates: updates.collect(),
            more: missed.more,
            complete: missed.complete,
            feed: feed.clone(),
        };
        self.reply(id, answer, reference).await;
        Ok(())
    }

    async fn reply(&self, id: &str, answer: Answer<'_>, reference: Option<String>) {
        let Ok(text) = serde_json::to_vec(&Reply { answer, r#ref: reference }) else {
            tracing::error!("an answer cannot be written");
            return;
        };
        if let Err(error) = self.browsers.tell(id, text).await {
            // Who has gone asks again from where they stand.
            tracing::info!(connection = id, %error, "an answer did not arrive");
        }
    }

    /// Says why, closes the connection and forgets it.
    async fn part(&self, id: &str, reason: Reason, reference: Option<String>) {
        tracing::info!(connection = id, ?reason, "a connection is closed");
        self.reply(id, Answer::Goodbye { reason }, reference).await;
        if let Err(error) = self.browsers.close(id).await {
            tracing::info!(connection = id, %error, "a connection could not be closed");
        }
        if let Err(error) = self.table.disconnect(id).await {
            tracing::warn!(connection = id, error = %error, "a connection could not be forgotten");
        }
    }

    fn is_too_much(&self, id: &str, now: Timestamp) -> bool {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.as_second() / 60;
        if heard.minute != minute {
            *heard = Heard { minute, frames: HashMap::new() };
        }
        let frames = heard.frames.entry(id.to_owned()).or_default();
        *frames += 1;
        *frames > MAX_FRAMES
    }
}

fn named(feed: Following) -> (Followed, String) {
    match feed {
        Following::All => (Followed::All, "all".into()),
        Following::Order(order) => (Followed::Order(order), order.to_string()),
    }
}

fn forbidden() -> Refusal {
    let permission = Permission::ReadOrders.name();
    let detail = format!("This takes the permission {permission}, and a session in which a code was given today.");
    Refusal::Problem(Why::Forbidden, detail)
}

fn unknown() -> Refusal {
    Refusal::Problem(Why::UnknownOrder, "There is no such order.".into())
}
