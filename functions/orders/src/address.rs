//! Where an order goes, as long as it has not been shipped.

use axum::Json;
use axum::extract::State;
use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::{Address, Command};
use waybill_storage::Table;
use waybill_web::{Body, Caller, Fields, NewAddress, Problem, Segment, Staff, may};

use crate::change::{change, own_order};
use crate::view::OrderView;

/// Send one's order to another address
///
/// Until it is shipped, and in the country and region that shipping and tax were reckoned for.
#[utoipa::path(
    put,
    path = "/v1/orders/{id}/shipping-address",
    params(("id" = OrderId, Path)),
    request_body = NewAddress,
    responses((status = 200, description = "The order goes there.", body = OrderView), (status = 409, description = "order-state, too-many")),
    security(("bearer" = [])),
)]
pub async fn change_own_address(
    State(table): State<Table>,
    caller: Caller,
    Segment(id): Segment,
    Body(body): Body<NewAddress>,
) -> Result<Json<OrderView>, Problem> {
    own_order(&table, &caller, &id).await?;
    change(&table, &id, Command::ChangeAddress(Box::new(checked(body)?)), Actor::Customer).await
}

/// Send an order to another address
///
/// Until it is shipped, and in the country and region that shipping and tax were reckoned for.
#[utoipa::path(
    put,
    path = "/v1/admin/orders/{id}/shipping-address",
    params(("id" = OrderId, Path)),
    request_body = NewAddress,
    responses((status = 200, description = "The order goes there.", body = OrderView), (status = 409, description = "order-state, too-many")),
    security(("bearer" = ["orders:fulfil"])),
)]
pub async fn change_address(
    State(table): State<Table>,
    staff: Staff<may::FulfilOrders>,
    Segment(id): Segment,
    Body(body): Body<NewAddress>,
) -> Result<Json<OrderView>, Problem> {
    change(&table, &id, Command::ChangeAddress(Box::new(checked(body)?)), staff.caller.actor()).await
}

fn checked(body: NewAddress) -> Result<Address, Problem> {
    let mut fields = Fields::default();
    let address = body.check("", &mut fields);
    fields.finish(|| address)
}
