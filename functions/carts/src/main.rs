//! Serves carts.

use std::time::Duration;

use carts::{App, Owners, routes};
use waybill_domain::money::Currency;
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, clock, log, settings};
use waybill_storage::pricing::Shelf;
use waybill_web::Guard;
use waybill_web::quote::Seal;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let aws = Aws::from_environment()?;
    let (key, currency, seconds) = settings::read(|variables| {
        (variables.text("QUOTE_KEY_SECRET"), variables.text("SHOP_CURRENCY"), variables.text("PRICING_SECONDS"))
    })?;
    let currency = currency.parse::<Currency>()?;
    if !currency.is_charged_as_counted() {
        return Err(format!("a shop cannot sell in {currency}: Stripe counts other minor units of it").into());
    }
    let table = aws.table()?;
    let (key, guard) = tokio::try_join!(aws.secret(&key), Guard::start(table.clone(), clock::now()))?;
    let (seal, owners) = (Seal::new(&key), Owners::default());
    let shelf = Shelf::new(table.clone(), Duration::from_secs(seconds.parse()?));
    let limits = Some(guard.limits.clone());
    waybill_web::run(routes(App { table, guard, seal, currency, owners, shelf }), limits).await
}
