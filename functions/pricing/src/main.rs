//! Serves the settings that carts are reckoned by.

use pricing::{App, routes};
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, clock, log};
use waybill_web::Guard;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let table = Aws::from_environment()?.table()?;
    let guard = Guard::start(table.clone(), clock::now()).await?;
    let limits = Some(guard.limits.clone());
    waybill_web::run(routes(App { table, guard }), limits).await
}
