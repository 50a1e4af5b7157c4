//! The life of an order: the whole matrix of state and command, and what holds along every path through it.

use proptest::prelude::*;
use uuid::Uuid;
use waybill_domain::Timestamp;
use waybill_domain::cart::{PricedLine, Quote};
use waybill_domain::id::{AccountId, CartId, OrderId, ProductId};
use waybill_domain::message::{Actor, Message};
use waybill_domain::money::Money;
use waybill_domain::order::{self, Command, MAX_ENTRIES, Order, PaymentSession, PaymentStatus, Refusal};
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
        ("cancel", Command::Cancel { closed_page: None }),
        ("cancel, closed", Command::Cancel { closed_page: Some("cs_1".into()) }),
        ("expire", Command::Expire { closed_page: None }),
        ("expire, closed", Command::Expire { closed_page: Some("cs_1".into()) }),
    ]
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
    ];
    let mut matrix = String::new();
    for (state, order) in &states {
        for (name, command) in commands() {
            let outcome = match decide(order, command) {
                Ok(next) => {
                    format!("-> {} ({})", next.state.status().as_str(), next.timeline.last().unwrap().event.name())
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
    assert_eq!((order.state.payment_status(), happened), (PaymentStatus::Paid, vec!["order.placed", "order.paid"]));
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
        let cancel = Command::Cancel { closed_page: closed_page.clone() };
        assert_eq!(decide(&open, cancel), Err(Refusal::PageOpen));
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
            prop_assert!(untouched || next.state.payment_status() == PaymentStatus::Paid);
            order = next;
        }
        prop_assert_eq!(payments, usize::from(order.state.payment_status() == PaymentStatus::Paid));
    }
}
