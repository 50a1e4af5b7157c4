//! Stripe's events and how their delivery goes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::objects;

/// The version that every object here is written in: the one that async-stripe is compiled for.
pub const API_VERSION: &str = "2026-09-30.endive";

/// Stripe gives up after three days; so does this.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(72);
const LONGEST_WAIT: Duration = Duration::from_secs(256);
const ATTEMPTS_KEPT: usize = 20;

/// An event, exactly as it is sent, with the story of its delivery.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Event {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub created: Timestamp,
    pub delivery: Delivery,
    /// Failures since the last success; they set the next wait.
    pub failures: u32,
    pub attempts: Vec<Attempt>,
    pub body: Value,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "at")]
pub enum Delivery {
    Due(Timestamp),
    Delivered,
    GivenUp,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Attempt {
    pub at: Timestamp,
    pub took_ms: u64,
    /// The receiver's status, or why there was none.
    pub answer: String,
    pub succeeded: bool,
}

/// The API request that made something happen; nothing for what a buyer does on the payment page.
#[derive(Clone, Debug, Default)]
pub struct Cause {
    pub request_id: Option<String>,
    pub idempotency_key: Option<String>,
}

impl Event {
    /// An event that is due at once.
    pub fn new(kind: &str, object: Value, cause: &Cause, now: Timestamp) -> Event {
        let id = objects::new_id("evt_1", 23);
        let body = json!({
            "id": id,
            "object": "event",
            "account": null,
            "api_version": API_VERSION,
            "context": null,
            "created": now.as_second(),
            "data": { "object": object },
            "livemode": false,
            "pending_webhooks": 1,
            "request": { "id": cause.request_id, "idempotency_key": cause.idempotency_key },
            "type": kind,
        });
        Event {
            id,
            kind: kind.to_owned(),
            created: now,
            delivery: Delivery::Due(now),
            failures: 0,
            attempts: Vec::new(),
            body,
        }
    }

    /// Sends it again, whatever became of it before.
    pub fn redeliver(&mut self, now: Timestamp) {
        self.delivery = Delivery::Due(now);
        self.failures = 0;
    }

    /// Notes an attempt; after a failure the next one waits 1 s, 2 s, 4 s and so on, up to some minutes.
    pub fn note(&mut self, attempt: Attempt, now: Timestamp) {
        if attempt.succeeded {
            self.delivery = Delivery::Delivered;
            self.failures = 0;
        } else if self.delivery != Delivery::Delivered {
            let wait = Duration::from_secs(1 << self.failures.min(30)).min(LONGEST_WAIT);
            self.failures += 1;
            let is_over = now.duration_since(self.created) > GIVE_UP_AFTER;
            self.delivery = if is_over { Delivery::GivenUp } else { Delivery::Due(now + wait) };
        }
        if self.attempts.len() == ATTEMPTS_KEPT {
            self.attempts.remove(0);
        }
        self.attempts.push(attempt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;

    fn attempt(succeeded: bool) -> Attempt {
        Attempt { at: Timestamp::now(), took_ms: 1, answer: "500".into(), succeeded }
    }

    #[test]
    fn failed_deliveries_wait_twice_as_long_each_time_up_to_some_minutes() {
        let now = Timestamp::now();
        let mut event = Event::new("charge.succeeded", json!({}), &Cause::default(), now);
        let mut waits = Vec::new();
        for _ in 0..11 {
            event.note(attempt(false), now);
            let Delivery::Due(at) = event.delivery else { panic!("{:?}", event.delivery) };
            waits.push(at.duration_since(now).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 256]);
    }

    #[test]
    fn a_late_failure_does_not_undo_a_delivery() {
        let now = Timestamp::now();
        let mut event = Event::new("charge.succeeded", json!({}), &Cause::default(), now);
        event.note(attempt(true), now);
        event.note(attempt(false), now);
        assert_eq!(event.delivery, Delivery::Delivered);
    }

    #[test]
    fn after_three_days_an_event_is_given_up_until_someone_sends_it_again() {
        let now = Timestamp::now();
        let mut event = Event::new("charge.succeeded", json!({}), &Cause::default(), now);
        let later = now + 73.hours();
        event.note(attempt(false), later);
        assert_eq!(event.delivery, Delivery::GivenUp);
        event.redeliver(later);
        assert_eq!(event.delivery, Delivery::Due(later));
    }
}
