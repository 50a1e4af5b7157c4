//! Returns: asked for by the buyer, decided on by staff, received. The refund is another request, once the goods were seen.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::cart::{MAX_LINES, Quantity};
use waybill_domain::id::{LocationId, OrderId};
use waybill_domain::message::Actor;
use waybill_domain::order::returns::{self, Condition, ReceivedLine};
use waybill_domain::order::{Command, Units};
use waybill_domain::stock::Reason;
use waybill_domain::text::Sku;
use waybill_storage::Table;
use waybill_web::query::Idempotency;
use waybill_web::{Body, Caller, Fields, Problem, Segment, Staff, may};

use crate::change::{change, decide, number, own_order, request};
use crate::place::created;
use crate::units::{NewUnits, units};
use crate::view::OrderView;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReturn {
    #[schema(min_items = 1, max_items = 50)]
    lines: Vec<NewUnits>,
    /// Why they come back.
    #[schema(value_type = Reason, example = "Too small")]
    reason: String,
}

/// Ask to send goods back
///
/// Units that have been shipped and that no other return is about.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/returns",
    params(("id" = OrderId, Path), Idempotency),
    request_body = NewReturn,
    responses((status = 201, description = "The return is asked for, now or by the first request with this key.", body = OrderView, headers(("location" = String, description = "The order's path."), ("idempotent-replayed" = String, description = "`true` when an earlier request asked for it."))), (status = 409, description = "order-state, too-many-units, too-many")),
    security(("bearer" = [])),
)]
pub async fn request_return(
    State(table): State<Table>,
    caller: Caller,
    Segment(id): Segment,
    Idempotency(key): Idempotency,
    Body(body): Body<NewReturn>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let lines = NewUnits::check(body.lines, &mut fields);
    let reason = fields.take("/reason", body.reason.parse());
    let (lines, reason): (_, Reason) = fields.finish(|| Some((lines?, reason?)))?;
    let order = own_order(&table, &caller, &id).await?;
    let request = request(caller.account, &key, &(&lines, &reason))?;
    let command = Command::Return(returns::Command::Request { lines, reason, request });
    let (order, replayed) = decide(&table, order.id, command, Actor::Customer).await?;
    Ok(created(order, replayed))
}

/// Approve a return
///
/// The buyer is told that the goods may be sent.
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/returns/{number}/approve",
    params(("id" = OrderId, Path), ("number" = u32, Path, minimum = 1)),
    responses((status = 200, description = "The goods may be sent.", body = OrderView), (status = 409, description = "order-state")),
    security(("bearer" = ["orders:fulfil"])),
)]
pub async fn approve_return(
    State(table): State<Table>,
    staff: Staff<may::FulfilOrders>,
    Segment((id, known)): Segment<(String, String)>,
) -> Result<Json<OrderView>, Problem> {
    let number = number(&known, "return")?;
    change(&table, &id, Command::Return(returns::Command::Approve { number }), staff.caller.actor()).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnRefusal {
    /// The buyer sees it.
    #[schema(value_type = Reason, example = "Worn")]
    reason: String,
}

/// Refuse a return
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/returns/{number}/refuse",
    params(("id" = OrderId, Path), ("number" = u32, Path, minimum = 1)),
    request_body = ReturnRefusal,
    responses((status = 200, description = "The return is refused.", body = OrderView), (status = 409, description = "order-state")),
    security(("bearer" = ["orders:fulfil"])),
)]
pub async fn refuse_return(
    State(table): State<Table>,
    staff: Staff<may::FulfilOrders>,
    Segment((id, known)): Segment<(String, String)>,
    Body(body): Body<ReturnRefusal>,
) -> Result<Json<OrderView>, Problem> {
    let mut fields = Fields::default();
    let reason = fields.take("/reason", body.reason.parse());
    let reason = fields.finish(|| reason)?;
    let number = number(&known, "return")?;
    change(&table, &id, Command::Return(returns::Command::Refuse { number, reason }), staff.caller.actor()).await
}

/// What came.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReceipt {
    /// Units of the return, those of a SKU in as many lines as they have conditions. What is missing has not come.
    #[schema(min_items = 1, max_items = 50)]
    lines: Vec<NewReceivedLine>,
    /// Where what is restocked lies now; where it was taken from unless given.
    #[schema(value_type = Option<LocationId>)]
    location_id: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReceivedLine {
    #[schema(value_type = Sku)]
    sku: String,
    #[schema(value_type = Quantity)]
    quantity: i64,
    condition: Condition,
    /// Whether they can be sold again.
    restocked: bool,
}

impl NewReceivedLine {
    fn check(self, at: &str, fields: &mut Fields) -> Option<ReceivedLine> {
        let Units { sku, quantity } = units(&self.sku, self.quantity, at, fields)?;
        Some(ReceivedLine { sku, quantity, condition: self.condition, restocked: self.restocked })
    }
}

/// Receive a return
///
/// What is restocked can be ordered by others a moment later.
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/returns/{number}/receive",
    params(("id" = OrderId, Path), ("number" = u32, Path, minimum = 1)),
    request_body = NewReceipt,
    responses((status = 200, description = "The goods are here.", body = OrderView), (status = 409, description = "order-state, too-many-units")),
    security(("bearer" = ["orders:fulfil"])),
)]
pub async fn receive_return(
    State(table): State<Table>,
    staff: Staff<may::FulfilOrders>,
    Segment((id, known)): Segment<(String, String)>,
    Body(body): Body<NewReceipt>,
) -> Result<Json<OrderView>, Problem> {
    let mut fields = Fields::default();
    if !(1..=MAX_LINES).contains(&body.lines.len()) {
        return Err(Problem::invalid_field("/lines", format!("must be 1 to {MAX_LINES} lines")));
    }
    let lines = body.lines.into_iter().enumerate();
    let lines: Vec<_> = lines.map(|(place, line)| line.check(&format!("/lines/{place}"), &mut fields)).collect();
    let at: Option<LocationId> = fields.take_optional("/location_id", body.location_id.map(|id| id.parse()));
    let lines = fields.finish(|| lines.into_iter().collect())?;
    if let Some(at) = at
        && !table.locations().await?.names.contains_key(&at)
    {
        return Err(Problem::invalid_field("/location_id", "there is no such location"));
    }
    let number = number(&known, "return")?;
    let command = Command::Return(returns::Command::Receive { number, lines, at });
    change(&table, &id, command, staff.caller.actor()).await
}
