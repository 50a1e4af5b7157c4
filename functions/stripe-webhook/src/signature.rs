//! Whether it was Stripe who sent an event. Nothing but its library is needed for that, so that the fuzz target is made in a
//! minute.

use stripe_webhook::{Event, Webhook, WebhookError};

/// The body is not what Stripe signed with this secret, within five minutes of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotStripe;

/// The event that Stripe signed; None where the signature is good, but the event is of a form that we do not know. `now` is in
/// seconds since 1970.
pub fn signed_event(payload: &str, signature: &str, secret: &str, now: i64) -> Result<Option<Event>, NotStripe> {
    match Webhook::construct_event_with_timestamp(payload, signature, secret, now) {
        Ok(event) => Ok(Some(event)),
        Err(WebhookError::BadParse(_)) => Ok(None),
        Err(
            WebhookError::BadKey
            | WebhookError::BadHeader(_)
            | WebhookError::BadSignature
            | WebhookError::BadTimestamp(_),
        ) => Err(NotStripe),
    }
}
