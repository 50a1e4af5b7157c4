//! Mails about stock: to staff when little is left, to customers when what they waited for is back.

use askama::Template;
use waybill_domain::message::{StockEvent, StockMessage};

use crate::{ComposeError, Mail, Shop};

struct Words {
    subject: String,
    heading: &'static str,
    lead: String,
    /// What the button says, for those who are to follow it.
    button: Option<&'static str>,
    closing: &'static str,
}

#[derive(Template)]
#[template(path = "stock.txt")]
struct Text<'a> {
    shop: &'a Shop,
    words: &'a Words,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "stock.html")]
struct Html<'a> {
    shop: &'a Shop,
    words: &'a Words,
    link: &'a str,
}

/// The mail that an event of stock calls for; None for an event that nobody is mailed about.
pub fn compose_stock(shop: &Shop, message: &StockMessage) -> Result<Option<Mail>, ComposeError> {
    let Some(words) = words(shop, message) else { return Ok(None) };
    let link = format!("{}/products/{}", shop.url, message.product_id);
    let text = Text { shop, words: &words, link: &link }.render()?;
    let html = Html { shop, words: &words, link: &link }.render()?;
    Ok(Some(Mail { subject: words.subject, text, html }))
}

fn words(shop: &Shop, message: &StockMessage) -> Option<Words> {
    match &message.event {
        StockEvent::Changed => None,
        StockEvent::Low { title, left, low_stock_at } => Some(Words {
            subject: format!("{}: little is left of {}", shop.name, message.sku),
            heading: "Little is left",
            lead: format!(
                "{left} left of {title} (SKU {sku}). You wanted to hear of it at {low_stock_at}.",
                sku = message.sku
            ),
            button: None,
            closing: "You hear of it again when it was restocked and little is left once more.",
        }),
        StockEvent::Returned { title, .. } => Some(Words {
            subject: format!("{}: {title} is back", shop.name),
            heading: "It is back",
            lead: format!("{title} can be ordered again."),
            button: Some("Look at it"),
            closing: "You asked us to tell you once, and this was it. It is not reserved for you.",
        }),
    }
}
