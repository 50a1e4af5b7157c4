use super::*;

#[test]
fn one_that_stands_alone_is_applied_alone_when_that_is_cheaper() {
    let together = [promotion(1, percent(10)), promotion(2, fixed(50))];
    let given = |off| {
        let [one, two] = together.clone();
        with(lines([("A", 1, 1_000)]), [one, two, alone(promotion(3, fixed(off)))])
    };
    // Together: 1,000 - 100 - 50.
    let cheaper_alone = given(151).totals();
    assert_eq!(applied(&cheaper_alone), [(promotion_id(3), 151)]);
    assert_eq!(outdone(&cheaper_alone), [promotion_id(1), promotion_id(2)]);
    for off in [149, 150] {
        let cheaper_together = given(off).totals();
        assert_eq!(applied(&cheaper_together), [(promotion_id(1), 100), (promotion_id(2), 50)], "{off}");
        assert_eq!(outdone(&cheaper_together), [promotion_id(3)]);
    }
}

#[test]
fn of_two_that_stand_alone_the_better_is_applied_and_of_equals_the_lower_id() {
    let chosen = |first, second| {
        let given = with(lines([("A", 1, 1_000)]), [alone(promotion(2, second)), alone(promotion(1, first))]);
        applied(&given.totals())
    };
    assert_eq!(chosen(fixed(99), percent(10)), [(promotion_id(2), 100)]);
    assert_eq!(chosen(fixed(100), percent(10)), [(promotion_id(1), 100)]);
    assert_eq!(chosen(fixed(101), percent(10)), [(promotion_id(1), 101)]);
}

#[test]
fn one_that_stands_alone_is_applied_even_where_it_takes_nothing_if_there_is_no_other() {
    let given = with(lines([("A", 1, 1_000)]), [alone(promotion(1, Effect::FreeShipping))]);
    assert_eq!(applied(&given.totals()), [(promotion_id(1), 0)]);
}

#[test]
fn free_shipping_alone_wins_once_shipping_costs_more_than_the_others_save() {
    let given = with(
        lines([("A", 1, 1_000)]),
        [promotion(1, percent(10)), alone(by_code("FREE", promotion(2, Effect::FreeShipping)))],
    );
    let given = Given { codes: vec![code("FREE")], ..given };
    assert_eq!(outdone(&given.totals()), [promotion_id(2)], "while shipping is not known");
    let totals = shipped_to_germany(given, by_weight([(1_000, 490)])).totals();
    assert_eq!((applied(&totals), totals.total), (vec![(promotion_id(2), 490)], eur(1_000)));
    assert_eq!(totals.discounts.refused, []);
}

#[test]
fn a_promotion_that_would_cost_more_in_shipping_than_it_saves_is_left_out() {
    let given = |off| {
        let given = with(lines([("A", 1, 5_000)]), [by_code("CENT", promotion(1, fixed(off)))]);
        let given = Given { codes: vec![code("CENT")], ..given };
        shipped_to_germany(given, by_value([(0, 490), (5_000, 0)])).totals()
    };
    let left_out = given(489);
    assert_eq!((applied(&left_out), left_out.total), (vec![], eur(5_000)));
    assert_eq!(left_out.discounts.outdone[0].code, Some(code("CENT")));
    assert_eq!(left_out.discounts.refused, [RefusedCode { code: code("CENT"), refusal: CodeRefusal::Outdone }]);
    assert_eq!(applied(&given(490)), [(promotion_id(1), 490)], "not dearer, so it stays");
}

#[test]
fn promotions_that_only_together_cost_more_than_they_save_are_left_out_together() {
    // Under 50.00 shipping is 4.90: two euros off make 52.90, one makes 53.90, none makes 50.00.
    let edge = by_value([(0, 490), (5_000, 0)]);
    let given = with(lines([("A", 1, 5_000)]), [promotion(1, fixed(100)), promotion(2, fixed(100))]);
    let totals = shipped_to_germany(given, edge.clone()).totals();
    assert_eq!((totals.total, outdone(&totals)), (eur(5_000), vec![promotion_id(1), promotion_id(2)]));
    let given = with(lines([("A", 1, 5_000)]), [alone(promotion(1, fixed(100)))]);
    assert_eq!(shipped_to_germany(given, edge).totals().total, eur(5_000));
}

#[test]
fn as_few_as_possible_are_left_out_and_of_equals_the_later() {
    // Under 47.00 shipping is 99.00: of four promotions of one euro, three may stay.
    let given = with(lines([("A", 1, 5_000)]), [4, 2, 1, 3].map(|id| promotion(id, fixed(100))));
    let totals = shipped_to_germany(given, by_value([(0, 9_900), (4_700, 0)])).totals();
    assert_eq!((totals.total, outdone(&totals)), (eur(4_700), vec![promotion_id(4)]));
    // One alone saves the same, and a larger set is preferred to a smaller that saves the same.
    let promotions = [promotion(1, fixed(0)), promotion(2, fixed(100)), alone(promotion(0, fixed(100)))];
    let totals = with(lines([("A", 1, 5_000)]), promotions).totals();
    assert_eq!(applied(&totals), [(promotion_id(1), 0), (promotion_id(2), 100)]);
}

#[test]
fn of_more_than_six_that_stack_all_or_none_are_applied() {
    let total = |count, from| {
        let given = lines([("A", 1, 5_000)]);
        let given = Given { promotions: (1..=count).map(|id| promotion(id, fixed(10))).collect(), ..given };
        shipped_to_germany(given, by_value([(0, 490), (from, 0)])).totals().total
    };
    assert_eq!([total(6, 4_950), total(7, 4_950)], [eur(4_950), eur(5_000)]);
    assert_eq!(total(7, 4_930), eur(4_930));
}

#[test]
fn a_promotion_that_moves_a_rounding_against_the_customer_is_left_out() {
    // With 1: F is 5; 10 % of 20 is 2, off A and F; 3 takes the 4 left of F: 2 + 3 + 3 + 3 + 3 = 14.
    // Without: 10 % of 25 is 3, off A, B and F; 3 takes the 9 left of F: 2 + 2 + 3 + 3 + 3 = 13.
    let given = with(
        lines([("A", 1, 3), ("B", 1, 3), ("C", 1, 3), ("D", 1, 3), ("E", 1, 3), ("F", 1, 10)]),
        [
            Promotion { scope: skus(["F"]), ..promotion(1, percent(50)) },
            promotion(2, percent(10)),
            Promotion { scope: skus(["F"]), ..promotion(3, fixed(9)) },
        ],
    );
    let totals = given.totals();
    assert_eq!((totals.total, outdone(&totals)), (eur(13), vec![promotion_id(1)]));
}

#[test]
fn a_combination_that_cannot_be_shipped_loses_against_one_that_can() {
    let given = with(lines([("A", 1, 5_000)]), [promotion(1, fixed(2_000)), alone(promotion(2, fixed(1_000)))]);
    let totals = shipped_to_germany(given, by_value([(4_000, 300)])).totals();
    assert_eq!((applied(&totals), totals.total), (vec![(promotion_id(2), 1_000)], eur(4_300)));
}
