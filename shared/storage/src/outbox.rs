//! The outbox: items that announce themselves. What a change is to tell others is written in the very write that makes
//! it, and the table's stream carries it on.

use waybill_domain::export::Export;
use waybill_domain::import::Import;
use waybill_domain::message::{
    AccountMessage, CustomerMessage, DocumentMessage, ExportMessage, ImportMessage, Message, RefundMessage,
    StockMessage, WebhookMessage,
};
use waybill_domain::order::Order;

use crate::keys;
use crate::letters::Letter;
use crate::table::StorageError;
use crate::{payers, stock, waiting, webhooks};

/// What an item in the stream calls for.
#[derive(Clone, Debug)]
pub enum Announcement {
    /// An order's latest change, while there is somebody to be told; and what is to be done about its money and its documents.
    Order { message: Option<Box<Message>>, refund: Option<RefundMessage>, document: Option<DocumentMessage> },
    /// A mail about an account.
    Letter(AccountMessage),
    /// Who is to be forgotten at the payment provider.
    Customer(CustomerMessage),
    /// Something about the stock of a SKU.
    Stock(StockMessage),
    /// Every part of an import that was started.
    Import(Vec<ImportMessage>),
    /// The next step of an export.
    Export(ExportMessage),
    /// What staff asked to be sent to an endpoint.
    Webhook(WebhookMessage),
}

/// Reads an item of the table's stream. None for one that tells nobody anything.
pub fn announcement(image: serde_dynamo::Item) -> Result<Option<Announcement>, StorageError> {
    let unreadable = |error| StorageError::Broken(format!("an item in the stream cannot be read: {error}"));
    match image.get("sk") {
        Some(serde_dynamo::AttributeValue::S(sk)) if sk == keys::ORDER => {
            let order: Order = serde_dynamo::from_item(image).map_err(unreadable)?;
            let (message, refund) = (Message::latest(&order).map(Box::new), RefundMessage::latest(&order));
            let document = DocumentMessage::latest(&order);
            let is_told = message.is_some() || refund.is_some() || document.is_some();
            Ok(is_told.then_some(Announcement::Order { message, refund, document }))
        }
        Some(serde_dynamo::AttributeValue::S(sk)) if sk.starts_with(keys::LETTER) => {
            let letter: Letter = serde_dynamo::from_item(image).map_err(unreadable)?;
            Ok(Some(Announcement::Letter(letter.message())))
        }
        Some(serde_dynamo::AttributeValue::S(sk)) if sk == keys::LEFT => {
            Ok(Some(Announcement::Customer(payers::left(image).map_err(unreadable)?)))
        }
        Some(serde_dynamo::AttributeValue::S(sk)) if sk == keys::IMPORT => {
            let import: Import = serde_dynamo::from_item(image).map_err(unreadable)?;
            Ok(Some(Announcement::Import(ImportMessage::all(&import))))
        }
        Some(serde_dynamo::AttributeValue::S(sk)) if sk == keys::EXPORT => {
            let export: Export = serde_dynamo::from_item(image).map_err(unreadable)?;
            Ok(ExportMessage::latest(&export).map(Announcement::Export))
        }
        Some(serde_dynamo::AttributeValue::S(sk)) if sk == keys::SKU => {
            Ok(stock::changed(image).map_err(unreadable)?.map(Announcement::Stock))
        }
        Some(serde_dynamo::AttributeValue::S(sk)) if sk == keys::LOW => {
            Ok(Some(Announcement::Stock(waiting::low(image).map_err(unreadable)?)))
        }
        Some(serde_dynamo::AttributeValue::S(sk)) if sk.starts_with(keys::WAITING) => {
            Ok(waiting::returned(image).map_err(unreadable)?.map(Announcement::Stock))
        }
        Some(serde_dynamo::AttributeValue::S(sk)) if sk.starts_with(keys::DELIVERY) => {
            Ok(webhooks::asked(image).map_err(unreadable)?.map(Announcement::Webhook))
        }
        _ => Ok(None),
    }
}
