//! Making something at Stripe once, however often it is asked for.
//!
//! For a day Stripe answers an idempotency key as it did at first, also that it failed
//! (<https://docs.stripe.com/api/idempotent_requests>). So a key begins a row: what failed under one is asked for under the next.
//! Whoever asks again, or at the same moment, goes past the same failures and comes to the same. What a failure has made all the
//! same is left behind at Stripe: nobody was told of it.

use std::time::Duration;

use miniserde::Deserialize;
use stripe_client_core::{IdempotencyKey, RequestStrategy, StripeRequest};
use tokio::time::{sleep, timeout};

use crate::line::StripeError;
use crate::stripe_api::{PATIENCE, Stripe, unaskable};

/// Keys of a row. Each time that somebody asks two of them may fail.
const KEYS: u32 = 12;

/// How long another request with the same key is waited for, in milliseconds, before it is asked again.
const WAITS: [u64; 5] = [100, 200, 400, 800, 1_600];

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
        self.go_on_if(is_past)
    }

    /// As `go_on`, for what there may be only one of: past what failed before, and not past a failure that is new, which may
    /// still come to something.
    pub(crate) fn go_past(&mut self, error: &StripeError) -> bool {
        let is_past = matches!(error, StripeError::Refused(why, 500..) if why.is_replayed);
        self.go_on_if(is_past)
    }

    fn go_on_if(&mut self, is_past: bool) -> bool {
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

    /// Of two requests with one key at the same moment Stripe refuses the second: it waits for the answer to the first.
    pub(crate) async fn ask<T: Deserialize>(
        &self,
        key: Option<IdempotencyKey>,
        request: &impl StripeRequest,
    ) -> Result<T, StripeError> {
        let mut waits = WAITS.into_iter();
        loop {
            let asked = request.build().customize();
            let asked = match &key {
                Some(key) => asked.request_strategy(RequestStrategy::Idempotent(key.clone())),
                None => asked,
            };
            match (asked.send(&self.client).await, waits.next()) {
                (Err(StripeError::Refused(why, 409)), Some(wait))
                    if why.code.as_deref() == Some("idempotency_key_in_use") =>
                {
                    sleep(Duration::from_millis(wait)).await;
                }
                (answered, _) => return answered,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use std::sync::{Arc, Mutex};

    use http::Response;
    use serde_json::json;
    use stripe_core::customer::CreateCustomer;
    use waybill_web::Kind;

    use super::*;
    use crate::line::Counter;
    use crate::objects::Customer;
    use crate::stripe_api::failed;

    type Asked = Arc<Mutex<Vec<Option<String>>>>;

    /// A Stripe that saves what it has answered to a key, and answers so to a new one; and the keys that it was asked with.
    fn stripe(answer: impl Fn() -> (u16, &'static str) + Send + Sync + 'static) -> (Stripe, Asked) {
        let asked = Asked::default();
        let keep = asked.clone();
        let failed = Mutex::new(HashSet::new());
        let counter: Counter = Arc::new(move |request| {
            let key = request.headers().get("idempotency-key").map(|key| key.to_str().unwrap().to_owned());
            keep.lock().unwrap().push(key.clone());
            let mut failed = failed.lock().unwrap();
            let is_replayed = key.as_ref().is_some_and(|key| failed.contains(key));
            let (status, code) = if is_replayed { (500, "") } else { answer() };
            if status == 500 {
                failed.extend(key);
            }
            let body = match status {
                200 => json!({ "id": "cus_1" }),
                _ => json!({ "error": { "type": "an_error", "code": code } }),
            };
            let answer = Response::builder().status(status).header("idempotent-replayed", is_replayed.to_string());
            Box::pin(async move { Ok(answer.body(body.to_string().into()).unwrap()) })
        });
        (Stripe::in_process("sk_test_1", counter, "https://shop.example.com").unwrap(), asked)
    }

    async fn make(stripe: &Stripe) -> Result<Customer, StripeError> {
        stripe.make("key".to_owned(), &CreateCustomer::new()).await
    }

    fn taken(asked: &Asked) -> Vec<Option<String>> {
        std::mem::take(&mut asked.lock().unwrap())
    }

    #[tokio::test]
    async fn what_failed_is_asked_for_once_more_and_who_asks_again_comes_to_the_same_key() {
        let failures = AtomicU32::new(2);
        let fails = move || failures.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        let (stripe, asked) = stripe(move || if fails() { (500, "") } else { (200, "") });
        let key = |place: u32| Some(if place == 1 { "key".to_owned() } else { format!("key/again/{place}") });
        assert!(matches!(make(&stripe).await, Err(StripeError::Refused(_, 500))));
        assert_eq!(taken(&asked), [key(1), key(2)]);
        for _ in 0..2 {
            assert_eq!(make(&stripe).await.unwrap().id, "cus_1");
            assert_eq!(taken(&asked), [key(1), key(2), key(3)]);
        }
    }

    #[tokio::test]
    async fn past_the_end_of_a_row_there_is_no_key_and_what_stripe_refuses_is_not_asked_for_again() {
        let (stripe, asked) = stripe(|| (500, ""));
        for _ in 0..KEYS {
            assert!(make(&stripe).await.is_err());
        }
        let asked = taken(&asked);
        assert_eq!(asked.iter().flatten().collect::<HashSet<_>>().len(), KEYS as usize);
        assert_eq!(asked.last(), Some(&None));
        for status in [400, 402, 429] {
            let (stripe, asked) = self::stripe(move || (status, "amount_too_small"));
            assert!(matches!(make(&stripe).await, Err(StripeError::Refused(_, told)) if told == status));
            assert_eq!(taken(&asked), [Some("key".to_owned())]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_is_in_use_is_waited_for_and_then_it_is_for_the_caller_to_come_again() {
        let (stripe, asked) = stripe(|| (409, "idempotency_key_in_use"));
        let problem = failed(make(&stripe).await.unwrap_err());
        assert_eq!((problem.kind(), taken(&asked).len()), (Kind::Unavailable, 1 + WAITS.len()));
        let (stripe, asked) = self::stripe(|| (409, "another_conflict"));
        let problem = failed(make(&stripe).await.unwrap_err());
        assert_eq!((problem.kind(), taken(&asked).len()), (Kind::Unavailable, 1));
    }
}
