//! A checkout session with its payment and its events: what may happen to it, and what each step announces.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::events::{Cause, Event};
use super::objects;

/// Everything about one checkout session. It is stored as one file, so a step and its events are kept together or not at all.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Checkout {
    pub id: String,
    pub created: Timestamp,
    pub order: Order,
    pub status: Status,
    pub payment: Option<Payment>,
    #[serde(default)]
    pub refunds: Vec<Refund>,
    #[serde(default)]
    pub disputes: Vec<Dispute>,
    pub events: Vec<Event>,
    pub replays: Vec<Replay>,
}

/// What the shop asked for when it created the session.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Order {
    pub currency: String,
    pub lines: Vec<Line>,
    pub total: i64,
    pub expires_at: Timestamp,
    pub success_url: String,
    pub cancel_url: Option<String>,
    pub client_reference_id: Option<String>,
    pub customer_email: Option<String>,
    #[serde(default)]
    pub buyer: Option<Buyer>,
    /// Whether the page offers to keep and to drop what the buyer pays with.
    #[serde(default)]
    pub saves: Option<Saves>,
    pub locale: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub payment_description: Option<String>,
    pub payment_metadata: BTreeMap<String, String>,
    /// Whether the buyer's bank only holds the amount, until it is captured.
    #[serde(default)]
    pub is_captured_later: bool,
    /// Whether it is a payment intent without a page.
    #[serde(default)]
    pub has_no_page: bool,
}

impl Order {
    /// The address of who is to pay.
    pub fn email(&self) -> Option<&str> {
        self.customer_email.as_deref().or_else(|| self.buyer.as_ref()?.email.as_deref())
    }
}

/// The customer who is to pay, as they were then.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Buyer {
    pub id: String,
    pub email: Option<String>,
}

/// A page's `saved_payment_method_options`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Saves {
    pub save: Option<String>,
    pub remove: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Line {
    pub id: String,
    pub price: String,
    pub product: String,
    pub name: String,
    pub description: Option<String>,
    pub images: Vec<String>,
    pub product_metadata: BTreeMap<String, String>,
    pub metadata: BTreeMap<String, String>,
    pub unit_amount: i64,
    pub quantity: i64,
    pub total: i64,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Open,
    Complete,
    Expired,
}

/// The payment intent: like Stripe's, it comes into being when the buyer first tries to pay.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Payment {
    pub id: String,
    pub secret: String,
    pub created: Timestamp,
    pub charges: Vec<Charge>,
    /// Where the amount is captured later: what has become of it, once the buyer has agreed.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// Where the bank takes days over it: how far it is.
    #[serde(default)]
    pub transfer: Option<Transfer>,
}

impl Payment {
    fn new(now: Timestamp) -> Payment {
        let id = objects::new_id("pi_3", 23);
        let secret = objects::new_id(&format!("{id}_secret_"), 25);
        Payment { secret, id, created: now, charges: Vec::new(), hold: None, transfer: None }
    }

    fn charge(&mut self, paid: bool, now: Timestamp) {
        let (id, payment_method) = (objects::new_id("ch_3", 23), objects::new_id("pm_1", 23));
        self.charges.push(Charge { id, payment_method, created: now, paid });
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    Held,
    Captured,
    Released,
}

/// A payment by a slow method, such as SEPA or ACH.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transfer {
    UnderWay,
    Arrived,
    Bounced,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Charge {
    pub id: String,
    pub payment_method: String,
    pub created: Timestamp,
    pub paid: bool,
}

/// Money that went back, or is on its way.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Refund {
    pub id: String,
    pub created: Timestamp,
    pub amount: i64,
    pub status: RefundStatus,
    pub reason: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// The bank takes its time.
    Pending,
    Succeeded,
    Failed,
}

/// The bank of a buyer calls the payment into question.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Dispute {
    pub id: String,
    pub created: Timestamp,
    pub amount: i64,
    pub status: DisputeStatus,
}

/// The statuses of Stripe that a dispute can be brought to here.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStatus {
    WarningNeedsResponse,
    WarningClosed,
    NeedsResponse,
    UnderReview,
    Won,
    Lost,
}

/// What a refund is asked for with.
#[derive(Clone, Debug, Default)]
pub struct NewRefund {
    /// All that is left, unless it is given.
    pub amount: Option<i64>,
    pub reason: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

/// Why nothing was refunded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotRefunded {
    /// Nothing was paid.
    Unpaid,
    /// All of it has gone back.
    AllRefunded,
    /// The buyer's bank has it, or has decided that it is the buyer's.
    Disputed,
    TooMuch {
        left: i64,
    },
}

/// An answer that is given again to the same request with the same Idempotency-Key, also that it failed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Replay {
    pub key: String,
    pub fingerprint: String,
    pub request_id: String,
    pub answered_at: Timestamp,
    pub answer: serde_json::Value,
    #[serde(default)]
    pub has_failed: bool,
}

/// No payment is under way; nothing was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotUnderWay;

/// The payment is not held; nothing was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotHeld;

/// The session is no longer open; nothing was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotOpen(pub Status);

impl Checkout {
    pub fn new(order: Order, now: Timestamp) -> Checkout {
        Checkout {
            id: objects::new_id("cs_test_a1", 57),
            created: now,
            order,
            status: Status::Open,
            payment: None,
            refunds: Vec::new(),
            disputes: Vec::new(),
            events: Vec::new(),
            replays: Vec::new(),
        }
    }

    /// A payment intent that the shop's own front has the buyer pay by; its id is the checkout's.
    pub fn intent(order: Order, now: Timestamp) -> Checkout {
        let payment = Payment::new(now);
        Checkout { id: payment.id.clone(), payment: Some(payment), ..Checkout::new(order, now) }
    }

    /// Charges the buyer: intent and charge succeed, the session is complete and paid. Where it is captured later the bank holds
    /// the amount, and the session is complete and unpaid.
    pub fn pay(&mut self, now: Timestamp) -> Result<(), NotOpen> {
        self.charge(true, now)?;
        self.status = Status::Complete;
        let is_held = self.order.is_captured_later;
        if let Some(payment) = self.payment.as_mut().filter(|_| is_held) {
            payment.hold = Some(Hold::Held);
        }
        let intent = objects::payment_intent(self);
        let charge = objects::latest_charge(self);
        let session = (!self.order.has_no_page).then(|| objects::session(self, None));
        let kind = if is_held { "payment_intent.amount_capturable_updated" } else { "payment_intent.succeeded" };
        self.announce(kind, intent, &Cause::default(), now);
        self.announce("charge.succeeded", charge, &Cause::default(), now);
        if let Some(session) = session {
            self.announce("checkout.session.completed", session, &Cause::default(), now);
        }
        Ok(())
    }

    /// The buyer pays by a slow method: the session is complete and unpaid, and the money, or word that there is none, comes days later.
    /// Its charge is here once that is known.
    pub fn transfer(&mut self, now: Timestamp) -> Result<(), NotOpen> {
        self.must_be_open()?;
        self.payment.get_or_insert_with(|| Payment::new(now)).transfer = Some(Transfer::UnderWay);
        self.status = Status::Complete;
        let intent = objects::payment_intent(self);
        self.announce("payment_intent.processing", intent, &Cause::default(), now);
        self.announce_session("completed", now);
        Ok(())
    }

    /// The money of a slow payment has come.
    pub fn arrive(&mut self, now: Timestamp) -> Result<(), NotUnderWay> {
        self.end_transfer(Transfer::Arrived, now)?;
        let (intent, charge) = (objects::payment_intent(self), objects::latest_charge(self));
        self.announce("payment_intent.succeeded", intent, &Cause::default(), now);
        self.announce("charge.succeeded", charge, &Cause::default(), now);
        self.announce_session("async_payment_succeeded", now);
        Ok(())
    }

    /// The money of a slow payment will not come. Nobody can pay on its page any more; an intent without a page can be paid again.
    pub fn bounce(&mut self, now: Timestamp) -> Result<(), NotUnderWay> {
        self.end_transfer(Transfer::Bounced, now)?;
        if self.order.has_no_page {
            self.status = Status::Open;
        }
        let (intent, charge) = (objects::payment_intent(self), objects::latest_charge(self));
        self.announce("payment_intent.payment_failed", intent, &Cause::default(), now);
        self.announce("charge.failed", charge, &Cause::default(), now);
        self.announce_session("async_payment_failed", now);
        Ok(())
    }

    fn end_transfer(&mut self, end: Transfer, now: Timestamp) -> Result<(), NotUnderWay> {
        match self.payment.as_mut() {
            Some(payment) if payment.transfer == Some(Transfer::UnderWay) => {
                payment.transfer = Some(end);
                payment.charge(end == Transfer::Arrived, now);
                Ok(())
            }
            Some(_) | None => Err(NotUnderWay),
        }
    }

    pub fn is_under_way(&self) -> bool {
        self.transferred() == Some(Transfer::UnderWay)
    }

    fn transferred(&self) -> Option<Transfer> {
        self.payment.as_ref().and_then(|payment| payment.transfer)
    }

    fn announce_session(&mut self, what: &str, now: Timestamp) {
        if !self.order.has_no_page {
            let session = objects::session(self, None);
            self.announce(&format!("checkout.session.{what}"), session, &Cause::default(), now);
        }
    }

    /// The card is declined: the session stays open and the buyer may try again.
    pub fn decline(&mut self, now: Timestamp) -> Result<(), NotOpen> {
        self.charge(false, now)?;
        let intent = objects::payment_intent(self);
        self.announce("payment_intent.payment_failed", intent, &Cause::default(), now);
        Ok(())
    }

    /// Takes what the bank holds.
    pub fn capture(&mut self, cause: &Cause, now: Timestamp) -> Result<(), NotHeld> {
        self.end_hold(Hold::Captured)?;
        let (intent, charge) = (objects::payment_intent(self), objects::latest_charge(self));
        self.announce("payment_intent.succeeded", intent, cause, now);
        self.announce("charge.captured", charge, cause, now);
        Ok(())
    }

    /// The bank holds the amount no longer.
    pub fn release(&mut self, cause: &Cause, now: Timestamp) -> Result<(), NotHeld> {
        self.end_hold(Hold::Released)?;
        let intent = objects::payment_intent(self);
        self.announce("payment_intent.canceled", intent, cause, now);
        Ok(())
    }

    fn end_hold(&mut self, end: Hold) -> Result<(), NotHeld> {
        match self.payment.as_mut().and_then(|payment| payment.hold.as_mut()) {
            Some(hold) if *hold == Hold::Held => *hold = end,
            Some(_) | None => return Err(NotHeld),
        }
        Ok(())
    }

    pub fn hold(&self) -> Option<Hold> {
        self.payment.as_ref().and_then(|payment| payment.hold)
    }

    /// Whether the shop has the money.
    pub fn is_paid(&self) -> bool {
        let has_arrived = matches!(self.transferred(), None | Some(Transfer::Arrived));
        self.status == Status::Complete && has_arrived && matches!(self.hold(), None | Some(Hold::Captured))
    }

    /// Ends the session unpaid, or cancels the intent.
    pub fn expire(&mut self, cause: &Cause, now: Timestamp) -> Result<(), NotOpen> {
        self.must_be_open()?;
        self.status = Status::Expired;
        if self.order.has_no_page {
            let intent = objects::payment_intent(self);
            self.announce("payment_intent.canceled", intent, cause, now);
            return Ok(());
        }
        let session = objects::session(self, None);
        self.announce("checkout.session.expired", session, cause, now);
        Ok(())
    }

    /// What has gone back or is on its way there.
    pub fn refunded(&self) -> i64 {
        let counts = |refund: &&Refund| refund.status != RefundStatus::Failed;
        self.refunds.iter().filter(counts).map(|refund| refund.amount).sum()
    }

    /// Pays back at once, or `slowly`: then the refund is pending until it is settled.
    pub fn refund(
        &mut self,
        wanted: NewRefund,
        slowly: bool,
        cause: &Cause,
        now: Timestamp,
    ) -> Result<&Refund, NotRefunded> {
        if !self.is_paid() {
            return Err(NotRefunded::Unpaid);
        }
        if self.disputes.iter().any(|dispute| dispute.status.holds_charge()) {
            return Err(NotRefunded::Disputed);
        }
        let left = self.order.total - self.refunded();
        let amount = wanted.amount.unwrap_or(left);
        if left == 0 {
            return Err(NotRefunded::AllRefunded);
        }
        if amount > left {
            return Err(NotRefunded::TooMuch { left });
        }
        let status = if slowly { RefundStatus::Pending } else { RefundStatus::Succeeded };
        let (id, NewRefund { reason, metadata, .. }) = (objects::new_id("re_3", 23), wanted);
        self.refunds.push(Refund { id, created: now, amount, status, reason, metadata });
        let place = self.refunds.len() - 1;
        let refund = objects::refund(self, &self.refunds[place]);
        let charge = objects::latest_charge(self);
        self.announce("refund.created", refund.clone(), cause, now);
        self.announce("charge.refunded", charge, cause, now);
        self.announce("refund.updated", refund, cause, now);
        Ok(&self.refunds[place])
    }

    /// The bank says how a refund ended; false for one that this checkout has not.
    pub fn settle(&mut self, refund: &str, status: RefundStatus, now: Timestamp) -> bool {
        let Some(place) = self.refunds.iter().position(|known| known.id == refund) else { return false };
        self.refunds[place].status = status;
        let refund = objects::refund(self, &self.refunds[place]);
        self.announce("refund.updated", refund.clone(), &Cause::default(), now);
        if status == RefundStatus::Failed {
            self.announce("refund.failed", refund, &Cause::default(), now);
        }
        true
    }

    /// The buyer's bank disputes an amount, or all; as `needs_response`, or first as an inquiry.
    pub fn dispute(&mut self, amount: Option<i64>, status: DisputeStatus, now: Timestamp) -> Result<(), NotRefunded> {
        if !self.is_paid() {
            return Err(NotRefunded::Unpaid);
        }
        let amount = amount.unwrap_or(self.order.total);
        self.disputes.push(Dispute { id: objects::new_id("du_1", 23), created: now, amount, status });
        self.announce_dispute(self.disputes.len() - 1, "created", now);
        Ok(())
    }

    /// The bank goes on with a dispute; false for one that this checkout has not.
    pub fn move_dispute(&mut self, dispute: &str, status: DisputeStatus, now: Timestamp) -> bool {
        let Some(place) = self.disputes.iter().position(|known| known.id == dispute) else { return false };
        self.disputes[place].status = status;
        self.announce_dispute(place, if status.is_end() { "closed" } else { "updated" }, now);
        true
    }

    fn announce_dispute(&mut self, place: usize, what: &str, now: Timestamp) {
        let dispute = objects::dispute(self, &self.disputes[place]);
        self.announce(&format!("charge.dispute.{what}"), dispute.clone(), &Cause::default(), now);
        let money = match self.disputes[place].status {
            DisputeStatus::NeedsResponse => "charge.dispute.funds_withdrawn",
            DisputeStatus::Won => "charge.dispute.funds_reinstated",
            DisputeStatus::WarningNeedsResponse
            | DisputeStatus::WarningClosed
            | DisputeStatus::UnderReview
            | DisputeStatus::Lost => return,
        };
        self.announce(money, dispute, &Cause::default(), now);
    }

    /// Its time has run out, but nobody has expired it yet.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.status == Status::Open && !self.order.has_no_page && self.order.expires_at <= now
    }

    /// The buyer's last attempt to pay was declined.
    pub fn was_declined(&self) -> bool {
        self.status == Status::Open && self.payment.as_ref().is_some_and(|payment| !payment.charges.is_empty())
    }

    fn charge(&mut self, paid: bool, now: Timestamp) -> Result<(), NotOpen> {
        self.must_be_open()?;
        let payment = self.payment.get_or_insert_with(|| Payment::new(now));
        payment.transfer = None;
        payment.charge(paid, now);
        Ok(())
    }

    fn must_be_open(&self) -> Result<(), NotOpen> {
        match self.status {
            Status::Open => Ok(()),
            Status::Complete | Status::Expired => Err(NotOpen(self.status)),
        }
    }

    fn announce(&mut self, kind: &str, object: serde_json::Value, cause: &Cause, now: Timestamp) {
        self.events.push(Event::new(kind, object, cause, now));
    }
}

impl DisputeStatus {
    fn is_end(self) -> bool {
        matches!(self, DisputeStatus::WarningClosed | DisputeStatus::Won | DisputeStatus::Lost)
    }

    /// Whether Stripe pays nothing back of the charge: an inquiry is even ended that way.
    pub fn holds_charge(self) -> bool {
        matches!(self, DisputeStatus::NeedsResponse | DisputeStatus::UnderReview | DisputeStatus::Lost)
    }

    pub fn is_answerable(self) -> bool {
        matches!(self, DisputeStatus::WarningNeedsResponse | DisputeStatus::NeedsResponse)
    }
}

impl RefundStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            RefundStatus::Pending => "pending",
            RefundStatus::Succeeded => "succeeded",
            RefundStatus::Failed => "failed",
        }
    }
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Complete => "complete",
            Status::Expired => "expired",
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use jiff::ToSpan;

    pub fn order(currency: &str, unit_amount: i64, quantity: i64) -> Order {
        let now = Timestamp::now();
        Order {
            currency: currency.into(),
            lines: vec![Line {
                id: "li_1".into(),
                price: "price_1".into(),
                product: "prod_1".into(),
                name: "Mug <script>alert(1)</script>".into(),
                description: None,
                images: Vec::new(),
                product_metadata: BTreeMap::new(),
                metadata: BTreeMap::new(),
                unit_amount,
                quantity,
                total: unit_amount * quantity,
            }],
            total: unit_amount * quantity,
            expires_at: now + 30.minutes(),
            success_url: "https://shop.test/paid?session={CHECKOUT_SESSION_ID}".into(),
            cancel_url: None,
            client_reference_id: Some("ord_1".into()),
            customer_email: None,
            buyer: None,
            saves: None,
            locale: None,
            metadata: BTreeMap::new(),
            payment_description: None,
            payment_metadata: BTreeMap::new(),
            is_captured_later: false,
            has_no_page: false,
        }
    }

    fn announced(checkout: &Checkout) -> Vec<&str> {
        checkout.events.iter().map(|event| event.kind.as_str()).collect()
    }

    #[test]
    fn paying_announces_the_intent_the_charge_and_the_session() {
        let now = Timestamp::now();
        let mut checkout = Checkout::new(order("usd", 1299, 2), now);
        checkout.pay(now).unwrap();
        assert_eq!(
            announced(&checkout),
            ["payment_intent.succeeded", "charge.succeeded", "checkout.session.completed"]
        );
        assert_eq!(checkout.events[2].body["data"]["object"]["payment_status"], "paid");
    }

    #[test]
    fn what_a_bank_holds_is_captured_or_let_go_of_once() {
        let (now, by_nobody) = (Timestamp::now(), Cause::default());
        let mut held = Checkout::new(Order { is_captured_later: true, ..order("usd", 1299, 2) }, now);
        held.pay(now).unwrap();
        let told = ["payment_intent.amount_capturable_updated", "charge.succeeded", "checkout.session.completed"];
        assert_eq!(announced(&held), told);
        assert_eq!(held.events[2].body["data"]["object"]["payment_status"], "unpaid");
        assert_eq!(held.refund(NewRefund::default(), false, &by_nobody, now).unwrap_err(), NotRefunded::Unpaid);
        let mut released = held.clone();
        held.capture(&by_nobody, now).unwrap();
        assert!(held.is_paid() && announced(&held).ends_with(&["payment_intent.succeeded", "charge.captured"]));
        released.release(&by_nobody, now).unwrap();
        assert!(!released.is_paid() && announced(&released).ends_with(&["payment_intent.canceled"]));
        for ended in [&mut held, &mut released] {
            assert_eq!((ended.capture(&by_nobody, now), ended.release(&by_nobody, now)), (Err(NotHeld), Err(NotHeld)));
        }
    }

    #[test]
    fn a_slow_payment_arrives_or_bounces_once() {
        let now = Timestamp::now();
        let mut slow = Checkout::new(order("usd", 1299, 2), now);
        assert_eq!(slow.arrive(now), Err(NotUnderWay));
        slow.transfer(now).unwrap();
        assert!(!slow.is_paid() && slow.pay(now).is_err());
        assert_eq!(announced(&slow), ["payment_intent.processing", "checkout.session.completed"]);
        let mut intent = Checkout::intent(Order { has_no_page: true, ..slow.order.clone() }, now);
        intent.transfer(now).unwrap();
        let mut bounced = slow.clone();
        slow.arrive(now).unwrap();
        assert!(slow.is_paid());
        let told = ["payment_intent.succeeded", "charge.succeeded", "checkout.session.async_payment_succeeded"];
        assert_eq!(announced(&slow)[2..], told);
        for checkout in [&mut bounced, &mut intent] {
            checkout.bounce(now).unwrap();
            assert!(!checkout.is_paid());
            assert_eq!(objects::payment_intent(checkout)["status"], "requires_payment_method");
        }
        let told = ["payment_intent.payment_failed", "charge.failed", "checkout.session.async_payment_failed"];
        assert_eq!(announced(&bounced)[2..], told);
        assert_eq!(bounced.events[4].body["data"]["object"]["payment_status"], "unpaid");
        for ended in [&mut slow, &mut bounced] {
            let ends = (ended.arrive(now), ended.bounce(now), ended.pay(now));
            assert_eq!(ends, (Err(NotUnderWay), Err(NotUnderWay), Err(NotOpen(Status::Complete))));
        }
        intent.pay(now).unwrap();
        assert!(intent.is_paid());
    }

    #[test]
    fn an_intent_without_a_page_is_paid_after_a_decline_or_cancelled() {
        let now = Timestamp::now();
        let mut intent = Checkout::intent(Order { has_no_page: true, ..order("usd", 1299, 2) }, now);
        assert!(intent.id.starts_with("pi_") && !intent.was_declined());
        let mut cancelled = intent.clone();
        intent.decline(now).unwrap();
        intent.pay(now).unwrap();
        let told = ["payment_intent.payment_failed", "payment_intent.succeeded", "charge.succeeded"];
        assert_eq!(announced(&intent), told);
        cancelled.expire(&Cause::default(), now).unwrap();
        assert_eq!(announced(&cancelled), ["payment_intent.canceled"]);
        assert_eq!(cancelled.events[0].body["data"]["object"]["status"], "canceled");
    }

    #[test]
    fn a_declined_session_stays_open_and_is_paid_with_the_same_intent() {
        let now = Timestamp::now();
        let mut checkout = Checkout::new(order("usd", 1299, 2), now);
        checkout.decline(now).unwrap();
        assert_eq!(checkout.status, Status::Open);
        assert!(checkout.was_declined());
        let intent = checkout.payment.as_ref().unwrap().id.clone();
        checkout.pay(now).unwrap();
        assert_eq!(checkout.payment.as_ref().unwrap().id, intent);
        assert!(!checkout.was_declined());
        assert_eq!(announced(&checkout)[..2], ["payment_intent.payment_failed", "payment_intent.succeeded"]);
    }

    #[test]
    fn no_more_is_paid_back_than_was_paid_and_what_failed_is_left() {
        let now = Timestamp::now();
        let mut checkout = Checkout::new(order("usd", 1299, 2), now);
        let of = |amount| NewRefund { amount, ..NewRefund::default() };
        let refund = |checkout: &mut Checkout, amount| {
            checkout.refund(of(amount), false, &Cause::default(), now).map(|refund| refund.amount)
        };
        assert_eq!(refund(&mut checkout, None), Err(NotRefunded::Unpaid));
        checkout.pay(now).unwrap();
        assert_eq!(refund(&mut checkout, Some(1_000)), Ok(1_000));
        assert_eq!(refund(&mut checkout, Some(1_599)), Err(NotRefunded::TooMuch { left: 1_598 }));
        let first = checkout.refunds[0].id.clone();
        assert!(checkout.settle(&first, RefundStatus::Failed, now));
        assert!(!checkout.settle("re_other", RefundStatus::Failed, now));
        assert_eq!(refund(&mut checkout, None), Ok(2_598));
        assert_eq!(refund(&mut checkout, None), Err(NotRefunded::AllRefunded));
        let told = ["refund.created", "charge.refunded", "refund.updated"];
        let expected: Vec<_> = told.into_iter().chain(["refund.updated", "refund.failed"]).chain(told).collect();
        assert_eq!(announced(&checkout)[3..], expected);
        assert_eq!(checkout.events.last().unwrap().body["data"]["object"]["status"], "succeeded");
    }

    #[test]
    fn nothing_happens_to_a_session_that_is_no_longer_open() {
        let now = Timestamp::now();
        let mut paid = Checkout::new(order("usd", 1299, 2), now);
        paid.pay(now).unwrap();
        let mut expired = Checkout::new(order("usd", 1299, 2), now);
        expired.expire(&Cause::default(), now).unwrap();
        for checkout in [&mut paid, &mut expired] {
            let before = announced(checkout).len();
            let refused = NotOpen(checkout.status);
            assert_eq!(checkout.pay(now), Err(refused));
            assert_eq!(checkout.decline(now), Err(refused));
            assert_eq!(checkout.expire(&Cause::default(), now), Err(refused));
            assert_eq!(announced(checkout).len(), before);
        }
    }
}
