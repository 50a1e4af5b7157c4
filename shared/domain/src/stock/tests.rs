use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::id::ProductId;

fn place(number: u128) -> LocationId {
    LocationId::new(Uuid::from_u128(number))
}

fn stock(on_hand: &[(u128, i64)], selling: Selling, available: u64) -> Stock {
    Stock { on_hand: on_hand.iter().map(|(at, units)| (place(*at), *units)).collect(), selling, available }
}

fn moved(effect: &Effect) -> Vec<(LocationId, i64)> {
    effect.places.iter().map(|moved| (moved.location_id, moved.units)).collect()
}

fn preorder(up_to: u32) -> Selling {
    Selling::Preorder { up_to, ships_from: "2027-03-01".parse().unwrap() }
}

fn offer(selling: Selling, available: u64, low_stock_at: Option<u32>) -> Offer {
    Offer {
        sku: "TEA".parse().unwrap(),
        product_id: ProductId::new(Uuid::nil()),
        title: "Tea".parse().unwrap(),
        prices: BTreeMap::new(),
        available,
        active: true,
        weight: 0,
        tax_class: "standard".parse().unwrap(),
        category_ids: Vec::new(),
        ordered: 0,
        selling,
        low_stock_at,
        spread: None,
    }
}

fn movement(change: Change, effect: &Effect) -> Movement {
    Movement {
        id: MovementId::new(Uuid::nil()),
        kind: change.kind(),
        units: change.units(),
        places: effect.places.clone(),
        by: Actor::Customer,
        reason: None,
        order_id: None,
        at: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn what_may_be_ordered_beyond_depends_on_how_it_is_sold() {
    let beyond =
        [Selling::Stock, Selling::Backorder { up_to: 7 }, preorder(9), Selling::Untracked].map(Selling::beyond);
    assert_eq!(beyond, [0, 7, 9, WITHOUT_END]);
    assert!(Selling::Stock.is_stock() && !Selling::Untracked.is_stock());
}

#[test]
fn a_sku_says_how_soon_it_can_be_had() {
    use Availability as A;
    let backorder = Selling::Backorder { up_to: 5 };
    for (selling, available, expected) in [
        (Selling::Stock, 0, A::SoldOut),
        (Selling::Stock, 1, A::InStock),
        (backorder, 0, A::SoldOut),
        (backorder, 5, A::Backorder),
        (backorder, 6, A::InStock),
        (preorder(5), 0, A::SoldOut),
        (preorder(5), 6, A::Preorder),
        (Selling::Untracked, WITHOUT_END, A::InStock),
    ] {
        assert_eq!(offer(selling, available, None).availability(), expected, "{selling:?} {available}");
    }
}

#[test]
fn little_is_left_at_the_threshold_and_below_and_never_of_what_nobody_counts() {
    for (selling, available, threshold, expected) in [
        (Selling::Stock, 3, None, false),
        (Selling::Stock, 4, Some(3), false),
        (Selling::Stock, 3, Some(3), true),
        (Selling::Stock, 0, Some(0), true),
        (Selling::Backorder { up_to: 10 }, 14, Some(3), false),
        (Selling::Backorder { up_to: 10 }, 13, Some(3), true),
        (Selling::Backorder { up_to: 10 }, 2, Some(3), true),
        (Selling::Untracked, 1, Some(3), false),
    ] {
        assert_eq!(offer(selling, available, threshold).is_low(), expected, "{selling:?} {available} {threshold:?}");
    }
}

#[test]
fn what_is_for_sale_and_can_be_had_is_orderable() {
    let sold_out = offer(Selling::Stock, 0, None);
    let withdrawn = Offer { active: false, ..offer(Selling::Stock, 1, None) };
    assert!(offer(Selling::Stock, 1, None).is_orderable());
    assert!(!sold_out.is_orderable() && !withdrawn.is_orderable());
}

#[test]
fn what_is_reserved_is_what_is_neither_available_nor_on_hand() {
    assert_eq!(stock(&[(1, 5), (2, 3)], Selling::Stock, 6).reserved(), 2);
    assert_eq!(stock(&[(1, -2)], Selling::Backorder { up_to: 10 }, 5).reserved(), 3);
    assert_eq!(stock(&[], Selling::Untracked, WITHOUT_END - 4).reserved(), 4);
}

#[test]
fn goods_that_come_can_be_ordered_and_lie_where_they_came_to() {
    let before = stock(&[(1, 5)], Selling::Stock, 5);
    for change in [
        Change::Receive { at: place(2), units: 3 },
        Change::Return { at: place(2), units: 3 },
        Change::Correct { at: place(2), units: 3 },
    ] {
        let effect = before.decide(change).unwrap();
        assert_eq!((moved(&effect), effect.available), (vec![(place(2), 3)], 3));
        assert_eq!(before.after(&effect), stock(&[(1, 5), (2, 3)], Selling::Stock, 8));
        assert_eq!(change.units(), 3);
    }
}

#[test]
fn a_sku_has_at_most_a_billion_units() {
    let most = i64::from(MAX_STOCK);
    let full = stock(&[(1, most - 1)], Selling::Stock, 0);
    assert!(full.decide(Change::Receive { at: place(2), units: 1 }).is_ok());
    assert_eq!(full.decide(Change::Receive { at: place(2), units: 2 }), Err(Refusal::TooMany));
    assert_eq!(full.decide(Change::Correct { at: place(2), units: i64::MAX }), Err(Refusal::TooMany));
}

#[test]
fn nothing_is_corrected_away_that_is_not_there_or_is_ordered() {
    let before = stock(&[(1, 5), (2, 3)], Selling::Stock, 4);
    let correct = |at, units| before.decide(Change::Correct { at: place(at), units });
    assert_eq!(correct(2, -3).map(|effect| effect.available), Ok(-3));
    assert_eq!(correct(2, -4), Err(Refusal::NotOnHand { on_hand: 3 }));
    assert_eq!(correct(3, -1), Err(Refusal::NotOnHand { on_hand: 0 }));
    assert_eq!(correct(1, -4).map(|effect| effect.available), Ok(-4));
    assert_eq!(correct(1, -5), Err(Refusal::Ordered { available: 4 }));
    assert_eq!(correct(1, i64::MIN), Err(Refusal::NotOnHand { on_hand: 5 }));
    let owing = stock(&[(1, -2)], Selling::Backorder { up_to: 9 }, 9);
    assert_eq!(owing.decide(Change::Correct { at: place(1), units: -1 }), Err(Refusal::NotOnHand { on_hand: 0 }));
}

#[test]
fn with_backorders_more_may_be_corrected_away_than_nobody_has_ordered() {
    let before = stock(&[(1, 5)], Selling::Backorder { up_to: 3 }, 4);
    let effect = before.decide(Change::Correct { at: place(1), units: -4 }).unwrap();
    assert_eq!(before.after(&effect), stock(&[(1, 1)], Selling::Backorder { up_to: 3 }, 0));
}

#[test]
fn what_is_paid_goes_from_where_most_is_and_is_reserved_no_more() {
    let before = stock(&[(1, 2), (2, 5), (3, 5), (4, 0)], Selling::Stock, 0);
    for (units, expected) in
        [(1, vec![(2, -1)]), (5, vec![(2, -5)]), (6, vec![(2, -5), (3, -1)]), (12, vec![(2, -5), (3, -5), (1, -2)])]
    {
        let effect = before.decide(Change::Sell { units }).unwrap();
        let expected: Vec<_> = expected.into_iter().map(|(at, units)| (place(at), units)).collect();
        assert_eq!((moved(&effect), effect.available), (expected, 0), "{units}");
        assert_eq!(before.after(&effect).reserved(), 12 - i64::from(units));
    }
    assert_eq!(Change::Sell { units: 3 }.units(), -3);
}

#[test]
fn what_is_sold_before_it_is_there_is_owed_by_the_place_that_had_the_most() {
    let sell = |on_hand: &[(u128, i64)], units| {
        moved(&stock(on_hand, Selling::Backorder { up_to: 9 }, 0).decide(Change::Sell { units }).unwrap())
    };
    assert_eq!(sell(&[(1, 1), (2, 3)], 6), [(place(2), -5), (place(1), -1)]);
    assert_eq!(sell(&[(1, -4), (2, -1)], 2), [(place(2), -2)]);
    assert_eq!(sell(&[], 2), [(LocationId::MAIN, -2)]);
}

#[test]
fn what_nobody_counts_goes_from_nowhere_and_can_be_ordered_again() {
    let before = stock(&[(1, 5)], Selling::Untracked, WITHOUT_END - 3);
    let effect = before.decide(Change::Sell { units: 3 }).unwrap();
    assert_eq!(effect, Effect { places: Vec::new(), available: 3 });
    assert_eq!(before.after(&effect).available, WITHOUT_END);
}

#[test]
fn what_an_order_held_can_be_ordered_again_once_it_is_cancelled() {
    let before = stock(&[(1, 5)], Selling::Stock, 2);
    let change = Change::Release { units: 3 };
    let effect = before.decide(change).unwrap();
    assert_eq!((effect.places.len(), effect.available, change.units()), (0, 3, 3));
    assert_eq!((before.reserved(), before.after(&effect).reserved()), (3, 0));
}

#[test]
fn a_sku_is_sold_in_another_way_unless_too_much_of_it_is_ordered() {
    let before = stock(&[(1, 2)], Selling::Backorder { up_to: 5 }, 4);
    assert_eq!(before.sell_as(Selling::Backorder { up_to: 8 }), Ok(3));
    assert_eq!(before.sell_as(Selling::Backorder { up_to: 1 }), Ok(-4));
    assert_eq!(before.sell_as(Selling::Stock), Err(Refusal::Ordered { available: 4 }));
    assert_eq!(before.sell_as(Selling::Untracked), Ok(WITHOUT_END as i64 - 5));
}

#[test]
fn a_place_where_nothing_is_left_is_forgotten() {
    let before = stock(&[(1, 2), (2, 1)], Selling::Stock, 3);
    let effect = before.decide(Change::Correct { at: place(2), units: -1 }).unwrap();
    assert_eq!(before.after(&effect), stock(&[(1, 2)], Selling::Stock, 2));
}

#[test]
fn an_audit_names_what_does_not_add_up() {
    let receive = |at, units| {
        let change = Change::Receive { at: place(at), units };
        movement(change, &stock(&[], Selling::Stock, 0).decide(change).unwrap())
    };
    let ledger = [receive(1, 5), receive(2, 3)];
    assert_eq!(stock(&[(1, 5), (2, 3)], Selling::Stock, 6).audit(2, &ledger), []);
    assert_eq!(
        stock(&[(1, 5), (3, 1)], Selling::Stock, 4).audit(2, &ledger),
        [
            Difference::OnHand { location_id: place(2), on_hand: 0, moved: 3 },
            Difference::OnHand { location_id: place(3), on_hand: 1, moved: 0 },
        ]
    );
    assert_eq!(
        stock(&[(1, 5), (2, 3)], Selling::Stock, 6).audit(3, &ledger),
        [Difference::Reserved { reserved: 2, ordered: 3 }]
    );
}

#[test]
fn the_opening_is_received_at_the_main_place() {
    let id = MovementId::opening(ProductId::new(Uuid::nil()), &"TEA".parse().unwrap());
    let opening = opening(id, 4, Actor::Stripe, Timestamp::UNIX_EPOCH);
    assert_eq!((opening.id, opening.kind, opening.units), (id, MovementKind::Received, 4));
    assert_eq!(opening.places, [Moved { location_id: LocationId::MAIN, units: 4 }]);
}

/// What happens in a shop's day.
#[derive(Clone, Debug)]
enum Step {
    Order(u32),
    /// One of the orders that are not paid yet.
    Pay(usize),
    Cancel(usize),
    Change(Change),
    SellAs(Selling),
}

fn step() -> impl Strategy<Value = Step> {
    let at = (1_u128..4).prop_map(place);
    let change = (at, -20_i64..20, 0..3).prop_map(|(at, units, kind)| match kind {
        0 => Change::Receive { at, units: units.unsigned_abs() as u32 },
        1 => Change::Return { at, units: units.unsigned_abs() as u32 },
        _ => Change::Correct { at, units },
    });
    let selling = prop_oneof![
        Just(Selling::Stock),
        (0_u32..20).prop_map(|up_to| Selling::Backorder { up_to }),
        (0_u32..20).prop_map(preorder),
        Just(Selling::Untracked),
    ];
    prop_oneof![
        4 => (1_u32..10).prop_map(Step::Order),
        3 => any::<usize>().prop_map(Step::Pay),
        1 => any::<usize>().prop_map(Step::Cancel),
        3 => change.prop_map(Step::Change),
        1 => selling.prop_map(Step::SellAs),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_ledger_explains_the_stock_and_no_more_is_ordered_than_may_be(steps in proptest::collection::vec(step(), 1..80)) {
        let mut stock = stock(&[], Selling::Stock, 0);
        let (mut ledger, mut unpaid, mut ordered) = (Vec::new(), Vec::new(), 0_u64);
        let mut only_stock = true;
        for step in steps {
            match step {
                Step::Order(units) if stock.available >= units.into() => {
                    stock.available -= u64::from(units);
                    ordered += u64::from(units);
                    unpaid.push(units);
                }
                Step::Order(_) => {}
                Step::Pay(_) | Step::Cancel(_) if unpaid.is_empty() => {}
                Step::Pay(which) | Step::Cancel(which) => {
                    let units = unpaid.swap_remove(which % unpaid.len());
                    let is_paid = matches!(step, Step::Pay(_));
                    let change = if is_paid { Change::Sell { units } } else { Change::Release { units } };
                    let effect = stock.decide(change).unwrap();
                    ledger.push(movement(change, &effect));
                    stock = stock.after(&effect);
                }
                Step::Change(change) => {
                    if let Ok(effect) = stock.decide(change) {
                        ledger.push(movement(change, &effect));
                        let after = stock.after(&effect);
                        prop_assert_eq!(after.available as i64, stock.available as i64 + effect.available);
                        stock = after;
                    }
                }
                Step::SellAs(selling) => {
                    if let Ok(more) = stock.sell_as(selling) {
                        only_stock &= selling == Selling::Stock;
                        let available = (stock.available as i64 + more) as u64;
                        stock = Stock { selling, available, ..stock };
                    }
                }
            }
            prop_assert_eq!(stock.audit(ordered, &ledger), []);
            prop_assert_eq!(stock.reserved(), unpaid.iter().map(|units| i64::from(*units)).sum::<i64>());
            if only_stock {
                prop_assert!(stock.on_hand.values().all(|units| *units > 0), "{:?}", stock.on_hand);
            }
        }
    }
}
