//! Orders whose documents are issued: each once, and in all to the cent.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::cart::{PricedLine, Quote};
use crate::id::{AccountId, CartId, ProductId, PromotionId, ShippingMethodId};
use crate::message::Actor;
use crate::order::refund::{self, Outcome, Request, Wanted};
use crate::order::{self, Command, Order, RefundStatus, Units};
use crate::totals::{
    Basket, BasketLine, Effect, Place, Promotion, Scope, ShippingMethod, ShippingTax, Stacking, Tariff, TaxZone, Taxes,
    Trigger, WeightBand, totals,
};

/// Cents for [`Money`].
pub(crate) fn eur(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn letterhead() -> Letterhead {
    let seller = Seller::new("Tea & Cups Ltd", "1 High Street; London N1 1AA", "GB 123 4567 89").unwrap();
    let [invoices, credit_notes, reversals] = ["INV-", "CN-", "RV-"].map(|prefix| prefix.parse().unwrap());
    Letterhead { seller, invoices, credit_notes, reversals }.check().unwrap()
}

fn address() -> Address {
    Address {
        name: "Łukasz Żółć".parse().unwrap(),
        line1: "ul. Długa 1".parse().unwrap(),
        line2: None,
        city: "Kraków".parse().unwrap(),
        region: None,
        postal_code: "30-001".parse().unwrap(),
        country: "PL".parse().unwrap(),
    }
}

/// SKU, units, cents of one, tax class.
pub(crate) type Wares = (String, i64, i64, &'static str);

pub(crate) fn wares(wares: &[(&str, i64, i64, &'static str)]) -> Vec<Wares> {
    wares.iter().map(|(sku, units, cents, class)| ((*sku).to_owned(), *units, *cents, *class)).collect()
}

/// Taxes of 23 and 8 percent and none.
pub(crate) fn taxes(prices: Prices, shipping: ShippingTax) -> Taxes {
    let rate = |class: &str, points: i64| (class.parse().unwrap(), points.try_into().unwrap());
    let place = Place { country: "PL".parse().unwrap(), region: None };
    let rates = [rate("standard", 2_300), rate("reduced", 800), rate("zero", 0)].into();
    Taxes { prices, shipping, zones: vec![TaxZone { place, rates }] }
}

/// A tenth off everything, and nine euros for shipping.
pub(crate) fn placed(wares: &[Wares], taxes: &Taxes) -> Order {
    let product_id = ProductId::new(Uuid::nil());
    let lines: Vec<_> = wares
        .iter()
        .map(|(sku, units, cents, class)| BasketLine {
            sku: sku.parse().unwrap(),
            product_id,
            category_ids: Vec::new(),
            quantity: (*units).try_into().unwrap(),
            unit_price: eur(*cents),
            weight_grams: 100,
            tax_class: class.parse().unwrap(),
        })
        .collect();
    let promotion = Promotion {
        id: PromotionId::new(Uuid::nil()),
        title: "A tenth off".parse().unwrap(),
        trigger: Trigger::Automatic,
        effect: Effect::Percentage { off: 1_000.try_into().unwrap() },
        scope: Scope::Everything,
        minimum: None,
        from: None,
        until: None,
        stacking: Stacking::Stacks,
        limit: None,
        limit_per_customer: None,
    };
    let destination = Place::from(&address());
    let method = ShippingMethod {
        id: ShippingMethodId::new(Uuid::nil()),
        title: "Parcel".parse().unwrap(),
        places: vec![destination.clone()],
        tariff: Tariff::Weight { bands: vec![WeightBand { up_to_grams: u32::MAX, price: eur(900) }] },
    };
    let basket = Basket {
        currency: eur(0).currency,
        lines: &lines,
        promotions: &[promotion],
        used_up: &[],
        codes: &[],
        destination: Some(&destination),
        method: Some(&method),
        taxes,
    };
    let totals = totals(&basket, at(0)).unwrap();
    let priced = lines.iter().map(|line| PricedLine {
        sku: line.sku.clone(),
        product_id,
        title: format!("Fine {}", line.sku).parse().unwrap(),
        quantity: line.quantity,
        unit_price: line.unit_price,
        total: line.unit_price.times(line.quantity.get()).unwrap(),
    });
    let quote = Quote {
        buyer: AccountId::new(Uuid::nil()),
        cart_id: CartId::new(Uuid::nil()),
        cart_version: 1,
        contact: None,
        draft: None,
        lines: priced.collect(),
        totals,
        destination: Some(destination.clone()),
        uses: Vec::new(),
        buckets: Default::default(),
        expires_at: at(0),
    };
    order::place(OrderId::new(Uuid::nil()), quote, "a@example.com".parse().unwrap(), address(), Actor::Customer, at(0))
}

pub(crate) fn decide(order: &Order, command: Command) -> Order {
    order.decide(command, Actor::Shop, at(60)).unwrap()
}

pub(crate) fn paid(order: &Order) -> Order {
    decide(order, Command::Pay { intent: "pi_1".into(), amount: order.total })
}

pub(crate) fn wanted(key: &str, wanted: Wanted) -> Command {
    let request = Request { key: key.into(), fingerprint: key.into() };
    let reason = Some("Arrived broken".parse().unwrap());
    Command::Refund(refund::Command::Request { wanted, reason, request })
}

pub(crate) fn made(number: u32) -> Command {
    let outcome = Outcome::Succeeded { stripe: format!("re_{number}") };
    Command::Refund(refund::Command::Settle { number, outcome })
}

pub(crate) fn failed(number: u32) -> Command {
    let outcome = Outcome::Failed { stripe: Some(format!("re_{number}")) };
    Command::Refund(refund::Command::Settle { number, outcome })
}

/// Issues all that an order is due after what was issued already.
fn issue(order: &Order, issued: &mut Vec<Document>) -> Result<usize, NotDue> {
    let before = issued.len();
    while let Some(draft) = next(order, issued, &letterhead().seller)? {
        let serial = issued.iter().filter(|document| document.subject.series() == draft.series()).count();
        issued.push(draft.issue(&letterhead(), serial as u64 + 1, at(120)));
    }
    Ok(issued.len() - before)
}

/// What the documents come to by rate: net and tax; and in all.
fn sums(documents: &[Document]) -> (BTreeMap<TaxRate, (i64, i64)>, i64) {
    let (mut rates, mut total) = (BTreeMap::new(), 0);
    for document in documents {
        let way = if document.subject.series() == Series::CreditNote { -1 } else { 1 };
        total += way * document.total.amount;
        for RateTax { rate, net, amount } in &document.taxes {
            let (nets, taxes) = rates.entry(*rate).or_insert((0, 0));
            *nets += way * net.amount;
            *taxes += way * amount.amount;
        }
    }
    (rates, total)
}

#[test]
fn an_invoice_says_what_was_sold_to_whom_and_at_which_taxes() {
    let shipping = ShippingTax::Taxed { class: "standard".parse().unwrap() };
    let order = paid(&placed(
        &wares(&[("TEA", 2, 450, "reduced"), ("CUP", 1, 999, "standard")]),
        &taxes(Prices::IncludeTax, shipping),
    ));
    let mut issued = Vec::new();
    assert_eq!(issue(&order, &mut issued), Ok(1));
    insta::assert_snapshot!(serde_json::to_string_pretty(&issued[0]).unwrap());
    assert_eq!(issue(&order, &mut issued), Ok(0), "once");
    let text = serde_json::to_string(&issued).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Document>>(&text).unwrap(), issued);
}

#[test]
fn what_is_not_paid_or_paid_too_late_has_no_documents() {
    let order = placed(&wares(&[("TEA", 1, 450, "reduced")]), &taxes(Prices::IncludeTax, ShippingTax::Untaxed));
    let mut issued = Vec::new();
    let cancelled = decide(&order, Command::Cancel { reason: None, closed: None });
    let late = paid(&cancelled);
    let back = decide(&late, made(1));
    for order in [&order, &cancelled, &late, &back] {
        assert_eq!(issue(order, &mut issued), Ok(0), "{order:?}");
    }
    // What was paid in time is, whatever became of it.
    let cancelled = decide(&paid(&order), Command::Cancel { reason: None, closed: None });
    assert_eq!(issue(&cancelled, &mut issued), Ok(1), "the refund is only asked for");
    assert_eq!(issue(&decide(&cancelled, made(1)), &mut issued), Ok(1));
    assert_eq!(sums(&issued).1, 0);
    assert_eq!(issued.iter().map(|issued| issued.number.as_str()).collect::<Vec<_>>(), ["INV-000001", "CN-000001"]);
}

#[test]
fn an_order_without_anything_to_pay_has_an_invoice() {
    let mut order = placed(&wares(&[("TEA", 1, 450, "reduced")]), &Taxes::default());
    let totals = order.totals.as_mut().unwrap();
    totals.total = eur(0);
    let quote = Quote {
        buyer: order.buyer,
        cart_id: CartId::new(Uuid::nil()),
        cart_version: 1,
        contact: None,
        draft: None,
        lines: order.lines.clone(),
        totals: totals.clone(),
        destination: None,
        uses: Vec::new(),
        buckets: Default::default(),
        expires_at: at(0),
    };
    let free = order::place(order.id, quote, "a@example.com".parse().unwrap(), address(), Actor::Customer, at(0));
    let mut issued = Vec::new();
    assert_eq!(issue(&free, &mut issued), Ok(1));
    assert_eq!(issued[0].total, eur(0));
}

#[test]
fn a_credit_note_of_a_refund_that_came_back_is_reversed_and_what_is_paid_back_instead_has_its_own() {
    let shipping = ShippingTax::Taxed { class: "reduced".parse().unwrap() };
    let order = paid(&placed(
        &wares(&[("TEA", 3, 333, "reduced"), ("CUP", 1, 1_000, "standard")]),
        &taxes(Prices::ExcludeTax, shipping),
    ));
    let mut issued = Vec::new();
    let one = vec![Units { sku: "TEA".parse().unwrap(), quantity: 1.try_into().unwrap() }];
    let order = decide(&order, wanted("one", Wanted::Units(one)));
    assert_eq!(issue(&order, &mut issued), Ok(1));
    let order = decide(&order, made(1));
    assert_eq!(issue(&order, &mut issued), Ok(1));
    insta::assert_snapshot!(serde_json::to_string_pretty(&issued[1]).unwrap());
    let order = decide(&order, failed(1));
    let all = decide(&order, wanted("all", Wanted::Amount(order.total)));
    let all = decide(&all, made(2));
    // Both at once: the failure's own message was late.
    assert_eq!(issue(&all, &mut issued), Ok(2));
    let about = |document: &Document| document.subject.clone();
    let reversed =
        Subject::Reversal { invoice: issued[0].number.clone(), credit_note: issued[1].number.clone(), refund: 1 };
    assert_eq!(about(&issued[2]), reversed);
    assert!(matches!(about(&issued[3]), Subject::CreditNote { refund: 2, .. }));
    assert_eq!((issued[2].total, &issued[2].taxes), (issued[1].total, &issued[1].taxes));
    let (rates, total) = sums(&issued);
    assert!(total == 0 && rates.values().all(|sums| *sums == (0, 0)), "{rates:?}");
    assert_eq!(issue(&all, &mut issued), Ok(0));
}

#[test]
fn a_refund_beyond_the_invoice_waits_until_the_one_before_has_failed() {
    let order = paid(&placed(&wares(&[("TEA", 1, 450, "reduced")]), &taxes(Prices::IncludeTax, ShippingTax::Untaxed)));
    let mut issued = Vec::new();
    let all = decide(&order, wanted("all", Wanted::Amount(order.total)));
    let all = decide(&all, made(1));
    assert_eq!(issue(&all, &mut issued), Ok(2));
    // Made at Stripe, after the first had come back; its event was the faster one.
    let note = refund::Command::Note {
        intent: "pi_1".into(),
        amount: eur(100),
        outcome: Outcome::Succeeded { stripe: "re_2".into() },
    };
    let again = decide(&all, Command::Refund(note));
    assert_eq!(issue(&again, &mut issued), Err(NotDue::TooMuch { refund: 2, left: eur(0) }));
    assert_eq!(issue(&decide(&again, failed(1)), &mut issued), Ok(2));
}

#[test]
fn an_order_from_before_totals_were_kept_and_of_somebody_who_left_has_documents() {
    let mut order = paid(&placed(&wares(&[("TEA", 2, 450, "reduced")]), &Taxes::default()));
    order.totals = None;
    order.contact = order::Contact::Forgotten { forgotten_at: at(90) };
    let order = decide(&decide(&order, wanted("one", Wanted::Amount(eur(100)))), made(1));
    let mut issued = Vec::new();
    assert_eq!(issue(&order, &mut issued), Ok(2));
    assert_eq!((issued[0].buyer.as_ref(), issued[0].taxes.len(), issued[1].total), (None, 0, eur(100)));
}

#[test]
fn numbers_prefixes_and_sellers_are_read_or_refused() {
    for bad in ["", "inv-", "INV1", "INV_", "AN-INVOICE-NO-", "INV "] {
        assert!(bad.parse::<Prefix>().is_err(), "{bad:?}");
    }
    for good in ["INV-", "R", "2026-", "AN-INVOICES-"] {
        let number = DocumentNumber::new(&good.parse().unwrap(), 1);
        assert_eq!(number.as_str().parse(), Ok(number.clone()));
    }
    assert_eq!(DocumentNumber::new(&"INV-".parse().unwrap(), 1_234_567).as_str(), "INV-1234567");
    for bad in ["INV-00001", "INV000001x", "000001", "inv-000001", "INV-000001/..", ""] {
        assert!(bad.parse::<DocumentNumber>().is_err(), "{bad:?}");
    }
    assert!(Seller::new("", "1 High Street", "").is_err());
    assert!(Seller::new("Shop", "1;2;3;4;5;6;7", "").is_err());
    assert_eq!(Seller::new("Shop", " 1 High Street ; ;London", " ").unwrap().address.len(), 2);
    let same = Letterhead { credit_notes: "INV-".parse().unwrap(), ..letterhead() };
    assert!(same.check().is_err());
}

#[derive(Clone, Debug)]
enum Step {
    Amount(i64),
    Units(usize, i64),
    Make(usize),
    Fail(usize),
    Issue,
}

pub(crate) fn any_wares() -> impl Strategy<Value = Vec<Wares>> {
    let class = prop_oneof![Just("standard"), Just("reduced"), Just("zero")];
    let one = (1_i64..=5, prop_oneof![1_i64..=9, 1_i64..=30_000], class);
    proptest::collection::vec(one, 1..6).prop_map(|wares| {
        let wares = wares.into_iter().enumerate();
        wares.map(|(place, (units, cents, class))| (format!("SKU-{place}"), units, cents, class)).collect()
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_i64..=100).prop_map(Step::Amount),
        (0_usize..6, 1_i64..=3).prop_map(|(line, units)| Step::Units(line, units)),
        (0_usize..20).prop_map(Step::Make),
        (0_usize..20).prop_map(Step::Fail),
        Just(Step::Issue),
    ]
}

proptest! {
    /// However an order is paid back, by amounts, by units, what comes back in between, and whenever documents are issued.
    #[test]
    fn what_credit_notes_leave_of_an_invoice_is_what_is_left_of_the_payment_and_in_the_end_nothing(
        wares in any_wares(),
        prices in prop_oneof![Just(Prices::IncludeTax), Just(Prices::ExcludeTax)],
        shipping in prop_oneof![Just(ShippingTax::Untaxed), Just(ShippingTax::Taxed { class: "standard".parse().unwrap() })],
        steps in proptest::collection::vec(any_step(), 0..40),
    ) {
        let mut order = paid(&placed(&wares, &taxes(prices, shipping)));
        let mut issued = Vec::new();
        let try_to = |order: &mut Order, command: Command| {
            if let Ok(next) = order.decide(command, Actor::Shop, at(60)) {
                *order = next;
            }
        };
        let refunds = |order: &Order| order.state.payment().map(|payment| payment.refunds.clone()).unwrap_or_default();
        for (place, step) in steps.into_iter().enumerate() {
            let key = place.to_string();
            let pick = |place: usize| u32::try_from(place % refunds(&order).len().max(1) + 1).unwrap();
            match step {
                Step::Amount(percent) => {
                    let left = order.state.payment().unwrap().refundable(order.total).amount;
                    let amount = (left * percent / 100).max(1);
                    try_to(&mut order, wanted(&key, Wanted::Amount(eur(amount))));
                }
                Step::Units(line, units) => {
                    let sku = order.lines[line % order.lines.len()].sku.clone();
                    let units = vec![Units { sku, quantity: units.try_into().unwrap() }];
                    try_to(&mut order, wanted(&key, Wanted::Units(units)));
                }
                Step::Make(place) => { let number = pick(place); try_to(&mut order, made(number)) }
                Step::Fail(place) => { let number = pick(place); try_to(&mut order, failed(number)) }
                Step::Issue => { issue(&order, &mut issued).unwrap(); }
            }
        }
        issue(&order, &mut issued).unwrap();
        let kept = order.total.amount - order.state.payment().unwrap().gone_back();
        let (rates, total) = sums(&issued);
        prop_assert_eq!(total, kept);
        prop_assert!(rates.values().all(|(net, tax)| *net >= 0 && *tax >= 0), "{:?}", rates);
        for document in &issued {
            let (mut gross, mut is_whole) = (0, true);
            for RateTax { net, amount, .. } in &document.taxes {
                gross += net.amount + amount.amount;
                is_whole &= net.amount >= 0 && amount.amount >= 0;
            }
            prop_assert!(is_whole && gross <= document.total.amount, "{:?}", document);
        }
        let notes = |series: Series| issued.iter().filter(|issued| issued.subject.series() == series).count();
        let succeeded = refunds(&order).iter().filter(|refund| refund.state.status() == RefundStatus::Succeeded).count();
        prop_assert_eq!(notes(Series::Invoice), 1);
        prop_assert_eq!(notes(Series::CreditNote) - notes(Series::Reversal), succeeded);
        // All that is left goes back: then nothing is left of any tax.
        for refund in refunds(&order) {
            try_to(&mut order, made(refund.number));
        }
        let left = order.state.payment().unwrap().refundable(order.total);
        let before = refunds(&order).len();
        if left.amount > 0 {
            try_to(&mut order, wanted("the rest", Wanted::Amount(left)));
            prop_assume!(refunds(&order).len() > before);
            let last = u32::try_from(refunds(&order).len()).unwrap();
            try_to(&mut order, made(last));
        }
        issue(&order, &mut issued).unwrap();
        let (rates, total) = sums(&issued);
        prop_assert_eq!(total, 0);
        prop_assert!(rates.values().all(|sums| *sums == (0, 0)), "{:?}", rates);
    }
}
