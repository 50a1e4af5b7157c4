//! Serves reports.

use reports::{App, Books, routes};
use waybill_domain::report::zone;
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, clock, log, settings};
use waybill_storage::tallies::Counting;
use waybill_web::Guard;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let (currency, zone_name, bucket) = settings::read(|variables| {
        (variables.text("SHOP_CURRENCY"), variables.text("SHOP_TIME_ZONE"), variables.text("EXPORT_BUCKET"))
    })?;
    zone(&zone_name).map_err(|invalid| format!("SHOP_TIME_ZONE {invalid}"))?;
    let shop = Counting { currency: currency.parse()?, zone: zone_name };
    let aws = Aws::from_environment()?;
    let (table, files) = (aws.table()?, aws.bucket(&bucket));
    let guard = Guard::start(table.clone(), clock::now()).await?;
    let limits = Some(guard.limits.clone());
    let books = Books::new(table.clone(), shop);
    waybill_web::run(routes(App { table, guard, books, files }), limits).await
}
