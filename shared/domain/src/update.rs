//! What those who follow orders are shown of a change, and where it stands in what they follow.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, OrderId};
use crate::message::{Event, Message};
use crate::order::{Carrier, FulfilmentStatus, PaymentStatus, TrackingNumber};

/// In how many parts the changes of all orders are kept. It may grow: who follows asks which parts there are.
pub const PARTS: u8 = 4;

/// What a browser gets. The same `id` is the same update, should it come twice; `version` tells the later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    pub id: String,
    /// Such as `order.paid`.
    pub r#type: String,
    pub at: Timestamp,
    pub order_id: OrderId,
    pub version: u32,
    pub payment_status: PaymentStatus,
    pub fulfilment_status: FulfilmentStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<Carrier>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<TrackingNumber>,
}

impl Update {
    pub fn of(message: &Message) -> Update {
        let (carrier, tracking_number) = match &message.event {
            Event::PartiallyShipped { carrier, tracking_number, .. } | Event::Shipped { carrier, tracking_number } => {
                (Some(carrier.clone()), Some(tracking_number.clone()))
            }
            Event::Placed
            | Event::PaymentStarted
            | Event::PaymentDeclined
            | Event::PaymentExpired
            | Event::PaymentAuthorised
            | Event::Paid
            | Event::Processing
            | Event::AddressChanged
            | Event::ShipmentDelivered { .. }
            | Event::Delivered
            | Event::Cancelled
            | Event::Expired
            | Event::CancelledWithRefund { .. }
            | Event::RestCancelled { .. }
            | Event::PaidLate { .. }
            | Event::RefundRequested { .. }
            | Event::Refunded { .. }
            | Event::RefundFailed { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeUpdated { .. }
            | Event::DisputeClosed { .. }
            | Event::ReturnRequested { .. }
            | Event::ReturnApproved { .. }
            | Event::ReturnRefused { .. }
            | Event::ReturnReceived { .. }
            | Event::Exchanged { .. } => (None, None),
        };
        Update {
            id: message.id.clone(),
            r#type: message.event.name().to_owned(),
            at: message.at,
            order_id: message.order.id,
            version: message.order.version,
            payment_status: message.order.payment_status,
            fulfilment_status: message.order.fulfilment_status,
            carrier,
            tracking_number,
        }
    }
}

/// What updates are numbered in, without gaps and in the order in which the changes of an order were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Feed {
    /// The orders of a customer.
    Of(AccountId),
    /// A part of all orders; an order is in the same one always.
    All(u8),
}

impl Feed {
    /// The part of all orders that an order is in.
    pub fn all_with(order: OrderId) -> Feed {
        // The end of an id is as random as the rest of it.
        let last = order.to_string().bytes().last().unwrap_or_default();
        Feed::All(last % PARTS)
    }

    /// As those who follow it name it.
    pub fn name(self) -> String {
        match self {
            Feed::Of(_) => "own".into(),
            Feed::All(part) => format!("all/{part}"),
        }
    }
}

/// Where an update stands in its two feeds; nowhere in one that nobody follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<u64>,
}

/// An update as it is sent: with its number in each feed that the connection follows, by the feed's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown<'a> {
    #[serde(flatten)]
    pub update: &'a Update,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub positions: BTreeMap<String, u64>,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    fn read(path: &Path) -> Value {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn each_recorded_message_becomes_the_recorded_update() {
        let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
        for file in std::fs::read_dir(events.join("messages")).unwrap() {
            let path = file.unwrap().path();
            if !path.file_name().unwrap().to_str().unwrap().starts_with("order.") {
                continue;
            }
            let message: Message = serde_json::from_value(read(&path)).unwrap();
            let recorded = events.join("websocket").join(format!("{}.json", message.event.name()));
            let update = Update::of(&message);
            let shown = Shown { update: &update, positions: BTreeMap::new() };
            assert_eq!(serde_json::to_value(shown).unwrap(), read(&recorded), "{}", recorded.display());
        }
    }

    #[test]
    fn orders_are_spread_over_all_parts() {
        let part = |number: u128| match Feed::all_with(OrderId::new(uuid::Uuid::from_u128(number))) {
            Feed::All(part) => part,
            Feed::Of(_) => unreachable!(),
        };
        let mut orders = [0; PARTS as usize];
        for number in 0..1000 {
            orders[usize::from(part(number))] += 1;
        }
        assert!(orders.iter().all(|orders| *orders >= 200), "{orders:?}");
    }
}
