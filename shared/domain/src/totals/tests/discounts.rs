use super::*;

#[test]
fn a_basket_without_promotions_comes_to_its_lines_in_the_order_of_their_skus() {
    let totals = lines([("B", 2, 250), ("A", 3, 100)]).totals();
    let seen: Vec<_> = totals.lines.iter().map(|line| (line.sku.as_str(), line.total.amount)).collect();
    assert_eq!(seen, [("A", 300), ("B", 500)]);
    assert_eq!((totals.subtotal, totals.discounts.amount, totals.total), (eur(800), eur(0), eur(800)));
}

#[test]
fn an_empty_basket_comes_to_nothing() {
    let totals = with(lines([]), [promotion(1, percent(10))]).totals();
    assert_eq!((totals.subtotal, totals.total), (eur(0), eur(0)));
    assert_eq!((totals.lines, totals.discounts.applied), (vec![], vec![]));
    assert_eq!(totals.shipping, Shipping::NothingToShip);
}

#[test]
fn half_a_cent_off_is_a_cent_off() {
    let off = |points_off, price| {
        let effect = Effect::Percentage { off: points(points_off) };
        with(lines([("A", 1, price)]), [promotion(1, effect)]).totals().discounts.amount.amount
    };
    assert_eq!(off(1_000, 5), 1, "0.5");
    assert_eq!(off(1_000, 4), 0, "0.4");
    assert_eq!(off(1_000, 14), 1, "1.4");
    assert_eq!(off(1_000, 15), 2, "1.5");
    assert_eq!(off(3_333, 100), 33, "33.33");
    assert_eq!(off(1, 5_000), 1, "0.5");
    assert_eq!(off(1, 4_999), 0, "0.4999");
}

#[test]
fn a_percentage_is_rounded_once_and_not_per_line() {
    // 10 % of each line would be 0.4, nothing, three times.
    let totals = with(lines([("A", 1, 4), ("B", 1, 4), ("C", 1, 4)]), [promotion(1, percent(10))]).totals();
    assert_eq!(line_discounts(&totals), [1, 0, 0], "1.2 is 1, and of equal remainders the first SKU has it");
}

#[test]
fn a_discount_is_spread_by_largest_remainder() {
    // 100 over 333, 333 and 334 of 1,000: 33.3, 33.3, 33.4.
    let given = lines([("A", 1, 333), ("B", 1, 333), ("C", 1, 334)]);
    assert_eq!(line_discounts(&with(given.clone(), [promotion(1, fixed(100))]).totals()), [33, 33, 34]);
    // 101: 33.633, 33.633, 33.734: the two that are left go to C and, as first of equals, to A.
    assert_eq!(line_discounts(&with(given.clone(), [promotion(1, fixed(101))]).totals()), [34, 33, 34]);
    assert_eq!(line_discounts(&with(given, [promotion(1, fixed(102))]).totals()), [34, 34, 34], "33.97, 33.97, 34.07");
}

#[test]
fn all_of_a_basket_off_leaves_nothing() {
    let totals = with(lines([("A", 3, 333), ("B", 1, 1)]), [promotion(1, percent(100))]).totals();
    assert_eq!((line_discounts(&totals), totals.total), (vec![999, 1], eur(0)));
}

#[test]
fn a_fixed_amount_beyond_the_basket_takes_the_basket_and_no_more() {
    let totals = with(lines([("A", 1, 300), ("B", 1, 200)]), [promotion(1, fixed(501))]).totals();
    assert_eq!((applied(&totals), totals.total), (vec![(promotion_id(1), 500)], eur(0)));
}

#[test]
fn promotions_are_about_the_lines_in_their_scope() {
    let mut given = lines([("A", 1, 1_000), ("B", 1, 1_000), ("C", 1, 1_000)]);
    given.lines[1].product_id = ProductId::new(Uuid::from_u128(2));
    given.lines[2].category_ids = vec![category_id(7), category_id(8)];
    let off = |scope| {
        let given = with(given.clone(), [Promotion { scope, ..promotion(1, percent(10)) }]);
        line_discounts(&given.totals())
    };
    assert_eq!(off(Scope::Everything), [100, 100, 100]);
    assert_eq!(off(skus(["A", "C", "X"])), [100, 0, 100]);
    assert_eq!(off(Scope::Products { product_ids: vec![ProductId::new(Uuid::from_u128(2))] }), [0, 100, 0]);
    assert_eq!(off(Scope::Categories { category_ids: vec![category_id(8), category_id(9)] }), [0, 0, 100]);
    assert_eq!(off(Scope::Categories { category_ids: vec![category_id(9)] }), [0, 0, 0]);
}

#[test]
fn a_line_names_only_promotions_that_took_something_off_it() {
    let given = with(lines([("A", 1, 1_000), ("B", 1, 0)]), [promotion(1, percent(10)), promotion(2, fixed(0))]);
    let parts: Vec<_> = given.totals().lines.into_iter().map(|line| line.discounts).collect();
    assert_eq!(parts, [vec![LineDiscount { promotion_id: promotion_id(1), amount: eur(100) }], vec![]]);
}

#[test]
fn promotions_are_applied_by_kind_and_id_each_on_what_those_before_left() {
    // 4 units of 1,000. Buy one, get one: 4,000 - 2,000. 10 %: - 200. 50 %: - 900. 100 off: - 100.
    let given = with(
        lines([("A", 4, 1_000)]),
        [
            promotion(1, fixed(100)),
            promotion(3, percent(50)),
            promotion(2, percent(10)),
            promotion(4, buy_get(1, 1, 100)),
            promotion(0, Effect::FreeShipping),
        ],
    );
    let totals = given.totals();
    let in_order: Vec<_> =
        [(4, 2_000), (2, 200), (3, 900), (1, 100), (0, 0)].map(|(id, off)| (promotion_id(id), off)).into();
    assert_eq!((applied(&totals), totals.total), (in_order, eur(800)));
    let parts: Vec<_> = totals.lines[0].discounts.iter().map(|part| part.amount.amount).collect();
    assert_eq!(parts, [2_000, 200, 900, 100]);
    assert_eq!(totals.lines[0].discounts[0].promotion_id, promotion_id(4));
}

#[test]
fn of_three_units_bought_of_two_the_cheapest_is_free() {
    // Dear ones first: 5 + 4 + 3 + 2 = up to 7 units of 500, 400, 300 and 100.
    let free = |units: usize| {
        let prices = [500, 500, 400, 400, 300, 100, 100];
        let mut given = lines([("A", 2, 500), ("B", 2, 400), ("C", 1, 300), ("D", 2, 100)]);
        given.lines = given.lines.into_iter().rev().collect();
        let mut counted = std::collections::BTreeMap::new();
        for price in &prices[..units] {
            *counted.entry(*price).or_insert(0) += 1;
        }
        given.lines.retain_mut(|line| match counted.get(&line.unit_price.amount) {
            Some(units) => {
                line.quantity = i64::from(*units).try_into().unwrap();
                true
            }
            None => false,
        });
        with(given, [promotion(1, buy_get(2, 1, 100))]).totals().discounts.amount.amount
    };
    assert_eq!([1, 2, 3, 4, 5, 6, 7].map(free), [0, 0, 400, 400, 300, 100 + 300, 100 + 100]);
}

#[test]
fn the_units_that_are_got_cost_less_by_the_percentage_and_the_others_cost_the_same() {
    // Six units: two are got, both of B: half of 2 x 99 is 99.
    let totals = with(lines([("A", 3, 400), ("B", 3, 99)]), [promotion(1, buy_get(2, 1, 50))]).totals();
    assert_eq!(line_discounts(&totals), [0, 99]);
    // Seven units of buy 2 get 2: four count twice over, 2 are got.
    let totals = with(lines([("A", 7, 100)]), [promotion(1, buy_get(2, 2, 100))]).totals();
    assert_eq!(line_discounts(&totals), [200]);
}

#[test]
fn of_equally_cheap_units_those_of_the_first_sku_are_got() {
    let totals = with(lines([("B", 2, 100), ("A", 1, 100)]), [promotion(1, buy_get(2, 1, 100))]).totals();
    assert_eq!(line_discounts(&totals), [100, 0]);
}

#[test]
fn units_outside_the_scope_are_neither_bought_nor_got() {
    let given = lines([("A", 2, 500), ("B", 1, 100), ("C", 1, 300)]);
    let scope = skus(["A", "C"]);
    let totals = with(given, [Promotion { scope, ..promotion(1, buy_get(2, 1, 100)) }]).totals();
    assert_eq!(line_discounts(&totals), [0, 0, 300]);
}

#[test]
fn units_are_got_at_what_is_left_of_them() {
    // Buy one get one at 33 % takes 33 of 300; the 267 left are 89 for each of three units; one is got.
    let given = with(lines([("A", 3, 100)]), [promotion(1, buy_get(1, 1, 33)), promotion(2, buy_get(2, 1, 100))]);
    assert_eq!(applied(&given.totals()), [(promotion_id(1), 33), (promotion_id(2), 89)]);
    // 34 % leaves 266: 88, 89 and 89; the cheapest is got, or the two cheapest.
    let given = with(lines([("A", 3, 100)]), [promotion(1, buy_get(1, 1, 34)), promotion(2, buy_get(2, 1, 100))]);
    assert_eq!(applied(&given.totals()), [(promotion_id(1), 34), (promotion_id(2), 88)]);
    let given = with(lines([("A", 3, 100)]), [promotion(1, buy_get(1, 1, 34)), promotion(2, buy_get(1, 2, 100))]);
    assert_eq!(applied(&given.totals()), [(promotion_id(1), 34), (promotion_id(2), 177)]);
    // 32 % leaves 268: 89, 89 and 90.
    let given = with(lines([("A", 3, 100)]), [promotion(1, buy_get(1, 1, 32)), promotion(2, buy_get(1, 2, 100))]);
    assert_eq!(applied(&given.totals()), [(promotion_id(1), 32), (promotion_id(2), 178)]);
}

#[test]
fn a_minimum_is_compared_with_the_undiscounted_lines_in_scope() {
    let minimum = |least| Promotion { minimum: Some(eur(least)), scope: skus(["A"]), ..promotion(2, fixed(100)) };
    let off = |least| {
        let given = with(lines([("A", 1, 1_000), ("B", 1, 5_000)]), [promotion(1, percent(50)), minimum(least)]);
        given.totals().discounts.amount.amount
    };
    assert_eq!(off(1_000), 3_100);
    assert_eq!(off(1_001), 3_000);
}

#[test]
fn a_promotion_is_in_force_from_its_first_moment_and_before_its_end() {
    let off = |from, until| {
        let dated = Promotion { from: Some(at(from)), until: Some(at(until)), ..promotion(1, fixed(10)) };
        with(lines([("A", 1, 100)]), [dated]).totals().discounts.amount.amount
    };
    assert_eq!([off(-1, 1), off(0, 1), off(1, 2), off(-1, 0)], [10, 10, 0, 0]);
}

#[test]
fn basis_points_are_from_1_to_10000() {
    for bad in [i64::MIN, -1, 0, 10_001, 65_537] {
        assert!(BasisPoints::try_from(bad).is_err(), "{bad}");
    }
    for good in [1, 10_000] {
        assert_eq!(i64::from(BasisPoints::try_from(good).unwrap().get()), good);
    }
}
