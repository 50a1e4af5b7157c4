//! The only clock. Everything below `main` and the handlers is told the time.

use jiff::Timestamp;

pub fn now() -> Timestamp {
    Timestamp::now()
}
