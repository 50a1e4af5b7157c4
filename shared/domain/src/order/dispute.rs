//! Payments that a buyer's bank calls into question. Stripe tells how a dispute stands; it is answered in Stripe's dashboard.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::refund::Cause;
use super::{Order, Payment, Refusal, State};
use crate::message::Event;
use crate::money::Money;
use crate::text::Line;

/// Disputes that an order tells of.
pub const MAX_DISPUTES: usize = 10;

/// Why the bank's customer disputes it, in Stripe's words, such as `product_not_received`.
pub type DisputeReason = Line<1, 60>;

/// A dispute of an order's payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Stripe's id, `dp_…` or `du_…`.
    pub stripe: String,
    /// What of the payment is disputed.
    pub amount: Money,
    pub reason: DisputeReason,
    pub status: DisputeStatus,
    pub opened_at: Timestamp,
    /// Until when it has to be answered; None where that does not help any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_by: Option<Timestamp>,
}

/// How a dispute stands. It only ever moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStatus {
    /// The bank asks, and has taken nothing yet.
    Inquiry,
    /// The bank's question has come to nothing.
    Withdrawn,
    /// The bank has taken the amount, and waits for an answer.
    NeedsResponse,
    /// It was answered; the bank decides.
    UnderReview,
    /// The amount is the shop's again.
    Won,
    /// The amount is the buyer's.
    Lost,
}

impl DisputeStatus {
    pub fn is_open(self) -> bool {
        match self {
            DisputeStatus::Inquiry | DisputeStatus::NeedsResponse | DisputeStatus::UnderReview => true,
            DisputeStatus::Won | DisputeStatus::Lost | DisputeStatus::Withdrawn => false,
        }
    }

    /// Whether the bank has decided, for good.
    fn is_decided(self) -> bool {
        match self {
            DisputeStatus::Won | DisputeStatus::Lost => true,
            DisputeStatus::Inquiry
            | DisputeStatus::Withdrawn
            | DisputeStatus::NeedsResponse
            | DisputeStatus::UnderReview => false,
        }
    }

    /// Whether the shop should say something.
    pub fn needs_answer(self) -> bool {
        match self {
            DisputeStatus::Inquiry | DisputeStatus::NeedsResponse => true,
            DisputeStatus::UnderReview | DisputeStatus::Won | DisputeStatus::Lost | DisputeStatus::Withdrawn => false,
        }
    }

    /// Whether the bank has the amount, so that it cannot be paid back as well.
    fn holds_money(self) -> bool {
        match self {
            DisputeStatus::NeedsResponse | DisputeStatus::UnderReview | DisputeStatus::Lost => true,
            DisputeStatus::Inquiry | DisputeStatus::Won | DisputeStatus::Withdrawn => false,
        }
    }
}

/// What Stripe tells of a dispute: how it stands, of which payment intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub intent: String,
    pub dispute: Dispute,
}

/// Why what was told of a dispute was not taken note of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it is of another payment than the order's")]
    OtherPayment,
    #[error("it is in another currency than the order")]
    OtherCurrency,
    #[error("the dispute has ended otherwise before")]
    EndedOtherwise,
    #[error("the order has as many disputes as it can have")]
    TooMany,
}

impl Payment {
    /// What a bank has taken back, or holds until it has decided, in minor units.
    pub(super) fn held_by_banks(&self) -> i64 {
        self.disputed(DisputeStatus::holds_money)
    }

    /// What a bank has taken back for good, in minor units.
    pub(super) fn lost(&self) -> i64 {
        self.disputed(|status| status == DisputeStatus::Lost)
    }

    /// Whether a bank holds something of it until it has decided.
    pub(super) fn is_held(&self) -> bool {
        self.disputes.iter().any(|dispute| dispute.status.is_open() && dispute.status.holds_money())
    }

    /// Whether a bank has still to decide.
    pub fn is_disputed(&self) -> bool {
        self.disputes.iter().any(|dispute| dispute.status.is_open())
    }

    fn disputed(&self, which: impl Fn(DisputeStatus) -> bool) -> i64 {
        self.disputes.iter().filter(|dispute| which(dispute.status)).map(|dispute| dispute.amount.amount).sum()
    }
}

impl Order {
    /// Stripe's events come in any order: what is behind how the dispute stands by now is old news. What is the shop's again of
    /// an order that was given up meanwhile is paid back.
    pub(super) fn note_dispute(&self, state: State, told: Told, now: Timestamp) -> Result<(Order, Event), Refusal> {
        let Some(mut payment) = state.payment().cloned() else {
            let (status, command) = (state.status(), super::Command::NoteDispute(told.into()));
            return Err(Refusal::Forbidden { status, command });
        };
        let Told { intent, dispute } = told;
        if payment.intent.as_ref() != Some(&intent) {
            return Err(Refused::OtherPayment.into());
        }
        let (amount, status) = (dispute.amount, dispute.status);
        if amount.currency != self.total.currency {
            return Err(Refused::OtherCurrency.into());
        }
        let place = payment.disputes.iter().position(|known| known.stripe == dispute.stripe);
        let before = place.map(|place| &payment.disputes[place]);
        match before {
            Some(before) if before.status.is_decided() && status.is_decided() && before.status != status => {
                return Err(Refused::EndedOtherwise.into());
            }
            Some(before) if before.status >= status => return Err(Refusal::Done),
            None if payment.disputes.len() >= MAX_DISPUTES => return Err(Refused::TooMany.into()),
            Some(_) | None => {}
        }
        let opened_at = before.map_or(dispute.opened_at, |before| before.opened_at);
        let dispute = Dispute { opened_at, ..dispute };
        match place {
            Some(place) => payment.disputes[place] = dispute,
            None => payment.disputes.push(dispute),
        }
        let left = payment.refundable(self.total);
        if state.status().is_given_up() && !status.is_open() && left.amount > 0 {
            payment = payment.with(left, Cause::Cancelled, Vec::new(), now).0;
        }
        let event = match (place, status.is_open()) {
            (None, true) => Event::DisputeOpened { amount },
            (Some(_), true) => Event::DisputeUpdated { amount, status },
            (_, false) => Event::DisputeClosed { amount, status },
        };
        self.to(state.with_payment(payment), event)
    }
}
