//! One of every mail, with made-up data: for who writes a translation, changes the look, or reviews either.

use serde::Deserialize;
use serde_json::{Value, json};
use waybill_domain::language::Language;
use waybill_domain::message::{AccountEvent, Message, StockMessage};

use crate::{ComposeError, Mail, Shop, compose, compose_letter, compose_stock};

const SAMPLES: &str = include_str!("../samples.json");

/// A mail that can be written, by the name that it has in the translations.
pub struct Sample {
    pub name: String,
    about: About,
}

enum About {
    Order(Box<Message>),
    Account { event: AccountEvent, is_taken: bool },
    Stock(StockMessage),
}

#[derive(Deserialize)]
struct File {
    order: Value,
    mails: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    /// In what it differs from the order of the file.
    #[serde(default)]
    order: serde_json::Map<String, Value>,
    #[serde(default)]
    is_taken: bool,
    event: Value,
}

/// All of them.
pub fn samples() -> Result<Vec<Sample>, serde_json::Error> {
    let file: File = serde_json::from_str(SAMPLES)?;
    let sample = |Entry { name, order, is_taken, event }| {
        let tag = event["type"].as_str().unwrap_or_default();
        let at = "2026-11-23T09:00:00Z";
        let about = if tag.starts_with("account.") {
            About::Account { event: serde_json::from_value(event)?, is_taken }
        } else if tag.starts_with("stock.") {
            let product = "prd_00000000000000000000000001";
            let message = json!({ "id": name, "at": at, "sku": "MUG-BLUE", "product_id": product, "event": event });
            About::Stock(serde_json::from_value(message)?)
        } else {
            let mut whole = file.order.clone();
            for (field, value) in order {
                whole[field] = value;
            }
            let message = json!({ "id": name, "at": at, "order": whole, "event": event });
            About::Order(serde_json::from_value(message)?)
        };
        Ok(Sample { name, about })
    };
    file.mails.into_iter().map(sample).collect()
}

impl Sample {
    /// The mail in a language, as far as there is one of it; staff are mailed in the shop's own.
    pub fn compose(&self, shop: &Shop, language: &Language) -> Result<Option<Mail>, ComposeError> {
        match &self.about {
            About::Order(message) => {
                let mut message = message.clone();
                message.order.language = Some(language.clone());
                compose(shop, &message)
            }
            About::Account { event, is_taken } => compose_letter(shop, Some(language), *event, *is_taken, "TOKEN"),
            About::Stock(message) => {
                let mut message = message.clone();
                let wanted = Some(language.clone());
                match &mut message.event {
                    waybill_domain::message::StockEvent::Returned { language, .. } => *language = wanted,
                    waybill_domain::message::StockEvent::Low { .. } | waybill_domain::message::StockEvent::Changed => {}
                }
                compose_stock(shop, &message)
            }
        }
    }
}
