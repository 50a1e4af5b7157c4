//! What may happen to an order, as one table of state and command.

use jiff::Timestamp;

use super::refund::{self, Cause};
use super::{
    Address, Attempt, Authorisation, Contact, Country, MAX_ADDRESS_CHANGES, MAX_BYTES, MAX_ENTRIES, Order, Parcel,
    Payment, PaymentSession, Return, State, Status, dispute, returns, shipping,
};
use crate::message::{Actor, Entry, Event};
use crate::money::Money;
use crate::stock::Reason;
use crate::totals::{Place, Region, Shipping, Tax};

/// What can be asked of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Stripe made a page, or a payment intent, for this attempt.
    StartPayment {
        attempt: u32,
        session: PaymentSession,
    },
    /// Stripe says that a try to pay failed.
    DeclinePayment,
    /// Stripe says that a page closed unpaid, or that an intent was cancelled.
    ExpirePayment {
        session_id: String,
    },
    /// Stripe says that the buyer's bank holds the amount, until it is captured.
    Authorise {
        intent: String,
        amount: Money,
    },
    /// Stripe says that the bank holds it no longer, and that it was not captured.
    Release {
        intent: String,
    },
    /// Stripe says that it has the money.
    Pay {
        intent: String,
        amount: Money,
    },
    Process,
    /// Somebody mistook where it is to go.
    ChangeAddress(Box<Address>),
    Ship(Parcel),
    /// All that is on its way has arrived, or one parcel has.
    Deliver {
        shipment: Option<u32>,
    },
    /// Nobody wants it any more. What was paid goes back.
    Cancel {
        /// The page, or the payment that was authorised, which Stripe says is closed, unpaid and for good.
        closed: Option<String>,
        reason: Option<Reason>,
    },
    /// What has not been shipped will not be. It is paid back.
    CancelRest {
        reason: Reason,
    },
    /// Nobody has paid it in time.
    Expire {
        closed: Option<String>,
    },
    Refund(refund::Command),
    /// Stripe says how a dispute of the payment stands.
    NoteDispute(Box<dispute::Told>),
    Return(returns::Command),
}

impl Command {
    /// The payment by which Stripe has the money, or holds it.
    fn intent(&self) -> Option<&String> {
        match self {
            Command::Authorise { intent, .. } | Command::Pay { intent, .. } => Some(intent),
            Command::StartPayment { .. }
            | Command::DeclinePayment
            | Command::ExpirePayment { .. }
            | Command::Release { .. }
            | Command::Process
            | Command::ChangeAddress(_)
            | Command::Ship(_)
            | Command::Deliver { .. }
            | Command::Cancel { .. }
            | Command::CancelRest { .. }
            | Command::Expire { .. }
            | Command::Refund(_)
            | Command::NoteDispute(_)
            | Command::Return(_) => None,
        }
    }

    /// As it stands in "a … order cannot be …".
    fn participle(&self) -> &'static str {
        match self {
            Command::StartPayment { .. } => "paid again",
            Command::DeclinePayment => "declined",
            Command::ExpirePayment { .. } => "expired",
            Command::Authorise { .. } => "paid again",
            Command::Release { .. } => "released",
            Command::Pay { .. } => "paid again",
            Command::Process => "processed",
            Command::ChangeAddress(_) => "sent elsewhere",
            Command::Ship(_) => "shipped",
            Command::Deliver { .. } => "delivered",
            Command::Cancel { .. } => "cancelled",
            Command::CancelRest { .. } => "cancelled in part",
            Command::Expire { .. } => "expired",
            Command::Refund(_) => "refunded",
            Command::NoteDispute(_) => "disputed",
            Command::Return(_) => "returned",
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
    #[error("The order's payment is authorised; it can be given up once that has been released.")]
    HoldOpen,
    /// The order was given up meanwhile: what the bank holds for it is to be let go of.
    #[error("the order was given up, and the payment that was authorised for it is to be released")]
    ReleaseDue { intent: String },
    #[error("So much has happened to this order that nothing more can be started.")]
    TimelineFull,
    #[error("So much is known of this order that no shipment, return or address can be added.")]
    TooLong,
    #[error("An order can be sent elsewhere {MAX_ADDRESS_CHANGES} times at most.")]
    AddressesUsedUp,
    /// Shipping and tax were reckoned for the country and region that it was to go to.
    #[error("the order can only go to another address in the country and region that it was placed for")]
    OtherDestination { country: Country, region: Option<Region> },
    #[error(transparent)]
    Shipping(#[from] shipping::Refused),
    #[error(transparent)]
    Refund(#[from] refund::Refused),
    #[error(transparent)]
    Dispute(#[from] dispute::Refused),
    #[error(transparent)]
    Return(#[from] returns::Refused),
}

fn forbidden(status: Status, command: &Command) -> String {
    let only = match command {
        Command::StartPayment { .. }
        | Command::DeclinePayment
        | Command::ExpirePayment { .. }
        | Command::Authorise { .. }
        | Command::Pay { .. }
        | Command::Expire { .. } => "a pending order",
        Command::Release { .. } => "an order whose payment is authorised",
        Command::Cancel { .. } | Command::ChangeAddress(_) => "an order that has not been shipped",
        Command::Process => "a paid order",
        Command::CancelRest { .. } => "an order that is shipped in part",
        Command::Ship(_) => "an order that is processing or shipped in part",
        Command::Deliver { shipment: None } => "a shipped order",
        Command::Deliver { shipment: Some(_) } | Command::Return(_) => "an order that was shipped",
        Command::Refund(_) | Command::NoteDispute(_) => "an order that was paid",
    };
    let is = match status {
        Status::Pending => "not paid",
        Status::Authorised => "authorised and not captured",
        Status::Processing => "processing",
        Status::PartiallyShipped => "shipped in part",
        Status::Paid => "already paid",
        Status::Shipped => "already shipped",
        Status::Delivered => "already delivered",
        Status::Cancelled => "already cancelled",
        Status::Expired => "already expired",
    };
    format!("An order that is {is} cannot be {}; only {only} can.", command.participle())
}

impl Order {
    /// The order without the person behind it, which nobody is told of. None while something is still due to them, or to
    /// the shop: a parcel that they have paid for, a page that they may have paid on, goods that are held for them or
    /// that they send back, money that is on its way back or that their bank disputes.
    pub fn forget_buyer(&self, now: Timestamp) -> Option<Order> {
        let is_open = match &self.state {
            State::Pending { .. }
            | State::Authorised { .. }
            | State::Paid { .. }
            | State::Processing { .. }
            | State::PartiallyShipped { .. }
            | State::Shipped { .. } => true,
            State::Delivered { .. } | State::Cancelled { .. } | State::Expired { .. } => false,
        };
        let owed = |payment: &Payment| payment.refundable(self.total).amount > 0;
        let is_owed = self.state.status().is_given_up() && self.state.payment().is_some_and(owed);
        let rest_is_owed = self.state.payment().is_some_and(Payment::owes_rest);
        let money_is_due = is_owed || rest_is_owed || self.refunds_due().next().is_some();
        let is_disputed = self.state.payment().is_some_and(Payment::is_disputed);
        let is_open = is_open || is_disputed || self.returns.iter().any(Return::is_open);
        (!is_open && !money_is_due).then(|| Order { contact: Contact::Forgotten { forgotten_at: now }, ..self.clone() })
    }

    /// The order after a command, with the timeline entry that announces it; or why not.
    pub fn decide(&self, command: Command, actor: Actor, now: Timestamp) -> Result<Order, Refusal> {
        if self.timeline.len() >= MAX_ENTRIES {
            match command {
                Command::StartPayment { .. } => return Err(Refusal::TimelineFull),
                Command::DeclinePayment => return Err(Refusal::Done),
                Command::ExpirePayment { .. }
                | Command::Authorise { .. }
                | Command::Release { .. }
                | Command::Pay { .. }
                | Command::Process
                | Command::Cancel { .. }
                | Command::CancelRest { .. }
                | Command::Expire { .. }
                // Their number has a limit of its own.
                | Command::ChangeAddress(_)
                | Command::Ship(_)
                | Command::Deliver { .. }
                | Command::Refund(_)
                | Command::NoteDispute(_)
                | Command::Return(_) => {}
            }
        }
        let adds = matches!(
            command,
            Command::ChangeAddress(_) | Command::Ship(_) | Command::Return(returns::Command::Request { .. })
        );
        let (mut order, event) = self.next(command, now)?;
        order.timeline.push(Entry { at: now, actor, event });
        if adds && order.bytes() > MAX_BYTES { Err(Refusal::TooLong) } else { Ok(order) }
    }

    /// How long it is as JSON, of which an item of the table takes about as much.
    fn bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(usize::MAX, |text| text.len())
    }

    fn next(&self, command: Command, now: Timestamp) -> Result<(Order, Event), Refusal> {
        use Command as C;
        use State as S;
        match (self.state.clone(), command) {
            (S::Pending { attempt }, C::StartPayment { attempt: number, session }) => {
                if attempt.number != number || attempt.session.is_some() {
                    return Err(Refusal::Done);
                }
                let attempt = Attempt { number, session: Some(session) };
                self.to(S::Pending { attempt }, Event::PaymentStarted)
            }
            (S::Pending { attempt }, C::DeclinePayment) => self.to(S::Pending { attempt }, Event::PaymentDeclined),
            (S::Pending { attempt }, C::ExpirePayment { session_id }) => match attempt.session {
                Some(session) if session.id() == session_id => {
                    let attempt = Attempt { number: attempt.number + 1, session: None };
                    self.to(S::Pending { attempt }, Event::PaymentExpired)
                }
                // The page of an attempt that has already been given up.
                Some(_) | None => Err(Refusal::Done),
            },
            (S::Pending { attempt }, C::Authorise { intent, amount }) => {
                self.check_amount(amount)?;
                let authorisation = Authorisation { intent, attempt: attempt.number, authorised_at: now };
                self.to(S::Authorised { authorisation }, Event::PaymentAuthorised)
            }
            (S::Authorised { authorisation }, C::Authorise { intent, .. }) if authorisation.intent == intent => {
                Err(Refusal::Done)
            }
            // The bank's time was over, or somebody let go of it at Stripe. It can be paid again, while there is time.
            (S::Authorised { authorisation }, C::Release { intent }) if authorisation.intent == intent => {
                let attempt = Attempt { number: authorisation.attempt + 1, session: None };
                self.to(S::Pending { attempt }, Event::PaymentExpired)
            }
            (S::Authorised { authorisation }, C::Pay { intent, amount }) if authorisation.intent == intent => {
                let payment = self.payment(intent, amount, now)?;
                self.to(S::Paid { payment }, Event::Paid)
            }
            (S::Pending { .. }, C::Pay { intent, amount }) => {
                let payment = self.payment(intent, amount, now)?;
                self.to(S::Paid { payment }, Event::Paid)
            }
            // Somebody may be paying on a page that is open.
            (S::Pending { attempt }, C::Cancel { closed, .. } | C::Expire { closed })
                if attempt.session.as_ref().is_some_and(|session| closed.as_deref() != Some(session.id())) =>
            {
                Err(Refusal::PageOpen)
            }
            (S::Authorised { authorisation }, C::Cancel { closed, .. })
                if closed.as_ref() != Some(&authorisation.intent) =>
            {
                Err(Refusal::HoldOpen)
            }
            (S::Pending { .. } | S::Authorised { .. }, C::Cancel { reason, .. }) => {
                self.to(S::Cancelled { cancelled_at: now, reason, payment: None }, Event::Cancelled)
            }
            (S::Pending { .. }, C::Expire { .. }) => {
                self.to(S::Expired { expired_at: now, payment: None }, Event::Expired)
            }
            (S::Paid { payment } | S::Processing { payment }, C::Cancel { reason, .. }) => {
                let refund = payment.refundable(self.total);
                let payment = match refund.amount {
                    0 => payment,
                    _ => payment.with(refund, Cause::Cancelled, Vec::new(), now).0,
                };
                let state = S::Cancelled { cancelled_at: now, reason, payment: Some(payment) };
                self.to(state, Event::CancelledWithRefund { refund })
            }
            (S::Cancelled { .. }, C::Cancel { .. }) => Err(Refusal::Done),
            (S::Cancelled { payment: None, .. } | S::Expired { payment: None, .. }, C::Authorise { intent, .. }) => {
                Err(Refusal::ReleaseDue { intent })
            }
            // The goods may be somebody else's by now, so the money goes back.
            (S::Cancelled { cancelled_at, reason, payment: None }, C::Pay { intent, amount }) => {
                let payment = self.payment(intent, amount, now)?.with(amount, Cause::PaidLate, Vec::new(), now).0;
                let state = S::Cancelled { cancelled_at, reason, payment: Some(payment) };
                self.to(state, Event::PaidLate { refund: amount })
            }
            (S::Expired { expired_at, payment: None }, C::Pay { intent, amount }) => {
                let payment = self.payment(intent, amount, now)?.with(amount, Cause::PaidLate, Vec::new(), now).0;
                self.to(S::Expired { expired_at, payment: Some(payment) }, Event::PaidLate { refund: amount })
            }
            (S::Paid { payment }, C::Process) => self.to(S::Processing { payment }, Event::Processing),
            (S::Processing { payment } | S::PartiallyShipped { payment, .. }, C::Ship(parcel)) => {
                self.ship(payment, parcel, now)
            }
            (S::Shipped { payment, .. } | S::Delivered { payment, .. }, C::Ship(parcel)) if self.is_known(&parcel) => {
                self.ship(payment, parcel, now)
            }
            (S::Shipped { payment, .. }, C::Deliver { shipment: None }) => self.deliver_all(payment, now),
            (
                S::PartiallyShipped { payment, .. } | S::Shipped { payment, .. } | S::Delivered { payment, .. },
                C::Deliver { shipment: Some(number) },
            ) => self.deliver_one(payment, number, now),
            (
                S::Pending { .. } | S::Authorised { .. } | S::Paid { .. } | S::Processing { .. },
                C::ChangeAddress(address),
            ) => self.change_address(*address),
            (S::PartiallyShipped { payment, .. }, C::CancelRest { reason }) => self.cancel_rest(payment, reason, now),
            (S::Shipped { .. } | S::Delivered { .. }, C::CancelRest { .. }) if self.cancelled_rest.is_some() => {
                Err(Refusal::Done)
            }
            (state, C::Refund(command)) => self.refund(state, command, now),
            (state, C::NoteDispute(told)) => self.note_dispute(state, *told, now),
            (_, C::Return(command)) => self.change_returns(command, now),
            // What Stripe or the clock tells of an order that something else has overtaken is old news.
            (
                S::Authorised { .. }
                | S::Paid { .. }
                | S::Processing { .. }
                | S::PartiallyShipped { .. }
                | S::Shipped { .. }
                | S::Delivered { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                C::DeclinePayment | C::ExpirePayment { .. } | C::Expire { .. },
            )
            | (
                S::Pending { .. }
                | S::Authorised { .. }
                | S::Paid { .. }
                | S::Processing { .. }
                | S::PartiallyShipped { .. }
                | S::Shipped { .. }
                | S::Delivered { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                C::Release { .. },
            ) => Err(Refusal::Done),
            // It was paid twice over, and the other payment is to be let go of or paid back: a person has to look at it.
            (S::Authorised { .. }, command @ (C::Authorise { .. } | C::Pay { .. })) => {
                Err(Refusal::Forbidden { status: self.state.status(), command })
            }
            (
                S::Paid { payment }
                | S::Processing { payment }
                | S::PartiallyShipped { payment, .. }
                | S::Shipped { payment, .. }
                | S::Delivered { payment, .. }
                | S::Cancelled { payment: Some(payment), .. }
                | S::Expired { payment: Some(payment), .. },
                command @ (C::Pay { .. } | C::Authorise { .. }),
            ) => Err(if payment.intent.as_ref() == command.intent() {
                Refusal::Done
            } else {
                // It was paid twice over: a person has to look at it.
                Refusal::Forbidden { status: self.state.status(), command }
            }),
            (
                S::Authorised { .. }
                | S::Paid { .. }
                | S::Processing { .. }
                | S::PartiallyShipped { .. }
                | S::Shipped { .. }
                | S::Delivered { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                command @ C::StartPayment { .. },
            )
            | (
                S::Pending { .. }
                | S::Authorised { .. }
                | S::Processing { .. }
                | S::PartiallyShipped { .. }
                | S::Shipped { .. }
                | S::Delivered { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                command @ C::Process,
            )
            | (
                S::Pending { .. }
                | S::Authorised { .. }
                | S::Paid { .. }
                | S::Shipped { .. }
                | S::Delivered { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                command @ C::Ship(_),
            )
            | (
                S::Pending { .. }
                | S::Authorised { .. }
                | S::Paid { .. }
                | S::Processing { .. }
                | S::PartiallyShipped { .. }
                | S::Delivered { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                command @ C::Deliver { shipment: None },
            )
            | (
                S::Pending { .. }
                | S::Authorised { .. }
                | S::Paid { .. }
                | S::Processing { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                command @ C::Deliver { shipment: Some(_) },
            )
            | (
                S::PartiallyShipped { .. } | S::Shipped { .. } | S::Delivered { .. } | S::Expired { .. },
                command @ C::Cancel { .. },
            )
            | (
                S::Pending { .. }
                | S::Authorised { .. }
                | S::Paid { .. }
                | S::Processing { .. }
                | S::Shipped { .. }
                | S::Delivered { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                command @ C::CancelRest { .. },
            )
            | (
                S::PartiallyShipped { .. }
                | S::Shipped { .. }
                | S::Delivered { .. }
                | S::Cancelled { .. }
                | S::Expired { .. },
                command @ C::ChangeAddress(_),
            ) => Err(Refusal::Forbidden { status: self.state.status(), command }),
        }
    }

    pub(super) fn to(&self, state: State, event: Event) -> Result<(Order, Event), Refusal> {
        Ok((Order { state, ..self.clone() }, event))
    }

    fn change_address(&self, shipping_address: Address) -> Result<(Order, Event), Refusal> {
        let Contact::Known { email, shipping_address: before, language } = &self.contact else {
            return Err(Refusal::Done);
        };
        if *before == shipping_address {
            return Err(Refusal::Done);
        }
        if !self.is_reckoned_for_anywhere() && !Place::from(before).covers(&Place::from(&shipping_address)) {
            let Place { country, region } = before.into();
            return Err(Refusal::OtherDestination { country, region });
        }
        let changes = self.timeline.iter().filter(|entry| entry.event == Event::AddressChanged);
        if changes.count() >= MAX_ADDRESS_CHANGES {
            return Err(Refusal::AddressesUsedUp);
        }
        let contact = Contact::Known { email: email.clone(), shipping_address, language: language.clone() };
        Ok((Order { contact, ..self.clone() }, Event::AddressChanged))
    }

    /// Whether neither shipping nor tax depended on where it goes.
    fn is_reckoned_for_anywhere(&self) -> bool {
        self.totals.as_ref().is_some_and(|totals| {
            let is_shipped = match totals.shipping {
                Shipping::Priced { .. } => true,
                Shipping::NothingToShip
                | Shipping::DestinationUnknown
                | Shipping::MethodNotChosen
                | Shipping::CannotShip { .. } => false,
            };
            totals.tax == Tax::DestinationUnknown && !is_shipped
        })
    }

    /// The payment that Stripe tells of, where it is of what is due.
    fn payment(&self, intent: String, amount: Money, now: Timestamp) -> Result<Payment, Refusal> {
        self.check_amount(amount)?;
        Ok(Payment { intent: Some(intent), paid_at: now, refunds: Vec::new(), disputes: Vec::new() })
    }

    fn check_amount(&self, paid: Money) -> Result<(), Refusal> {
        if paid == self.total { Ok(()) } else { Err(Refusal::WrongAmount { due: self.total, paid }) }
    }
}
