use super::*;

fn taxed<const N: usize>(given: Given, prices: Prices, zones: [TaxZone; N]) -> Given {
    let taxes = Taxes { prices, shipping: ShippingTax::Untaxed, zones: zones.into() };
    Given { destination: Some(country("DE")), taxes, ..given }
}

fn germany() -> TaxZone {
    zone(country("DE"), [("standard", 1_900), ("reduced", 700), ("zero", 0)])
}

fn of_class(class: &str, line: BasketLine) -> BasketLine {
    BasketLine { tax_class: class.parse().unwrap(), ..line }
}

/// The tax in all, and per rate the rate, what is taxed and the tax.
fn known(totals: &Totals) -> (i64, Vec<(u16, i64, i64)>) {
    match &totals.tax {
        Tax::Known { amount, by_rate, .. } => {
            let rate = |rate: &RateTax| (rate.rate.get(), rate.net.amount, rate.amount.amount);
            (amount.amount, by_rate.iter().map(rate).collect())
        }
        Tax::DestinationUnknown => panic!("the destination is known"),
    }
}

#[test]
fn tax_that_prices_include_is_contained_in_the_total() {
    let totals = taxed(lines([("A", 1, 11_900)]), Prices::IncludeTax, [germany()]).totals();
    assert_eq!(known(&totals), (1_900, vec![(1_900, 10_000, 1_900)]));
    assert_eq!((totals.lines[0].tax, totals.lines[0].total), (Some(eur(1_900)), eur(11_900)));
    assert_eq!(totals.total, eur(11_900));
    assert!(matches!(totals.tax, Tax::Known { prices: Prices::IncludeTax, .. }));
}

#[test]
fn tax_that_prices_exclude_is_added_to_the_total_and_not_to_the_lines() {
    let totals = taxed(lines([("A", 1, 10_000)]), Prices::ExcludeTax, [germany()]).totals();
    assert_eq!(known(&totals), (1_900, vec![(1_900, 10_000, 1_900)]));
    assert_eq!((totals.lines[0].tax, totals.lines[0].total), (Some(eur(1_900)), eur(10_000)));
    assert_eq!(totals.total, eur(11_900));
}

#[test]
fn tax_contained_in_a_price_is_rounded_half_away_from_zero() {
    let tax = |price| known(&taxed(lines([("A", 1, price)]), Prices::IncludeTax, [germany()]).totals()).0;
    assert_eq!([tax(1), tax(3), tax(4), tax(9), tax(10)], [0, 0, 1, 1, 2], "0.16, 0.48, 0.64, 1.44, 1.60");
    let at_100_percent = |price| {
        let zone = zone(country("DE"), [("standard", 10_000)]);
        known(&taxed(lines([("A", 1, price)]), Prices::IncludeTax, [zone]).totals()).0
    };
    assert_eq!([at_100_percent(1), at_100_percent(3)], [1, 2], "0.5, 1.5");
}

#[test]
fn tax_is_rounded_on_each_line_by_itself() {
    // 19 % of 3 is 0.57: a cent on each line, where 19 % of 9 would be 2.
    let given = taxed(lines([("A", 1, 3), ("B", 1, 3), ("C", 1, 3)]), Prices::ExcludeTax, [germany()]);
    assert_eq!(known(&given.totals()), (3, vec![(1_900, 9, 3)]));
}

#[test]
fn tax_is_on_what_discounts_leave() {
    let given = with(lines([("A", 1, 1_000), ("B", 1, 1_000)]), [promotion(1, fixed(1_000))]);
    let totals = taxed(given, Prices::ExcludeTax, [germany()]).totals();
    assert_eq!((known(&totals).0, totals.total), (2 * 95, eur(1_190)));
}

#[test]
fn tax_is_told_by_rate_in_order_and_zero_is_a_rate() {
    let mut given = lines([("A", 1, 1_000), ("B", 1, 1_000), ("C", 1, 1_000), ("D", 1, 500)]);
    given.lines[1] = of_class("reduced", given.lines[1].clone());
    given.lines[2] = of_class("zero", given.lines[2].clone());
    let totals = taxed(given, Prices::ExcludeTax, [germany()]).totals();
    let by_rate = vec![(0, 1_000, 0), (700, 1_000, 70), (1_900, 1_500, 285)];
    assert_eq!((known(&totals), totals.total), ((355, by_rate), eur(3_855)));
}

#[test]
fn the_zone_of_a_region_wins_over_that_of_its_country_wherever_it_stands() {
    let de = zone(country("DE"), [("standard", 1_900)]);
    let island = zone(region("DE", "Helgoland"), [("standard", 100)]);
    let other_island = zone(region("DE", "Sylt"), [("standard", 200)]);
    let fr = zone(country("FR"), [("standard", 2_000)]);
    let orders = [[fr.clone(), de.clone(), island.clone(), other_island.clone()], [other_island, island, de, fr]];
    for zones in orders {
        let tax = |destination| {
            let given = taxed(lines([("A", 1, 10_000)]), Prices::ExcludeTax, zones.clone());
            known(&Given { destination: Some(destination), ..given }.totals()).0
        };
        assert_eq!(tax(region("DE", "HELGOLAND")), 100);
        assert_eq!(tax(region("DE", "Hessen")), 1_900);
        assert_eq!(tax(country("DE")), 1_900);
        assert_eq!(tax(country("FR")), 2_000);
        assert_eq!(tax(country("US")), 0);
    }
}

#[test]
fn a_class_that_a_zone_does_not_name_is_taxed_as_standard() {
    let tax = |zone| {
        let mut given = lines([("A", 1, 10_000)]);
        given.lines[0] = of_class("books", given.lines[0].clone());
        known(&taxed(given, Prices::ExcludeTax, [zone]).totals())
    };
    assert_eq!(tax(germany()), (1_900, vec![(1_900, 10_000, 1_900)]));
    assert_eq!(tax(zone(country("DE"), [("books", 500), ("standard", 1_900)])), (500, vec![(500, 10_000, 500)]));
    assert_eq!(tax(zone(country("DE"), [("reduced", 500)])), (0, vec![(0, 10_000, 0)]));
}

#[test]
fn shipping_is_taxed_by_its_own_class_on_what_is_charged() {
    let shipped = |prices, shipping, promotions: Vec<Promotion>| {
        let given = taxed(lines([("A", 1, 1_000)]), prices, [germany()]);
        let taxes = Taxes { shipping, ..given.taxes.clone() };
        shipped_to_germany(Given { promotions, taxes, ..given }, by_weight([(1_000, 500)])).totals()
    };
    let reduced = || ShippingTax::Taxed { class: "reduced".parse().unwrap() };
    let tax = |totals: &Totals| match &totals.shipping {
        Shipping::Priced { tax, charge, .. } => (charge.amount, tax.amount),
        other => panic!("{other:?}"),
    };

    let excluded = shipped(Prices::ExcludeTax, reduced(), vec![]);
    assert_eq!((tax(&excluded), excluded.total), ((500, 35), eur(1_000 + 190 + 500 + 35)));
    assert_eq!(known(&excluded), (225, vec![(700, 500, 35), (1_900, 1_000, 190)]));

    let included = shipped(Prices::IncludeTax, reduced(), vec![]);
    assert_eq!((tax(&included), included.total), ((500, 33), eur(1_500)), "500 x 7 / 107 is 32.7");
    assert_eq!(known(&included), (193, vec![(700, 467, 33), (1_900, 840, 160)]));

    let untaxed = shipped(Prices::ExcludeTax, ShippingTax::Untaxed, vec![]);
    assert_eq!((tax(&untaxed), untaxed.total), ((500, 0), eur(1_690)));
    assert_eq!(known(&untaxed), (190, vec![(1_900, 1_000, 190)]));

    let free = shipped(Prices::ExcludeTax, reduced(), vec![promotion(1, Effect::FreeShipping)]);
    assert_eq!((tax(&free), free.total), ((0, 0), eur(1_190)));
}

#[test]
fn shipping_that_is_not_priced_is_not_taxed() {
    let given = taxed(lines([("A", 1, 1_000)]), Prices::ExcludeTax, [germany()]);
    let taxes = Taxes { shipping: ShippingTax::Taxed { class: "reduced".parse().unwrap() }, ..given.taxes.clone() };
    let totals = Given { taxes, ..given }.totals();
    assert_eq!(known(&totals), (190, vec![(1_900, 1_000, 190)]));
}

#[test]
fn a_tax_rate_is_from_0_to_10000_basis_points() {
    for bad in [i64::MIN, -1, 10_001, 65_536] {
        assert!(TaxRate::try_from(bad).is_err(), "{bad}");
    }
    for good in [0, 10_000] {
        assert_eq!(i64::from(TaxRate::try_from(good).unwrap().get()), good);
    }
}
