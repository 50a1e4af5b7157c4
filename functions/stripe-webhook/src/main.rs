//! Serves Stripe's webhook.

use payments::Stripe;
use stripe_webhook_function::{App, routes};
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, log, settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let aws = Aws::from_environment()?;
    let (secret, key, url, shop) = settings::read(|variables| {
        (
            variables.text("STRIPE_WEBHOOK_SECRET"),
            variables.text("STRIPE_API_SECRET"),
            variables.text("STRIPE_API_URL"),
            variables.text("SHOP_URL"),
        )
    })?;
    let table = aws.table()?;
    let connected = async { Ok(table.warm_up().await?) };
    let (secret, key, ()) = tokio::try_join!(aws.secret(&secret), aws.secret(&key), connected)?;
    let (secret, stripe) = (secret.trim().to_owned(), Stripe::new(&key, &url, &shop)?);
    // No limits: Stripe sends from few addresses, and a signature is cheap to refuse.
    waybill_web::run(routes(App { table, stripe, secret }), None).await
}
