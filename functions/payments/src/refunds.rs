//! Refunds, as staff ask for them. Asking keeps the refund in the order; `work` makes it at Stripe.

use axum::extract::State;
use axum::response::Response;
use orders::{OrderView, created};
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::cart::{MAX_LINES, Quantity};
use waybill_domain::id::OrderId;
use waybill_domain::money::Money;
use waybill_domain::order::refund::{self, Request, Units, Wanted};
use waybill_domain::order::{Command, Refusal};
use waybill_domain::stock::Reason;
use waybill_domain::text::{Invalid, Sku};
use waybill_lambda::{clock, random};
use waybill_storage::orders::Unchanged;
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
    lines: Option<Vec<NewRefundedLine>>,
    /// The buyer sees it.
    #[schema(value_type = Option<Reason>, example = "Arrived broken")]
    reason: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRefundedLine)]
struct NewRefundedLine {
    #[schema(value_type = Sku)]
    sku: String,
    #[schema(value_type = Quantity)]
    quantity: i64,
}

impl NewRefund {
    fn check(self) -> Result<(Wanted, Option<Reason>), Problem> {
        let mut fields = Fields::default();
        let reason = fields.take_optional("/reason", self.reason.map(|reason| reason.parse()));
        let wanted = match (self.amount, self.lines) {
            (Some(amount), None) => amount.check_up_to(&mut fields, "/amount", 1, i64::MAX).map(Wanted::Amount),
            (None, Some(lines)) => units(lines, &mut fields).map(Wanted::Units),
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

fn units(lines: Vec<NewRefundedLine>, fields: &mut Fields) -> Option<Vec<Units>> {
    if lines.is_empty() || lines.len() > MAX_LINES {
        fields.refuse("/lines", format!("must be 1 to {MAX_LINES} lines"));
        return None;
    }
    let mut units: Vec<Units> = Vec::new();
    for (place, line) in lines.into_iter().enumerate() {
        let sku: Option<Sku> = fields.take(&format!("/lines/{place}/sku"), line.sku.parse());
        let quantity = fields.take(&format!("/lines/{place}/quantity"), line.quantity.try_into());
        let (Some(sku), Some(quantity)) = (sku, quantity) else { continue };
        if units.iter().any(|line| line.sku == sku) {
            let twice: Result<(), _> = Err(Invalid::new("is given twice"));
            fields.take(&format!("/lines/{place}/sku"), twice);
        }
        units.push(Units { sku, quantity });
    }
    Some(units)
}

/// Refund an order
///
/// Of what was paid, by amount or by units, as often as something is left. The money is on its way once the refund's status
/// is `succeeded`.
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
    let fingerprint = random::hash(&serde_json::to_string(&(&wanted, &reason)).map_err(Problem::internal)?);
    let request = Request { key: random::hash(&format!("{}/{}", staff.caller.account, key.as_str())), fingerprint };
    let command = Command::Refund(refund::Command::Request { wanted, reason, request });
    let (by, now) = (staff.caller.actor(), clock::now());
    match app.table.change_order(id, None, |order| order.decide(command.clone(), by, now)).await {
        Ok(order) => Ok(created(order, false)),
        Err(Unchanged::Refused(Refusal::Done)) => {
            let order = app.table.order(id).await?.ok_or_else(|| Problem::not_found("order"))?;
            Ok(created(order, true))
        }
        Err(refused) => Err(refused.into()),
    }
}
