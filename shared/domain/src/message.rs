//! What is announced: the messages on the queues. A published version never changes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::account::Role;
use crate::cart::PricedLine;
use crate::export::Export;
use crate::id::{AccountId, DeliveryId, EndpointId, ExportId, ImportId, LetterId, LocationId, OrderId, ProductId};
use crate::import::Import;
use crate::language::Language;
use crate::money::Money;
use crate::order::{Address, Carrier, DisputeStatus, FulfilmentStatus, Order, PaymentStatus, TrackingNumber, Units};
use crate::product::Title;
use crate::stock::Reason;
use crate::text::{Email, Sku};
use crate::totals::{Prices, Shipping, Tax, Totals};
use crate::update::Places;

/// The tag of every event of orders.
pub const EVENT_TAGS: [&str; 28] = [
    "order.placed.v1",
    "order.payment_started.v1",
    "order.payment_declined.v1",
    "order.payment_expired.v1",
    "order.payment_authorised.v1",
    "order.paid.v1",
    "order.processing.v1",
    "order.address_changed.v1",
    "order.partially_shipped.v1",
    "order.shipped.v1",
    "order.shipment_delivered.v1",
    "order.delivered.v1",
    "order.cancelled.v1",
    "order.expired.v1",
    "order.cancelled_with_refund.v1",
    "order.rest_cancelled.v1",
    "order.paid_late.v1",
    "order.refund_requested.v1",
    "order.refunded.v1",
    "order.refund_failed.v1",
    "order.dispute_opened.v1",
    "order.dispute_updated.v1",
    "order.dispute_closed.v1",
    "order.return_requested.v1",
    "order.return_approved.v1",
    "order.return_refused.v1",
    "order.return_received.v1",
    "order.exchanged.v1",
];

/// One thing that happened to an order. The tag carries the version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    #[serde(rename = "order.placed.v1")]
    Placed,
    /// The buyer was given a page to pay on.
    #[serde(rename = "order.payment_started.v1")]
    PaymentStarted,
    /// The buyer's bank said no; the page stays open for another try.
    #[serde(rename = "order.payment_declined.v1")]
    PaymentDeclined,
    /// The page closed without a payment; another one can be started.
    #[serde(rename = "order.payment_expired.v1")]
    PaymentExpired,
    /// The buyer's bank holds the amount; the shop has still to capture it.
    #[serde(rename = "order.payment_authorised.v1")]
    PaymentAuthorised,
    #[serde(rename = "order.paid.v1")]
    Paid,
    #[serde(rename = "order.processing.v1")]
    Processing,
    /// It goes to another address than it was placed for.
    #[serde(rename = "order.address_changed.v1")]
    AddressChanged,
    /// Some of it is on its way; more is to follow.
    #[serde(rename = "order.partially_shipped.v1")]
    PartiallyShipped { number: u32, carrier: Carrier, tracking_number: TrackingNumber, lines: Vec<Units> },
    /// All of it is on its way; this is the last parcel, or the only one.
    #[serde(rename = "order.shipped.v1")]
    Shipped { carrier: Carrier, tracking_number: TrackingNumber },
    /// One of several parcels has arrived.
    #[serde(rename = "order.shipment_delivered.v1")]
    ShipmentDelivered { number: u32 },
    #[serde(rename = "order.delivered.v1")]
    Delivered,
    /// It was given up before it was paid.
    #[serde(rename = "order.cancelled.v1")]
    Cancelled,
    /// It was not paid in time.
    #[serde(rename = "order.expired.v1")]
    Expired,
    /// It was cancelled after it was paid, so the money goes back; nothing where there was nothing to pay.
    #[serde(rename = "order.cancelled_with_refund.v1")]
    CancelledWithRefund { refund: Money },
    /// What had not been shipped will not be, so the money for it goes back.
    #[serde(rename = "order.rest_cancelled.v1")]
    RestCancelled { lines: Vec<Units>, refund: Money },
    /// It was paid when it had been given up, so the money goes back.
    #[serde(rename = "order.paid_late.v1")]
    PaidLate { refund: Money },
    /// The shop pays something back; the payment provider has not confirmed it yet.
    #[serde(rename = "order.refund_requested.v1")]
    RefundRequested { number: u32, amount: Money },
    /// The payment provider has paid something back.
    #[serde(rename = "order.refunded.v1")]
    Refunded { number: u32, amount: Money },
    /// The payment provider could not pay something back.
    #[serde(rename = "order.refund_failed.v1")]
    RefundFailed { number: u32, amount: Money },
    /// The buyer's bank calls the payment into question.
    #[serde(rename = "order.dispute_opened.v1")]
    DisputeOpened { amount: Money },
    #[serde(rename = "order.dispute_updated.v1")]
    DisputeUpdated { amount: Money, status: DisputeStatus },
    /// The bank has decided, or asks no longer.
    #[serde(rename = "order.dispute_closed.v1")]
    DisputeClosed { amount: Money, status: DisputeStatus },
    /// The buyer wants to send something back.
    #[serde(rename = "order.return_requested.v1")]
    ReturnRequested { number: u32 },
    #[serde(rename = "order.return_approved.v1")]
    ReturnApproved { number: u32 },
    #[serde(rename = "order.return_refused.v1")]
    ReturnRefused { number: u32, reason: Reason },
    /// Goods have come back. What is restocked goes to the location, or to where it was taken from.
    #[serde(rename = "order.return_received.v1")]
    ReturnReceived {
        number: u32,
        restocked: Vec<Units>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location_id: Option<LocationId>,
    },
    /// Other goods go out for a return, by another order.
    #[serde(rename = "order.exchanged.v1")]
    Exchanged { number: u32, order_id: OrderId },
}

impl Event {
    /// The name that people and browsers see, without the version: `order.paid`.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Placed => "order.placed",
            Event::PaymentStarted => "order.payment_started",
            Event::PaymentDeclined => "order.payment_declined",
            Event::PaymentExpired => "order.payment_expired",
            Event::PaymentAuthorised => "order.payment_authorised",
            Event::Paid => "order.paid",
            Event::Processing => "order.processing",
            Event::AddressChanged => "order.address_changed",
            Event::PartiallyShipped { .. } => "order.partially_shipped",
            Event::Shipped { .. } => "order.shipped",
            Event::ShipmentDelivered { .. } => "order.shipment_delivered",
            Event::Delivered => "order.delivered",
            Event::Cancelled => "order.cancelled",
            Event::Expired => "order.expired",
            Event::CancelledWithRefund { .. } => "order.cancelled_with_refund",
            Event::RestCancelled { .. } => "order.rest_cancelled",
            Event::PaidLate { .. } => "order.paid_late",
            Event::RefundRequested { .. } => "order.refund_requested",
            Event::Refunded { .. } => "order.refunded",
            Event::RefundFailed { .. } => "order.refund_failed",
            Event::DisputeOpened { .. } => "order.dispute_opened",
            Event::DisputeUpdated { .. } => "order.dispute_updated",
            Event::DisputeClosed { .. } => "order.dispute_closed",
            Event::ReturnRequested { .. } => "order.return_requested",
            Event::ReturnApproved { .. } => "order.return_approved",
            Event::ReturnRefused { .. } => "order.return_refused",
            Event::ReturnReceived { .. } => "order.return_received",
            Event::Exchanged { .. } => "order.exchanged",
        }
    }

    /// As messages carry it, with the version: `order.paid.v1`.
    pub fn tag(&self) -> &'static str {
        let name = self.name();
        let newest = EVENT_TAGS.iter().rev().find(|tag| tag.rsplit_once(".v").is_some_and(|(of, _)| of == name));
        newest.expect("every event has a tag")
    }
}

/// Why somebody is mailed about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum AccountEvent {
    /// Somebody wants an account at this address, which may have one already.
    #[serde(rename = "account.sign_up_requested.v1")]
    SignUpRequested,
    /// Somebody says that they have forgotten the password; the address may have no account.
    #[serde(rename = "account.password_reset_requested.v1")]
    PasswordResetRequested,
    /// The holder of an account wants this to be its address, which may have another account already.
    #[serde(rename = "account.email_change_requested.v1")]
    EmailChangeRequested,
    #[serde(rename = "account.password_changed.v1")]
    PasswordChanged,
    /// The account has another address now; this was the one before.
    #[serde(rename = "account.email_changed.v1")]
    EmailChanged,
    /// A second factor was set up, or taken away.
    #[serde(rename = "account.second_factor_changed.v1")]
    SecondFactorChanged,
}

impl AccountEvent {
    /// Whether the mail brings a link, which is good for some time only.
    pub fn has_link(self) -> bool {
        match self {
            AccountEvent::SignUpRequested
            | AccountEvent::PasswordResetRequested
            | AccountEvent::EmailChangeRequested => true,
            AccountEvent::PasswordChanged | AccountEvent::EmailChanged | AccountEvent::SecondFactorChanged => false,
        }
    }
}

/// A message about an account. It holds no secret: whoever mails it makes the link from the id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountMessage {
    pub id: LetterId,
    pub at: Timestamp,
    pub to: Email,
    /// What it is to be written in, where the account does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    pub event: AccountEvent,
}

/// What is to be done of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ImportEvent {
    /// A part of it waits to be worked off.
    #[serde(rename = "import.part_stored.v1")]
    PartStored { part: u32 },
}

/// A message about an import. `id` is the import's id and the part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportMessage {
    pub id: String,
    pub at: Timestamp,
    pub import_id: ImportId,
    pub event: ImportEvent,
}

impl ImportMessage {
    /// The messages that have all parts of an import worked off.
    pub fn all(import: &Import) -> Vec<ImportMessage> {
        let message = |part| ImportMessage {
            id: format!("{}/{part}", import.id),
            at: import.started_at,
            import_id: import.id,
            event: ImportEvent::PartStored { part },
        };
        (1..=import.parts).map(message).collect()
    }
}

/// What is to be done of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ExportEvent {
    /// A step of it waits to be done: the first one is 1.
    #[serde(rename = "export.step_due.v1")]
    StepDue { step: u32 },
}

/// A message about an export. `id` is the export's id and the step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportMessage {
    pub id: String,
    pub at: Timestamp,
    pub export_id: ExportId,
    pub event: ExportEvent,
}

impl ExportMessage {
    /// The message that has the next step done; None where nothing is left to do.
    pub fn latest(export: &Export) -> Option<ExportMessage> {
        let step = export.steps + 1;
        (!export.is_over()).then(|| ExportMessage {
            id: format!("{}/{step}", export.id),
            at: export.updated_at,
            export_id: export.id,
            event: ExportEvent::StepDue { step },
        })
    }
}

/// What is to be done about the money of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum RefundEvent {
    /// Refunds of it wait to be made at the payment provider.
    #[serde(rename = "refund.due.v1")]
    Due,
}

/// A message about refunds of an order. `id` is the order's id and version, as of its own message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundMessage {
    pub id: String,
    pub at: Timestamp,
    pub order_id: OrderId,
    pub event: RefundEvent,
}

impl RefundMessage {
    /// What an order's latest change calls for.
    pub fn latest(order: &Order) -> Option<RefundMessage> {
        let entry = order.timeline.last()?;
        let is_due = match entry.event {
            Event::CancelledWithRefund { .. }
            | Event::RestCancelled { .. }
            | Event::PaidLate { .. }
            | Event::RefundRequested { .. }
            | Event::DisputeClosed { .. } => true,
            Event::Placed
            | Event::PaymentStarted
            | Event::PaymentDeclined
            | Event::PaymentExpired
            | Event::PaymentAuthorised
            | Event::Paid
            | Event::Processing
            | Event::AddressChanged
            | Event::PartiallyShipped { .. }
            | Event::Shipped { .. }
            | Event::ShipmentDelivered { .. }
            | Event::Delivered
            | Event::Cancelled
            | Event::Expired
            | Event::Refunded { .. }
            | Event::RefundFailed { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeUpdated { .. }
            | Event::ReturnRequested { .. }
            | Event::ReturnApproved { .. }
            | Event::ReturnRefused { .. }
            | Event::ReturnReceived { .. }
            | Event::Exchanged { .. } => false,
        };
        let id = format!("{}/{}", order.id, order.version());
        let message = || RefundMessage { id, at: entry.at, order_id: order.id, event: RefundEvent::Due };
        (is_due && order.refunds_due().next().is_some()).then(message)
    }
}

/// What is to be done at the payment provider about an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum CustomerEvent {
    /// The account is gone; so must what the payment provider keeps of its holder: address and saved ways to pay.
    #[serde(rename = "customer.left.v1")]
    Left {
        /// The provider's id of its holder, where the shop had come to know one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer: Option<String>,
    },
}

/// A message about an account's holder at the payment provider. `id` is the account's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerMessage {
    pub id: AccountId,
    pub at: Timestamp,
    pub event: CustomerEvent,
}

/// What is to be done about the documents of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum DocumentEvent {
    /// Its invoice, a credit note or a reversal waits to be issued.
    #[serde(rename = "document.due.v1")]
    Due,
}

/// A message about documents of an order. `id` is the order's id and version, as of its own message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentMessage {
    pub id: String,
    pub at: Timestamp,
    pub order_id: OrderId,
    pub event: DocumentEvent,
}

impl DocumentMessage {
    /// What an order's latest change calls for. Which document it is, the order itself says.
    pub fn latest(order: &Order) -> Option<DocumentMessage> {
        let entry = order.timeline.last()?;
        let is_due = match entry.event {
            Event::Paid | Event::Refunded { .. } | Event::RefundFailed { .. } => true,
            Event::Placed
            | Event::PaymentStarted
            | Event::PaymentDeclined
            | Event::PaymentExpired
            | Event::PaymentAuthorised
            | Event::Processing
            | Event::AddressChanged
            | Event::PartiallyShipped { .. }
            | Event::Shipped { .. }
            | Event::ShipmentDelivered { .. }
            | Event::Delivered
            | Event::Cancelled
            | Event::Expired
            | Event::CancelledWithRefund { .. }
            | Event::RestCancelled { .. }
            | Event::PaidLate { .. }
            | Event::RefundRequested { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeUpdated { .. }
            | Event::DisputeClosed { .. }
            | Event::ReturnRequested { .. }
            | Event::ReturnApproved { .. }
            | Event::ReturnRefused { .. }
            | Event::ReturnReceived { .. }
            | Event::Exchanged { .. } => false,
        };
        let id = format!("{}/{}", order.id, order.version());
        is_due.then_some(DocumentMessage { id, at: entry.at, order_id: order.id, event: DocumentEvent::Due })
    }
}

/// What happened to the stock of a SKU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum StockEvent {
    /// More or less of it can be ordered, or it is sold in another way.
    #[serde(rename = "stock.changed.v1")]
    Changed,
    /// No more than the threshold is left.
    #[serde(rename = "stock.low.v1")]
    Low { title: Title, left: u64, low_stock_at: u32 },
    /// Somebody who waited for it can order it again.
    #[serde(rename = "stock.returned.v1")]
    Returned {
        title: Title,
        to: Email,
        /// What they are mailed in; None for the shop's own language.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        language: Option<Language>,
    },
}

/// A message about the stock of a SKU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockMessage {
    pub id: String,
    pub at: Timestamp,
    pub sku: Sku,
    pub product_id: ProductId,
    pub event: StockEvent,
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Actor {
    Customer,
    Staff {
        account_id: AccountId,
    },
    /// The payment provider, by a signed webhook.
    Stripe,
    /// The shop itself, because a time was over.
    Shop,
}

impl Actor {
    pub fn person(account_id: AccountId, role: Role) -> Actor {
        match role {
            Role::Customer => Actor::Customer,
            Role::Support | Role::Manager | Role::Administrator => Actor::Staff { account_id },
        }
    }
}

/// A line of an order's timeline. It is written with the change it tells of, and is its announcement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    pub actor: Actor,
    pub event: Event,
}

/// A message on the queues. `id` is the order's id and version: the same change always has the same id, so a consumer
/// can tell that it has seen it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub id: String,
    pub at: Timestamp,
    pub order: Snapshot,
    pub event: Event,
    /// Where its update stands in the feeds; only who pushes it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<Places>,
}

/// The order as it stood right after the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub id: OrderId,
    pub version: u32,
    pub account_id: AccountId,
    pub email: Email,
    pub lines: Vec<PricedLine>,
    pub total: Money,
    /// What the total is made of, where the order tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<Sums>,
    pub shipping_address: Address,
    pub payment_status: PaymentStatus,
    pub fulfilment_status: FulfilmentStatus,
    pub placed_at: Timestamp,
    /// Whether staff placed it for the buyer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub placed_by_staff: bool,
    /// What the buyer is mailed in; None for the shop's own language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// The parts of an order's total, without the lines'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sums {
    /// Of the lines, before discounts.
    pub subtotal: Money,
    /// Off lines and shipping.
    pub discount: Money,
    /// Before discounts; absent where the shop does not ship.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub shipping: Option<Money>,
    /// Absent where the shop does not tax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tax: Option<Money>,
    /// Whether the tax is contained in the other amounts.
    pub tax_included: bool,
}

impl From<&Totals> for Sums {
    fn from(totals: &Totals) -> Sums {
        let (tax, tax_included) = match &totals.tax {
            Tax::DestinationUnknown => (None, true),
            Tax::Known { amount, prices, .. } => (Some(*amount), *prices == Prices::IncludeTax),
        };
        Sums {
            subtotal: totals.subtotal,
            discount: totals.discounts.amount,
            shipping: match &totals.shipping {
                Shipping::Priced { price, .. } => Some(*price),
                Shipping::NothingToShip
                | Shipping::DestinationUnknown
                | Shipping::MethodNotChosen
                | Shipping::CannotShip { .. } => None,
            },
            tax,
            tax_included,
        }
    }
}

/// What is to be sent to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum WebhookEvent {
    /// This happened to an order.
    #[serde(rename = "webhook.due.v1")]
    Due { message: Box<Message> },
    /// Staff asked for a delivery of the log, or for a test.
    #[serde(rename = "webhook.asked.v1")]
    Asked,
}

/// A message about something to be sent to an endpoint. `id` is the delivery's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookMessage {
    pub id: DeliveryId,
    pub at: Timestamp,
    pub endpoint_id: EndpointId,
    pub event: WebhookEvent,
}

impl Message {
    /// Whether the buyer is mailed about it. What they did themselves just now is on the page before them; and what is for
    /// staff to mend, they are told when it is mended.
    pub fn is_mailed(&self) -> bool {
        match &self.event {
            // Those who place one themselves are on its page.
            Event::Placed => self.order.placed_by_staff,
            Event::PaymentDeclined
            | Event::PaymentAuthorised
            | Event::Paid
            | Event::Processing
            | Event::AddressChanged
            | Event::PartiallyShipped { .. }
            | Event::Shipped { .. }
            | Event::ShipmentDelivered { .. }
            | Event::Delivered
            | Event::Cancelled
            | Event::Expired
            | Event::CancelledWithRefund { .. }
            | Event::RestCancelled { .. }
            | Event::PaidLate { .. }
            | Event::Refunded { .. }
            | Event::ReturnApproved { .. }
            | Event::ReturnRefused { .. }
            | Event::ReturnReceived { .. } => true,
            Event::PaymentStarted | Event::PaymentExpired => false,
            // Those who asked for it are told when it is made; that it cannot be is for staff to mend.
            Event::RefundRequested { .. } | Event::RefundFailed { .. } => false,
            // Those who dispute a payment know that they do; it is answered by staff, at Stripe.
            Event::DisputeOpened { .. } | Event::DisputeUpdated { .. } | Event::DisputeClosed { .. } => false,
            // Those who ask know that they did.
            Event::ReturnRequested { .. } => false,
            // The order that goes out for it has a mail of its own.
            Event::Exchanged { .. } => false,
        }
    }

    /// The announcement of the order's latest change; None once nobody is left to be told.
    pub fn latest(order: &Order) -> Option<Message> {
        Message::again(order, order.version())
    }

    /// The announcement of a change, but of the statuses and the address that the order has by now; None where there was no such
    /// change, and once nobody is left to be told.
    pub fn again(order: &Order, version: u32) -> Option<Message> {
        let entry = order.timeline.get(usize::try_from(version).ok()?.checked_sub(1)?)?;
        let (email, shipping_address) = (order.contact.email()?, order.contact.shipping_address()?);
        Some(Message {
            id: format!("{}/{version}", order.id),
            at: entry.at,
            event: entry.event.clone(),
            places: None,
            order: Snapshot {
                id: order.id,
                version,
                account_id: order.buyer,
                email: email.clone(),
                lines: order.lines.clone(),
                total: order.total,
                totals: order.totals.as_ref().map(Sums::from),
                shipping_address: shipping_address.clone(),
                payment_status: order.payment_status(),
                fulfilment_status: order.fulfilment_status(),
                placed_at: order.placed_at,
                placed_by_staff: matches!(order.timeline.first(), Some(Entry { actor: Actor::Staff { .. }, .. })),
                language: order.contact.language().cloned(),
            },
        })
    }
}
