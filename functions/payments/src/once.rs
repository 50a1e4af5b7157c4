//! Making something at Stripe once, however often it is asked for.
//!
//! For a day Stripe answers an idempotency key as it did at first, also that it failed
//! (<https://docs.stripe.com/api/idempotent_requests>). So a key begins a row: what failed under one is asked for under the next.
//! Whoever asks again, or at the same moment, goes past the same failures and comes to the same. What a failure has made all the
//! same is left behind at Stripe: nobody was told of it.

use miniserde::Deserialize;
use stripe_client_core::{IdempotencyKey, RequestStrategy, StripeRequest};
use tokio::time::timeout;

use crate::line::StripeError;
use crate::stripe_api::{PATIENCE, Stripe, unaskable};

/// Keys of a row. Each time that somebody asks two of them may fail.
const KEYS: u32 = 12;

/// The keys of a row, one after the other.
pub(crate) struct Keys {
    first: String,
    place: u32,
    has_failed: bool,
}

impl Keys {
    pub(crate) fn from(first: String) -> Keys {
        Keys { first, place: 1, has_failed: false }
    }

    /// Goes on to the next key, where this one's answer is a failure: past all that failed before, and once past one that is new.
    pub(crate) fn go_on(&mut self, error: &StripeError) -> bool {
        let StripeError::Refused(why, 500..) = error else { return false };
        let is_past = why.is_replayed || !std::mem::replace(&mut self.has_failed, true);
        let goes_on = is_past && self.place <= KEYS;
        self.place += u32::from(goes_on);
        goes_on
    }

    /// None at the end of the row.
    pub(crate) fn key(&self) -> Result<Option<IdempotencyKey>, StripeError> {
        let key = match self.place {
            1 => self.first.clone(),
            2..=KEYS => format!("{}/again/{}", self.first, self.place),
            _ => return Ok(None),
        };
        IdempotencyKey::new(key).map(Some).map_err(unaskable)
    }
}

impl Stripe {
    /// Makes what there may be more of at Stripe, as long as only one is told of: at the end of the row, which is a day from its
    /// beginning, without a key.
    pub(crate) async fn make<T: Deserialize>(
        &self,
        first_key: String,
        request: &impl StripeRequest,
    ) -> Result<T, StripeError> {
        let mut keys = Keys::from(first_key);
        let made = async {
            loop {
                match self.ask(keys.key()?, request).await {
                    Err(error) if keys.go_on(&error) => {}
                    answered => return answered,
                }
            }
        };
        timeout(PATIENCE, made).await.unwrap_or(Err(StripeError::Timeout))
    }

    pub(crate) async fn ask<T: Deserialize>(
        &self,
        key: Option<IdempotencyKey>,
        request: &impl StripeRequest,
    ) -> Result<T, StripeError> {
        let asked = request.build().customize();
        let asked = match key {
            Some(key) => asked.request_strategy(RequestStrategy::Idempotent(key)),
            None => asked,
        };
        asked.send(&self.client).await
    }
}
