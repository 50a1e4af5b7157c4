//! Starting the payment of an order.
//!
//! The attempt's number is in the order before Stripe is called, and is part of the key that Stripe is called with. So
//! a crash, a lost reply or a second request at the same moment all come to the same page, and no attempt is charged
//! twice. A new attempt begins only after Stripe itself says that the page of the last one has closed unpaid.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use orders::{decide, own_order};
use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::{self, Attempt, Command, Order, Refusal};
use waybill_lambda::clock;
use waybill_storage::orders::Unchanged;
use waybill_web::limits::{Address, Limit};
use waybill_web::{Caller, Kind, Problem, Segment};

use crate::App;
use crate::customers::for_holder;
use crate::stripe_api::{Page, Stripe};

#[derive(Serialize, ToSchema)]
pub struct PaymentSession {
    /// Stripe's id of the page.
    id: String,
    /// Where the buyer's browser goes to pay.
    url: String,
    expires_at: Timestamp,
}

type Answer = (StatusCode, Json<PaymentSession>);

/// Start the payment of an order
///
/// Answers a page at Stripe that takes exactly the order's total. However often this is asked, one page is open at a time,
/// and no order is charged twice.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/payment-sessions",
    params(("id" = OrderId, Path)),
    responses((status = 201, description = "A new page.", body = PaymentSession), (status = 200, description = "The page that is still open.", body = PaymentSession), (status = 409, description = "order-state, amount-too-small, amount-too-large, too-many-payments, payment-expired, payment-pending")),
    security(("bearer" = [])),
)]
pub async fn start_payment(
    State(app): State<App>,
    caller: Caller,
    address: Address,
    Segment(id): Segment,
) -> Result<Answer, Problem> {
    take_limits(&app, &caller, &address).await?;
    let order = own_order(&app.table, &caller, &id).await?;
    match attempt(&order)? {
        Attempt { number, session: None } => open_page(&app, &caller, &order, *number).await,
        Attempt { session: Some(page @ order::PaymentSession::Page { expires_at, .. }), .. }
            if *expires_at > clock::now() =>
        {
            answer(StatusCode::OK, page)
        }
        // Only Stripe knows whether somebody paid on a page in the last moment; an intent makes way for a page.
        Attempt { session: Some(session), .. } => {
            let (order, number) = close_attempt(&app, &order, session).await?;
            open_page(&app, &caller, &order, number).await
        }
    }
}

pub(crate) async fn take_limits(app: &App, caller: &Caller, address: &Address) -> Result<(), Problem> {
    let (limits, now) = (&app.guard.limits, clock::now());
    let account = caller.account.to_string();
    tokio::try_join!(
        limits.take(Limit::PaymentAccount, &account, now),
        limits.take(Limit::PaymentAddress, &address.0, now)
    )?;
    Ok(())
}

/// The attempt of an order that can still be paid.
pub(crate) fn attempt(order: &Order) -> Result<&Attempt, Problem> {
    match &order.state {
        order::State::Pending { attempt } => Ok(attempt),
        order::State::Authorised { .. } => {
            Err(Problem::new(Kind::OrderState, "The order's payment has been authorised already."))
        }
        order::State::Paid { .. }
        | order::State::Processing { .. }
        | order::State::PartiallyShipped { .. }
        | order::State::Shipped { .. }
        | order::State::Delivered { .. } => Err(Problem::new(Kind::OrderState, "The order has been paid already.")),
        order::State::Cancelled { .. } => Err(Problem::new(Kind::OrderState, "The order was cancelled.")),
        order::State::Expired { .. } => {
            Err(Problem::new(Kind::OrderState, "The order was not paid in time. Please order again."))
        }
    }
}

async fn open_page(app: &App, caller: &Caller, order: &Order, number: u32) -> Result<Answer, Problem> {
    let open =
        move |customer: Option<String>| async move { app.stripe.open_page(order, number, customer.as_deref()).await };
    let page = for_holder(app, &caller.holder, open).await?;
    let order = save(app, order.id, number, Stripe::page_of(order, page)?).await?;
    match &attempt(&order)?.session {
        Some(page @ order::PaymentSession::Page { .. }) => answer(StatusCode::CREATED, page),
        Some(order::PaymentSession::Intent { .. }) | None => {
            Err(Problem::new(Kind::PaymentExpired, "The payment page has just closed. Please start again."))
        }
    }
}

/// Keeps what the buyer can pay an attempt by; the order as it is then.
pub(crate) async fn save(
    app: &App,
    id: OrderId,
    number: u32,
    session: order::PaymentSession,
) -> Result<Order, Problem> {
    let command = Command::StartPayment { attempt: number, session: session.clone() };
    let now = clock::now();
    let saved = app.table.change_order(id, None, |order| order.decide(command.clone(), Actor::Customer, now));
    match saved.await {
        Ok(order) => Ok(order),
        // The same was saved by a request at the same moment, its event was faster than we are, or somebody pays in another way.
        Err(Unchanged::Refused(Refusal::Done)) => {
            let order = app.table.order(id).await?.ok_or_else(|| Problem::not_found("order"))?;
            let kept = attempt(&order).ok().and_then(|attempt| attempt.session.as_ref());
            if kept.is_some_and(|kept| kept.id() != session.id()) {
                close(app, &session).await;
            }
            Ok(order)
        }
        // It was given up meanwhile, by who saw no page yet. Nobody has this one's address; now nobody can pay on it.
        Err(Unchanged::Refused(refusal @ Refusal::Forbidden { .. })) => {
            close(app, &session).await;
            Err(refusal.into())
        }
        Err(refused) => Err(refused.into()),
    }
}

/// Closes what is of no use. That it cannot be closed changes nothing for the caller.
async fn close(app: &App, session: &order::PaymentSession) {
    match app.stripe.close(session).await {
        Ok(Page::Closed) => {}
        Ok(Page::Open | Page::Completed { .. }) => {
            tracing::error!("what nobody is to pay by is not closed")
        }
        Err(_) => tracing::warn!("what nobody is to pay by could not be closed"),
    }
}

/// Closes what the attempt could be paid by; the order as it then waits for the next, and the number of that. Stripe says whether
/// it was in time.
pub(crate) async fn close_attempt(
    app: &App,
    order: &Order,
    session: &order::PaymentSession,
) -> Result<(Order, u32), Problem> {
    match app.stripe.close(session).await? {
        Page::Closed => {
            let command = Command::ExpirePayment { session_id: session.id().to_owned() };
            // Stripe's event about it may have been faster.
            let (order, _) = decide(&app.table, order.id, command, Actor::Stripe).await?;
            match attempt(&order)? {
                Attempt { number, session: None } => Ok((order.clone(), *number)),
                Attempt { session: Some(_), .. } => {
                    let detail = "Another payment has just been started. Please look again.";
                    Err(Problem::new(Kind::PaymentExpired, detail))
                }
            }
        }
        Page::Open | Page::Completed { .. } => {
            Err(Problem::new(Kind::PaymentPending, "A payment of this order is being confirmed."))
        }
    }
}

fn answer(status: StatusCode, session: &order::PaymentSession) -> Result<Answer, Problem> {
    match session.clone() {
        order::PaymentSession::Page { id, url, expires_at } => {
            Ok((status, Json(PaymentSession { id, url, expires_at })))
        }
        order::PaymentSession::Intent { .. } => Err(Problem::internal("a payment intent has no page")),
    }
}

/// Kept here so that a reader finds both ends of the key: what [`crate::Stripe::open_page`] sends.
pub fn idempotency_key(order: &Order, attempt: u32, customer: Option<&str>) -> String {
    match customer {
        Some(customer) => format!("{}/{attempt}/{customer}", order.id),
        None => format!("{}/{attempt}", order.id),
    }
}
