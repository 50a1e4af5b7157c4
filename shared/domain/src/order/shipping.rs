//! Shipments: an order goes out in one parcel or in several, each with some of its units.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::refund::{Cause, RefundedLine};
use super::{Carrier, Order, Payment, Refusal, State, TrackingNumber, Units, UnitsRefused};
use crate::message::Event;
use crate::money::Money;
use crate::stock::Reason;

/// Parcels that an order may go out in.
pub const MAX_SHIPMENTS: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shipment {
    /// 1 for the order's first.
    #[schema(minimum = 1)]
    pub number: u32,
    pub carrier: Carrier,
    pub tracking_number: TrackingNumber,
    pub lines: Vec<Units>,
    pub shipped_at: Timestamp,
    /// Absent until it has arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub delivered_at: Option<Timestamp>,
}

/// Units that are not sent any more, after others were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CancelledRest {
    pub lines: Vec<Units>,
    /// The buyer sees it.
    pub reason: Reason,
    pub cancelled_at: Timestamp,
}

/// What is handed to a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    pub carrier: Carrier,
    pub tracking_number: TrackingNumber,
    /// None for all that has not been shipped yet.
    pub units: Option<Vec<Units>>,
}

impl Parcel {
    fn is(&self, shipment: &Shipment) -> bool {
        shipment.carrier == self.carrier && shipment.tracking_number == self.tracking_number
    }
}

/// Why nothing was shipped, or noted as delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Units(#[from] UnitsRefused),
    #[error("the tracking number is that of another parcel of the order")]
    NumberUsed,
    #[error("the order has as many shipments as it can have")]
    TooMany,
    #[error("the order has no shipment of this number")]
    Unknown,
    #[error("the buyer's bank holds the payment until it has decided on a dispute")]
    Disputed,
}

impl State {
    /// The parcels that have been handed to a carrier, the first one first.
    pub fn shipments(&self) -> &[Shipment] {
        match self {
            State::Pending { .. }
            | State::Authorised { .. }
            | State::Paid { .. }
            | State::Processing { .. }
            | State::Cancelled { .. }
            | State::Expired { .. } => &[],
            State::PartiallyShipped { shipments, .. }
            | State::Shipped { shipments, .. }
            | State::Delivered { shipments, .. } => shipments,
        }
    }
}

impl Order {
    /// Whether a parcel of this number has been shipped.
    pub(super) fn is_known(&self, parcel: &Parcel) -> bool {
        self.state.shipments().iter().any(|shipment| parcel.is(shipment))
    }

    /// A parcel knows itself by its tracking number, so that one is shipped once however often the request comes.
    pub(super) fn ship(&self, payment: Payment, parcel: Parcel, now: Timestamp) -> Result<(Order, Event), Refusal> {
        let mut shipments = self.state.shipments().to_vec();
        if let Some(before) = shipments.iter().find(|shipment| parcel.is(shipment)) {
            let is_same = parcel.units.is_none_or(|units| units == before.lines);
            return Err(if is_same { Refusal::Done } else { Refused::NumberUsed.into() });
        }
        let Parcel { carrier, tracking_number, units } = parcel;
        if shipments.len() >= MAX_SHIPMENTS {
            return Err(Refused::TooMany.into());
        }
        let lines = match units {
            None => self.units_to_ship(&shipments),
            Some(units) => {
                self.check_left(&units, &self.units(), &shipped(&shipments)).map_err(Refused::from)?;
                units
            }
        };
        let number = u32::try_from(shipments.len() + 1).unwrap_or(u32::MAX);
        shipments.push(Shipment {
            number,
            carrier: carrier.clone(),
            tracking_number: tracking_number.clone(),
            lines: lines.clone(),
            shipped_at: now,
            delivered_at: None,
        });
        if self.units_to_ship(&shipments).is_empty() {
            self.to(State::Shipped { payment, shipments }, Event::Shipped { carrier, tracking_number })
        } else {
            let event = Event::PartiallyShipped { number, carrier, tracking_number, lines };
            self.to(State::PartiallyShipped { payment, shipments }, event)
        }
    }

    /// All that is on its way has arrived.
    pub(super) fn deliver_all(&self, payment: Payment, now: Timestamp) -> Result<(Order, Event), Refusal> {
        let mut shipments = self.state.shipments().to_vec();
        for shipment in &mut shipments {
            shipment.delivered_at.get_or_insert(now);
        }
        self.to(State::Delivered { payment, shipments }, Event::Delivered)
    }

    /// One parcel has arrived. With the last one the whole order has.
    pub(super) fn deliver_one(&self, payment: Payment, number: u32, now: Timestamp) -> Result<(Order, Event), Refusal> {
        let mut shipments = self.state.shipments().to_vec();
        let arrived = shipments.iter_mut().find(|shipment| shipment.number == number).ok_or(Refused::Unknown)?;
        if arrived.delivered_at.is_some() {
            return Err(Refusal::Done);
        }
        arrived.delivered_at = Some(now);
        match self.units_to_ship(&shipments).is_empty() {
            true if have_arrived(&shipments) => self.to(State::Delivered { payment, shipments }, Event::Delivered),
            true => self.to(State::Shipped { payment, shipments }, Event::ShipmentDelivered { number }),
            false => self.to(State::PartiallyShipped { payment, shipments }, Event::ShipmentDelivered { number }),
        }
    }

    /// What has not been shipped is not sent any more. It is paid back, as far as that has not been done and there is something
    /// left to pay back, and what has been shipped is all there is.
    pub(super) fn cancel_rest(
        &self,
        payment: Payment,
        reason: Reason,
        now: Timestamp,
    ) -> Result<(Order, Event), Refusal> {
        if payment.is_held() {
            return Err(Refused::Disputed.into());
        }
        let shipments = self.state.shipments().to_vec();
        let lines = self.units_to_ship(&shipments);
        let not_refunded = self.not_refunded(&payment, &lines);
        let mut refunded = self.come_to(&payment, &not_refunded).map_err(Refused::from)?;
        let left = payment.refundable(self.total);
        let refund = Money::new(shared_out(&mut refunded, left.amount), left.currency);
        let payment = match refund.amount {
            0 => payment,
            _ => payment.with(refund, Cause::RestCancelled, refunded, now).0,
        };
        let state = match have_arrived(&shipments) {
            true => State::Delivered { payment, shipments },
            false => State::Shipped { payment, shipments },
        };
        let cancelled_rest = Some(CancelledRest { lines: lines.clone(), reason, cancelled_at: now });
        Ok((Order { state, cancelled_rest, ..self.clone() }, Event::RestCancelled { lines, refund }))
    }

    /// What is still to be handed to a carrier.
    fn units_to_ship(&self, shipments: &[Shipment]) -> Vec<Units> {
        let cancelled = self.cancelled_rest.iter().flat_map(|rest| &rest.lines);
        let gone: Vec<_> = shipped(shipments).into_iter().chain(cancelled.cloned()).collect();
        self.units_left(&gone)
    }
}

/// What lines come to together, of which each gives way in proportion where there is not enough left.
fn shared_out(lines: &mut [RefundedLine], left: i64) -> i64 {
    let worth: i64 = lines.iter().map(|line| line.amount.amount).sum();
    if worth <= left {
        return worth;
    }
    let (mut before, mut given) = (0_i128, 0);
    for line in lines {
        before += i128::from(line.amount.amount);
        // Below what is left, which is an i64.
        let up_to_here = i64::try_from(before * i128::from(left) / i128::from(worth)).unwrap_or(left);
        line.amount.amount = up_to_here - given;
        given = up_to_here;
    }
    left
}

fn have_arrived(shipments: &[Shipment]) -> bool {
    shipments.iter().all(|shipment| shipment.delivered_at.is_some())
}

/// All units in some parcels.
pub(super) fn shipped(shipments: &[Shipment]) -> Vec<Units> {
    shipments.iter().flat_map(|shipment| shipment.lines.clone()).collect()
}
