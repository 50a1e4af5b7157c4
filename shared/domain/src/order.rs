//! Orders: how they are placed, where they stand, and in the modules below what may happen to them.

mod decide;
pub mod dispute;
pub mod refund;
pub mod returns;
pub mod shipping;
mod units;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cart::{PricedLine, Quote};
use crate::id::{AccountId, OrderId};
use crate::language::Language;
use crate::message::{Actor, Entry, Event};
use crate::money::Money;
use crate::pricing::PromotionUse;
use crate::schema::{self, described};
use crate::stock::Reason;
use crate::text::{Email, Invalid, Line};
use crate::totals::Totals;

pub use decide::{Command, Refusal};
pub use dispute::{Dispute, DisputeStatus};
pub use refund::{MAX_REFUNDS, Refund, RefundStatus};
pub use returns::{Exchange, MAX_RETURNS, Return, ReturnStatus};
pub use shipping::{CancelledRest, MAX_SHIPMENTS, Parcel, Shipment};
pub use units::{Units, UnitsRefused};

pub type Carrier = Line<1, 60>;
pub type TrackingNumber = Line<1, 80>;

/// Once a timeline has this many entries, no payment can be started and declined tries are no longer noted. A payment that is
/// made is always taken, and refunds have a limit of their own.
pub const MAX_ENTRIES: usize = 300;
/// How often an order can be sent to another address.
pub const MAX_ADDRESS_CHANGES: usize = 20;
/// Bytes of an order, as JSON, beyond which it takes no shipment, return or address any more: half of DynamoDB's 400 KB an
/// item, so that there is room for what must be taken, payments and refunds above all.
pub const MAX_BYTES: usize = 200_000;

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
    /// What of it comes back or has come back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<Return>,
    /// The goods of another order that it is in exchange for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_for: Option<Exchange>,
    /// What of it is not sent any more, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_rest: Option<CancelledRest>,
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
        /// What they are mailed in; None for the shop's own language.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        language: Option<Language>,
    },
    /// They have deleted their account.
    Forgotten { forgotten_at: Timestamp },
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

    pub fn language(&self) -> Option<&Language> {
        match self {
            Contact::Known { language, .. } => language.as_ref(),
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
    /// The buyer's bank holds the amount for the shop, which has still to capture it.
    Authorised {
        authorisation: Authorisation,
    },
    Paid {
        payment: Payment,
    },
    /// Being packed.
    Processing {
        payment: Payment,
    },
    /// Some of it is on its way or has arrived.
    PartiallyShipped {
        payment: Payment,
        shipments: Vec<Shipment>,
    },
    Shipped {
        payment: Payment,
        shipments: Vec<Shipment>,
    },
    Delivered {
        payment: Payment,
        shipments: Vec<Shipment>,
    },
    /// Given up before it was shipped; its goods can be ordered by others.
    Cancelled {
        cancelled_at: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
        /// What was paid, before or after; it goes back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment: Option<Payment>,
    },
    /// Not paid in time; its goods can be ordered by others.
    Expired {
        expired_at: Timestamp,
        /// What was paid too late; it goes back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment: Option<Payment>,
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

/// By what the buyer can pay: one at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PaymentSession {
    /// A page at Stripe.
    Page {
        /// Stripe's id, `cs_…`.
        id: String,
        url: String,
        expires_at: Timestamp,
    },
    /// A payment intent, for the shop's own front.
    Intent {
        /// Stripe's id, `pi_…`. Its secret is asked for when somebody pays, and kept nowhere.
        intent: String,
    },
}

impl PaymentSession {
    /// Stripe's id.
    pub fn id(&self) -> &str {
        match self {
            PaymentSession::Page { id, .. } => id,
            PaymentSession::Intent { intent } => intent,
        }
    }
}

/// An amount that the buyer's bank holds, and lets go of again unless it is captured in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorisation {
    /// Stripe's id of the payment intent, `pi_…`.
    pub intent: String,
    /// The number of the attempt that it was made by.
    pub attempt: u32,
    pub authorised_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Stripe's id of the payment intent, `pi_…`; None where there was nothing to pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    pub paid_at: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disputes: Vec<Dispute>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    Pending,
    /// The buyer's bank said no to the last try; another can be made until the order expires.
    Failed,
    /// The buyer's bank holds the amount; it is not the shop's before it is captured.
    Authorised,
    Paid,
    /// Part of what was paid has gone back.
    PartiallyRefunded,
    /// All that was paid has gone back.
    Refunded,
    /// The buyer's bank calls the payment into question, and has not decided yet.
    Disputed,
    /// It was not paid in time, and no longer can be.
    Expired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FulfilmentStatus {
    Unfulfilled,
    Processing,
    /// Some of it is on its way or has arrived.
    PartiallyShipped,
    Shipped,
    Delivered,
    /// All of it has come back.
    Returned,
    /// It will not be.
    Cancelled,
}

impl PaymentStatus {
    pub const ALL: [PaymentStatus; 8] = [
        PaymentStatus::Pending,
        PaymentStatus::Failed,
        PaymentStatus::Authorised,
        PaymentStatus::Paid,
        PaymentStatus::PartiallyRefunded,
        PaymentStatus::Refunded,
        PaymentStatus::Disputed,
        PaymentStatus::Expired,
    ];
}

impl FulfilmentStatus {
    pub const ALL: [FulfilmentStatus; 7] = [
        FulfilmentStatus::Unfulfilled,
        FulfilmentStatus::Processing,
        FulfilmentStatus::PartiallyShipped,
        FulfilmentStatus::Shipped,
        FulfilmentStatus::Delivered,
        FulfilmentStatus::Returned,
        FulfilmentStatus::Cancelled,
    ];
}

/// A state's name, which staff lists are kept by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Authorised,
    Paid,
    Processing,
    PartiallyShipped,
    Shipped,
    Delivered,
    Cancelled,
    Expired,
}

impl Status {
    pub const ALL: [Status; 9] = [
        Status::Pending,
        Status::Authorised,
        Status::Paid,
        Status::Processing,
        Status::PartiallyShipped,
        Status::Shipped,
        Status::Delivered,
        Status::Cancelled,
        Status::Expired,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Authorised => "authorised",
            Status::Paid => "paid",
            Status::Processing => "processing",
            Status::PartiallyShipped => "partially_shipped",
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
            Status::Pending
            | Status::Authorised
            | Status::Paid
            | Status::Processing
            | Status::PartiallyShipped
            | Status::Shipped
            | Status::Delivered => false,
        }
    }
}

impl State {
    pub fn status(&self) -> Status {
        match self {
            State::Pending { .. } => Status::Pending,
            State::Authorised { .. } => Status::Authorised,
            State::Paid { .. } => Status::Paid,
            State::Processing { .. } => Status::Processing,
            State::PartiallyShipped { .. } => Status::PartiallyShipped,
            State::Shipped { .. } => Status::Shipped,
            State::Delivered { .. } => Status::Delivered,
            State::Cancelled { .. } => Status::Cancelled,
            State::Expired { .. } => Status::Expired,
        }
    }

    /// What was paid, if anything.
    pub fn payment(&self) -> Option<&Payment> {
        match self {
            State::Pending { .. } | State::Authorised { .. } => None,
            State::Paid { payment }
            | State::Processing { payment }
            | State::PartiallyShipped { payment, .. }
            | State::Shipped { payment, .. }
            | State::Delivered { payment, .. } => Some(payment),
            State::Cancelled { payment, .. } | State::Expired { payment, .. } => payment.as_ref(),
        }
    }

    /// The same with another payment, where it has one.
    fn with_payment(mut self, changed: Payment) -> State {
        match &mut self {
            State::Pending { .. } | State::Authorised { .. } => {}
            State::Paid { payment }
            | State::Processing { payment }
            | State::PartiallyShipped { payment, .. }
            | State::Shipped { payment, .. }
            | State::Delivered { payment, .. } => *payment = changed,
            State::Cancelled { payment, .. } | State::Expired { payment, .. } => *payment = Some(changed),
        }
        self
    }
}

/// A new order from a sealed quote. Prices, stock and the limits of promotions are the table's business, in the
/// transaction that writes it. Where there is nothing to pay it is paid at once: nobody could pay it later. Staff place it
/// for the buyer, or they themselves.
pub fn place(
    id: OrderId,
    quote: Quote,
    email: Email,
    shipping_address: Address,
    actor: Actor,
    now: Timestamp,
) -> Order {
    let entry = |event| Entry { at: now, actor, event };
    let (state, timeline) = match quote.totals.total.amount {
        0 => {
            let payment = Payment { intent: None, paid_at: now, refunds: Vec::new(), disputes: Vec::new() };
            (State::Paid { payment }, vec![entry(Event::Placed), entry(Event::Paid)])
        }
        _ => (State::Pending { attempt: Attempt { number: 1, session: None } }, vec![entry(Event::Placed)]),
    };
    Order {
        id,
        buyer: quote.buyer,
        contact: Contact::Known { email, shipping_address, language: None },
        lines: quote.lines,
        total: quote.totals.total,
        totals: Some(quote.totals),
        uses: quote.uses,
        state,
        returns: Vec::new(),
        exchange_for: quote.draft.and_then(|draft| draft.exchange),
        cancelled_rest: None,
        placed_at: now,
        timeline,
    }
}

impl Order {
    /// The same, of a buyer who is mailed in this language.
    pub fn in_language(mut self, wanted: Option<Language>) -> Order {
        match &mut self.contact {
            Contact::Known { language, .. } => *language = wanted,
            Contact::Forgotten { .. } => {}
        }
        self
    }

    /// Grows by one with every change; an order just placed has version 1.
    pub fn version(&self) -> u32 {
        let forgotten = usize::from(self.contact.email().is_none());
        u32::try_from(self.timeline.len() + forgotten).expect("a timeline has some MAX_ENTRIES entries")
    }

    pub fn payment_status(&self) -> PaymentStatus {
        match (&self.state, self.state.payment()) {
            (_, Some(payment)) if payment.is_disputed() => PaymentStatus::Disputed,
            (_, Some(payment)) => match payment.gone_back() {
                0 => PaymentStatus::Paid,
                gone if gone < self.total.amount => PaymentStatus::PartiallyRefunded,
                _ => PaymentStatus::Refunded,
            },
            (State::Expired { .. }, None) => PaymentStatus::Expired,
            (State::Authorised { .. }, None) => PaymentStatus::Authorised,
            (State::Pending { .. }, None) if self.last_try_was_declined() => PaymentStatus::Failed,
            (_, None) => PaymentStatus::Pending,
        }
    }

    fn last_try_was_declined(&self) -> bool {
        let of_a_try = |entry: &Entry| match entry.event {
            Event::PaymentDeclined => Some(true),
            Event::PaymentStarted | Event::PaymentExpired => Some(false),
            _ => None,
        };
        self.timeline.iter().rev().find_map(of_a_try).unwrap_or(false)
    }

    pub fn fulfilment_status(&self) -> FulfilmentStatus {
        match self.state {
            State::Pending { .. } | State::Authorised { .. } | State::Paid { .. } => FulfilmentStatus::Unfulfilled,
            State::Processing { .. } => FulfilmentStatus::Processing,
            State::PartiallyShipped { .. } => FulfilmentStatus::PartiallyShipped,
            State::Shipped { .. } | State::Delivered { .. } if self.has_come_back() => FulfilmentStatus::Returned,
            State::Shipped { .. } => FulfilmentStatus::Shipped,
            State::Delivered { .. } => FulfilmentStatus::Delivered,
            State::Cancelled { .. } | State::Expired { .. } => FulfilmentStatus::Cancelled,
        }
    }
}
