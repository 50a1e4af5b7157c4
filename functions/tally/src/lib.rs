//! Counts for reports what orders, carts and accounts the table's stream tells of.

pub mod recount;

use waybill_domain::Timestamp;
use waybill_lambda::stream::Record;
use waybill_storage::Table;
use waybill_storage::tallies::{Counting, Told};

/// Counts what the records tell, all of it in as few writes as that takes. Answers the first record when something could not
/// be counted; what was counted before is found counted when they come again.
pub async fn count(table: &Table, shop: &Counting, records: Vec<Record>, now: Timestamp) -> Result<(), String> {
    let Some(first) = records.first().map(|record| record.sequence_number.clone()) else { return Ok(()) };
    let told: Vec<_> = records.into_iter().filter_map(told).collect();
    let records = told.len();
    match table.tally(told, shop, now).await {
        Ok(steps) => {
            tracing::info!(records, steps, "counted for reports");
            Ok(())
        }
        Err(error) => {
            tracing::warn!(%error, "the counts do not follow");
            Err(first)
        }
    }
}

/// None where a record cannot be read: it could not be the next time, and those behind it wait. A recount finds what it is
/// about.
fn told(record: Record) -> Option<Told> {
    let sequence_number = record.sequence_number;
    let read = record.content.map_err(|error| error.to_string());
    let told =
        read.and_then(|record| Told::of(&record.change.new_image).transpose().map_err(|error| error.to_string()));
    told.unwrap_or_else(|error| {
        tracing::error!(sequence_number, error, "a record that cannot be read");
        None
    })
}
