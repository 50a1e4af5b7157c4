//! One thing that is sent to one endpoint: what it is, how often it was tried, and what came of it.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{DeliveryId, EndpointId, OrderId};
use crate::message::Message;
use crate::order::{FulfilmentStatus, Order, PaymentStatus};

/// Attempts that a delivery remembers, the newest.
pub const MAX_ATTEMPTS: usize = 5;

/// How long after a failed attempt the next one is made, in seconds: about three days in all. SQS keeps a message invisible
/// for twelve hours at most.
pub const RETRIES: [i64; 12] = [5, 60, 300, 1_800, 7_200, 18_000, 36_000, 39_600, 39_600, 39_600, 39_600, 39_600];

/// How long to wait after so many attempts; None when there is none left. `jitter`, of 0 to 255, takes up to a tenth off, so
/// that those who failed together do not come back together.
pub fn wait(attempts: u32, jitter: u8) -> Option<SignedDuration> {
    let seconds = RETRIES.get(usize::try_from(attempts.checked_sub(1)?).ok()?)?;
    Some(SignedDuration::from_secs(*seconds) - SignedDuration::from_millis(seconds * 100 * i64::from(jitter) / 255))
}

/// Something that is sent to an endpoint, and what came of it so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    pub id: DeliveryId,
    pub endpoint_id: EndpointId,
    /// The tag of what is told, such as `order.paid.v1`; `webhook.test.v1` of a test.
    pub event: String,
    /// Absent from a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub order_id: Option<OrderId>,
    /// The order's after what is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub payment_status: Option<PaymentStatus>,
    /// The order's after what is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub fulfilment_status: Option<FulfilmentStatus>,
    pub status: DeliveryStatus,
    /// Attempts so far, those that staff asked for among them.
    pub tries: u32,
    /// The newest attempts, at most five, the oldest of them first.
    #[schema(max_items = 5)]
    pub attempts: Vec<Attempt>,
    /// When it is tried again, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_attempt_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// Attempts so far that nobody asked for. There are thirteen at most.
    pub scheduled: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It failed, and is tried again.
    Pending,
    /// Staff asked for it, and it is sent in a moment.
    Asked,
    Delivered,
    /// It failed, and is not tried again by itself.
    Failed,
}

impl DeliveryStatus {
    pub const ALL: [DeliveryStatus; 4] =
        [DeliveryStatus::Pending, DeliveryStatus::Asked, DeliveryStatus::Delivered, DeliveryStatus::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryStatus::Pending => "pending",
            DeliveryStatus::Asked => "asked",
            DeliveryStatus::Delivered => "delivered",
            DeliveryStatus::Failed => "failed",
        }
    }
}

impl FromStr for DeliveryStatus {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = DeliveryStatus::ALL.into_iter().find(|status| status.as_str() == text);
        known.ok_or("must be pending, asked, delivered or failed")
    }
}

/// One request to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    pub at: Timestamp,
    /// What was answered, where anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 100, maximum = 999)]
    pub status: Option<u16>,
    /// Why nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<Failure>,
    pub duration_ms: u32,
}

/// Why an endpoint did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The name leads nowhere.
    Name,
    /// It is at an address that is not of the public internet.
    Address,
    /// Nobody takes connections.
    Connection,
    /// Its certificate is not good for its name, or it does not speak TLS.
    Tls,
    /// It took longer than ten seconds.
    Timeout,
    /// What it answered is not HTTP.
    Protocol,
    /// The endpoint was disabled, so nothing was sent.
    Disabled,
    /// There is nothing to be told of any more: the customer has left.
    Forgotten,
}

impl Failure {
    /// Whether nothing was sent for a reason of ours.
    pub fn is_ours(self) -> bool {
        match self {
            Failure::Disabled | Failure::Forgotten => true,
            Failure::Name
            | Failure::Address
            | Failure::Connection
            | Failure::Tls
            | Failure::Timeout
            | Failure::Protocol => false,
        }
    }
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered(u16),
    Failed(Failure),
}

impl Outcome {
    pub fn is_success(self) -> bool {
        matches!(self, Outcome::Answered(200..=299))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Answered(status) => write!(f, "{status}"),
            Outcome::Failed(failure) => write!(f, "{failure:?}"),
        }
    }
}

/// Why an attempt is made: the schedule's, or staff asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    BySchedule,
    ByStaff,
}

impl Delivery {
    /// A change of an order, before anything was sent.
    pub fn new(message: &Message, endpoint_id: EndpointId, now: Timestamp) -> Delivery {
        Delivery {
            id: DeliveryId::of(message.order.id, message.order.version),
            endpoint_id,
            event: message.event.tag().to_owned(),
            order_id: Some(message.order.id),
            payment_status: Some(message.order.payment_status),
            fulfilment_status: Some(message.order.fulfilment_status),
            status: DeliveryStatus::Pending,
            tries: 0,
            attempts: Vec::new(),
            next_attempt_at: Some(now),
            created_at: now,
            scheduled: 0,
        }
    }

    /// A test, which is sent once.
    pub fn test(id: DeliveryId, endpoint_id: EndpointId, now: Timestamp) -> Delivery {
        Delivery {
            id,
            endpoint_id,
            event: TEST_TAG.to_owned(),
            order_id: None,
            payment_status: None,
            fulfilment_status: None,
            status: DeliveryStatus::Asked,
            tries: 0,
            attempts: Vec::new(),
            next_attempt_at: None,
            created_at: now,
            scheduled: 0,
        }
    }

    /// What was told, once more: as it was then, but that whom the order is for, and where it goes, are as they are by now.
    /// None once its customer has left.
    pub fn told_again(&self, order: &Order, version: u32) -> Option<Message> {
        let mut message = Message::again(order, version)?;
        (message.order.payment_status, message.order.fulfilment_status) =
            (self.payment_status?, self.fulfilment_status?);
        Some(message)
    }

    /// How long until it is to be sent for this reason; None if it need not be.
    pub fn due_in(&self, asked: Asked, now: Timestamp) -> Option<SignedDuration> {
        match (asked, self.status) {
            (Asked::ByStaff, DeliveryStatus::Asked) => Some(SignedDuration::ZERO),
            (Asked::BySchedule, DeliveryStatus::Pending | DeliveryStatus::Asked) => {
                Some(self.next_attempt_at?.duration_since(now).max(SignedDuration::ZERO))
            }
            (Asked::ByStaff, DeliveryStatus::Pending | DeliveryStatus::Delivered | DeliveryStatus::Failed)
            | (Asked::BySchedule, DeliveryStatus::Delivered | DeliveryStatus::Failed) => None,
        }
    }

    /// With one more attempt. Only an attempt of the schedule moves the schedule on; one that nothing was sent by ends it.
    pub fn tried(
        mut self,
        asked: Asked,
        outcome: Outcome,
        (at, ended_at): (Timestamp, Timestamp),
        jitter: u8,
    ) -> Delivery {
        let (status, error) = match outcome {
            Outcome::Answered(status) => (Some(status), None),
            Outcome::Failed(failure) => (None, Some(failure)),
        };
        let duration = ended_at.duration_since(at).as_millis();
        self.attempts.push(Attempt { at, status, error, duration_ms: u32::try_from(duration).unwrap_or_default() });
        let old = self.attempts.len().saturating_sub(MAX_ATTEMPTS);
        self.attempts.drain(..old);
        self.tries += 1;
        if asked == Asked::BySchedule {
            self.scheduled += 1;
            self.next_attempt_at = wait(self.scheduled, jitter).map(|wait| ended_at + wait);
        }
        if outcome.is_success() || outcome == Outcome::Answered(410) || error.is_some_and(Failure::is_ours) {
            self.next_attempt_at = None;
        }
        self.status = match (outcome.is_success(), self.next_attempt_at) {
            (true, _) => DeliveryStatus::Delivered,
            (false, Some(_)) => DeliveryStatus::Pending,
            (false, None) => DeliveryStatus::Failed,
        };
        self
    }
}

/// The tag of a test.
pub const TEST_TAG: &str = "webhook.test.v1";

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn delivery() -> Delivery {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/messages/order.paid.v1.json");
        let message: Message = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Delivery::new(&message, EndpointId::new(Uuid::from_u128(1)), at(0))
    }

    const ERROR: Outcome = Outcome::Answered(500);

    #[test]
    fn what_fails_is_tried_for_three_days_and_then_no_more() {
        let (mut delivery, mut now, mut attempts) = (delivery(), at(0), 0);
        while let Some(wait) = delivery.due_in(Asked::BySchedule, now) {
            // From the end of an attempt on, which takes 20 ms here.
            assert!(wait <= SignedDuration::from_hours(11) + SignedDuration::from_millis(20));
            now += wait;
            delivery = delivery.tried(Asked::BySchedule, ERROR, (now, now + SignedDuration::from_millis(20)), 0);
            attempts += 1;
        }
        assert_eq!((attempts, delivery.tries, delivery.attempts.len()), (13, 13, MAX_ATTEMPTS));
        assert_eq!((delivery.status, delivery.next_attempt_at), (DeliveryStatus::Failed, None));
        assert_eq!(delivery.attempts[0].duration_ms, 20);
        let days = now.duration_since(at(0)).as_secs_f64() / 86_400.0;
        assert!((3.0..3.1).contains(&days), "{days} days");
    }

    #[test]
    fn jitter_takes_up_to_a_tenth_off() {
        assert_eq!(wait(0, 0), None);
        assert_eq!(
            (wait(1, 0), wait(1, 255)),
            (Some(SignedDuration::from_secs(5)), Some(SignedDuration::from_millis(4_500)))
        );
        assert_eq!(wait(12, 255), Some(SignedDuration::from_secs(39_600 * 9 / 10)));
        assert_eq!(wait(13, 0), None);
    }

    #[test]
    fn what_was_delivered_or_has_failed_is_not_sent_again_when_its_message_comes_twice() {
        let sent = delivery().tried(Asked::BySchedule, Outcome::Answered(204), (at(0), at(1)), 0);
        assert_eq!((sent.status, sent.next_attempt_at), (DeliveryStatus::Delivered, None));
        let gone = delivery().tried(Asked::BySchedule, Outcome::Answered(410), (at(0), at(1)), 0);
        let disabled = delivery().tried(Asked::BySchedule, Outcome::Failed(Failure::Disabled), (at(0), at(0)), 0);
        assert_eq!((gone.status, disabled.status), (DeliveryStatus::Failed, DeliveryStatus::Failed));
        for over in [sent, gone, disabled] {
            assert_eq!(over.due_in(Asked::BySchedule, at(9)), None);
            assert_eq!(over.due_in(Asked::ByStaff, at(9)), None);
        }
        // A redirection is no success: it is not followed.
        assert_eq!(
            delivery().tried(Asked::BySchedule, Outcome::Answered(302), (at(0), at(1)), 0).status,
            DeliveryStatus::Pending
        );
    }

    #[test]
    fn what_staff_ask_for_is_sent_once_and_leaves_the_schedule_as_it_is() {
        let pending = delivery().tried(Asked::BySchedule, ERROR, (at(0), at(0)), 0);
        let next = pending.next_attempt_at;
        let asked = Delivery { status: DeliveryStatus::Asked, ..pending };
        assert_eq!(asked.due_in(Asked::ByStaff, at(1)), Some(SignedDuration::ZERO));
        let failed = asked.clone().tried(Asked::ByStaff, ERROR, (at(1), at(2)), 0);
        assert_eq!((failed.status, failed.next_attempt_at, failed.tries), (DeliveryStatus::Pending, next, 2));
        let sent = asked.tried(Asked::ByStaff, Outcome::Answered(200), (at(1), at(2)), 0);
        assert_eq!((sent.status, sent.due_in(Asked::BySchedule, at(99))), (DeliveryStatus::Delivered, None));
        let test = Delivery::test(DeliveryId::test(Uuid::from_u128(9)), EndpointId::new(Uuid::from_u128(1)), at(0));
        assert_eq!(test.due_in(Asked::BySchedule, at(0)), None);
        assert_eq!(test.tried(Asked::ByStaff, ERROR, (at(0), at(1)), 0).status, DeliveryStatus::Failed);
    }
}
