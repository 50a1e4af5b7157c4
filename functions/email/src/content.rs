//! What a mail is made of, before it is text or HTML: both are written from the same blocks.

use askama::Template;

use crate::words::Unsaid;
use crate::{Mail, Shop, Words};

#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    #[error(transparent)]
    Template(#[from] askama::Error),
    #[error(transparent)]
    Unsaid(#[from] Unsaid),
}

pub(crate) struct Content {
    /// What the subject says behind the shop's name.
    pub subject: String,
    pub heading: String,
    pub blocks: Vec<Block>,
}

pub(crate) enum Block {
    Text(String),
    Fact { label: String, value: String },
    Goods { lines: Vec<Goods>, sums: Vec<Sum> },
    Address { label: String, lines: Vec<String> },
    Button { label: String, link: String },
    Small(String),
}

/// A line of an order.
pub(crate) struct Goods {
    pub title: String,
    pub sku: String,
    pub quantity: u32,
    /// The line in words, with title and SKU.
    pub units: String,
    pub unit_price: String,
    /// Price and total in words.
    pub each: String,
    pub total: String,
}

pub(crate) struct Sum {
    pub label: String,
    pub amount: String,
    pub weight: Weight,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    Part,
    Total,
    Note,
}

#[derive(Template)]
#[template(path = "page.txt")]
struct Text<'a> {
    shop: &'a Shop,
    content: &'a Content,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Html<'a> {
    shop: &'a Shop,
    content: &'a Content,
    subject: &'a str,
    language: &'a str,
    direction: &'a str,
}

impl Content {
    pub fn mail(&self, shop: &Shop, words: &Words) -> Result<Mail, ComposeError> {
        let subject =
            words.say("subject", &[("shop", shop.name.as_str().into()), ("subject", self.subject.as_str().into())])?;
        let subject = one_line(&subject);
        let direction = words.say("direction", &[])?;
        let text = Text { shop, content: self }.render()?;
        let language = words.language().as_str();
        let html = Html { shop, content: self, subject: &subject, language, direction: &direction }.render()?;
        Ok(Mail { subject, text, html })
    }
}

/// What may stand in a header: no control character, nor what else some software takes for the end of a line.
fn one_line(text: &str) -> String {
    let ends_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().map(|c| if ends_line(c) { ' ' } else { c }).collect()
}
