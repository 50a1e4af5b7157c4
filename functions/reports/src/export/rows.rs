//! What there is to tell of orders, a row for each order, line or refund. The seven columns of the system before this one are
//! among those of orders: order_id, customer_id (its User ID), products, shipping_address, total, status and created_at.

use waybill_domain::cart::PricedLine;
use waybill_domain::money::Money;
use waybill_domain::order::refund::{Cause, RefundState};
use waybill_domain::order::{Address, Order, Refund};
use waybill_domain::totals::{Shipping, Tax};

use super::Of;

/// What a cell holds. What was typed by somebody is a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Text(String),
    Number(i64),
    Decimal(String),
    Nothing,
}

pub type Row = Vec<Cell>;

/// The names of the columns, and the rows.
pub fn of(of: Of, orders: &[Order]) -> (Vec<String>, Vec<Row>) {
    let (columns, rows): (Vec<_>, Vec<_>) = match of {
        Of::Orders => (order_columns(), orders.iter().map(order_row).collect()),
        Of::Lines => {
            let rows = orders.iter().flat_map(|order| order.lines.iter().map(move |line| line_row(order, line)));
            (line_columns(), rows.collect())
        }
        Of::Refunds => {
            let refunds =
                |order: &Order| order.state.payment().map(|payment| payment.refunds.clone()).unwrap_or_default();
            let rows = orders.iter().flat_map(|order| {
                let rows = refunds(order).into_iter().map(|refund| refund_row(order, &refund));
                rows.collect::<Vec<_>>()
            });
            (refund_columns(), rows.collect())
        }
    };
    (columns, rows)
}

/// Names, of which those with an asterisk are amounts: two columns each.
fn columns(names: &str) -> Vec<String> {
    let both = |name: &str| match name.strip_suffix('*') {
        None => vec![name.to_owned()],
        Some(name) => vec![format!("{name}_minor"), name.to_owned()],
    };
    names.split(' ').flat_map(both).collect()
}

fn order_columns() -> Vec<String> {
    columns(
        "order_id number customer_id email products shipping_address status payment_status fulfilment_status currency \
         subtotal* discount* shipping* tax* total* refunded* created_at",
    )
}

fn line_columns() -> Vec<String> {
    columns(
        "order_id number created_at sku product_id title quantity currency unit_price* subtotal* discount* tax* total*",
    )
}

fn refund_columns() -> Vec<String> {
    columns("order_id number refund cause status currency amount* requested_at settled_at stripe_id")
}

fn order_row(order: &Order) -> Row {
    let products = order.lines.iter().map(|line| format!("{} x {}", line.quantity.get(), line.title));
    let totals = order.totals.as_ref();
    let shipping = totals.and_then(|totals| match &totals.shipping {
        Shipping::Priced { price, .. } => Some(*price),
        Shipping::NothingToShip
        | Shipping::DestinationUnknown
        | Shipping::MethodNotChosen
        | Shipping::CannotShip { .. } => None,
    });
    let tax = totals.and_then(|totals| match &totals.tax {
        Tax::Known { amount, .. } => Some(*amount),
        Tax::DestinationUnknown => None,
    });
    let gone_back = order.state.payment().map_or(0, |payment| payment.gone_back());
    let mut row = vec![
        text(order.id),
        text(order.id.number()),
        text(order.buyer),
        order.contact.email().map_or(Cell::Nothing, text),
        text(products.collect::<Vec<_>>().join("; ")),
        order.contact.shipping_address().map_or(Cell::Nothing, |address| text(on_one_line(address))),
        text(order.state.status().as_str()),
        name(order.payment_status()),
        name(order.fulfilment_status()),
        text(order.total.currency),
    ];
    row.extend(money(totals.map(|totals| totals.subtotal)));
    row.extend(money(totals.map(|totals| totals.discounts.amount)));
    row.extend(money(shipping));
    row.extend(money(tax));
    row.extend(money(Some(order.total)));
    row.extend(money(Some(Money::new(gone_back, order.total.currency))));
    row.push(text(order.placed_at));
    row
}

fn line_row(order: &Order, line: &PricedLine) -> Row {
    let totals = order.totals.as_ref().and_then(|totals| totals.lines.iter().find(|total| total.sku == line.sku));
    let mut row = vec![
        text(order.id),
        text(order.id.number()),
        text(order.placed_at),
        text(&line.sku),
        text(line.product_id),
        text(&line.title),
        Cell::Number(line.quantity.get().into()),
        text(line.total.currency),
    ];
    row.extend(money(Some(line.unit_price)));
    row.extend(money(Some(line.total)));
    row.extend(money(totals.map(|totals| totals.discount)));
    row.extend(money(totals.and_then(|totals| totals.tax)));
    row.extend(money(Some(totals.map_or(line.total, |totals| totals.total))));
    row
}

fn refund_row(order: &Order, refund: &Refund) -> Row {
    let cause = match refund.cause {
        Cause::Requested { .. } => "requested",
        Cause::Cancelled => "cancelled",
        Cause::RestCancelled => "rest_cancelled",
        Cause::PaidLate => "paid_late",
        Cause::AtStripe => "at_stripe",
    };
    let (settled_at, stripe) = match &refund.state {
        RefundState::Requested => (None, None),
        RefundState::Succeeded { stripe, succeeded_at } => (Some(*succeeded_at), Some(stripe.clone())),
        RefundState::Failed { stripe, failed_at } => (Some(*failed_at), stripe.clone()),
    };
    let mut row = vec![
        text(order.id),
        text(order.id.number()),
        Cell::Number(refund.number.into()),
        text(cause),
        name(refund.state.status()),
        text(refund.amount.currency),
    ];
    row.extend(money(Some(refund.amount)));
    row.push(text(refund.requested_at));
    row.push(settled_at.map_or(Cell::Nothing, text));
    row.push(stripe.map_or(Cell::Nothing, text));
    row
}

fn on_one_line(address: &Address) -> String {
    let Address { name, line1, line2, city, region, postal_code, country } = address;
    let region = region.as_ref().map(|region| format!(" {}", region.as_str())).unwrap_or_default();
    let city = format!("{} {}{region}", postal_code.as_str(), city.as_str());
    let parts = [Some(name.as_str()), Some(line1.as_str()), line2.as_ref().map(|line| line.as_str()), Some(&city)];
    let parts: Vec<_> = parts.into_iter().flatten().chain([country.as_str()]).collect();
    parts.join(", ")
}

fn text(value: impl ToString) -> Cell {
    Cell::Text(value.to_string())
}

/// The name that the API has for it.
fn name(value: impl serde::Serialize) -> Cell {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => Cell::Text(name),
        Ok(_) | Err(_) => Cell::Nothing,
    }
}

/// In minor units, and as a decimal number.
fn money(amount: Option<Money>) -> [Cell; 2] {
    let Some(amount) = amount else { return [Cell::Nothing, Cell::Nothing] };
    let decimal = amount.to_string();
    let decimal = decimal.split(' ').next().unwrap_or_default().to_owned();
    [Cell::Number(amount.amount), Cell::Decimal(decimal)]
}
