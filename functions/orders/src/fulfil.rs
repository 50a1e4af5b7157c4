//! Moving orders on, for staff.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::id::OrderId;
use waybill_domain::order::{Carrier, Command, Parcel, TrackingNumber};
use waybill_domain::stock::Reason;
use waybill_storage::Table;
use waybill_web::{Body, Fields, Problem, Segment, Staff, may};

use crate::change::{change, number};
use crate::units::NewUnits;
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
    change(&table, &id, Command::Process, staff.caller.actor()).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShipment {
    #[schema(value_type = Carrier, example = "UPS")]
    carrier: String,
    #[schema(value_type = TrackingNumber, example = "1Z999AA10123456784")]
    tracking_number: String,
    /// What is in the parcel; all that has not been shipped yet unless given.
    #[schema(min_items = 1, max_items = 50)]
    lines: Option<Vec<NewUnits>>,
}

/// Hand a parcel to the carrier
///
/// All of the order, or some of it. The same parcel, by its carrier and number, is shipped once however often this is sent.
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/ship",
    params(("id" = OrderId, Path)),
    request_body = NewShipment,
    responses((status = 200, description = "The parcel is on its way.", body = OrderView), (status = 409, description = "order-state, too-many-units, taken, too-many")),
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
    let units = body.lines.map(|lines| NewUnits::check(lines, &mut fields));
    let parcel = fields.finish(|| {
        let units = units.map_or(Some(None), |units| units.map(Some))?;
        Some(Parcel { carrier: carrier?, tracking_number: tracking_number?, units })
    })?;
    change(&table, &id, Command::Ship(parcel), staff.caller.actor()).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestCancellation {
    /// The buyer sees it.
    #[schema(value_type = Reason, example = "Our supplier has no more of it")]
    reason: String,
}

/// Cancel what has not been shipped
///
/// Of an order that is shipped in part. What was paid for it goes back, without shipping, and it is put back on the shelf.
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/cancel-rest",
    params(("id" = OrderId, Path)),
    request_body = RestCancellation,
    responses((status = 200, description = "The rest is not sent any more.", body = OrderView), (status = 409, description = "order-state")),
    security(("bearer" = ["orders:refund"])),
)]
pub async fn cancel_rest(
    State(table): State<Table>,
    staff: Staff<may::RefundOrders>,
    Segment(id): Segment,
    Body(body): Body<RestCancellation>,
) -> Result<Json<OrderView>, Problem> {
    let mut fields = Fields::default();
    let reason = fields.take("/reason", body.reason.parse());
    let reason: Reason = fields.finish(|| reason)?;
    change(&table, &id, Command::CancelRest { reason }, staff.caller.actor()).await
}

/// Note that an order has arrived
///
/// With every parcel of it.
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
    change(&table, &id, Command::Deliver { shipment: None }, staff.caller.actor()).await
}

/// Note that a parcel has arrived
///
/// With the last one the order has.
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/shipments/{number}/deliver",
    params(("id" = OrderId, Path), ("number" = u32, Path, minimum = 1)),
    responses((status = 200, description = "The parcel has arrived.", body = OrderView), (status = 409, description = "order-state")),
    security(("bearer" = ["orders:fulfil"])),
)]
pub async fn deliver_shipment(
    State(table): State<Table>,
    staff: Staff<may::FulfilOrders>,
    Segment((id, shipment)): Segment<(String, String)>,
) -> Result<Json<OrderView>, Problem> {
    let shipment = Some(number(&shipment, "shipment")?);
    change(&table, &id, Command::Deliver { shipment }, staff.caller.actor()).await
}
