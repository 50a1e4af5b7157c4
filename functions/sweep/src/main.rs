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
    let table = aws.table()?;
    let connected = async { Ok(table.warm_up().await?) };
    let (secret, ()) = tokio::try_join!(aws.secret(&secret), connected)?;
    let stripe = Stripe::new(&secret, &url, &shop)?;
    let shop = Shop { table, stripe, deadline: SignedDuration::from_mins(minutes.parse::<u32>()?.into()) };
    let shop = &shop;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Command>| shop.run(event.payload))).await
}
