//! Serves documents, and the queue of those that are due.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use documents::{App, letterhead, routes, work};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::Value;
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, batch, clock, log};
use waybill_web::Guard;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let letterhead = Arc::new(letterhead::read()?);
    let table = Aws::from_environment()?.table()?;
    let guard = Guard::start(table.clone(), clock::now()).await?;
    let limits = guard.limits.clone();
    let requests = waybill_web::app(routes(App { table: table.clone(), guard }), Some(limits));
    let serve = service_fn(move |event: LambdaEvent<Value>| {
        let (table, letterhead, requests) = (table.clone(), letterhead.clone(), requests.clone());
        async move {
            if event.payload.get("Records").is_some() {
                let messages = SqsEvent::deserialize(event.payload)?;
                let act = async |message| work::issue(&table, &letterhead, message, clock::now()).await;
                return Ok(serde_json::to_value(batch::work_off(&act, messages).await)?);
            }
            waybill_web::answer(requests, event).await
        }
    });
    lambda_runtime::run_concurrent(serve).await
}
