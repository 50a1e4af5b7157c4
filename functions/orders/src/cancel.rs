//! Giving up an order that nobody has paid: what it held can be ordered by others a moment later.

use axum::Json;
use axum::extract::State;
use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::Command;
use waybill_lambda::clock;
use waybill_storage::Table;
use waybill_web::{Caller, Problem, Segment, Staff, may};

use crate::view::OrderView;

/// Cancel one's order
///
/// While it is not paid and no payment page of it is open.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/cancel",
    params(("id" = OrderId, Path)),
    responses((status = 200, description = "The order is cancelled.", body = OrderView), (status = 409, description = "order-state")),
    security(("bearer" = [])),
)]
pub async fn cancel_own_order(
    State(table): State<Table>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Json<OrderView>, Problem> {
    let unknown = || Problem::not_found("order");
    let order = table.order(id.parse().map_err(|_| unknown())?).await?;
    let own = order.filter(|order| order.buyer == caller.account).ok_or_else(unknown)?;
    cancel(&table, own.id, Actor::Customer).await
}

/// Cancel an order
///
/// While it is not paid and no payment page of it is open.
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/cancel",
    params(("id" = OrderId, Path)),
    responses((status = 200, description = "The order is cancelled.", body = OrderView), (status = 409, description = "order-state")),
    security(("bearer" = ["orders:fulfil"])),
)]
pub async fn cancel_order(
    State(table): State<Table>,
    staff: Staff<may::FulfilOrders>,
    Segment(id): Segment,
) -> Result<Json<OrderView>, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("order"))?;
    cancel(&table, id, staff.caller.actor()).await
}

async fn cancel(table: &Table, id: OrderId, actor: Actor) -> Result<Json<OrderView>, Problem> {
    let now = clock::now();
    let order = table.change_order(id, None, |order| order.decide(Command::Cancel, actor, now)).await?;
    Ok(Json(order.into()))
}
