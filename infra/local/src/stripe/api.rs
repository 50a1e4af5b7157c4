//! Stripe's API as Waybill calls it: `/v1`, form-encoded in, JSON out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, Path, RawQuery, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use serde_json::Value;
use waybill_lambda::clock;

use super::checkout::{Checkout, NotOpen, Replay};
use super::encoding::fingerprint;
use super::events::{API_VERSION, Cause};
use super::form::Parameters;
use super::ledger::{Kept, Ledger};
use super::order::{self, Expand};
use super::refusal::Refusal;
use super::{Desk, customers, holds, lists, objects, refunds};

pub fn router(desk: Arc<Desk>) -> Router<Arc<Desk>> {
    Router::new()
        .route("/checkout/sessions", post(create_session))
        .route("/checkout/sessions/{id}", get(read_session))
        .route("/checkout/sessions/{id}/expire", post(expire_session))
        .route("/payment_intents", post(create_payment_intent).get(lists::list_payment_intents))
        .route("/payment_intents/{id}", get(read_payment_intent))
        .route("/payment_intents/{id}/capture", post(holds::capture))
        .route("/payment_intents/{id}/cancel", post(holds::cancel))
        .route("/refunds", post(refunds::create_refund).get(lists::list_refunds))
        .route("/disputes", get(lists::list_disputes))
        .route("/customers", post(customers::create_customer))
        .route("/customers/search", get(customers::search_customers))
        .route(
            "/customers/{id}",
            get(customers::read_customer).post(customers::update_customer).delete(customers::delete_customer),
        )
        .route("/customer_sessions", post(customers::create_session))
        .route("/events/{id}", get(read_event))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_route)
        .layer(middleware::from_fn_with_state(desk, answer))
}

pub async fn no_such_route(method: Method, OriginalUri(uri): OriginalUri) -> Refusal {
    Refusal::no_such_route(&method, uri.path())
}

/// One API call: its id, and the key under which it happens only once.
#[derive(Clone)]
pub struct Call {
    pub id: String,
    pub key: Option<String>,
}

/// A session as the API shows it, with what the caller wants in full.
pub fn show_session(desk: &Desk, checkout: &Checkout, expand: &Expand) -> Value {
    let wants = |path: &str| expand.iter().any(|wanted| wanted == path);
    let mut session = objects::session(checkout, Some(desk.page_of(checkout)));
    if wants("line_items") {
        session["line_items"] = objects::line_items(checkout);
    }
    if wants("payment_intent") || wants("payment_intent.latest_charge") {
        session["payment_intent"] = show_intent(checkout, wants("payment_intent.latest_charge"));
    }
    session
}

fn show_intent(checkout: &Checkout, with_charge: bool) -> Value {
    let mut intent = objects::payment_intent(checkout);
    if with_charge && !intent.is_null() {
        intent["latest_charge"] = objects::latest_charge(checkout);
    }
    intent
}

async fn create_session(
    State(desk): State<Arc<Desk>>,
    Extension(call): Extension<Call>,
    body: Bytes,
) -> Result<Response, Refusal> {
    once(&desk, &call, "POST /v1/checkout/sessions", &body, |ledger, now| {
        let (order, expand) = order::read(&body, ledger, now)?;
        let checkout = Checkout::new(order, now);
        let answer = show_session(&desk, &checkout, &expand);
        Ok((checkout, answer))
    })
}

async fn create_payment_intent(
    State(desk): State<Arc<Desk>>,
    Extension(call): Extension<Call>,
    body: Bytes,
) -> Result<Response, Refusal> {
    once(&desk, &call, "POST /v1/payment_intents", &body, |ledger, now| {
        let checkout = Checkout::intent(order::read_intent(&body, ledger, now)?, now);
        let answer = objects::payment_intent(&checkout);
        Ok((checkout, answer))
    })
}

async fn expire_session(
    State(desk): State<Arc<Desk>>,
    Extension(call): Extension<Call>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    once(&desk, &call, &format!("POST /v1/checkout/sessions/{id}/expire"), &body, |ledger, now| {
        let expand = only_expand(&body)?;
        let mut checkout =
            ledger.checkout(&id, now).ok_or_else(|| Refusal::no_such("checkout.session", &id, "session"))?;
        let cause = Cause { request_id: Some(call.id.clone()), idempotency_key: call.key.clone() };
        checkout.expire(&cause, now).map_err(|NotOpen(status)| {
            let status = status.as_str();
            let message = format!(
                "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of `{status}`."
            );
            Refusal::request(StatusCode::BAD_REQUEST, message)
        })?;
        let answer = show_session(&desk, &checkout, &expand);
        Ok((checkout, answer))
    })
}

async fn read_session(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refusal> {
    let expand = only_expand(query.unwrap_or_default().as_bytes())?;
    let checkout = desk.ledger().checkout(&id, clock::now());
    let checkout = checkout.ok_or_else(|| Refusal::no_such("checkout.session", &id, "session"))?;
    Ok(Json(show_session(&desk, &checkout, &expand)))
}

async fn read_payment_intent(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refusal> {
    let expand = only_expand(query.unwrap_or_default().as_bytes())?;
    let checkout = desk.ledger().checkout_of_intent(&id, clock::now());
    let checkout = checkout.ok_or_else(|| Refusal::no_such("payment_intent", &id, "intent"))?;
    Ok(Json(show_intent(&checkout, expand.iter().any(|path| path == "latest_charge"))))
}

async fn read_event(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let body = desk.ledger().event(&id).map(|event| event.body.clone());
    body.map(Json).ok_or_else(|| Refusal::no_such("event", &id, "id"))
}

fn only_expand(encoded: &[u8]) -> Result<Expand, Refusal> {
    let mut given = Parameters::read(encoded)?;
    let expand = order::expand(&mut given)?;
    given.finish()?;
    Ok(expand)
}

/// Acts, unless this call's Idempotency-Key was used before: then the first answer is given again.
/// As at Stripe, a refused call uses up no key, and one that failed does.
pub fn once<K: Kept>(
    desk: &Desk,
    call: &Call,
    route: &str,
    body: &[u8],
    act: impl FnOnce(&Ledger, Timestamp) -> Result<(K, Value), Refusal>,
) -> Result<Response, Refusal> {
    let now = clock::now();
    let fingerprint = fingerprint(route, body)?;
    let mut ledger = desk.ledger();
    if let Some(replay) = call.key.as_deref().and_then(|key| ledger.replay(key, now)) {
        if replay.fingerprint != fingerprint {
            return Err(Refusal::key_reused(&replay.key));
        }
        let status = if replay.has_failed { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        let headers = [("idempotent-replayed", "true"), ("original-request", replay.request_id.as_str())];
        return Ok((status, headers, Json(replay.answer.clone())).into_response());
    }
    let replay = |key, answer, has_failed| Replay {
        key,
        fingerprint,
        request_id: call.id.clone(),
        answered_at: now,
        answer,
        has_failed,
    };
    if let Some(key) = call.key.clone().filter(|_| desk.faults().fails_now()) {
        let failed = Refusal::injected();
        ledger.keep_failure(replay(key, failed.body(), true));
        return Err(failed);
    }
    let (mut kept, answer) = act(&ledger, now)?;
    if let Some(key) = call.key.clone() {
        kept.replays().push(replay(key, answer.clone(), false));
    }
    kept.keep_in(&mut ledger).map_err(|error| Refusal::internal(error.to_string()))?;
    desk.news.notify_one();
    Ok(Json(answer).into_response())
}

/// What every call has in common: the key is checked, faults are played, Stripe's headers are set.
async fn answer(State(desk): State<Arc<Desk>>, mut request: Request, next: Next) -> Response {
    let id = objects::new_id("req_", 14);
    let delay = Duration::from_millis(desk.faults().delay_ms);
    let call = read_call(&desk, &id, request.headers(), request.method());
    // Until this call has been answered.
    let key = call.as_ref().ok().and_then(|call| call.key.clone());
    let in_use = key.map(|key| InUse::begin(&desk, key)).transpose();
    let mut response = match in_use.as_ref().map_err(Clone::clone).and(call) {
        Err(refusal) => refusal.into_response(),
        // With a key it may be one that was answered before.
        Ok(Call { key: None, .. }) if desk.faults().fails_now() => Refusal::injected().into_response(),
        Ok(call) => {
            let key = call.key.clone();
            request.extensions_mut().insert(call);
            let mut response = next.run(request).await;
            if let Some(key) = key.and_then(|key| HeaderValue::from_str(&key).ok()) {
                response.headers_mut().insert("idempotency-key", key);
            }
            response
        }
    };
    let loses_reply = !response.status().is_server_error() && desk.faults().loses_reply_now();
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = desk.stopped() => {}
    }
    if loses_reply {
        // The connection breaks off after the call has had its effect.
        let lost = futures_util::stream::once(async {
            Err::<Bytes, _>(io::Error::other("an injected fault: the reply is lost"))
        });
        return Response::new(Body::from_stream(lost));
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("request-id", id);
    }
    headers.insert("stripe-version", HeaderValue::from_static(API_VERSION));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    response
}

/// An Idempotency-Key while its call is under way.
struct InUse {
    desk: Arc<Desk>,
    key: String,
}

impl InUse {
    fn begin(desk: &Arc<Desk>, key: String) -> Result<InUse, Refusal> {
        match desk.keys_in_use().insert(key.clone()) {
            true => Ok(InUse { desk: desk.clone(), key }),
            false => Err(Refusal::key_in_use(&key)),
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.desk.keys_in_use().remove(&self.key);
    }
}

fn read_call(desk: &Desk, id: &str, headers: &HeaderMap, method: &Method) -> Result<Call, Refusal> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let key = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    match key {
        None | Some("") => return Err(Refusal::no_key()),
        Some(key) if key != desk.settings.secret_key => return Err(Refusal::wrong_key(key)),
        Some(_) => {}
    }
    let bad = |message: String| Refusal::request(StatusCode::BAD_REQUEST, message);
    if let Some(version) = text(HeaderName::from_static("stripe-version")).filter(|version| *version != API_VERSION) {
        return Err(bad(format!(
            "Invalid Stripe API version: {version}. The stand-in for Stripe speaks {API_VERSION} only."
        )));
    }
    if headers.contains_key("stripe-account") {
        return Err(bad("The stand-in for Stripe knows no connected accounts (header Stripe-Account).".into()));
    }
    let is_form = text(header::CONTENT_TYPE).is_none_or(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if method == Method::POST && !is_form {
        return Err(Refusal::not_a_form());
    }
    let key = text(HeaderName::from_static("idempotency-key")).filter(|_| method == Method::POST);
    if key.is_some_and(|key| key.len() > 255) {
        return Err(bad("Idempotency keys can have up to 255 characters.".into()));
    }
    Ok(Call { id: id.to_owned(), key: key.map(str::to_owned) })
}
