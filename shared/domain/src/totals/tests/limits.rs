use super::*;
use crate::cart::{MAX_LINES, MAX_QUANTITY};

fn refusal(given: &Given) -> MoneyError {
    totals(&given.basket(), at(0)).unwrap_err()
}

fn usd(amount: i64) -> Money {
    Money::new(amount, "USD".parse().unwrap())
}

/// One given for each place where an amount stands, used or not.
fn with_amount_everywhere(amount: Money) -> Vec<Given> {
    let lines = || lines([("A", 1, 1_000)]);
    let tariffs = [
        Tariff::Weight { bands: vec![WeightBand { up_to_grams: 0, price: amount }] },
        Tariff::Value { bands: vec![ValueBand { from: eur(0), price: amount }] },
        Tariff::Value { bands: vec![ValueBand { from: amount, price: eur(0) }] },
    ];
    let mut given: Vec<_> =
        tariffs.into_iter().map(|tariff| Given { method: Some(method(1, tariff)), ..lines() }).collect();
    given.push(with(lines(), [by_code("NEVER", promotion(1, Effect::Fixed { off: amount }))]));
    given.push(with(lines(), [by_code("NEVER", Promotion { minimum: Some(amount), ..promotion(1, percent(1)) })]));
    let mut dear = lines();
    dear.lines[0].unit_price = amount;
    given.push(dear);
    given
}

#[test]
fn an_amount_in_another_currency_is_refused_wherever_it_stands() {
    for given in with_amount_everywhere(usd(1)) {
        let mismatch = MoneyError::CurrencyMismatch(eur(0).currency, usd(0).currency);
        assert_eq!(refusal(&given), mismatch, "{given:?}");
    }
}

#[test]
fn a_negative_amount_is_refused_wherever_it_stands() {
    for given in with_amount_everywhere(eur(-1)) {
        assert_eq!(refusal(&given), MoneyError::Negative, "{given:?}");
    }
    for given in with_amount_everywhere(eur(0)) {
        assert!(totals(&given.basket(), at(0)).is_ok(), "{given:?}");
    }
}

#[test]
fn offers_refuse_what_totals_refuse() {
    let given = lines([("A", 1, -1)]);
    let methods = [method(1, by_weight([(1, 1)]))];
    assert_eq!(shipping_offers(&given.basket(), &methods, at(0)), Err(MoneyError::Negative));
}

fn full(price: i64) -> Given {
    let mut given = lines([]);
    given.lines = (0..MAX_LINES).map(|n| line(&format!("SKU-{n:02}"), MAX_QUANTITY.into(), price)).collect();
    for line in &mut given.lines {
        line.weight_grams = u32::MAX;
    }
    let given =
        with(given, [promotion(1, buy_get(2, 1, 100)), promotion(2, percent(10)), promotion(3, fixed(i64::MAX))]);
    let zones = vec![zone(country("DE"), [("standard", 10_000)])];
    let shipping = ShippingTax::Taxed { class: "standard".parse().unwrap() };
    let taxes = Taxes { prices: Prices::ExcludeTax, shipping, zones };
    Given { taxes, ..shipped_to_germany(given, by_value([(0, MAX_PRICE)])) }
}

#[test]
fn the_fullest_basket_at_the_highest_price_has_a_total() {
    let totals = full(MAX_PRICE).totals();
    assert_eq!(totals.subtotal, eur(5_000_000_000_000));
    let taken: Vec<_> = applied(&totals).into_iter().map(|(_, amount)| amount).collect();
    assert_eq!(taken, [1_666_600_000_000, 333_340_000_000, 3_000_060_000_000], "16,666 units are got");
    assert_eq!(totals.total, eur(2 * MAX_PRICE));
}

#[test]
fn the_heaviest_basket_is_weighed() {
    let heavy = Given { method: Some(method(1, by_weight([(u32::MAX, 1)]))), ..full(1) };
    assert!(matches!(heavy.totals().shipping, Shipping::CannotShip { reason: CannotShip::OutsideEveryBand, .. }));
}

#[test]
fn totals_beyond_64_bits_are_refused() {
    assert_eq!(refusal(&lines([("A", 2, i64::MAX)])), MoneyError::TooLarge);
    assert_eq!(refusal(&lines([("A", 1, i64::MAX), ("B", 1, 1)])), MoneyError::TooLarge);
    let zones = vec![zone(country("DE"), [("standard", 1)])];
    let taxes = Taxes { prices: Prices::ExcludeTax, shipping: ShippingTax::Untaxed, zones };
    let taxed = Given { destination: Some(country("DE")), taxes, ..lines([("A", 1, i64::MAX)]) };
    assert_eq!(refusal(&taxed), MoneyError::TooLarge);
    assert_eq!(lines([("A", 1, i64::MAX)]).totals().total, eur(i64::MAX));
}

#[test]
fn a_line_as_large_as_64_bits_can_be_discounted() {
    let totals = with(lines([("A", 1, i64::MAX - 1), ("B", 1, 1)]), [promotion(1, percent(100))]).totals();
    assert_eq!((line_discounts(&totals), totals.total), (vec![i64::MAX - 1, 1], eur(0)));
}
