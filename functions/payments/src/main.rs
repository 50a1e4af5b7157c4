//! Serves payments.

use payments::{App, Stripe, routes};
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, clock, log, settings};
use waybill_web::Guard;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let (secret, url, shop) = settings::read(|variables| {
        (variables.text("STRIPE_API_SECRET"), variables.text("STRIPE_API_URL"), variables.text("SHOP_URL"))
    })?;
    let aws = Aws::from_environment()?;
    let stripe = Stripe::new(&aws.secret(&secret).await?, &url, &shop)?;
    let table = aws.table()?;
    let guard = Guard::start(table.clone(), clock::now()).await?;
    let limits = Some(guard.limits.clone());
    waybill_web::run(routes(App { table, guard, stripe }), limits).await
}
