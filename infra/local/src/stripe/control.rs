//! `/_control`: what a test does to the stand-in. Plain JSON, no key.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waybill_lambda::clock;

use super::checkout::{Checkout, DisputeStatus, NewRefund, NotHeld, NotOpen, NotRefunded, NotUnderWay, RefundStatus};
use super::events::{Cause, Event};
use super::{Desk, api, objects};

pub fn router() -> Router<Arc<Desk>> {
    Router::new()
        .route("/sessions/{id}/pay", post(pay))
        .route("/sessions/{id}/decline", post(decline))
        .route("/sessions/{id}/expire", post(expire))
        .route("/sessions/{id}/forget", post(forget))
        .route("/sessions/{id}/capture", post(capture))
        .route("/sessions/{id}/release", post(release))
        .route("/sessions/{id}/transfer", post(transfer))
        .route("/sessions/{id}/arrive", post(arrive))
        .route("/sessions/{id}/bounce", post(bounce))
        .route("/sessions/{id}/refund", post(refund))
        .route("/sessions/{id}/refunds/{refund}/{end}", post(settle))
        .route("/sessions/{id}/disputes", post(dispute))
        .route("/sessions/{id}/disputes/{dispute}", post(move_dispute))
        .route("/events", get(list_events))
        .route("/events/{id}/redeliver", post(redeliver))
        .route("/faults", get(read_faults).post(set_faults))
}

/// What goes wrong on purpose.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Faults {
    /// Every API answer comes this much later.
    pub delay_ms: u64,
    /// So many API calls fail with 500 and have no effect. Those that an Idempotency-Key was answered before are none of them.
    pub fail_next: u32,
    /// So many API calls have their effect, but the caller gets no answer.
    pub lose_reply_next: u32,
    /// Every event is delivered twice at once.
    pub duplicate: bool,
    /// Nothing is delivered; events wait until this is off again.
    pub hold: bool,
    /// Waiting events are delivered one by one, the newest first.
    pub reorder: bool,
    /// Refunds are pending until they are settled.
    pub slow_refunds: bool,
    /// The bank refuses captures, and goes on holding the amount.
    pub refuse_captures: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultChange {
    delay_ms: Option<u64>,
    fail_next: Option<u32>,
    lose_reply_next: Option<u32>,
    duplicate: Option<bool>,
    hold: Option<bool>,
    reorder: Option<bool>,
    slow_refunds: Option<bool>,
    refuse_captures: Option<bool>,
}

impl Faults {
    pub fn fails_now(&mut self) -> bool {
        take_one(&mut self.fail_next)
    }

    pub fn loses_reply_now(&mut self) -> bool {
        take_one(&mut self.lose_reply_next)
    }
}

/// Why a step was not taken.
#[derive(Debug)]
pub enum StepError {
    Unknown,
    NotOpen(NotOpen),
    NotHeld,
    NotUnderWay,
    NotRefunded(NotRefunded),
    NotKept(String),
}

impl From<NotOpen> for StepError {
    fn from(refused: NotOpen) -> Self {
        StepError::NotOpen(refused)
    }
}

impl From<NotHeld> for StepError {
    fn from(NotHeld: NotHeld) -> Self {
        StepError::NotHeld
    }
}

impl From<NotUnderWay> for StepError {
    fn from(NotUnderWay: NotUnderWay) -> Self {
        StepError::NotUnderWay
    }
}

impl From<NotRefunded> for StepError {
    fn from(refused: NotRefunded) -> Self {
        StepError::NotRefunded(refused)
    }
}

/// Takes one step with a session and lets its events be delivered. What is refused changes nothing.
pub fn step<E: Into<StepError>>(
    desk: &Desk,
    session: &str,
    take: impl FnOnce(&mut Checkout, Timestamp) -> Result<(), E>,
) -> Result<Checkout, StepError> {
    let now = clock::now();
    let mut ledger = desk.ledger();
    let mut checkout = ledger.checkout(session, now).ok_or(StepError::Unknown)?;
    take(&mut checkout, now).map_err(Into::into)?;
    ledger.keep(checkout.clone()).map_err(|error| StepError::NotKept(error.to_string()))?;
    desk.news.notify_one();
    Ok(checkout)
}

impl IntoResponse for StepError {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            StepError::Unknown => (StatusCode::NOT_FOUND, "no such session or event".to_owned()),
            StepError::NotOpen(NotOpen(status)) => {
                (StatusCode::CONFLICT, format!("the session is {}", status.as_str()))
            }
            StepError::NotHeld => (StatusCode::CONFLICT, "the payment is not held".to_owned()),
            StepError::NotUnderWay => (StatusCode::CONFLICT, "no payment is under way".to_owned()),
            StepError::NotRefunded(refused) => (StatusCode::CONFLICT, format!("{refused:?}")),
            StepError::NotKept(error) => (StatusCode::INTERNAL_SERVER_ERROR, error),
        };
        (status, Json(json!({ "error": error }))).into_response()
    }
}

async fn pay(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Result<Json<Value>, StepError> {
    shown(&desk, step(&desk, &id, Checkout::pay)?)
}

async fn decline(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Result<Json<Value>, StepError> {
    shown(&desk, step(&desk, &id, Checkout::decline)?)
}

async fn expire(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Result<Json<Value>, StepError> {
    shown(&desk, step(&desk, &id, |checkout, now| checkout.expire(&Cause::default(), now))?)
}

/// From now on it is not known, as where the shop's key is of another account now, or of the other mode.
async fn forget(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Result<StatusCode, StepError> {
    match desk.ledger().forget(&id).map_err(|error| StepError::NotKept(error.to_string()))? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(StepError::Unknown),
    }
}

/// As somebody does it in Stripe's dashboard.
async fn capture(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Result<Json<Value>, StepError> {
    shown(&desk, step(&desk, &id, |checkout, now| checkout.capture(&Cause::default(), now))?)
}

/// The bank's time is over, or somebody lets go of it in Stripe's dashboard.
async fn release(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Result<Json<Value>, StepError> {
    shown(&desk, step(&desk, &id, |checkout, now| checkout.release(&Cause::default(), now))?)
}

/// The buyer pays by a slow method.
async fn transfer(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Result<Json<Value>, StepError> {
    shown(&desk, step(&desk, &id, Checkout::transfer)?)
}

async fn arrive(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Result<Json<Value>, StepError> {
    shown(&desk, step(&desk, &id, Checkout::arrive)?)
}

async fn bounce(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Result<Json<Value>, StepError> {
    shown(&desk, step(&desk, &id, Checkout::bounce)?)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DashboardRefund {
    amount: Option<i64>,
}

/// As somebody does it in Stripe's dashboard: without any metadata.
async fn refund(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    Json(wanted): Json<DashboardRefund>,
) -> Result<Json<Value>, StepError> {
    let wanted = NewRefund { amount: wanted.amount, ..NewRefund::default() };
    let slowly = desk.faults().slow_refunds;
    let checkout = step(&desk, &id, |checkout, now| checkout.refund(wanted, slowly, &Cause::default(), now).map(drop))?;
    Ok(Json(refunds_of(&checkout)))
}

/// The bank's last word on a refund: `succeed` or `fail`.
async fn settle(
    State(desk): State<Arc<Desk>>,
    Path((id, refund, end)): Path<(String, String, String)>,
) -> Result<Json<Value>, StepError> {
    let status = match end.as_str() {
        "succeed" => RefundStatus::Succeeded,
        "fail" => RefundStatus::Failed,
        _ => return Err(StepError::Unknown),
    };
    let checkout = step(&desk, &id, |checkout, now| known(checkout.settle(&refund, status, now)))?;
    Ok(Json(refunds_of(&checkout)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BankSays {
    status: DisputeStatus,
    amount: Option<i64>,
}

/// The buyer's bank disputes the payment.
async fn dispute(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    Json(BankSays { status, amount }): Json<BankSays>,
) -> Result<Json<Value>, StepError> {
    let checkout = step(&desk, &id, |checkout, now| checkout.dispute(amount, status, now).map(drop))?;
    Ok(Json(disputes_of(&checkout)))
}

/// The bank goes on with a dispute, up to its end.
async fn move_dispute(
    State(desk): State<Arc<Desk>>,
    Path((id, dispute)): Path<(String, String)>,
    Json(BankSays { status, .. }): Json<BankSays>,
) -> Result<Json<Value>, StepError> {
    let checkout = step(&desk, &id, |checkout, now| known(checkout.move_dispute(&dispute, status, now)))?;
    Ok(Json(disputes_of(&checkout)))
}

fn known(is_known: bool) -> Result<(), StepError> {
    if is_known { Ok(()) } else { Err(StepError::Unknown) }
}

fn disputes_of(checkout: &Checkout) -> Value {
    let disputes: Vec<_> = checkout.disputes.iter().map(|dispute| objects::dispute(checkout, dispute)).collect();
    json!({ "disputes": disputes })
}

fn refunds_of(checkout: &Checkout) -> Value {
    let refunds: Vec<_> = checkout.refunds.iter().map(|refund| objects::refund(checkout, refund)).collect();
    json!({ "refunds": refunds })
}

fn shown(desk: &Desk, checkout: Checkout) -> Result<Json<Value>, StepError> {
    Ok(Json(api::show_session(desk, &checkout, &Vec::new())))
}

async fn list_events(State(desk): State<Arc<Desk>>) -> Json<Value> {
    let mut events: Vec<Event> = desk.ledger().events().cloned().collect();
    events.sort_by_key(|event| event.created);
    Json(json!({ "events": events }))
}

async fn redeliver(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Event>), StepError> {
    let mut ledger = desk.ledger();
    let mut checkout = ledger.checkout_of_event(&id).ok_or(StepError::Unknown)?;
    let Some(event) = checkout.events.iter_mut().find(|event| event.id == id) else {
        return Err(StepError::Unknown);
    };
    event.redeliver(clock::now());
    let event = event.clone();
    ledger.keep(checkout).map_err(|error| StepError::NotKept(error.to_string()))?;
    desk.news.notify_one();
    Ok((StatusCode::ACCEPTED, Json(event)))
}

async fn read_faults(State(desk): State<Arc<Desk>>) -> Json<Faults> {
    Json(desk.faults().clone())
}

/// Fields that are not given stay as they are.
async fn set_faults(State(desk): State<Arc<Desk>>, change: Result<Json<FaultChange>, JsonRejection>) -> Response {
    let change = match change {
        Ok(Json(change)) => change,
        Err(rejection) => {
            return (rejection.status(), Json(json!({ "error": rejection.body_text() }))).into_response();
        }
    };
    let mut faults = desk.faults();
    let now = faults.clone();
    *faults = Faults {
        delay_ms: change.delay_ms.unwrap_or(now.delay_ms),
        fail_next: change.fail_next.unwrap_or(now.fail_next),
        lose_reply_next: change.lose_reply_next.unwrap_or(now.lose_reply_next),
        duplicate: change.duplicate.unwrap_or(now.duplicate),
        hold: change.hold.unwrap_or(now.hold),
        reorder: change.reorder.unwrap_or(now.reorder),
        slow_refunds: change.slow_refunds.unwrap_or(now.slow_refunds),
        refuse_captures: change.refuse_captures.unwrap_or(now.refuse_captures),
    };
    desk.news.notify_one();
    Json(faults.clone()).into_response()
}

fn take_one(count: &mut u32) -> bool {
    let is_left = *count > 0;
    *count = count.saturating_sub(1);
    is_left
}
