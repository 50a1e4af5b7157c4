//! Products in bulk: the rows of a CSV or of JSON Lines, on their way in and on their way out.

pub mod cells;
pub mod columns;
pub mod merge;
pub mod pages;
pub mod split;
pub mod written;
