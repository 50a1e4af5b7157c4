//! Serves the table's stream.

use announce::{Endpoints, Queues, relay};
use waybill_domain::SignedDuration;
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, clock, log, settings, stream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let aws = Aws::from_environment()?;
    let (client, table) = (aws.queues(), aws.table()?);
    table.warm_up().await?;
    let (queues, seconds) = settings::read(|variables| {
        let queues = Queues {
            mail: variables.text("MAIL_QUEUE_URL"),
            push: variables.text("PUSH_QUEUE_URL"),
            import: variables.text("IMPORT_QUEUE_URL"),
            stock: variables.text("STOCK_QUEUE_URL"),
            refund: variables.text("REFUND_QUEUE_URL"),
            document: variables.text("DOCUMENT_QUEUE_URL"),
            export: variables.text("EXPORT_QUEUE_URL"),
            webhook: variables.text("WEBHOOK_QUEUE_URL"),
            dead_letters: variables.text("DEAD_LETTERS_URL"),
        };
        (queues, variables.text("WEBHOOK_SECONDS"))
    })?;
    let endpoints = &Endpoints::new(SignedDuration::from_secs(seconds.parse::<u32>()?.into()));
    stream::run(|records| relay(&client, &table, &queues, endpoints, records, clock::now())).await
}
