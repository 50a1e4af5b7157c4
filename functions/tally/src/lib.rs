//! Keeps what products are found by as the products are, and counts orders, carts and accounts: follows the table's stream.

pub mod count;
pub mod recount;

use std::collections::BTreeSet;

use waybill_domain::id::ProductId;
use waybill_domain::{SignedDuration, Timestamp};
use waybill_lambda::stream::Record;
use waybill_storage::search::product_of;
use waybill_storage::tallies::{Counting, Told};
use waybill_storage::{StorageError, Table};

/// Products that are indexed together: what they have in common is then written once.
const TOGETHER: usize = 25;
/// How long a run that somebody asked for goes on, well below the function's timeout.
const LONGEST: SignedDuration = SignedDuration::from_secs(240);

/// Indexes the products that the records are about, as they are by now, and counts what orders, carts and accounts tell: each to
/// its end, whatever becomes of the other. Answers the first record when something could not be done; what was done before is
/// found done when they come again.
pub async fn follow(table: &Table, shop: &Counting, records: Vec<Record>, now: Timestamp) -> Result<(), String> {
    let Some(first) = records.first().map(|record| record.sequence_number.clone()) else { return Ok(()) };
    let (mut products, mut told) = (BTreeSet::new(), Vec::new());
    for subject in records.into_iter().filter_map(subject) {
        match subject {
            Subject::Product(product) => {
                products.insert(product);
            }
            Subject::Counts(new) => told.push(new),
        }
    }
    let (indexed, tallied) = tokio::join!(index(table, products), tally(table, told, shop, now));
    let mut is_done = true;
    for (what, done) in [("the index", indexed), ("the counts", tallied)] {
        if let Err(error) = done {
            tracing::warn!(what, %error, "something does not follow the table");
            is_done = false;
        }
    }
    if is_done { Ok(()) } else { Err(first) }
}

async fn index(table: &Table, products: BTreeSet<ProductId>) -> Result<(), StorageError> {
    let products: Vec<_> = products.into_iter().collect();
    for together in products.chunks(TOGETHER) {
        let changed = table.index_products(&together.iter().copied().collect()).await?;
        tracing::info!(products = together.len(), changed, "products were indexed");
    }
    Ok(())
}

/// All of it in as few writes as that takes.
async fn tally(table: &Table, told: Vec<Told>, shop: &Counting, now: Timestamp) -> Result<(), StorageError> {
    if !told.is_empty() {
        let (records, news) = (told.len(), table.tally(told, shop, now).await?);
        tracing::info!(records, news, "orders, carts and accounts were counted");
    }
    Ok(())
}

/// What a record is about.
enum Subject {
    Product(ProductId),
    /// An order, a cart or an account.
    Counts(Told),
}

/// None where a record cannot be read: it could not be the next time, and those behind it wait. A count or a recount finds what
/// it is about.
fn subject(record: Record) -> Option<Subject> {
    let sequence_number = record.sequence_number;
    let read = record.content.map_err(|error| error.to_string()).and_then(|record| {
        let (keys, image) = (&record.change.keys, &record.change.new_image);
        let subject = match Told::of(image) {
            Some(told) => told.map(|told| Some(Subject::Counts(told))),
            None => Ok(product_of(keys, image).map(Subject::Product)),
        };
        subject.map_err(|error| error.to_string())
    });
    read.unwrap_or_else(|error| {
        tracing::error!(sequence_number, error, "a record that cannot be read");
        None
    })
}
