//! SendMessage: what SQS checks before it takes a message.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{bytes_of, invalid, md5_hex, md5_of_attributes, refused};
use super::{Letter, MessageAttribute, Queues, queue_name};
use crate::aws::Refusal;

pub(super) const LARGEST_MESSAGE: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Draft {
    message_body: String,
    #[serde(default)]
    delay_seconds: u64,
    #[serde(default)]
    message_attributes: BTreeMap<String, MessageAttribute>,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, MessageAttribute>,
    message_group_id: Option<String>,
}

/// Sends what stands in a call, or in an entry of a batch, and answers what SQS answers to it.
pub(super) fn send(queues: &Queues, url: &str, asked: BTreeMap<String, Value>) -> Result<Value, Refusal> {
    let draft: Draft = serde_json::from_value(json!(asked))
        .map_err(|error| Refusal::new("SerializationException", error.to_string()))?;
    let body = draft.message_body;
    if body.is_empty() {
        return Err(refused("MissingParameter", "The request must contain the parameter MessageBody."));
    }
    if !body.chars().all(is_allowed) {
        return Err(refused(
            "InvalidMessageContents",
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        ));
    }
    let attribute_bytes: usize = draft
        .message_attributes
        .iter()
        .map(|(name, value)| name.len() + value.data_type.len() + bytes_of(value).len())
        .sum();
    if body.len() + attribute_bytes > LARGEST_MESSAGE {
        return Err(invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {LARGEST_MESSAGE} bytes."
        )));
    }
    if draft.delay_seconds > 900 {
        return Err(invalid(format!(
            "Value {} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
            draft.delay_seconds
        )));
    }
    if draft.message_attributes.len() > 10 {
        return Err(invalid("Number of message attributes [11 or more] exceeds the allowed maximum [10]."));
    }
    for (name, attribute) in &draft.message_attributes {
        let known = ["String", "Number", "Binary"].contains(&attribute.data_type.split('.').next().unwrap_or_default());
        let is_binary = attribute.data_type.starts_with("Binary");
        if !known || attribute.binary_value.is_some() != is_binary || attribute.string_value.is_none() != is_binary {
            return Err(invalid(format!(
                "The message attribute '{name}' must contain a value that fits its type ('{}').",
                attribute.data_type
            )));
        }
    }
    if let Some(name) = draft.message_system_attributes.keys().find(|name| *name != "AWSTraceHeader") {
        return Err(invalid(format!("Message system attribute name '{name}' is invalid.")));
    }
    let trace = draft.message_system_attributes.get("AWSTraceHeader").and_then(|trace| trace.string_value.clone());
    let mut sent = json!({ "MD5OfMessageBody": md5_hex(body.as_bytes()) });
    if !draft.message_attributes.is_empty() {
        sent["MD5OfMessageAttributes"] = json!(md5_of_attributes(&draft.message_attributes));
    }
    if !draft.message_system_attributes.is_empty() {
        sent["MD5OfMessageSystemAttributes"] = json!(md5_of_attributes(&draft.message_system_attributes));
    }
    let letter = Letter {
        body,
        attributes: draft.message_attributes,
        trace,
        group: draft.message_group_id,
        delay: Duration::from_secs(draft.delay_seconds),
    };
    sent["MessageId"] = json!(queues.send(queue_name(url), letter)?);
    Ok(sent)
}

fn is_allowed(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
