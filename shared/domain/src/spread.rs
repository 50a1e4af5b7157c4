//! Stock of one SKU that is spread over buckets. A transaction holds each of its items for some 25 ms, so one item bears 40
//! orders a second at the very most; each bucket is an item of its own, and an order takes from one of them, whichever.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::product::Offer;

/// Fewer would not pay.
pub const MIN_BUCKETS: u16 = 16;
/// Some 1,000 orders a second, of which one in ten meets another and takes from another bucket instead.
pub const MAX_BUCKETS: u16 = 256;

/// Milliseconds for which a count of the buckets is good while there is plenty.
const COUNT_LIFETIME: i64 = 1_000;
/// Units in each bucket, on average, that are plenty.
const PLENTY: u64 = 4;

/// That stock is spread, or is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// From [`MIN_BUCKETS`] to [`MAX_BUCKETS`].
    pub buckets: u16,
    /// What lies in them; None while there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dealt: Option<Dealt>,
    /// Whether they are being emptied: nothing can be ordered from them any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gathering: bool,
    /// Another one whenever they have been emptied: whoever empties them and was overtaken does not go on.
    pub round: u64,
}

/// What lies in buckets together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dealt {
    /// As they were last counted; orders that came since have left fewer.
    pub units: i64,
    pub counted_at: Timestamp,
}

impl Offer {
    /// Units that can still be ordered: on hand and not reserved, and those that may be ordered beyond. Where the stock is
    /// spread, as they were last counted: by then there may be fewer.
    pub fn orderable(&self) -> u64 {
        self.available.saturating_add(self.dealt())
    }

    /// Those of them that lie in buckets.
    pub fn dealt(&self) -> u64 {
        let dealt = self.spread.and_then(|spread| spread.dealt);
        dealt.map_or(0, |dealt| u64::try_from(dealt.units).unwrap_or_default())
    }

    /// Whether what lies with the offer is to be dealt out: enough for all buckets, or anything while little lies in them.
    pub fn needs_dealing(&self) -> bool {
        let Some(spread) = self.spread.filter(|spread| self.active && !spread.gathering) else { return false };
        let buckets = u64::from(spread.buckets);
        self.available >= buckets || self.available > 0 && self.dealt() <= PLENTY * buckets
    }

    /// Whether its buckets have to be counted again: they were not just now, or so little is left that it matters.
    pub fn needs_counting(&self, now: Timestamp) -> bool {
        let Some((spread, dealt)) = self.spread.and_then(|spread| Some((spread, spread.dealt?))) else { return false };
        let age = now.as_millisecond().saturating_sub(dealt.counted_at.as_millisecond());
        let is_plenty = self.dealt() > PLENTY * u64::from(spread.buckets);
        dealt.units > 0 && (age >= COUNT_LIFETIME || !is_plenty)
    }

    /// Whether units lie in buckets, wherever they are going.
    pub fn is_dealt(&self) -> bool {
        self.spread.is_some_and(|spread| spread.dealt.is_some() || spread.gathering)
    }

    /// Over how many buckets an order can choose; None where there are none to order from.
    pub fn open_buckets(&self) -> Option<u16> {
        self.spread.filter(|spread| spread.dealt.is_some() && !spread.gathering).map(|spread| spread.buckets)
    }
}
