//! Serves the schedule, and who invokes it by hand.

use lambda_runtime::{LambdaEvent, service_fn};
use payments::Stripe;
use sweep::{Command, Shop};
use waybill_domain::SignedDuration;
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, log, settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let (secret, url, shop, minutes) = settings::read(|variables| {
        (
            variables.text("STRIPE_API_SECRET"),
            variables.text("STRIPE_API_URL"),
            variables.text("SHOP_URL"),
            variables.text("PAYMENT_DEADLINE_MINUTES"),
        )
    })?;
    let aws = Aws::from_environment()?;
    let stripe = Stripe::new(&aws.secret(&secret).await?, &url, &shop)?;
    let shop =
        Shop { table: aws.table()?, stripe, deadline: SignedDuration::from_mins(minutes.parse::<u32>()?.into()) };
    shop.table.warm_up().await?;
    let shop = &shop;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Command>| shop.run(event.payload))).await
}
