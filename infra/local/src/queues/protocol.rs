//! SQS's calls, in the JSON protocol that the SDKs speak.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Letter, MessageAttribute, QueueError, Queues, Received, queue_arn, queue_name};
use crate::aws::{ACCOUNT, Refusal, input, output};

const LARGEST_MESSAGE: usize = 1 << 20;
const LONGEST_INVISIBILITY: u64 = 43_200;
const MOST_ENTRIES: usize = 10;

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

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Receive {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u64>,
    #[serde(default)]
    wait_time_seconds: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Delete {
    queue_url: String,
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ChangeVisibility {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Batch {
    queue_url: String,
    entries: Vec<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct OfQueue {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetAttributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetUrl {
    queue_name: String,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct List {
    #[serde(default)]
    queue_name_prefix: String,
}

pub(crate) async fn call(queues: &Queues, action: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    match action {
        "SendMessage" => {
            let mut asked: BTreeMap<String, Value> = input(body)?;
            let url = asked.remove("QueueUrl").unwrap_or_default();
            output(&send(queues, url.as_str().unwrap_or_default(), parsed(asked)?)?)
        }
        "SendMessageBatch" => batch(queues, body, |queues, url, entry| send(queues, url, parsed(entry)?)),
        "ReceiveMessage" => receive(queues, input(body)?).await,
        "DeleteMessage" => {
            let asked: Delete = input(body)?;
            queues.delete(queue_name(&asked.queue_url), &asked.receipt_handle)?;
            Ok(b"{}".to_vec())
        }
        "DeleteMessageBatch" => batch(queues, body, |queues, url, entry| {
            let receipt = entry.get("ReceiptHandle").and_then(Value::as_str).unwrap_or_default();
            queues.delete(queue_name(url), receipt)?;
            Ok(json!({}))
        }),
        "ChangeMessageVisibility" => {
            let asked: ChangeVisibility = input(body)?;
            queues.change_visibility(queue_name(&asked.queue_url), &asked.receipt_handle, invisibility(asked.visibility_timeout)?)?;
            Ok(b"{}".to_vec())
        }
        "ChangeMessageVisibilityBatch" => batch(queues, body, |queues, url, entry| {
            let receipt = entry.get("ReceiptHandle").and_then(Value::as_str).unwrap_or_default();
            let seconds = entry.get("VisibilityTimeout").and_then(Value::as_u64).unwrap_or(u64::MAX);
            queues.change_visibility(queue_name(url), receipt, invisibility(seconds)?)?;
            Ok(json!({}))
        }),
        "GetQueueUrl" => {
            let asked: GetUrl = input(body)?;
            queues.settings(&asked.queue_name)?;
            if asked.owner.is_some_and(|owner| owner != ACCOUNT) {
                return Err(QueueError::NoSuchQueue.into());
            }
            output(&json!({ "QueueUrl": queues.url(&asked.queue_name) }))
        }
        "ListQueues" => {
            let asked: List = input(body)?;
            let urls = queues.names().filter(|name| name.starts_with(&asked.queue_name_prefix)).map(|name| queues.url(name));
            output(&json!({ "QueueUrls": urls.collect::<Vec<_>>() }))
        }
        "GetQueueAttributes" => attributes(queues, &input(body)?),
        "PurgeQueue" => {
            let asked: OfQueue = input(body)?;
            queues.purge(queue_name(&asked.queue_url))?;
            Ok(b"{}".to_vec())
        }
        _ => Err(Refusal::unknown_action(&format!("AmazonSQS.{action}"))),
    }
}

fn send(queues: &Queues, url: &str, draft: Draft) -> Result<Value, Refusal> {
    let body = draft.message_body;
    if body.is_empty() {
        return Err(refused("MissingParameter", "The request must contain the parameter MessageBody."));
    }
    if !body.chars().all(is_allowed) {
        return Err(refused("InvalidMessageContents", "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"));
    }
    let attribute_bytes: usize = draft.message_attributes.iter().map(|(name, value)| name.len() + value.data_type.len() + bytes_of(value).len()).sum();
    if body.len() + attribute_bytes > LARGEST_MESSAGE {
        return Err(invalid(format!("One or more parameters are invalid. Reason: Message must be shorter than {LARGEST_MESSAGE} bytes.")));
    }
    if draft.delay_seconds > 900 {
        return Err(invalid(format!("Value {} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", draft.delay_seconds)));
    }
    if draft.message_attributes.len() > 10 {
        return Err(invalid("Number of message attributes [11 or more] exceeds the allowed maximum [10]."));
    }
    for (name, attribute) in &draft.message_attributes {
        let known = ["String", "Number", "Binary"].contains(&attribute.data_type.split('.').next().unwrap_or_default());
        let is_binary = attribute.data_type.starts_with("Binary");
        if !known || attribute.binary_value.is_some() != is_binary || attribute.string_value.is_none() != is_binary {
            return Err(invalid(format!("The message attribute '{name}' must contain a value that fits its type ('{}').", attribute.data_type)));
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

async fn receive(queues: &Queues, asked: Receive) -> Result<Vec<u8>, Refusal> {
    let most = asked.max_number_of_messages.unwrap_or(1);
    if !(1..=MOST_ENTRIES).contains(&most) {
        return Err(invalid(format!("Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.")));
    }
    if asked.wait_time_seconds > 20 {
        return Err(invalid(format!("Value {} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", asked.wait_time_seconds)));
    }
    let visibility = asked.visibility_timeout.map(invisibility).transpose()?;
    let wait = Duration::from_secs(asked.wait_time_seconds);
    let received = queues.receive(queue_name(&asked.queue_url), most, visibility, wait).await?;
    let wanted: Vec<_> = asked.attribute_names.into_iter().chain(asked.message_system_attribute_names).collect();
    let messages = received.iter().map(|received| message(received, &wanted, &asked.message_attribute_names));
    let messages: Vec<_> = messages.collect();
    output(&if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) })
}

fn message(received: &Received, wanted: &[String], wanted_attributes: &[String]) -> Value {
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

fn attributes(queues: &Queues, asked: &GetAttributes) -> Result<Vec<u8>, Refusal> {
    let name = queue_name(&asked.queue_url);
    let settings = queues.settings(name)?;
    let counts = queues.counts(name)?;
    let mut attributes = BTreeMap::from([
        ("QueueArn", queue_arn(name)),
        ("ApproximateNumberOfMessages", counts.visible.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
        ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
        ("VisibilityTimeout", settings.visibility_timeout.as_secs().to_string()),
        ("MessageRetentionPeriod", settings.retention.as_secs().to_string()),
        ("MaximumMessageSize", LARGEST_MESSAGE.to_string()),
        ("DelaySeconds", "0".to_owned()),
        ("ReceiveMessageWaitTimeSeconds", "0".to_owned()),
    ]);
    if let Some(dead_letters) = &settings.dead_letters {
        let policy = json!({ "deadLetterTargetArn": queue_arn(&dead_letters.queue), "maxReceiveCount": dead_letters.max_receive_count });
        attributes.insert("RedrivePolicy", policy.to_string());
    }
    let all = asked.attribute_names.iter().any(|name| name == "All");
    if let Some(unknown) = asked.attribute_names.iter().find(|name| *name != "All" && *name != "RedrivePolicy" && !attributes.contains_key(name.as_str())) {
        return Err(refused("InvalidAttributeName", format!("Unknown Attribute {unknown}.")));
    }
    attributes.retain(|name, _| all || asked.attribute_names.iter().any(|asked| asked == name));
    output(&json!({ "Attributes": attributes }))
}

/// Does each entry on its own: one that is refused does not hold up the others.
fn batch(
    queues: &Queues,
    body: &[u8],
    each: impl Fn(&Queues, &str, BTreeMap<String, Value>) -> Result<Value, Refusal>,
) -> Result<Vec<u8>, Refusal> {
    let asked: Batch = input(body)?;
    queues.settings(queue_name(&asked.queue_url))?;
    if asked.entries.is_empty() {
        return Err(refused("EmptyBatchRequest", "There should be at least one entry in the request."));
    }
    if asked.entries.len() > MOST_ENTRIES {
        return Err(refused("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10."));
    }
    if body.len() > LARGEST_MESSAGE * 2 {
        return Err(refused("BatchRequestTooLong", format!("Batch requests cannot be longer than {LARGEST_MESSAGE} bytes.")));
    }
    let (mut successful, mut failed, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    let mut entries = Vec::new();
    for mut entry in asked.entries {
        let id = entry.remove("Id").and_then(|id| Some(id.as_str()?.to_owned())).unwrap_or_default();
        if id.is_empty() || id.len() > 80 || !id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_') {
            return Err(refused("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."));
        }
        if !seen.insert(id.clone()) {
            return Err(refused("BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
        }
        entries.push((id, entry));
    }
    for (id, entry) in entries {
        match each(queues, &asked.queue_url, entry) {
            Ok(mut done) => {
                done["Id"] = json!(id);
                successful.push(done);
            }
            Err(refusal) => failed.push(json!({
                "Id": id,
                "SenderFault": true,
                "Code": refusal.query_code.unwrap_or(refusal.code),
                "Message": refusal.message,
            })),
        }
    }
    output(&json!({ "Successful": successful, "Failed": failed }))
}

fn parsed(entry: BTreeMap<String, Value>) -> Result<Draft, Refusal> {
    serde_json::from_value(json!(entry)).map_err(|error| Refusal::new("SerializationException", error.to_string()))
}

fn invisibility(seconds: u64) -> Result<Duration, Refusal> {
    if seconds > LONGEST_INVISIBILITY {
        return Err(invalid("Value for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200."));
    }
    Ok(Duration::from_secs(seconds))
}

fn is_allowed(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
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

fn bytes_of(attribute: &MessageAttribute) -> Vec<u8> {
    use base64::Engine;
    match (&attribute.string_value, &attribute.binary_value) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(binary)) => base64::engine::general_purpose::STANDARD.decode(binary).unwrap_or_default(),
        (None, None) => Vec::new(),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    refused("InvalidParameterValue", message)
}

/// With the code of the query protocol, which the SDKs still tell SQS's errors apart by.
fn refused(code: &'static str, message: impl Into<String>) -> Refusal {
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
