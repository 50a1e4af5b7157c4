//! An order as its buyer and staff see it.

use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::cart::PricedLine;
use waybill_domain::id::{OrderId, OrderNumber};
use waybill_domain::language::Language;
use waybill_domain::message::{Actor, Entry, Event};
use waybill_domain::money::Money;
use waybill_domain::order::dispute::DisputeReason;
use waybill_domain::order::refund::{Cause, RefundedLine};
use waybill_domain::order::returns::{ReceivedLine, ReturnState};
use waybill_domain::order::{
    Address, CancelledRest, Dispute, DisputeStatus, Exchange, FulfilmentStatus, Order, PaymentStatus, Refund,
    RefundStatus, Return, ReturnStatus, Shipment, State, Units,
};
use waybill_domain::stock::Reason;
use waybill_domain::text::Email;
use waybill_domain::totals::Totals;

#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderView {
    id: OrderId,
    number: OrderNumber,
    /// Grows by one with every change.
    version: u32,
    payment_status: PaymentStatus,
    fulfilment_status: FulfilmentStatus,
    /// Left out once the buyer has deleted their account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    email: Option<Email>,
    /// What the buyer is mailed in; left out for the shop's own language.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    language: Option<Language>,
    lines: Vec<PricedLine>,
    total: Money,
    /// How the total was made; left out for orders from before the shop kept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    totals: Option<Totals>,
    /// Left out once the buyer has deleted their account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    shipping_address: Option<Address>,
    /// The first one first.
    shipments: Vec<Shipment>,
    /// What is not sent any more, after the rest was; left out where there is no such thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cancelled_rest: Option<CancelledRest>,
    /// Why staff cancelled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cancellation_reason: Option<Reason>,
    /// Oldest first.
    refunds: Vec<RefundView>,
    /// Of the payment by the buyer's bank; oldest first. They are answered at the payment provider.
    disputes: Vec<DisputeView>,
    /// Oldest first.
    returns: Vec<ReturnView>,
    /// The goods of another order that it is in exchange for; left out where there is no such thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    exchange_for: Option<ExchangeView>,
    placed_at: Timestamp,
    /// Oldest first.
    timeline: Vec<EntryView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Refund)]
struct RefundView {
    /// 1 for the order's first.
    #[schema(minimum = 1)]
    number: u32,
    amount: Money,
    status: RefundStatus,
    #[schema(inline)]
    cause: CauseView,
    /// What staff said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<Reason>,
    /// The units that it pays back, where it was asked for by units.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    lines: Vec<RefundedLine>,
    requested_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Return)]
struct ReturnView {
    /// 1 for the order's first.
    #[schema(minimum = 1)]
    number: u32,
    status: ReturnStatus,
    lines: Vec<Units>,
    /// Why they come back.
    reason: Reason,
    /// Why staff refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refusal: Option<Reason>,
    /// What came, once it is here; it may be less than was to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    received: Option<Vec<ReceivedLine>>,
    /// What goes out for it, where it is exchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    exchange_order: Option<OrderLink>,
    requested_at: Timestamp,
}

/// Another order.
#[derive(Serialize, ToSchema)]
struct OrderLink {
    id: OrderId,
    number: OrderNumber,
}

/// A return of another order.
#[derive(Serialize, ToSchema)]
#[schema(as = ExchangedReturn)]
struct ExchangeView {
    order_id: OrderId,
    number: OrderNumber,
    #[schema(minimum = 1)]
    return_number: u32,
}

impl From<Exchange> for ExchangeView {
    fn from(Exchange { order_id, return_number }: Exchange) -> Self {
        ExchangeView { order_id, number: order_id.number(), return_number }
    }
}

impl From<Return> for ReturnView {
    fn from(known: Return) -> Self {
        let Return { number, lines, reason, requested_at, state, exchange_order, .. } = known;
        let status = state.status();
        let (refusal, received) = match state {
            ReturnState::Requested | ReturnState::Approved { .. } => (None, None),
            ReturnState::Refused { reason, .. } => (Some(reason), None),
            ReturnState::Received { lines, .. } => (None, Some(lines)),
        };
        let exchange_order = exchange_order.map(|id| OrderLink { id, number: id.number() });
        ReturnView { number, status, lines, reason, refusal, received, exchange_order, requested_at }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Dispute)]
struct DisputeView {
    amount: Money,
    status: DisputeStatus,
    /// In the payment provider's words.
    #[schema(example = "product_not_received")]
    reason: DisputeReason,
    opened_at: Timestamp,
}

impl From<Dispute> for DisputeView {
    fn from(dispute: Dispute) -> Self {
        let Dispute { amount, status, reason, opened_at, .. } = dispute;
        DisputeView { amount, status, reason, opened_at }
    }
}

/// Why money goes back.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CauseView {
    /// Staff asked for it.
    Requested,
    /// The order was cancelled after it was paid.
    Cancelled,
    /// What had not been shipped was cancelled.
    RestCancelled,
    /// The order was paid when it had been given up.
    PaidLate,
    /// It was made at the payment provider.
    AtStripe,
}

impl From<Refund> for RefundView {
    fn from(refund: Refund) -> Self {
        let (cause, reason) = match refund.cause {
            Cause::Requested { reason, .. } => (CauseView::Requested, reason),
            Cause::Cancelled => (CauseView::Cancelled, None),
            Cause::RestCancelled => (CauseView::RestCancelled, None),
            Cause::PaidLate => (CauseView::PaidLate, None),
            Cause::AtStripe => (CauseView::AtStripe, None),
        };
        let Refund { number, amount, lines, requested_at, state, .. } = refund;
        RefundView { number, amount, status: state.status(), cause, reason, lines, requested_at }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
struct EntryView {
    at: Timestamp,
    #[schema(example = "order.placed")]
    r#type: &'static str,
    /// `customer`, `staff`, `stripe`, or `shop` where a time was over; which member of staff is not the customer's business.
    by: &'static str,
}

impl From<Order> for OrderView {
    fn from(order: Order) -> Self {
        let payment = order.state.payment().cloned();
        let (refunds, disputes) = payment.map(|payment| (payment.refunds, payment.disputes)).unwrap_or_default();
        OrderView {
            id: order.id,
            number: order.id.number(),
            version: order.version(),
            payment_status: order.payment_status(),
            fulfilment_status: order.fulfilment_status(),
            email: order.contact.email().cloned(),
            language: order.contact.language().cloned(),
            lines: order.lines,
            total: order.total,
            totals: order.totals,
            shipping_address: order.contact.shipping_address().cloned(),
            cancellation_reason: match &order.state {
                State::Cancelled { reason, .. } => reason.clone(),
                State::Pending { .. }
                | State::Authorised { .. }
                | State::Paid { .. }
                | State::Processing { .. }
                | State::PartiallyShipped { .. }
                | State::Shipped { .. }
                | State::Delivered { .. }
                | State::Expired { .. } => None,
            },
            shipments: order.state.shipments().to_vec(),
            cancelled_rest: order.cancelled_rest,
            refunds: refunds.into_iter().map(RefundView::from).collect(),
            disputes: disputes.into_iter().map(DisputeView::from).collect(),
            returns: order.returns.into_iter().map(ReturnView::from).collect(),
            exchange_for: order.exchange_for.map(ExchangeView::from),
            placed_at: order.placed_at,
            timeline: order.timeline.iter().map(EntryView::from).collect(),
        }
    }
}

impl From<&Entry> for EntryView {
    fn from(entry: &Entry) -> Self {
        EntryView {
            at: entry.at,
            r#type: Event::name(&entry.event),
            by: match entry.actor {
                Actor::Customer => "customer",
                Actor::Staff { .. } => "staff",
                Actor::Stripe => "stripe",
                Actor::Shop => "shop",
            },
        }
    }
}
