use super::*;

#[test]
fn a_limit_is_from_one_to_a_billion_uses_and_nothing_else() {
    for uses in [1, 2, i64::from(MAX_USES) - 1, i64::from(MAX_USES)] {
        let limit = UseLimit::try_from(uses).unwrap();
        assert_eq!((i64::from(limit.get()), i64::from(u32::from(limit))), (uses, uses));
        assert_eq!(serde_json::to_value(limit).unwrap(), serde_json::json!(uses));
    }
    for uses in [i64::MIN, -1, 0, i64::from(MAX_USES) + 1, i64::from(u32::MAX) + 2, i64::MAX] {
        assert!(UseLimit::try_from(uses).is_err(), "{uses}");
        assert!(serde_json::from_value::<UseLimit>(serde_json::json!(uses)).is_err(), "{uses}");
    }
}

#[test]
fn part_of_an_amount_is_from_one_basis_point_to_all_of_it() {
    for points in [1, 10_000] {
        assert_eq!(i64::from(u16::from(BasisPoints::try_from(points).unwrap())), points);
    }
    for points in [-1, 0, 10_001, i64::from(u16::MAX) + 2] {
        assert!(BasisPoints::try_from(points).is_err(), "{points}");
    }
}

#[test]
fn a_promotion_is_limited_by_either_limit() {
    let limited = |limit: Option<i64>, limit_per_customer: Option<i64>| {
        let uses = |limit: Option<i64>| limit.map(|limit| UseLimit::try_from(limit).unwrap());
        let promotion = promotion(1, percent(10));
        Promotion { limit: uses(limit), limit_per_customer: uses(limit_per_customer), ..promotion }.is_limited()
    };
    assert!(!limited(None, None));
    assert!(limited(Some(1), None));
    assert!(limited(None, Some(1)));
    assert!(limited(Some(1), Some(1)));
}

#[test]
fn only_a_scope_of_categories_depends_on_where_products_stand() {
    let line = line("A", 1, 1);
    assert!(Scope::Categories { category_ids: Vec::new() }.is_by_category());
    for scope in [
        Scope::Everything,
        Scope::Products { product_ids: vec![line.product_id] },
        Scope::Skus { skus: vec![line.sku.clone()] },
    ] {
        assert!(!scope.is_by_category(), "{scope:?}");
        assert!(scope.includes(&line), "{scope:?}");
    }
}
