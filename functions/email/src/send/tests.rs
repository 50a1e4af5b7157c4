//! That nobody writes into the headers of a mail, whatever addresses, names and titles they think of.

use std::cell::{Cell, RefCell};

use proptest::prelude::*;
use waybill_domain::message::{StockEvent, StockMessage};
use waybill_domain::product::Title;

use super::*;
use crate::Languages;

/// Texts as somebody makes them up who wants a header of their own: pieces of one between anything at all.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z0-9.]{1,8}",
        1 => any::<String>(),
        4 => prop::sample::select(vec![
            "\r\n", "\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}", "\0", "%0d%0a", "=?UTF-8?Q?=0D=0A?=",
            "Bcc: eve@example.com", "To:", "Subject:", "@", "@example.com", ",", ";", "<", ">", "\"", "\\", " ", "\t", "(", ")",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Addresses that are often good.
fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        hostile(),
        (hostile(), hostile()).prop_map(|(local, domain)| format!("{local}@{domain}")),
        ("[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,20}", "[a-z]{1,9}", hostile())
            .prop_map(|(local, domain, end)| format!("{local}@{domain}.example{end}")),
        "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,20}@[a-z]{1,9}\\.example",
    ]
}

fn is_header_safe(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

fn shop(name: String) -> Shop {
    let languages = Languages::read(&"en".parse().unwrap()).unwrap();
    let colour = "#1f6feb".parse().unwrap();
    Shop { name, url: "https://shop.example.com".into(), colour, logo: None, return_address: Vec::new(), languages }
}

/// A hundred thousand addresses, names of the shop and titles: those that are taken at all come to one mail to one address
/// from the shop's, and a subject of one line.
#[test]
fn nobody_writes_into_the_headers_of_a_mail() {
    let shop = RefCell::new(shop(String::new()));
    let taken = Cell::new(0);
    let config = ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let run = runner.run(&(address(), hostile(), hostile()), |(address, name, title)| {
        let Ok(to) = address.parse::<Email>() else { return Ok(()) };
        prop_assert!(to.as_str().is_ascii() && is_header_safe(to.as_str()));
        prop_assert_eq!(to.as_str().matches('@').count(), 1);
        prop_assert!(!to.as_str().contains([' ', ',', ';', ':', '<', '>', '(', ')', '"', '\\']));
        shop.borrow_mut().name = name;
        let title: Title = title.parse().unwrap_or_else(|_| "Tea".parse().unwrap());
        let message = StockMessage {
            id: "1".into(),
            at: "2026-11-23T09:00:00Z".parse().unwrap(),
            sku: "TEA".parse().unwrap(),
            product_id: "prd_00000000000000000000000001".parse().unwrap(),
            event: StockEvent::Returned { title, to: to.clone(), language: None },
        };
        let mail = compose_stock(&shop.borrow(), &message).unwrap().unwrap();
        let request = request("orders@shop.example.com", "set", to.as_str(), None, mail).unwrap();
        let destination = request.destination().unwrap();
        prop_assert_eq!(destination.to_addresses(), [to.as_str()]);
        prop_assert!(destination.cc_addresses().is_empty() && destination.bcc_addresses().is_empty());
        prop_assert!(request.reply_to_addresses().is_empty());
        prop_assert_eq!(request.from_email_address(), Some("orders@shop.example.com"));
        let content = request.content().unwrap();
        prop_assert!(content.raw().is_none() && content.template().is_none());
        let simple = content.simple().unwrap();
        prop_assert!(simple.headers().is_empty());
        prop_assert!(is_header_safe(simple.subject().unwrap().data()));
        taken.set(taken.get() + 1);
        Ok(())
    });
    run.unwrap();
    assert!(taken.get() > 10_000, "only {} of the addresses are addresses", taken.get());
}
