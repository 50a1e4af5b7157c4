//! An order's items, made as storage makes them; a million single writes would take hours. [`check`] holds them against
//! what storage writes, so that they cannot become others unseen.

use std::fmt::Display;

use dynoxide::{AttributeValue, Item};
use serde::Serialize;
use serde_json::json;
use waybill_domain::order::Order;
use waybill_domain::report::steps;
use waybill_storage::order_counts::OrderCounts;
use waybill_storage::orders::OrderSummary;

use crate::shop::Shop;

/// Of the requests that placed the orders: as long as a hash.
pub const FINGERPRINT: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// All that is kept of an order: itself, what of it was counted, and that its SKUs were ordered with it. `change` is the
/// number that its last change knows itself by.
pub fn of(order: &Order, change: u64) -> Vec<Item> {
    let (id, number, status) = (order.id, order.id.number(), order.state.status());
    let time = format!("{:013}#{id}", order.placed_at.as_millisecond());
    let summary = OrderSummary {
        id,
        number,
        email: order.contact.email().cloned(),
        total: order.total,
        units: order.lines.iter().map(|line| line.quantity.get()).sum(),
        payment_status: order.payment_status(),
        fulfilment_status: order.fulfilment_status(),
        placed_at: order.placed_at,
    };
    let mut whole = keyed(order, format!("ORDER#{number}"), "ORDER");
    for (attribute, text) in [
        ("gsi1pk", format!("ACCOUNT#{}#ORDERS", order.buyer)),
        ("gsi1sk", time.clone()),
        ("gsi2pk", format!("ORDERS#{}", status.as_str())),
        ("gsi2sk", time.clone()),
        ("fingerprint", FINGERPRINT.to_owned()),
    ] {
        whole.insert(attribute.to_owned(), AttributeValue::S(text));
    }
    whole.insert("summary".to_owned(), AttributeValue::M(fields(&summary)));
    whole.insert("version".to_owned(), AttributeValue::N(order.version().to_string()));
    if order.version() > 1 {
        whole.insert("change".to_owned(), AttributeValue::N(change.to_string()));
    }
    let counted = steps(order).iter().rposition(|step| !step.is_empty()).unwrap() + 1;
    let counted = json!({
        "g1": counted,
        "version": order.version(),
        "status": status,
        "payment_status": order.payment_status(),
        "fulfilment_status": order.fulfilment_status(),
    });
    let mut items = vec![whole, keyed(&counted, format!("TALLIED#{number}"), "TALLIED")];
    for line in &order.lines {
        items.push(keyed(&json!({ "summary": { "id": id } }), format!("SKU#{}#ORDERS", line.sku), &time));
    }
    items
}

/// How many orders stand where.
pub fn counts(counts: &OrderCounts) -> Item {
    let mut item = keyed(&json!({}), "ORDER_COUNTS".to_owned(), "ORDER_COUNTS");
    let counts = serde_json::to_value(counts).unwrap();
    for (kind, standings) in counts.as_object().unwrap() {
        for (standing, orders) in standings.as_object().unwrap() {
            item.insert(format!("{kind}#{standing}"), AttributeValue::N(orders.to_string()));
        }
    }
    item
}

/// Fails unless the items of an order that storage wrote are those that are made here, to the last attribute.
pub async fn check(shop: &Shop, order: &Order) {
    for made in of(order, 0) {
        let made = serde_json::to_value(made).unwrap();
        let key = |attribute: &str| made[attribute]["S"].as_str().unwrap();
        let mut written = shop.stored(key("pk"), key("sk")).await;
        if let Some(change) = written.get_mut("change") {
            // It is another each time.
            assert!(change["N"].is_string());
            change["N"] = json!("0");
        }
        assert_eq!(written, made, "storage writes this otherwise by now; benches/history/items.rs has to follow");
    }
}

fn keyed(value: &impl Serialize, pk: String, sk: impl Display) -> Item {
    let mut item = fields(value);
    item.insert("pk".to_owned(), AttributeValue::S(pk));
    item.insert("sk".to_owned(), AttributeValue::S(sk.to_string()));
    item
}

fn fields(value: &impl Serialize) -> Item {
    let item: serde_dynamo::Item = serde_dynamo::to_item(value).unwrap();
    item.into_inner().into_iter().map(|(name, value)| (name, as_engine_has_it(value))).collect()
}

fn as_engine_has_it(value: serde_dynamo::AttributeValue) -> AttributeValue {
    match value {
        serde_dynamo::AttributeValue::S(text) => AttributeValue::S(text),
        serde_dynamo::AttributeValue::N(number) => AttributeValue::N(number),
        serde_dynamo::AttributeValue::Bool(yes) => AttributeValue::BOOL(yes),
        serde_dynamo::AttributeValue::Null(null) => AttributeValue::NULL(null),
        serde_dynamo::AttributeValue::L(values) => {
            AttributeValue::L(values.into_iter().map(as_engine_has_it).collect())
        }
        serde_dynamo::AttributeValue::M(fields) => {
            AttributeValue::M(fields.into_iter().map(|(name, value)| (name, as_engine_has_it(value))).collect())
        }
        other => panic!("orders have no {other:?}"),
    }
}
