//! Reading orders: one's own, or any for staff. Somebody else's is as unknown as one that does not exist.

use axum::Json;
use axum::extract::State;
use utoipa::IntoParams;
use waybill_domain::Timestamp;
use waybill_domain::id::{AccountId, OrderId, OrderNumber};
use waybill_domain::order::Status;
use waybill_domain::text::{self, Sku};
use waybill_storage::order_counts::OrderCounts;
use waybill_storage::order_lists::{Orders, Placed};
use waybill_storage::orders::OrderSummary;
use waybill_storage::{Cursor, Table};
use waybill_web::openapi::Paging;
use waybill_web::query::{List, Parameters};
use waybill_web::{Bearer, Guard, Problem, Segment, Staff, may};

use crate::view::OrderView;

/// When the orders of a list were placed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only tells the document what the list takes")]
pub struct Between {
    /// Only orders that were placed at this moment or after it.
    placed_from: Option<Timestamp>,
    /// Only orders that were placed before this moment.
    placed_before: Option<Timestamp>,
}

fn placed(parameters: &mut Parameters) -> Placed {
    let from = parameters.take("placed_from", text::time);
    let before = parameters.take("placed_before", text::time);
    Placed { from, before }
}

/// List one's orders
#[utoipa::path(
    get,
    path = "/v1/orders",
    params(Between, Paging),
    responses((status = 200, description = "A page of the caller's own orders, the newest first.", body = List<OrderSummary>)),
    security(("bearer" = [])),
)]
pub async fn list_own_orders(
    State(table): State<Table>,
    State(guard): State<Guard>,
    bearer: Bearer,
    mut parameters: Parameters,
) -> Result<Json<List<OrderSummary>>, Problem> {
    let placed = placed(&mut parameters);
    let page = page(&table, &guard, Orders::Of(bearer.account), placed, parameters);
    let (_, page) = bearer.beside(&guard, page).await?;
    Ok(page)
}

/// List orders
///
/// All of them, those of a status, a customer's, or those that a SKU was ordered with.
#[utoipa::path(
    get,
    path = "/v1/admin/orders",
    params(
        ("status" = Option<Status>, Query),
        ("customer" = Option<AccountId>, Query, description = "Not together with a status."),
        ("sku" = Option<Sku>, Query, description = "Not together with a status or a customer. A new order is found within seconds."),
        Between,
        Paging
    ),
    responses((status = 200, description = "A page of orders, the newest first.", body = List<OrderSummary>)),
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
    let customer = parameters.take("customer", |text| text.parse::<AccountId>());
    let sku = parameters.take("sku", |text| text.parse::<Sku>());
    let placed = placed(&mut parameters);
    if status.is_some() && customer.is_some() {
        parameters.refuse("customer", "cannot be given together with a status");
    }
    if sku.is_some() && (status.is_some() || customer.is_some()) {
        parameters.refuse("sku", "cannot be given together with a status or a customer");
    }
    let which = sku.map(Orders::Selling).or(customer.map(Orders::Of)).or(status.map(Orders::With));
    let which = which.unwrap_or(Orders::All);
    page(&table, &guard, which, placed, parameters).await
}

/// Count orders
///
/// How many orders stand where, in each of three ways. It costs the same however many there are, and follows the orders within
/// seconds.
#[utoipa::path(
    get,
    path = "/v1/admin/orders/counts",
    responses((status = 200, description = "How many orders there are of each status.", body = OrderCounts)),
    security(("bearer" = ["orders:read"])),
)]
pub async fn count_orders(State(table): State<Table>, _: Staff<may::ReadOrders>) -> Result<Json<OrderCounts>, Problem> {
    Ok(Json(table.order_counts().await?))
}

async fn page(
    table: &Table,
    guard: &Guard,
    which: Orders,
    placed: Placed,
    mut parameters: Parameters,
) -> Result<Json<List<OrderSummary>>, Problem> {
    let whose = match &which {
        Orders::All => "all".to_owned(),
        Orders::With(status) => format!("orders that are {}", status.as_str()),
        Orders::Of(customer) => format!("orders of {customer}"),
        Orders::Selling(sku) => format!("orders of SKU {sku}"),
    };
    let list = format!("{whose}, {:?} to {:?}", placed.from, placed.before);
    let list = (&guard.cursors, list.as_str());
    let limit = parameters.limit();
    let cursor = parameters.cursor(list, Cursor::among_orders);
    parameters.finish()?;
    Ok(Json(List::of(table.orders(which, placed, limit, cursor).await?, list)))
}

/// Read an order
///
/// One's own, or any for staff; by its id, or by its number.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}",
    params(("id" = String, Path, description = "An id, or a number in any spelling.", example = "ord_01K3ZQ8V5E7N9WJ2R4T6Y8B0CD")),
    responses((status = 200, description = "The order with its timeline.", body = OrderView)),
    security(("bearer" = [])),
)]
pub async fn read_order(
    State(table): State<Table>,
    State(guard): State<Guard>,
    bearer: Bearer,
    Segment(id): Segment,
) -> Result<Json<OrderView>, Problem> {
    let unknown = || Problem::not_found("order");
    let order = async {
        Ok(match (id.parse::<OrderId>(), id.parse::<OrderNumber>()) {
            (Ok(id), _) => table.order(id).await?,
            (Err(_), Ok(number)) => table.order_numbered(number).await?,
            (Err(_), Err(_)) => None,
        })
    };
    let (caller, order) = bearer.beside(&guard, order).await?;
    let order = order.filter(|order| caller.may_see(order)).ok_or_else(unknown)?;
    Ok(Json(order.into()))
}
