//! Capturing what the buyer's bank holds for an order.

use axum::Json;
use axum::extract::State;
use orders::{OrderView, decide};
use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::{self, Command};
use waybill_web::{Kind, Problem, Segment, Staff, may};

use crate::App;

/// Capture the payment of an order
///
/// Takes what the buyer's bank has held since the payment was authorised, all of it and once, however often this is asked. The
/// bank lets go of it after some days (seven for most cards), and then there is nothing to capture.
#[utoipa::path(
    post,
    path = "/v1/admin/orders/{id}/capture",
    params(("id" = OrderId, Path)),
    responses((status = 200, description = "The order is paid, now or by an earlier request.", body = OrderView), (status = 409, description = "order-state, payment-expired, payment-pending")),
    security(("bearer" = ["orders:capture"])),
)]
pub async fn capture_payment(
    State(app): State<App>,
    staff: Staff<may::CaptureOrders>,
    Segment(id): Segment,
) -> Result<Json<OrderView>, Problem> {
    let unknown = || Problem::not_found("order");
    let id: OrderId = id.parse().map_err(|_| unknown())?;
    let order = app.table.order(id).await?.ok_or_else(unknown)?;
    let intent = match &order.state {
        order::State::Authorised { authorisation } => &authorisation.intent,
        order::State::Paid { .. }
        | order::State::Processing { .. }
        | order::State::PartiallyShipped { .. }
        | order::State::Shipped { .. }
        | order::State::Delivered { .. } => return Ok(Json(order.into())),
        order::State::Pending { .. } => return Err(refused("No payment of the order has been authorised.")),
        order::State::Cancelled { .. } => return Err(refused("The order was cancelled.")),
        order::State::Expired { .. } => return Err(refused("The order was not paid in time.")),
    };
    match app.stripe.capture(intent).await? {
        Some(paid @ Command::Pay { .. }) => {
            let (order, _) = decide(&app.table, id, paid, staff.caller.actor()).await?;
            Ok(Json(order.into()))
        }
        Some(released @ Command::Release { .. }) => {
            decide(&app.table, id, released, Actor::Stripe).await?;
            let detail =
                "The buyer's bank holds the amount no longer. The order can be paid again, while there is time.";
            Err(Problem::new(Kind::PaymentExpired, detail))
        }
        Some(_) | None => {
            tracing::warn!(order.id = %id, "the payment of an order is held, and cannot be captured");
            let detail = "The payment could not be captured, and nothing has changed. Please try again; if it stays so, look at it in Stripe.";
            Err(Problem::new(Kind::PaymentPending, detail))
        }
    }
}

fn refused(why: &str) -> Problem {
    Problem::new(Kind::OrderState, why)
}
