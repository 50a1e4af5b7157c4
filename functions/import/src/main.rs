//! Works off imports: each message is a part of one, each row of it stands or falls alone.

mod part;
mod product;

use waybill_domain::id::ImportId;
use waybill_domain::message::{ImportEvent, ImportMessage};
use waybill_domain::money::Currency;
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, batch, clock, log, settings};
use waybill_storage::{StorageError, Table};

/// Where the rows go, and what their prices are in.
struct Shop {
    table: Table,
    currency: Currency,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let currency = settings::read(|variables| variables.text("SHOP_CURRENCY"))?.parse()?;
    let shop = Shop { table: Aws::from_environment()?.table()?, currency };
    shop.table.warm_up().await?;
    batch::run(|message| work_off(&shop, message)).await
}

async fn work_off(shop: &Shop, message: ImportMessage) -> Result<(), StorageError> {
    let ImportEvent::PartStored { part } = message.event;
    let Some(import) = shop.table.import(message.import_id).await? else {
        return expired(message.import_id);
    };
    // A part that is done already came twice.
    let Some(rows) = shop.table.import_part(&import, part).await? else { return Ok(()) };
    let (counts, failures) = part::work_off(shop, &import, rows).await?;
    shop.table.end_import_part(&import, part, counts, &failures, clock::now()).await?;
    tracing::info!(
        import.id = %import.id,
        part,
        created = counts.created,
        changed = counts.changed,
        unchanged = counts.unchanged,
        failed = counts.failed,
        "a part of an import was worked off"
    );
    Ok(())
}

/// What came back after a month is of no use to anybody.
fn expired(import: ImportId) -> Result<(), StorageError> {
    tracing::warn!(import.id = %import, "an import that is gone was to be worked off");
    Ok(())
}
