//! Mails: one for each event that somebody should hear of, whatever the queue delivers twice.

#![recursion_limit = "256"] // The SDK nests its futures deeper than the compiler looks by default.

use email::{Sender, Shop, mail};
use waybill_domain::text::Email;
use waybill_lambda::aws::Aws;
use waybill_lambda::links::Links;
use waybill_lambda::{Error, batch, log, settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let (from, configuration_set, link_key, shop) = settings::read(|variables| {
        let shop = Shop { name: variables.text("SHOP_NAME"), url: variables.text("SHOP_URL") };
        let set = variables.text("MAIL_CONFIGURATION_SET");
        (variables.text("MAIL_FROM"), set, variables.text("LINK_KEY_SECRET"), shop)
    })?;
    let aws = Aws::from_environment()?;
    let links = Links::new(&aws.secret(&link_key).await?);
    let sender = Sender { client: aws.mail(), table: aws.table()?, from, configuration_set };
    // Nobody, unless it is set.
    let staff = settings::optional("STOCK_MAIL").map(|address| address.parse::<Email>()).transpose()?;
    batch::run(|message| mail(&sender, &shop, &links, staff.as_ref(), message)).await
}
