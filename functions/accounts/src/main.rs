//! Serves accounts' requests, and the one command that is not a request.

use accounts::administrator::Command;
use accounts::{App, Signer, routes};
use lambda_http::request::LambdaRequest;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::Value;
use tower::Service;
use waybill_lambda::aws::Aws;
use waybill_lambda::{clock, log, settings};
use waybill_web::tokens::Verifier;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let aws = Aws::from_environment()?;
    let secret = settings::read(|variables| variables.text("TOKEN_KEY_SECRET"))?;
    let table = aws.table()?;
    let signer = Signer::from_secret(&aws.secret(&secret).await?)?;
    signer.publish(&table).await?;
    let verifier = Verifier::start(table.clone(), clock::now()).await?;
    let requests = waybill_web::app(routes(App { table: table.clone(), signer, verifier }));
    let serve = service_fn(|event: LambdaEvent<Value>| {
        let (table, requests) = (table.clone(), requests.clone());
        async move {
            if let Some(command) = Command::read(&event.payload) {
                return command?.run(&table, clock::now()).await;
            }
            let request = LambdaRequest::deserialize(event.payload)?;
            let mut requests = lambda_http::Adapter::from(requests);
            let answer = requests.call(LambdaEvent::new(request, event.context)).await?;
            Ok::<_, Error>(serde_json::to_value(answer)?)
        }
    });
    lambda_runtime::run(serve).await
}
