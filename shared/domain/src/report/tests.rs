//! What orders come to, however they are paid back; and the days and ranges of reports.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::date;
use proptest::prelude::*;

use super::period::{MAX_DAYS, MAX_PARTS};
use super::*;
use crate::document::tests::{any_wares, decide, eur, failed, made, paid, placed, taxes, wanted, wares};
use crate::message::Actor;
use crate::order::dispute::{Dispute, DisputeStatus, Told};
use crate::order::refund::Wanted;
use crate::order::{Command, Order, Units};
use crate::totals::{Prices, ShippingTax};

/// All that an order comes to.
fn whole(order: &Order) -> (Counts, BTreeMap<String, Sale>) {
    let mut sales: BTreeMap<String, Sale> = BTreeMap::new();
    let mut counts = Counts::default();
    for step in steps(order) {
        counts = counts.plus(step.counts);
        for sold in step.sales {
            let sum = sales.entry(sold.sku.to_string()).or_default();
            *sum = sum.plus(sold.sale);
        }
    }
    (counts, sales)
}

/// 2 × 450 with 8 % and 1 × 999 with 23 % in it, a tenth off, 900 for shipping without tax.
fn some_order() -> Order {
    let wares = wares(&[("TEA", 2, 450, "reduced"), ("CUP", 1, 999, "standard")]);
    placed(&wares, &taxes(Prices::IncludeTax, ShippingTax::Untaxed))
}

fn cancel() -> Command {
    Command::Cancel { reason: None, closed: None }
}

#[test]
fn an_order_counts_when_it_is_placed_and_is_a_sale_when_it_is_paid() {
    let order = some_order();
    let placed = Counts { placed: 1, from_carts: 1, ..Counts::default() };
    assert_eq!(whole(&order), (placed, BTreeMap::new()));
    let (counts, sales) = whole(&paid(&order));
    // A tenth of 1,899 is off; 810 contain 60 of tax, 899 contain 168.
    let expected = Counts { paid: 1, gross: 1_899, discounts: 190, shipping: 900, tax: 228, taken: 2_609, ..placed };
    assert_eq!(counts, expected);
    assert_eq!((counts.net(), counts.average_order()), (2_381, Some(2_609)));
    let sale = |units, net| Sale { units, net };
    assert_eq!(sales, [("TEA".to_owned(), sale(2, 750)), ("CUP".to_owned(), sale(1, 731))].into());
    assert_eq!(counts.taken, counts.gross - counts.discounts + counts.shipping);
}

#[test]
fn an_order_of_a_draft_is_not_from_a_cart() {
    let mut order = some_order();
    order.timeline[0].actor = Actor::Staff { account_id: order.buyer };
    assert_eq!(whole(&order).0, Counts { placed: 1, ..Counts::default() });
}

#[test]
fn what_is_cancelled_once_it_was_paid_leaves_nothing() {
    let cancelled = decide(&paid(&some_order()), cancel());
    let (counts, sales) = whole(&cancelled);
    assert_eq!((counts.refunds, counts.net()), (0, 2_381), "not until the money has gone back");
    assert!(sales.values().all(|sale| sale.units == 0 && sale.net > 0));
    let (counts, sales) = whole(&decide(&cancelled, made(1)));
    assert_eq!((counts.refunds, counts.refunded_tax, counts.net()), (2_609, 228, 0));
    assert!(sales.values().all(|sale| *sale == Sale::default()), "{sales:?}");
    let (counts, sales) = whole(&decide(&decide(&cancelled, made(1)), failed(1)));
    assert_eq!((counts.refunds, counts.refunded_tax, counts.net()), (0, 0, 2_381));
    assert!(sales.values().all(|sale| sale.units == 0 && sale.net > 0), "the money is here, the goods are not sold");
}

#[test]
fn what_is_paid_too_late_is_no_sale() {
    let late = paid(&decide(&some_order(), cancel()));
    let placed = Counts { placed: 1, from_carts: 1, ..Counts::default() };
    assert_eq!(whole(&late), (placed, BTreeMap::new()));
    assert_eq!(whole(&decide(&late, made(1))), (placed, BTreeMap::new()));
}

#[test]
fn units_that_are_paid_back_are_not_sold_and_others_stay_as_they_were() {
    let order = paid(&some_order());
    let units = vec![Units { sku: "CUP".parse().unwrap(), quantity: 1.try_into().unwrap() }];
    let asked = decide(&order, wanted("key", Wanted::Units(units)));
    assert_eq!(whole(&asked), whole(&order), "it is asked for only");
    let (counts, sales) = whole(&decide(&asked, made(1)));
    assert_eq!((counts.refunds, counts.refunded_tax), (899, 168));
    assert_eq!((sales["CUP"], sales["TEA"]), (Sale::default(), Sale { units: 2, net: 750 }));
    let (counts, sales) = whole(&decide(&decide(&asked, made(1)), failed(1)));
    assert_eq!((counts, sales), whole(&order), "a bank has sent it back");
}

#[test]
fn what_a_bank_takes_back_for_good_is_gone() {
    let dispute = |status| {
        let dispute = Dispute {
            stripe: "du_1".into(),
            status,
            amount: eur(2_609),
            reason: "fraudulent".parse().unwrap(),
            opened_at: Timestamp::UNIX_EPOCH,
            due_by: None,
        };
        Command::NoteDispute(Told { intent: "pi_1".into(), dispute }.into())
    };
    let order = paid(&some_order());
    let open = decide(&order, dispute(DisputeStatus::NeedsResponse));
    assert_eq!(whole(&decide(&open, dispute(DisputeStatus::Won))), whole(&order));
    let (counts, _) = whole(&decide(&open, dispute(DisputeStatus::Lost)));
    assert_eq!((counts.refunds, counts.net()), (2_609, 0));
}

#[derive(Clone, Debug)]
enum Deed {
    Amount(i64),
    Units(usize, i64),
    Make(usize),
    Fail(usize),
    Cancel,
}

fn any_deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (1_i64..=100).prop_map(Deed::Amount),
        6 => (0_usize..6, 1_i64..=3).prop_map(|(line, units)| Deed::Units(line, units)),
        8 => (0_usize..20).prop_map(Deed::Make),
        4 => (0_usize..20).prop_map(Deed::Fail),
        1 => Just(Deed::Cancel),
    ]
}

proptest! {
    #[test]
    fn however_an_order_is_paid_back_what_is_counted_is_what_the_order_says_and_every_step_stays(
        wares in any_wares(),
        prices in prop_oneof![Just(Prices::IncludeTax), Just(Prices::ExcludeTax)],
        shipping in prop_oneof![Just(ShippingTax::Untaxed), Just(ShippingTax::Taxed { class: "standard".parse().unwrap() })],
        deeds in proptest::collection::vec(any_deed(), 0..30),
    ) {
        let mut order = paid(&placed(&wares, &taxes(prices, shipping)));
        let mut before = steps(&order);
        for (place, deed) in deeds.into_iter().enumerate() {
            let refunds = order.state.payment().unwrap().refunds.len();
            let pick = |place: usize| u32::try_from(place % refunds.max(1) + 1).unwrap();
            let command = match deed {
                Deed::Amount(percent) => {
                    let left = order.state.payment().unwrap().refundable(order.total).amount;
                    wanted(&place.to_string(), Wanted::Amount(eur((left * percent / 100).max(1))))
                }
                Deed::Units(line, units) => {
                    let sku = order.lines[line % order.lines.len()].sku.clone();
                    let units = vec![Units { sku, quantity: units.try_into().unwrap() }];
                    wanted(&place.to_string(), Wanted::Units(units))
                }
                Deed::Make(place) => made(pick(place)),
                Deed::Fail(place) => failed(pick(place)),
                Deed::Cancel => cancel(),
            };
            let Ok(next) = order.decide(command, Actor::Shop, Timestamp::UNIX_EPOCH) else { continue };
            order = next;
            let now = steps(&order);
            prop_assert_eq!(now.len(), order.timeline.len());
            prop_assert!(now.starts_with(&before), "what happens later changes no step");
            before = now;
            let (counts, sales) = whole(&order);
            let gone = order.state.payment().unwrap().gone_back();
            prop_assert_eq!((counts.taken, counts.refunds), (order.total.amount, gone));
            prop_assert!((0..=counts.tax).contains(&counts.refunded_tax), "{:?}", counts);
            let (units, net) = sales.values().fold((0, 0), |sum, sale| (sum.0 + sale.units, sum.1 + sale.net));
            prop_assert!(sales.values().all(|sale| sale.units >= 0 && sale.net >= 0), "{:?}", sales);
            prop_assert!(net <= counts.net(), "shipping is not of a SKU");
            if gone == order.total.amount {
                prop_assert_eq!((counts.net(), counts.tax, net), (0, counts.refunded_tax, 0));
            }
            if order.state.status().is_given_up() {
                prop_assert_eq!(units, 0);
            }
        }
    }
}

#[test]
fn the_day_is_the_shops() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let berlin = zone("Europe/Berlin").unwrap();
    assert_eq!(day_of(at("2026-03-28T22:59:59Z"), &berlin), date(2026, 3, 28));
    assert_eq!(day_of(at("2026-03-28T23:00:00Z"), &berlin), date(2026, 3, 29));
    // That day has 23 hours, and the one on which summer ends has 25.
    assert_eq!(day_of(at("2026-03-29T21:59:59Z"), &berlin), date(2026, 3, 29));
    assert_eq!(day_of(at("2026-03-29T22:00:00Z"), &berlin), date(2026, 3, 30));
    assert_eq!(day_of(at("2026-10-24T22:00:00Z"), &berlin), date(2026, 10, 25));
    assert_eq!(day_of(at("2026-10-25T22:59:59Z"), &berlin), date(2026, 10, 25));
    let apia = zone("Pacific/Apia").unwrap();
    assert_eq!(day_of(at("2026-01-01T11:00:00Z"), &apia), date(2026, 1, 2));
    for wrong in ["", "Berlin", "Europe/Atlantis", "+01:00", "../etc/passwd"] {
        assert!(zone(wrong).is_err(), "{wrong}");
    }
    assert_eq!(zone("UTC").unwrap().iana_name(), Some("UTC"));
}

#[test]
fn a_range_begins_and_ends_at_the_shops_midnight() {
    let range = Range::new(date(2026, 3, 29), date(2026, 3, 29)).unwrap();
    let (from, before) = range.moments(&zone("Europe/Berlin").unwrap());
    assert_eq!(
        (from.to_string().as_str(), before.to_string().as_str()),
        ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")
    );
    let all = Range::new(date(9999, 12, 31), date(9999, 12, 31)).unwrap();
    assert_eq!(all.moments(&zone("America/New_York").unwrap()).1, Timestamp::MAX);
    // Beyond the last moment that there is, it is empty, and not all of time.
    let (from, before) = all.moments(&zone("America/New_York").unwrap());
    assert!(from >= "9999-12-30T22:00:00Z".parse().unwrap() && before == Timestamp::MAX, "{from}");
    let first = Range::new(date(-9999, 1, 1), date(-9999, 1, 1)).unwrap();
    assert_eq!(first.moments(&zone("Asia/Tokyo").unwrap()).0, Timestamp::MIN);
}

#[test]
fn a_period_ends_today() {
    let today = date(2028, 2, 29);
    let first = |period: Period| period.until(today).first();
    let firsts = Period::ALL.map(|(name, period)| {
        assert_eq!(name.parse(), Ok(period));
        assert_eq!(period.until(today).last(), today);
        (name, first(period), period.until(today).days())
    });
    assert_eq!(
        firsts,
        [
            ("today", date(2028, 2, 29), 1),
            ("7_days", date(2028, 2, 23), 7),
            ("30_days", date(2028, 1, 31), 30),
            ("90_days", date(2027, 12, 2), 90),
            ("year", date(2027, 3, 1), 366),
        ]
    );
    assert!("decade".parse::<Period>().is_err());
}

#[test]
fn a_range_is_neither_backwards_nor_longer_than_it_may_be() {
    let first = date(2020, 1, 1);
    assert!(Range::new(first, date(2019, 12, 31)).is_err());
    let last = first.saturating_add((MAX_DAYS as i64 - 1).days());
    assert_eq!(Range::new(first, last).unwrap().days(), MAX_DAYS);
    assert!(Range::new(first, last.tomorrow().unwrap()).is_err());
    assert!(Range::new(date(-9999, 1, 1), date(9999, 12, 31)).is_err());
    let parts = |days: i64| Range::new(first, first.saturating_add((days - 1).days())).unwrap().by(Interval::Day);
    assert_eq!(parts(MAX_PARTS as i64).unwrap().len(), MAX_PARTS);
    assert!(parts(MAX_PARTS as i64 + 1).is_err());
}

#[test]
fn weeks_begin_on_monday_also_across_years() {
    let range = Range::new(date(2026, 12, 30), date(2027, 1, 12)).unwrap();
    let parts = |interval| {
        let parts = range.by(interval).unwrap();
        parts.iter().map(|part| (part.first(), part.last())).collect::<Vec<_>>()
    };
    let weeks = [
        (date(2026, 12, 30), date(2027, 1, 3)),
        (date(2027, 1, 4), date(2027, 1, 10)),
        (date(2027, 1, 11), date(2027, 1, 12)),
    ];
    assert_eq!(parts(Interval::Week), weeks);
    let months = [(date(2026, 12, 30), date(2026, 12, 31)), (date(2027, 1, 1), date(2027, 1, 12))];
    assert_eq!(parts(Interval::Month), months);
    assert_eq!(range.months().collect::<Vec<_>>(), [date(2026, 12, 1), date(2027, 1, 1)]);
}

proptest! {
    #[test]
    fn the_parts_of_a_range_are_all_of_it_and_each_day_once(first in -4_000_i64..40_000, days in 1_i64..2_000) {
        let first = date(1970, 1, 1).saturating_add(first.days());
        let range = Range::new(first, first.saturating_add((days - 1).days())).unwrap();
        for interval in [Interval::Day, Interval::Week, Interval::Month] {
            let Ok(parts) = range.by(interval) else { prop_assert!(days > 400); continue };
            prop_assert_eq!((parts[0].first(), parts[parts.len() - 1].last()), (range.first(), range.last()));
            for pair in parts.windows(2) {
                prop_assert_eq!(pair[0].last().tomorrow().unwrap(), pair[1].first());
            }
            prop_assert_eq!(parts.iter().map(Range::days).sum::<usize>(), range.days());
        }
    }

    #[test]
    fn ratios_are_rounded_and_never_divide_by_nothing(taken in 0_i64..10_000_000, paid in 0_i64..100, carts in 0_i64..100, from_carts in 0_i64..200) {
        let counts = Counts { taken, paid, carts, from_carts, ..Counts::default() };
        prop_assert_eq!(counts.average_order().is_none(), paid == 0);
        if let Some(average) = counts.average_order() {
            prop_assert!((average * paid - taken).abs() * 2 <= paid);
        }
        if let Some(conversion) = counts.conversion() {
            prop_assert!((conversion * carts - from_carts * 10_000).abs() * 2 <= carts);
        }
    }
}
