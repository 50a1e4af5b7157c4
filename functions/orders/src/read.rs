//! Reading orders: one's own, or any for staff. Somebody else's is as unknown as one that does not exist.

use axum::Json;
use axum::extract::State;
use waybill_domain::id::OrderId;
use waybill_domain::order::Status;
use waybill_storage::orders::OrderSummary;
use waybill_storage::{Cursor, Table};
use waybill_web::openapi::Paging;
use waybill_web::query::{List, Parameters};
use waybill_web::{Caller, Guard, Problem, Segment, Staff, may};

use crate::view::OrderView;

/// List one's orders
#[utoipa::path(
    get,
    path = "/v1/orders",
    params(Paging),
    responses((status = 200, description = "A page of the caller's own orders, the newest first.", body = List<OrderSummary>)),
    security(("bearer" = [])),
)]
pub async fn list_own_orders(
    State(table): State<Table>,
    State(guard): State<Guard>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<List<OrderSummary>>, Problem> {
    let list = format!("orders of {}", caller.account);
    let list = (&guard.cursors, list.as_str());
    let limit = parameters.limit();
    let cursor = parameters.cursor(list, Cursor::among_orders);
    parameters.finish()?;
    Ok(Json(List::of(table.orders_of(caller.account, limit, cursor).await?, list)))
}

/// List all orders of a status
#[utoipa::path(
    get,
    path = "/v1/admin/orders",
    params(("status" = Status, Query), Paging),
    responses((status = 200, description = "A page of the orders of this status, the newest first.", body = List<OrderSummary>)),
    security(("bearer" = ["orders:read"])),
)]
pub async fn list_orders(
    State(table): State<Table>,
    State(guard): State<Guard>,
    _: Staff<may::ReadOrders>,
    mut parameters: Parameters,
) -> Result<Json<List<OrderSummary>>, Problem> {
    let names = || Status::ALL.map(Status::as_str).join(", ");
    let known = |text: &str| Status::ALL.into_iter().find(|status| status.as_str() == text);
    let status = parameters.take("status", |text| known(text).ok_or_else(|| format!("must be one of {}", names())));
    let limit = parameters.limit();
    let list = format!("orders that are {}", status.map_or("", Status::as_str));
    let list = (&guard.cursors, list.as_str());
    let cursor = parameters.cursor(list, Cursor::among_orders);
    if status.is_none() && !parameters.has_errors() {
        parameters.refuse("status", &format!("must be given, as one of {}", names()));
    }
    parameters.finish()?;
    let status = status.ok_or_else(|| Problem::internal("a status is missing though it was not refused"))?;
    Ok(Json(List::of(table.orders_with(status, limit, cursor).await?, list)))
}

/// Read an order
///
/// One's own, or any for staff.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}",
    params(("id" = OrderId, Path)),
    responses((status = 200, description = "The order with its timeline.", body = OrderView)),
    security(("bearer" = [])),
)]
pub async fn read_order(
    State(table): State<Table>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Json<OrderView>, Problem> {
    let unknown = || Problem::not_found("order");
    let order = table.order(id.parse().map_err(|_| unknown())?).await?;
    let order = order.filter(|order| caller.may_see(order)).ok_or_else(unknown)?;
    Ok(Json(order.into()))
}
