//! Stripe's events come twice and in any order: whichever it is of the 120 of five events, and however they are doubled,
//! the order, its refunds and the stock end the same, and as they should.

mod goods;
mod street;

use payments::Capture;
use waybill_domain::order::refund::{Cause, RefundStatus};
use waybill_domain::order::{Command, FulfilmentStatus, PaymentSession, PaymentStatus};

use goods::{TOTAL, UNITS};
use street::{Ending, Refunded, Street, by};

/// Five events of one order, which already was what the commands before have made of it.
struct Story {
    before: Vec<Command>,
    events: [Event; 5],
    ends: Ending,
}

/// As it came from the stand-in.
type Event = serde_json::Value;

/// How each event comes twice.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Twice {
    AtOnce,
    /// After all the others have come.
    Afterwards,
}

async fn ends_the_same_in_any_order(street: &Street, story: &Story) {
    let (mut endings, mut ways) = (0, Vec::new());
    for twice in [Twice::AtOnce, Twice::Afterwards] {
        // Orders that begin the same share what has come so far.
        let (mut shops, mut come) = (vec![street.first_shop(&story.before).await], Vec::new());
        for order in permutations() {
            let shared = order.iter().zip(&come).take_while(|(one, other)| one == other).count();
            shops.truncate(shared + 1);
            for event in &order[shared..] {
                let shop = street.shop_like(&shops[shops.len() - 1]);
                for _ in 0..if twice == Twice::AtOnce { 2 } else { 1 } {
                    shop.deliver(&story.events[*event]).await;
                }
                shops.push(shop);
            }
            come = order.to_vec();
            let shop = &shops[shops.len() - 1];
            if twice == Twice::Afterwards {
                for event in order {
                    shop.deliver(&story.events[event]).await;
                }
            }
            // The queues bring what the timeline says, and so the same of the same.
            let way = shop.way().await;
            if !ways.contains(&way) {
                shop.bring_messages().await;
                let told = order.map(|event| story.events[event]["type"].as_str());
                assert_eq!(shop.ending().await, story.ends, "after {told:?}, twice {twice:?}");
                ways.push(way);
            }
            endings += 1;
        }
    }
    println!("{endings} times the same ending, {} ways there", ways.len());
    assert_eq!(endings, 2 * 120);
}

fn permutations() -> impl Iterator<Item = [usize; 5]> {
    let digits = |number: usize| [625, 125, 25, 5, 1].map(|place| number / place % 5);
    (0..5_usize.pow(5)).map(digits).filter(|digits| (0..5).all(|event| digits.contains(&event)))
}

/// The same session, while the money is on its way.
fn unpaid(event: &Event) -> Event {
    let mut event = event.clone();
    event["data"]["object"]["payment_status"] = "unpaid".into();
    event
}

/// What Stripe tells of a session once it is known what became of the money.
fn later(event: &Event, kind: &str) -> Event {
    let mut event = event.clone();
    event["id"] = format!("{}_{kind}", event["id"].as_str().unwrap()).into();
    event["type"] = kind.into();
    event
}

const PAID_LATER: &str = "checkout.session.async_payment_succeeded";
const FAILED_LATER: &str = "checkout.session.async_payment_failed";

fn sold(payment: PaymentStatus, refunds: Vec<Refunded>) -> Ending {
    Ending { payment, fulfilment: FulfilmentStatus::Unfulfilled, refunds, stock: (UNITS - 1, 0, UNITS - 1) }
}

fn back(payment: PaymentStatus, refunds: Vec<Refunded>) -> Ending {
    Ending { payment, fulfilment: FulfilmentStatus::Cancelled, refunds, stock: (UNITS, 0, UNITS) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_payment_that_is_refunded_in_part_in_the_dashboard() {
    let street = Street::open().await;
    let page = street.page(1).await;
    street.stripe(&format!("sessions/{}/pay", page.id())).await;
    street.faults("slow_refunds").await;
    let refund = street.refund(&page, 100).await;
    street.stripe(&format!("sessions/{}/refunds/{refund}/succeed", page.id())).await;
    let told = street.told().await;
    let completed = by("checkout.session.completed", &told).remove(0);
    let story = Story {
        before: vec![start(1, &page)],
        events: [
            unpaid(&completed),
            later(&completed, PAID_LATER),
            by("refund.created", &told).remove(0),
            by("charge.refunded", &told).remove(0),
            by("refund.updated", &told).remove(1),
        ],
        ends: sold(PaymentStatus::PartiallyRefunded, vec![(Cause::AtStripe, 100, RefundStatus::Succeeded)]),
    };
    ends_the_same_in_any_order(&street, &story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_of_the_dashboard_that_the_bank_sends_back() {
    let street = Street::open().await;
    let page = street.page(1).await;
    street.stripe(&format!("sessions/{}/pay", page.id())).await;
    let refund = street.refund(&page, TOTAL).await;
    street.stripe(&format!("sessions/{}/refunds/{refund}/fail", page.id())).await;
    let told = street.told().await;
    let mut updated = by("refund.updated", &told);
    let story = Story {
        before: vec![start(1, &page)],
        events: [
            by("checkout.session.completed", &told).remove(0),
            by("refund.created", &told).remove(0),
            updated.remove(0),
            updated.remove(0),
            by("refund.failed", &told).remove(0),
        ],
        ends: sold(PaymentStatus::Paid, vec![(Cause::AtStripe, TOTAL, RefundStatus::Failed)]),
    };
    ends_the_same_in_any_order(&street, &story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_declined_and_then_taken_on_the_page_after_one_that_expired() {
    let street = Street::open().await;
    let first = street.page(1).await;
    street.stripe(&format!("sessions/{}/expire", first.id())).await;
    let second = street.page(2).await;
    street.stripe(&format!("sessions/{}/decline", second.id())).await;
    street.stripe(&format!("sessions/{}/pay", second.id())).await;
    let told = street.told().await;
    let story = Story {
        before: vec![start(1, &first), Command::ExpirePayment { session_id: first.id().to_owned() }, start(2, &second)],
        events: [
            "checkout.session.expired",
            "payment_intent.payment_failed",
            "payment_intent.succeeded",
            "charge.succeeded",
            "checkout.session.completed",
        ]
        .map(|kind| by(kind, &told).remove(0)),
        ends: sold(PaymentStatus::Paid, vec![]),
    };
    ends_the_same_in_any_order(&street, &story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_payment_that_fails_and_another_that_does_not() {
    let street = Street::open().await;
    let first = street.page(1).await;
    street.stripe(&format!("sessions/{}/decline", first.id())).await;
    street.stripe(&format!("sessions/{}/pay", first.id())).await;
    let failed = unpaid(&by("checkout.session.completed", &street.told().await).remove(0));
    let second = street.page(2).await;
    street.stripe(&format!("sessions/{}/pay", second.id())).await;
    let told = street.told().await;
    let completed = by("checkout.session.completed", &told).remove(1);
    let story = Story {
        // The second page was made once the first delivery of the failure had been heard.
        before: vec![start(1, &first), Command::ExpirePayment { session_id: first.id().to_owned() }, start(2, &second)],
        events: [
            failed.clone(),
            later(&failed, FAILED_LATER),
            by("payment_intent.payment_failed", &told).remove(0),
            unpaid(&completed),
            later(&completed, PAID_LATER),
        ],
        ends: sold(PaymentStatus::Paid, vec![]),
    };
    ends_the_same_in_any_order(&street, &story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_cancelled_and_refunded_before_the_event_of_its_payment_came() {
    let street = Street::open().await;
    let page = street.page(1).await;
    street.stripe(&format!("sessions/{}/pay", page.id())).await;
    let intent = street.intent(&page).await;
    street.faults("slow_refunds").await;
    // As giving up finds it at Stripe: paid.
    let paid = Command::Pay { intent: intent.clone(), amount: street.order.total };
    let before = vec![start(1, &page), paid, Command::Cancel { closed: None, reason: None }];
    let refund = street.refund_own(&before, &intent).await;
    street.stripe(&format!("sessions/{}/refunds/{refund}/succeed", page.id())).await;
    let told = street.told().await;
    let mut updated = by("refund.updated", &told);
    let story = Story {
        before,
        events: [
            by("checkout.session.completed", &told).remove(0),
            by("refund.created", &told).remove(0),
            by("charge.refunded", &told).remove(0),
            updated.remove(0),
            updated.remove(0),
        ],
        ends: back(PaymentStatus::Refunded, vec![(Cause::Cancelled, TOTAL, RefundStatus::Succeeded)]),
    };
    ends_the_same_in_any_order(&street, &story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_expired_was_paid_all_the_same_and_paid_back_in_the_dashboard() {
    let street = Street::open().await;
    let first = street.page(1).await;
    street.stripe(&format!("sessions/{}/expire", first.id())).await;
    // Made at Stripe, and broken off before the order heard of it.
    let second = street.page(2).await;
    street.stripe(&format!("sessions/{}/pay", second.id())).await;
    street.refund(&second, TOTAL).await;
    let told = street.told().await;
    let completed = by("checkout.session.completed", &told).remove(0);
    let story = Story {
        before: vec![
            start(1, &first),
            Command::ExpirePayment { session_id: first.id().to_owned() },
            Command::Expire { closed: None },
        ],
        events: [
            by("checkout.session.expired", &told).remove(0),
            unpaid(&completed),
            later(&completed, PAID_LATER),
            by("refund.updated", &told).remove(0),
            by("charge.refunded", &told).remove(0),
        ],
        // The shop's own refund finds nothing left to pay back.
        ends: back(
            PaymentStatus::Refunded,
            vec![(Cause::PaidLate, TOTAL, RefundStatus::Failed), (Cause::AtStripe, TOTAL, RefundStatus::Succeeded)],
        ),
    };
    ends_the_same_in_any_order(&street, &story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_the_buyers_bank_takes_back_in_part() {
    let street = Street::open().await;
    let page = street.page(1).await;
    street.stripe(&format!("sessions/{}/pay", page.id())).await;
    street.lose_dispute(&page, 100).await;
    let told = street.told().await;
    let story = Story {
        before: vec![start(1, &page)],
        events: [
            "checkout.session.completed",
            "charge.dispute.created",
            "charge.dispute.funds_withdrawn",
            "charge.dispute.updated",
            "charge.dispute.closed",
        ]
        .map(|kind| by(kind, &told).remove(0)),
        ends: sold(PaymentStatus::PartiallyRefunded, vec![]),
    };
    ends_the_same_in_any_order(&street, &story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_the_bank_holds_and_that_is_captured() {
    let street = Street::with(Capture::Manual).await;
    let page = street.page(1).await;
    street.stripe(&format!("sessions/{}/pay", page.id())).await;
    street.stripe(&format!("sessions/{}/capture", page.id())).await;
    let told = street.told().await;
    let story = Story {
        before: vec![start(1, &page)],
        events: [
            "payment_intent.amount_capturable_updated",
            "charge.succeeded",
            "checkout.session.completed",
            "payment_intent.succeeded",
            "charge.captured",
        ]
        .map(|kind| by(kind, &told).remove(0)),
        ends: sold(PaymentStatus::Paid, vec![]),
    };
    ends_the_same_in_any_order(&street, &story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_the_bank_lets_go_of_on_the_page_after_one_that_expired() {
    let street = Street::with(Capture::Manual).await;
    let first = street.page(1).await;
    street.stripe(&format!("sessions/{}/expire", first.id())).await;
    let second = street.page(2).await;
    street.stripe(&format!("sessions/{}/pay", second.id())).await;
    street.stripe(&format!("sessions/{}/release", second.id())).await;
    let told = street.told().await;
    let story = Story {
        before: vec![start(1, &first), Command::ExpirePayment { session_id: first.id().to_owned() }, start(2, &second)],
        events: [
            "checkout.session.expired",
            "payment_intent.amount_capturable_updated",
            "charge.succeeded",
            "checkout.session.completed",
            "payment_intent.canceled",
        ]
        .map(|kind| by(kind, &told).remove(0)),
        // It can be paid again, while there is time.
        ends: Ending {
            payment: PaymentStatus::Pending,
            fulfilment: FulfilmentStatus::Unfulfilled,
            refunds: vec![],
            stock: (UNITS, 1, UNITS - 1),
        },
    };
    ends_the_same_in_any_order(&street, &story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_was_authorised_for_an_order_that_had_been_given_up() {
    let street = Street::with(Capture::Manual).await;
    let first = street.page(1).await;
    street.stripe(&format!("sessions/{}/expire", first.id())).await;
    // Made at Stripe, and broken off before the order heard of it.
    let second = street.page(2).await;
    street.stripe(&format!("sessions/{}/pay", second.id())).await;
    // What the first shop to hear of it has Stripe do.
    street.stripe(&format!("sessions/{}/release", second.id())).await;
    let told = street.told().await;
    let story = Story {
        before: vec![
            start(1, &first),
            Command::ExpirePayment { session_id: first.id().to_owned() },
            Command::Expire { closed: None },
        ],
        events: [
            "checkout.session.expired",
            "payment_intent.amount_capturable_updated",
            "charge.succeeded",
            "checkout.session.completed",
            "payment_intent.canceled",
        ]
        .map(|kind| by(kind, &told).remove(0)),
        ends: back(PaymentStatus::Expired, vec![]),
    };
    ends_the_same_in_any_order(&street, &story).await;
}

fn start(attempt: u32, page: &PaymentSession) -> Command {
    Command::StartPayment { attempt, session: page.clone() }
}
