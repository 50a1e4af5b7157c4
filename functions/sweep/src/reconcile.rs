//! Compares Stripe's books with the orders, every night. What an event was lost about is made good; what does not fit is told
//! of, for a person. By hand: `aws lambda invoke --function-name … --payload '{"reconcile": {"days": 30}}'`.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::ready;

use futures_util::{StreamExt, TryStreamExt, stream};
use payments::note::{Told, UnclearDispute};
use serde::{Deserialize, Serialize};
use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::{Order, PaymentStatus, Refusal};
use waybill_domain::{SignedDuration, Timestamp};
use waybill_lambda::{Error, clock};
use waybill_storage::order_lists::{Orders, Placed};
use waybill_storage::orders::{OrderSummary, Unchanged};

use crate::{AT_ONCE, Shop};

/// How far back payments are compared, unless it is asked for otherwise: two nights may fail before a payment is missed.
const DAYS: u16 = 3;
/// How far back refunds and disputes are: they change for months after they were begun.
const DAYS_AFTERWARDS: u16 = 120;
/// An order is compared once the news of its payment had the time to arrive.
const SETTLED_AFTER_MINUTES: u32 = 60;
/// How long one run goes on, below the function's timeout.
const LONGEST: SignedDuration = SignedDuration::from_secs(240);
/// Differences that one run tells of.
const MOST_TOLD: usize = 100;
const ORDERS_IN_A_PAGE: u8 = 100;

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Payments and orders of so many days, instead of three.
    pub days: Option<u16>,
    /// Orders that were placed within so many minutes are left alone, instead of 60.
    pub settled_after_minutes: Option<u32>,
}

/// What a comparison came to.
#[derive(Serialize)]
pub struct Compared {
    /// Payments, refunds and disputes at Stripe, and paid orders here, that were looked at.
    payments: u32,
    refunds: u32,
    disputes: u32,
    orders: u32,
    /// What the orders had not heard of before.
    repaired: u32,
    /// What does not fit, up to a hundred.
    differences: Vec<Difference>,
    /// Whether all was looked at: not where there was no time left.
    is_complete: bool,
}

#[derive(Serialize)]
struct Difference {
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderId>,
    /// Stripe's id of the payment, refund or dispute.
    stripe: String,
    why: String,
}

#[derive(Default)]
struct Books {
    payments: Cell<u32>,
    refunds: Cell<u32>,
    disputes: Cell<u32>,
    orders: Cell<u32>,
    repaired: Cell<u32>,
    differences: RefCell<Vec<Difference>>,
    /// The orders that Stripe has the money for.
    paid: RefCell<HashSet<OrderId>>,
}

fn one_more(count: &Cell<u32>) {
    count.set(count.get() + 1);
}

impl Shop {
    pub async fn reconcile(&self, wanted: Wanted) -> Result<Compared, Error> {
        let begun_at = clock::now();
        let back = |days: u16| begun_at.checked_sub(SignedDuration::from_hours(24 * i64::from(days)));
        let days = wanted.days.unwrap_or(DAYS);
        let (since, afterwards) = (back(days)?, back(days.max(DAYS_AFTERWARDS))?);
        let books = Books::default();
        let is_over = || clock::now() > begun_at + LONGEST;
        self.compare_payments(since, &books, &is_over).await?;
        self.compare_refunds(afterwards, &books, &is_over).await?;
        self.compare_disputes(afterwards, &books, &is_over).await?;
        let minutes = wanted.settled_after_minutes.unwrap_or(SETTLED_AFTER_MINUTES);
        let before = begun_at.checked_sub(SignedDuration::from_mins(minutes.into()))?;
        self.compare_orders(since, before, &books, &is_over).await?;
        let compared = Compared {
            payments: books.payments.get(),
            refunds: books.refunds.get(),
            disputes: books.disputes.get(),
            orders: books.orders.get(),
            repaired: books.repaired.get(),
            differences: books.differences.into_inner(),
            is_complete: !is_over(),
        };
        let Compared { payments, refunds, disputes, orders, repaired, ref differences, is_complete } = compared;
        let differences = differences.len();
        tracing::info!(payments, refunds, disputes, orders, repaired, differences, "the books were compared");
        if !is_complete {
            tracing::error!(why = "there was no time to compare all of them", "the books differ");
        }
        Ok(compared)
    }

    async fn compare_payments(
        &self,
        since: Timestamp,
        books: &Books,
        is_over: &impl Fn() -> bool,
    ) -> Result<(), Error> {
        let payments = self.stripe.payments_since(since).map_err(told).take_while(|_| ready(!is_over()));
        payments
            .try_for_each_concurrent(AT_ONCE, async |payment| {
                let Some((order, command)) = payments::paid_by(&payment) else { return Ok(()) };
                one_more(&books.payments);
                books.paid.borrow_mut().insert(order);
                let now = clock::now();
                let decide = |order: &Order| order.decide(command.clone(), Actor::Stripe, now);
                let noted = self.table.change_order(order, None, decide).await;
                books.take(Some(order), payment.id.as_str(), noted)
            })
            .await
    }

    async fn compare_refunds(&self, since: Timestamp, books: &Books, is_over: &impl Fn() -> bool) -> Result<(), Error> {
        let refunds = self.stripe.refunds_since(since).map_err(told).take_while(|_| ready(!is_over()));
        refunds
            .try_for_each_concurrent(AT_ONCE, async |refund| {
                let Some(told) = Told::of_refund(&refund) else { return Ok(()) };
                self.compare(told, refund.id.as_str(), &books.refunds, books).await
            })
            .await
    }

    async fn compare_disputes(
        &self,
        since: Timestamp,
        books: &Books,
        is_over: &impl Fn() -> bool,
    ) -> Result<(), Error> {
        let disputes = self.stripe.disputes_since(since).map_err(told).take_while(|_| ready(!is_over()));
        disputes
            .try_for_each_concurrent(AT_ONCE, async |dispute| match Told::of_dispute(&dispute) {
                Ok(Some(told)) => self.compare(told, dispute.id.as_str(), &books.disputes, books).await,
                Ok(None) => Ok(()),
                Err(UnclearDispute) => {
                    books.differ(None, dispute.id.as_str(), "it does not say what is disputed, or how that stands");
                    Ok(())
                }
            })
            .await
    }

    async fn compare(&self, told: Told, id: &str, count: &Cell<u32>, books: &Books) -> Result<(), Error> {
        match told
            .note(&self.table, &self.stripe, None, clock::now())
            .await
            .map_err(|problem| problem.detail().to_owned())?
        {
            None => Ok(()),
            Some(noted) => {
                one_more(count);
                books.take(None, id, noted)
            }
        }
    }

    /// The other way round: whether Stripe has the money for what is paid here.
    async fn compare_orders(
        &self,
        since: Timestamp,
        before: Timestamp,
        books: &Books,
        is_over: &impl Fn() -> bool,
    ) -> Result<(), Error> {
        let placed = Placed { from: Some(since), before: Some(before) };
        let mut from = None;
        while !is_over() {
            let page = self.table.orders(Orders::All, placed, ORDERS_IN_A_PAGE, from).await?;
            let is_paid = |order: &OrderSummary| match order.payment_status {
                PaymentStatus::Pending | PaymentStatus::Expired => false,
                PaymentStatus::Paid
                | PaymentStatus::PartiallyRefunded
                | PaymentStatus::Refunded
                | PaymentStatus::Disputed => order.total.amount > 0,
            };
            let is_known = |order: &OrderSummary| books.paid.borrow().contains(&order.id);
            let paid = page.items.into_iter().filter(is_paid).inspect(|_| one_more(&books.orders));
            let doubtful: Vec<_> = paid.filter(|order| !is_known(order)).map(|order| order.id).collect();
            stream::iter(doubtful).map(Ok).try_for_each_concurrent(AT_ONCE, |id| self.compare_order(id, books)).await?;
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Its payment was begun before those that were looked at, or is not there.
    async fn compare_order(&self, id: OrderId, books: &Books) -> Result<(), Error> {
        let Some(order) = self.table.order(id).await? else { return Ok(()) };
        let intent = order.state.payment().and_then(|payment| payment.intent.as_deref()).unwrap_or_default();
        let is_there = self.stripe.payment(intent).await.map_err(|problem| problem.detail().to_owned())?.is_some();
        if !is_there {
            books.differ(Some(id), intent, "it is paid here, and Stripe has no such payment");
        }
        Ok(())
    }
}

impl Books {
    fn take(
        &self,
        order: Option<OrderId>,
        stripe: &str,
        noted: Result<Order, Unchanged<Refusal>>,
    ) -> Result<(), Error> {
        match noted {
            Ok(order) => {
                tracing::warn!(order.id = %order.id, stripe, "Stripe's books told what no event had");
                one_more(&self.repaired);
            }
            Err(Unchanged::Refused(Refusal::Done) | Unchanged::EventSeen) => {}
            Err(Unchanged::UnknownOrder) => self.differ(order, stripe, "it is of an order that is not here"),
            Err(Unchanged::Refused(refusal)) => self.differ(order, stripe, &refusal.to_string()),
            Err(Unchanged::Failed(error)) => return Err(error.into()),
        }
        Ok(())
    }

    fn differ(&self, order: Option<OrderId>, stripe: &str, why: &str) {
        tracing::error!(order.id = order.map(|id| id.to_string()), stripe, why, "the books differ");
        let mut differences = self.differences.borrow_mut();
        if differences.len() < MOST_TOLD {
            differences.push(Difference { order, stripe: stripe.to_owned(), why: why.to_owned() });
        }
    }
}

/// Without what was sent.
fn told(error: payments::StripeError) -> Error {
    payments::told(&error).into()
}
