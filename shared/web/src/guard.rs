//! What the routes of every function stand behind: who has a valid token, who has asked too often, whose cursors are ours.

use waybill_domain::Timestamp;
use waybill_lambda::{random, settings};
use waybill_storage::Table;

use crate::cursors::Cursors;
use crate::limits::Limits;
use crate::tokens::Verifier;

/// A function's own guard. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    pub table: Table,
    pub verifier: Verifier,
    pub limits: Limits,
    pub cursors: Cursors,
}

impl Guard {
    /// Reads the keys that all functions share and the setting `RATE_LIMITS`. Reading also opens the connection that the first
    /// request then finds open.
    pub async fn start(table: Table, now: Timestamp) -> Result<Guard, waybill_lambda::Error> {
        let limits = Limits::new(table.clone(), &settings::optional("RATE_LIMITS").unwrap_or_default())?;
        let keys = table.shared_keys().await?;
        let cursor_key = match keys.cursor_key {
            Some(key) => key,
            None => table.cursor_key(&random::secret()).await?,
        };
        let verifier = Verifier::new(table.clone(), keys.signing_keys, now);
        Ok(Guard { table, verifier, limits, cursors: Cursors::new(&cursor_key) })
    }
}
