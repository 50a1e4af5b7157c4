//! Place, pay, expire and cancel at the same moment: every way in which they can cross, up to the bounds that each test
//! names. A counterexample is printed as the steps that lead to it.

mod calls;
mod matrix;
mod model;
mod properties;

use std::collections::BTreeSet;
use std::sync::Arc;

use stateright::{Checker, HasDiscoveries, Model};

use matrix::Matrix;
use model::{Broken, Shop};
use properties::{LEDGER, NOT_NEITHER, PAGE_IS_CLOSED, REFUNDED_ONCE};

fn shop(orders: usize, units: u8, pages: u8, at_once: usize) -> Shop {
    Shop { matrix: Arc::new(Matrix::of(pages)), orders, units, pages, at_once, is_captured_later: false, broken: None }
}

fn assert_that_all_holds(shop: Shop) {
    let known = shop.matrix.states();
    let checker = shop.checker().threads(2).spawn_bfs().join();
    println!("{known} states of an order, {} of the shop, all looked at", checker.unique_state_count());
    checker.assert_properties();
}

/// With one call under way at a moment: between its steps buyers pay, Stripe closes pages, and goods move.
#[test]
fn three_orders_race_for_two_units() {
    assert_that_all_holds(shop(3, 2, 1, 1));
}

#[test]
fn whatever_is_under_way_for_one_order_crosses_all_else() {
    assert_that_all_holds(shop(1, 1, 2, 3));
}

#[test]
fn what_is_captured_later_crosses_all_else() {
    assert_that_all_holds(Shop { is_captured_later: true, ..shop(1, 1, 2, 3) });
}

#[test]
#[ignore = "minutes, five million states: cargo test -p waybill-domain --release --test racing -- --ignored --nocapture"]
fn three_orders_race_for_two_units_with_two_calls_at_every_moment() {
    assert_that_all_holds(shop(3, 2, 1, 2));
}

#[test]
fn a_guard_that_is_taken_away_is_missed() {
    for (broken, missed) in [
        (Broken::PageIsNotClosed, PAGE_IS_CLOSED),
        (Broken::VersionIsNotCompared, NOT_NEITHER),
        (Broken::RefundHasNoKey, REFUNDED_ONCE),
        (Broken::ReleaseHasNoId, LEDGER),
        (Broken::HoldIsNotReleased, PAGE_IS_CLOSED),
    ] {
        let is_captured_later = broken == Broken::HoldIsNotReleased;
        let shop = Shop { broken: Some(broken), is_captured_later, ..shop(1, 1, 1, 2) };
        let checker = shop.checker().finish_when(HasDiscoveries::AnyOf(BTreeSet::from([missed]))).spawn_bfs().join();
        let path = checker.discovery(missed).unwrap_or_else(|| panic!("{broken:?} is not missed"));
        println!("{broken:?}: {:?}", path.into_actions());
    }
}
