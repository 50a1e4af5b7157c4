//! Delivers events to the shop: signed, repeated until they arrive, with the faults a test asks for.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use futures_util::future;
use jiff::Timestamp;
use tokio::task::JoinSet;
use waybill_lambda::clock;

use super::Desk;
use super::events::{Attempt, Event};

/// How many deliveries may be under way at once.
const AT_ONCE: usize = 16;
/// Repeated deliveries and sessions whose time runs out are looked for this often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Delivers, and expires sessions whose time has run out, until the stand-in stops.
pub async fn deliver(desk: Arc<Desk>) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .user_agent("Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .build()
        .expect("a client without TLS needs nothing that could be missing");
    let mut under_way = HashSet::new();
    let mut sending = JoinSet::new();
    loop {
        expire_overdue(&desk);
        for (event, copies) in next(&desk, &under_way) {
            under_way.insert(event.id.clone());
            let (client, desk) = (client.clone(), desk.clone());
            sending.spawn(async move {
                let attempts = (0..copies).map(|_| send(&client, &desk, &event));
                (event.id.clone(), future::join_all(attempts).await)
            });
        }
        tokio::select! {
            () = desk.stopped() => return,
            () = desk.news.notified() => {}
            Some(sent) = sending.join_next() => match sent {
                Ok((event, attempts)) => {
                    if let Err(error) = note(&desk, &event, attempts) {
                        eprintln!("The stand-in for Stripe cannot note a delivery and will repeat it: {error}");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                    under_way.remove(&event);
                }
                Err(error) => eprintln!("A delivery of the stand-in for Stripe broke off: {error}"),
            },
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Stripe's signature over a moment and the exact bytes that are sent.
pub fn sign(secret: &str, at: Timestamp, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut signing = hmac::Context::with_key(&key);
    signing.update(format!("{}.", at.as_second()).as_bytes());
    signing.update(body);
    format!("t={},v1={}", at.as_second(), hex::encode(signing.sign()))
}

/// Expires sessions whose time has run out.
pub fn expire_overdue(desk: &Desk) {
    let mut ledger = desk.ledger();
    for checkout in ledger.overdue(clock::now()) {
        if let Err(error) = ledger.keep(checkout) {
            eprintln!("The stand-in for Stripe cannot expire a session: {error}");
        }
    }
}

fn next(desk: &Desk, under_way: &HashSet<String>) -> Vec<(Event, usize)> {
    let faults = desk.faults().clone();
    if faults.hold {
        return Vec::new();
    }
    let ledger = desk.ledger();
    let mut due = ledger.due(clock::now());
    due.retain(|event| !under_way.contains(&event.id));
    if faults.reorder {
        due.reverse();
    }
    let at_once = if faults.reorder { 1 } else { AT_ONCE };
    let copies = if faults.duplicate { 2 } else { 1 };
    due.into_iter().take(at_once.saturating_sub(under_way.len())).map(|event| (event.clone(), copies)).collect()
}

async fn send(client: &reqwest::Client, desk: &Desk, event: &Event) -> Attempt {
    let at = clock::now();
    let started = Instant::now();
    // Pretty-printed, as Stripe does: a receiver that signs re-encoded JSON instead of the bytes is found out.
    let body = serde_json::to_vec_pretty(&event.body).unwrap_or_default();
    let answer = client
        .post(&desk.settings.webhook_url)
        .header("content-type", "application/json; charset=utf-8")
        .header("cache-control", "no-cache")
        .header("stripe-signature", sign(&desk.settings.webhook_secret, at, &body))
        .body(body)
        .send()
        .await;
    let (answer, succeeded) = match answer {
        Ok(answer) => (answer.status().as_u16().to_string(), answer.status().is_success()),
        Err(error) if error.is_timeout() => ("no answer within 30 s".to_owned(), false),
        Err(error) if error.is_connect() => ("nobody listens".to_owned(), false),
        Err(error) => (error.to_string(), false),
    };
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Attempt { at, took_ms, answer, succeeded }
}

fn note(desk: &Desk, event: &str, attempts: Vec<Attempt>) -> Result<(), super::StoreError> {
    let mut ledger = desk.ledger();
    let Some(mut checkout) = ledger.checkout_of_event(event) else {
        return Ok(());
    };
    if let Some(event) = checkout.events.iter_mut().find(|known| known.id == event) {
        for attempt in attempts {
            event.note(attempt, clock::now());
        }
    }
    ledger.keep(checkout)
}
