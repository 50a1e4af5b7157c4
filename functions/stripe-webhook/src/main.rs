//! Serves Stripe's webhook.

use stripe_webhook_function::{App, routes};
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, log, settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let aws = Aws::from_environment()?;
    let secret = settings::read(|variables| variables.text("STRIPE_WEBHOOK_SECRET"))?;
    let secret = aws.secret(&secret).await?.trim().to_owned();
    let table = aws.table()?;
    table.warm_up().await?;
    // No limits: Stripe sends from few addresses, and a signature is cheap to refuse.
    waybill_web::run(routes(App { table, secret }), None).await
}
