//! Serves the catalogue.

use catalog::{App, Slugs, routes};
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, clock, log, settings};
use waybill_web::Guard;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let currency = settings::read(|variables| variables.text("SHOP_CURRENCY"))?.parse()?;
    let table = Aws::from_environment()?.table()?;
    let guard = Guard::start(table.clone(), clock::now()).await?;
    let limits = Some(guard.limits.clone());
    waybill_web::run(routes(App { table, guard, currency, slugs: Slugs::default() }), limits).await
}
