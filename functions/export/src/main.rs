//! Serves the queue of exports.

use std::time::Duration;

use export::{Shop, work_off};
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, batch, log, settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let (bucket, seconds, currency) = settings::read(|variables| {
        (variables.text("EXPORT_BUCKET"), variables.text("EXPORT_SECONDS"), variables.text("SHOP_CURRENCY"))
    })?;
    let aws = Aws::from_environment()?;
    let patience = Duration::from_secs(seconds.parse().map_err(|_| "EXPORT_SECONDS is no number of seconds")?);
    let shop = Shop { table: aws.table()?, files: aws.bucket(&bucket), currency: currency.parse()?, patience };
    shop.table.warm_up().await?;
    batch::run(|message| work_off(&shop, message)).await
}
