//! What stands before the routes: who has a valid token, and who has asked too often.

use waybill_domain::Timestamp;
use waybill_lambda::settings;
use waybill_storage::Table;

use crate::limits::Limits;
use crate::tokens::Verifier;

/// A function's own guard. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    pub table: Table,
    pub verifier: Verifier,
    pub limits: Limits,
}

impl Guard {
    /// Reads the keys of tokens and the setting `RATE_LIMITS`. Reading also opens the connection that the first
    /// request then finds open.
    pub async fn start(table: Table, now: Timestamp) -> Result<Guard, waybill_lambda::Error> {
        let limits = Limits::new(table.clone(), &settings::optional("RATE_LIMITS").unwrap_or_default())?;
        let verifier = Verifier::start(table.clone(), now).await?;
        Ok(Guard { table, verifier, limits })
    }
}
