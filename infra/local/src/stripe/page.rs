//! What a person sees: the payment page, and the list of events. No scripts, nothing from elsewhere.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};
use waybill_lambda::clock;

use super::Desk;
use super::checkout::{Checkout, Hold, NotOpen, Status};
use super::control::{StepError, step};
use super::currency::written_out;
use super::events::{Delivery, Event};

const STYLE: &str = include_str!("page.css");
const EVENTS_SHOWN: usize = 100;

pub fn router() -> Router<Arc<Desk>> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/events") }))
        .route("/events", get(show_events))
        .route("/pay/{id}", get(show_checkout))
        .route("/pay/{id}/pay", post(pay))
        .route("/pay/{id}/decline", post(decline))
}

async fn show_checkout(State(desk): State<Arc<Desk>>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Response {
    let Some(checkout) = desk.ledger().checkout(&id, clock::now()) else {
        return no_such_page();
    };
    let is_again = query.as_deref() == Some("again");
    match checkout.status {
        Status::Open => page("Payment", &open(&checkout)),
        Status::Complete => page("Paid", &paid(&checkout, is_again)),
        Status::Expired => page("Expired", &expired(&checkout)),
    }
}

async fn pay(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Response {
    after(step(&desk, &id, Checkout::pay), &id)
}

async fn decline(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Response {
    after(step(&desk, &id, Checkout::decline), &id)
}

/// Sends the browser back to the page, which tells how things stand; reloading it repeats nothing.
fn after(step: Result<Checkout, StepError>, id: &str) -> Response {
    match step {
        Ok(checkout) => Redirect::to(&format!("/pay/{}", checkout.id)).into_response(),
        Err(StepError::NotOpen(NotOpen(_))) => Redirect::to(&format!("/pay/{id}?again")).into_response(),
        Err(StepError::Unknown | StepError::NotHeld | StepError::NotUnderWay | StepError::NotRefunded(_)) => {
            no_such_page()
        }
        Err(StepError::NotKept(error)) => {
            let text = format!("<h1>Nothing was done</h1><p>{}</p>", escaped(&error));
            (StatusCode::INTERNAL_SERVER_ERROR, page("Nothing was done", &text)).into_response()
        }
    }
}

fn open(checkout: &Checkout) -> String {
    let order = &checkout.order;
    let declined = match checkout.was_declined() {
        true => {
            "<p class=\"notice bad\" role=\"status\"><strong>The card was declined.</strong> Nothing was charged. You can try again.</p>"
        }
        false => "",
    };
    let back = match &order.cancel_url {
        Some(url) => format!(
            "<p class=\"quiet\"><a href=\"{0}\">Cancel and go back to the shop</a></p>",
            escaped(&with_id(url, checkout))
        ),
        None => String::new(),
    };
    let buyer = order.email().map(|email| format!("<p class=\"quiet\">{}</p>", escaped(email))).unwrap_or_default();
    format!(
        "{declined}<h1>{total}</h1>{buyer}{lines}\
         <form method=\"post\"><button class=\"pay\" formaction=\"/pay/{id}/pay\">Pay {total}</button>\
         <button class=\"decline\" formaction=\"/pay/{id}/decline\">Decline</button></form>\
         <p class=\"quiet\">Decline answers as a bank that refuses the card. The page is open until {until}.</p>{back}",
        total = escaped(&written_out(order.total, &order.currency)),
        lines = lines(checkout),
        id = escaped(&checkout.id),
        until = order.expires_at.strftime("%H:%M UTC on %-d %B"),
    )
}

fn paid(checkout: &Checkout, is_again: bool) -> String {
    let notice = match is_again {
        true => "<p class=\"notice\" role=\"status\">It was paid already. Nothing was charged again.</p>",
        false if checkout.hold() == Some(Hold::Held) => {
            "<p class=\"notice good\" role=\"status\"><strong>Authorised.</strong> The bank holds the amount until the shop captures it.</p>"
        }
        false if !checkout.is_paid() => {
            "<p class=\"notice\" role=\"status\"><strong>Not here yet.</strong> The money of a slow payment comes later, or word that it does not.</p>"
        }
        false => "<p class=\"notice good\" role=\"status\"><strong>Paid.</strong> The shop is being told.</p>",
    };
    let url = with_id(&checkout.order.success_url, checkout);
    format!(
        "{notice}<h1>{total}</h1>{lines}\
         <p><a class=\"button\" href=\"{url}\">Back to the shop</a></p>\
         <p class=\"quiet\">Stripe would send the buyer to <code>{url}</code> now. Unless a shop front runs there, the link leads nowhere.</p>",
        total = escaped(&written_out(checkout.order.total, &checkout.order.currency)),
        lines = lines(checkout),
        url = escaped(&url),
    )
}

fn expired(checkout: &Checkout) -> String {
    let back = match &checkout.order.cancel_url {
        Some(url) => {
            format!("<p><a class=\"button\" href=\"{}\">Back to the shop</a></p>", escaped(&with_id(url, checkout)))
        }
        None => String::new(),
    };
    format!(
        "<h1>This payment page has expired</h1><p>Nothing was charged. Start the payment again in the shop.</p>{back}"
    )
}

fn lines(checkout: &Checkout) -> String {
    let order = &checkout.order;
    let money = |amount| escaped(&written_out(amount, &order.currency));
    let mut rows = String::new();
    for line in &order.lines {
        let description =
            line.description.as_deref().map(|text| format!("<small>{}</small>", escaped(text))).unwrap_or_default();
        let _ = write!(
            rows,
            "<tr><td>{}{description}<small>{} × {}</small></td><td class=\"amount\">{}</td></tr>",
            escaped(&line.name),
            line.quantity,
            money(line.unit_amount),
            money(line.total),
        );
    }
    format!(
        "<table>{rows}<tr class=\"total\"><th>Total</th><td class=\"amount\">{}</td></tr></table>",
        money(order.total)
    )
}

async fn show_events(State(desk): State<Arc<Desk>>) -> Response {
    let mut events: Vec<Event> = desk.ledger().events().cloned().collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.created));
    let mut rows = String::new();
    for event in events.iter().take(EVENTS_SHOWN) {
        let delivery = match event.delivery {
            Delivery::Delivered => "delivered".to_owned(),
            Delivery::Due(at) => format!("due at {}", at.strftime("%H:%M:%S")),
            Delivery::GivenUp => "given up".to_owned(),
        };
        let attempts: Vec<String> = event.attempts.iter().map(|attempt| escaped(&attempt.answer)).collect();
        let _ = write!(
            rows,
            "<tr><td>{}<small>{}</small><small>{}</small></td><td class=\"amount\">{delivery}<small>{}</small></td></tr>",
            escaped(&event.kind),
            escaped(&event.id),
            event.created.strftime("%F %H:%M:%S UTC"),
            attempts.join(", "),
        );
    }
    let empty = if events.is_empty() { "<p>None yet. An event appears when a payment page is used.</p>" } else { "" };
    page(
        "Events",
        &format!(
            "<h1>Events</h1>{empty}<table>{rows}</table><p class=\"quiet\">The newest {EVENTS_SHOWN}. All of them, as JSON: <a href=\"/_control/events\">/_control/events</a></p>"
        ),
    )
}

fn no_such_page() -> Response {
    let text = "<h1>No such payment page</h1><p>Look at the address again, or start the payment again in the shop.</p>";
    (StatusCode::NOT_FOUND, page("No such payment page", text)).into_response()
}

fn page(title: &str, content: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title} · Stand-in for Stripe</title><style>{STYLE}</style></head>\
         <body><header>Stand-in for Stripe <span>no real card, no real money</span></header><main>{content}</main></body></html>"
    );
    let headers = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Html(html)).into_response()
}

fn with_id(url: &str, checkout: &Checkout) -> String {
    url.replace("{CHECKOUT_SESSION_ID}", &checkout.id)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
