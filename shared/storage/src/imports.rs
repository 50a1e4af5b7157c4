//! Imports: stored part by part, then started by one write that announces them, and worked off once.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use waybill_domain::Timestamp;
use waybill_domain::id::ImportId;
use waybill_domain::import::{Counts, Failure, Import, ImportSummary, Progress, Row};
use waybill_domain::text::Slug;

use crate::catalog::Listing;
use crate::keys::{self, EXPIRES_AT, Index, Item, Key, SUMMARY};
use crate::operations::{QUERY, QueryInput};
use crate::page::{Cursor, Page};
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// An import and what it left are kept for so many seconds: 30 days.
const KEPT: i64 = 30 * 24 * 60 * 60;
/// Parts that are written at once: each is up to 200 write units.
const AT_ONCE: usize = 4;

/// What came of starting an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    Now,
    /// The same account used the same idempotency key before, for this.
    Before(Import),
}

/// A page of rows that failed, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    pub items: Vec<Failure>,
    /// None at the end.
    pub next: Option<FailureCursor>,
    /// None at the beginning.
    pub previous: Option<FailureCursor>,
}

/// The row that a page begins behind, or ends before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCursor {
    After(u32),
    Before(u32),
}

/// What the item of a part holds.
#[derive(Serialize, Deserialize)]
struct Part {
    rows: Vec<Row>,
}

impl Table {
    /// Stores the parts, and then starts the import, which announces it: whatever breaks off before is not started, and
    /// the same request again ends it.
    pub async fn start_import(&self, import: &Import, parts: Vec<Vec<Row>>) -> Result<Started, StorageError> {
        let until = import.started_at.as_second() + KEPT;
        let writing = parts.into_iter().zip(1..).map(|(rows, number)| async move {
            let mut item = to_item(&Part { rows })?;
            item.extend(keys::import_part(import.id, &import.fingerprint, number).item());
            item.insert(EXPIRES_AT.into(), AttributeValue::N(until.to_string()));
            self.write(Write::put(item)).await
        });
        stream::iter(writing).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        let mut job = to_item(import)?;
        job.extend(keys::import(import.id).item());
        job.extend(keys::imports(import.started_at, import.id).item());
        job.insert(SUMMARY.into(), AttributeValue::M(to_item(&import.summary())?));
        job.insert(EXPIRES_AT.into(), AttributeValue::N(until.to_string()));
        let none = Progress { parts_done: 0, counts: Counts::default(), updated_at: import.started_at };
        let mut progress = to_item(&none)?;
        progress.extend(keys::import_progress(import.id).item());
        progress.insert(EXPIRES_AT.into(), AttributeValue::N(until.to_string()));
        let started = Transaction::new()
            .write(Write::put(job).only_if_new(), |item| Ok(Some(from_item::<Import>(item)?)))
            .write(Write::put(progress).only_if_new(), |_| Ok(None))
            .commit(self)
            .await;
        match started {
            Ok(()) => Ok(Started::Now),
            Err(Refused::Failed(error)) => Err(error),
            Err(Refused::By(reasons)) => {
                let before = reasons.into_iter().flatten().next();
                before.map(Started::Before).ok_or_else(|| StorageError::Broken("progress without an import".into()))
            }
        }
    }

    /// An import that was started: one read unit.
    pub async fn import(&self, id: ImportId) -> Result<Option<Import>, StorageError> {
        self.get(&keys::import(id), true).await?.map(from_item).transpose()
    }

    /// An import and how far it has come: two reads at once.
    pub async fn import_progress(&self, id: ImportId) -> Result<Option<(Import, Progress)>, StorageError> {
        let progress = keys::import_progress(id);
        let (import, progress) = tokio::try_join!(self.import(id), self.get(&progress, true))?;
        let progress: Option<Progress> = progress.map(from_item).transpose()?;
        Ok(import.zip(progress))
    }

    /// A page of imports, the newest first: one query.
    pub async fn imports(&self, limit: u8, cursor: Option<Cursor>) -> Result<Page<ImportSummary>, StorageError> {
        self.page(Index::Gsi1, keys::IMPORTS, limit, cursor).await
    }

    /// The rows of a part that is not worked off yet: two reads at once.
    pub async fn import_part(&self, import: &Import, part: u32) -> Result<Option<Vec<Row>>, StorageError> {
        let rows = keys::import_part(import.id, &import.fingerprint, part);
        let done = keys::import_part_done(import.id, part);
        let (rows, done) = tokio::try_join!(self.get(&rows, true), self.get(&done, true))?;
        match (done, rows) {
            (Some(_), _) => Ok(None),
            (None, Some(item)) => from_item(item).map(|Part { rows }| Some(rows)),
            (None, None) => Err(StorageError::Broken(format!("import {} has no part {part}", import.id))),
        }
    }

    /// Ends a part: what failed, what is counted, and that it is done, in one transaction. Of two who have worked off
    /// the same part only the first is counted.
    pub async fn end_import_part(
        &self,
        import: &Import,
        part: u32,
        counts: Counts,
        failures: &[Failure],
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let until = AttributeValue::N((import.started_at.as_second() + KEPT).to_string());
        let mut done = keys::import_part_done(import.id, part).item();
        done.insert(EXPIRES_AT.into(), until.clone());
        let counted = Write::update(
            &keys::import_progress(import.id),
            "SET #updated_at = :now ADD #parts_done :one, #created :created, #changed :changed, \
             #unchanged :unchanged, #failed :failed",
        );
        let counted = ["updated_at", "parts_done", "created", "changed", "unchanged", "failed"]
            .iter()
            .fold(counted, |write, name| write.name(&format!("#{name}"), name))
            .only_if("attribute_exists(pk)")
            .text(":now", now)
            .number(":one", 1)
            .number(":created", counts.created.into())
            .number(":changed", counts.changed.into())
            .number(":unchanged", counts.unchanged.into())
            .number(":failed", counts.failed.into());
        let mut transaction =
            Transaction::new().write(Write::put(done).only_if_new(), |_| Ok(())).write(counted, |_| Ok(()));
        for failure in failures {
            let mut item = to_item(failure)?;
            item.extend(keys::import_failure(import.id, failure.row).item());
            item.insert(EXPIRES_AT.into(), until.clone());
            transaction = transaction.write(Write::put(item), |_| Ok(()));
        }
        match transaction.commit(self).await {
            Ok(()) | Err(Refused::By(_)) => Ok(()),
            Err(Refused::Failed(error)) => Err(error),
        }
    }

    /// A page of the rows that failed so far: one query.
    pub async fn import_failures(
        &self,
        id: ImportId,
        limit: u8,
        cursor: Option<FailureCursor>,
    ) -> Result<Failures, StorageError> {
        let (row, back) = match cursor {
            None => (None, false),
            Some(FailureCursor::After(row)) => (Some(row), false),
            Some(FailureCursor::Before(row)) => (Some(row), true),
        };
        let Key { pk, .. } = keys::import(id);
        let values = [(":pk", pk), (":sk", keys::FAILURE.to_owned())];
        let values: Item = values.map(|(name, value)| (name.to_owned(), AttributeValue::S(value))).into();
        let answer = self
            .client
            .call(
                &QUERY,
                QueryInput::builder()
                    .table_name(&self.name)
                    .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
                    .set_expression_attribute_values(Some(values))
                    .scan_index_forward(!back)
                    .limit(i32::from(limit))
                    .set_exclusive_start_key(row.map(|row| keys::import_failure(id, row).item()))
                    .build(),
            )
            .await
            .map_err(StorageError::from_sdk)?;
        let more = answer.last_evaluated_key.is_some();
        let items = answer.items.unwrap_or_default().into_iter().map(from_item);
        let mut items: Vec<Failure> = items.collect::<Result<_, _>>()?;
        if back {
            items.reverse();
        }
        let next = items.last().map(|failure| FailureCursor::After(failure.row)).filter(|_| more || back);
        let previous = items.first().map(|failure| FailureCursor::Before(failure.row));
        let previous = previous.filter(|_| if back { more } else { cursor.is_some() });
        Ok(Failures { items, next, previous })
    }

    /// The product of this slug as it is now: one read, and a query where there is one.
    pub async fn product_of(&self, slug: &Slug) -> Result<Option<Listing>, StorageError> {
        match self.owner_of_slug(slug, true).await? {
            None => Ok(None),
            Some(id) => self.product(id, true).await,
        }
    }
}
