//! The only clock. Everything below `main` and the handlers is told the time.

use jiff::Timestamp;

/// The time, to the millisecond: what clients and logs can use of it.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
