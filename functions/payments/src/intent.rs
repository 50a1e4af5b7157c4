//! Payment intents: the shop's own front has the buyer pay, with Stripe's Elements, instead of sending them to a page.
//!
//! An attempt is paid by one of both. Where the other is open, it is closed first, and Stripe says whether that was in time.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use orders::own_order;
use serde::Serialize;
use stripe_client_core::StripeRequest;
use stripe_core::payment_intent::{
    CancelPaymentIntent, CreatePaymentIntent, CreatePaymentIntentAutomaticPaymentMethods,
};
use stripe_shared::PaymentIntentCaptureMethod;
use utoipa::ToSchema;
use waybill_domain::id::OrderId;
use waybill_domain::money::Money;
use waybill_domain::order::{Attempt, Command, Order, PaymentSession};
use waybill_web::limits::Address;
use waybill_web::{Caller, Kind, Problem, Segment};

use crate::App;
use crate::customers::for_holder;
use crate::line::StripeError;
use crate::objects::PaymentIntent as AtStripe;
use crate::start::{attempt, close_attempt, idempotency_key, save, take_limits};
use crate::stripe_api::{Capture, Page, Stripe, at_stripe, failed, name, standing};

#[derive(Serialize, ToSchema)]
pub struct PaymentIntent {
    /// Stripe's id of it.
    id: String,
    /// What Stripe's Elements confirm the payment with. Whoever has it can pay, and see how the payment stands.
    client_secret: String,
    /// What Stripe's Elements offer the caller's saved ways to pay with, and to save more, for half an hour; null where there is
    /// none, and Elements do without. It is another one with each answer.
    #[schema(required)]
    customer_session_client_secret: Option<String>,
    amount: Money,
}

type Answer = (StatusCode, Json<PaymentIntent>);

/// Start the payment of an order in one's own front
///
/// Answers a payment intent at Stripe over exactly the order's total, for Stripe's Elements. However often this is asked, one
/// intent or page is open at a time, and no order is charged twice: a page that was open is closed.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/payment-intents",
    params(("id" = OrderId, Path)),
    responses((status = 201, description = "A new payment intent.", body = PaymentIntent), (status = 200, description = "The payment intent that is still open.", body = PaymentIntent), (status = 409, description = "order-state, amount-too-small, amount-too-large, too-many-payments, payment-expired, payment-pending")),
    security(("bearer" = [])),
)]
pub async fn start_payment_intent(
    State(app): State<App>,
    caller: Caller,
    address: Address,
    Segment(id): Segment,
) -> Result<Answer, Problem> {
    take_limits(&app, &caller, &address).await?;
    let order = own_order(&app.table, &caller, &id).await?;
    match attempt(&order)? {
        Attempt { number, session: None } => open(&app, &caller, &order, *number).await,
        Attempt { session: Some(PaymentSession::Intent { intent }), .. } => {
            let made = app.stripe.intent(intent).await?;
            match outcome_of(made.as_ref()) {
                Page::Open => answer(&app, StatusCode::OK, &order, made).await,
                Page::Closed | Page::Completed { .. } => {
                    let (order, number) =
                        close_attempt(&app, &order, &PaymentSession::Intent { intent: intent.clone() }).await?;
                    open(&app, &caller, &order, number).await
                }
            }
        }
        Attempt { session: Some(page @ PaymentSession::Page { .. }), .. } => {
            let (order, number) = close_attempt(&app, &order, page).await?;
            open(&app, &caller, &order, number).await
        }
    }
}

async fn open(app: &App, caller: &Caller, order: &Order, number: u32) -> Result<Answer, Problem> {
    let open =
        move |customer: Option<String>| async move { app.stripe.open_intent(order, number, customer.as_deref()).await };
    let made = for_holder(app, &caller.holder, open).await?;
    let session = PaymentSession::Intent { intent: made.id.clone() };
    let order = save(app, order.id, number, session).await?;
    match &attempt(&order)?.session {
        // Asked again, Stripe answers as it was made; somebody may have paid since.
        Some(PaymentSession::Intent { intent }) if *intent == made.id => {
            answer(app, StatusCode::CREATED, &order, Some(made)).await
        }
        Some(_) | None => {
            Err(Problem::new(Kind::PaymentExpired, "Another payment has just been started. Please look again."))
        }
    }
}

async fn answer(app: &App, status: StatusCode, order: &Order, made: Option<AtStripe>) -> Result<Answer, Problem> {
    let made = made.ok_or_else(|| Problem::internal("Stripe does not know a payment intent that it made"))?;
    let client_secret = made.client_secret.ok_or_else(|| Problem::internal("a payment intent without a secret"))?;
    let customer_session_client_secret = match &made.customer {
        Some(customer) => app.stripe.customer_session(&customer.0).await,
        None => None,
    };
    let (id, amount) = (made.id, order.total);
    Ok((status, Json(PaymentIntent { id, client_secret, customer_session_client_secret, amount })))
}

impl Stripe {
    /// An intent for one attempt of a customer to pay an order. Asking again for the same answers the same.
    pub(crate) async fn open_intent(
        &self,
        order: &Order,
        attempt: u32,
        customer: Option<&str>,
    ) -> Result<AtStripe, StripeError> {
        let key = format!("{}/intent", idempotency_key(order, attempt, customer));
        let any_method = CreatePaymentIntentAutomaticPaymentMethods::new(true);
        let request = CreatePaymentIntent::new(order.total.amount, at_stripe(order.total.currency)?)
            .automatic_payment_methods(any_method)
            .metadata(name(order.id));
        let request = match self.capture {
            Capture::Automatic => request,
            Capture::Manual => request.capture_method(PaymentIntentCaptureMethod::Manual),
        };
        let request = match customer {
            Some(customer) => request.customer(customer),
            None => request,
        };
        self.make(key, &request).await
    }

    /// Cancels an intent, unless somebody has paid by it.
    pub(crate) async fn close_intent(&self, intent: &str) -> Result<Page, Problem> {
        // Cancelling would also let go of what the bank holds by now.
        match outcome_of(self.intent(intent).await?.as_ref()) {
            Page::Open => {}
            ended @ (Page::Closed | Page::Completed { .. }) => return Ok(ended),
        }
        match CancelPaymentIntent::new(intent).build().customize().send(&self.client).await {
            Ok(cancelled) => Ok(outcome_of(Some(&cancelled))),
            // Somebody has just paid.
            Err(StripeError::Refused(_, 400)) => Ok(outcome_of(self.intent(intent).await?.as_ref())),
            Err(error) => Err(failed(error)),
        }
    }
}

/// What became of a payment intent that the buyer can pay by; nobody can by one that is not there.
pub(crate) fn outcome_of(intent: Option<&AtStripe>) -> Page {
    let Some(intent) = intent else { return Page::Closed };
    match (standing(intent), intent.status.as_str()) {
        (Some(Command::Release { .. }), _) => Page::Closed,
        (Some(payment), _) => Page::Completed { payment: Some(payment) },
        (None, "processing" | "succeeded") => Page::Completed { payment: None },
        (None, _) => Page::Open,
    }
}
