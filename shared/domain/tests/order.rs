//! The life of an order: the whole matrix of state and command, and what holds along every path through it.

use proptest::prelude::*;
use uuid::Uuid;
use waybill_domain::Timestamp;
use waybill_domain::cart::{PricedLine, Quote};
use waybill_domain::id::{AccountId, CartId, OrderId, ProductId};
use waybill_domain::message::{Actor, Message, RefundMessage};
use waybill_domain::money::Money;
use waybill_domain::order::refund::{self, Cause, Outcome, Refused, Request, Units, UnitsRefused, Wanted};
use waybill_domain::order::{
    self, Command, MAX_ENTRIES, MAX_REFUNDS, Order, PaymentSession, PaymentStatus, RefundStatus, Refusal,
};
use waybill_domain::totals::{Discounts, Shipping, Tax, Totals};

fn usd(amount: i64) -> Money {
    Money::new(amount, "USD".parse().unwrap())
}

fn line() -> PricedLine {
    PricedLine {
        sku: "TEA".parse().unwrap(),
        product_id: ProductId::new(Uuid::nil()),
        title: "Tea".parse().unwrap(),
        quantity: 2.try_into().unwrap(),
        unit_price: usd(450),
        total: usd(900),
    }
}

fn placed() -> Order {
    place(quote(line()))
}

/// A quote of one line, at what the line comes to.
fn quote(line: PricedLine) -> Quote {
    let totals = Totals {
        lines: Vec::new(),
        subtotal: line.total,
        discounts: Discounts { amount: usd(0), applied: Vec::new(), outdone: Vec::new(), refused: Vec::new() },
        shipping: Shipping::DestinationUnknown,
        tax: Tax::DestinationUnknown,
        total: line.total,
    };
    Quote {
        buyer: AccountId::new(Uuid::nil()),
        cart_id: CartId::new(Uuid::nil()),
        cart_version: 3,
        lines: vec![line],
        totals,
        destination: None,
        uses: Vec::new(),
        expires_at: Timestamp::UNIX_EPOCH,
    }
}

fn place(quote: Quote) -> Order {
    let address = order::Address {
        name: "Ann".parse().unwrap(),
        line1: "1 Main St".parse().unwrap(),
        line2: None,
        city: "Springfield".parse().unwrap(),
        region: None,
        postal_code: "12345".parse().unwrap(),
        country: "US".parse().unwrap(),
    };
    order::place(OrderId::new(Uuid::nil()), quote, "ann@example.com".parse().unwrap(), address, Timestamp::UNIX_EPOCH)
}

fn session(id: &str) -> PaymentSession {
    PaymentSession { id: id.into(), url: format!("https://pay.example/{id}"), expires_at: Timestamp::UNIX_EPOCH }
}

fn commands() -> Vec<(&'static str, Command)> {
    vec![
        ("start payment", Command::StartPayment { attempt: 1, session: session("cs_1") }),
        ("decline payment", Command::DeclinePayment),
        ("expire payment", Command::ExpirePayment { session_id: "cs_1".into() }),
        ("pay", Command::Pay { intent: "pi_1".into(), amount: usd(900) }),
        ("pay by another", Command::Pay { intent: "pi_2".into(), amount: usd(900) }),
        ("pay too little", Command::Pay { intent: "pi_1".into(), amount: usd(899) }),
        ("process", Command::Process),
        ("ship", Command::Ship { carrier: "UPS".parse().unwrap(), tracking_number: "1Z".parse().unwrap() }),
        ("deliver", Command::Deliver),
        ("cancel", cancel(None)),
        ("cancel, closed", cancel(Some("cs_1".into()))),
        ("expire", Command::Expire { closed_page: None }),
        ("expire, closed", Command::Expire { closed_page: Some("cs_1".into()) }),
        ("refund 400", refund("key", 400)),
        ("refund 600", refund("other", 600)),
        ("refund was made", settle(1, Outcome::Succeeded { stripe: "re_1".into() })),
        ("refund failed", settle(1, Outcome::Failed { stripe: Some("re_1".into()) })),
        ("refund at Stripe", note(100, Outcome::Succeeded { stripe: "re_2".into() })),
    ]
}

fn cancel(closed_page: Option<String>) -> Command {
    Command::Cancel { closed_page, reason: None }
}

fn refund(key: &str, amount: i64) -> Command {
    let request = Request { key: key.into(), fingerprint: amount.to_string() };
    Command::Refund(refund::Command::Request { wanted: Wanted::Amount(usd(amount)), reason: None, request })
}

fn units(key: &str, sku: &str, quantity: i64) -> Command {
    let units = vec![Units { sku: sku.parse().unwrap(), quantity: quantity.try_into().unwrap() }];
    let request = Request { key: key.into(), fingerprint: "units".into() };
    Command::Refund(refund::Command::Request { wanted: Wanted::Units(units), reason: None, request })
}

fn settle(number: u32, outcome: Outcome) -> Command {
    Command::Refund(refund::Command::Settle { number, outcome })
}

fn note(amount: i64, outcome: Outcome) -> Command {
    Command::Refund(refund::Command::Note { intent: "pi_1".into(), amount: usd(amount), outcome })
}

fn decide(order: &Order, command: Command) -> Result<Order, Refusal> {
    order.decide(command, Actor::Stripe, Timestamp::UNIX_EPOCH)
}

fn after(names: &[&str]) -> Order {
    names.iter().fold(placed(), |order, name| {
        let (_, command) = commands().into_iter().find(|(known, _)| known == name).unwrap();
        decide(&order, command).unwrap()
    })
}

#[test]
fn the_matrix_of_state_and_command_is_as_reviewed() {
    let paid = ["start payment", "pay"];
    let states = [
        ("pending", after(&[])),
        ("pending, page open", after(&["start payment"])),
        ("paid", after(&paid)),
        ("processing", after(&["start payment", "pay", "process"])),
        ("shipped", after(&["start payment", "pay", "process", "ship"])),
        ("delivered", after(&["start payment", "pay", "process", "ship", "deliver"])),
        ("cancelled", after(&["cancel"])),
        ("expired", after(&["start payment", "expire, closed"])),
        ("cancelled, paid", after(&["pay", "cancel"])),
        ("expired, paid late", after(&["expire", "pay"])),
    ];
    let mut matrix = String::new();
    for (state, order) in &states {
        for (name, command) in commands() {
            let outcome = match decide(order, command) {
                Ok(next) => {
                    let (status, event) = (next.state.status().as_str(), &next.timeline.last().unwrap().event);
                    format!("-> {status}, {:?} ({})", next.payment_status(), event.name())
                }
                Err(refusal) => format!("refused: {refusal}"),
            };
            matrix += &format!("{state:<20}{name:<18}{outcome}\n");
        }
        matrix.push('\n');
    }
    insta::assert_snapshot!(matrix);
}

#[test]
fn an_order_with_nothing_to_pay_is_paid_as_it_is_placed() {
    let mut free = quote(line());
    free.totals.total = usd(0);
    let order = place(free);
    let happened: Vec<_> = order.timeline.iter().map(|entry| entry.event.name()).collect();
    assert_eq!((order.payment_status(), happened), (PaymentStatus::Paid, vec!["order.placed", "order.paid"]));
    // It is announced once, as paid.
    assert_eq!(Message::latest(&order).unwrap().id, format!("{}/2", order.id));
    // Nobody can pay for it, and it is packed and sent as any other.
    let pay = Command::Pay { intent: "pi_1".into(), amount: usd(0) };
    assert!(matches!(decide(&order, pay), Err(Refusal::Forbidden { .. })));
    assert!(decide(&order, Command::StartPayment { attempt: 1, session: session("cs_1") }).is_err());
    assert!(decide(&order, Command::Process).is_ok());
    let text = serde_json::to_string(&order).unwrap();
    assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), order);
}

#[test]
fn an_order_from_before_totals_were_kept_is_read() {
    let paid = after(&["start payment", "pay"]);
    let mut old = serde_json::to_value(&paid).unwrap();
    old.as_object_mut().unwrap().remove("totals");
    let read: Order = serde_json::from_value(old).unwrap();
    assert_eq!(Message::latest(&read).unwrap().order.totals, None);
    assert_eq!(read, Order { totals: None, ..paid });
}

#[test]
fn a_closed_page_makes_way_for_the_next_attempt_only() {
    let open = after(&["start payment"]);
    assert_eq!(decide(&open, Command::ExpirePayment { session_id: "cs_other".into() }), Err(Refusal::Done));
    let closed = decide(&open, Command::ExpirePayment { session_id: "cs_1".into() }).unwrap();
    assert_eq!(decide(&closed, Command::StartPayment { attempt: 1, session: session("cs_1") }), Err(Refusal::Done));
    assert!(decide(&closed, Command::StartPayment { attempt: 2, session: session("cs_2") }).is_ok());
}

#[test]
fn no_order_is_given_up_while_somebody_may_pay_on_its_page() {
    let open = after(&["start payment"]);
    for closed_page in [None, Some("cs_other".to_owned())] {
        assert_eq!(decide(&open, cancel(closed_page.clone())), Err(Refusal::PageOpen));
        assert_eq!(decide(&open, Command::Expire { closed_page }), Err(Refusal::PageOpen));
    }
    let next = decide(
        &after(&["start payment", "expire payment"]),
        Command::StartPayment { attempt: 2, session: session("cs_2") },
    );
    let closed_page = Some("cs_1".to_owned());
    assert_eq!(decide(&next.unwrap(), Command::Expire { closed_page }), Err(Refusal::PageOpen), "another page is open");
}

#[test]
fn a_full_timeline_takes_no_more_tries_but_always_the_payment() {
    let mut order = placed();
    while order.timeline.len() < MAX_ENTRIES {
        order = decide(&order, Command::DeclinePayment).unwrap();
    }
    assert_eq!(decide(&order, Command::DeclinePayment), Err(Refusal::Done));
    let start = Command::StartPayment { attempt: 1, session: session("cs_1") };
    assert_eq!(decide(&order, start), Err(Refusal::TimelineFull));
    assert!(decide(&order, Command::Pay { intent: "pi_1".into(), amount: usd(900) }).is_ok());
}

#[test]
fn a_buyer_is_forgotten_once_nothing_is_due_to_them_and_the_money_stays() {
    let forget = |names: &[&str]| after(names).forget_buyer(Timestamp::UNIX_EPOCH);
    let held = [&[][..], &["start payment"], &["start payment", "expire payment"]];
    let paid = [&["start payment", "pay"][..], &["pay", "process"], &["pay", "process", "ship"]];
    for due in held.into_iter().chain(paid) {
        assert_eq!(forget(due), None, "{due:?}");
    }
    let going_back = [&["pay", "cancel"][..], &["expire", "pay"], &["pay", "process", "ship", "deliver", "refund 400"]];
    for due in going_back {
        assert_eq!(forget(due), None, "{due:?}");
        assert!(forget(&[due, &["refund was made"]].concat()).is_some(), "{due:?}");
    }
    for over in [&["cancel"][..], &["expire"], &["pay", "process", "ship", "deliver"]] {
        let (before, forgotten) = (after(over), forget(over).unwrap());
        assert_eq!((forgotten.total, &forgotten.lines, &forgotten.state), (before.total, &before.lines, &before.state));
        assert_eq!(forgotten.version(), before.version() + 1);
        assert_eq!(Message::latest(&forgotten), None);
        let text = serde_json::to_string(&forgotten).unwrap();
        assert!(!text.contains("ann@") && !text.contains("Ann") && !text.contains("Main St"), "{text}");
        assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), forgotten);
    }
}

/// Numbers, amounts in cents and states of an order's refunds.
fn refunds(order: &Order) -> Vec<(u32, i64, RefundStatus)> {
    let refunds = order.state.payment().into_iter().flat_map(|payment| &payment.refunds);
    refunds.map(|refund| (refund.number, refund.amount.amount, refund.state.status())).collect()
}

#[test]
fn no_more_is_paid_back_than_was_paid_and_what_failed_can_be_paid_back_again() {
    use RefundStatus::{Failed, Requested, Succeeded};
    let order = decide(&after(&["pay"]), refund("one", 400)).unwrap();
    let too_much = Refusal::Refund(Refused::TooMuch { left: usd(500) });
    assert_eq!(decide(&order, refund("two", 501)), Err(too_much.clone()));
    for amount in [0, -1] {
        assert_eq!(decide(&order, refund("two", amount)), Err(too_much.clone()));
    }
    let order = decide(&order, refund("two", 500)).unwrap();
    assert_eq!(refunds(&order), [(1, 400, Requested), (2, 500, Requested)]);
    assert_eq!(order.payment_status(), PaymentStatus::Paid, "nothing has gone back yet");
    let order = decide(&order, settle(2, Outcome::Succeeded { stripe: "re_2".into() })).unwrap();
    assert_eq!(order.payment_status(), PaymentStatus::PartiallyRefunded);
    let order = decide(&order, settle(1, Outcome::Failed { stripe: Some("re_1".into()) })).unwrap();
    assert_eq!(decide(&order, refund("three", 401)), Err(Refusal::Refund(Refused::TooMuch { left: usd(400) })));
    let order = decide(&order, refund("three", 400)).unwrap();
    let order = decide(&order, settle(3, Outcome::Succeeded { stripe: "re_3".into() })).unwrap();
    assert_eq!(order.payment_status(), PaymentStatus::Refunded);
    assert_eq!(refunds(&order), [(1, 400, Failed), (2, 500, Succeeded), (3, 400, Succeeded)]);
    let text = serde_json::to_string(&order).unwrap();
    assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), order);
}

#[test]
fn a_refund_is_asked_for_once_by_each_key() {
    let mut order = decide(&after(&["pay"]), refund("key", 400)).unwrap();
    assert_eq!(decide(&order, refund("key", 400)), Err(Refusal::Done));
    while order.timeline.len() < MAX_ENTRIES {
        order.timeline.push(order.timeline[0].clone());
    }
    assert_eq!(decide(&order, refund("key", 400)), Err(Refusal::Done), "however much has happened since");
    assert!(decide(&order, refund("more", 1)).is_ok());
    assert_eq!(decide(&order, refund("key", 401)), Err(Refusal::Refund(Refused::KeyUsed)));
    let mut order = after(&["pay"]);
    for number in 0..MAX_REFUNDS {
        order = decide(&order, refund(&number.to_string(), 1)).unwrap();
    }
    assert_eq!(decide(&order, refund("one more", 1)), Err(Refusal::Refund(Refused::TooMany)));
    assert_eq!(decide(&order, refund("0", 1)), Err(Refusal::Done));
    assert!(decide(&order, note(1, Outcome::Succeeded { stripe: "re_9".into() })).is_ok(), "what was done is taken");
}

#[test]
fn units_are_paid_back_to_the_cent_however_they_are_split() {
    let mut line = line();
    line.quantity = 3.try_into().unwrap();
    let mut quote = quote(PricedLine { total: usd(1_000), ..line });
    quote.totals.total = usd(1_000);
    let order = decide(&place(quote), Command::Pay { intent: "pi_1".into(), amount: usd(1_000) }).unwrap();
    let mut split = order.clone();
    for key in ["a", "b", "c"] {
        split = decide(&split, units(key, "TEA", 1)).unwrap();
    }
    let amounts: Vec<_> = refunds(&split).into_iter().map(|(_, amount, _)| amount).collect();
    assert_eq!(amounts, [333, 333, 334]);
    let none_left = UnitsRefused::TooMany { sku: "TEA".parse().unwrap(), left: 0 };
    assert_eq!(decide(&split, units("d", "TEA", 1)), Err(Refusal::Refund(Refused::Units(none_left))));
    let two_left = UnitsRefused::TooMany { sku: "TEA".parse().unwrap(), left: 2 };
    let one = decide(&order, units("a", "TEA", 1)).unwrap();
    assert_eq!(decide(&one, units("b", "TEA", 3)), Err(Refusal::Refund(Refused::Units(two_left))));
    assert_eq!(refunds(&decide(&one, units("b", "TEA", 2)).unwrap())[1].1, 667);
    // Whichever of them fails, the next comes to what is left.
    let failed = decide(&split, settle(1, Outcome::Failed { stripe: None })).unwrap();
    assert_eq!(refunds(&decide(&failed, units("d", "TEA", 1)).unwrap())[3].1, 333);
    let unknown = UnitsRefused::NotOrdered("CUP".parse().unwrap());
    assert_eq!(decide(&order, units("a", "CUP", 1)), Err(Refusal::Refund(Refused::Units(unknown))));
}

#[test]
fn whatever_the_order_of_stripes_events_a_refund_ends_as_the_last_of_them_says() {
    let made = || Outcome::Succeeded { stripe: "re_1".into() };
    let failed = || Outcome::Failed { stripe: Some("re_1".into()) };
    let asked = decide(&after(&["pay"]), refund("key", 400)).unwrap();
    for events in [[settle(1, made()), settle(1, failed())], [settle(1, failed()), settle(1, made())]] {
        let end = events.into_iter().fold(asked.clone(), |order, event| decide(&order, event).unwrap_or(order));
        assert_eq!(refunds(&end), [(1, 400, RefundStatus::Failed)]);
    }
    let elsewhere = after(&["pay"]);
    for events in [[note(400, made()), note(400, failed())], [note(400, failed()), note(400, made())]] {
        let end = events.into_iter().fold(elsewhere.clone(), |order, event| decide(&order, event).unwrap_or(order));
        assert_eq!(refunds(&end), [(1, 400, RefundStatus::Failed)]);
    }
    // What Stripe refused to begin, but had begun.
    let refused = decide(&asked, settle(1, Outcome::Failed { stripe: None })).unwrap();
    assert_eq!(refunds(&decide(&refused, settle(1, made())).unwrap()), [(1, 400, RefundStatus::Succeeded)]);
    assert_eq!(decide(&asked, settle(2, made())), Err(Refusal::Refund(Refused::Unknown)));
}

#[test]
fn a_refund_of_another_payment_is_not_the_orders() {
    let other = refund::Command::Note {
        intent: "pi_2".into(),
        amount: usd(900),
        outcome: Outcome::Succeeded { stripe: "re_1".into() },
    };
    assert_eq!(decide(&after(&["pay"]), Command::Refund(other)), Err(Refusal::Refund(Refused::OtherPayment)));
}

#[test]
fn whoever_is_owed_a_refund_that_failed_is_not_forgotten() {
    let failed = decide(&after(&["pay", "cancel"]), settle(1, Outcome::Failed { stripe: None })).unwrap();
    assert_eq!(failed.forget_buyer(Timestamp::UNIX_EPOCH), None);
    let again = decide(&failed, refund("key", 900)).unwrap();
    let made = decide(&again, settle(2, Outcome::Succeeded { stripe: "re_2".into() })).unwrap();
    assert!(made.forget_buyer(Timestamp::UNIX_EPOCH).is_some());
}

#[test]
fn what_is_paid_for_an_order_that_was_given_up_goes_back_and_all_that_is_left_of_one_that_is_cancelled() {
    for given_up in ["cancel", "expire"] {
        let late = after(&[given_up, "pay"]);
        assert_eq!(refunds(&late), [(1, 900, RefundStatus::Requested)], "{given_up}");
        assert_eq!(
            late.refunds_due().map(|(intent, refund)| (intent, refund.number)).collect::<Vec<_>>(),
            [("pi_1", 1)]
        );
        assert!(RefundMessage::latest(&late).is_some());
    }
    let cancelled = after(&["pay", "refund 400", "process", "cancel"]);
    assert_eq!(refunds(&cancelled), [(1, 400, RefundStatus::Requested), (2, 500, RefundStatus::Requested)]);
    let mut free = quote(line());
    free.totals.total = usd(0);
    let free = decide(&place(free), cancel(None)).unwrap();
    assert_eq!((refunds(&free), RefundMessage::latest(&free)), (Vec::new(), None));
}

#[test]
fn a_message_survives_the_queue() {
    let message = Message::latest(&after(&["start payment", "pay", "process", "ship"])).unwrap();
    assert_eq!(message.id, "ord_00000000000000000000000000/5");
    let text = serde_json::to_string(&message).unwrap();
    assert!(text.contains("order.shipped.v1"), "{text}");
    assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
}

proptest! {
    #[test]
    fn whatever_is_commanded_money_is_taken_once_and_nothing_ships_unpaid(path in proptest::collection::vec(0..commands().len(), 0..40)) {
        let mut order = placed();
        let mut payments = 0;
        for step in path {
            let (name, command) = commands().swap_remove(step);
            let Ok(next) = decide(&order, command) else { continue };
            prop_assert_eq!(next.version(), order.version() + 1);
            prop_assert_eq!(&next.lines, &order.lines);
            prop_assert_eq!(next.total, order.total);
            payments += usize::from(name.starts_with("pay"));
            use order::FulfilmentStatus::{Cancelled, Unfulfilled};
            let untouched = matches!(next.state.fulfilment_status(), Unfulfilled | Cancelled);
            prop_assert!(untouched || next.state.payment().is_some());
            order = next;
        }
        prop_assert_eq!(payments, usize::from(order.state.payment().is_some()));
        let Some(payment) = order.state.payment() else { return Ok(()) };
        let ours = payment.refunds.iter().filter(|refund| refund.cause != Cause::AtStripe);
        let going_back: i64 =
            ours.filter(|refund| refund.state.status() != RefundStatus::Failed).map(|refund| refund.amount.amount).sum();
        prop_assert!(going_back <= order.total.amount, "{going_back} of {} goes back", order.total);
        let given_up = order.state.status().is_given_up();
        prop_assert!(!given_up || going_back > 0 || payment.refunds.iter().any(|refund| !refund.is_due()), "it is kept");
    }
}
