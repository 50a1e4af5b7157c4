//! Serves payments.

use payments::{App, Stripe, routes};
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, clock, log, settings};
use waybill_web::tokens::Verifier;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let (secret, url, shop) = settings::read(|variables| {
        (variables.text("STRIPE_API_SECRET"), variables.text("STRIPE_API_URL"), variables.text("SHOP_URL"))
    })?;
    let aws = Aws::from_environment()?;
    let stripe = Stripe::new(&aws.secret(&secret).await?, &url, &shop)?;
    let table = aws.table()?;
    let verifier = Verifier::start(table.clone(), clock::now()).await?;
    waybill_web::run(routes(App { table, verifier, stripe })).await
}
