//! Serves accounts' requests, and the one command that is not a request.

use std::sync::Arc;

use accounts::administrator::Command;
use accounts::{App, Signer, Vault, routes};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use waybill_lambda::aws::Aws;
use waybill_lambda::links::Links;
use waybill_lambda::{clock, log, settings};
use waybill_web::Guard;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let aws = Aws::from_environment()?;
    let (names, shop) = settings::read(|variables| {
        let names = ["TOKEN_KEY_SECRET", "LINK_KEY_SECRET", "VAULT_KEY_SECRET"].map(|name| variables.text(name));
        (names, variables.text("SHOP_NAME"))
    })?;
    let table = aws.table()?;
    let [token, link, vault] = &names;
    let (token, link, vault) = tokio::try_join!(aws.secret(token), aws.secret(link), aws.secret(vault))?;
    let signer = Signer::from_secret(&token)?;
    signer.publish(&table).await?;
    let guard = Guard::start(table.clone(), clock::now()).await?;
    let limits = guard.limits.clone();
    let shop: Arc<str> = shop.into();
    let (links, vault) = (Links::new(&link), Vault::new(&vault));
    let app = App { table: table.clone(), guard, signer, links, vault, shop: shop.clone() };
    let requests = waybill_web::app(routes(app), Some(limits));
    let serve = service_fn(move |event: LambdaEvent<Value>| {
        let (table, requests, shop) = (table.clone(), requests.clone(), shop.clone());
        async move {
            if let Some(command) = Command::read(&event.payload) {
                return command?.run(&table, &shop, clock::now()).await;
            }
            waybill_web::answer(requests, event).await
        }
    });
    lambda_runtime::run_concurrent(serve).await
}
