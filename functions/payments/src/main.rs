//! Serves payments, and the queue of what is to be done at Stripe.

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{LambdaEvent, service_fn};
use payments::{App, Capture, Stripe, routes, work};
use serde::Deserialize;
use serde_json::Value;
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, batch, clock, log, settings};
use waybill_web::Guard;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let (secret, url, shop, capture) = settings::read(|variables| {
        (
            variables.text("STRIPE_API_SECRET"),
            variables.text("STRIPE_API_URL"),
            variables.text("SHOP_URL"),
            variables.text("PAYMENT_CAPTURE"),
        )
    })?;
    let aws = Aws::from_environment()?;
    let capture: Capture = capture.parse().map_err(|why| format!("PAYMENT_CAPTURE {why}"))?;
    let table = aws.table()?;
    let (secret, guard) = tokio::try_join!(aws.secret(&secret), Guard::start(table.clone(), clock::now()))?;
    let stripe = Stripe::new(&secret, &url, &shop)?.with_capture(capture);
    let limits = guard.limits.clone();
    let app = App { table, guard, stripe };
    let requests = waybill_web::app(routes(app.clone()), Some(limits));
    let serve = service_fn(move |event: LambdaEvent<Value>| {
        let (app, requests) = (app.clone(), requests.clone());
        async move {
            if event.payload.get("Records").is_some() {
                let messages = SqsEvent::deserialize(event.payload)?;
                let act = async |message| work::act(&app.table, &app.stripe, message, clock::now()).await;
                return Ok(serde_json::to_value(batch::work_off(&act, messages).await)?);
            }
            waybill_web::answer(requests, event).await
        }
    });
    lambda_runtime::run_concurrent(serve).await
}
