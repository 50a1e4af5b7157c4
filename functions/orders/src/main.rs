//! Serves orders.

use orders::{App, routes};
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, clock, log, settings};
use waybill_web::Guard;
use waybill_web::quote::Seal;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let aws = Aws::from_environment()?;
    let (key, table) = (settings::read(|variables| variables.text("QUOTE_KEY_SECRET"))?, aws.table()?);
    let (key, guard) = tokio::try_join!(aws.secret(&key), Guard::start(table.clone(), clock::now()))?;
    let seal = Seal::new(&key);
    let limits = Some(guard.limits.clone());
    waybill_web::run(routes(App { table, guard, seal }), limits).await
}
