//! Orders: how they are placed and what may happen to them, as one table of state and command.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cart::{PricedLine, Quote};
use crate::id::{AccountId, OrderId};
use crate::message::{Actor, Entry, Event};
use crate::money::Money;
use crate::pricing::PromotionUse;
use crate::schema::{self, described};
use crate::text::{Email, Invalid, Line};
use crate::totals::Totals;

pub type Carrier = Line<1, 60>;
pub type TrackingNumber = Line<1, 80>;

/// Once a timeline has this many entries, no payment can be started and declined tries are no longer noted, so that an
/// order (an entry is under 400 bytes) stays below DynamoDB's 400 KB an item. A payment that is made is always taken.
pub const MAX_ENTRIES: usize = 500;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub id: OrderId,
    pub buyer: AccountId,
    pub contact: Contact,
    /// As sold: titles and prices never change afterwards.
    pub lines: Vec<PricedLine>,
    pub total: Money,
    /// What the total is made of; orders from before it was kept have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<Totals>,
    /// The limited promotions that it uses, until it is cancelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<PromotionUse>,
    pub state: State,
    pub placed_at: Timestamp,
    /// What happened, oldest first; one entry for each change, the first for the placing. Only an order without anything
    /// to pay begins with two: it is placed and paid in one.
    pub timeline: Vec<Entry>,
}

/// What the shop knows of the person behind an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Contact {
    Known {
        email: Email,
        shipping_address: Address,
    },
    /// They have deleted their account.
    Forgotten {
        forgotten_at: Timestamp,
    },
}

impl Contact {
    pub fn email(&self) -> Option<&Email> {
        match self {
            Contact::Known { email, .. } => Some(email),
            Contact::Forgotten { .. } => None,
        }
    }

    pub fn shipping_address(&self) -> Option<&Address> {
        match self {
            Contact::Known { shipping_address, .. } => Some(shipping_address),
            Contact::Forgotten { .. } => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Address {
    pub name: Line<1, 120>,
    pub line1: Line<1, 120>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub line2: Option<Line<1, 120>>,
    pub city: Line<1, 80>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub region: Option<Line<1, 80>>,
    pub postal_code: Line<1, 20>,
    pub country: Country,
}

/// An ISO 3166-1 alpha-2 code: two capitals. Whether the shop ships there is another question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Country(String);

described!(
    Country,
    schema::text(
        "An ISO 3166-1 alpha-2 code. Whether the shop ships there is another question.",
        2,
        2,
        "^[A-Z]{2}$",
        "US"
    )
);

impl Country {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Country {
    type Error = Invalid;

    fn try_from(code: String) -> Result<Self, Invalid> {
        code.parse()
    }
}

impl std::str::FromStr for Country {
    type Err = Invalid;

    fn from_str(code: &str) -> Result<Self, Invalid> {
        if code.len() == 2 && code.bytes().all(|c| c.is_ascii_uppercase()) {
            Ok(Country(code.to_owned()))
        } else {
            Err(Invalid::new("must be an ISO 3166 country code of two capitals, such as US"))
        }
    }
}

/// Where an order stands, with what is known only there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum State {
    /// Placed, not paid.
    Pending {
        attempt: Attempt,
    },
    Paid {
        payment: Payment,
    },
    /// Being packed.
    Processing {
        payment: Payment,
    },
    Shipped {
        payment: Payment,
        shipment: Shipment,
    },
    Delivered {
        payment: Payment,
        shipment: Shipment,
    },
    /// Given up before it was paid; its goods can be ordered by others.
    Cancelled {
        cancelled_at: Timestamp,
    },
    /// Not paid in time; its goods can be ordered by others.
    Expired {
        expired_at: Timestamp,
    },
}

/// One try to collect the payment. Its number is part of the idempotency key that Stripe is called with, so that one
/// attempt is one payment session however often the call is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub number: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<PaymentSession>,
}

/// A page at Stripe on which the buyer can pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentSession {
    /// Stripe's id, `cs_…`.
    pub id: String,
    pub url: String,
    pub expires_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Stripe's id of the payment intent, `pi_…`; None where there was nothing to pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    pub paid_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shipment {
    pub carrier: Carrier,
    pub tracking_number: TrackingNumber,
    pub shipped_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    Pending,
    Paid,
    /// It was not paid in time, and no longer can be.
    Expired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FulfilmentStatus {
    Unfulfilled,
    Processing,
    Shipped,
    Delivered,
    /// It will not be.
    Cancelled,
}

/// A state's name, which staff lists are kept by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Paid,
    Processing,
    Shipped,
    Delivered,
    Cancelled,
    Expired,
}

impl Status {
    pub const ALL: [Status; 7] = [
        Status::Pending,
        Status::Paid,
        Status::Processing,
        Status::Shipped,
        Status::Delivered,
        Status::Cancelled,
        Status::Expired,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Paid => "paid",
            Status::Processing => "processing",
            Status::Shipped => "shipped",
            Status::Delivered => "delivered",
            Status::Cancelled => "cancelled",
            Status::Expired => "expired",
        }
    }

    /// Whether nobody will pay it any more: what it held is given back.
    pub fn is_given_up(self) -> bool {
        match self {
            Status::Cancelled | Status::Expired => true,
            Status::Pending | Status::Paid | Status::Processing | Status::Shipped | Status::Delivered => false,
        }
    }
}

impl State {
    pub fn status(&self) -> Status {
        match self {
            State::Pending { .. } => Status::Pending,
            State::Paid { .. } => Status::Paid,
            State::Processing { .. } => Status::Processing,
            State::Shipped { .. } => Status::Shipped,
            State::Delivered { .. } => Status::Delivered,
            State::Cancelled { .. } => Status::Cancelled,
            State::Expired { .. } => Status::Expired,
        }
    }

    pub fn payment_status(&self) -> PaymentStatus {
        match self {
            State::Pending { .. } | State::Cancelled { .. } => PaymentStatus::Pending,
            State::Expired { .. } => PaymentStatus::Expired,
            State::Paid { .. } | State::Processing { .. } | State::Shipped { .. } | State::Delivered { .. } => {
                PaymentStatus::Paid
            }
        }
    }

    pub fn fulfilment_status(&self) -> FulfilmentStatus {
        match self {
            State::Pending { .. } | State::Paid { .. } => FulfilmentStatus::Unfulfilled,
            State::Processing { .. } => FulfilmentStatus::Processing,
            State::Shipped { .. } => FulfilmentStatus::Shipped,
            State::Delivered { .. } => FulfilmentStatus::Delivered,
            State::Cancelled { .. } | State::Expired { .. } => FulfilmentStatus::Cancelled,
        }
    }
}

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
    /// Nobody will pay it.
    Cancel {
        /// The page that Stripe says is closed, unpaid and for good.
        closed_page: Option<String>,
    },
    /// Nobody has paid it in time.
    Expire {
        closed_page: Option<String>,
    },
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
    #[error("Too many payments of this order were started and given up; please place a new one.")]
    TimelineFull,
}

fn forbidden(status: Status, command: &Command) -> String {
    let only = match command {
        Command::StartPayment { .. }
        | Command::DeclinePayment
        | Command::ExpirePayment { .. }
        | Command::Pay { .. }
        | Command::Cancel { .. }
        | Command::Expire { .. } => "a pending order",
        Command::Process => "a paid order",
        Command::Ship { .. } => "an order that is processing",
        Command::Deliver => "a shipped order",
    };
    let article = if status == Status::Processing { "An order that is" } else { "An order that is already" };
    match status {
        Status::Pending => format!("An order that is not paid cannot be {}; only {only} can.", command.participle()),
        _ => format!("{article} {} cannot be {}; only {only} can.", status.as_str(), command.participle()),
    }
}

/// A new order from a sealed quote. Prices, stock and the limits of promotions are the table's business, in the
/// transaction that writes it. Where there is nothing to pay it is paid at once: nobody could pay it later.
pub fn place(id: OrderId, quote: Quote, email: Email, shipping_address: Address, now: Timestamp) -> Order {
    let entry = |event| Entry { at: now, actor: Actor::Customer, event };
    let (state, timeline) = match quote.totals.total.amount {
        0 => {
            let payment = Payment { intent: None, paid_at: now };
            (State::Paid { payment }, vec![entry(Event::Placed), entry(Event::Paid)])
        }
        _ => (State::Pending { attempt: Attempt { number: 1, session: None } }, vec![entry(Event::Placed)]),
    };
    Order {
        id,
        buyer: quote.buyer,
        contact: Contact::Known { email, shipping_address },
        lines: quote.lines,
        total: quote.totals.total,
        totals: Some(quote.totals),
        uses: quote.uses,
        state,
        placed_at: now,
        timeline,
    }
}

impl Order {
    /// Grows by one with every change; an order just placed has version 1.
    pub fn version(&self) -> u32 {
        let forgotten = usize::from(self.contact.email().is_none());
        u32::try_from(self.timeline.len() + forgotten).expect("a timeline has some MAX_ENTRIES entries")
    }

    /// The order without the person behind it, which nobody is told of. None while something is still due to them, or to
    /// the shop: a parcel that they have paid for, a page that they may have paid on, goods that are held for them.
    pub fn forget_buyer(&self, now: Timestamp) -> Option<Order> {
        let is_open = match &self.state {
            State::Pending { .. } | State::Paid { .. } | State::Processing { .. } | State::Shipped { .. } => true,
            State::Delivered { .. } | State::Cancelled { .. } | State::Expired { .. } => false,
        };
        (!is_open).then(|| Order { contact: Contact::Forgotten { forgotten_at: now }, ..self.clone() })
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
                | Command::Expire { .. } => {}
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
                if amount != self.total {
                    return Err(Refusal::WrongAmount { due: self.total, paid: amount });
                }
                Ok((S::Paid { payment: Payment { intent: Some(intent), paid_at: now } }, Event::Paid))
            }
            // Somebody may be paying on a page that is open.
            (S::Pending { attempt }, C::Cancel { closed_page } | C::Expire { closed_page })
                if attempt.session.as_ref().is_some_and(|session| closed_page.as_ref() != Some(&session.id)) =>
            {
                Err(Refusal::PageOpen)
            }
            (S::Pending { .. }, C::Cancel { .. }) => Ok((S::Cancelled { cancelled_at: now }, Event::Cancelled)),
            (S::Pending { .. }, C::Expire { .. }) => Ok((S::Expired { expired_at: now }, Event::Expired)),
            (S::Cancelled { .. }, C::Cancel { .. }) => Err(Refusal::Done),
            (S::Paid { payment }, C::Process) => Ok((S::Processing { payment }, Event::Processing)),
            (S::Processing { payment }, C::Ship { carrier, tracking_number }) => {
                let event = Event::Shipped { carrier: carrier.clone(), tracking_number: tracking_number.clone() };
                let shipment = Shipment { carrier, tracking_number, shipped_at: now };
                Ok((S::Shipped { payment, shipment }, event))
            }
            (S::Shipped { payment, shipment }, C::Deliver) => {
                Ok((S::Delivered { payment, shipment }, Event::Delivered))
            }
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
                | S::Delivered { payment, .. },
                C::Pay { intent, amount },
            ) => Err(if payment.intent.as_ref() == Some(&intent) {
                Refusal::Done
            } else {
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
            // Money for an order that nobody waits for: a person has to look at it.
            | (S::Cancelled { .. } | S::Expired { .. }, command @ C::Pay { .. })
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
            | (
                S::Paid { .. } | S::Processing { .. } | S::Shipped { .. } | S::Delivered { .. } | S::Expired { .. },
                command @ C::Cancel { .. },
            ) => {
                Err(Refusal::Forbidden { status: self.state.status(), command })
            }
        }
    }
}
