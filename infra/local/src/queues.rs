//! SQS's standard queues: visibility timeout, long polling, dead letters.

pub(crate) mod calls;
mod letter;
mod message;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::aws::{ACCOUNT, REGION};
use crate::saved::Changed;
use crate::template::Queue;

pub use message::{Letter, Message, MessageAttribute, Received};
use message::{open_receipt, receipt};

/// The queues of the template. Clones share them.
#[derive(Clone)]
pub struct Queues(Arc<Inner>);

struct Inner {
    url: String,
    settings: BTreeMap<String, Queue>,
    held: Mutex<Held>,
    arrived: BTreeMap<String, Notify>,
    changed: Changed,
}

/// Every queue's messages, oldest first.
pub(crate) type Held = BTreeMap<String, VecDeque<Message>>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub visible: usize,
    pub in_flight: usize,
    pub delayed: usize,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    #[error("The specified queue does not exist.")]
    NoSuchQueue,
    #[error("The input receipt handle is invalid.")]
    NotAReceipt,
    #[error("The message is not in flight.")]
    NotInFlight,
}

impl Queues {
    pub(crate) fn new(url: &str, queues: &[Queue], mut held: Held, changed: Changed) -> Queues {
        let now = Timestamp::now();
        for message in held.values_mut().flatten() {
            // Whoever held it has ended with the last run.
            if message.receives_here > 0 {
                message.visible_at = message.visible_at.min(now);
            }
        }
        held.retain(|name, _| queues.iter().any(|queue| queue.name == *name));
        for queue in queues {
            held.entry(queue.name.clone()).or_default();
        }
        Queues(Arc::new(Inner {
            url: url.trim_end_matches('/').to_owned(),
            settings: queues.iter().map(|queue| (queue.name.clone(), queue.clone())).collect(),
            arrived: queues.iter().map(|queue| (queue.name.clone(), Notify::new())).collect(),
            held: Mutex::new(held),
            changed,
        }))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.settings.keys().map(String::as_str)
    }

    pub fn settings(&self, queue: &str) -> Result<&Queue, QueueError> {
        self.0.settings.get(queue).ok_or(QueueError::NoSuchQueue)
    }

    pub fn url(&self, queue: &str) -> String {
        format!("{}/{ACCOUNT}/{queue}", self.0.url)
    }

    /// Answers the message's id.
    pub fn send(&self, queue: &str, letter: Letter) -> Result<String, QueueError> {
        let now = Timestamp::now();
        let message = Message {
            id: uuid::Uuid::new_v4().to_string(),
            body: letter.body,
            attributes: letter.attributes,
            trace: letter.trace,
            group: letter.group,
            sent: now,
            first_received: None,
            receives: 0,
            dead_letter_of: None,
            receives_here: 0,
            visible_at: after(now, letter.delay),
        };
        let id = message.id.clone();
        self.messages(queue)?.get_mut(queue).ok_or(QueueError::NoSuchQueue)?.push_back(message);
        self.arrival(queue);
        Ok(id)
    }

    /// Up to `most` messages, as soon as there is one, and none when `wait` is over. They are invisible to others
    /// for `visibility`, or for the queue's own time. Dropping the future loses nothing.
    pub async fn receive(
        &self,
        queue: &str,
        most: usize,
        visibility: Option<Duration>,
        wait: Duration,
    ) -> Result<Vec<Received>, QueueError> {
        let arrived = self.0.arrived.get(queue).ok_or(QueueError::NoSuchQueue)?;
        let until = Instant::now() + wait;
        loop {
            let arrival = arrived.notified();
            tokio::pin!(arrival);
            arrival.as_mut().enable();
            let (received, next_visible) = self.take(queue, most, visibility)?;
            let now = Instant::now();
            if !received.is_empty() || now >= until {
                return Ok(received);
            }
            let wake = next_visible.map_or(until, |visible| until.min(now + visible));
            let _ = tokio::time::timeout_at(wake, arrival).await;
        }
    }

    /// A receipt that is no longer the message's last one deletes nothing, and is no error.
    pub fn delete(&self, queue: &str, receipt: &str) -> Result<(), QueueError> {
        let (id, receive) = open_receipt(receipt).ok_or(QueueError::NotAReceipt)?;
        let mut held = self.messages(queue)?;
        if let Some(messages) = held.get_mut(queue)
            && let Some(at) = messages.iter().position(|message| message.id == id && message.receives == receive)
        {
            messages.remove(at);
            self.0.changed.tell();
        }
        Ok(())
    }

    /// The message is invisible for `visibility` from now on; zero gives it back at once.
    pub fn change_visibility(&self, queue: &str, receipt: &str, visibility: Duration) -> Result<(), QueueError> {
        let (id, receive) = open_receipt(receipt).ok_or(QueueError::NotAReceipt)?;
        let now = Timestamp::now();
        let mut held = self.messages(queue)?;
        let message = held
            .get_mut(queue)
            .and_then(|messages| messages.iter_mut().find(|message| message.id == id && message.receives == receive))
            .filter(|message| message.visible_at > now)
            .ok_or(QueueError::NotInFlight)?;
        message.visible_at = after(now, visibility);
        drop(held);
        self.arrival(queue);
        Ok(())
    }

    pub fn purge(&self, queue: &str) -> Result<(), QueueError> {
        self.messages(queue)?.insert(queue.to_owned(), VecDeque::new());
        self.0.changed.tell();
        Ok(())
    }

    pub fn counts(&self, queue: &str) -> Result<Counts, QueueError> {
        let now = Timestamp::now();
        let mut counts = Counts::default();
        for message in self.messages(queue)?.get(queue).into_iter().flatten() {
            match message.visible_at > now {
                false => counts.visible += 1,
                true if message.receives_here > 0 => counts.in_flight += 1,
                true => counts.delayed += 1,
            }
        }
        Ok(counts)
    }

    /// All that a queue holds, oldest first, without receiving it.
    #[cfg(test)]
    pub fn peek(&self, queue: &str) -> Result<Vec<Message>, QueueError> {
        Ok(self.messages(queue)?.get(queue).into_iter().flatten().cloned().collect())
    }

    pub(crate) fn with_held<T>(&self, read: impl FnOnce(&Held) -> T) -> T {
        read(&self.0.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is visible now, else the time until something may be.
    fn take(
        &self,
        queue: &str,
        most: usize,
        visibility: Option<Duration>,
    ) -> Result<(Vec<Received>, Option<Duration>), QueueError> {
        let settings = self.settings(queue)?;
        let visibility = visibility.unwrap_or(settings.visibility_timeout);
        let now = Timestamp::now();
        let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        let messages = held.get_mut(queue).ok_or(QueueError::NoSuchQueue)?;
        let before = messages.len();
        messages.retain(|message| after(message.sent, settings.retention) > now);

        let mut given_up = VecDeque::new();
        if let Some(dead_letters) = &settings.dead_letters {
            let gone = |message: &Message| {
                message.visible_at <= now && message.receives_here >= dead_letters.max_receive_count
            };
            // Rebuilt only when there is one: this runs at every poll.
            if messages.iter().any(gone) {
                let (dead, alive) = std::mem::take(messages).into_iter().partition(gone);
                *messages = alive;
                given_up = dead;
            }
        }

        let mut received = Vec::new();
        for message in messages.iter_mut().filter(|message| message.visible_at <= now).take(most) {
            message.receives += 1;
            message.receives_here += 1;
            message.first_received.get_or_insert(now);
            message.visible_at = after(now, visibility);
            received.push(Received { receipt: receipt(message), message: message.clone() });
        }
        let next = messages.iter().map(|message| message.visible_at).min();
        let changed = before != messages.len() || !received.is_empty();

        if let Some(dead_letters) = settings.dead_letters.as_ref().filter(|_| !given_up.is_empty()) {
            let graves = held.entry(dead_letters.queue.clone()).or_default();
            graves.extend(given_up.into_iter().map(|message| Message {
                dead_letter_of: Some(queue_arn(queue)),
                receives_here: 0,
                ..message
            }));
            drop(held);
            self.arrival(&dead_letters.queue);
        }
        if changed {
            self.0.changed.tell();
        }
        let until = next.map(|next| Duration::try_from(next.duration_since(now)).unwrap_or_default());
        Ok((received, until))
    }

    fn messages(&self, queue: &str) -> Result<MutexGuard<'_, Held>, QueueError> {
        self.settings(queue)?;
        Ok(self.0.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn arrival(&self, queue: &str) {
        self.0.changed.tell();
        if let Some(arrived) = self.0.arrived.get(queue) {
            arrived.notify_waiters();
        }
    }
}

/// The queue's name in its URL or ARN, or the name itself.
pub fn queue_name(address: &str) -> &str {
    address.rsplit(['/', ':']).next().unwrap_or(address)
}

pub fn queue_arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}")
}

fn after(from: Timestamp, span: Duration) -> Timestamp {
    from.checked_add(span).unwrap_or(Timestamp::MAX)
}
