//! Stripe's lists, the newest first, by the page: payment intents, refunds, disputes.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use jiff::Timestamp;
use serde_json::{Value, json};
use waybill_lambda::clock;

use super::checkout::Checkout;
use super::form::Parameters;
use super::refusal::Refusal;
use super::{Desk, objects};

const MOST: i64 = 100;

/// One entry of a list, with the times and names that it is found by.
struct Listed {
    created: Timestamp,
    id: String,
    intent: String,
    object: Value,
}

pub async fn list_payment_intents(
    State(desk): State<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refusal> {
    list(&desk, query, "/v1/payment_intents", |checkout, intent| {
        let created = checkout.payment.as_ref().map(|payment| payment.created);
        created.map(|created| listed(created, intent, intent, objects::payment_intent(checkout))).into_iter().collect()
    })
}

pub async fn list_refunds(State(desk): State<Arc<Desk>>, RawQuery(query): RawQuery) -> Result<Json<Value>, Refusal> {
    list(&desk, query, "/v1/refunds", |checkout, intent| {
        let refund = |refund| objects::refund(checkout, refund);
        let refunds = checkout.refunds.iter();
        refunds.map(|known| listed(known.created, &known.id, intent, refund(known))).collect()
    })
}

pub async fn list_disputes(State(desk): State<Arc<Desk>>, RawQuery(query): RawQuery) -> Result<Json<Value>, Refusal> {
    list(&desk, query, "/v1/disputes", |checkout, intent| {
        let dispute = |dispute| objects::dispute(checkout, dispute);
        let disputes = checkout.disputes.iter();
        disputes.map(|known| listed(known.created, &known.id, intent, dispute(known))).collect()
    })
}

fn listed(created: Timestamp, id: &str, intent: &str, object: Value) -> Listed {
    Listed { created, id: id.to_owned(), intent: intent.to_owned(), object }
}

fn list(
    desk: &Desk,
    query: Option<String>,
    url: &str,
    of: impl Fn(&Checkout, &str) -> Vec<Listed>,
) -> Result<Json<Value>, Refusal> {
    let mut given = Parameters::read(query.unwrap_or_default().as_bytes())?;
    let by_intent = url != "/v1/payment_intents";
    let intent = if by_intent { given.text("payment_intent", 255)? } else { None };
    let since = match given.nested("created")? {
        None => None,
        Some(mut created) => {
            let since = created.integer("gte")?;
            created.finish()?;
            since
        }
    };
    let after = given.text("starting_after", 255)?;
    let limit = given.integer("limit")?.unwrap_or(10);
    given.finish()?;
    if !(1..=MOST).contains(&limit) {
        return Err(Refusal::invalid("This value must be between 1 and 100.", "limit"));
    }
    let ledger = desk.ledger();
    if let Some(intent) = &intent {
        let known = ledger.checkout_of_intent(intent, clock::now());
        known.ok_or_else(|| Refusal::no_such("payment_intent", intent, "payment_intent"))?;
    }
    let listed_of = |checkout: &Checkout| {
        let of_it = checkout.payment.as_ref().map(|payment| of(checkout, &payment.id));
        of_it.unwrap_or_default()
    };
    let mut all: Vec<Listed> = ledger.checkouts().flat_map(listed_of).collect();
    all.retain(|one| since.is_none_or(|since| one.created.as_second() >= since));
    all.retain(|one| intent.as_ref().is_none_or(|intent| one.intent == *intent));
    all.sort_by(|one, other| (other.created, &other.id).cmp(&(one.created, &one.id)));
    if let Some(after) = after {
        let place = all.iter().position(|one| one.id == after);
        let place = place.ok_or_else(|| Refusal::no_such("object", &after, "starting_after"))?;
        all.drain(..=place);
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = all.len() > limit;
    let data: Vec<_> = all.into_iter().take(limit).map(|one| one.object).collect();
    Ok(Json(json!({ "object": "list", "data": data, "has_more": has_more, "url": url })))
}
