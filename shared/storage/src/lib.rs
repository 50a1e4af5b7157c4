//! The shop's one table. Only this crate names a DynamoDB key or writes an expression.

pub mod accounts;
pub mod addresses;
pub mod carts;
pub mod catalog;
pub mod categories;
pub mod connections;
pub mod documents;
pub mod drafts;
pub mod feeds;
pub mod imports;
mod keys;
pub mod letters;
pub mod limits;
pub mod locations;
pub mod mails;
pub mod notes;
pub mod order_counts;
pub mod order_lists;
pub mod orders;
pub mod outbox;
mod page;
pub mod payers;
pub mod pricing;
pub mod random;
pub mod search;
pub mod second_factor;
pub mod sessions;
pub mod signing_keys;
pub mod stock;
mod table;
pub mod tallies;
mod transaction;
pub mod waiting;

pub use page::{Cursor, Page};
pub use table::{StorageError, Table};
pub use transaction::Refused;
