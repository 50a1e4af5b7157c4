use super::*;

fn refusals(given: &Given) -> Vec<(String, CodeRefusal)> {
    given.totals().discounts.refused.into_iter().map(|refused| (refused.code.to_string(), refused.refusal)).collect()
}

fn entered<const N: usize>(given: Given, codes: [&str; N]) -> Given {
    Given { codes: codes.into_iter().map(code).collect(), ..given }
}

#[test]
fn a_promotion_with_a_code_is_applied_only_when_the_code_is_entered() {
    let given = with(lines([("A", 1, 1_000)]), [by_code("TEN", promotion(1, percent(10)))]);
    assert_eq!(applied(&given.totals()), []);
    let totals = entered(given, ["TEN"]).totals();
    assert_eq!(totals.discounts.applied[0].code, Some(code("TEN")));
    assert_eq!((totals.discounts.refused, totals.total), (vec![], eur(900)));
}

#[test]
fn a_code_that_is_entered_twice_counts_once() {
    let given = with(lines([("A", 1, 1_000)]), [by_code("TEN", promotion(1, percent(10)))]);
    assert_eq!(entered(given.clone(), ["TEN", "TEN"]).totals(), entered(given, ["TEN"]).totals());
    assert_eq!(refusals(&entered(lines([]), ["NONE", "NONE"])), [("NONE".to_owned(), CodeRefusal::Unknown)]);
}

#[test]
fn every_code_that_brings_nothing_says_why() {
    let ten = |id, code| by_code(code, promotion(id, percent(10)));
    let given = with(
        lines([("A", 1, 1_000), ("B", 1, 500)]),
        [
            Promotion { from: Some(at(1)), ..ten(1, "EARLY") },
            Promotion { until: Some(at(0)), ..ten(2, "LATE") },
            ten(3, "USED"),
            Promotion { scope: skus(["X"]), ..ten(4, "OTHER") },
            Promotion { minimum: Some(eur(501)), scope: skus(["B"]), ..ten(5, "SMALL") },
            by_code("FEW", promotion(6, buy_get(2, 1, 100))),
            alone(by_code("WORSE", promotion(7, fixed(1)))),
            ten(8, "GOOD"),
        ],
    );
    let given = Given { used_up: vec![promotion_id(3)], ..given };
    let given = entered(given, ["USED", "NONE", "LATE", "OTHER", "SMALL", "FEW", "WORSE", "EARLY", "GOOD"]);
    let below = CodeRefusal::BelowMinimum { minimum: eur(501), subtotal: eur(500) };
    let expected = [
        ("EARLY", CodeRefusal::NotYet { from: at(1) }),
        ("FEW", CodeRefusal::TooFewUnits { needed: 3, present: 2 }),
        ("LATE", CodeRefusal::Expired { until: at(0) }),
        ("NONE", CodeRefusal::Unknown),
        ("OTHER", CodeRefusal::NothingInScope),
        ("SMALL", below),
        ("USED", CodeRefusal::UsedUp),
        ("WORSE", CodeRefusal::Outdone),
    ];
    assert_eq!(refusals(&given), expected.map(|(code, refusal)| (code.to_owned(), refusal)));
    assert_eq!(applied(&given.totals()), [(promotion_id(8), 150)]);
}

#[test]
fn what_applies_by_itself_but_not_yet_is_not_spoken_of() {
    let given = with(lines([("A", 1, 1_000)]), [Promotion { from: Some(at(1)), ..promotion(1, percent(10)) }]);
    let given = Given { used_up: vec![promotion_id(2)], ..given };
    let discounts = given.totals().discounts;
    assert_eq!((discounts.applied, discounts.outdone, discounts.refused), (vec![], vec![], vec![]));
}

#[test]
fn a_code_of_several_promotions_is_refused_only_when_none_of_them_is_applied() {
    let three = |third: Promotion| {
        let late = |id, until| Promotion { until: Some(at(until)), ..promotion(id, percent(10)) };
        let three = [late(2, -2), late(1, -1), third].map(|promotion| by_code("MANY", promotion));
        entered(with(lines([("A", 1, 1_000)]), three), ["MANY"])
    };
    assert_eq!(refusals(&three(promotion(3, percent(10)))), []);
    let late = Promotion { until: Some(at(-3)), ..promotion(3, percent(10)) };
    assert_eq!(refusals(&three(late)), [("MANY".to_owned(), CodeRefusal::Expired { until: at(-1) })]);
}

#[test]
fn a_code_one_of_whose_promotions_is_applied_is_not_refused_for_the_outdone_one() {
    let given = with(
        lines([("A", 1, 1_000)]),
        [by_code("BOTH", promotion(1, percent(10))), by_code("BOTH", alone(promotion(2, percent(5))))],
    );
    let given = entered(given, ["BOTH"]);
    assert_eq!((refusals(&given), outdone(&given.totals())), (vec![], vec![promotion_id(2)]));
}

#[test]
fn a_code_all_of_whose_promotions_are_outdone_is_refused_once() {
    let given = with(
        lines([("A", 1, 1_000)]),
        [
            promotion(1, percent(10)),
            by_code("BOTH", alone(promotion(3, percent(5)))),
            by_code("BOTH", alone(promotion(2, percent(5)))),
        ],
    );
    let given = entered(given, ["BOTH"]);
    assert_eq!(refusals(&given), [("BOTH".to_owned(), CodeRefusal::Outdone)]);
    assert_eq!(outdone(&given.totals()), [promotion_id(2), promotion_id(3)]);
}
