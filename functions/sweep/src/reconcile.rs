//! Compares Stripe's books with the orders, every day. What an event was lost about is made good; what does not fit is told
//! of, for a person. By hand: `aws lambda invoke --function-name … --payload '{"reconcile": {"days": 30}}'`.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::ready;

use futures_util::{StreamExt, TryStreamExt, stream};
use payments::hold;
use payments::note::{Noted, Told, UnclearDispute};
use serde::{Deserialize, Serialize};
use waybill_domain::id::OrderId;
use waybill_domain::order::{Authorisation, Command, PaymentStatus, Refusal, State, Status, refund};
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
    /// In seconds: differences in what is older have been told of.
    reported_since: i64,
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
        let books = Books { reported_since: since.as_second(), ..Books::default() };
        let is_over = || clock::now() > begun_at + LONGEST;
        let minutes = wanted.settled_after_minutes.unwrap_or(SETTLED_AFTER_MINUTES);
        let before = begun_at.checked_sub(SignedDuration::from_mins(minutes.into()))?;
        // Where Stripe does not list the one, it may list the others.
        let all = [
            self.compare_payments(since, &books, &is_over).await,
            self.compare_disputes(afterwards, &books, &is_over).await,
            self.compare_refunds(afterwards, &books, &is_over).await,
            self.compare_orders(since, before, &books, &is_over).await,
            self.compare_authorised(&books, &is_over).await,
        ];
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
        all.into_iter().collect::<Result<(), _>>()?;
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
                let Some((order, command)) = payments::standing_of(&payment) else { return Ok(()) };
                one_more(&books.payments);
                if matches!(command, Command::Pay { .. }) {
                    books.paid.borrow_mut().insert(order);
                }
                self.settle(order, command, &payment.id, payment.created, books).await;
                Ok(())
            })
            .await
    }

    async fn settle(&self, order: OrderId, told: Command, intent: &str, created: i64, books: &Books) {
        match hold::settle(&self.table, &self.stripe, order, told, None, clock::now()).await {
            Ok(noted) => books.take(order, intent, created, noted),
            Err(problem) => books.differ(Some(order), intent, i64::MAX, problem.detail()),
        }
    }

    async fn compare_refunds(&self, since: Timestamp, books: &Books, is_over: &impl Fn() -> bool) -> Result<(), Error> {
        let refunds = self.stripe.refunds_since(since).map_err(told).take_while(|_| ready(!is_over()));
        refunds
            .try_for_each_concurrent(AT_ONCE, async |refund| {
                let Some(told) = Told::of_refund(&refund) else { return Ok(()) };
                self.compare(told, &refund.id, refund.created, &books.refunds, books).await;
                Ok(())
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
                Ok(Some(told)) => {
                    self.compare(told, &dispute.id, dispute.created, &books.disputes, books).await;
                    Ok(())
                }
                Ok(None) => Ok(()),
                Err(UnclearDispute) => {
                    books.differ(None, &dispute.id, dispute.created, UnclearDispute::WHY);
                    Ok(())
                }
            })
            .await
    }

    async fn compare(&self, told: Told, id: &str, created: i64, count: &Cell<u32>, books: &Books) {
        match told.note(&self.table, &self.stripe, None, clock::now()).await {
            Ok(None) => {}
            Ok(Some((order, noted))) => {
                one_more(count);
                books.take(order, id, created, noted);
            }
            Err(problem) => books.differ(None, id, i64::MAX, problem.detail()),
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
                PaymentStatus::Pending | PaymentStatus::Failed | PaymentStatus::Authorised | PaymentStatus::Expired => {
                    false
                }
                PaymentStatus::Paid
                | PaymentStatus::PartiallyRefunded
                | PaymentStatus::Refunded
                | PaymentStatus::Disputed => order.total.amount > 0,
            };
            let is_known = |order: &OrderSummary| books.paid.borrow().contains(&order.id);
            let paid = page.items.into_iter().filter(is_paid).inspect(|_| one_more(&books.orders));
            let doubtful: Vec<_> = paid.filter(|order| !is_known(order)).map(|order| order.id).collect();
            stream::iter(doubtful).for_each_concurrent(AT_ONCE, |id| self.compare_order(id, books)).await;
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// What banks hold for the shop, since when ever: whether they still do.
    async fn compare_authorised(&self, books: &Books, is_over: &impl Fn() -> bool) -> Result<(), Error> {
        let mut from = None;
        while !is_over() {
            let authorised = Orders::With(Status::Authorised);
            let page = self.table.orders(authorised, Placed::default(), ORDERS_IN_A_PAGE, from).await?;
            let ids = page.items.into_iter().map(|order| order.id);
            stream::iter(ids).for_each_concurrent(AT_ONCE, |id| self.compare_hold(id, books)).await;
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn compare_hold(&self, id: OrderId, books: &Books) {
        let order = match self.table.order(id).await {
            Ok(Some(order)) => order,
            Ok(None) => return,
            Err(error) => return books.differ(Some(id), "", i64::MAX, &error.to_string()),
        };
        let State::Authorised { authorisation: Authorisation { intent, .. } } = &order.state else { return };
        one_more(&books.orders);
        match self.stripe.standing(intent).await {
            Ok(Some(told)) => self.settle(id, told, intent, i64::MAX, books).await,
            Ok(None) => {
                books.differ(Some(id), intent, i64::MAX, "it is authorised here, and Stripe has no such payment")
            }
            Err(problem) => books.differ(Some(id), intent, i64::MAX, problem.detail()),
        }
    }

    /// Its payment was begun before those that were looked at, or is not there.
    async fn compare_order(&self, id: OrderId, books: &Books) {
        let order = match self.table.order(id).await {
            Ok(Some(order)) => order,
            Ok(None) => return,
            Err(error) => return books.differ(Some(id), "", i64::MAX, &error.to_string()),
        };
        let intent = order.state.payment().and_then(|payment| payment.intent.as_deref()).unwrap_or_default();
        match self.stripe.payment(intent).await {
            Ok(Some(_)) => {}
            Ok(None) => books.differ(Some(id), intent, i64::MAX, "it is paid here, and Stripe has no such payment"),
            Err(problem) => books.differ(Some(id), intent, i64::MAX, problem.detail()),
        }
    }
}

impl Books {
    fn take(&self, order: OrderId, stripe: &str, created: i64, noted: Noted) {
        match noted {
            Ok(order) => {
                tracing::warn!(order.id = %order.id, stripe, "Stripe's books told what no event had");
                one_more(&self.repaired);
            }
            Err(Unchanged::Refused(Refusal::Done) | Unchanged::EventSeen) => {}
            // Who has paid twice over gets the other payment back, by hand: that is well.
            Err(Unchanged::Refused(Refusal::Refund(refund::Refused::OtherPayment))) => {}
            Err(Unchanged::UnknownOrder) => {
                self.differ(Some(order), stripe, created, "it is of an order that is not here");
            }
            Err(Unchanged::Refused(refusal)) => self.differ(Some(order), stripe, created, &refusal.to_string()),
            Err(Unchanged::Failed(error)) => self.differ(Some(order), stripe, i64::MAX, &error.to_string()),
        }
    }

    /// What was begun long ago was told of then.
    fn differ(&self, order: Option<OrderId>, stripe: &str, created: i64, why: &str) {
        if created < self.reported_since {
            return;
        }
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
