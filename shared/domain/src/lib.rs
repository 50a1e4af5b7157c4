//! The shop's rules, and nothing else: no clock, no network, no database.
//!
//! Everything here is a value or a pure function. What comes from outside is parsed once, at the edge, into these
//! types; after that only valid values exist.

pub mod account;
pub mod cart;
pub mod category;
pub mod cell;
pub mod document;
pub mod export;
pub mod id;
pub mod import;
pub mod language;
pub mod message;
pub mod money;
pub mod order;
pub mod pricing;
pub mod product;
pub mod report;
mod schema;
pub mod search;
pub mod spread;
pub mod stock;
pub mod text;
pub mod totals;
pub mod update;
pub mod webhook;

pub use jiff::civil::Date;
pub use jiff::tz::TimeZone;
pub use jiff::{SignedDuration, Timestamp};
