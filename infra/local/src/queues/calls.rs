//! SQS's calls, in the JSON protocol that the SDKs speak.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::letter::{LARGEST_MESSAGE, send};
use super::wire::{invalid, message, refused};
use super::{QueueError, Queues, queue_arn, queue_name};
use crate::aws::{ACCOUNT, Refusal, input, output};

const LONGEST_INVISIBILITY: u64 = 43_200;
const MOST_ENTRIES: usize = 10;

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
            output(&send(queues, url.as_str().unwrap_or_default(), asked)?)
        }
        "SendMessageBatch" => batch(queues, body, send),
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
            queues.change_visibility(
                queue_name(&asked.queue_url),
                &asked.receipt_handle,
                invisibility(asked.visibility_timeout)?,
            )?;
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
            let urls =
                queues.names().filter(|name| name.starts_with(&asked.queue_name_prefix)).map(|name| queues.url(name));
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

async fn receive(queues: &Queues, asked: Receive) -> Result<Vec<u8>, Refusal> {
    let most = asked.max_number_of_messages.unwrap_or(1);
    if !(1..=MOST_ENTRIES).contains(&most) {
        return Err(invalid(format!(
            "Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        )));
    }
    if asked.wait_time_seconds > 20 {
        return Err(invalid(format!(
            "Value {} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
            asked.wait_time_seconds
        )));
    }
    let visibility = asked.visibility_timeout.map(invisibility).transpose()?;
    let wait = Duration::from_secs(asked.wait_time_seconds);
    let received = queues.receive(queue_name(&asked.queue_url), most, visibility, wait).await?;
    let wanted: Vec<_> = asked.attribute_names.into_iter().chain(asked.message_system_attribute_names).collect();
    let messages = received.iter().map(|received| message(received, &wanted, &asked.message_attribute_names));
    let messages: Vec<_> = messages.collect();
    output(&if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) })
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
    if let Some(unknown) = asked
        .attribute_names
        .iter()
        .find(|name| *name != "All" && *name != "RedrivePolicy" && !attributes.contains_key(name.as_str()))
    {
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
        return Err(refused(
            "BatchRequestTooLong",
            format!("Batch requests cannot be longer than {LARGEST_MESSAGE} bytes."),
        ));
    }
    let (mut successful, mut failed, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    let mut entries = Vec::new();
    for mut entry in asked.entries {
        let id = entry.remove("Id").and_then(|id| Some(id.as_str()?.to_owned())).unwrap_or_default();
        if id.is_empty()
            || id.len() > 80
            || !id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_')
        {
            return Err(refused(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
            ));
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

fn invisibility(seconds: u64) -> Result<Duration, Refusal> {
    if seconds > LONGEST_INVISIBILITY {
        return Err(invalid("Value for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200."));
    }
    Ok(Duration::from_secs(seconds))
}
