//! Serves the catalogue.

use std::time::Duration;

use catalog::{App, Slugs, routes};
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, clock, log, settings};
use waybill_storage::search::Search;
use waybill_web::Guard;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let (currency, seconds) =
        settings::read(|variables| (variables.text("SHOP_CURRENCY"), variables.text("SEARCH_SECONDS")))?;
    let currency = currency.parse()?;
    let table = Aws::from_environment()?.table()?;
    let guard = Guard::start(table.clone(), clock::now()).await?;
    let limits = Some(guard.limits.clone());
    let search = Search::new(table.clone(), Duration::from_secs(seconds.parse()?));
    waybill_web::run(routes(App { table, guard, currency, slugs: Slugs::default(), search }), limits).await
}
