//! What there is to tell: a row for each order, line, refund, customer or movement. The seven columns of the system before this one are
//! among those of orders: order_id, customer_id (its User ID), products, shipping_address, total, status and created_at.

use waybill_domain::account::Account;
use waybill_domain::cart::PricedLine;
use waybill_domain::export::Dated;
use waybill_domain::message::Actor;
use waybill_domain::money::Money;
use waybill_domain::order::refund::{Cause, RefundState};
use waybill_domain::order::{Address, Order, Refund};
use waybill_domain::totals::{Shipping, Tax};
use waybill_storage::stock::LedgerLine;

/// What a cell holds. What was typed by somebody is a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Text(String),
    Number(i64),
    Decimal(String),
    Nothing,
}

pub type Row = Vec<Cell>;

/// The names of the columns.
pub fn columns(of: Dated) -> Vec<String> {
    match of {
        Dated::Orders => named(
            "order_id number customer_id email products shipping_address status payment_status fulfilment_status \
             currency subtotal* discount* shipping* tax* total* refunded* created_at",
        ),
        Dated::Lines => named(
            "order_id number created_at sku product_id title quantity currency unit_price* subtotal* discount* tax* \
             total*",
        ),
        Dated::Refunds => {
            named("order_id number refund cause status currency amount* requested_at settled_at stripe_id")
        }
        Dated::Customers => named("customer_id email name language role created_at"),
        Dated::StockMovements => {
            named("movement_id moved_at product_id sku kind units places by staff_id reason order_id")
        }
    }
}

/// Names, of which those with an asterisk are amounts: two columns each.
fn named(names: &str) -> Vec<String> {
    let both = |name: &str| match name.strip_suffix('*') {
        None => vec![name.to_owned()],
        Some(name) => vec![format!("{name}_minor"), name.to_owned()],
    };
    names.split(' ').flat_map(both).collect()
}

pub fn of_order(order: &Order) -> Row {
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

pub fn of_line(order: &Order, line: &PricedLine) -> Row {
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

pub fn of_refund(order: &Order, refund: &Refund) -> Row {
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

/// Nothing that opens an account, and nothing that tells how.
pub fn of_customer(account: &Account) -> Row {
    vec![
        text(account.id),
        text(&account.email),
        account.name.as_ref().map_or(Cell::Nothing, text),
        account.language.as_ref().map_or(Cell::Nothing, text),
        name(account.role),
        text(account.created_at),
    ]
}

pub fn of_movement(LedgerLine { product_id, sku, movement }: &LedgerLine) -> Row {
    let places = movement.places.iter().map(|place| format!("{}: {}", place.location_id, place.units));
    let (by, staff) = match movement.by {
        Actor::Customer => ("customer", None),
        Actor::Staff { account_id } => ("staff", Some(account_id)),
        Actor::Stripe => ("stripe", None),
        Actor::Shop => ("shop", None),
    };
    vec![
        text(movement.id),
        text(movement.at),
        text(product_id),
        text(sku),
        name(movement.kind),
        Cell::Number(movement.units),
        text(places.collect::<Vec<_>>().join("; ")),
        text(by),
        staff.map_or(Cell::Nothing, text),
        movement.reason.as_ref().map_or(Cell::Nothing, text),
        movement.order_id.map_or(Cell::Nothing, text),
    ]
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
