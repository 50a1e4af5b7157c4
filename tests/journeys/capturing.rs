//! Payments that the buyer's bank holds until staff capture them.

use serde_json::{Value, json};
use waybill_tests::{Person, Socket, TestShop, eventually, key};

struct Held {
    shop: TestShop,
    product: String,
    buyer: Person,
    order: String,
    session: String,
}

impl Held {
    /// A shop that captures later, with an order of one of ten units whose page is open.
    async fn open() -> Held {
        let manual = ("PaymentCapture".to_owned(), "manual".to_owned());
        let shop = TestShop::open_with(|options| options.parameters.extend([manual])).await;
        let product = shop.product("TEA", 1350, 10).await.text("/id");
        let (buyer, order, session) = shop.order_to_pay("TEA").await;
        Held { shop, product, buyer, order, session }
    }

    /// The same, once the bank holds the amount and the shop has heard of it.
    async fn authorised() -> Held {
        let held = Held::open().await;
        held.at_stripe("pay").await;
        held.until("authorised").await;
        held
    }

    async fn at_stripe(&self, what: &str) {
        let done = self.shop.stripe(&format!("sessions/{}/{what}", self.session), json!({})).await;
        assert_eq!(done.status, 200, "{}", done.body);
    }

    async fn faults(&self, faults: Value) {
        assert_eq!(self.shop.stripe("faults", faults).await.status, 200);
    }

    async fn shown(&self) -> Value {
        self.buyer.get(&format!("/v1/orders/{}", self.order)).await.body
    }

    async fn until(&self, payment_status: &str) {
        let look = async || (self.shown().await["payment_status"] == payment_status).then_some(());
        eventually(&format!("an order that is {payment_status}"), look).await;
    }

    fn capture(&self) -> String {
        format!("/v1/admin/orders/{}/capture", self.order)
    }

    async fn happened(&self) -> Vec<String> {
        let entries = self.shown().await["timeline"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["type"].as_str().unwrap().to_owned()).collect()
    }

    /// The kinds of Stripe's events so far of which there is one for each time that money moved.
    async fn moved(&self) -> Vec<String> {
        let events = self.shop.stripe_events().await;
        let kinds = events.iter().map(|event| event["type"].as_str().unwrap().to_owned());
        kinds.filter(|kind| kind.starts_with("payment_intent.") || kind.starts_with("refund.")).collect()
    }

    async fn compared(&self) -> (u64, usize) {
        let compared = self.shop.invoke("sweep", json!({ "reconcile": { "settled_after_minutes": 0 } })).await;
        (compared["repaired"].as_u64().unwrap(), compared["differences"].as_array().unwrap().len())
    }

    async fn sweep(&self) -> Value {
        self.shop.invoke("sweep", json!({ "expire_orders": { "older_than_minutes": 0 } })).await
    }
}

const HELD: &str = "payment_intent.amount_capturable_updated";
const CAPTURED: &str = "payment_intent.succeeded";
const RELEASED: &str = "payment_intent.canceled";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bank_holds_is_captured_once_and_then_the_order_goes_its_way() {
    let held = Held::open().await;
    let staff = held.shop.administrator().await;
    let mut socket = Socket::open(&held.shop, &held.buyer).await;
    staff.post(&held.capture(), json!({})).await.assert_problem(409, "order-state");
    held.at_stripe("pay").await;
    assert_eq!(socket.until("order.payment_authorised").await["payment_status"], "authorised");
    let mail = async || held.shop.order_mails_to(&held.buyer.email).await.pop();
    assert!(eventually("the mail", mail).await["text"].to_string().contains("set $13.50 aside"));
    // It waits for staff: nobody pays it again or packs it, and its time does not run out.
    let again = held.buyer.post(&format!("/v1/orders/{}/payment-sessions", held.order), json!({})).await;
    again.assert_problem(409, "order-state");
    staff.post(&format!("/v1/admin/orders/{}/process", held.order), json!({})).await.assert_problem(409, "order-state");
    assert_eq!(held.sweep().await, json!({ "expired": 0, "paid": 0, "left": 0 }));
    let listed = staff.get("/v1/admin/orders?status=authorised").await;
    assert_eq!(listed.text("/items/0/id"), held.order);

    let (path, nothing) = (held.capture(), json!({}));
    // What the bank refuses to hand over it goes on holding.
    held.faults(json!({ "refuse_captures": true })).await;
    staff.post(&path, nothing.clone()).await.assert_problem(409, "payment-pending");
    assert_eq!(held.shown().await["payment_status"], "authorised");
    held.faults(json!({ "refuse_captures": false })).await;
    // The answer is lost, and others have asked at the same moment.
    held.faults(json!({ "lose_reply_next": 1 })).await;
    let asked = tokio::join!(staff.post(&path, nothing.clone()), staff.post(&path, nothing.clone()));
    for answer in [asked.0, asked.1] {
        assert!([200, 503].contains(&answer.status), "{}", answer.body);
    }
    let captured = staff.post(&path, nothing).await;
    assert_eq!((captured.status, captured.text("/payment_status")), (200, "paid".into()), "{}", captured.body);
    assert_eq!(held.moved().await, [HELD, CAPTURED]);
    assert_eq!(
        held.happened().await,
        ["order.placed", "order.payment_started", "order.payment_authorised", "order.paid"]
    );

    let refund = json!({ "amount": { "amount": 1350, "currency": "USD" } });
    let refunds = format!("/v1/admin/orders/{}/refunds", held.order);
    assert_eq!(staff.post_once(&refunds, &key(), refund).await.status, 201);
    held.until("refunded").await;
    assert_eq!(held.compared().await, (0, 0));
    held.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cancels_an_authorised_order_has_the_bank_let_go_of_the_amount() {
    let held = Held::authorised().await;
    assert_eq!(held.shop.available(&held.product, "TEA").await, 9);
    let cancel = format!("/v1/orders/{}/cancel", held.order);
    // While Stripe does not answer, nothing is given up.
    held.faults(json!({ "fail_next": 100 })).await;
    held.buyer.post(&cancel, json!({})).await.assert_problem(503, "unavailable");
    assert_eq!(held.shown().await["payment_status"], "authorised");
    held.faults(json!({ "fail_next": 0 })).await;
    assert_eq!(held.buyer.post(&cancel, json!({})).await.status, 200);
    assert_eq!(held.moved().await, [HELD, RELEASED]);
    let back = async || (held.shop.available(&held.product, "TEA").await == 10).then_some(());
    eventually("the unit that can be ordered again", back).await;
    held.shop.administrator().await.post(&held.capture(), json!({})).await.assert_problem(409, "order-state");
    // Stripe's own event about it, whenever it comes, changes nothing.
    assert_eq!(held.compared().await, (0, 0));
    assert_eq!(held.happened().await.last().unwrap(), "order.cancelled");
    held.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cancels_an_order_whose_authorisation_stripe_does_not_know_is_done() {
    let held = Held::authorised().await;
    let forgotten = held.shop.stripe(&format!("sessions/{}/forget", held.session), json!({})).await;
    assert_eq!(forgotten.status, 204, "{}", forgotten.body);
    assert_eq!(held.buyer.post(&format!("/v1/orders/{}/cancel", held.order), json!({})).await.status, 200);
    assert_eq!(held.happened().await.last().unwrap(), "order.cancelled");
    held.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorisation_that_stripe_does_not_know_cannot_be_captured_and_stays_what_it_is() {
    let held = Held::authorised().await;
    let forgotten = held.shop.stripe(&format!("sessions/{}/forget", held.session), json!({})).await;
    assert_eq!(forgotten.status, 204, "{}", forgotten.body);
    for _ in 0..2 {
        held.shop.administrator().await.post(&held.capture(), json!({})).await.assert_problem(409, "payment-pending");
    }
    assert_eq!(held.shown().await["payment_status"], "authorised");
    held.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_captured_a_moment_before_it_is_cancelled_is_refunded() {
    let held = Held::authorised().await;
    held.faults(json!({ "hold": true })).await;
    held.at_stripe("capture").await;
    assert_eq!(held.buyer.post(&format!("/v1/orders/{}/cancel", held.order), json!({})).await.status, 200);
    held.until("refunded").await;
    let happened = held.happened().await;
    assert_eq!(happened[3..5], ["order.paid", "order.cancelled_with_refund"]);
    held.faults(json!({ "hold": false, "reorder": true })).await;
    held.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bank_lets_go_of_can_be_paid_again_until_the_order_expires() {
    let held = Held::authorised().await;
    let staff = held.shop.administrator().await;
    // The shop has not heard of it yet, and finds out as it captures.
    held.faults(json!({ "hold": true })).await;
    held.at_stripe("release").await;
    staff.post(&held.capture(), json!({})).await.assert_problem(409, "payment-expired");
    assert_eq!(held.shown().await["payment_status"], "pending");
    held.faults(json!({ "hold": false })).await;
    let start = format!("/v1/orders/{}/payment-sessions", held.order);
    let second = held.buyer.post(&start, json!({})).await;
    assert_eq!(second.status, 201, "{}", second.body);
    assert_ne!(second.text("/id"), held.session);
    let pay = async |session: &str, what: &str| {
        let done = held.shop.stripe(&format!("sessions/{session}/{what}"), json!({})).await;
        assert_eq!(done.status, 200, "{}", done.body);
    };
    pay(&second.text("/id"), "pay").await;
    held.until("authorised").await;
    // This time Stripe tells of it.
    pay(&second.text("/id"), "release").await;
    held.until("pending").await;
    assert_eq!(held.sweep().await, json!({ "expired": 1, "paid": 0, "left": 0 }));
    assert_eq!(held.shown().await["payment_status"], "expired");
    assert_eq!(held.moved().await, [HELD, RELEASED, HELD, RELEASED]);
    held.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_event_told_of_is_found_by_the_sweep_and_when_the_books_are_compared() {
    let held = Held::open().await;
    held.faults(json!({ "hold": true })).await;
    held.at_stripe("pay").await;
    assert_eq!(held.shown().await["payment_status"], "pending");
    // Its time is over, and somebody has just had it authorised: that is kept.
    assert_eq!(held.sweep().await, json!({ "expired": 0, "paid": 1, "left": 0 }));
    assert_eq!(held.shown().await["payment_status"], "authorised");
    assert_eq!(held.compared().await, (0, 0));
    held.at_stripe("release").await;
    assert_eq!(held.compared().await, (1, 0));
    assert_eq!(held.shown().await["payment_status"], "pending");
    assert_eq!(held.compared().await, (0, 0));
    held.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_is_authorised_for_an_order_that_was_given_up_is_let_go_of() {
    let held = Held::open().await;
    // A page that the order has never heard of, as when a function was killed.
    let manual = ("payment_intent_data[capture_method]", "manual");
    let page = held.shop.page_at_stripe(&held.order, 1350, &[manual]).await;
    assert_eq!(held.buyer.post(&format!("/v1/orders/{}/cancel", held.order), json!({})).await.status, 200);
    let paid = held.shop.stripe(&format!("sessions/{page}/pay"), json!({})).await;
    assert_eq!(paid.status, 200, "{}", paid.body);
    let released = async || (held.moved().await == [HELD, RELEASED]).then_some(());
    eventually("the bank that lets go of it", released).await;
    assert_eq!(held.happened().await.last().unwrap(), "order.cancelled");
    held.shop.stop().await;
}
