//! Serves the queue of order updates.

use push::push;
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, batch, log, settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let aws = Aws::from_environment()?;
    let browsers = aws.browsers(&settings::read(|variables| variables.text("WEBSOCKET_ENDPOINT"))?);
    let table = aws.table()?;
    table.warm_up().await?;
    batch::run(|message| push(&browsers, &table, message)).await
}
