//! Serves the table's stream, and who has orders, or everything, counted again.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use tally::{count, follow, recount};
use waybill_domain::report::zone;
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, clock, log, settings, stream};
use waybill_storage::tallies::Counting;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let (currency, zone_name) =
        settings::read(|variables| (variables.text("SHOP_CURRENCY"), variables.text("SHOP_TIME_ZONE")))?;
    zone(&zone_name).map_err(|invalid| format!("SHOP_TIME_ZONE {invalid}"))?;
    let shop = &Counting { currency: currency.parse()?, zone: zone_name };
    let table = &Aws::from_environment()?.table()?;
    let serve = service_fn(|event: LambdaEvent<Value>| async move {
        if let Some(command) = count::Command::read(&event.payload) {
            return command?.run(table, shop).await;
        }
        if let Some(command) = recount::Command::read(&event.payload) {
            return command?.run(table, shop).await;
        }
        let follow = |records| follow(table, shop, records, clock::now());
        Ok(serde_json::to_value(stream::work_off(follow, event.payload).await?)?)
    });
    lambda_runtime::run(serve).await
}
