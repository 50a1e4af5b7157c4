//! Works off exports: each message is a step of one, and ends with at most one part of its file. What a step has done counts with
//! its end, which is one write and announces the next; whatever breaks off before is done again from the last end on.

mod pages;

use std::io;
use std::time::Duration;

use tokio::time::Instant;
use waybill_domain::export::{Export, MAX_PARTS, Part, State};
use waybill_domain::message::{ExportEvent, ExportMessage};
use waybill_domain::money::Currency;
use waybill_lambda::bucket::{Bucket, BucketError, Kind, LEAST_PART};
use waybill_lambda::clock;
use waybill_storage::{StorageError, Table};

use pages::Pages;

/// Where the rows come from, and where they go.
pub struct Shop {
    pub table: Table,
    pub files: Bucket,
    /// What the shop sells in: the first price of a product.
    pub currency: Currency,
    /// How long one step may look for rows.
    pub patience: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error("rows that cannot be written: {0}")]
    Row(#[from] io::Error),
    #[error("an export stands behind {0:?}, which is no row")]
    Place(String),
    #[error("an export of what is dated names no days")]
    NoDays,
}

pub async fn work_off(shop: &Shop, message: ExportMessage) -> Result<(), Trouble> {
    let ExportEvent::StepDue { step } = message.event;
    let Some(export) = shop.table.export(message.export_id).await? else {
        tracing::warn!(export.id = %message.export_id, "an export that is gone was to be worked off");
        return Ok(());
    };
    // A step that is done already came twice.
    if export.is_over() || export.steps + 1 != step {
        return Ok(());
    }
    let mut after = match do_step(shop, &export).await {
        // What was uploaded is gone: too long ago it was begun.
        Err(Trouble::Bucket(BucketError::Gone)) => Export { state: State::Failed, ..export.clone() },
        done => done?,
    };
    (after.steps, after.updated_at) = (step, clock::now());
    let counts = shop.table.end_export_step(&export, &after).await?;
    let is_over = after.is_over();
    let has_failed = after.state == State::Failed;
    tracing::info!(export.id = %export.id, step, counts, rows = after.rows, bytes = after.bytes, is_over, has_failed, "a step of an export was done");
    Ok(())
}

async fn do_step(shop: &Shop, export: &Export) -> Result<Export, Trouble> {
    match &export.state {
        State::Writing { .. } => write_some(shop, export).await,
        State::Closing { upload, parts } => close(shop, export, upload, parts).await,
        State::Ready | State::Failed => Ok(export.clone()),
    }
}

/// Writes rows until there are enough for a part, the time is over, or all are written.
async fn write_some(shop: &Shop, export: &Export) -> Result<Export, Trouble> {
    let State::Writing { mut behind, upload, parts, aside } = export.state.clone() else { return Ok(export.clone()) };
    // Parts and what is put aside are named by it, so that two who do the same step never write to the same place.
    let claim = shop.table.claim_export_step(export).await?;
    let pages = Pages::of(shop, export).await?;
    let mut file = match aside {
        Some(claim) => shop.files.get(&export.aside(claim)).await?,
        None => Vec::new(),
    };
    let written = file.len();
    if behind.is_none() {
        pages.begin(&mut file)?;
    }
    let (begun, mut rows) = (Instant::now(), export.rows);
    loop {
        let page = pages.add(&mut file, behind.as_deref()).await?;
        rows += page.rows;
        behind = page.behind;
        if behind.is_none() || file.len() >= LEAST_PART || begun.elapsed() >= shop.patience {
            break;
        }
    }
    let bytes = export.bytes + (file.len() - written) as u64;
    let state = keep(shop, export, claim, file, State::Writing { behind, upload, parts, aside: None }).await?;
    Ok(Export { state, rows, bytes, ..export.clone() })
}

/// Keeps what was written where it belongs.
async fn keep(shop: &Shop, export: &Export, claim: u32, file: Vec<u8>, state: State) -> Result<State, Trouble> {
    let State::Writing { behind, upload, mut parts, .. } = state else { return Ok(state) };
    let (object, name) = (export.object(), export.file_name());
    let kind = Kind { media_type: export.format.media_type(), name: &name };
    let is_whole = behind.is_none();
    if is_whole && parts.is_empty() {
        shop.files.put(&object, &kind, file).await?;
        return Ok(State::Ready);
    }
    if !is_whole && file.len() < LEAST_PART {
        let kind = Kind { name: "aside", ..kind };
        shop.files.put(&export.aside(claim), &kind, file).await?;
        return Ok(State::Writing { behind, upload, parts, aside: Some(claim) });
    }
    let upload = match upload {
        Some(upload) => upload,
        None => shop.files.begin(&object, &kind).await?,
    };
    if !file.is_empty() {
        let etag = shop.files.put_part(&object, &upload, claim, file).await?;
        parts.push(Part { number: claim, etag });
    }
    Ok(match is_whole {
        true => State::Closing { upload, parts },
        false if parts.len() >= MAX_PARTS => State::Failed,
        false => State::Writing { behind, upload: Some(upload), parts, aside: None },
    })
}

/// Makes the file of its parts. It may have been made by somebody who did not live to tell.
async fn close(shop: &Shop, export: &Export, upload: &str, parts: &[Part]) -> Result<Export, Trouble> {
    let tags: Vec<_> = parts.iter().map(|part| (part.number, part.etag.as_str())).collect();
    match shop.files.complete(&export.object(), upload, &tags).await {
        Err(BucketError::Gone) if shop.files.has(&export.object()).await? => {}
        done => done?,
    }
    Ok(Export { state: State::Ready, ..export.clone() })
}
