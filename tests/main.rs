//! Journeys through a whole shop, with the real binaries, and the contracts between its parts.

mod contract;
mod journeys;
