//! Money that goes back to the buyer: asked for first, and then made at Stripe, so that a crash in between loses nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::units::count;
use super::{Order, Payment, Refusal, State, Units, UnitsRefused};
use crate::cart::Quantity;
use crate::message::Event;
use crate::money::{Currency, Money};
use crate::stock::Reason;
use crate::text::Sku;
use crate::totals::{Prices, Tax};

/// Refunds that staff may ask for of one order, those that failed included.
pub const MAX_REFUNDS: usize = 20;
/// Refunds that an order tells of, with those that were made at Stripe.
const MAX_KEPT: usize = 2 * MAX_REFUNDS;

/// One refund of an order's payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// 1 for the order's first. It is part of the idempotency key that Stripe is called with, so that one refund is made
    /// once however often the call is repeated.
    pub number: u32,
    pub amount: Money,
    pub cause: Cause,
    /// The units that it pays back, where it was asked for by units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<RefundedLine>,
    pub requested_at: Timestamp,
    pub state: RefundState,
}

/// Why money goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// Staff asked for it.
    Requested {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
        /// By which the request knows itself when it comes again.
        request: Request,
    },
    /// The order was cancelled after it was paid.
    Cancelled,
    /// What had not been shipped was cancelled.
    RestCancelled,
    /// The payment came when the order had been given up.
    PaidLate,
    /// It was made at Stripe, not here.
    AtStripe,
}

/// The Idempotency-Key of a request, and what tells two requests with one key apart; both hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub key: String,
    pub fingerprint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefundedLine {
    pub sku: Sku,
    pub quantity: Quantity,
    /// What these units come to.
    pub amount: Money,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum RefundState {
    /// To be made at Stripe, or on its way there.
    Requested,
    Succeeded {
        /// Stripe's id, `re_…`.
        stripe: String,
        succeeded_at: Timestamp,
    },
    /// The money is still here, and can be paid back by another refund.
    Failed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stripe: Option<String>,
        failed_at: Timestamp,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// Asked for; the payment provider has not confirmed it yet.
    Requested,
    Succeeded,
    Failed,
}

impl RefundState {
    pub fn status(&self) -> RefundStatus {
        match self {
            RefundState::Requested => RefundStatus::Requested,
            RefundState::Succeeded { .. } => RefundStatus::Succeeded,
            RefundState::Failed { .. } => RefundStatus::Failed,
        }
    }

    pub(super) fn stripe(&self) -> Option<&str> {
        match self {
            RefundState::Requested => None,
            RefundState::Succeeded { stripe, .. } => Some(stripe),
            RefundState::Failed { stripe, .. } => stripe.as_deref(),
        }
    }
}

impl Refund {
    /// Whether it is ours to make at Stripe.
    pub fn is_due(&self) -> bool {
        self.state == RefundState::Requested
    }

    fn counts(&self) -> bool {
        !matches!(self.state, RefundState::Failed { .. })
    }
}

/// What staff want to pay back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    Amount(Money),
    /// These units at what was paid for them: after discounts, with tax, without shipping.
    Units(Vec<Units>),
}

/// What can be asked of an order's refunds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Request {
        wanted: Wanted,
        reason: Option<Reason>,
        request: Request,
    },
    /// Stripe says what became of one of ours.
    Settle {
        number: u32,
        outcome: Outcome,
    },
    /// Stripe tells of one that was made there, of this payment intent.
    Note {
        intent: String,
        amount: Money,
        outcome: Outcome,
    },
}

/// What became of a refund at Stripe, which names it `re_…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Succeeded {
        stripe: String,
    },
    /// Without a name where Stripe never began it.
    Failed {
        stripe: Option<String>,
    },
}

/// Why nothing was done about a refund.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("only {left} of the payment is left to refund")]
    TooMuch { left: Money },
    #[error("the payment was in {0}")]
    OtherCurrency(Currency),
    #[error(transparent)]
    Units(#[from] UnitsRefused),
    #[error("the key was used before, for another refund")]
    KeyUsed,
    #[error("the order has as many refunds as it can have")]
    TooMany,
    #[error("nothing was paid for these units")]
    Nothing,
    #[error("it is of another payment than the order's")]
    OtherPayment,
    #[error("the order has no refund of this number")]
    Unknown,
}

impl Payment {
    /// What can still be paid back of what was paid: all but the refunds that have not failed, and what a bank has taken.
    pub fn refundable(&self, paid: Money) -> Money {
        let gone = self.sum(Refund::counts) + self.held_by_banks();
        Money::new(paid.amount.saturating_sub(gone).max(0), paid.currency)
    }

    /// What has been paid back or taken back, in minor units.
    pub fn gone_back(&self) -> i64 {
        self.sum(|refund| refund.state.status() == RefundStatus::Succeeded) + self.lost()
    }

    /// Whether what was to go back for units that were never sent is still here.
    pub(super) fn owes_rest(&self) -> bool {
        let failed = |refund: &&Refund| refund.cause == Cause::RestCancelled && !refund.counts();
        let made_since = |rest: &Refund| self.refunds.iter().any(|later| later.number > rest.number && later.counts());
        self.refunds.iter().filter(failed).any(|rest| !made_since(rest))
    }

    /// The units of a SKU that refunds which have not failed pay back, and how much that is, in minor units.
    fn units_refunded(&self, sku: &Sku) -> (u32, i128) {
        let counted = self.refunds.iter().filter(|refund| refund.counts());
        let lines = counted.flat_map(|refund| &refund.lines).filter(|line| line.sku == *sku);
        lines.fold((0_u32, 0), |(units, amount), line| {
            (units.saturating_add(line.quantity.get()), amount + i128::from(line.amount.amount))
        })
    }

    fn sum(&self, which: impl Fn(&Refund) -> bool) -> i64 {
        self.refunds.iter().filter(|refund| which(refund)).map(|refund| refund.amount.amount).sum()
    }

    pub(super) fn with(
        mut self,
        amount: Money,
        cause: Cause,
        lines: Vec<RefundedLine>,
        now: Timestamp,
    ) -> (Payment, u32) {
        let number = u32::try_from(self.refunds.len() + 1).unwrap_or(u32::MAX);
        let state = RefundState::Requested;
        self.refunds.push(Refund { number, amount, cause, lines, requested_at: now, state });
        (self, number)
    }
}

impl Order {
    pub(super) fn refund(&self, state: State, command: Command, now: Timestamp) -> Result<(Order, Event), Refusal> {
        let Some(payment) = state.payment().cloned() else {
            let (status, command) = (state.status(), super::Command::Refund(command));
            return Err(Refusal::Forbidden { status, command });
        };
        let (payment, event) = match command {
            Command::Request { wanted, reason, request } => {
                self.request_refund(payment, wanted, reason, request, now)?
            }
            Command::Settle { number, outcome } => {
                let place =
                    payment.refunds.iter().position(|refund| refund.number == number).ok_or(Refused::Unknown)?;
                settle(payment, place, outcome, now)?
            }
            // Who pays an order twice over gets one of the payments back, by hand; the order's own is as it was.
            Command::Note { intent, .. } if payment.intent != Some(intent.clone()) => {
                return Err(Refused::OtherPayment.into());
            }
            Command::Note { amount, outcome, .. } => {
                let is_it = |refund: &Refund| outcome.stripe().is_some_and(|id| refund.state.stripe() == Some(id));
                match payment.refunds.iter().position(is_it) {
                    Some(place) => settle(payment, place, outcome, now)?,
                    None if payment.refunds.len() >= MAX_KEPT => return Err(Refused::TooMany.into()),
                    None => {
                        let (payment, _) = payment.with(amount, Cause::AtStripe, Vec::new(), now);
                        let place = payment.refunds.len() - 1;
                        settle(payment, place, outcome, now)?
                    }
                }
            }
        };
        self.to(state.with_payment(payment), event)
    }

    fn request_refund(
        &self,
        payment: Payment,
        wanted: Wanted,
        reason: Option<Reason>,
        request: Request,
        now: Timestamp,
    ) -> Result<(Payment, Event), Refusal> {
        let before = payment.refunds.iter().find_map(|refund| match &refund.cause {
            Cause::Requested { request: before, .. } if before.key == request.key => Some(before),
            Cause::Requested { .. } | Cause::Cancelled | Cause::RestCancelled | Cause::PaidLate | Cause::AtStripe => {
                None
            }
        });
        if let Some(before) = before {
            return Err(if *before == request { Refusal::Done } else { Refused::KeyUsed.into() });
        }
        if payment.refunds.len() >= MAX_REFUNDS {
            return Err(Refused::TooMany.into());
        }
        let left = payment.refundable(self.total);
        let (amount, lines) = match wanted {
            Wanted::Amount(amount) => (amount, Vec::new()),
            Wanted::Units(units) => {
                let lines = self.come_to(&payment, &units).map_err(Refused::from)?;
                let sum = lines.iter().map(|line| line.amount.amount).sum();
                if sum == 0 {
                    return Err(Refused::Nothing.into());
                }
                (Money::new(sum, left.currency), lines)
            }
        };
        if amount.currency != left.currency {
            return Err(Refused::OtherCurrency(left.currency).into());
        }
        if !(1..=left.amount).contains(&amount.amount) {
            return Err(Refused::TooMuch { left }.into());
        }
        let (payment, number) = payment.with(amount, Cause::Requested { reason, request }, lines, now);
        Ok((payment, Event::RefundRequested { number, amount }))
    }

    /// The refunds that are to be made at Stripe, with the payment that they are of.
    pub fn refunds_due(&self) -> impl Iterator<Item = (&str, &Refund)> {
        let of = |payment| {
            let Payment { intent, refunds, .. }: &Payment = payment;
            intent.as_deref().map(|intent| (intent, refunds))
        };
        let due = self.state.payment().and_then(of);
        due.into_iter()
            .flat_map(|(intent, refunds)| refunds.iter().map(move |refund| (intent, refund)))
            .filter(|(_, refund)| refund.is_due())
    }

    /// What units come to, to the cent: all units of a line together come to what the line came to, however they are split
    /// and whichever refunds of them have failed.
    pub(super) fn come_to(&self, payment: &Payment, units: &[Units]) -> Result<Vec<RefundedLine>, UnitsRefused> {
        let mut lines = Vec::new();
        for Units { sku, quantity } in units {
            let line = self.lines.iter().find(|line| line.sku == *sku);
            let line = line.ok_or_else(|| UnitsRefused::NotOrdered(sku.clone()))?;
            let (units, amount) = payment.units_refunded(sku);
            let (all, after) = (line.quantity.get(), units.saturating_add(quantity.get()));
            if after > all {
                return Err(UnitsRefused::TooMany { sku: sku.clone(), left: all.saturating_sub(units) });
            }
            let paid = i128::from(self.paid_for(sku).unwrap_or(line.total.amount));
            let share = (paid * i128::from(after) / i128::from(all) - amount).max(0);
            // Below the total of the order, which is an i64.
            let amount = Money::new(i64::try_from(share).unwrap_or(i64::MAX), self.total.currency);
            lines.push(RefundedLine { sku: sku.clone(), quantity: *quantity, amount });
        }
        Ok(lines)
    }

    /// What of units that were never sent has not been paid back by units: what was paid back and did not come back counts as
    /// paid back for them.
    pub(super) fn not_refunded(&self, payment: &Payment, unsent: &[Units]) -> Vec<Units> {
        let received = self.received();
        let left = |units: &Units| {
            let for_nothing_back = payment.units_refunded(&units.sku).0.saturating_sub(count(&received, &units.sku));
            let left = units.quantity.get().saturating_sub(for_nothing_back);
            Some(Units { quantity: i64::from(left).try_into().ok()?, ..units.clone() })
        };
        unsent.iter().filter_map(left).collect()
    }

    /// What a line came to after discounts, with its tax, in minor units.
    fn paid_for(&self, sku: &Sku) -> Option<i64> {
        let totals = self.totals.as_ref()?;
        let line = totals.lines.iter().find(|line| line.sku == *sku)?;
        let added = match &totals.tax {
            Tax::Known { prices: Prices::ExcludeTax, .. } => line.tax.map_or(0, |tax| tax.amount),
            Tax::Known { prices: Prices::IncludeTax, .. } | Tax::DestinationUnknown => 0,
        };
        Some(line.total.amount + added)
    }
}

impl Outcome {
    fn stripe(&self) -> Option<&str> {
        match self {
            Outcome::Succeeded { stripe } => Some(stripe),
            Outcome::Failed { stripe } => stripe.as_deref(),
        }
    }
}

/// Stripe's events come in any order: a refund may fail after it succeeded, but once it has failed it stays so.
fn settle(mut payment: Payment, place: usize, outcome: Outcome, now: Timestamp) -> Result<(Payment, Event), Refusal> {
    let refund = &mut payment.refunds[place];
    let (number, amount) = (refund.number, refund.amount);
    let (state, event) = match (&refund.state, outcome) {
        (RefundState::Requested, Outcome::Succeeded { stripe }) => {
            (RefundState::Succeeded { stripe, succeeded_at: now }, Event::Refunded { number, amount })
        }
        (RefundState::Requested | RefundState::Succeeded { .. }, Outcome::Failed { stripe }) => {
            (RefundState::Failed { stripe, failed_at: now }, Event::RefundFailed { number, amount })
        }
        // What was taken for refused had been made after all.
        (RefundState::Failed { stripe: None, .. }, Outcome::Succeeded { stripe }) => {
            (RefundState::Succeeded { stripe, succeeded_at: now }, Event::Refunded { number, amount })
        }
        (RefundState::Succeeded { .. }, Outcome::Succeeded { .. })
        | (RefundState::Failed { .. }, Outcome::Succeeded { .. } | Outcome::Failed { .. }) => {
            return Err(Refusal::Done);
        }
    };
    refund.state = state;
    Ok((payment, event))
}
