//! Serves requests about stock, the stock queue, and the one command that is neither.

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::Value;
use stock::audit::Command;
use stock::{App, routes, work};
use waybill_lambda::aws::Aws;
use waybill_lambda::{batch, clock, log};
use waybill_web::Guard;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let table = Aws::from_environment()?.table()?;
    let guard = Guard::start(table.clone(), clock::now()).await?;
    let limits = guard.limits.clone();
    let requests = waybill_web::app(routes(App { table: table.clone(), guard }), Some(limits));
    let serve = service_fn(move |event: LambdaEvent<Value>| {
        let (table, requests) = (table.clone(), requests.clone());
        async move {
            if let Some(command) = Command::read(&event.payload) {
                return command?.run(&table, clock::now()).await;
            }
            if event.payload.get("Records").is_some() {
                let messages = SqsEvent::deserialize(event.payload)?;
                let act = async |message| work::act(&table, message, clock::now()).await;
                return Ok(serde_json::to_value(batch::work_off(&act, messages).await)?);
            }
            waybill_web::answer(requests, event).await
        }
    });
    lambda_runtime::run_concurrent(serve).await
}
