//! A message, on its way in and on its way out.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    pub id: String,
    pub body: String,
    pub attributes: BTreeMap<String, MessageAttribute>,
    pub trace: Option<String>,
    pub group: Option<String>,
    pub sent: Timestamp,
    pub first_received: Option<Timestamp>,
    /// How often it was received, in every queue that it has been in.
    pub receives: u32,
    /// The queue that gave it up.
    pub dead_letter_of: Option<String>,
    pub(super) receives_here: u32,
    pub(super) visible_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct MessageAttribute {
    pub data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

/// A message as its sender gives it.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    pub body: String,
    pub attributes: BTreeMap<String, MessageAttribute>,
    pub trace: Option<String>,
    pub group: Option<String>,
    pub delay: Duration,
}

/// A message that one receiver holds, under its receipt.
#[derive(Clone, Debug)]
pub struct Received {
    pub receipt: String,
    pub message: Message,
}

/// Names the message and which receive of it this is.
pub(super) fn receipt(message: &Message) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}#{}", message.id, message.receives))
}

pub(super) fn open_receipt(receipt: &str) -> Option<(String, u32)> {
    let opened = String::from_utf8(URL_SAFE_NO_PAD.decode(receipt).ok()?).ok()?;
    let (id, receive) = opened.split_once('#')?;
    Some((id.to_owned(), receive.parse().ok()?))
}
