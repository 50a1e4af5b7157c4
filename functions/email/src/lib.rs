//! What the mails say: text and HTML of one event.

mod letters;
mod stock;

use askama::Template;
use waybill_domain::message::{Event, Message, Snapshot};

pub use askama::Error as ComposeError;
pub use letters::compose_letter;
pub use stock::compose_stock;

/// The shop as its mails show it.
pub struct Shop {
    pub name: String,
    /// Where its front lives.
    pub url: String,
}

#[derive(Debug)]
pub struct Mail {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// What stands above the order in a mail.
struct Words {
    subject: String,
    heading: &'static str,
    lead: String,
    /// Where the parcel can be followed.
    tracking: Option<String>,
}

#[derive(Template)]
#[template(path = "order.txt")]
struct Text<'a> {
    shop: &'a Shop,
    words: &'a Words,
    order: &'a Snapshot,
}

#[derive(Template)]
#[template(path = "order.html")]
struct Html<'a> {
    shop: &'a Shop,
    words: &'a Words,
    order: &'a Snapshot,
}

/// The mail that an event calls for; None for an event that nobody is mailed about.
pub fn compose(shop: &Shop, message: &Message) -> Result<Option<Mail>, ComposeError> {
    let Some(words) = words(shop, &message.event) else { return Ok(None) };
    let order = &message.order;
    let text = Text { shop, words: &words, order }.render()?;
    let html = Html { shop, words: &words, order }.render()?;
    Ok(Some(Mail { subject: words.subject, text, html }))
}

fn words(shop: &Shop, event: &Event) -> Option<Words> {
    let plain = |subject: &str, heading, lead: &str| Words {
        subject: format!("{}: {subject}", shop.name),
        heading,
        lead: lead.to_owned(),
        tracking: None,
    };
    match event {
        Event::Paid => Some(plain(
            "your order is confirmed",
            "Thank you for your order",
            "We have received your payment. We will write again when your order is on its way.",
        )),
        Event::Processing => Some(plain(
            "your order is being prepared",
            "We are preparing your order",
            "Your order is being picked and packed.",
        )),
        Event::Shipped { carrier, tracking_number } => Some(Words {
            tracking: Some(format!("{carrier} {tracking_number}")),
            ..plain("your order has shipped", "Your order is on its way", "We have handed your parcel to the carrier.")
        }),
        Event::Delivered => Some(plain(
            "your order was delivered",
            "Your order has arrived",
            "The carrier tells us that your parcel was delivered. We hope you enjoy it.",
        )),
        Event::Cancelled => Some(plain(
            "your order was cancelled",
            "Your order was cancelled",
            "It was not paid, and you owe us nothing.",
        )),
        Event::Placed | Event::PaymentStarted | Event::PaymentDeclined | Event::PaymentExpired => None,
    }
}
