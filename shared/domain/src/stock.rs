//! Stock: what is on hand of a SKU and where, what of it is spoken for, and the movements that explain it.
//!
//! At any moment `on hand + beyond = available + reserved`: orders move units from available to reserved, a payment takes
//! reserved ones off the shelf, and staff change what is on hand. What is on hand is the sum of all movements.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{LocationId, MovementId, OrderId};
use crate::message::Actor;
use crate::product::{MAX_STOCK, Offer};
use crate::text::Line;

pub type LocationName = Line<1, 60>;
pub type Reason = Line<1, 200>;

/// Places that goods lie at.
pub const MAX_LOCATIONS: usize = 20;
/// Units of one SKU that may be ordered beyond what is on hand.
pub const MAX_BEYOND: u32 = 1_000_000;
/// Units that can be ordered of a SKU that nobody counts: as good as without end, and a number all the same.
pub const WITHOUT_END: u64 = 1_000_000_000_000;

/// What a SKU is sold from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Selling {
    /// What is on hand, and no more.
    #[default]
    Stock,
    /// Also so many units that are still to come.
    Backorder { up_to: u32 },
    /// So many units that nobody has yet.
    Preorder { up_to: u32, ships_from: Date },
    /// It is not counted, as with a download.
    Untracked,
}

impl Selling {
    /// Units that may be ordered beyond what is on hand.
    pub fn beyond(self) -> u64 {
        match self {
            Selling::Stock => 0,
            Selling::Backorder { up_to } | Selling::Preorder { up_to, .. } => up_to.into(),
            Selling::Untracked => WITHOUT_END,
        }
    }

    pub fn is_stock(&self) -> bool {
        *self == Selling::Stock
    }
}

/// Whether a SKU can be had, and how soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    InStock,
    /// It can be ordered and comes later.
    Backorder,
    /// It can be ordered and comes once it is out.
    Preorder,
    SoldOut,
}

impl Offer {
    pub fn availability(&self) -> Availability {
        match self.selling {
            _ if self.orderable() == 0 => Availability::SoldOut,
            Selling::Stock | Selling::Untracked => Availability::InStock,
            Selling::Backorder { .. } if self.left() > 0 => Availability::InStock,
            Selling::Backorder { .. } => Availability::Backorder,
            Selling::Preorder { .. } => Availability::Preorder,
        }
    }

    /// Units on hand that nobody has ordered.
    pub fn left(&self) -> u64 {
        self.orderable().saturating_sub(self.selling.beyond())
    }

    /// Whether so little is left that staff want to hear of it.
    pub fn is_low(&self) -> bool {
        let is_counted = self.selling != Selling::Untracked;
        is_counted && self.low_stock_at.is_some_and(|threshold| self.left() <= threshold.into())
    }

    /// Whether somebody who buys one unit now gets it sooner or later.
    pub fn is_orderable(&self) -> bool {
        self.active && self.orderable() > 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    /// New goods came in.
    Received,
    /// An order was paid.
    Sold,
    /// An order was cancelled: what it held can be ordered again, and lies where it lay.
    Released,
    /// Somebody counted, or something broke.
    Corrected,
    /// Sold goods came back.
    Returned,
}

/// A line of a SKU's ledger. It is never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    pub id: MovementId,
    pub kind: MovementKind,
    /// What came, or with a minus what went.
    pub units: i64,
    /// Where it came to or went from; nowhere for a SKU that is not counted, and for what was released.
    pub places: Vec<Moved>,
    pub by: Actor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Moved {
    pub location_id: LocationId,
    pub units: i64,
}

/// What is to happen to the stock of a SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Receive {
        at: LocationId,
        units: u32,
    },
    Return {
        at: LocationId,
        units: u32,
    },
    /// More or, with a minus, less than was thought.
    Correct {
        at: LocationId,
        units: i64,
    },
    /// An order of so many was paid.
    Sell {
        units: u32,
    },
    /// An order of so many was cancelled.
    Release {
        units: u32,
    },
}

impl Change {
    pub fn kind(self) -> MovementKind {
        match self {
            Change::Receive { .. } => MovementKind::Received,
            Change::Return { .. } => MovementKind::Returned,
            Change::Correct { .. } => MovementKind::Corrected,
            Change::Sell { .. } => MovementKind::Sold,
            Change::Release { .. } => MovementKind::Released,
        }
    }

    /// With a minus where goods go.
    pub fn units(self) -> i64 {
        match self {
            Change::Receive { units, .. } | Change::Return { units, .. } | Change::Release { units } => units.into(),
            Change::Correct { units, .. } => units,
            Change::Sell { units } => -i64::from(units),
        }
    }
}

/// The stock of one SKU at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stock {
    /// By location; below zero where more was sold than there was.
    pub on_hand: BTreeMap<LocationId, i64>,
    pub selling: Selling,
    /// Units that can still be ordered.
    pub available: u64,
}

/// What a change does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    pub places: Vec<Moved>,
    /// What it adds to the units that can be ordered.
    pub available: i64,
}

/// Why the stock stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("There would be more than {MAX_STOCK} units.")]
    TooMany,
    #[error("Only {on_hand} units are on hand there.")]
    NotOnHand { on_hand: i64 },
    #[error("Only {available} of these units can be taken back: the others are ordered.")]
    Ordered { available: u64 },
}

impl Stock {
    pub fn total(&self) -> i64 {
        self.on_hand.values().sum()
    }

    /// Units that are ordered and not yet paid for, or paid for this very moment.
    pub fn reserved(&self) -> i64 {
        self.total() + signed(self.selling.beyond()) - signed(self.available)
    }

    /// What a change does to the stock as it is, or why it must not.
    pub fn decide(&self, change: Change) -> Result<Effect, Refusal> {
        match change {
            Change::Receive { at, units } | Change::Return { at, units } => self.add(at, units.into()),
            Change::Correct { at, units } if units >= 0 => self.add(at, units),
            Change::Correct { at, units } => self.take_away(at, units),
            Change::Sell { units } => Ok(self.sell(units)),
            Change::Release { units } => Ok(Effect { places: Vec::new(), available: units.into() }),
        }
    }

    /// What it adds to the units that can be ordered when the SKU is sold in another way from now on.
    pub fn sell_as(&self, selling: Selling) -> Result<i64, Refusal> {
        let more = signed(selling.beyond()) - signed(self.selling.beyond());
        self.check_available(more)?;
        Ok(more)
    }

    fn add(&self, at: LocationId, units: i64) -> Result<Effect, Refusal> {
        if self.total().saturating_add(units) > i64::from(MAX_STOCK) {
            return Err(Refusal::TooMany);
        }
        Ok(Effect { places: vec![Moved { location_id: at, units }], available: units })
    }

    fn take_away(&self, at: LocationId, units: i64) -> Result<Effect, Refusal> {
        let on_hand = self.on_hand.get(&at).copied().unwrap_or_default();
        if on_hand.saturating_add(units) < 0 {
            return Err(Refusal::NotOnHand { on_hand: on_hand.max(0) });
        }
        self.check_available(units)?;
        Ok(Effect { places: vec![Moved { location_id: at, units }], available: units })
    }

    fn check_available(&self, more: i64) -> Result<(), Refusal> {
        if signed(self.available).saturating_add(more) < 0 {
            return Err(Refusal::Ordered { available: self.available });
        }
        Ok(())
    }

    /// Takes what was paid from where most is, then from where the next most is. What is nowhere, because it may be ordered
    /// before it is there, is owed by the place that had the most. What nobody counts goes from nowhere, and can be ordered
    /// again.
    fn sell(&self, units: u32) -> Effect {
        if self.selling == Selling::Untracked {
            return Effect { places: Vec::new(), available: units.into() };
        }
        let mut fullest: Vec<_> = self.on_hand.iter().map(|(at, units)| (*at, *units)).collect();
        // Of two places that have the same, the one that was there first.
        fullest.sort_by_key(|(at, units)| (-units, *at));
        let mut due = i64::from(units);
        let mut places = Vec::new();
        for (at, units) in fullest.iter().filter(|(_, units)| *units > 0) {
            let taken = due.min(*units);
            if taken > 0 {
                places.push(Moved { location_id: *at, units: -taken });
                due -= taken;
            }
        }
        if due > 0 {
            let owing = fullest.first().map_or(LocationId::MAIN, |(at, _)| *at);
            match places.first_mut() {
                Some(first) => first.units -= due,
                None => places.push(Moved { location_id: owing, units: -due }),
            }
        }
        Effect { places, available: 0 }
    }

    /// The stock after an effect.
    pub fn after(&self, effect: &Effect) -> Stock {
        let mut on_hand = self.on_hand.clone();
        for Moved { location_id, units } in &effect.places {
            *on_hand.entry(*location_id).or_default() += units;
        }
        on_hand.retain(|_, units| *units != 0);
        let available = self.available.saturating_add_signed(effect.available);
        Stock { on_hand, available, ..self.clone() }
    }

    /// What the ledger and the orders say otherwise than the stock does. `ordered` counts all units that were ever ordered.
    pub fn audit(&self, ordered: u64, movements: &[Movement]) -> Vec<Difference> {
        let mut moved: BTreeMap<LocationId, i64> = BTreeMap::new();
        for place in movements.iter().flat_map(|movement| &movement.places) {
            *moved.entry(place.location_id).or_default() += place.units;
        }
        moved.retain(|_, units| *units != 0);
        let mut differences = Vec::new();
        let places: BTreeSet<_> = self.on_hand.keys().chain(moved.keys()).copied().collect();
        for location_id in places {
            let on_hand = self.on_hand.get(&location_id).copied().unwrap_or_default();
            let moved = moved.get(&location_id).copied().unwrap_or_default();
            if on_hand != moved {
                differences.push(Difference::OnHand { location_id, on_hand, moved });
            }
        }
        let over = movements.iter().map(|movement| match movement.kind {
            MovementKind::Sold => -movement.units,
            MovementKind::Released => movement.units,
            MovementKind::Received | MovementKind::Corrected | MovementKind::Returned => 0,
        });
        let (reserved, unpaid) = (self.reserved(), signed(ordered) - over.sum::<i64>());
        if reserved != unpaid {
            differences.push(Difference::Reserved { reserved, ordered: unpaid });
        }
        differences
    }
}

/// Something that does not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Difference {
    /// What lies at a place is not what the movements brought there.
    OnHand { location_id: LocationId, on_hand: i64, moved: i64 },
    /// What is reserved is not what was ordered and not yet taken off the shelf.
    Reserved { reserved: i64, ordered: i64 },
}

/// All numbers of units are far below what 63 bits hold.
pub fn signed(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

/// What is written when something is first put on sale.
pub fn opening(id: MovementId, units: u64, by: Actor, at: Timestamp) -> Movement {
    Movement {
        id,
        kind: MovementKind::Received,
        units: signed(units),
        places: vec![Moved { location_id: LocationId::MAIN, units: signed(units) }],
        by,
        reason: None,
        order_id: None,
        at,
    }
}

#[cfg(test)]
mod tests;
