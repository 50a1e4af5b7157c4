//! Keeps what products are found by as the products are: follows the table's stream.

use std::collections::BTreeSet;

use waybill_domain::id::ProductId;
use waybill_lambda::aws::Aws;
use waybill_lambda::stream::Record;
use waybill_lambda::{Error, log, stream};
use waybill_storage::Table;
use waybill_storage::search::product_of;

/// Products that are indexed together: what they have in common is then written once.
const TOGETHER: usize = 25;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let table = Aws::from_environment()?.table()?;
    stream::run(|records| follow(&table, records)).await
}

/// Indexes the products that the records are about, as they are by now. Answers the first record when one could not be;
/// what was done before is found done when they come again.
async fn follow(table: &Table, records: Vec<Record>) -> Result<(), String> {
    let Some(first) = records.first().map(|record| record.sequence_number.clone()) else { return Ok(()) };
    let products: BTreeSet<ProductId> = records.into_iter().filter_map(about).collect();
    let products: Vec<_> = products.into_iter().collect();
    for together in products.chunks(TOGETHER) {
        match table.index_products(&together.iter().copied().collect()).await {
            Ok(changed) => tracing::info!(products = together.len(), changed, "products were indexed"),
            Err(error) => {
                tracing::warn!(%error, "products were not indexed");
                return Err(first);
            }
        }
    }
    Ok(())
}

/// The product that a record is about.
fn about(record: Record) -> Option<ProductId> {
    let sequence_number = record.sequence_number;
    match record.content {
        Ok(record) => product_of(&record.change.keys, &record.change.new_image),
        Err(error) => {
            // It would not be better the next time, and those behind it wait.
            tracing::error!(sequence_number, %error, "a record that cannot be read");
            None
        }
    }
}
