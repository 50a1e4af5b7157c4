//! Moving orders on, for staff.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use waybill_domain::order::Command;
use waybill_lambda::clock;
use waybill_storage::Table;
use waybill_web::{Body, Fields, Problem, Segment, Staff};

use crate::view::OrderView;

pub async fn process_order(
    State(table): State<Table>,
    staff: Staff,
    Segment(id): Segment,
) -> Result<Json<OrderView>, Problem> {
    change(&table, &staff, &id, Command::Process).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewShipment {
    carrier: String,
    tracking_number: String,
}

pub async fn ship_order(
    State(table): State<Table>,
    staff: Staff,
    Segment(id): Segment,
    Body(body): Body<NewShipment>,
) -> Result<Json<OrderView>, Problem> {
    let mut fields = Fields::default();
    let carrier = fields.take("/carrier", body.carrier.parse());
    let tracking_number = fields.take("/tracking_number", body.tracking_number.parse());
    let command = fields.finish(|| Some(Command::Ship { carrier: carrier?, tracking_number: tracking_number? }))?;
    change(&table, &staff, &id, command).await
}

pub async fn deliver_order(
    State(table): State<Table>,
    staff: Staff,
    Segment(id): Segment,
) -> Result<Json<OrderView>, Problem> {
    change(&table, &staff, &id, Command::Deliver).await
}

async fn change(table: &Table, Staff(staff): &Staff, id: &str, command: Command) -> Result<Json<OrderView>, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("order"))?;
    let now = clock::now();
    let order = table.change_order(id, None, |order| order.decide(command.clone(), staff.actor(), now)).await?;
    Ok(Json(order.into()))
}
