//! The mails as a reviewer reads them, and what nobody can put into them.

use email::{Shop, compose, compose_letter, compose_stock};
use waybill_domain::message::{AccountEvent, Event, Message, Snapshot, StockEvent, StockMessage, Sums};
use waybill_domain::money::Money;
use waybill_domain::order::{DisputeStatus, Units};

fn message(event: Event) -> Message {
    let usd = |amount| Money::new(amount, "USD".parse().unwrap());
    let line = |sku: &str, title: &str, quantity: i64, price: i64| waybill_domain::cart::PricedLine {
        sku: sku.parse().unwrap(),
        product_id: "prd_00000000000000000000000001".parse().unwrap(),
        title: title.parse().unwrap(),
        quantity: quantity.try_into().unwrap(),
        unit_price: usd(price),
        total: usd(price * quantity),
    };
    Message {
        id: "ord_00000000000000000000000001/3".into(),
        at: "2026-11-23T09:00:00Z".parse().unwrap(),
        order: Snapshot {
            id: "ord_00000000000000000000000001".parse().unwrap(),
            version: 3,
            account_id: "acc_00000000000000000000000001".parse().unwrap(),
            email: "ann@example.com".parse().unwrap(),
            lines: vec![
                line("TEA-EARL-100", "Earl Grey, 100 g", 2, 890),
                line("MUG-01", "Mug <b>\"blue\"</b> & saucer", 1, 1999),
            ],
            total: usd(3779),
            totals: None,
            shipping_address: waybill_domain::order::Address {
                name: "Ann Example".parse().unwrap(),
                line1: "1 Main St".parse().unwrap(),
                line2: Some("Flat 2".parse().unwrap()),
                city: "Springfield".parse().unwrap(),
                region: Some("IL".parse().unwrap()),
                postal_code: "62701".parse().unwrap(),
                country: "US".parse().unwrap(),
            },
            payment_status: waybill_domain::order::PaymentStatus::Paid,
            fulfilment_status: waybill_domain::order::FulfilmentStatus::Unfulfilled,
            placed_at: "2026-11-23T08:59:00Z".parse().unwrap(),
            placed_by_staff: false,
        },
        event,
        places: None,
    }
}

fn shop() -> Shop {
    Shop { name: "Waybill Shop".into(), url: "https://shop.example.com".into() }
}

fn tea() -> Units {
    Units { sku: "TEA-EARL-100".parse().unwrap(), quantity: 2.try_into().unwrap() }
}

fn shipped() -> Event {
    Event::Shipped { carrier: "UPS".parse().unwrap(), tracking_number: "1Z999".parse().unwrap() }
}

#[test]
fn the_confirmation_is_as_reviewed() {
    let mail = compose(&shop(), &message(Event::Paid)).unwrap().unwrap();
    insta::assert_snapshot!("confirmation", format!("Subject: {}\n\n{}\n----\n{}", mail.subject, mail.text, mail.html));
}

#[test]
fn the_confirmation_tells_how_the_total_is_made() {
    let usd = |amount| Money::new(amount, "USD".parse().unwrap());
    let composed = |sums: Sums| {
        let mut message = message(Event::Paid);
        message.order.totals = Some(sums);
        compose(&shop(), &message).unwrap().unwrap()
    };
    let sums = Sums {
        subtotal: usd(3779),
        discount: usd(378),
        shipping: Some(usd(490)),
        tax: Some(usd(281)),
        tax_included: false,
    };
    let added = composed(sums);
    let mail = format!("{}\n----\n{}", added.text, added.html);
    insta::assert_snapshot!("confirmation_with_totals", mail);
    let included = composed(Sums { tax_included: true, ..sums }).text;
    assert!(included.contains("Total: 37.79 USD\nTax included: 2.81 USD\n"), "{included}");
    // A shop that neither ships nor taxes, and an order without a discount, say no more than before.
    let plain = composed(Sums { discount: usd(0), shipping: None, tax: None, ..sums });
    assert_eq!(plain.text, compose(&shop(), &message(Event::Paid)).unwrap().unwrap().text);
}

#[test]
fn the_shipping_mail_is_as_reviewed() {
    let mail = compose(&shop(), &message(shipped())).unwrap().unwrap();
    insta::assert_snapshot!("shipped", format!("Subject: {}\n\n{}", mail.subject, mail.text));
}

#[test]
fn the_mail_of_a_cancelled_order_is_as_reviewed() {
    let mail = compose(&shop(), &message(Event::Cancelled)).unwrap().unwrap();
    insta::assert_snapshot!("cancelled", format!("Subject: {}\n\n{}", mail.subject, mail.text));
}

#[test]
fn the_mails_about_money_that_goes_back_or_did_not_come_are_as_reviewed() {
    let usd = |amount| Money::new(amount, "USD".parse().unwrap());
    let mut mails = String::new();
    for event in [
        Event::Expired,
        Event::CancelledWithRefund { refund: usd(3779) },
        Event::CancelledWithRefund { refund: usd(0) },
        Event::RestCancelled { lines: vec![tea()], refund: usd(1780) },
        Event::RestCancelled { lines: vec![tea()], refund: usd(0) },
        Event::PaidLate { refund: usd(3779) },
        Event::Refunded { number: 1, amount: usd(1999) },
    ] {
        let mail = compose(&shop(), &message(event)).unwrap().unwrap();
        mails += &format!("Subject: {}\n\n{}\n\n====\n", mail.subject, mail.text);
    }
    insta::assert_snapshot!("money", mails);
    let for_staff = [
        Event::RefundRequested { number: 1, amount: usd(1) },
        Event::RefundFailed { number: 1, amount: usd(1) },
        Event::DisputeOpened { amount: usd(1) },
        Event::DisputeUpdated { amount: usd(1), status: DisputeStatus::UnderReview },
        Event::DisputeClosed { amount: usd(1), status: DisputeStatus::Lost },
    ];
    for event in for_staff {
        assert!(compose(&shop(), &message(event)).unwrap().is_none());
    }
}

#[test]
fn each_step_after_the_payment_is_mailed_and_none_before_it() {
    let mails = |event| compose(&shop(), &message(event)).unwrap().is_some();
    for event in [Event::Paid, Event::Processing, shipped(), Event::Delivered] {
        assert!(mails(event));
    }
    for event in [Event::Placed, Event::PaymentStarted, Event::PaymentDeclined, Event::PaymentExpired] {
        assert!(!mails(event));
    }
}

#[test]
fn the_mail_of_an_order_that_staff_placed_asks_for_its_payment() {
    let mut placed = message(Event::Placed);
    placed.order.placed_by_staff = true;
    let mail = compose(&shop(), &placed).unwrap().unwrap();
    insta::assert_snapshot!("placed_by_staff", format!("Subject: {}\n\n{}", mail.subject, mail.text));
}

#[test]
fn a_title_cannot_add_markup_to_the_mail() {
    let mail = compose(&shop(), &message(Event::Paid)).unwrap().unwrap();
    assert!(!mail.html.contains("<b>"), "{}", mail.html);
    assert!(mail.text.contains("Mug <b>\"blue\"</b> & saucer"), "{}", mail.text);
}

#[test]
fn the_letters_are_as_reviewed() {
    let mut letters = String::new();
    for (event, is_taken) in [
        (AccountEvent::SignUpRequested, false),
        (AccountEvent::SignUpRequested, true),
        (AccountEvent::PasswordResetRequested, true),
        (AccountEvent::EmailChangeRequested, false),
        (AccountEvent::EmailChangeRequested, true),
        (AccountEvent::PasswordChanged, true),
        (AccountEvent::EmailChanged, false),
        (AccountEvent::SecondFactorChanged, true),
    ] {
        let mail = compose_letter(&shop(), event, is_taken, "TOKEN").unwrap().unwrap();
        assert_eq!(mail.html.contains("#token=TOKEN"), mail.text.contains("#token=TOKEN"));
        letters += &format!("Subject: {}\n\n{}\n\n====\n", mail.subject, mail.text);
    }
    insta::assert_snapshot!("letters", letters);
    let confirm = compose_letter(&shop(), AccountEvent::SignUpRequested, false, "TOKEN").unwrap().unwrap();
    insta::assert_snapshot!("letter_html", confirm.html);
}

fn of_stock(event: StockEvent) -> StockMessage {
    StockMessage {
        id: "MUG-01/prd_00000000000000000000000001/7".into(),
        at: "2026-11-23T09:00:00Z".parse().unwrap(),
        sku: "MUG-01".parse().unwrap(),
        product_id: "prd_00000000000000000000000001".parse().unwrap(),
        event,
    }
}

#[test]
fn the_mails_about_stock_are_as_reviewed() {
    let title = || "Mug <b>\"blue\"</b> & saucer".parse().unwrap();
    let to = "ann@example.com".parse().unwrap();
    let mut mails = String::new();
    for event in
        [StockEvent::Low { title: title(), left: 3, low_stock_at: 5 }, StockEvent::Returned { title: title(), to }]
    {
        let mail = compose_stock(&shop(), &of_stock(event)).unwrap().unwrap();
        assert!(!mail.html.contains("<b>"), "{}", mail.html);
        mails += &format!("Subject: {}\n\n{}\n----\n{}\n====\n", mail.subject, mail.text, mail.html);
    }
    insta::assert_snapshot!("stock", mails);
}

#[test]
fn nobody_is_mailed_about_a_change_of_stock() {
    assert!(compose_stock(&shop(), &of_stock(StockEvent::Changed)).unwrap().is_none());
}

#[test]
fn nobody_is_mailed_about_the_password_of_an_account_that_there_is_not() {
    assert!(compose_letter(&shop(), AccountEvent::PasswordResetRequested, false, "TOKEN").unwrap().is_none());
}
