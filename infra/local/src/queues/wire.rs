//! Messages, checksums and errors as SQS writes them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{MessageAttribute, QueueError, Received};
use crate::aws::{ACCOUNT, Refusal};

pub(super) fn message(received: &Received, wanted: &[String], wanted_attributes: &[String]) -> Value {
    let message = &received.message;
    let mut answer = json!({
        "MessageId": message.id,
        "ReceiptHandle": received.receipt,
        "MD5OfBody": md5_hex(message.body.as_bytes()),
        "Body": message.body,
    });
    let mut system = system_attributes(received);
    system.retain(|name, _| wanted.iter().any(|wanted| wanted == name || wanted == "All"));
    if !system.is_empty() {
        answer["Attributes"] = json!(system);
    }
    let mut attributes = message.attributes.clone();
    attributes.retain(|name, _| {
        wanted_attributes.iter().any(|wanted| match wanted.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => wanted == name || wanted == "All",
        })
    });
    if !attributes.is_empty() {
        answer["MD5OfMessageAttributes"] = json!(md5_of_attributes(&attributes));
        answer["MessageAttributes"] = json!(attributes);
    }
    answer
}

/// What SQS itself says of a message, as receivers and Lambda see it.
pub(crate) fn system_attributes(received: &Received) -> BTreeMap<&'static str, String> {
    let message = &received.message;
    let first = message.first_received.unwrap_or(message.sent);
    let mut attributes = BTreeMap::from([
        ("ApproximateReceiveCount", message.receives.to_string()),
        ("SentTimestamp", message.sent.as_millisecond().to_string()),
        ("SenderId", ACCOUNT.to_owned()),
        ("ApproximateFirstReceiveTimestamp", first.as_millisecond().to_string()),
    ]);
    let optional = [
        ("AWSTraceHeader", &message.trace),
        ("DeadLetterQueueSourceArn", &message.dead_letter_of),
        ("MessageGroupId", &message.group),
    ];
    attributes.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    attributes
}

pub(crate) fn md5_hex(bytes: &[u8]) -> String {
    format!("{:x}", md5::compute(bytes))
}

/// Over names, types and values in the order of the names, each with its length in front, as the SDKs check it.
pub(crate) fn md5_of_attributes(attributes: &BTreeMap<String, MessageAttribute>) -> String {
    let mut bytes = Vec::new();
    let with_length = |part: &[u8], bytes: &mut Vec<u8>| {
        bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(part);
    };
    for (name, attribute) in attributes {
        with_length(name.as_bytes(), &mut bytes);
        with_length(attribute.data_type.as_bytes(), &mut bytes);
        bytes.push(if attribute.binary_value.is_some() { 2 } else { 1 });
        with_length(&bytes_of(attribute), &mut bytes);
    }
    md5_hex(&bytes)
}

pub(super) fn bytes_of(attribute: &MessageAttribute) -> Vec<u8> {
    match (&attribute.string_value, &attribute.binary_value) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(binary)) => STANDARD.decode(binary).unwrap_or_default(),
        (None, None) => Vec::new(),
    }
}

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    refused("InvalidParameterValue", message)
}

/// With the code of the query protocol, which the SDKs still tell SQS's errors apart by.
pub(super) fn refused(code: &'static str, message: impl Into<String>) -> Refusal {
    let query_code = match code {
        "EmptyBatchRequest" => "AWS.SimpleQueueService.EmptyBatchRequest",
        "TooManyEntriesInBatchRequest" => "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "BatchRequestTooLong" => "AWS.SimpleQueueService.BatchRequestTooLong",
        "BatchEntryIdsNotDistinct" => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "InvalidBatchEntryId" => "AWS.SimpleQueueService.InvalidBatchEntryId",
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "MessageNotInflight" => "AWS.SimpleQueueService.MessageNotInflight",
        other => other,
    };
    Refusal { query_code: Some(query_code), ..Refusal::new(code, message) }
}

impl From<QueueError> for Refusal {
    fn from(error: QueueError) -> Refusal {
        let code = match error {
            QueueError::NoSuchQueue => "QueueDoesNotExist",
            QueueError::NotAReceipt => "ReceiptHandleIsInvalid",
            QueueError::NotInFlight => "MessageNotInflight",
        };
        refused(code, error.to_string())
    }
}
