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
    pub disputed: usize,
    pub returned: usize,
    pub authorised: usize,
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
            tally.disputed += usize::from(events.contains(&"order.dispute_opened"));
            tally.returned += usize::from(events.contains(&"order.return_received"));
            tally.authorised += usize::from(events.contains(&"order.payment_authorised"));
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
        self.disputed += other.disputed;
        self.returned += other.returned;
        self.authorised += other.authorised;
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
                | "order.payment_expired"
                | "order.refund_requested"
                | "order.refund_failed"
                | "order.dispute_opened"
                | "order.dispute_updated"
                | "order.dispute_closed"
                | "order.return_requested"
                | "order.exchanged"
        )
    };
    events(order).into_iter().enumerate().filter(move |(_, event)| is_mailed(event)).map(|(place, _)| place)
}

/// Whether an order's goods have left the shelf.
fn is_sold(order: &Value) -> bool {
    !is_unpaid(order) && order["fulfilment_status"] != "cancelled"
}

fn is_unpaid(order: &Value) -> bool {
    matches!(order["payment_status"].as_str(), Some("pending" | "failed" | "authorised" | "expired"))
}

/// The units of each SKU that left the shelf for good: not those that came back and can be sold again.
pub fn sold<'a>(orders: impl IntoIterator<Item = &'a Value>) -> BTreeMap<&'a str, i64> {
    let mut sold = BTreeMap::new();
    for order in orders {
        let units = |lines: &'a Value| {
            let lines = lines.as_array().into_iter().flatten();
            lines.map(|line| (line, line["sku"].as_str().unwrap(), line["quantity"].as_i64().unwrap()))
        };
        if is_sold(order) {
            for (_, sku, quantity) in units(&order["lines"]) {
                *sold.entry(sku).or_default() += quantity;
            }
        }
        for known in order["returns"].as_array().unwrap() {
            for (_, sku, quantity) in units(&known["received"]).filter(|(line, ..)| line["restocked"] == true) {
                *sold.entry(sku).or_default() -= quantity;
            }
        }
    }
    sold
}

/// The statuses that some orders stand at, as the shop has counted them.
pub fn some(counts: &Value) -> BTreeMap<&str, u64> {
    let counts = counts.as_object().unwrap().iter();
    let counts = counts.map(|(status, orders)| (status.as_str(), orders.as_u64().unwrap()));
    counts.filter(|(_, orders)| *orders > 0).collect()
}

/// Whether the shop has counted so many orders of each status.
pub fn counted(orders: &BTreeMap<String, Value>, counts: &Value) -> Result<(), String> {
    for way in ["payment_status", "fulfilment_status"] {
        let mut found: BTreeMap<&str, u64> = BTreeMap::new();
        for order in orders.values() {
            *found.entry(order[way].as_str().unwrap()).or_default() += 1;
        }
        let told = some(&counts[way]);
        if found != told {
            return Err(format!("{found:?} are counted as {told:?}"));
        }
    }
    Ok(())
}

/// The payments that Stripe has got, each with its order and the event that tells of it.
fn payments(events: &[Value]) -> impl Iterator<Item = (&Value, &str, &Value)> {
    let events = events.iter().filter(|event| event["type"] == "payment_intent.succeeded");
    events.map(|event| {
        let payment = &event["data"]["object"];
        (payment, payment["metadata"]["order_id"].as_str().unwrap(), event)
    })
}

/// The order of each payment intent.
fn orders_by_payment(events: &[Value]) -> BTreeMap<&str, &str> {
    payments(events).map(|(payment, order, _)| (payment["id"].as_str().unwrap(), order)).collect()
}

/// Whether every dispute ended on its order as it did at Stripe; of Stripe, all its events.
pub fn disputes(orders: &BTreeMap<String, Value>, events: &[Value]) -> Result<(), String> {
    let order_of = orders_by_payment(events);
    let mut last: BTreeMap<&str, &Value> = BTreeMap::new();
    for event in events.iter().filter(|event| event["type"].as_str().unwrap().starts_with("charge.dispute.")) {
        let dispute = &event["data"]["object"];
        last.insert(dispute["id"].as_str().unwrap(), dispute);
    }
    let mut at_stripe: BTreeMap<&str, Vec<(i64, &str)>> = BTreeMap::new();
    for dispute in last.into_values() {
        let status = match dispute["status"].as_str().unwrap() {
            "warning_closed" => "withdrawn",
            status => status,
        };
        let order = order_of[dispute["payment_intent"].as_str().unwrap()];
        at_stripe.entry(order).or_default().push((dispute["amount"].as_i64().unwrap(), status));
    }
    for (id, order) in orders {
        let here = order["disputes"].as_array().unwrap().iter();
        let mut here: Vec<_> = here
            .map(|dispute| (dispute["amount"]["amount"].as_i64().unwrap(), dispute["status"].as_str().unwrap()))
            .collect();
        let mut there = at_stripe.remove(id.as_str()).unwrap_or_default();
        here.sort();
        there.sort();
        if here != there {
            return Err(format!("Stripe's disputes are {there:?} and the order's {here:?}: {order}"));
        }
    }
    Ok(())
}

/// Whether an order that nothing more will happen to is what its timeline comes to.
pub fn explained(order: &Value) -> Result<(), String> {
    let events = events(order);
    let wrong = |why: &str| Err(format!("{why}: {order}"));
    let (mut payment, mut goods) = ("pending", "unfulfilled");
    for (place, event) in events.iter().enumerate() {
        let is_open = payment == "pending" && goods == "unfulfilled";
        let is_held = payment == "authorised" && goods == "unfulfilled";
        let is_allowed = match *event {
            "order.placed" => place == 0,
            "order.payment_started" | "order.payment_declined" => is_open,
            "order.payment_authorised" => is_open && std::mem::replace(&mut payment, "authorised") == "pending",
            "order.payment_expired" => is_open || is_held && std::mem::replace(&mut payment, "pending") == "authorised",
            "order.paid" => (is_open || is_held) && std::mem::replace(&mut payment, "paid") != "paid",
            "order.paid_late" => goods == "cancelled" && std::mem::replace(&mut payment, "paid") == "pending",
            // What the bank held was let go of before.
            "order.cancelled" if is_held => {
                (payment, goods) = ("pending", "cancelled");
                true
            }
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
            "order.dispute_opened" | "order.dispute_updated" | "order.dispute_closed" => payment == "paid",
            "order.return_requested" | "order.return_approved" | "order.return_refused" | "order.return_received" => {
                ["shipped", "delivered"].contains(&goods)
            }
            _ => return wrong("an event that is not known here"),
        };
        if !is_allowed {
            return wrong(&format!("{event} at {place} does not follow from what was before"));
        }
    }
    if (goods == "cancelled") != (order["fulfilment_status"] == "cancelled") {
        return wrong("it is not what its timeline says");
    }
    if payment != "paid" && goods != "cancelled" {
        return wrong("it still waits to be paid");
    }
    if (payment == "pending") != is_unpaid(order) {
        return wrong("whether it is paid is not what its timeline says");
    }
    if order["refunds"].as_array().unwrap().iter().any(|refund| refund["status"] == "requested") {
        return wrong("a refund is not made yet");
    }
    let any = |what: &str, status: &str| order[what].as_array().unwrap().iter().any(|one| one["status"] == status);
    // Stripe pays nothing back of what a bank has taken some of for good: then an alarm calls for a person.
    let is_stuck = any("disputes", "lost") && any("refunds", "failed");
    if goods == "cancelled" && payment == "paid" && order["payment_status"] != "refunded" && !is_stuck {
        return wrong("the money is still here");
    }
    if order["payment_status"] == "disputed" {
        return wrong("the bank has decided and the order does not know");
    }
    Ok(())
}

/// Whether Stripe has, order by order, what the orders say; of Stripe, all its events.
pub fn money(orders: &BTreeMap<String, Value>, events: &[Value]) -> Result<(), String> {
    let mut paid: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    let mut paid_at = BTreeMap::new();
    let order_of = orders_by_payment(events);
    for (payment, order, event) in payments(events) {
        paid_at.insert(order, event["created"].as_i64().unwrap());
        paid.entry(order).or_default().push(payment["amount_received"].as_i64().unwrap());
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
        let here = if is_unpaid(order) { vec![] } else { vec![total] };
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

/// Whether each order has the documents that its money calls for, and each series every number once; of the documents, all of
/// each series.
pub fn documented(orders: &BTreeMap<String, Value>, series: &BTreeMap<&str, Vec<Value>>) -> Result<(), String> {
    let mut of: BTreeMap<(&str, &str), Vec<i64>> = BTreeMap::new();
    for (kind, documents) in series {
        let number =
            |document: &Value| document["number"].as_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
        let mut numbers: Vec<usize> = documents.iter().map(number).collect();
        numbers.sort();
        if numbers != (1..=documents.len()).collect::<Vec<_>>() {
            return Err(format!("the numbers of {kind} are {numbers:?}"));
        }
        for document in documents {
            let total = document["total"]["amount"].as_i64().unwrap();
            of.entry((document["order_id"].as_str().unwrap(), kind)).or_default().push(total);
        }
    }
    for (id, order) in orders {
        let mut has = |kind| of.remove(&(id.as_str(), kind)).unwrap_or_default();
        let (invoices, notes, reversals) = (has("invoice"), has("credit_note"), has("reversal"));
        let was_paid = events(order).contains(&"order.paid");
        let total = order["total"]["amount"].as_i64().unwrap();
        let refunds = order["refunds"].as_array().unwrap().iter().filter(|refund| refund["status"] == "succeeded");
        let refunds: Vec<_> = refunds.map(|refund| refund["amount"]["amount"].as_i64().unwrap()).collect();
        let refunds = if was_paid { refunds } else { Vec::new() };
        let sum = |amounts: &[i64]| amounts.iter().sum::<i64>();
        if invoices != if was_paid { vec![total] } else { vec![] }
            || notes.len() != refunds.len() + reversals.len()
            || sum(&notes) - sum(&reversals) != sum(&refunds)
        {
            return Err(format!("{invoices:?}, {notes:?} and {reversals:?} are not the documents of {order}"));
        }
    }
    of.into_keys().next().map_or(Ok(()), |stray| Err(format!("a document of {stray:?}, which is not there")))
}
