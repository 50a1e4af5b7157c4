//! Cancelling an order that nobody has paid: what it held can be ordered by others a moment later.

use axum::Json;
use axum::extract::State;
use orders::OrderView;
use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::Order;
use waybill_web::{Caller, Problem, Segment, Staff, may};

use crate::give_up::{Why, give_up};
use crate::{App, own_order};

/// Cancel one's order
///
/// While it is not paid. A payment page that is open is closed.
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
    cancel(&app, &order, Actor::Customer).await
}

/// Cancel an order
///
/// While it is not paid. A payment page that is open is closed.
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/cancel",
    params(("id" = OrderId, Path)),
    responses((status = 200, description = "The order is cancelled.", body = OrderView), (status = 409, description = "order-state, payment-pending")),
    security(("bearer" = ["orders:fulfil"])),
)]
pub async fn cancel_order(
    State(app): State<App>,
    staff: Staff<may::FulfilOrders>,
    Segment(id): Segment,
) -> Result<Json<OrderView>, Problem> {
    let unknown = || Problem::not_found("order");
    let order = app.table.order(id.parse().map_err(|_| unknown())?).await?.ok_or_else(unknown)?;
    cancel(&app, &order, staff.caller.actor()).await
}

async fn cancel(app: &App, order: &Order, by: Actor) -> Result<Json<OrderView>, Problem> {
    let order = give_up(&app.table, &app.stripe, order, Why::Cancelled, by).await?;
    Ok(Json(order.into()))
}
