//! Returns: goods that a buyer sends back. Asked for, approved or refused, and received. What is paid back for them is a
//! refund, which staff decide on when they have seen the goods.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::refund::Request;
use super::shipping::shipped;
use super::units::count;
use super::{Order, Refusal, Units, UnitsRefused};
use crate::cart::Quantity;
use crate::id::{LocationId, OrderId};
use crate::message::Event;
use crate::stock::Reason;
use crate::text::Sku;

/// Returns that an order may have, those that were refused included.
pub const MAX_RETURNS: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// 1 for the order's first.
    pub number: u32,
    pub lines: Vec<Units>,
    /// Why they come back.
    pub reason: Reason,
    pub requested_at: Timestamp,
    /// By which the request knows itself when it comes again.
    pub request: Request,
    pub state: ReturnState,
    /// The order by which other goods go out for these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_order: Option<OrderId>,
}

/// What an order is in exchange for: goods that come back of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Exchange {
    pub order_id: OrderId,
    /// Of that order's returns.
    #[schema(minimum = 1)]
    pub return_number: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ReturnState {
    Requested,
    /// The goods may be sent.
    Approved {
        approved_at: Timestamp,
    },
    Refused {
        refused_at: Timestamp,
        /// The buyer sees it.
        reason: Reason,
    },
    Received {
        received_at: Timestamp,
        /// What came, which may be less than was to come.
        lines: Vec<ReceivedLine>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReturnStatus {
    /// Staff have not decided on it yet.
    Requested,
    /// The goods may be sent.
    Approved,
    Refused,
    /// The goods are here.
    Received,
}

/// Units that came back in the same condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceivedLine {
    pub sku: Sku,
    pub quantity: Quantity,
    pub condition: Condition,
    /// Whether they can be sold again, and are on hand.
    pub restocked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    AsNew,
    Opened,
    Damaged,
}

/// What can be asked of an order's returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Request {
        lines: Vec<Units>,
        reason: Reason,
        request: Request,
    },
    Approve {
        number: u32,
    },
    Refuse {
        number: u32,
        reason: Reason,
    },
    /// The goods are here. What is restocked goes to `at`, or to where it was taken from.
    Receive {
        number: u32,
        lines: Vec<ReceivedLine>,
        at: Option<LocationId>,
    },
    /// Other goods go out for these, by another order.
    Exchange {
        number: u32,
        by: OrderId,
    },
}

/// Why nothing was done about a return.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Units(#[from] UnitsRefused),
    #[error("the key was used before, for another return")]
    KeyUsed,
    #[error("the order has as many returns as it can have")]
    TooMany,
    #[error("the order has no return of this number")]
    Unknown,
    #[error("the return has been refused or received already")]
    Ended,
    #[error("the return has been approved already")]
    Approved,
    #[error("the return has been refused")]
    NotTaken,
    #[error("another order goes out for the return already")]
    Exchanged,
}

impl ReturnState {
    pub fn status(&self) -> ReturnStatus {
        match self {
            ReturnState::Requested => ReturnStatus::Requested,
            ReturnState::Approved { .. } => ReturnStatus::Approved,
            ReturnState::Refused { .. } => ReturnStatus::Refused,
            ReturnState::Received { .. } => ReturnStatus::Received,
        }
    }
}

impl Return {
    /// Whether somebody still has to do something about it.
    pub fn is_open(&self) -> bool {
        match self.state {
            ReturnState::Requested | ReturnState::Approved { .. } => true,
            ReturnState::Refused { .. } | ReturnState::Received { .. } => false,
        }
    }

    /// The units that come back by it or have come back.
    fn units(&self) -> Vec<Units> {
        match &self.state {
            ReturnState::Requested | ReturnState::Approved { .. } => self.lines.clone(),
            ReturnState::Refused { .. } => Vec::new(),
            ReturnState::Received { lines, .. } => lines.iter().map(ReceivedLine::units).collect(),
        }
    }
}

impl ReceivedLine {
    fn units(&self) -> Units {
        Units { sku: self.sku.clone(), quantity: self.quantity }
    }
}

impl Order {
    pub(super) fn change_returns(&self, command: Command, now: Timestamp) -> Result<(Order, Event), Refusal> {
        match command {
            Command::Request { lines, reason, request } => self.request_return(lines, reason, request, now),
            Command::Approve { number } => self.change_return(number, |before| match before.state {
                ReturnState::Requested => {
                    Ok((ReturnState::Approved { approved_at: now }, Event::ReturnApproved { number }))
                }
                ReturnState::Approved { .. } => Err(Refusal::Done),
                ReturnState::Refused { .. } | ReturnState::Received { .. } => Err(Refused::Ended.into()),
            }),
            Command::Refuse { number, reason } => self.change_return(number, |before| match &before.state {
                ReturnState::Requested => {
                    let event = Event::ReturnRefused { number, reason: reason.clone() };
                    Ok((ReturnState::Refused { refused_at: now, reason }, event))
                }
                // The buyer was told to send the goods.
                ReturnState::Approved { .. } => Err(Refused::Approved.into()),
                ReturnState::Refused { reason: before, .. } if *before == reason => Err(Refusal::Done),
                ReturnState::Refused { .. } | ReturnState::Received { .. } => Err(Refused::Ended.into()),
            }),
            Command::Exchange { number, by } => self.exchange_return(number, by),
            Command::Receive { number, lines, at } => self.change_return(number, |before| match &before.state {
                // Some send the goods without waiting for an answer.
                ReturnState::Requested | ReturnState::Approved { .. } => {
                    let units: Vec<_> = lines.iter().map(ReceivedLine::units).collect();
                    self.check_left(&units, &before.lines, &[]).map_err(Refused::from)?;
                    let restocked = lines.iter().filter(|line| line.restocked).map(ReceivedLine::units).collect();
                    let event = Event::ReturnReceived { number, restocked: merged(restocked), location_id: at };
                    Ok((ReturnState::Received { received_at: now, lines }, event))
                }
                ReturnState::Received { lines: before, .. } if *before == lines => Err(Refusal::Done),
                ReturnState::Refused { .. } | ReturnState::Received { .. } => Err(Refused::Ended.into()),
            }),
        }
    }

    fn request_return(
        &self,
        lines: Vec<Units>,
        reason: Reason,
        request: Request,
        now: Timestamp,
    ) -> Result<(Order, Event), Refusal> {
        if let Some(before) = self.returns.iter().find(|before| before.request.key == request.key) {
            return Err(if before.request == request { Refusal::Done } else { Refused::KeyUsed.into() });
        }
        let shipped = shipped(self.state.shipments());
        if shipped.is_empty() {
            let command = super::Command::Return(Command::Request { lines, reason, request });
            return Err(Refusal::Forbidden { status: self.state.status(), command });
        }
        if self.returns.len() >= MAX_RETURNS {
            return Err(Refused::TooMany.into());
        }
        self.check_left(&lines, &shipped, &self.returned()).map_err(Refused::from)?;
        let number = u32::try_from(self.returns.len() + 1).unwrap_or(u32::MAX);
        let mut order = self.clone();
        let state = ReturnState::Requested;
        order.returns.push(Return { number, lines, reason, requested_at: now, request, state, exchange_order: None });
        Ok((order, Event::ReturnRequested { number }))
    }

    /// The return that other goods may go out for: whether its own have come already or not, once, and not where it was
    /// refused.
    pub fn exchangeable(&self, number: u32) -> Result<&Return, Refused> {
        let found = self.returns.iter().find(|known| known.number == number).ok_or(Refused::Unknown)?;
        match (found.exchange_order, found.state.status()) {
            (Some(_), _) => Err(Refused::Exchanged),
            (None, ReturnStatus::Refused) => Err(Refused::NotTaken),
            (None, ReturnStatus::Requested | ReturnStatus::Approved | ReturnStatus::Received) => Ok(found),
        }
    }

    fn exchange_return(&self, number: u32, by: OrderId) -> Result<(Order, Event), Refusal> {
        let mut order = self.clone();
        let found = order.returns.iter_mut().find(|known| known.number == number).ok_or(Refused::Unknown)?;
        if found.exchange_order == Some(by) {
            return Err(Refusal::Done);
        }
        self.exchangeable(number)?;
        found.exchange_order = Some(by);
        Ok((order, Event::Exchanged { number, order_id: by }))
    }

    fn change_return(
        &self,
        number: u32,
        decide: impl FnOnce(&Return) -> Result<(ReturnState, Event), Refusal>,
    ) -> Result<(Order, Event), Refusal> {
        let mut order = self.clone();
        let found = order.returns.iter_mut().find(|known| known.number == number).ok_or(Refused::Unknown)?;
        let (state, event) = decide(found)?;
        found.state = state;
        Ok((order, event))
    }

    /// The units that are coming back or have come back.
    fn returned(&self) -> Vec<Units> {
        self.returns.iter().flat_map(Return::units).collect()
    }

    /// Whether all that was sent has come back.
    pub(super) fn has_come_back(&self) -> bool {
        let never_sent = self.cancelled_rest.iter().flat_map(|rest| rest.lines.clone());
        self.units_left(&self.received().into_iter().chain(never_sent).collect::<Vec<_>>()).is_empty()
    }

    /// The units that have come back.
    pub(super) fn received(&self) -> Vec<Units> {
        let received = self.returns.iter().filter(|known| known.state.status() == ReturnStatus::Received);
        received.flat_map(Return::units).collect()
    }
}

/// A line for each SKU.
fn merged(units: Vec<Units>) -> Vec<Units> {
    let mut lines: Vec<Units> = Vec::new();
    for Units { sku, .. } in &units {
        if lines.iter().all(|line| line.sku != *sku)
            && let Ok(quantity) = i64::from(count(&units, sku)).try_into()
        {
            lines.push(Units { sku: sku.clone(), quantity });
        }
    }
    lines
}
