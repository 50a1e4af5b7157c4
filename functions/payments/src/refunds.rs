//! Refunds, as staff ask for them. Asking keeps the refund in the order; `work` makes it at Stripe.

use axum::extract::State;
use axum::response::Response;
use orders::{NewUnits, OrderView, created, decide, request};
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::id::OrderId;
use waybill_domain::money::Money;
use waybill_domain::order::Command;
use waybill_domain::order::refund::{self, Wanted};
use waybill_domain::stock::Reason;
use waybill_web::query::Idempotency;
use waybill_web::{Body, Fields, NewMoney, Problem, Segment, Staff, may};

use crate::App;

/// What to pay back: an amount, or units of the order's lines.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRefund {
    /// At most what is left of the payment. Not together with `lines`.
    #[schema(value_type = Option<Money>)]
    amount: Option<NewMoney>,
    /// At what was paid for these units: after discounts, with their tax, without shipping. Not together with `amount`.
    #[schema(min_items = 1, max_items = 50)]
    lines: Option<Vec<NewUnits>>,
    /// The buyer sees it.
    #[schema(value_type = Option<Reason>, example = "Arrived broken")]
    reason: Option<String>,
}

impl NewRefund {
    fn check(self) -> Result<(Wanted, Option<Reason>), Problem> {
        let mut fields = Fields::default();
        let reason = fields.take_optional("/reason", self.reason.map(|reason| reason.parse()));
        let wanted = match (self.amount, self.lines) {
            (Some(amount), None) => amount.check_up_to(&mut fields, "/amount", 1, i64::MAX).map(Wanted::Amount),
            (None, Some(lines)) => NewUnits::check(lines, &mut fields).map(Wanted::Units),
            (Some(_), Some(_)) => {
                fields.refuse("/lines", "cannot be given together with an amount");
                None
            }
            (None, None) => {
                fields.refuse("/amount", "must be given, or lines instead");
                None
            }
        };
        fields.finish(|| Some((wanted?, reason)))
    }
}

/// Refund an order
///
/// Of what was paid, by amount or by units, as often as something is left, and at most 20 times. The money is on its way once the
/// refund's status is `succeeded`. What is sent does not depend on it: an order of which everything went back is packed and shipped
/// all the same, unless it, or the rest of it, is cancelled, which pays back by itself.
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/refunds",
    params(("id" = OrderId, Path), Idempotency),
    request_body = NewRefund,
    responses((status = 201, description = "The refund is asked for, now or by the first request with this key.", body = OrderView, headers(("location" = String, description = "The order's path."), ("idempotent-replayed" = String, description = "`true` when an earlier request asked for it."))), (status = 409, description = "order-state, refund-too-large, too-many")),
    security(("bearer" = ["orders:refund"])),
)]
pub async fn refund_order(
    State(app): State<App>,
    staff: Staff<may::RefundOrders>,
    Segment(id): Segment,
    Idempotency(key): Idempotency,
    Body(body): Body<NewRefund>,
) -> Result<Response, Problem> {
    let (wanted, reason) = body.check()?;
    let id: OrderId = id.parse().map_err(|_| Problem::not_found("order"))?;
    let request = request(staff.caller.account, &key, &(&wanted, &reason))?;
    let command = Command::Refund(refund::Command::Request { wanted, reason, request });
    let (order, replayed) = decide(&app.table, id, command, staff.caller.actor()).await?;
    Ok(created(order, replayed))
}
