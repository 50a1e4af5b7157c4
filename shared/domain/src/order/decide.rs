//! What may happen to an order, as one table of state and command.

use jiff::Timestamp;

use super::refund::{self, Cause};
use super::{
    Attempt, Carrier, Contact, MAX_ENTRIES, Order, Payment, PaymentSession, Shipment, State, Status, TrackingNumber,
};
use crate::message::{Actor, Entry, Event};
use crate::money::Money;
use crate::stock::Reason;

/// What can be asked of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Stripe made a page for this attempt.
    StartPayment {
        attempt: u32,
        session: PaymentSession,
    },
    /// Stripe says that a try to pay failed.
    DeclinePayment,
    /// Stripe says that a page closed unpaid.
    ExpirePayment {
        session_id: String,
    },
    /// Stripe says that it holds the money.
    Pay {
        intent: String,
        amount: Money,
    },
    Process,
    Ship {
        carrier: Carrier,
        tracking_number: TrackingNumber,
    },
    Deliver,
    /// Nobody wants it any more. What was paid goes back.
    Cancel {
        /// The page that Stripe says is closed, unpaid and for good.
        closed_page: Option<String>,
        reason: Option<Reason>,
    },
    /// Nobody has paid it in time.
    Expire {
        closed_page: Option<String>,
    },
    Refund(refund::Command),
}

impl Command {
    /// As it stands in "a … order cannot be …".
    fn participle(&self) -> &'static str {
        match self {
            Command::StartPayment { .. } => "paid again",
            Command::DeclinePayment => "declined",
            Command::ExpirePayment { .. } => "expired",
            Command::Pay { .. } => "paid again",
            Command::Process => "processed",
            Command::Ship { .. } => "shipped",
            Command::Deliver => "delivered",
            Command::Cancel { .. } => "cancelled",
            Command::Expire { .. } => "expired",
            Command::Refund(_) => "refunded",
        }
    }
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has been done before, by this very command; nothing is left to do.
    #[error("this has been done already")]
    Done,
    #[error("{}", forbidden(*.status, .command))]
    Forbidden { status: Status, command: Command },
    #[error("{paid} was paid for an order of {due}")]
    WrongAmount { due: Money, paid: Money },
    #[error("The order's payment page is open; it can be given up once that has closed.")]
    PageOpen,
    #[error("So much has happened to this order that nothing more can be started.")]
    TimelineFull,
    #[error(transparent)]
    Refund(#[from] refund::Refused),
}

fn forbidden(status: Status, command: &Command) -> String {
    let only = match command {
        Command::StartPayment { .. }
        | Command::DeclinePayment
        | Command::ExpirePayment { .. }
        | Command::Pay { .. }
        | Command::Expire { .. } => "a pending order",
        Command::Cancel { .. } => "an order that has not been shipped",
        Command::Process => "a paid order",
        Command::Ship { .. } => "an order that is processing",
        Command::Deliver => "a shipped order",
        Command::Refund(_) => "an order that was paid",
    };
    let article = if status == Status::Processing { "An order that is" } else { "An order that is already" };
    match status {
        Status::Pending => format!("An order that is not paid cannot be {}; only {only} can.", command.participle()),
        _ => format!("{article} {} cannot be {}; only {only} can.", status.as_str(), command.participle()),
    }
}

impl Order {
    /// The order without the person behind it, which nobody is told of. None while something is still due to them, or to
    /// the shop: a parcel that they have paid for, a page that they may have paid on, goods that are held for them, money
    /// that is on its way back.
    pub fn forget_buyer(&self, now: Timestamp) -> Option<Order> {
        let is_open = match &self.state {
            State::Pending { .. } | State::Paid { .. } | State::Processing { .. } | State::Shipped { .. } => true,
            State::Delivered { .. } | State::Cancelled { .. } | State::Expired { .. } => false,
        };
        let owed = |payment: &Payment| payment.refundable(self.total).amount > 0;
        let is_owed = self.state.status().is_given_up() && self.state.payment().is_some_and(owed);
        let money_is_due = is_owed || self.refunds_due().next().is_some();
        (!is_open && !money_is_due).then(|| Order { contact: Contact::Forgotten { forgotten_at: now }, ..self.clone() })
    }

    /// The order after a command, with the timeline entry that announces it; or why not.
    pub fn decide(&self, command: Command, actor: Actor, now: Timestamp) -> Result<Order, Refusal> {
        if self.timeline.len() >= MAX_ENTRIES {
            match command {
                Command::StartPayment { .. } => return Err(Refusal::TimelineFull),
                Command::DeclinePayment => return Err(Refusal::Done),
                Command::ExpirePayment { .. }
                | Command::Pay { .. }
                | Command::Process
                | Command::Ship { .. }
                | Command::Deliver
                | Command::Cancel { .. }
                | Command::Expire { .. }
                // Their number has a limit of its own.
                | Command::Refund(_) => {}
            }
        }
        let (state, event) = self.next(command, now)?;
        let mut order = Order { state, ..self.clone() };
        order.timeline.push(Entry { at: now, actor, event });
        Ok(order)
    }

    fn next(&self, command: Command, now: Timestamp) -> Result<(State, Event), Refusal> {
        use Command as C;
        use State as S;
        match (self.state.clone(), command) {
            (S::Pending { attempt }, C::StartPayment { attempt: number, session }) => {
                if attempt.number != number || attempt.session.is_some() {
                    return Err(Refusal::Done);
                }
                let attempt = Attempt { number, session: Some(session) };
                Ok((S::Pending { attempt }, Event::PaymentStarted))
            }
            (S::Pending { attempt }, C::DeclinePayment) => Ok((S::Pending { attempt }, Event::PaymentDeclined)),
            (S::Pending { attempt }, C::ExpirePayment { session_id }) => match attempt.session {
                Some(session) if session.id == session_id => {
                    let attempt = Attempt { number: attempt.number + 1, session: None };
                    Ok((S::Pending { attempt }, Event::PaymentExpired))
                }
                // The page of an attempt that has already been given up.
                Some(_) | None => Err(Refusal::Done),
            },
            (S::Pending { .. }, C::Pay { intent, amount }) => {
                let payment = self.payment(intent, amount, now)?;
                Ok((S::Paid { payment }, Event::Paid))
            }
            // Somebody may be paying on a page that is open.
            (S::Pending { attempt }, C::Cancel { closed_page, .. } | C::Expire { closed_page })
                if attempt.session.as_ref().is_some_and(|session| closed_page.as_ref() != Some(&session.id)) =>
            {
                Err(Refusal::PageOpen)
            }
            (S::Pending { .. }, C::Cancel { reason, .. }) => {
                Ok((S::Cancelled { cancelled_at: now, reason, payment: None }, Event::Cancelled))
            }
            (S::Pending { .. }, C::Expire { .. }) => {
                Ok((S::Expired { expired_at: now, payment: None }, Event::Expired))
            }
            (S::Paid { payment } | S::Processing { payment }, C::Cancel { reason, .. }) => {
                let refund = payment.refundable(self.total);
                let payment = match refund.amount {
                    0 => payment,
                    _ => payment.with(refund, Cause::Cancelled, Vec::new(), now).0,
                };
                let state = S::Cancelled { cancelled_at: now, reason, payment: Some(payment) };
                Ok((state, Event::CancelledWithRefund { refund }))
            }
            (S::Cancelled { .. }, C::Cancel { .. }) => Err(Refusal::Done),
            // The goods may be somebody else's by now, so the money goes back.
            (S::Cancelled { cancelled_at, reason, payment: None }, C::Pay { intent, amount }) => {
                let payment = self.payment(intent, amount, now)?.with(amount, Cause::PaidLate, Vec::new(), now).0;
                let state = S::Cancelled { cancelled_at, reason, payment: Some(payment) };
                Ok((state, Event::PaidLate { refund: amount }))
            }
            (S::Expired { expired_at, payment: None }, C::Pay { intent, amount }) => {
                let payment = self.payment(intent, amount, now)?.with(amount, Cause::PaidLate, Vec::new(), now).0;
                Ok((S::Expired { expired_at, payment: Some(payment) }, Event::PaidLate { refund: amount }))
            }
            (S::Paid { payment }, C::Process) => Ok((S::Processing { payment }, Event::Processing)),
            (S::Processing { payment }, C::Ship { carrier, tracking_number }) => {
                let event = Event::Shipped { carrier: carrier.clone(), tracking_number: tracking_number.clone() };
                let shipment = Shipment { carrier, tracking_number, shipped_at: now };
                Ok((S::Shipped { payment, shipment }, event))
            }
            (S::Shipped { payment, shipment }, C::Deliver) => {
                Ok((S::Delivered { payment, shipment }, Event::Delivered))
            }
            (state, C::Refund(command)) => self.refund(state, command, now),
            // What Stripe or the clock tells of an order that something else has overtaken is old news.
            (
                S::Paid { .. }
                | S::Processing { .. }
                | S::Shipped { .. }
                | S::Delivered { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                C::DeclinePayment | C::ExpirePayment { .. } | C::Expire { .. },
            ) => Err(Refusal::Done),
            (
                S::Paid { payment }
                | S::Processing { payment }
                | S::Shipped { payment, .. }
                | S::Delivered { payment, .. }
                | S::Cancelled { payment: Some(payment), .. }
                | S::Expired { payment: Some(payment), .. },
                C::Pay { intent, amount },
            ) => Err(if payment.intent.as_ref() == Some(&intent) {
                Refusal::Done
            } else {
                // It was paid twice over: a person has to look at it.
                Refusal::Forbidden { status: self.state.status(), command: C::Pay { intent, amount } }
            }),
            (
                S::Paid { .. }
                | S::Processing { .. }
                | S::Shipped { .. }
                | S::Delivered { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                command @ C::StartPayment { .. },
            )
            | (
                S::Pending { .. }
                | S::Processing { .. }
                | S::Shipped { .. }
                | S::Delivered { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                command @ C::Process,
            )
            | (
                S::Pending { .. }
                | S::Paid { .. }
                | S::Shipped { .. }
                | S::Delivered { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                command @ C::Ship { .. },
            )
            | (
                S::Pending { .. }
                | S::Paid { .. }
                | S::Processing { .. }
                | S::Delivered { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                command @ C::Deliver,
            )
            | (S::Shipped { .. } | S::Delivered { .. } | S::Expired { .. }, command @ C::Cancel { .. }) => {
                Err(Refusal::Forbidden { status: self.state.status(), command })
            }
        }
    }

    /// The payment that Stripe tells of, where it is of what is due.
    fn payment(&self, intent: String, amount: Money, now: Timestamp) -> Result<Payment, Refusal> {
        if amount != self.total {
            return Err(Refusal::WrongAmount { due: self.total, paid: amount });
        }
        Ok(Payment { intent: Some(intent), paid_at: now, refunds: Vec::new() })
    }
}
