use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::totals::rounding::spread;

const SKUS: [&str; 6] = ["A", "B", "C", "D", "E", "F"];
const CODES: [&str; 3] = ["ONE", "TWO", "SIX"];

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0_i64..=20, 3 => 0_i64..=2_000, 1 => 0..=MAX_PRICE]
}

fn any_lines() -> impl Strategy<Value = Vec<BasketLine>> {
    let class = select(vec!["standard", "reduced", "zero", "books"]);
    let line_of = move |sku: &'static str| {
        (prop_oneof![3 => 1_i64..=4, 1 => 1_i64..=1000], amount(), 0_u32..=300, class.clone(), 0_u128..3).prop_map(
            move |(units, price, weight_grams, class, category)| BasketLine {
                weight_grams,
                tax_class: class.parse().unwrap(),
                category_ids: vec![category_id(category)],
                ..line(sku, units, price)
            },
        )
    };
    subsequence(SKUS.to_vec(), 0..=SKUS.len())
        .prop_flat_map(move |skus| skus.into_iter().map(line_of.clone()).collect::<Vec<_>>())
}

fn any_effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        (1_i64..=3, 1_i64..=3, 1_i64..=10_000).prop_map(|(buy, get, off)| Effect::BuyXGetY {
            buy: buy.try_into().unwrap(),
            get: get.try_into().unwrap(),
            off: points(off),
        }),
        (1_i64..=10_000).prop_map(|off| Effect::Percentage { off: points(off) }),
        amount().prop_map(fixed),
        Just(Effect::FreeShipping),
    ]
}

fn any_scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::Everything),
        (0_u128..3).prop_map(|id| Scope::Categories { category_ids: vec![category_id(id)] }),
        subsequence(SKUS.to_vec(), 1..=4)
            .prop_map(|skus| Scope::Skus { skus: skus.iter().map(|sku| sku.parse().unwrap()).collect() }),
    ]
}

fn any_promotion(stacking: impl Strategy<Value = Stacking>) -> impl Strategy<Value = Promotion> {
    let trigger = prop_oneof![2 => Just(None), 1 => select(CODES.to_vec()).prop_map(Some)];
    (any_effect(), any_scope(), trigger, proptest::option::weighted(0.2, amount()), -5_i64..50, stacking).prop_map(
        |(effect, scope, trigger, minimum, until, stacking)| Promotion {
            scope,
            trigger: trigger.map_or(Trigger::Automatic, |text| Trigger::Code { code: code(text) }),
            minimum: minimum.map(eur),
            until: Some(at(until)),
            stacking,
            ..promotion(0, effect)
        },
    )
}

fn any_tariff() -> impl Strategy<Value = Tariff> {
    let bands = || proptest::collection::vec((amount(), amount()), 1..4);
    prop_oneof![
        bands().prop_map(|bands| Tariff::Value {
            bands: bands.into_iter().map(|(from, price)| ValueBand { from: eur(from), price: eur(price) }).collect()
        }),
        bands().prop_map(|bands| Tariff::Weight {
            bands: bands
                .into_iter()
                .map(|(grams, price)| WeightBand { up_to_grams: grams.try_into().unwrap(), price: eur(price) })
                .collect()
        }),
    ]
}

fn any_taxes() -> impl Strategy<Value = Taxes> {
    let shipping = prop_oneof![
        Just(ShippingTax::Untaxed),
        select(vec!["standard", "zero"]).prop_map(|class| ShippingTax::Taxed { class: class.parse().unwrap() }),
    ];
    let prices = select(vec![Prices::IncludeTax, Prices::ExcludeTax]);
    (shipping, prices, 0_i64..=10_000, 0_i64..=10_000).prop_map(|(shipping, prices, standard, reduced)| {
        let rates = [("standard", standard), ("reduced", reduced), ("zero", 0)];
        Taxes { prices, shipping, zones: vec![zone(country("DE"), rates)] }
    })
}

fn any_stacking() -> impl Strategy<Value = Stacking> {
    prop_oneof![3 => Just(Stacking::Stacks), 1 => Just(Stacking::Alone)]
}

fn any_given() -> impl Strategy<Value = Given> {
    let promotions = proptest::collection::vec(any_promotion(any_stacking()), 0..6).prop_map(|promotions| {
        (1..).zip(promotions).map(|(id, promotion)| Promotion { id: promotion_id(id), ..promotion }).collect()
    });
    let codes = subsequence(CODES.to_vec(), 0..=CODES.len());
    let destination = proptest::option::weighted(0.8, select(vec!["DE", "DE", "DE", "FR"]));
    let tariff = proptest::option::weighted(0.9, any_tariff());
    (any_lines(), promotions, codes, destination, tariff, any_taxes()).prop_map(
        |(lines, promotions, codes, destination, tariff, taxes)| Given {
            lines,
            promotions,
            used_up: Vec::new(),
            codes: codes.into_iter().map(code).collect(),
            destination: destination.map(country),
            method: tariff.map(|tariff| method(1, tariff)),
            taxes,
        },
    )
}

/// Price, discount, charge and tax.
fn of_shipping(totals: &Totals) -> [i64; 4] {
    match &totals.shipping {
        Shipping::Priced { price, discount, charge, tax, .. } => [price, discount, charge, tax].map(|m| m.amount),
        _ => [0; 4],
    }
}

fn amounts(totals: &Totals) -> Vec<i64> {
    let mut amounts = vec![totals.subtotal.amount, totals.discounts.amount.amount, totals.total.amount];
    amounts.extend(of_shipping(totals));
    amounts.extend(applied(totals).iter().map(|(_, amount)| *amount));
    for line in &totals.lines {
        amounts.extend([line.subtotal.amount, line.discount.amount, line.total.amount]);
        amounts.extend(line.tax.map(|tax| tax.amount));
        amounts.extend(line.discounts.iter().map(|part| part.amount.amount));
    }
    if let Tax::Known { amount, by_rate, .. } = &totals.tax {
        amounts.push(amount.amount);
        amounts.extend(by_rate.iter().flat_map(|rate| [rate.net.amount, rate.amount.amount]));
    }
    amounts
}

proptest! {
    #[test]
    fn nothing_is_negative_and_no_line_is_discounted_by_more_than_itself(given in any_given()) {
        let totals = given.totals();
        prop_assert!(amounts(&totals).iter().all(|amount| *amount >= 0), "{totals:?}");
        for line in &totals.lines {
            prop_assert_eq!(line.subtotal.amount - line.discount.amount, line.total.amount);
        }
    }

    #[test]
    fn the_parts_sum_to_the_total(given in any_given()) {
        let totals = given.totals();
        let [price, discount, charge, shipping_tax] = of_shipping(&totals);
        prop_assert_eq!(price - discount, charge);
        let lines: i64 = totals.lines.iter().map(|line| line.total.amount).sum();
        let mut total = lines + charge;
        if let Tax::Known { amount, prices, by_rate } = &totals.tax {
            let line_taxes: i64 = totals.lines.iter().map(|line| line.tax.unwrap().amount).sum();
            prop_assert_eq!(line_taxes + shipping_tax, amount.amount);
            prop_assert_eq!(by_rate.iter().map(|rate| rate.amount.amount).sum::<i64>(), amount.amount);
            let nets: i64 = by_rate.iter().map(|rate| rate.net.amount).sum();
            let is_shipping_taxed = given.taxes.shipping != ShippingTax::Untaxed;
            let taxed = lines + if is_shipping_taxed { charge } else { 0 };
            match prices {
                Prices::IncludeTax => prop_assert_eq!(nets + amount.amount, taxed),
                Prices::ExcludeTax => {
                    prop_assert_eq!(nets, taxed);
                    total += amount.amount;
                }
            }
        }
        prop_assert_eq!(totals.total.amount, total);
        prop_assert_eq!(totals.subtotal.amount, totals.lines.iter().map(|line| line.subtotal.amount).sum::<i64>());
    }

    #[test]
    fn each_promotion_takes_what_it_took_off_the_lines_and_shipping(given in any_given()) {
        let totals = given.totals();
        let mut off_shipping = 0;
        for (id, amount) in applied(&totals) {
            let parts = totals.lines.iter().flat_map(|line| &line.discounts);
            let off_lines: i64 = parts.filter(|part| part.promotion_id == id).map(|part| part.amount.amount).sum();
            let promotion = given.promotions.iter().find(|promotion| promotion.id == id).unwrap();
            if promotion.effect == Effect::FreeShipping {
                prop_assert_eq!(off_lines, 0);
                off_shipping += amount;
            } else {
                prop_assert_eq!(off_lines, amount);
            }
        }
        prop_assert_eq!(off_shipping, of_shipping(&totals)[1]);
        let all: i64 = applied(&totals).iter().map(|(_, amount)| *amount).sum();
        prop_assert_eq!(totals.discounts.amount.amount, all);
        for line in &totals.lines {
            prop_assert_eq!(line.discount.amount, line.discounts.iter().map(|part| part.amount.amount).sum::<i64>());
        }
    }

    #[test]
    fn the_order_in_which_things_are_given_changes_nothing(
        (given, shuffled) in any_given().prop_flat_map(|given| {
            let parts = (
                Just(given.lines.clone()).prop_shuffle(),
                Just(given.promotions.clone()).prop_shuffle(),
                Just(given.codes.clone()).prop_shuffle(),
            );
            let other = given.clone();
            let shuffled = parts.prop_map(move |(lines, promotions, codes)| Given { lines, promotions, codes, ..other.clone() });
            (Just(given), shuffled)
        })
    ) {
        prop_assert_eq!(given.totals(), shuffled.totals());
    }

    #[test]
    fn every_code_is_that_of_an_applied_promotion_or_refused_once(given in any_given()) {
        let discounts = given.totals().discounts;
        for code in &given.codes {
            let is_applied = discounts.applied.iter().any(|applied| applied.code.as_ref() == Some(code));
            let refusals = discounts.refused.iter().filter(|refused| refused.code == *code).count();
            prop_assert_eq!(refusals, usize::from(!is_applied));
        }
    }

    #[test]
    fn one_promotion_more_never_makes_the_total_higher(
        given in any_given(), added in any_promotion(any_stacking()), id in 0_u128..10
    ) {
        let before = given.totals();
        let taken = given.promotions.iter().any(|promotion| promotion.id == promotion_id(id));
        let id = if taken { 100 } else { id };
        let mut promotions = given.promotions.clone();
        promotions.push(Promotion { id: promotion_id(id), ..added });
        let after = Given { promotions, ..given }.totals();
        let cannot_ship = |totals: &Totals| matches!(totals.shipping, Shipping::CannotShip { .. });
        if cannot_ship(&before) == cannot_ship(&after) {
            prop_assert!(after.total.amount <= before.total.amount);
        } else {
            prop_assert!(cannot_ship(&before));
        }
    }

    #[test]
    fn a_discount_is_spread_within_a_unit_of_exact_proportion(
        weights in proptest::collection::vec(amount(), 1..20), part in 0_i64..=10_000
    ) {
        let whole: i64 = weights.iter().sum();
        let amount = whole * part / 10_000;
        let parts = spread(amount, &weights).unwrap();
        prop_assert_eq!(parts.iter().sum::<i64>(), amount);
        for (part, weight) in parts.into_iter().zip(weights) {
            prop_assert!(part <= weight);
            let error = i128::from(part) * i128::from(whole) - i128::from(amount) * i128::from(weight);
            prop_assert!(whole == 0 || error.abs() < i128::from(whole));
        }
    }

    #[test]
    fn what_is_got_is_the_cheapest_of_all_units(lines in any_lines(), buy in 1_i64..=3, get in 1_i64..=3) {
        let given = Given { lines, ..with(super::lines([]), [promotion(1, buy_get(buy, get, 100))]) };
        let mut units: Vec<i64> = given
            .lines
            .iter()
            .flat_map(|line| std::iter::repeat_n(line.unit_price.amount, line.quantity.get() as usize))
            .collect();
        units.sort();
        let got = units.len() / usize::try_from(buy + get).unwrap() * usize::try_from(get).unwrap();
        prop_assert_eq!(given.totals().discounts.amount.amount, units[..got].iter().sum::<i64>());
    }
}
