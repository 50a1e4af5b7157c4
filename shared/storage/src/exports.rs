//! Exports: started by one write that announces them, and worked off step by step, each of which announces the next.

use aws_sdk_dynamodb::types::AttributeValue;
use waybill_domain::export::{Export, ExportSummary};
use waybill_domain::id::ExportId;

use crate::keys::{self, EXPIRES_AT, Index, Item, SUMMARY};
use crate::page::{Cursor, Page};
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::Write;

/// What came of starting an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    Now,
    /// The same account used the same idempotency key before, for this.
    Before(Box<Export>),
}

impl Table {
    /// Starts an export, which announces its first step: one write, and one in the list.
    pub async fn start_export(&self, export: &Export) -> Result<Started, StorageError> {
        match self.update(&Write::put(item(export)?).only_if_new()).await? {
            Ok(_) => Ok(Started::Now),
            Err(before) => Ok(Started::Before(Box::new(from_item(before)?))),
        }
    }

    /// An export as it stands now.
    pub async fn export(&self, id: ExportId) -> Result<Option<Export>, StorageError> {
        self.get(&keys::export(id), true).await?.map(from_item).transpose()
    }

    /// A page of exports, the newest first: one query.
    pub async fn exports(&self, limit: u8, cursor: Option<Cursor>) -> Result<Page<ExportSummary>, StorageError> {
        self.page(Index::Gsi1, keys::EXPORTS, limit, cursor).await
    }

    /// A number that nobody else has who does a step of this export, higher than every one before: one write.
    pub async fn claim_export_step(&self, export: &Export) -> Result<u32, StorageError> {
        let write = Write::update(&keys::export_claims(export.id), "SET #until = :until ADD taken :one")
            .name("#until", EXPIRES_AT)
            .number(":until", export.kept_until().as_second())
            .number(":one", 1);
        let item = self.update(&write).await?.unwrap_or_default();
        let taken = item.get("taken").and_then(|taken| taken.as_n().ok()).and_then(|taken| taken.parse().ok());
        taken.ok_or_else(|| StorageError::Broken("a claim without a number".into()))
    }

    /// Ends a step: what there is after it, unless somebody has ended it before. One write.
    pub async fn end_export_step(&self, before: &Export, after: &Export) -> Result<bool, StorageError> {
        let write = Write::put(item(after)?)
            .only_if("#steps = :seen")
            .name("#steps", "steps")
            .number(":seen", before.steps.into());
        Ok(self.update(&write).await?.is_ok())
    }
}

fn item(export: &Export) -> Result<Item, StorageError> {
    let mut item = to_item(export)?;
    item.extend(keys::export(export.id).item());
    item.extend(keys::exports(export.started_at, export.id).item());
    item.insert(SUMMARY.into(), AttributeValue::M(to_item(&export.summary())?));
    item.insert(EXPIRES_AT.into(), AttributeValue::N(export.kept_until().as_second().to_string()));
    Ok(item)
}
