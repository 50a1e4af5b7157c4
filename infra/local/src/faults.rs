//! What goes wrong on purpose between the functions and the table, so that tests see what an embedded engine never does:
//! conflicts, throttles, replies that are lost after the commit, and delays. Which call meets what depends on a seed and on
//! how many calls came before it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use waybill_lambda::random::mixed;

use crate::access::{LARGEST, target};

/// How often what goes wrong, in percent of the calls that can meet it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    pub seed: u64,
    /// A write meets another transaction, and is not made.
    pub conflicts: u8,
    /// A call is throttled.
    pub throttles: u8,
    /// A call has its effect, and its caller hears nothing.
    pub lost_replies: u8,
    /// Calls wait up to so long, before and after.
    pub longest_delay: Duration,
}

/// The faults of a shop, which can be changed while it runs.
#[derive(Clone, Default)]
pub struct FaultSwitch(Arc<Mutex<Option<(Faults, u64)>>>);

/// What one call meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fate {
    before: Duration,
    after: Duration,
    happens: Happens,
    /// Of a transaction that meets another one: the write that does, modulo their number.
    met: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Happens {
    #[default]
    Nothing,
    Conflict,
    Throttle,
    LostReply,
}

impl FaultSwitch {
    /// From now on these, or none.
    pub fn set(&self, faults: Option<Faults>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = faults.map(|faults| (faults, 0));
    }

    fn next(&self) -> Fate {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((faults, calls)) = state.as_mut() else { return Fate::default() };
        *calls += 1;
        fate(*faults, *calls)
    }

    /// Lets a call of DynamoDB's through, or what its fate says.
    pub async fn meet(State(switch): State<FaultSwitch>, request: Request, next: Next) -> Response {
        let fate = switch.next();
        if fate == Fate::default() {
            return next.run(request).await;
        }
        tokio::time::sleep(fate.before).await;
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, LARGEST).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let operation = target(&parts.headers).rsplit('.').next().unwrap_or_default().to_owned();
        let conflict = if fate.happens == Happens::Conflict { conflict(&operation, &body, fate.met) } else { None };
        let answer = match (fate.happens, conflict) {
            (Happens::Throttle, _) => {
                refusal("ThrottlingException", json!({ "message": "Rate of requests exceeds the allowed throughput." }))
            }
            (Happens::Conflict, Some(conflict)) => conflict,
            (Happens::Nothing | Happens::Conflict | Happens::LostReply, _) => {
                next.run(Request::from_parts(parts, Body::from(body))).await
            }
        };
        tokio::time::sleep(fate.after).await;
        if fate.happens != Happens::LostReply {
            return answer;
        }
        // What was answered is read to its end first: the call has had its effect.
        let _ = to_bytes(answer.into_body(), LARGEST).await;
        let lost = futures_util::stream::once(async {
            Err::<Bytes, _>(io::Error::other("an injected fault: the reply is lost"))
        });
        Response::new(Body::from_stream(lost))
    }
}

/// The same for the same seed and call.
fn fate(faults: Faults, call: u64) -> Fate {
    let mut state = faults.seed ^ call.wrapping_mul(0xA076_1D64_78BD_642F);
    let mut random = |below: u64| mixed(&mut state) % below.max(1);
    let micros = u64::try_from(faults.longest_delay.as_micros()).unwrap_or(u64::MAX);
    let (before, after) = (Duration::from_micros(random(micros)), Duration::from_micros(random(micros)));
    let die = random(100);
    let (conflicts, throttles, lost) =
        (u64::from(faults.conflicts), u64::from(faults.throttles), u64::from(faults.lost_replies));
    let happens = match die {
        die if die < conflicts => Happens::Conflict,
        die if die < conflicts + throttles => Happens::Throttle,
        die if die < conflicts + throttles + lost => Happens::LostReply,
        _ => Happens::Nothing,
    };
    let met = usize::try_from(random(u64::MAX)).unwrap_or_default();
    Fate { before, after, happens, met }
}

/// How DynamoDB says that a write met another transaction; None for what cannot.
fn conflict(operation: &str, body: &[u8], met: usize) -> Option<Response> {
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => {
            let message = "Transaction is ongoing for the item";
            Some(refusal("TransactionConflictException", json!({ "message": message })))
        }
        "TransactWriteItems" => {
            let input: Value = serde_json::from_slice(body).ok()?;
            let writes = input["TransactItems"].as_array()?.len();
            // Any one of them; the others did not meet anything.
            let met = met % writes.max(1);
            let reason = |place| match place == met {
                true => json!({ "Code": "TransactionConflict", "Message": "Transaction is ongoing for the item" }),
                false => json!({ "Code": "None" }),
            };
            let reasons: Vec<_> = (0..writes).map(reason).collect();
            let message = "Transaction cancelled, please refer cancellation reasons for specific reasons";
            Some(refusal("TransactionCanceledException", json!({ "Message": message, "CancellationReasons": reasons })))
        }
        _ => None,
    }
}

fn refusal(code: &str, mut body: Value) -> Response {
    body["__type"] = format!("com.amazonaws.dynamodb.v20120810#{code}").into();
    (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULTS: Faults =
        Faults { seed: 7, conflicts: 20, throttles: 5, lost_replies: 5, longest_delay: Duration::from_millis(2) };

    #[test]
    fn a_seed_brings_the_same_fates_again_and_as_often_as_asked_for() {
        let fates: Vec<_> = (1..=10_000).map(|call| fate(FAULTS, call)).collect();
        assert_eq!(fates, (1..=10_000).map(|call| fate(FAULTS, call)).collect::<Vec<_>>());
        assert_ne!(fates[0], fate(Faults { seed: 8, ..FAULTS }, 1));
        let share = |happens| fates.iter().filter(|fate| fate.happens == happens).count();
        assert!((1_800..2_200).contains(&share(Happens::Conflict)), "{}", share(Happens::Conflict));
        assert!((400..600).contains(&share(Happens::Throttle)) && (400..600).contains(&share(Happens::LostReply)));
        assert!(fates.iter().all(|fate| fate.before < FAULTS.longest_delay && fate.after < FAULTS.longest_delay));
    }

    #[test]
    fn without_faults_nothing_happens() {
        let switch = FaultSwitch::default();
        assert_eq!(switch.next(), Fate::default());
        switch.set(Some(FAULTS));
        assert_eq!(switch.next(), fate(FAULTS, 1));
        switch.set(None);
        assert_eq!(switch.next(), Fate::default());
    }
}
