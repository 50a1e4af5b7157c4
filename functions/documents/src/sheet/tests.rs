//! That everything stands on the paper, whatever a document says.

use super::*;
use crate::samples::{credit_note, eur, invoice, longest, reversal};

fn texts(page: &[Mark]) -> Vec<&str> {
    page.iter().filter_map(text).collect()
}

fn text(mark: &Mark) -> Option<&str> {
    match mark {
        Mark::Text { text, .. } => Some(text),
        Mark::Box { .. } => None,
    }
}

/// Left, top, right and bottom of a text.
fn extent(letters: &Letters, mark: &Mark) -> Option<(f32, f32, f32, f32)> {
    match mark {
        Mark::Text { x, y, face, size, text, .. } => {
            Some((*x, y - size * 0.76, x + letters.width(*face, *size, text), y + size * 0.24))
        }
        Mark::Box { .. } => None,
    }
}

#[test]
fn nothing_reaches_over_the_edge_or_over_something_else() {
    let letters = Letters::open().unwrap();
    for document in [invoice(), credit_note(), reversal(), longest(), Document { buyer: None, ..longest() }] {
        for page in compose(&document, &letters) {
            let extents: Vec<_> = page.iter().filter_map(|mark| Some((extent(&letters, mark)?, mark))).collect();
            for (place, ((left, top, right, bottom), mark)) in extents.iter().enumerate() {
                let fits = *left >= MARGIN - 0.01
                    && *right <= RIGHT + 0.01
                    && *top >= MARGIN - 8.0
                    && *bottom <= HEIGHT - 24.0;
                assert!(fits, "{mark:?}");
                for ((other_left, other_top, other_right, other_bottom), other) in &extents[place + 1..] {
                    let beside = left >= other_right || other_left >= right;
                    let above = *top >= other_bottom - 0.5 || *other_top >= bottom - 0.5;
                    assert!(beside || above, "{mark:?} and {other:?}");
                }
            }
        }
    }
}

#[test]
fn a_long_document_has_its_table_head_and_its_number_on_every_page() {
    let letters = Letters::open().unwrap();
    let document = longest();
    let pages = compose(&document, &letters);
    assert!(pages.len() > 3, "{} pages", pages.len());
    let mut lines = 0;
    for (place, page) in pages.iter().enumerate() {
        let texts = texts(page);
        let own = texts.iter().filter(|text| text.starts_with("SKUSKU")).count();
        lines += own;
        assert!(own == 0 || texts.contains(&"Description"), "page {place} has lines and no head");
        assert!(texts.contains(&format!("{} · Page {} of {}", document.number, place + 1, pages.len()).as_str()));
    }
    assert_eq!(lines, 50);
    assert_eq!(compose(&invoice(), &letters).len(), 1);
    let all = pages.concat();
    let all = texts(&all);
    for amount in ["1,000,000,000.00", "999,999,999.99", "EUR 59,875,000,000.00", "5,000,000,000.00", "987,500,000.00"]
    {
        assert!(all.iter().any(|text| text.contains(amount)), "{amount} is cut");
    }
}

#[test]
fn a_document_says_what_it_is_for_whom_and_what_it_comes_to() {
    let letters = Letters::open().unwrap();
    let said = |document: &Document| texts(&compose(document, &letters).concat()).join("\n");
    let says = |document: &Document, wanted: &[&str]| {
        let said = said(document);
        for wanted in wanted {
            assert!(said.contains(wanted), "{wanted:?} is not in {said}");
        }
    };
    says(
        &invoice(),
        &[
            "INVOICE",
            "INV-000042",
            "Łukasz Żółć",
            "30-001 Kraków",
            "Tax ID IE 1234567 WA",
            "26 November 2026",
            "1,249.00",
            "1,124.10",
            "23 %",
            "EUR 1,185.10",
            "Shipping: Tracked parcel",
            "discount 124.90 deducted",
            "211.67",
        ],
    );
    says(
        &credit_note(),
        &["CREDIT NOTE", "Corrects invoice", "INV-000042", "Reason: Arrived broken", "EUR 11.25", "0.83"],
    );
    says(&reversal(), &["REVERSAL", "Takes back credit note", "CN-000007", "EUR 11.25"]);
    let free = Document { total: eur(0), taxes: Vec::new(), ..invoice() };
    says(&free, &["There is nothing to pay."]);
    assert!(!said(&free).contains("Paid"));
    says(&Document { buyer: None, ..invoice() }, &["A customer who has deleted their account"]);
}

#[test]
fn amounts_are_written_in_groups_of_three() {
    let yen = |amount| Money::new(amount, "JPY".parse().unwrap());
    for (money, text) in [
        (eur(0), "0.00"),
        (eur(5), "0.05"),
        (eur(99_999), "999.99"),
        (eur(100_000), "1,000.00"),
        (eur(-123_456_789), "−1,234,567.89"),
        (yen(1_500), "1,500"),
        (Money::new(1_500, "KWD".parse().unwrap()), "1.500"),
    ] {
        assert_eq!(amount(money), text);
    }
    assert_eq!(price(yen(150)), "JPY 150");
}
