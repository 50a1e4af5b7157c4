//! Gives up orders that were not paid in time: what they hold can be ordered by others. Every minute, by a schedule; by hand
//! with `aws lambda invoke --function-name … --payload '{"expire_orders": {"older_than_minutes": 0}}'`. And every day
//! compares Stripe's books with the orders.

pub mod reconcile;

use std::cell::Cell;

use futures_util::{StreamExt, stream};
use payments::Stripe;
use payments::give_up::{Why, give_up};
use serde::{Deserialize, Serialize};
use waybill_domain::SignedDuration;
use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::{Attempt, State};
use waybill_lambda::{Error, clock};
use waybill_storage::Table;
use waybill_web::{Kind, Problem};

/// How long one run looks for more, well below the function's timeout.
const LONGEST: SignedDuration = SignedDuration::from_secs(30);
/// Orders that one look at the table finds, between two looks at the clock.
const TOGETHER: u8 = 50;
/// Calls to Stripe that are under way at once.
const AT_ONCE: usize = 8;
/// After so many orders in a row Stripe is taken for down, and is not asked about each of the others: that would take the
/// time of those that can be given up without asking.
const UNANSWERED: u32 = 3;

/// What the orders are found and given up by.
pub struct Shop {
    pub table: Table,
    pub stripe: Stripe,
    /// How long an order may be unpaid.
    pub deadline: SignedDuration,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    ExpireOrders(Wanted),
    Reconcile(reconcile::Wanted),
}

/// What a command came to.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Done {
    Swept(Swept),
    Compared(reconcile::Compared),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Instead of the shop's own.
    pub older_than_minutes: Option<u32>,
}

/// What a run came to.
#[derive(Default, Serialize)]
pub struct Swept {
    expired: Cell<u32>,
    /// Found paid, or being paid at this moment.
    paid: Cell<u32>,
    /// To be tried again by the next run.
    left: Cell<u32>,
    /// Orders with a page, one after the other, that nobody could be asked about.
    #[serde(skip)]
    unanswered: Cell<u32>,
}

impl Shop {
    pub async fn run(&self, command: Command) -> Result<Done, Error> {
        Ok(match command {
            Command::ExpireOrders(wanted) => Done::Swept(self.sweep(wanted).await?),
            Command::Reconcile(wanted) => Done::Compared(self.reconcile(wanted).await?),
        })
    }

    pub async fn sweep(&self, wanted: Wanted) -> Result<Swept, Error> {
        let begun_at = clock::now();
        let age = wanted.older_than_minutes.map_or(self.deadline, |minutes| SignedDuration::from_mins(minutes.into()));
        let placed_before = begun_at.checked_sub(age)?;
        let swept = Swept::default();
        let mut from = None;
        loop {
            let (orders, next) = self.table.unpaid_orders(placed_before, TOGETHER, from).await?;
            let is_over = || clock::now() > begun_at + LONGEST;
            stream::iter(orders)
                .for_each_concurrent(AT_ONCE, async |order| match is_over() {
                    true => swept.left.set(swept.left.get() + 1),
                    false => self.expire(order, &swept).await,
                })
                .await;
            from = next;
            if from.is_none() || is_over() {
                break;
            }
        }
        let (expired, paid, left) = (swept.expired.get(), swept.paid.get(), swept.left.get());
        if expired + paid + left > 0 {
            tracing::info!(expired, paid, left, "unpaid orders were looked at");
        }
        Ok(swept)
    }

    /// One that cannot be given up now does not hold up those behind it.
    async fn expire(&self, id: OrderId, swept: &Swept) {
        let count = match self.given_up(id, swept).await {
            Ok(true) => &swept.expired,
            Ok(false) => &swept.left,
            Err(problem) => match problem.kind() {
                Kind::OrderState | Kind::PaymentPending => &swept.paid,
                kind => {
                    tracing::warn!(order.id = %id, kind = kind.name(), "an order could not be given up");
                    &swept.left
                }
            },
        };
        count.set(count.get() + 1);
    }

    /// Whether an order was given up; false while Stripe is not to be asked.
    async fn given_up(&self, id: OrderId, swept: &Swept) -> Result<bool, Problem> {
        let Some(order) = self.table.order(id).await? else { return Ok(false) };
        let has_page = matches!(order.state, State::Pending { attempt: Attempt { session: Some(_), .. } });
        if has_page && swept.unanswered.get() >= UNANSWERED {
            return Ok(false);
        }
        match give_up(&self.table, &self.stripe, &order, Why::Expired, Actor::Shop).await {
            Ok(_) => {
                swept.unanswered.set(0);
                Ok(true)
            }
            Err(problem) => {
                let is_unanswered = has_page && problem.kind() == Kind::Unavailable;
                swept.unanswered.set(if is_unanswered { swept.unanswered.get() + 1 } else { 0 });
                Err(problem)
            }
        }
    }
}
