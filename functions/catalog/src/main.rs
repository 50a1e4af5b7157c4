//! Serves the catalogue.

use catalog::{App, routes};
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, clock, log, settings};
use waybill_web::tokens::Verifier;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let currency = settings::read(|variables| variables.text("SHOP_CURRENCY"))?.parse()?;
    let table = Aws::from_environment()?.table()?;
    let verifier = Verifier::start(table.clone(), clock::now()).await?;
    waybill_web::run(routes(App { table, verifier, currency })).await
}
