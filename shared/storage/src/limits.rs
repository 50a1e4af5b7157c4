//! Counters behind rate limits: one conditional write counts for every instance of every function.

use crate::keys::{self, EXPIRES_AT};
use crate::table::{StorageError, Table};
use crate::transaction::Write;

/// Seconds that a counter outlives its window, for clocks that differ.
const SLACK: i64 = 60;

impl Table {
    /// Counts `by` uses of a limit by a subject, in the window that ends at `until` (seconds since 1970). False, and
    /// nothing counted, where that would be more than `quota`.
    pub async fn count(
        &self,
        limit: &str,
        subject: &str,
        until: i64,
        by: u32,
        quota: u32,
    ) -> Result<bool, StorageError> {
        if by > quota {
            return Ok(false);
        }
        let write = Write::update(&keys::limit(limit, subject, until), format!("SET {EXPIRES_AT} = :end ADD uses :by"))
            .only_if("attribute_not_exists(uses) OR uses <= :room")
            .number(":by", i64::from(by))
            .number(":room", i64::from(quota - by))
            .number(":end", until + SLACK);
        Ok(self.update(&write).await?.is_ok())
    }
}
