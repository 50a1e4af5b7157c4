//! The life of an order: the whole matrix of state and command, and what holds along every path through it.

use proptest::prelude::*;
use uuid::Uuid;
use waybill_domain::Timestamp;
use waybill_domain::cart::{PricedLine, Quote, QuotedDraft};
use waybill_domain::id::{AccountId, CartId, DraftId, OrderId, ProductId, ShippingMethodId};
use waybill_domain::message::{Actor, Event, Message, RefundMessage};
use waybill_domain::money::Money;
use waybill_domain::order::dispute::{self, MAX_DISPUTES, Told};
use waybill_domain::order::refund::{self, Cause, Outcome, Refused, Request, Wanted};
use waybill_domain::order::returns::{self, Condition, ReceivedLine, ReturnState};
use waybill_domain::order::{
    self, Command, Dispute, DisputeStatus, FulfilmentStatus, MAX_ADDRESS_CHANGES, MAX_ENTRIES, MAX_REFUNDS,
    MAX_RETURNS, MAX_SHIPMENTS, Order, Parcel, PaymentSession, PaymentStatus, RefundStatus, Refusal, Return, Status,
    Units, UnitsRefused, shipping,
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
        contact: None,
        draft: None,
        lines: vec![line],
        totals,
        destination: None,
        uses: Vec::new(),
        buckets: Default::default(),
        expires_at: Timestamp::UNIX_EPOCH,
    }
}

fn place(quote: Quote) -> Order {
    let (id, email) = (OrderId::new(Uuid::nil()), "ann@example.com".parse().unwrap());
    order::place(id, quote, email, address("1 Main St"), Actor::Customer, Timestamp::UNIX_EPOCH)
}

fn address(line1: &str) -> order::Address {
    order::Address {
        name: "Ann".parse().unwrap(),
        line1: line1.parse().unwrap(),
        line2: None,
        city: "Springfield".parse().unwrap(),
        region: None,
        postal_code: "12345".parse().unwrap(),
        country: "US".parse().unwrap(),
    }
}

fn session(id: &str) -> PaymentSession {
    PaymentSession::Page { id: id.into(), url: format!("https://pay.example/{id}"), expires_at: Timestamp::UNIX_EPOCH }
}

fn commands() -> Vec<(&'static str, Command)> {
    vec![
        ("start payment", Command::StartPayment { attempt: 1, session: session("cs_1") }),
        ("decline payment", Command::DeclinePayment),
        ("expire payment", Command::ExpirePayment { session_id: "cs_1".into() }),
        ("authorise", Command::Authorise { intent: "pi_1".into(), amount: usd(900) }),
        ("authorise another", Command::Authorise { intent: "pi_2".into(), amount: usd(900) }),
        ("authorise less", Command::Authorise { intent: "pi_1".into(), amount: usd(899) }),
        ("release", Command::Release { intent: "pi_1".into() }),
        ("pay", Command::Pay { intent: "pi_1".into(), amount: usd(900) }),
        ("pay by another", Command::Pay { intent: "pi_2".into(), amount: usd(900) }),
        ("pay too little", Command::Pay { intent: "pi_1".into(), amount: usd(899) }),
        ("process", Command::Process),
        ("ship one", ship("1Y", Some(1))),
        ("ship", ship("1Z", None)),
        ("deliver", Command::Deliver { shipment: None }),
        ("deliver the first", Command::Deliver { shipment: Some(1) }),
        ("change the address", Command::ChangeAddress(address("2 Side St").into())),
        ("return one", give_back("key", 1)),
        ("approve return", Command::Return(returns::Command::Approve { number: 1 })),
        ("refuse return", Command::Return(returns::Command::Refuse { number: 1, reason: "Worn".parse().unwrap() })),
        ("receive return", receive(1)),
        ("cancel", cancel(None)),
        ("cancel, closed", cancel(Some("cs_1".into()))),
        ("cancel, released", cancel(Some("pi_1".into()))),
        ("cancel the rest", cancel_rest()),
        ("expire", Command::Expire { closed: None }),
        ("expire, closed", Command::Expire { closed: Some("cs_1".into()) }),
        ("refund 400", refund("key", 400)),
        ("refund 600", refund("other", 600)),
        ("refund was made", settle(1, Outcome::Succeeded { stripe: "re_1".into() })),
        ("refund failed", settle(1, Outcome::Failed { stripe: Some("re_1".into()) })),
        ("refund at Stripe", note(100, Outcome::Succeeded { stripe: "re_2".into() })),
        ("dispute opened", dispute("du_1", 900, DisputeStatus::NeedsResponse)),
        ("dispute won", dispute("du_1", 900, DisputeStatus::Won)),
        ("dispute lost", dispute("du_1", 900, DisputeStatus::Lost)),
    ]
}

fn ship(tracking_number: &str, units: Option<i64>) -> Command {
    let units = units.map(tea);
    Command::Ship(Parcel { carrier: "UPS".parse().unwrap(), tracking_number: tracking_number.parse().unwrap(), units })
}

fn tea(units: i64) -> Vec<Units> {
    vec![Units { sku: "TEA".parse().unwrap(), quantity: units.try_into().unwrap() }]
}

fn give_back(key: &str, units: i64) -> Command {
    let request = Request { key: key.into(), fingerprint: units.to_string() };
    Command::Return(returns::Command::Request { lines: tea(units), reason: "Too small".parse().unwrap(), request })
}

fn receive(units: i64) -> Command {
    let line = ReceivedLine {
        sku: "TEA".parse().unwrap(),
        quantity: units.try_into().unwrap(),
        condition: Condition::AsNew,
        restocked: true,
    };
    Command::Return(returns::Command::Receive { number: 1, lines: vec![line], at: None })
}

fn cancel(closed: Option<String>) -> Command {
    Command::Cancel { closed, reason: None }
}

fn cancel_rest() -> Command {
    Command::CancelRest { reason: "Sold out".parse().unwrap() }
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

fn dispute(stripe: &str, amount: i64, status: DisputeStatus) -> Command {
    let dispute = Dispute {
        stripe: stripe.into(),
        amount: usd(amount),
        reason: "product_not_received".parse().unwrap(),
        status,
        opened_at: Timestamp::UNIX_EPOCH,
        due_by: None,
    };
    Command::NoteDispute(Told { intent: "pi_1".into(), dispute }.into())
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
        ("authorised", after(&["start payment", "authorise"])),
        ("paid", after(&paid)),
        ("processing", after(&["start payment", "pay", "process"])),
        ("partially shipped", after(&["start payment", "pay", "process", "ship one"])),
        ("shipped", after(&["start payment", "pay", "process", "ship"])),
        ("delivered", after(&["start payment", "pay", "process", "ship", "deliver"])),
        ("return asked", after(&["start payment", "pay", "process", "ship", "return one"])),
        ("return approved", after(&["start payment", "pay", "process", "ship", "return one", "approve return"])),
        ("returned in part", after(&["start payment", "pay", "process", "ship", "return one", "receive return"])),
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
            matrix += &format!("{state:<20}{name:<20}{outcome}\n");
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
fn a_payment_has_failed_from_a_declined_try_until_another_is_made() {
    let steps = ["start payment", "decline payment", "change the address", "expire payment", "pay"];
    let statuses = (0..=steps.len()).map(|done| after(&steps[..done]).payment_status());
    use PaymentStatus::{Failed, Paid, Pending};
    assert_eq!(statuses.collect::<Vec<_>>(), [Pending, Pending, Failed, Failed, Pending, Paid]);
    assert_eq!(after(&["start payment", "decline payment", "pay"]).payment_status(), Paid);
    assert_eq!(after(&["start payment", "decline payment", "expire, closed"]).payment_status(), PaymentStatus::Expired);
}

#[test]
fn what_a_bank_holds_is_captured_once_or_let_go_of_and_then_paid_again() {
    let held = after(&["start payment", "authorise"]);
    assert_eq!((held.payment_status(), held.state.payment()), (PaymentStatus::Authorised, None));
    assert_eq!(RefundMessage::latest(&held), None);
    // Nobody packs it, and its time does not run out.
    assert!(matches!(decide(&held, Command::Process), Err(Refusal::Forbidden { .. })));
    assert_eq!(decide(&held, Command::Expire { closed: None }), Err(Refusal::Done));
    let captured = decide(&held, Command::Pay { intent: "pi_1".into(), amount: usd(900) }).unwrap();
    assert_eq!(captured.payment_status(), PaymentStatus::Paid);
    // What was let go of before it was captured, or after, is old news.
    assert_eq!(decide(&captured, Command::Release { intent: "pi_1".into() }), Err(Refusal::Done));
    assert_eq!(decide(&held, Command::Release { intent: "pi_2".into() }), Err(Refusal::Done));
    let released = decide(&held, Command::Release { intent: "pi_1".into() }).unwrap();
    assert_eq!(released.payment_status(), PaymentStatus::Pending);
    assert_eq!(decide(&released, Command::StartPayment { attempt: 1, session: session("cs_1") }), Err(Refusal::Done));
    assert!(decide(&released, Command::StartPayment { attempt: 2, session: session("cs_2") }).is_ok());
    assert!(decide(&released, Command::Expire { closed: None }).is_ok());
}

#[test]
fn no_order_is_given_up_while_the_bank_holds_its_money() {
    let held = after(&["start payment", "authorise"]);
    for closed in [None, Some("cs_1".to_owned()), Some("pi_2".to_owned())] {
        assert_eq!(decide(&held, cancel(closed)), Err(Refusal::HoldOpen));
    }
    let cancelled = decide(&held, cancel(Some("pi_1".into()))).unwrap();
    // Nothing was paid, so nothing goes back.
    assert_eq!(cancelled.timeline.last().unwrap().event, Event::Cancelled);
    for given_up in [cancelled, after(&["expire"])] {
        let late = Command::Authorise { intent: "pi_1".into(), amount: usd(900) };
        assert_eq!(decide(&given_up, late), Err(Refusal::ReleaseDue { intent: "pi_1".into() }));
    }
}

#[test]
fn no_order_is_given_up_while_somebody_may_pay_on_its_page() {
    let open = after(&["start payment"]);
    for closed in [None, Some("cs_other".to_owned())] {
        assert_eq!(decide(&open, cancel(closed.clone())), Err(Refusal::PageOpen));
        assert_eq!(decide(&open, Command::Expire { closed }), Err(Refusal::PageOpen));
    }
    let next = decide(
        &after(&["start payment", "expire payment"]),
        Command::StartPayment { attempt: 2, session: session("cs_2") },
    );
    let closed = Some("cs_1".to_owned());
    assert_eq!(decide(&next.unwrap(), Command::Expire { closed }), Err(Refusal::PageOpen), "another page is open");
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
fn an_order_is_sent_elsewhere_so_often_and_no_more() {
    let change = |number: usize| Command::ChangeAddress(address(&format!("{number} Side St")).into());
    let mut order = placed();
    for number in 0..MAX_ADDRESS_CHANGES {
        order = decide(&order, change(number)).unwrap();
    }
    assert_eq!(decide(&order, change(MAX_ADDRESS_CHANGES)), Err(Refusal::AddressesUsedUp));
    assert_eq!(decide(&order, change(MAX_ADDRESS_CHANGES - 1)), Err(Refusal::Done), "it goes there already");
    assert!(decide(&order, Command::Pay { intent: "pi_1".into(), amount: usd(900) }).is_ok());
}

#[test]
fn a_buyer_is_forgotten_once_nothing_is_due_to_them_and_the_money_stays() {
    let forget = |names: &[&str]| after(names).forget_buyer(Timestamp::UNIX_EPOCH);
    let held = [&[][..], &["start payment"], &["start payment", "expire payment"], &["start payment", "authorise"]];
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
fn whatever_the_order_of_stripes_events_a_dispute_ends_as_the_bank_decides() {
    use DisputeStatus::{Inquiry, Lost, NeedsResponse, UnderReview, Withdrawn, Won};
    let ends =
        [(Won, PaymentStatus::Paid, 900), (Lost, PaymentStatus::Refunded, 0), (Withdrawn, PaymentStatus::Paid, 900)];
    for (end, payment_status, left) in ends {
        // What the bank takes back the question of, it has not taken.
        let told = if end == Withdrawn {
            [Inquiry, Inquiry, end, end, end]
        } else {
            [Inquiry, NeedsResponse, UnderReview, end, end]
        };
        for turn in 0..told.len() {
            for is_reversed in [false, true] {
                let mut told = told;
                told.rotate_left(turn);
                if is_reversed {
                    told.reverse();
                }
                let noted = told.into_iter().fold(after(&["pay"]), |order, status| {
                    match decide(&order, dispute("du_1", 900, status)) {
                        Ok(next) => next,
                        Err(Refusal::Done) => order,
                        Err(refused) => panic!("{status:?}: {refused}"),
                    }
                });
                let payment = noted.state.payment().unwrap();
                assert_eq!((payment.disputes.len(), payment.disputes[0].status), (1, end), "{told:?}");
                assert_eq!(noted.payment_status(), payment_status, "{told:?}");
                assert_eq!(payment.refundable(noted.total), usd(left), "{told:?}");
                let last = noted.timeline.last().unwrap();
                assert_eq!(last.event, Event::DisputeClosed { amount: usd(900), status: end });
                assert!(RefundMessage::latest(&noted).is_none());
            }
        }
    }
}

#[test]
fn what_a_bank_has_taken_is_not_paid_back_as_well() {
    use DisputeStatus::{Inquiry, Lost, NeedsResponse, Withdrawn, Won};
    let paid = after(&["pay", "process", "ship", "deliver"]);
    // A bank that only asks has taken nothing: paying back is one way to answer it.
    let asked = decide(&paid, dispute("du_1", 500, Inquiry)).unwrap();
    assert_eq!(asked.payment_status(), PaymentStatus::Disputed);
    assert!(decide(&asked, refund("key", 900)).is_ok());
    let taken = decide(&asked, dispute("du_1", 500, NeedsResponse)).unwrap();
    assert_eq!(taken.payment_status(), PaymentStatus::Disputed);
    assert_eq!(decide(&taken, refund("key", 401)), Err(Refusal::Refund(Refused::TooMuch { left: usd(400) })));
    assert_eq!(taken.forget_buyer(Timestamp::UNIX_EPOCH), None, "the bank may ask who they are");
    let lost = decide(&taken, dispute("du_1", 500, Lost)).unwrap();
    assert_eq!(lost.payment_status(), PaymentStatus::PartiallyRefunded);
    assert!(lost.forget_buyer(Timestamp::UNIX_EPOCH).is_some());
    let rest = decide(&lost, refund("key", 400)).unwrap();
    let rest = decide(&rest, settle(1, Outcome::Succeeded { stripe: "re_1".into() })).unwrap();
    assert_eq!(rest.payment_status(), PaymentStatus::Refunded);
    // Cancelling pays back what the bank has left.
    let half = decide(&after(&["pay"]), dispute("du_1", 500, NeedsResponse)).unwrap();
    assert_eq!(refunds(&decide(&half, cancel(None)).unwrap()), [(1, 400, RefundStatus::Requested)]);

    // An inquiry that came to nothing may still become more.
    let withdrawn = decide(&asked, dispute("du_1", 500, Withdrawn)).unwrap();
    assert_eq!(withdrawn.payment_status(), PaymentStatus::Paid);
    let escalated = decide(&withdrawn, dispute("du_1", 500, NeedsResponse)).unwrap();
    assert_eq!(escalated.payment_status(), PaymentStatus::Disputed);
    // What the bank gives back of an order that was given up goes on to the buyer.
    let given_up = decide(&half, cancel(None)).unwrap();
    let won = decide(&given_up, dispute("du_1", 500, Won)).unwrap();
    assert_eq!(refunds(&won), [(1, 400, RefundStatus::Requested), (2, 500, RefundStatus::Requested)]);
    assert!(RefundMessage::latest(&won).is_some());
    assert_eq!(refunds(&decide(&given_up, dispute("du_1", 500, Lost)).unwrap()).len(), 1);
    let mut yen = dispute("du_1", 500, Lost);
    if let Command::NoteDispute(told) = &mut yen {
        told.dispute.amount = Money::new(500, "JPY".parse().unwrap());
    }
    assert_eq!(decide(&half, yen), Err(Refusal::Dispute(dispute::Refused::OtherCurrency)));

    assert_eq!(decide(&lost, dispute("du_1", 500, Won)), Err(Refusal::Dispute(dispute::Refused::EndedOtherwise)));
    let dispute_of_it = taken.state.payment().unwrap().disputes[0].clone();
    let other = Command::NoteDispute(Told { intent: "pi_2".into(), dispute: dispute_of_it }.into());
    assert_eq!(decide(&paid, other), Err(Refusal::Dispute(dispute::Refused::OtherPayment)));
    let mut many = paid;
    for number in 0..MAX_DISPUTES {
        many = decide(&many, dispute(&format!("du_{number}"), 1, NeedsResponse)).unwrap();
    }
    assert_eq!(decide(&many, dispute("du_more", 1, Lost)), Err(Refusal::Dispute(dispute::Refused::TooMany)));
    assert!(decide(&many, dispute("du_0", 1, Lost)).is_ok());
    let text = serde_json::to_string(&many).unwrap();
    assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), many);
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

/// Units that were handed to a carrier.
fn sent(order: &Order) -> u32 {
    order.state.shipments().iter().flat_map(|shipment| &shipment.lines).map(|line| line.quantity.get()).sum()
}

/// Units that are coming back or have come back.
fn sent_back(order: &Order) -> u32 {
    let units = |known: &Return| match &known.state {
        ReturnState::Requested | ReturnState::Approved { .. } => {
            known.lines.iter().map(|line| line.quantity.get()).sum::<u32>()
        }
        ReturnState::Refused { .. } => 0,
        ReturnState::Received { lines, .. } => lines.iter().map(|line| line.quantity.get()).sum(),
    };
    order.returns.iter().map(units).sum()
}

#[test]
fn an_order_in_two_parcels_is_shipped_with_the_last_and_has_arrived_with_both() {
    let first = after(&["pay", "process", "ship one"]);
    assert_eq!((first.state.status(), sent(&first)), (Status::PartiallyShipped, 1));
    assert_eq!(decide(&first, ship("1Y", Some(1))), Err(Refusal::Done));
    assert_eq!(decide(&first, ship("1Y", Some(2))), Err(Refusal::Shipping(shipping::Refused::NumberUsed)));
    let too_many = UnitsRefused::TooMany { sku: "TEA".parse().unwrap(), left: 1 };
    assert_eq!(decide(&first, ship("1Z", Some(2))), Err(Refusal::Shipping(too_many.into())));
    // Not before all of it is on its way.
    let arrived = decide(&first, Command::Deliver { shipment: Some(1) }).unwrap();
    assert_eq!(arrived.state.status(), Status::PartiallyShipped);
    assert!(decide(&first, Command::Deliver { shipment: None }).is_err());
    let both = decide(&arrived, ship("1Z", None)).unwrap();
    assert_eq!((both.state.status(), sent(&both)), (Status::Shipped, 2));
    assert_eq!(decide(&both, ship("1Z", None)), Err(Refusal::Done));
    assert_eq!(decide(&both, Command::Deliver { shipment: Some(1) }), Err(Refusal::Done));
    assert_eq!(
        decide(&both, Command::Deliver { shipment: Some(3) }),
        Err(Refusal::Shipping(shipping::Refused::Unknown))
    );
    let all = decide(&both, Command::Deliver { shipment: Some(2) }).unwrap();
    assert_eq!(all.state.status(), Status::Delivered);
    assert_eq!(all.timeline.last().unwrap().event.name(), "order.delivered");
}

#[test]
fn the_rest_of_an_order_is_cancelled_and_what_was_sent_is_all_there_is() {
    let sent_one = after(&["pay", "process", "ship one"]);
    let cancelled = decide(&sent_one, cancel_rest()).unwrap();
    assert_eq!((cancelled.state.status(), sent(&cancelled)), (Status::Shipped, 1));
    assert_eq!(refunds(&cancelled), [(1, 450, RefundStatus::Requested)]);
    let told = &cancelled.timeline.last().unwrap().event;
    assert_eq!(*told, Event::RestCancelled { lines: tea(1), refund: usd(450) });
    assert!(RefundMessage::latest(&cancelled).is_some());
    assert_eq!(decide(&cancelled, cancel_rest()), Err(Refusal::Done));
    assert!(matches!(decide(&cancelled, ship("1Z", None)), Err(Refusal::Forbidden { .. })));
    // Units that are not sent are paid back once.
    let left = UnitsRefused::TooMany { sku: "TEA".parse().unwrap(), left: 1 };
    assert_eq!(decide(&cancelled, units("key", "TEA", 2)), Err(Refusal::Refund(Refused::Units(left))));
    let arrived = decide(&cancelled, Command::Deliver { shipment: Some(1) }).unwrap();
    assert_eq!(arrived.state.status(), Status::Delivered);
    assert!(decide(&arrived, give_back("key", 2)).is_err());
    let back = decide(&decide(&arrived, give_back("key", 1)).unwrap(), receive(1)).unwrap();
    assert_eq!(back.fulfilment_status(), FulfilmentStatus::Returned);

    // All that was sent has arrived before.
    let arrived = decide(&sent_one, Command::Deliver { shipment: Some(1) }).unwrap();
    assert_eq!(decide(&arrived, cancel_rest()).unwrap().state.status(), Status::Delivered);
    // What was paid back before is not paid back again, by units or by amount.
    let by_units = decide(&sent_one, units("key", "TEA", 2)).unwrap();
    assert_eq!(refunds(&decide(&by_units, cancel_rest()).unwrap()), [(1, 900, RefundStatus::Requested)]);
    let by_one = decide(&sent_one, units("key", "TEA", 1)).unwrap();
    assert_eq!(refunds(&decide(&by_one, cancel_rest()).unwrap()), [(1, 450, RefundStatus::Requested)]);
    // Unless that was for what has come back.
    let back = decide(&decide(&by_one, give_back("key", 1)).unwrap(), receive(1)).unwrap();
    let both = [(1, 450, RefundStatus::Requested), (2, 450, RefundStatus::Requested)];
    assert_eq!(refunds(&decide(&back, cancel_rest()).unwrap()), both);
    let held = decide(&sent_one, dispute("du_1", 900, DisputeStatus::NeedsResponse)).unwrap();
    assert_eq!(decide(&held, cancel_rest()), Err(Refusal::Shipping(shipping::Refused::Disputed)));
    let cancelled = decide(&arrived, cancel_rest()).unwrap();
    let failed = decide(&cancelled, settle(1, Outcome::Failed { stripe: None })).unwrap();
    assert_eq!(failed.forget_buyer(Timestamp::UNIX_EPOCH), None, "it is owed");
    let again =
        decide(&decide(&failed, refund("key", 450)).unwrap(), settle(2, Outcome::Succeeded { stripe: "re_2".into() }));
    assert!(again.unwrap().forget_buyer(Timestamp::UNIX_EPOCH).is_some());
    let by_amount = decide(&sent_one, refund("key", 600)).unwrap();
    let rest = decide(&by_amount, cancel_rest()).unwrap();
    assert_eq!(refunds(&rest), [(1, 600, RefundStatus::Requested), (2, 300, RefundStatus::Requested)]);
    assert_eq!(rest.state.payment().unwrap().refunds[1].lines[0].amount, usd(300), "lines add up to their refund");
    let text = serde_json::to_string(&cancelled).unwrap();
    assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), cancelled);
}

#[test]
fn no_order_goes_out_in_more_parcels_than_it_may() {
    let mut line = line();
    line.quantity = 40.try_into().unwrap();
    let mut order = decide(&place(quote(line)), Command::Pay { intent: "pi_1".into(), amount: usd(900) }).unwrap();
    order = decide(&order, Command::Process).unwrap();
    for number in 0..MAX_SHIPMENTS {
        order = decide(&order, ship(&number.to_string(), Some(1))).unwrap();
    }
    assert_eq!(decide(&order, ship("one more", None)), Err(Refusal::Shipping(shipping::Refused::TooMany)));
}

#[test]
fn units_are_returned_once_and_refused_ones_can_be_asked_for_again() {
    let shipped = after(&["pay", "process", "ship"]);
    let both = decide(&shipped, give_back("key", 2)).unwrap();
    assert_eq!(decide(&both, give_back("key", 2)), Err(Refusal::Done));
    assert_eq!(decide(&both, give_back("key", 1)), Err(Refusal::Return(returns::Refused::KeyUsed)));
    let none_left = UnitsRefused::TooMany { sku: "TEA".parse().unwrap(), left: 0 };
    assert_eq!(decide(&both, give_back("more", 1)), Err(Refusal::Return(none_left.into())));
    let refuse = Command::Return(returns::Command::Refuse { number: 1, reason: "Worn".parse().unwrap() });
    let refused = decide(&both, refuse).unwrap();
    assert!(decide(&refused, give_back("more", 2)).is_ok());
    // What did not come with one return can come with another.
    let one_came = decide(&both, receive(1)).unwrap();
    assert_eq!(decide(&one_came, receive(1)), Err(Refusal::Done));
    assert_eq!(decide(&one_came, receive(2)), Err(Refusal::Return(returns::Refused::Ended)));
    let another = decide(&one_came, give_back("more", 1)).unwrap();
    assert!(decide(&another, give_back("even more", 1)).is_err());
    // Nobody sends back what nobody has sent.
    let in_part = after(&["pay", "process", "ship one"]);
    assert!(decide(&in_part, give_back("key", 2)).is_err() && decide(&in_part, give_back("key", 1)).is_ok());
    assert!(matches!(decide(&after(&["pay"]), give_back("key", 1)), Err(Refusal::Forbidden { .. })));
    let mut order = shipped;
    for number in 0..MAX_RETURNS {
        order = decide(&order, give_back(&number.to_string(), 1)).unwrap();
        let number = u32::try_from(number + 1).unwrap();
        let refuse = Command::Return(returns::Command::Refuse { number, reason: "Worn".parse().unwrap() });
        order = decide(&order, refuse).unwrap();
    }
    assert_eq!(decide(&order, give_back("one more", 1)), Err(Refusal::Return(returns::Refused::TooMany)));
}

#[test]
fn a_return_is_exchanged_by_one_order_and_not_where_it_was_refused() {
    let exchange =
        |number, by| Command::Return(returns::Command::Exchange { number, by: OrderId::new(Uuid::from_u128(by)) });
    let asked = decide(&after(&["pay", "process", "ship"]), give_back("key", 1)).unwrap();
    let refuse = Command::Return(returns::Command::Refuse { number: 1, reason: "Worn".parse().unwrap() });
    let approve = Command::Return(returns::Command::Approve { number: 1 });
    for before in [asked.clone(), decide(&asked, approve).unwrap(), decide(&asked, receive(1)).unwrap()] {
        let exchanged = decide(&before, exchange(1, 7)).unwrap();
        let by = OrderId::new(Uuid::from_u128(7));
        assert_eq!(exchanged.returns[0].exchange_order, Some(by));
        assert_eq!(exchanged.timeline.last().unwrap().event, Event::Exchanged { number: 1, order_id: by });
        assert_eq!(RefundMessage::latest(&exchanged), None, "no money moves by it");
        assert_eq!(decide(&exchanged, exchange(1, 7)), Err(Refusal::Done));
        assert_eq!(decide(&exchanged, exchange(1, 8)), Err(Refusal::Return(returns::Refused::Exchanged)));
        assert_eq!(decide(&exchanged, exchange(2, 8)), Err(Refusal::Return(returns::Refused::Unknown)));
        assert_eq!(exchanged.exchangeable(1), Err(returns::Refused::Exchanged));
        assert!(before.exchangeable(1).is_ok());
    }
    let refused = decide(&asked, refuse).unwrap();
    assert_eq!(decide(&refused, exchange(1, 7)), Err(Refusal::Return(returns::Refused::NotTaken)));
    assert_eq!(refused.exchangeable(2), Err(returns::Refused::Unknown));
    // Whatever becomes of the goods afterwards, it stays known what went out for them.
    let exchanged = decide(&asked, exchange(1, 7)).unwrap();
    let received = decide(&exchanged, receive(1)).unwrap();
    assert_eq!(received.returns[0].exchange_order, exchanged.returns[0].exchange_order);
}

#[test]
fn an_order_of_a_draft_says_who_placed_it_and_what_it_is_in_exchange_for() {
    let (staff, exchanged) =
        (Actor::Staff { account_id: AccountId::new(Uuid::nil()) }, OrderId::new(Uuid::from_u128(7)));
    let exchange = order::Exchange { order_id: exchanged, return_number: 1 };
    let draft = QuotedDraft { id: DraftId::new(Uuid::nil()), exchange: Some(exchange) };
    let by = |actor, draft| {
        let (id, email, address) =
            (OrderId::new(Uuid::nil()), "ann@example.com".parse().unwrap(), address("1 Main St"));
        order::place(id, Quote { draft, ..quote(line()) }, email, address, actor, Timestamp::UNIX_EPOCH)
    };
    let placed = by(staff, Some(draft));
    assert_eq!((placed.exchange_for, placed.timeline[0].actor), (Some(exchange), staff));
    assert!(Message::latest(&placed).unwrap().order.placed_by_staff);
    let own = by(Actor::Customer, None);
    assert_eq!((own.exchange_for, own.timeline[0].actor), (None, Actor::Customer));
    assert!(!Message::latest(&own).unwrap().order.placed_by_staff);
}

#[test]
fn an_order_has_been_returned_once_all_of_it_has_come_back() {
    let asked = decide(&after(&["pay", "process", "ship", "deliver"]), give_back("key", 2)).unwrap();
    assert_eq!(asked.fulfilment_status(), FulfilmentStatus::Delivered);
    assert_eq!(asked.forget_buyer(Timestamp::UNIX_EPOCH), None, "goods are on their way");
    assert_eq!(decide(&asked, receive(1)).unwrap().fulfilment_status(), FulfilmentStatus::Delivered);
    let back = decide(&asked, receive(2)).unwrap();
    assert_eq!(back.fulfilment_status(), FulfilmentStatus::Returned);
    assert!(back.forget_buyer(Timestamp::UNIX_EPOCH).is_some());
    let Event::ReturnReceived { restocked, .. } = &back.timeline.last().unwrap().event else { panic!("{back:?}") };
    assert_eq!(*restocked, tea(2));
}

#[test]
fn an_order_goes_to_another_address_only_where_shipping_and_tax_are_the_same() {
    let paid = after(&["pay"]);
    let elsewhere = order::Address { country: "CA".parse().unwrap(), ..address("1 Main St") };
    assert_eq!(decide(&paid, Command::ChangeAddress(address("1 Main St").into())), Err(Refusal::Done));
    assert!(decide(&paid, Command::ChangeAddress(elsewhere.clone().into())).is_ok(), "neither was reckoned");
    let mut taxed = paid;
    let method_id = ShippingMethodId::new(Uuid::nil());
    let [price, discount, charge, tax] = [usd(0); 4];
    taxed.totals.as_mut().unwrap().shipping =
        Shipping::Priced { method_id, title: "Parcel".parse().unwrap(), price, discount, charge, tax };
    assert!(matches!(decide(&taxed, Command::ChangeAddress(elsewhere.into())), Err(Refusal::OtherDestination { .. })));
    let moved = decide(&taxed, Command::ChangeAddress(address("2 Side St").into())).unwrap();
    assert_eq!(moved.contact.shipping_address(), Some(&address("2 Side St")));
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
            let untouched = matches!(next.fulfilment_status(), Unfulfilled | Cancelled);
            prop_assert!(untouched || next.state.payment().is_some());
            let sent = sent(&next);
            prop_assert!(sent <= 2 && sent_back(&next) <= sent, "{} of {sent} come back", sent_back(&next));
            order = next;
        }
        prop_assert_eq!(payments, usize::from(order.state.payment().is_some()));
        let Some(payment) = order.state.payment() else { return Ok(()) };
        let ours = payment.refunds.iter().filter(|refund| refund.cause != Cause::AtStripe);
        let going_back: i64 =
            ours.filter(|refund| refund.state.status() != RefundStatus::Failed).map(|refund| refund.amount.amount).sum();
        prop_assert!(going_back <= order.total.amount, "{going_back} of {} goes back", order.total);
        // Where a bank has it all, nothing is left to give back.
        let is_left = payment.disputes.is_empty() || payment.refundable(order.total).amount > 0;
        let given_up = order.state.status().is_given_up() && is_left;
        prop_assert!(!given_up || going_back > 0 || payment.refunds.iter().any(|refund| !refund.is_due()), "it is kept");
    }
}
