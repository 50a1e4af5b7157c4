//! Serves the queue of what is to be sent to endpoints.

use aws_lambda_events::sqs::SqsEvent;
use deliver::{Courier, work_off};
use lambda_runtime::{LambdaEvent, service_fn};
use waybill_domain::webhook::TestHosts;
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, log, settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let tests = TestHosts::new(&settings::optional("WEBHOOK_TEST_HOSTS").unwrap_or_default());
    let queue = settings::read(|variables| variables.text("WEBHOOK_QUEUE_URL"))?;
    let aws = Aws::from_environment()?;
    let table = aws.table()?;
    table.warm_up().await?;
    let courier = &Courier::new(table, aws.queues(), queue, tests);
    let serve =
        service_fn(
            |event: LambdaEvent<SqsEvent>| async move { Ok::<_, Error>(work_off(courier, event.payload).await) },
        );
    lambda_runtime::run(serve).await
}
