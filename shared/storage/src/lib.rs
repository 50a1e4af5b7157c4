//! The shop's one table. Only this crate names a DynamoDB key or writes an expression.

pub mod accounts;
pub mod addresses;
pub mod carts;
pub mod catalog;
pub mod categories;
pub mod connections;
mod keys;
pub mod letters;
pub mod limits;
pub mod mails;
pub mod orders;
pub mod outbox;
mod page;
pub mod pricing;
pub mod search;
pub mod second_factor;
pub mod sessions;
pub mod signing_keys;
mod table;
mod transaction;

pub use page::{Cursor, Page};
pub use table::{StorageError, Table};
pub use transaction::Refused;
