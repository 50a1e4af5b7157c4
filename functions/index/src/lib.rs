//! Keeps what products are found by as the products are, and how many orders stand where: follows the table's stream.

pub mod count;

use std::collections::BTreeSet;

use waybill_domain::id::ProductId;
use waybill_lambda::stream::Record;
use waybill_storage::order_counts::Standing;
use waybill_storage::search::product_of;
use waybill_storage::{StorageError, Table};

/// Products that are indexed together: what they have in common is then written once.
const TOGETHER: usize = 25;

/// Indexes the products that the records are about, as they are by now, and counts their orders. Answers the first record
/// when something could not be done; what was done before is found done when they come again.
pub async fn follow(table: &Table, records: Vec<Record>) -> Result<(), String> {
    let Some(first) = records.first().map(|record| record.sequence_number.clone()) else { return Ok(()) };
    let (mut products, mut orders) = (BTreeSet::new(), Vec::new());
    for subject in records.into_iter().filter_map(subject) {
        match subject {
            Subject::Product(product) => {
                products.insert(product);
            }
            Subject::Order(standing) => orders.push(standing),
        }
    }
    let done = async {
        let products: Vec<_> = products.into_iter().collect();
        for together in products.chunks(TOGETHER) {
            let changed = table.index_products(&together.iter().copied().collect()).await?;
            tracing::info!(products = together.len(), changed, "products were indexed");
        }
        if !orders.is_empty() {
            let (told, counted) = (orders.len(), table.count_orders(orders).await?);
            tracing::info!(told, counted, "orders were counted");
        }
        Ok::<(), StorageError>(())
    };
    done.await.map_err(|error| {
        tracing::warn!(%error, "the index does not follow");
        first
    })
}

/// What a record is about.
enum Subject {
    Product(ProductId),
    Order(Standing),
}

/// None where a record cannot be read: it could not be the next time, and those behind it wait.
fn subject(record: Record) -> Option<Subject> {
    let sequence_number = record.sequence_number;
    let read = record.content.map_err(|error| error.to_string()).and_then(|record| {
        match Standing::of(&record.change.new_image) {
            Some(standing) => {
                standing.map(|standing| Some(Subject::Order(standing))).map_err(|error| error.to_string())
            }
            None => Ok(product_of(&record.change.keys, &record.change.new_image).map(Subject::Product)),
        }
    });
    read.unwrap_or_else(|error| {
        tracing::error!(sequence_number, error, "a record that cannot be read");
        None
    })
}
