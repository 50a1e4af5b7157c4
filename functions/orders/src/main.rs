//! Serves orders.

use orders::{App, routes};
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, clock, log, settings};
use waybill_web::quote::Seal;
use waybill_web::tokens::Verifier;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let aws = Aws::from_environment()?;
    let seal = Seal::new(&aws.secret(&settings::read(|variables| variables.text("QUOTE_KEY_SECRET"))?).await?);
    let table = aws.table()?;
    let verifier = Verifier::start(table.clone(), clock::now()).await?;
    waybill_web::run(routes(App { table, verifier, seal })).await
}
