//! Chance that can be had again.

use waybill_lambda::random::mixed;

/// A seed makes the same choices again.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// From 0 up to one less than the sides.
    pub fn roll(&mut self, sides: u64) -> u64 {
        mixed(&mut self.0) % sides
    }

    /// Whether something comes about that does in so many of a hundred cases.
    pub fn comes(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }

    /// Dice of their own for somebody else, who may throw them at any moment without a change to these.
    pub fn other(&mut self) -> Dice {
        Dice(mixed(&mut self.0))
    }

    /// An idempotency key.
    pub fn key(&mut self) -> String {
        format!("key-{:016x}", mixed(&mut self.0))
    }
}
