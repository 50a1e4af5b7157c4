//! What the HTTP functions share: problems, callers, bodies and queries, pages, quotes, and the way into Lambda.

mod address;
mod amount;
pub mod body;
pub mod caller;
pub mod cursors;
pub mod guard;
mod kind;
pub mod limits;
mod objects;
pub mod openapi;
pub mod problem;
pub mod query;
pub mod quote;
pub mod remembered;
mod segment;
mod serve;
pub mod spreadsheet;
pub mod tokens;
mod versions;

pub use address::{NewAddress, NewPlace};
pub use amount::NewMoney;
pub use body::{Body, Fields, given};
pub use caller::{Bearer, Caller, Leaver, Staff, leaving, may, session_ended};
pub use guard::Guard;
pub use kind::Kind;
pub use problem::Problem;
pub use segment::Segment;
pub use serve::{answer, app, run};
pub use versions::{IfMatch, cacheable, outdated, unless_known, version_tag};
