//! The only clock. Everything below `main` and the handlers is told the time.

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

thread_local! {
    /// When a simulation began, by its own time and by tokio's clock.
    static SIMULATED: Cell<Option<(Timestamp, Instant)>> = const { Cell::new(None) };
}

/// The time, to the millisecond: what clients and logs can use of it.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn now() -> Timestamp {
    let now = simulated().unwrap_or_else(Timestamp::now);
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// From now on, the time on this thread is `begin` and as long as tokio's clock runs, which simulations pause. Release
/// builds, and so deployed functions, take no notice.
pub fn simulate(begin: Timestamp) {
    SIMULATED.set(Some((begin, Instant::now())));
}

fn simulated() -> Option<Timestamp> {
    let (begin, then) = SIMULATED.get().filter(|_| cfg!(debug_assertions))?;
    begin.checked_add(SignedDuration::try_from(then.elapsed()).ok()?).ok()
}
