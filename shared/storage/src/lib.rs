//! The shop's one table. Only this crate names a DynamoDB key or writes an expression.

pub mod accounts;
pub mod carts;
pub mod catalog;
pub mod connections;
mod keys;
pub mod mails;
pub mod orders;
mod page;
pub mod signing_keys;
mod table;
mod transaction;

pub use page::{Cursor, Page};
pub use table::{StorageError, Table};
pub use transaction::Refused;
