//! The mails as a reviewer reads them, and what nobody can put into them.

use email::samples::samples;
use email::{Languages, Shop, compose, compose_letter, compose_stock};
use waybill_domain::message::{AccountEvent, Event, Message, Snapshot, StockEvent, StockMessage, Sums};
use waybill_domain::money::Money;
use waybill_domain::order::DisputeStatus;

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
            language: None,
        },
        event,
        places: None,
    }
}

fn shop() -> Shop {
    shop_of("en")
}

fn shop_of(language: &str) -> Shop {
    Shop {
        name: "Waybill Shop".into(),
        url: "https://shop.example.com".into(),
        colour: "#1f6feb".parse().unwrap(),
        logo: None,
        return_address: vec!["Waybill Shop, Returns".parse().unwrap(), "12345 Example City".parse().unwrap()],
        languages: Languages::read(&language.parse().unwrap()).unwrap(),
    }
}

fn shipped() -> Event {
    Event::Shipped { carrier: "UPS".parse().unwrap(), tracking_number: "1Z999".parse().unwrap() }
}

#[test]
fn every_mail_is_as_reviewed_in_every_language() {
    for language in shop().languages.all() {
        // Staff are mailed in the shop's own.
        let shop = shop_of(&language.to_string());
        for sample in samples().unwrap() {
            let mail = sample.compose(&shop, language).unwrap().unwrap();
            assert!(!mail.html.contains("<b>") && !mail.subject.contains('\n'), "{}", mail.html);
            assert_eq!(mail.html.contains("#token=TOKEN"), mail.text.contains("#token=TOKEN"));
            let name = format!("{language}.{}", sample.name);
            insta::assert_snapshot!(name, format!("Subject: {}\n\n{}\n----\n{}", mail.subject, mail.text, mail.html));
        }
    }
}

#[test]
fn a_logo_stands_for_the_name_and_says_it_where_pictures_are_not_shown() {
    let logo = Some("https://shop.example.com/logo.png".parse().unwrap());
    let mail = compose(&Shop { logo, ..shop() }, &message(Event::Paid)).unwrap().unwrap();
    assert!(mail.html.contains("<img src=\"https://shop.example.com/logo.png\" alt=\"Waybill Shop\""), "{}", mail.html);
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
    let added = composed(sums).text;
    assert!(added.contains("Discount: -$3.78\nTax: $2.81\nTotal: $37.79\n"), "{added}");
    let included = composed(Sums { tax_included: true, ..sums }).text;
    assert!(included.contains("Total: $37.79\nTax included: $2.81\n"), "{included}");
    // A shop that neither ships nor taxes, and an order without a discount, say no more than before.
    let plain = composed(Sums { discount: usd(0), shipping: None, tax: None, ..sums });
    assert_eq!(plain.text, compose(&shop(), &message(Event::Paid)).unwrap().unwrap().text);
}

#[test]
fn buyers_are_not_mailed_about_what_staff_have_to_mend() {
    let usd = |amount| Money::new(amount, "USD".parse().unwrap());
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
fn each_step_from_a_declined_payment_on_is_mailed_and_none_before_it() {
    let mails = |event| compose(&shop(), &message(event)).unwrap().is_some();
    for event in [Event::PaymentDeclined, Event::Paid, Event::Processing, shipped(), Event::Delivered] {
        assert!(mails(event));
    }
    for event in [Event::Placed, Event::PaymentStarted, Event::PaymentExpired] {
        assert!(!mails(event));
    }
}

#[test]
fn a_title_cannot_add_markup_to_the_mail() {
    let mail = compose(&shop(), &message(Event::Paid)).unwrap().unwrap();
    assert!(!mail.html.contains("<b>"), "{}", mail.html);
    assert!(mail.text.contains("Mug <b>\"blue\"</b> & saucer"), "{}", mail.text);
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
fn nobody_is_mailed_about_a_change_of_stock() {
    assert!(compose_stock(&shop(), &of_stock(StockEvent::Changed)).unwrap().is_none());
}

#[test]
fn nobody_is_mailed_about_the_password_of_an_account_that_there_is_not() {
    assert!(compose_letter(&shop(), None, AccountEvent::PasswordResetRequested, false, "TOKEN").unwrap().is_none());
}

/// Who announces asks only whether there is a mail, and no more than that.
#[test]
fn what_is_said_to_be_mailed_is_what_has_a_mail() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/messages");
    let mut kinds = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with("order.") {
            continue;
        }
        let mut message: Message = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for placed_by_staff in [false, true] {
            message.order.placed_by_staff = placed_by_staff;
            assert_eq!(compose(&shop(), &message).unwrap().is_some(), message.is_mailed(), "{}", path.display());
        }
        kinds += 1;
    }
    assert!(kinds >= 28, "{kinds} kinds of messages");
}
