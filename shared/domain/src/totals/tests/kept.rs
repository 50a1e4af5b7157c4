use serde_json::json;

use super::*;

#[test]
fn a_promotion_is_kept_as_it_was_set_up() {
    let kept = json!({
        "id": promotion_id(1).to_string(),
        "title": "Two for one",
        "trigger": { "kind": "code", "code": "two-4-one" },
        "effect": { "kind": "buy_x_get_y", "buy": 1, "get": 1, "off": 10_000 },
        "scope": { "kind": "skus", "skus": ["A"] },
        "stacking": "alone",
    });
    let promotion: Promotion = serde_json::from_value(kept).unwrap();
    let expected = Promotion {
        title: "Two for one".parse().unwrap(),
        scope: skus(["A"]),
        ..alone(by_code("TWO-4-ONE", promotion_of(buy_get(1, 1, 100))))
    };
    assert_eq!(promotion, expected);
    let again: Promotion = serde_json::from_value(serde_json::to_value(&promotion).unwrap()).unwrap();
    assert_eq!(again, promotion);
}

fn promotion_of(effect: Effect) -> Promotion {
    promotion(1, effect)
}

#[test]
fn an_effect_that_takes_nothing_or_more_than_all_is_refused() {
    for off in [0, 10_001] {
        let effect = json!({ "kind": "percentage", "off": off });
        assert!(serde_json::from_value::<Effect>(effect).is_err(), "{off}");
    }
}

#[test]
fn taxes_and_methods_are_kept_as_they_were_set_up() {
    let taxes = json!({
        "prices": "include_tax",
        "shipping": { "kind": "taxed", "class": "standard" },
        "zones": [{ "place": { "country": "DE" }, "rates": { "reduced": 700, "standard": 1_900 } }],
    });
    let read: Taxes = serde_json::from_value(taxes.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), taxes);
    let method = json!({
        "id": method_id(1).to_string(),
        "title": "Parcel",
        "places": [{ "country": "US", "region": "CA" }],
        "tariff": { "by": "weight", "bands": [
            { "up_to_grams": 500, "price": { "amount": 490, "currency": "EUR" } },
        ] },
    });
    let read: ShippingMethod = serde_json::from_value(method.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), method);
}

#[test]
fn totals_are_kept_and_what_is_unknown_is_absent() {
    let unknown = lines([("A", 1, 1_000)]).totals();
    let json = serde_json::to_value(&unknown).unwrap();
    assert_eq!(json["tax"], json!({ "status": "destination_unknown" }));
    assert_eq!(json["shipping"], json!({ "status": "destination_unknown" }));
    assert_eq!(json["lines"][0].get("tax"), None);
    assert_eq!(serde_json::from_value::<Totals>(json).unwrap(), unknown);

    let given = with(lines([("A", 1, 1_000)]), [by_code("TEN", promotion(1, percent(10)))]);
    let given = Given { codes: vec![code("TEN"), code("NONE")], ..given };
    let known = shipped_to_germany(given, by_weight([(1_000, 490)])).totals();
    let json = serde_json::to_value(&known).unwrap();
    assert_eq!(json["discounts"]["refused"], json!([{ "code": "NONE", "refusal": { "reason": "unknown" } }]));
    assert_eq!(serde_json::from_value::<Totals>(json).unwrap(), known);
}
