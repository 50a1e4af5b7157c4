//! Whether a shop's books add up, once all that was begun has come to its end: orders with their timelines, and with what
//! Stripe has.

use std::collections::BTreeMap;

use serde_json::Value;
use waybill_domain::Timestamp;

/// What happened, so that a test of nothing is found out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub orders: usize,
    pub paid: usize,
    pub refunded: usize,
    pub given_up: usize,
}

impl Tally {
    pub fn of<'a>(orders: impl IntoIterator<Item = &'a Value>) -> Tally {
        let mut tally = Tally::default();
        for order in orders {
            let events = events(order);
            tally.orders += 1;
            tally.paid += usize::from(events.contains(&"order.paid"));
            tally.refunded += usize::from(events.contains(&"order.refunded"));
            tally.given_up += usize::from(order["fulfilment_status"] == "cancelled");
        }
        tally
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.orders += other.orders;
        self.paid += other.paid;
        self.refunded += other.refunded;
        self.given_up += other.given_up;
    }
}

/// The types of an order's timeline.
fn events(order: &Value) -> Vec<&str> {
    order["timeline"].as_array().unwrap().iter().map(|entry| entry["type"].as_str().unwrap()).collect()
}

/// The places in an order's timeline that its buyer is mailed about.
pub fn mailed(order: &Value) -> impl Iterator<Item = usize> {
    let is_mailed = |event: &str| {
        !matches!(
            event,
            "order.placed"
                | "order.payment_started"
                | "order.payment_declined"
                | "order.payment_expired"
                | "order.refund_requested"
                | "order.refund_failed"
                | "order.dispute_opened"
                | "order.dispute_updated"
                | "order.dispute_closed"
        )
    };
    events(order).into_iter().enumerate().filter(move |(_, event)| is_mailed(event)).map(|(place, _)| place)
}

/// The units of each SKU that left the shelf for good.
pub fn sold<'a>(orders: impl IntoIterator<Item = &'a Value>) -> BTreeMap<&'a str, i64> {
    let mut sold = BTreeMap::new();
    for order in orders {
        if order["payment_status"] != "pending" && order["fulfilment_status"] != "cancelled" {
            for line in order["lines"].as_array().unwrap() {
                *sold.entry(line["sku"].as_str().unwrap()).or_default() += line["quantity"].as_i64().unwrap();
            }
        }
    }
    sold
}

/// Whether an order that nothing more will happen to is what its timeline comes to.
pub fn explained(order: &Value) -> Result<(), String> {
    let events = events(order);
    let wrong = |why: &str| Err(format!("{why}: {order}"));
    let (mut payment, mut goods) = ("pending", "unfulfilled");
    for (place, event) in events.iter().enumerate() {
        let is_open = payment == "pending" && goods == "unfulfilled";
        let is_allowed = match *event {
            "order.placed" => place == 0,
            "order.payment_started" | "order.payment_declined" | "order.payment_expired" => is_open,
            "order.paid" => is_open && std::mem::replace(&mut payment, "paid") == "pending",
            "order.paid_late" => goods == "cancelled" && std::mem::replace(&mut payment, "paid") == "pending",
            "order.cancelled" | "order.expired" => {
                is_open && std::mem::replace(&mut goods, "cancelled") == "unfulfilled"
            }
            "order.cancelled_with_refund" => {
                let before = std::mem::replace(&mut goods, "cancelled");
                payment == "paid" && ["unfulfilled", "processing"].contains(&before)
            }
            "order.processing" => payment == "paid" && std::mem::replace(&mut goods, "processing") == "unfulfilled",
            "order.shipped" => std::mem::replace(&mut goods, "shipped") == "processing",
            "order.delivered" => std::mem::replace(&mut goods, "delivered") == "shipped",
            "order.refund_requested" | "order.refunded" | "order.refund_failed" => payment == "paid",
            _ => return wrong("an event that is not known here"),
        };
        if !is_allowed {
            return wrong(&format!("{event} at {place} does not follow from what was before"));
        }
    }
    if (goods == "cancelled") != (order["fulfilment_status"] == "cancelled") {
        return wrong("it is not what its timeline says");
    }
    if payment == "pending" && goods != "cancelled" {
        return wrong("it still waits to be paid");
    }
    if (payment == "pending") != ["pending", "expired"].contains(&order["payment_status"].as_str().unwrap()) {
        return wrong("whether it is paid is not what its timeline says");
    }
    if order["refunds"].as_array().unwrap().iter().any(|refund| refund["status"] == "requested") {
        return wrong("a refund is not made yet");
    }
    if goods == "cancelled" && payment == "paid" && order["payment_status"] != "refunded" {
        return wrong("the money is still here");
    }
    Ok(())
}

/// Whether Stripe has, order by order, what the orders say; of Stripe, all its events.
pub fn money(orders: &BTreeMap<String, Value>, events: &[Value]) -> Result<(), String> {
    let mut paid: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    let mut paid_at = BTreeMap::new();
    let mut order_of = BTreeMap::new();
    for event in events.iter().filter(|event| event["type"] == "checkout.session.completed") {
        let session = &event["data"]["object"];
        let order = session["client_reference_id"].as_str().unwrap();
        order_of.insert(session["payment_intent"].as_str().unwrap(), order);
        paid_at.insert(order, event["created"].as_i64().unwrap());
        paid.entry(order).or_default().push(session["amount_total"].as_i64().unwrap());
    }
    let declines = |id: &str| {
        let is_of = |event: &&Value| event.pointer("/data/object/metadata/order_id").is_some_and(|order| order == id);
        events.iter().filter(|event| event["type"] == "payment_intent.payment_failed").filter(is_of).count()
    };
    let mut back: BTreeMap<&str, i64> = BTreeMap::new();
    for event in events {
        let way = match event["type"].as_str().unwrap() {
            "refund.created" => 1,
            "refund.failed" => -1,
            _ => continue,
        };
        let refund = &event["data"]["object"];
        let order = order_of[refund["payment_intent"].as_str().unwrap()];
        *back.entry(order).or_default() += way * refund["amount"].as_i64().unwrap();
    }
    if let Some(lost) = paid.keys().find(|order| !orders.contains_key(**order)) {
        return Err(format!("{lost} was paid and is not there"));
    }
    for (id, order) in orders {
        let declined = self::events(order).into_iter().filter(|event| *event == "order.payment_declined").count();
        if declined > declines(id) {
            return Err(format!("an event of a declined payment took effect twice: {order}"));
        }
        let given_up = |entry: &&Value| ["order.cancelled", "order.expired"].contains(&entry["type"].as_str().unwrap());
        if let Some(entry) = order["timeline"].as_array().unwrap().iter().find(given_up)
            && let Some(paid_at) = paid_at.get(id.as_str())
        {
            let given_up_at: Timestamp = entry["at"].as_str().unwrap().parse().unwrap();
            if *paid_at > given_up_at.as_second() {
                return Err(format!("somebody could pay what had been given up: {order}"));
            }
        }
        let at_stripe = paid.get(id.as_str()).cloned().unwrap_or_default();
        let total = order["total"]["amount"].as_i64().unwrap();
        let is_unpaid = matches!(order["payment_status"].as_str(), Some("pending" | "expired"));
        let here = if is_unpaid { vec![] } else { vec![total] };
        if at_stripe != here {
            return Err(format!("Stripe has taken {at_stripe:?} and the order says {here:?}: {order}"));
        }
        let refunds = order["refunds"].as_array().unwrap().iter().filter(|refund| refund["status"] == "succeeded");
        let refunded: i64 = refunds.map(|refund| refund["amount"]["amount"].as_i64().unwrap()).sum();
        let back = back.get(id.as_str()).copied().unwrap_or_default();
        if back != refunded || refunded > total {
            return Err(format!("Stripe has paid back {back} and the order says {refunded}: {order}"));
        }
    }
    Ok(())
}
