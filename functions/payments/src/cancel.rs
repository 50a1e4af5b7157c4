//! Cancelling an order that has not been shipped: what it held can be ordered by others a moment later, and what was paid
//! goes back.

use axum::Json;
use axum::extract::State;
use orders::{OrderView, own_order};
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::Order;
use waybill_domain::stock::Reason;
use waybill_web::{Body, Caller, Fields, Problem, Segment, Staff, may};

use crate::App;
use crate::give_up::{Why, give_up};

/// Cancel one's order
///
/// Until it is shipped. A payment page that is open is closed; what was paid goes back.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/cancel",
    params(("id" = OrderId, Path)),
    responses((status = 200, description = "The order is cancelled.", body = OrderView), (status = 409, description = "order-state, payment-pending")),
    security(("bearer" = [])),
)]
pub async fn cancel_own_order(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Json<OrderView>, Problem> {
    let order = own_order(&app.table, &caller, &id).await?;
    cancel(&app, &order, None, Actor::Customer).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancellation {
    /// The buyer sees it.
    #[schema(value_type = Reason, example = "Lost in the warehouse")]
    reason: String,
}

/// Cancel an order
///
/// Until it is shipped. A payment page that is open is closed; what was paid goes back.
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/cancel",
    params(("id" = OrderId, Path)),
    request_body = Cancellation,
    responses((status = 200, description = "The order is cancelled.", body = OrderView), (status = 409, description = "order-state, payment-pending")),
    security(("bearer" = ["orders:fulfil"])),
)]
pub async fn cancel_order(
    State(app): State<App>,
    staff: Staff<may::FulfilOrders>,
    Segment(id): Segment,
    Body(body): Body<Cancellation>,
) -> Result<Json<OrderView>, Problem> {
    let mut fields = Fields::default();
    let reason = fields.take("/reason", body.reason.parse());
    let reason = fields.finish(|| reason)?;
    let unknown = || Problem::not_found("order");
    let order = app.table.order(id.parse().map_err(|_| unknown())?).await?.ok_or_else(unknown)?;
    cancel(&app, &order, Some(reason), staff.caller.actor()).await
}

async fn cancel(app: &App, order: &Order, reason: Option<Reason>, by: Actor) -> Result<Json<OrderView>, Problem> {
    let order = give_up(&app.table, &app.stripe, order, Why::Cancelled { reason }, by).await?;
    Ok(Json(order.into()))
}
