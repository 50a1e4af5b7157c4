//! Webhooks: the merchant's own systems, told of what happens to orders. What is sent to an endpoint, how long it is tried,
//! and when an endpoint is given up.

mod address;
mod delivery;
mod url;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use address::is_public;
pub use delivery::{Asked, Attempt, Delivery, DeliveryStatus, Failure, MAX_ATTEMPTS, Outcome, RETRIES, TEST_TAG, wait};
pub use url::{EndpointUrl, MAX_URL, TestHosts};

use crate::id::EndpointId;
use crate::message::EVENT_TAGS;
use crate::schema::{self, described};
use crate::text::{Invalid, Line};

/// Endpoints of a shop.
pub const MAX_ENDPOINTS: usize = 16;
/// How long the secret from before a rotation signs beside the new one.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// An endpoint that has answered nothing but failures for so long is sent nothing more.
pub const PATIENCE: SignedDuration = SignedDuration::from_hours(5 * 24);

pub type EndpointNote = Line<0, 200>;

/// A system of the merchant's that is told of what happens to orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    pub id: EndpointId,
    pub url: EndpointUrl,
    pub description: EndpointNote,
    /// What it is told of; everything where it is empty.
    #[schema(max_items = 100)]
    pub events: BTreeSet<EventTag>,
    /// Whether events are sent to it.
    pub enabled: bool,
    /// Why it is not, where it was the shop that disabled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disabled: Option<Disabled>,
    /// Since when nothing but failures came of what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failing_since: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// That the shop has disabled an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Disabled {
    pub reason: DisabledFor,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledFor {
    /// It answered 410: it wants nothing any more.
    Gone,
    /// For five days nothing but failures came of what was sent.
    Failing,
}

impl Endpoint {
    /// Whether it is to be told of an event of this tag.
    pub fn hears(&self, tag: &str) -> bool {
        self.enabled && (self.events.is_empty() || self.events.iter().any(|event| event.as_str() == tag))
    }

    /// Why it is to be disabled, now that something sent to it has failed.
    pub fn given_up(&self, failure: &Outcome, now: Timestamp) -> Option<DisabledFor> {
        match failure {
            Outcome::Answered(410) => Some(DisabledFor::Gone),
            Outcome::Answered(_) | Outcome::Failed(_) => {
                let is_long = self.failing_since.is_some_and(|since| now.duration_since(since) >= PATIENCE);
                is_long.then_some(DisabledFor::Failing)
            }
        }
    }
}

/// The tag of an event of orders, as messages carry it: `order.paid.v1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct EventTag(String);

described!(
    EventTag,
    schema::text(
        "What happened to an order, as messages name it.",
        1,
        60,
        "^order\\.[a-z_]+\\.v[0-9]+$",
        "order.paid.v1"
    )
);

impl EventTag {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventTag {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let known = EVENT_TAGS.contains(&text).then(|| EventTag(text.to_owned()));
        known.ok_or_else(|| Invalid::new("must be an event of orders, such as order.paid.v1"))
    }
}

impl TryFrom<String> for EventTag {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl fmt::Display for EventTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What requests to an endpoint are signed with: `whsec_` and 32 bytes in base 64. Its text is never printed by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(String);

impl Secret {
    pub const PREFIX: &str = "whsec_";

    /// Of random bytes in base 64.
    pub fn new(base64: &str) -> Self {
        Secret(format!("{}{base64}", Self::PREFIX))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key's bytes in base 64.
    pub fn base64(&self) -> &str {
        self.0.strip_prefix(Self::PREFIX).unwrap_or(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The secrets of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    pub current: Secret,
    /// The one before, which signs until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<(Secret, Timestamp)>,
}

impl Secrets {
    /// With a new one in front. Of three within the overlap the oldest is good no more.
    pub fn rotated(self, secret: Secret, now: Timestamp) -> Secrets {
        Secrets { current: secret, previous: Some((self.current, now + OVERLAP)) }
    }

    /// Those that sign at a moment, the newest first.
    pub fn signing(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        let previous = self.previous.iter().filter(move |(_, until)| now < *until).map(|(secret, _)| secret);
        std::iter::once(&self.current).chain(previous)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    fn endpoint() -> Endpoint {
        Endpoint {
            id: EndpointId::new(Uuid::from_u128(1)),
            url: EndpointUrl::parse("https://erp.example.com/hooks", &TestHosts::default()).unwrap(),
            description: "".parse().unwrap(),
            events: BTreeSet::new(),
            enabled: true,
            disabled: None,
            failing_since: None,
            created_at: at(0),
        }
    }

    #[test]
    fn an_endpoint_hears_what_it_asked_for_or_everything_and_nothing_while_it_is_disabled() {
        let all = endpoint();
        assert!(EVENT_TAGS.iter().all(|tag| all.hears(tag)));
        let paid = Endpoint { events: ["order.paid.v1".parse().unwrap()].into(), ..endpoint() };
        assert_eq!(EVENT_TAGS.iter().filter(|tag| paid.hears(tag)).collect::<Vec<_>>(), [&"order.paid.v1"]);
        let disabled = Endpoint { enabled: false, ..endpoint() };
        assert!(!EVENT_TAGS.iter().any(|tag| disabled.hears(tag)));
        for unknown in ["", "order.paid", "order.paid.v2", "account.email_changed.v1", "*"] {
            assert!(unknown.parse::<EventTag>().is_err(), "{unknown}");
        }
    }

    #[test]
    fn an_endpoint_is_given_up_after_five_days_of_failures_or_when_it_says_so() {
        let failing = Endpoint { failing_since: Some(at(0)), ..endpoint() };
        let error = Outcome::Answered(500);
        assert_eq!(failing.given_up(&error, at(5 * 24) - SignedDuration::from_secs(1)), None);
        assert_eq!(failing.given_up(&error, at(5 * 24)), Some(DisabledFor::Failing));
        assert_eq!(failing.given_up(&Outcome::Failed(Failure::Timeout), at(5 * 24)), Some(DisabledFor::Failing));
        assert_eq!(endpoint().given_up(&error, at(99 * 24)), None);
        assert_eq!(endpoint().given_up(&Outcome::Answered(410), at(0)), Some(DisabledFor::Gone));
    }

    #[test]
    fn two_secrets_sign_for_a_day_after_a_rotation_and_never_three() {
        let secret = |name: &str| Secret::new(name);
        let names = |secrets: &Secrets, now| secrets.signing(now).map(|it| it.base64().to_owned()).collect::<Vec<_>>();
        let first = Secrets { current: secret("one"), previous: None };
        assert_eq!(names(&first, at(0)), ["one"]);
        let second = first.rotated(secret("two"), at(0));
        assert_eq!(names(&second, at(24) - SignedDuration::from_secs(1)), ["two", "one"]);
        assert_eq!(names(&second, at(24)), ["two"]);
        assert_eq!(names(&second.rotated(secret("three"), at(1)), at(1)), ["three", "two"]);
        assert_eq!(format!("{:?}", secret("hidden")), "Secret");
    }
}
