//! Mails: one for each event that somebody should hear of, whatever the queue delivers twice; and notes of those that did
//! not arrive.

#![recursion_limit = "256"] // The SDK nests its futures deeper than the compiler looks by default.

use email::{Languages, Sender, Shop, work_off};
use waybill_domain::document::Seller;
use waybill_domain::language::Language;
use waybill_domain::text::{Email, Invalid, Line};
use waybill_lambda::aws::Aws;
use waybill_lambda::links::Links;
use waybill_lambda::{Error, batch, log, settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let (from, configuration_set, link_key, shop) = settings::read(|variables| {
        let shop = (variables.text("SHOP_NAME"), variables.text("SHOP_URL"), variables.text("SHOP_COLOUR"));
        let shop = (shop, variables.text("SHOP_LANGUAGE"), variables.text("RETURN_ADDRESS"));
        let set = variables.text("MAIL_CONFIGURATION_SET");
        (variables.text("MAIL_FROM"), set, variables.text("LINK_KEY_SECRET"), shop)
    })?;
    let ((name, url, colour), language, return_address) = shop;
    let name: Line<1, 80> = name.parse().map_err(setting("SHOP_NAME"))?;
    let language: Language = language.parse().map_err(setting("SHOP_LANGUAGE"))?;
    let shop = Shop {
        name: name.to_string(),
        url,
        colour: colour.parse().map_err(setting("SHOP_COLOUR"))?,
        logo: settings::optional("SHOP_LOGO").map(|logo| logo.parse()).transpose().map_err(setting("SHOP_LOGO"))?,
        return_address: Seller::address_lines(&return_address).map_err(setting("RETURN_ADDRESS"))?,
        languages: Languages::read(&language)?,
    };
    let aws = Aws::from_environment()?;
    let links = Links::new(&aws.secret(&link_key).await?);
    let sender = Sender { client: aws.mail(), table: aws.table()?, from, configuration_set };
    // Nobody, unless it is set.
    let staff = settings::optional("STOCK_MAIL").map(|address| address.parse::<Email>()).transpose()?;
    batch::run(|job| work_off(&sender, &shop, &links, staff.as_ref(), job)).await
}

fn setting(name: &'static str) -> impl Fn(Invalid) -> String {
    move |error| format!("the environment variable {name} {error}")
}
