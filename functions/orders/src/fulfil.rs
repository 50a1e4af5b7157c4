//! Moving orders on, for staff.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::id::OrderId;
use waybill_domain::order::{Carrier, Command, TrackingNumber};
use waybill_lambda::clock;
use waybill_storage::Table;
use waybill_web::{Body, Fields, Problem, Segment, Staff, may};

use crate::view::OrderView;

/// Begin to pack a paid order
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/process",
    params(("id" = OrderId, Path)),
    responses((status = 200, description = "The order is being packed.", body = OrderView), (status = 409, description = "order-state")),
    security(("bearer" = ["orders:fulfil"])),
)]
pub async fn process_order(
    State(table): State<Table>,
    staff: Staff<may::FulfilOrders>,
    Segment(id): Segment,
) -> Result<Json<OrderView>, Problem> {
    change(&table, &staff, &id, Command::Process).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShipment {
    #[schema(value_type = Carrier, example = "UPS")]
    carrier: String,
    #[schema(value_type = TrackingNumber, example = "1Z999AA10123456784")]
    tracking_number: String,
}

/// Hand an order to the carrier
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/ship",
    params(("id" = OrderId, Path)),
    request_body = NewShipment,
    responses((status = 200, description = "The order is on its way.", body = OrderView), (status = 409, description = "order-state")),
    security(("bearer" = ["orders:fulfil"])),
)]
pub async fn ship_order(
    State(table): State<Table>,
    staff: Staff<may::FulfilOrders>,
    Segment(id): Segment,
    Body(body): Body<NewShipment>,
) -> Result<Json<OrderView>, Problem> {
    let mut fields = Fields::default();
    let carrier = fields.take("/carrier", body.carrier.parse());
    let tracking_number = fields.take("/tracking_number", body.tracking_number.parse());
    let command = fields.finish(|| Some(Command::Ship { carrier: carrier?, tracking_number: tracking_number? }))?;
    change(&table, &staff, &id, command).await
}

/// Note that an order has arrived
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/deliver",
    params(("id" = OrderId, Path)),
    responses((status = 200, description = "The order has arrived.", body = OrderView), (status = 409, description = "order-state")),
    security(("bearer" = ["orders:fulfil"])),
)]
pub async fn deliver_order(
    State(table): State<Table>,
    staff: Staff<may::FulfilOrders>,
    Segment(id): Segment,
) -> Result<Json<OrderView>, Problem> {
    change(&table, &staff, &id, Command::Deliver).await
}

async fn change(
    table: &Table,
    staff: &Staff<may::FulfilOrders>,
    id: &str,
    command: Command,
) -> Result<Json<OrderView>, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("order"))?;
    let now = clock::now();
    let order = table.change_order(id, None, |order| order.decide(command.clone(), staff.caller.actor(), now)).await?;
    Ok(Json(order.into()))
}
