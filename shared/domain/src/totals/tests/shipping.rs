use super::*;

/// Price, discount and charge.
fn priced(totals: &Totals) -> (i64, i64, i64) {
    match &totals.shipping {
        Shipping::Priced { price, discount, charge, .. } => (price.amount, discount.amount, charge.amount),
        other => panic!("{other:?}"),
    }
}

#[test]
fn shipping_and_tax_are_unknown_until_the_destination_is_known() {
    let given = Given { method: Some(method(1, by_weight([(1_000, 490)]))), ..lines([("A", 1, 1_000)]) };
    let totals = given.totals();
    assert_eq!((&totals.shipping, &totals.tax), (&Shipping::DestinationUnknown, &Tax::DestinationUnknown));
    assert_eq!((totals.lines[0].tax, totals.total, totals.is_final()), (None, eur(1_000), false));
}

#[test]
fn shipping_is_unknown_until_a_method_is_chosen() {
    let totals = Given { destination: Some(country("DE")), ..lines([("A", 1, 1_000)]) }.totals();
    assert_eq!((&totals.shipping, totals.is_final()), (&Shipping::MethodNotChosen, false));
    assert!(matches!(totals.tax, Tax::Known { .. }));
}

#[test]
fn a_band_by_weight_reaches_up_to_its_edge() {
    // 100 g a unit; bands in no order.
    let price = |units| {
        let given = shipped_to_germany(lines([("A", units, 10), ("B", 1, 10)]), by_weight([(900, 700), (500, 490)]));
        given.totals().shipping
    };
    let charged = |units| match price(units) {
        Shipping::Priced { charge, .. } => charge.amount,
        other => panic!("{other:?}"),
    };
    assert_eq!([charged(3), charged(4), charged(5), charged(8)], [490, 490, 700, 700]);
    assert_eq!(price(9), Shipping::CannotShip { method_id: method_id(1), reason: CannotShip::OutsideEveryBand });
}

#[test]
fn a_band_by_value_starts_at_its_edge_after_discounts() {
    let shipping = |off| {
        let given = with(lines([("A", 1, 3_000)]), [promotion(1, fixed(off))]);
        shipped_to_germany(given, by_value([(2_000, 200), (1_000, 490)])).totals().shipping
    };
    let charged = |off| match shipping(off) {
        Shipping::Priced { charge, .. } => charge.amount,
        other => panic!("{other:?}"),
    };
    assert_eq!([charged(0), charged(1_000), charged(1_500), charged(2_000)], [200, 200, 490, 490]);
    let totals = shipped_to_germany(lines([("A", 1, 999)]), by_value([(2_000, 200), (1_000, 490)])).totals();
    assert_eq!(totals.shipping, Shipping::CannotShip { method_id: method_id(1), reason: CannotShip::OutsideEveryBand });
    assert_eq!((totals.total, totals.is_final()), (eur(999), false));
}

#[test]
fn of_two_bands_with_one_edge_the_cheaper_counts() {
    for tariff in [by_weight([(900, 5), (900, 4), (900, 6)]), by_value([(0, 5), (0, 4), (0, 6)])] {
        assert_eq!(priced(&shipped_to_germany(lines([("A", 1, 100)]), tariff).totals()), (4, 0, 4));
    }
}

#[test]
fn a_method_ships_to_the_places_that_it_serves() {
    let served = |place: Place, destination: Place| {
        let given = shipped_to_germany(lines([("A", 1, 100)]), by_weight([(900, 5)]));
        let method = ShippingMethod { places: vec![country("FR"), place], ..given.method.clone().unwrap() };
        let given = Given { destination: Some(destination), method: Some(method), ..given };
        match given.totals().shipping {
            Shipping::Priced { .. } => true,
            Shipping::CannotShip { reason: CannotShip::DestinationNotServed, .. } => false,
            other => panic!("{other:?}"),
        }
    };
    assert!(served(country("US"), region("US", "CA")));
    assert!(served(region("US", "CA"), region("US", "ca")));
    assert!(!served(region("US", "CA"), region("US", "NY")));
    assert!(!served(region("US", "CA"), country("US")));
    assert!(!served(region("US", "CA"), region("CA", "CA")));
    assert!(!served(country("US"), country("CA")));
}

#[test]
fn free_shipping_takes_off_all_of_it_and_a_second_one_finds_nothing() {
    let given = with(
        lines([("A", 1, 1_000)]),
        [
            promotion(2, Effect::FreeShipping),
            Promotion { minimum: Some(eur(1_000)), ..promotion(1, Effect::FreeShipping) },
            promotion(3, percent(10)),
        ],
    );
    let totals = shipped_to_germany(given, by_weight([(1_000, 490)])).totals();
    assert_eq!(applied(&totals), [(promotion_id(3), 100), (promotion_id(1), 490), (promotion_id(2), 0)]);
    assert_eq!((priced(&totals), totals.discounts.amount, totals.total), ((490, 490, 0), eur(590), eur(900)));
    assert_eq!(line_discounts(&totals), [100]);
}

#[test]
fn free_shipping_asks_for_a_line_in_scope() {
    let free = Promotion { scope: skus(["X"]), ..promotion(1, Effect::FreeShipping) };
    let given = shipped_to_germany(with(lines([("A", 1, 1_000)]), [free]), by_weight([(1_000, 490)]));
    let totals = given.totals();
    assert_eq!((priced(&totals), totals.total, totals.is_final()), ((490, 0, 490), eur(1_490), true));
}

#[test]
fn an_empty_basket_costs_no_shipping() {
    let totals = shipped_to_germany(lines([]), by_weight([(1_000, 490)])).totals();
    assert_eq!((&totals.shipping, totals.total, totals.is_final()), (&Shipping::NothingToShip, eur(0), true));
}

#[test]
fn offers_are_the_methods_that_serve_the_basket_by_what_they_charge() {
    let given = with(lines([("A", 2, 1_000)]), [Promotion { scope: skus(["A"]), ..promotion(1, fixed(500)) }]);
    let given = Given { destination: Some(country("DE")), ..given };
    let abroad = ShippingMethod { places: vec![country("FR")], ..method(4, by_weight([(900, 1)])) };
    let methods = [
        method(5, by_weight([(199, 1)])),
        abroad,
        method(3, by_value([(1_500, 490), (1_501, 0)])),
        method(2, by_weight([(200, 490)])),
        method(1, by_weight([(900, 900)])),
    ];
    let offers = shipping_offers(&given.basket(), &methods, at(0)).unwrap();
    let seen: Vec<_> = offers.iter().map(|offer| (offer.method_id, offer.price.amount, offer.total.amount)).collect();
    assert_eq!(seen, [(method_id(2), 490, 1_990), (method_id(3), 490, 1_990), (method_id(1), 900, 2_400)]);

    let free = with(given.clone(), [promotion(1, Effect::FreeShipping)]);
    let offers = shipping_offers(&free.basket(), &methods[4..], at(0)).unwrap();
    assert_eq!((offers[0].price, offers[0].charge, offers[0].total), (eur(900), eur(0), eur(2_000)));

    let nowhere = Given { destination: None, ..given };
    assert_eq!(shipping_offers(&nowhere.basket(), &methods, at(0)).unwrap(), []);
}

#[test]
fn an_address_is_a_place() {
    let address = Address {
        name: "Ann".parse().unwrap(),
        line1: "1 Main St".parse().unwrap(),
        line2: None,
        city: "Fresno".parse().unwrap(),
        region: Some("CA".parse().unwrap()),
        postal_code: "93650".parse().unwrap(),
        country: "US".parse().unwrap(),
    };
    assert_eq!(Place::from(&address), region("US", "CA"));
}
