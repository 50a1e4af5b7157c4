//! Placing what staff have put together for a customer: the same transaction as for the customer's own cart.

use axum::extract::State;
use axum::response::Response;
use waybill_domain::id::{DraftId, OrderId};
use waybill_lambda::clock;
use waybill_web::query::Idempotency;
use waybill_web::{Body, Problem, Segment, Staff, may};

use crate::App;
use crate::place::{NewOrder, buyer_left, quote_expired};
use crate::view::OrderView;

/// Place the order of a draft
///
/// All of it, at the prices of its quote, or nothing at all. It is the customer's order: they are mailed where to pay it, find
/// it among their own, and may cancel it. The draft ends with it.
#[utoipa::path(
    post,
    path = "/v1/admin/drafts/{id}/orders",
    params(("id" = DraftId, Path), Idempotency),
    request_body = NewOrder,
    responses((status = 201, description = "The order is placed, now or by the first request with this key.", body = OrderView, headers(("location" = String, description = "The order's path."), ("idempotent-replayed" = String, description = "`true` when an earlier request placed it."))), (status = 409, description = "out-of-stock, price-changed, cart-changed, promotion-used-up, quote-expired, customer-left, order-state")),
    security(("bearer" = ["orders:place"])),
)]
pub async fn place_draft(
    State(app): State<App>,
    staff: Staff<may::PlaceOrders>,
    Segment(id): Segment,
    Idempotency(key): Idempotency,
    Body(body): Body<NewOrder>,
) -> Result<Response, Problem> {
    let draft: DraftId = id.parse().map_err(|_| Problem::not_found("draft"))?;
    let quote = app.seal.open(&body.quote).filter(|quote| quote.draft.is_some_and(|quoted| quoted.id == draft));
    let quote = quote.ok_or_else(|| Problem::invalid_field("/quote", "must be the quote of this draft"))?;
    let placing = body.check(quote, OrderId::for_draft(draft, staff.caller.account, &key))?;
    if !placing.quote.is_good_at(clock::now()) {
        return placing.before(&app.table, quote_expired()).await;
    }
    let buyer = app.table.holder(placing.quote.buyer).await?.filter(|holder| holder.leaving_since.is_none());
    match buyer {
        Some(buyer) => placing.place(&app.table, buyer.into(), staff.caller.actor(), None).await,
        None => placing.before(&app.table, buyer_left()).await,
    }
}
