//! Documents to set and to look at.

use waybill_domain::Timestamp;
use waybill_domain::document::{Discount, Document, DocumentLine, DocumentNumber, Seller, ShippingLine, Subject};
use waybill_domain::id::OrderId;
use waybill_domain::money::Money;
use waybill_domain::order::Address;
use waybill_domain::totals::{Prices, RateTax, TaxRate};

pub fn eur(cents: i64) -> Money {
    Money::new(cents, "EUR".parse().unwrap())
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn rate(points: i64) -> TaxRate {
    points.try_into().unwrap()
}

fn number(text: &str) -> DocumentNumber {
    text.parse().unwrap()
}

pub fn address(name: &str, line1: &str, city: &str, country: &str) -> Address {
    Address {
        name: name.parse().unwrap(),
        line1: line1.parse().unwrap(),
        line2: None,
        city: city.parse().unwrap(),
        region: None,
        postal_code: "30-001".parse().unwrap(),
        country: country.parse().unwrap(),
    }
}

pub fn line(sku: &str, title: &str, units: i64, cents: i64, discount: i64, points: i64) -> DocumentLine {
    DocumentLine {
        sku: sku.parse().unwrap(),
        title: title.parse().unwrap(),
        quantity: units.try_into().unwrap(),
        unit_price: Some(eur(cents)),
        discount: eur(discount),
        rate: Some(rate(points)),
        total: eur(units * cents - discount),
    }
}

fn tax(points: i64, net: i64, amount: i64) -> RateTax {
    RateTax { rate: rate(points), net: eur(net), amount: eur(amount) }
}

pub fn invoice() -> Document {
    Document {
        number: number("INV-000042"),
        serial: 42,
        issued_at: at("2026-11-26T09:12:44Z"),
        subject: Subject::Invoice,
        seller: Seller::new("Kettle & Leaf Ltd", "12 Harbour Street; Galway H91 ABC1; Ireland", "IE 1234567 WA")
            .unwrap(),
        buyer: Some(address("Łukasz Żółć", "ul. Długa 17 m. 4", "Kraków", "PL")),
        order_id: OrderId::new(uuid()),
        placed_at: at("2026-11-26T09:05:00Z"),
        paid_at: at("2026-11-26T09:12:40Z"),
        lines: vec![
            line("TEA-EARL-100", "Earl Grey, 100 g", 2, 1_250, 250, 800),
            line(
                "TEA-GYO-50",
                "Gyokuro, first harvest, shaded for three weeks and steamed, 50 g tin",
                1,
                3_400,
                340,
                800,
            ),
            line("POT-IRON-1L", "Cast-iron teapot, 1 l", 1, 124_900, 12_490, 2_300),
        ],
        shipping: Some(ShippingLine {
            title: "Tracked parcel".parse().unwrap(),
            rate: Some(rate(2_300)),
            total: eur(790),
        }),
        discounts: vec![Discount { title: "Autumn sale, a tenth off".parse().unwrap(), amount: eur(13_080) }],
        prices: Prices::IncludeTax,
        taxes: vec![tax(800, 4_916, 394), tax(2_300, 92_033, 21_167)],
        total: eur(118_510),
    }
}

pub fn credit_note() -> Document {
    let mut returned = line("TEA-EARL-100", "Earl Grey, 100 g", 1, 1_125, 0, 800);
    returned.unit_price = None;
    Document {
        number: number("CN-000007"),
        serial: 7,
        issued_at: at("2026-12-03T15:00:00Z"),
        subject: Subject::CreditNote {
            invoice: number("INV-000042"),
            refund: 1,
            reason: Some("Arrived broken".parse().unwrap()),
        },
        lines: vec![returned],
        shipping: None,
        discounts: Vec::new(),
        taxes: vec![tax(800, 1_042, 83)],
        total: eur(1_125),
        ..invoice()
    }
}

pub fn reversal() -> Document {
    let subject = Subject::Reversal { invoice: number("INV-000042"), credit_note: number("CN-000007"), refund: 1 };
    Document { number: number("RV-000001"), serial: 1, subject, lines: Vec::new(), ..credit_note() }
}

/// As long and as wide as it gets.
pub fn longest() -> Document {
    let title = |place: i32| match place % 4 {
        0 => "W".repeat(120),
        1 => format!("Ĉiuĵaŭde {} 王小明 ☕", "Ελληνικά Київ ".repeat(6)),
        2 => "Tea".to_owned(),
        _ => "A tea that takes some words to say what it is, where it grew and how it was made "
            .repeat(2)
            .chars()
            .take(119)
            .collect(),
    };
    let lines = (0..50).map(|place| {
        line(
            &format!("{}-{place}", "SKU".repeat(12)),
            &title(place),
            1_000,
            100_000_000,
            i64::from(place % 2) * 99_999_999_999,
            1_975,
        )
    });
    let mut buyer = address(&"W".repeat(120), &"M".repeat(120), &"Q".repeat(80), "PL");
    (buyer.line2, buyer.region) = (Some("m".repeat(120).parse().unwrap()), Some("R".repeat(80).parse().unwrap()));
    let seller = Seller::new(&"S".repeat(120), &["A".repeat(120).as_str(); 6].join(";"), &"1".repeat(60)).unwrap();
    let discounts = (0..20).map(|_| Discount { title: "D".repeat(120).parse().unwrap(), amount: eur(99_999_999_999) });
    Document {
        number: number("LONG-PREFIX-99999999999999999999"),
        seller,
        buyer: Some(buyer),
        lines: lines.collect(),
        discounts: discounts.collect(),
        shipping: Some(ShippingLine { title: "P".repeat(120).parse().unwrap(), rate: None, total: eur(100_000_000) }),
        prices: Prices::ExcludeTax,
        taxes: (0..10).map(|place| tax(place * 925, 500_000_000_000, 98_750_000_000)).collect(),
        total: eur(5_987_500_000_000),
        ..invoice()
    }
}

fn uuid() -> uuid::Uuid {
    uuid::Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)
}
