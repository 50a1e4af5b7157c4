//! Serves the endpoints of webhooks and their log.

use waybill_domain::webhook::TestHosts;
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, clock, log, settings};
use waybill_web::Guard;
use webhooks::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let tests = TestHosts::new(&settings::optional("WEBHOOK_TEST_HOSTS").unwrap_or_default());
    let table = Aws::from_environment()?.table()?;
    let guard = Guard::start(table.clone(), clock::now()).await?;
    let limits = Some(guard.limits.clone());
    waybill_web::run(routes(App { table, guard, tests }), limits).await
}
