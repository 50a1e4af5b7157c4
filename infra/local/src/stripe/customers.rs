//! Customers, as Waybill calls them: `/v1/customers` and `/v1/customer_sessions`. What they keep to pay with is Stripe's own affair,
//! and none of it is here.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::{Extension, Json};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waybill_lambda::clock;

use super::api::{Call, once};
use super::checkout::{Buyer, Replay};
use super::form::Parameters;
use super::ledger::{Ledger, StoreError};
use super::refusal::Refusal;
use super::{Desk, objects};

/// Seconds that the secret of a customer session is good for.
const SESSION: i64 = 30 * 60;

/// A customer, or what is left of one.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Customer {
    pub id: String,
    pub created: Timestamp,
    pub email: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub is_deleted: bool,
    pub replays: Vec<Replay>,
}

pub async fn create_customer(
    State(desk): State<Arc<Desk>>,
    Extension(call): Extension<Call>,
    body: Bytes,
) -> Result<Response, Refusal> {
    once(&desk, &call, "POST /v1/customers", &body, |_, now| {
        let mut given = Parameters::read(&body)?;
        let (email, metadata) = (given.text("email", 512)?, given.metadata()?);
        given.finish()?;
        let id = objects::new_id("cus_", 14);
        let customer = Customer { id, created: now, email, metadata, is_deleted: false, replays: Vec::new() };
        let answer = object(&customer);
        Ok((customer, answer))
    })
}

pub async fn update_customer(
    State(desk): State<Arc<Desk>>,
    Extension(call): Extension<Call>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    once(&desk, &call, &format!("POST /v1/customers/{id}"), &body, |ledger, _| {
        let mut given = Parameters::read(&body)?;
        let email = given.text("email", 512)?;
        given.finish()?;
        let mut customer = there(ledger, &id, "id", StatusCode::NOT_FOUND)?;
        customer.email = email.or(customer.email);
        let answer = object(&customer);
        Ok((customer, answer))
    })
}

pub async fn delete_customer(
    State(desk): State<Arc<Desk>>,
    Extension(call): Extension<Call>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    once(&desk, &call, &format!("DELETE /v1/customers/{id}"), b"", |ledger, _| {
        let gone = Customer {
            email: None,
            metadata: BTreeMap::new(),
            is_deleted: true,
            ..there(ledger, &id, "id", StatusCode::NOT_FOUND)?
        };
        let answer = object(&gone);
        Ok((gone, answer))
    })
}

pub async fn read_customer(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let ledger = desk.ledger();
    ledger.customer(&id).map(|known| Json(object(known))).ok_or_else(|| Refusal::no_such("customer", &id, "id"))
}

/// Only `metadata['name']:'value'` is understood of Stripe's language.
pub async fn search_customers(
    State(desk): State<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refusal> {
    let mut given = Parameters::read(query.unwrap_or_default().as_bytes())?;
    let (wanted, limit) = (given.required_text("query", 1000)?, given.integer("limit")?.unwrap_or(10));
    given.finish()?;
    if !(1..=100).contains(&limit) {
        return Err(Refusal::invalid("This value must be between 1 and 100.", "limit"));
    }
    let part = wanted.strip_prefix("metadata['").and_then(|rest| rest.strip_suffix('\''));
    let Some((name, value)) = part.and_then(|part| part.split_once("']:'")) else {
        let message = format!("The stand-in for Stripe cannot search for {wanted}.");
        return Err(Refusal::invalid(message, "query"));
    };
    let ledger = desk.ledger();
    let named = ledger.customers().filter(|known| known.metadata.get(name).is_some_and(|has| has == value));
    let mut found: Vec<_> = named.map(object).collect();
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > most;
    found.truncate(most);
    Ok(Json(json!({
        "object": "search_result",
        "data": found,
        "has_more": has_more,
        "next_page": null,
        "total_count": null,
        "url": "/v1/customers/search",
    })))
}

pub async fn create_session(State(desk): State<Arc<Desk>>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let mut given = Parameters::read(&body)?;
    let customer = given.required_text("customer", 255)?;
    let mut components = given.nested("components")?.ok_or_else(|| Refusal::missing("components"))?;
    let mut element =
        components.nested("payment_element")?.ok_or_else(|| Refusal::missing("components[payment_element]"))?;
    let enabled = element.required_text("enabled", 5)?;
    let mut features = element.nested("features")?.unwrap_or_default();
    let mut chosen = json!({
        "payment_method_allow_redisplay_filters": ["always"],
        "payment_method_redisplay": "disabled",
        "payment_method_redisplay_limit": 3,
        "payment_method_remove": "disabled",
        "payment_method_save": "disabled",
        "payment_method_save_usage": null,
    });
    for (name, known) in [
        ("payment_method_redisplay", ["disabled", "enabled"]),
        ("payment_method_remove", ["disabled", "enabled"]),
        ("payment_method_save", ["disabled", "enabled"]),
        ("payment_method_save_usage", ["off_session", "on_session"]),
    ] {
        if let Some(value) = features.one_of(name, &known)? {
            chosen[name] = value.into();
        }
    }
    for level in [features, element, components, given] {
        level.finish()?;
    }
    let customer = there(&desk.ledger(), &customer, "customer", StatusCode::BAD_REQUEST)?;
    let now = clock::now().as_second();
    let none = json!({ "enabled": false });
    let bare = json!({ "enabled": false, "features": null });
    Ok(Json(json!({
        "object": "customer_session",
        "client_secret": objects::new_id("cuss_secret_", 40),
        "components": {
            "active_entitlements": none,
            "buy_button": none,
            "customer_portal": none,
            "customer_sheet": bare,
            "mobile_payment_element": bare,
            "payment_element": { "enabled": enabled == "true", "features": chosen },
            "pricing_table": none,
        },
        "created": now,
        "customer": customer.id,
        "customer_account": null,
        "expires_at": now + SESSION,
        "livemode": false,
    })))
}

/// Who is to pay, by the parameter `customer`.
pub fn buyer(ledger: &Ledger, id: Option<&str>) -> Result<Option<Buyer>, Refusal> {
    let Some(id) = id else { return Ok(None) };
    let known = there(ledger, id, "customer", StatusCode::BAD_REQUEST)?;
    Ok(Some(Buyer { id: known.id, email: known.email }))
}

/// A customer that has not been deleted.
fn there(ledger: &Ledger, id: &str, param: &str, status: StatusCode) -> Result<Customer, Refusal> {
    let known = ledger.customer(id).filter(|known| !known.is_deleted).cloned();
    known.ok_or_else(|| Refusal { status, ..Refusal::no_such("customer", id, param) })
}

fn object(customer: &Customer) -> Value {
    if customer.is_deleted {
        return json!({ "id": customer.id, "object": "customer", "deleted": true });
    }
    json!({
        "id": customer.id,
        "object": "customer",
        "address": null,
        "balance": 0,
        "created": customer.created.as_second(),
        "currency": null,
        "default_source": null,
        "delinquent": false,
        "description": null,
        "discount": null,
        "email": customer.email,
        "invoice_prefix": null,
        "invoice_settings": { "custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null },
        "livemode": false,
        "metadata": customer.metadata,
        "name": null,
        "next_invoice_sequence": 1,
        "phone": null,
        "preferred_locales": [],
        "shipping": null,
        "tax_exempt": "none",
        "test_clock": null,
    })
}

impl super::ledger::Kept for Customer {
    fn replays(&mut self) -> &mut Vec<Replay> {
        &mut self.replays
    }

    fn keep_in(self, ledger: &mut Ledger) -> Result<(), StoreError> {
        ledger.keep_customer(self)
    }
}
