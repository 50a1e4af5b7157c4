//! Serves the table's stream, and who has the orders counted.

use index::count::Command;
use index::follow;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, log, stream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let table = &Aws::from_environment()?.table()?;
    let serve = service_fn(|event: LambdaEvent<Value>| async move {
        match Command::read(&event.payload) {
            Some(command) => command?.run(table).await,
            None => Ok(serde_json::to_value(stream::work_off(|records| follow(table, records), event.payload).await?)?),
        }
    });
    lambda_runtime::run(serve).await
}
