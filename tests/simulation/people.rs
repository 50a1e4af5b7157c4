//! Who comes into a simulated shop, and what they do there, at random.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use accounts::Signer;
use axum::body::{Body, to_bytes};
use http::{Method, Request};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};
use tower::ServiceExt;
use waybill_domain::Timestamp;
use waybill_domain::account::Role;
use waybill_domain::id::{AccountId, LetterId, SessionId};
use waybill_domain::message::AccountEvent;
use waybill_lambda::{clock, links, random};
use waybill_storage::Table;
use waybill_storage::accounts::{Credentials, Holder};
use waybill_storage::letters::Letter;
use waybill_storage::search::Search;
use waybill_storage::sessions::Session;
use waybill_tests::{Answer, Dice, address};

use super::house::{DEADLINE, House};

/// Prices and, at the beginning, units of what is sold.
pub const SKUS: [(&str, i64, i64); 2] = [("TEA", 450, UNITS), ("CUP", 1999, UNITS)];
pub const UNITS: i64 = 7;
/// What a buyer tries to buy, one after the other, at most.
const ORDERS: u64 = 2;

/// Somebody who is logged in.
pub struct Person {
    pub id: AccountId,
    token: String,
}

impl Person {
    /// Somebody with an account and a session in which a code was given; `today` is what the makers of tokens take the time
    /// from, which is not the simulation's.
    pub async fn new(table: &Table, signer: &Signer, today: Timestamp, name: &str, role: Role) -> Person {
        let now = clock::now();
        let (id, session) = (AccountId::new(random::uuid_at(now)), SessionId::new(random::uuid_at(now)));
        let email: waybill_domain::text::Email = format!("{name}@example.com").parse().unwrap();
        let mut holder = Holder::new(id, email.clone(), role, now);
        let opened = Session {
            token_hash: String::new(),
            created_at: now,
            last_used_at: now,
            expires_at: now.as_second() + 24 * 60 * 60,
            device: "simulated".into(),
            second_factor_at: Some(now),
        };
        holder.sessions.insert(session, opened);
        let credentials = Credentials::new(id, String::new(), now);
        if role == Role::Customer {
            let letter = LetterId::new(random::uuid_at(now));
            let letter = Letter::new(letter, links::mailbox(&email), email, AccountEvent::SignUpRequested, now);
            table.write_letter(&letter).await.unwrap();
            table.confirm_sign_up(&letter, &holder, &credentials, now).await.ok().unwrap();
        } else {
            table.create_administrator(&holder, &credentials).await.ok().unwrap();
        }
        let connection = format!("of-{name}");
        table.issue_ticket(id, session, "ticket", now + Duration::from_secs(60)).await.unwrap();
        let forget_at = now + Duration::from_secs(24 * 60 * 60);
        table.connect(id, session, "ticket", &connection, now, forget_at).await.ok().unwrap();
        Person { id, token: signer.sign(id, session, today).unwrap() }
    }

    pub async fn ask(&self, house: &House, method: Method, path: &str, key: &str, body: Value) -> Answer {
        house.ask(&self.token, method, path, key, body).await
    }

    pub async fn get(&self, house: &House, path: &str) -> Answer {
        let answer = self.ask(house, Method::GET, path, "", json!({})).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer
    }

    /// Adds to the catalogue, at a time when nothing goes wrong.
    pub async fn stock_up(&self, house: &House, path: &str, body: Value) -> Answer {
        let guard = house.guard.clone();
        let app = catalog::App {
            table: house.table.clone(),
            guard,
            currency: "USD".parse().unwrap(),
            slugs: catalog::Slugs::default(),
            search: Search::new(house.table.clone(), Duration::ZERO),
        };
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let answer =
            waybill_web::app(catalog::routes(app), None).oneshot(request.body(Body::from(body.to_string())).unwrap());
        let (head, body) = answer.await.unwrap().into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let answer = Answer { status: head.status.as_u16(), headers: head.headers, body };
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer
    }

    async fn post(&self, house: &House, path: &str, body: Value) -> Answer {
        self.ask(house, Method::POST, path, "", body).await
    }
}

/// One buyer's way through the shop.
pub async fn buy(house: Rc<House>, buyer: &Person, staff: &Person, mut dice: Dice) {
    for _ in 0..1 + dice.roll(ORDERS) {
        house.pause(10 * 60_000).await;
        for _ in 0..1 + dice.roll(2) {
            let sku = SKUS[dice.roll(2) as usize].0;
            let line = format!("/v1/cart/lines/{sku}");
            buyer.ask(&house, Method::PUT, &line, "", json!({ "quantity": 1 + dice.roll(3) })).await;
        }
        let cart = buyer.get(&house, "/v1/cart").await;
        let Some(quote) = cart.body["quote"].as_str() else { continue };
        let body = json!({ "quote": quote, "shipping_address": address() });
        let key = dice.key();
        let place = || buyer.ask(&house, Method::POST, "/v1/orders", &key, body.clone());
        let placed = if dice.comes(20) {
            // A double click.
            let (one, other) = tokio::join!(place(), place());
            if one.status == 201 { one } else { other }
        } else {
            place().await
        };
        if placed.status != 201 {
            assert_eq!(placed.status, 409, "{}", placed.body);
            buyer.ask(&house, Method::DELETE, "/v1/cart", "", json!({})).await;
            continue;
        }
        let again = place().await;
        assert_eq!((again.status, &again.body["id"]), (201, &placed.body["id"]), "one key, one order");
        let way = if dice.comes(30) { INTENTS } else { PAGES };
        let (order, placed) = (placed.text("/id"), Instant::now());
        Course { house: &house, buyer, staff, order, placed, way }.live(&mut dice).await;
    }
}

/// What becomes of an order.
struct Course<'a> {
    house: &'a House,
    buyer: &'a Person,
    staff: &'a Person,
    order: String,
    placed: Instant,
    /// What they ask for to pay by.
    way: &'static str,
}

const PAGES: &str = "payment-sessions";
const INTENTS: &str = "payment-intents";

impl Course<'_> {
    async fn live(&self, dice: &mut Dice) {
        if dice.comes(50) {
            self.house.pause(60_000).await;
        }
        match dice.roll(14) {
            // It is forgotten.
            0 => {}
            1 => self.cancel().await,
            2 => self.cancel_as_staff().await,
            3 => {
                // In two windows.
                tokio::join!(self.start(), self.cancel(), self.start());
            }
            _ => {
                let Some(page) = self.start().await else { return };
                self.pay_somehow(&page, dice).await;
            }
        }
    }

    async fn pay_somehow(&self, page: &str, dice: &mut Dice) {
        match dice.roll(15) {
            14 => {
                // On another device, and on both.
                let other = if self.way == PAGES { INTENTS } else { PAGES };
                if let Some(other) = self.start_by(other).await {
                    tokio::join!(self.pay(page), self.pay(&other));
                }
            }
            0 => {
                tokio::join!(self.pay(page), self.cancel());
            }
            1 => {
                tokio::join!(self.pay(page), self.cancel_as_staff());
            }
            2 | 3 => {
                // At the last moment, or just after.
                sleep_until(self.placed + DEADLINE).await;
                self.house.pause(90_000).await;
                self.pay(page).await;
            }
            4 => {
                for _ in 0..1 + dice.roll(2) {
                    self.house.wire.control_stripe(&format!("sessions/{page}/decline"), json!({})).await;
                }
                self.house.pause(60_000).await;
                self.pay(page).await;
            }
            5 => {
                self.house.wire.control_stripe(&format!("sessions/{page}/expire"), json!({})).await;
                self.house.pause(5 * 60_000).await;
                if let Some(next) = self.start().await {
                    self.pay(&next).await;
                }
            }
            6 => {
                if self.pay(page).await {
                    self.cancel_as_staff().await;
                }
            }
            7 => {
                if self.pay(page).await {
                    let amount = json!({ "amount": 1 + dice.roll(300) });
                    self.house.wire.control_stripe(&format!("sessions/{page}/refund"), amount).await;
                    self.refund(dice).await;
                }
            }
            8 | 9 => {
                // What a bank only holds it does not dispute.
                if self.pay(page).await && (!self.house.is_captured_later || self.is_paid().await) {
                    self.dispute(page, dice).await;
                }
            }
            10 if self.house.is_captured_later => {
                if self.pay(page).await {
                    self.end_hold(page, dice).await;
                }
            }
            way => {
                if self.pay(page).await && self.is_paid().await {
                    if way > 10 {
                        self.refund(dice).await;
                    }
                    self.fulfil(dice).await;
                    if dice.comes(60) {
                        self.send_back(dice).await;
                    }
                }
            }
        }
    }

    fn path(&self, end: &str) -> String {
        format!("/v1/orders/{}/{end}", self.order)
    }

    fn admin(&self, end: &str) -> String {
        format!("/v1/admin/orders/{}/{end}", self.order)
    }

    /// The page to pay on; None where it is too late.
    async fn start(&self) -> Option<String> {
        self.start_by(self.way).await
    }

    async fn start_by(&self, way: &str) -> Option<String> {
        let session = self.buyer.post(self.house, &self.path(way), json!({})).await;
        assert!([200, 201, 409].contains(&session.status), "{}", session.body);
        (session.status != 409).then(|| session.text("/id"))
    }

    async fn pay(&self, page: &str) -> bool {
        let (status, body) = self.house.wire.control_stripe(&format!("sessions/{page}/pay"), json!({})).await;
        assert!([200, 409].contains(&status), "{body}");
        status == 200
    }

    /// Before or after the shop hears that it is authorised: the bank's time is over, somebody takes it or lets go of it at Stripe,
    /// or takes it here, twice at once, while the buyer cancels.
    async fn end_hold(&self, page: &str, dice: &mut Dice) {
        self.house.pause(90_000).await;
        let at_stripe = async |what: &str| {
            let (status, body) = self.house.wire.control_stripe(&format!("sessions/{page}/{what}"), json!({})).await;
            assert!([200, 409].contains(&status), "{body}");
        };
        match dice.roll(6) {
            0 => at_stripe("capture").await,
            1 => {
                tokio::join!(self.capture(), self.capture(), self.cancel());
            }
            2 => {
                tokio::join!(self.capture(), at_stripe("release"));
            }
            3 => {
                tokio::join!(self.cancel_as_staff(), at_stripe("capture"));
            }
            _ => {
                at_stripe("release").await;
                self.house.pause(5 * 60_000).await;
                if let Some(next) = self.start().await {
                    self.pay(&next).await;
                }
            }
        }
    }

    async fn capture(&self) {
        let captured = self.staff.post(self.house, &self.admin("capture"), json!({})).await;
        assert!([200, 409].contains(&captured.status), "{}", captured.body);
    }

    async fn cancel(&self) {
        let cancelled = self.buyer.post(self.house, &self.path("cancel"), json!({})).await;
        assert!([200, 409].contains(&cancelled.status), "{}", cancelled.body);
    }

    async fn cancel_as_staff(&self) {
        let reason = json!({ "reason": "Changed their mind" });
        let cancelled = self.staff.post(self.house, &self.admin("cancel"), reason).await;
        assert!([200, 409].contains(&cancelled.status), "{}", cancelled.body);
    }

    /// Whether the shop hears of the payment before long, and has captured it.
    async fn is_paid(&self) -> bool {
        for _ in 0..10 {
            let order = self.staff.get(self.house, &format!("/v1/orders/{}", self.order)).await;
            match order.text("/payment_status").as_str() {
                "pending" | "failed" => {}
                "authorised" => self.capture().await,
                _ => return true,
            }
            sleep(Duration::from_secs(20)).await;
        }
        false
    }

    /// Two of them, the first asked for twice.
    async fn refund(&self, dice: &mut Dice) {
        let wanted = if dice.comes(50) {
            json!({ "amount": { "amount": 1 + dice.roll(400), "currency": "USD" } })
        } else {
            let order = self.buyer.get(self.house, &format!("/v1/orders/{}", self.order)).await;
            json!({ "lines": [{ "sku": order.text("/lines/0/sku"), "quantity": 1 }] })
        };
        let keys = [dice.key(), dice.key()];
        let path = self.admin("refunds");
        let refund = |key: &str| {
            let (key, wanted) = (key.to_owned(), wanted.clone());
            let path = &path;
            async move { self.staff.ask(self.house, Method::POST, path, &key, wanted).await }
        };
        let answers = tokio::join!(refund(&keys[0]), refund(&keys[1]), refund(&keys[0]));
        for answer in [answers.0, answers.1, answers.2] {
            assert!([201, 409].contains(&answer.status), "{}", answer.body);
        }
    }

    async fn fulfil(&self, dice: &mut Dice) {
        for step in ["process", "ship", "deliver"] {
            let body = if step == "ship" { json!({ "carrier": "UPS", "tracking_number": "1Z" }) } else { json!({}) };
            let moved = self.staff.post(self.house, &self.admin(step), body).await;
            // Without an answer nobody knows that it was done, and it cannot be done twice.
            assert!([200, 409].contains(&moved.status), "{}", moved.body);
            if dice.comes(20) {
                self.cancel_as_staff().await;
            }
            self.house.pause(60_000).await;
        }
    }

    /// The buyer's bank asks, or takes back at once; the shop answers it or does not, and it decides at some time.
    async fn dispute(&self, page: &str, dice: &mut Dice) {
        let path = format!("sessions/{page}/disputes");
        let is_inquiry = dice.comes(40);
        let amount = dice.comes(50).then(|| 1 + dice.roll(400));
        let opened = if is_inquiry { "warning_needs_response" } else { "needs_response" };
        let opened = json!({ "status": opened, "amount": amount });
        let (status, told) = self.house.wire.control_stripe(&path, opened).await;
        assert_eq!(status, 200, "{told}");
        let path = format!("{path}/{}", told["disputes"][0]["id"].as_str().unwrap());
        let says = async |status: &str| {
            self.house.pause(20 * 60_000).await;
            let (answer, told) = self.house.wire.control_stripe(&path, json!({ "status": status })).await;
            assert_eq!(answer, 200, "{told}");
        };
        match dice.roll(4) {
            0 => self.cancel_as_staff().await,
            1 => self.refund(dice).await,
            2 if self.is_paid().await => self.fulfil(dice).await,
            _ => {}
        }
        if is_inquiry {
            if dice.comes(50) {
                return says("warning_closed").await;
            }
            says("needs_response").await;
        }
        if dice.comes(50) {
            says("under_review").await;
        }
        says(if dice.comes(50) { "won" } else { "lost" }).await;
    }

    /// The buyer sends some of it back; staff refuse it, or receive it, twice at once.
    async fn send_back(&self, dice: &mut Dice) {
        let order = self.buyer.get(self.house, &format!("/v1/orders/{}", self.order)).await;
        let (sku, bought) = (order.text("/lines/0/sku"), order.body["lines"][0]["quantity"].as_u64().unwrap());
        let units = 1 + dice.roll(bought);
        let wanted = json!({ "lines": [{ "sku": sku, "quantity": units }], "reason": "Too small" });
        let key = dice.key();
        let asked = self.buyer.ask(self.house, Method::POST, &self.path("returns"), &key, wanted).await;
        // It was cancelled before it was shipped.
        if asked.status == 409 {
            return;
        }
        assert_eq!(asked.status, 201, "{}", asked.body);
        self.house.pause(60_000).await;
        let decide = async |what: &str, body: Value| {
            let decided = self.staff.post(self.house, &self.admin(&format!("returns/1/{what}")), body).await;
            assert!([200, 409].contains(&decided.status), "{}", decided.body);
        };
        match dice.roll(5) {
            0 => return decide("refuse", json!({ "reason": "Worn" })).await,
            1 => {}
            _ => decide("approve", json!({})).await,
        }
        let line = json!({ "sku": sku, "quantity": units, "condition": "as_new", "restocked": dice.comes(60) });
        let received = json!({ "lines": [line] });
        tokio::join!(decide("receive", received.clone()), decide("receive", received.clone()));
        if dice.comes(50) {
            self.refund(dice).await;
        }
    }
}

/// Staff count and correct, and spread the stock and gather it again, while all else goes on. What it comes to.
pub async fn correct(house: &House, staff: &Person, mut dice: Dice) -> BTreeMap<&'static str, i64> {
    let mut sums = BTreeMap::from(SKUS.map(|(sku, _, _)| (sku, 0)));
    for _ in 0..6 {
        house.pause(10 * 60_000).await;
        if dice.comes(30) {
            let (sku, buckets) =
                (SKUS[dice.roll(2) as usize].0, [json!(16), json!(40), json!(null)][dice.roll(3) as usize].clone());
            let path = format!("/v1/admin/skus/{sku}/stock");
            let spread = staff.ask(house, Method::PATCH, &path, "", json!({ "buckets": buckets })).await;
            assert_eq!(spread.status, 200, "{}", spread.body);
        }
        let (sku, units) = (SKUS[dice.roll(2) as usize].0, dice.roll(7) as i64 - 3);
        if units == 0 {
            continue;
        }
        let body = json!({ "kind": "corrected", "units": units, "reason": "Counted" });
        let path = format!("/v1/admin/skus/{sku}/stock-movements");
        let moved = staff.ask(house, Method::POST, &path, &dice.key(), body).await;
        match moved.status {
            201 => *sums.get_mut(sku).unwrap() += units,
            // So many are not there.
            status => assert_eq!(status, 409, "{}", moved.body),
        }
    }
    sums
}
