//! Journeys through a whole shop, with the real binaries, histories of one that is simulated, and the contracts between its parts.

mod contract;
mod journeys;
mod simulation;
