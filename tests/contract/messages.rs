//! What stands on the queues and what a browser gets, as infra/asyncapi.json promises it and events/ records it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jsonschema::{Draft, Validator};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use waybill_domain::message::{
    AccountEvent, AccountMessage, CustomerEvent, CustomerMessage, DocumentEvent, DocumentMessage, EVENT_TAGS, Event,
    ExportEvent, ExportMessage, ImportEvent, ImportMessage, Message, RefundEvent, RefundMessage, StockEvent,
    StockMessage, WebhookEvent, WebhookMessage,
};
use waybill_domain::webhook::TEST_TAG;
use waybill_lambda::batch::{Mailable, Payable};
use waybill_local::workspace;

use super::template;

/// What each queue is to the contract: its channel.
const QUEUES: [(&str, &str); 8] = [
    ("MailQueue", "mailQueue"),
    ("PushQueue", "pushQueue"),
    ("StockQueue", "stockQueue"),
    ("ImportQueue", "importQueue"),
    ("ExportQueue", "exportQueue"),
    ("RefundQueue", "refundQueue"),
    ("DocumentQueue", "documentQueue"),
    ("WebhookQueue", "webhookQueue"),
];

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn contract() -> Value {
    read(&workspace().join("infra/asyncapi.json"))
}

/// The files of a folder below events/, by their names without `.json`.
fn recorded(folder: &str) -> BTreeMap<String, Value> {
    let files = std::fs::read_dir(workspace().join("events").join(folder)).unwrap();
    let named = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files.map(|file| file.unwrap().path()).map(|path| (named(&path), read(&path))).collect()
}

/// The tags of an enum of events. Serde names them all when it meets one that it does not know.
fn tags_of<T: DeserializeOwned>() -> BTreeSet<String> {
    let error = serde_json::from_value::<T>(json!({ "type": "?" })).err().unwrap().to_string();
    error.split('`').skip(3).step_by(2).map(ToOwned::to_owned).collect()
}

/// Of what happens to orders.
fn order_tags() -> BTreeSet<String> {
    tags_of::<Event>()
}

/// That nobody is mailed about.
const STOCK_CHANGED: &str = "stock.changed.v1";

/// Of all that the mail queue brings.
fn mail_tags() -> BTreeSet<String> {
    let all = order_tags().into_iter().chain(tags_of::<AccountEvent>()).chain(tags_of::<StockEvent>());
    all.filter(|tag| tag != STOCK_CHANGED).collect()
}

/// Of what the stock queue brings.
fn stock_tags() -> BTreeSet<String> {
    let of_goods =
        ["placed", "paid", "cancelled", "cancelled_with_refund", "rest_cancelled", "expired", "return_received"];
    of_goods.map(|name| format!("order.{name}.v1")).into_iter().chain([STOCK_CHANGED.to_owned()]).collect()
}

/// Of what the refund queue brings.
fn payable_tags() -> BTreeSet<String> {
    tags_of::<RefundEvent>().into_iter().chain(tags_of::<CustomerEvent>()).collect()
}

/// Of what endpoints of webhooks are sent.
fn sent_tags() -> BTreeSet<String> {
    order_tags().into_iter().chain([TEST_TAG.to_owned()]).collect()
}

/// Of all that there is on queues.
fn tags() -> BTreeSet<String> {
    mail_tags()
        .into_iter()
        .chain(stock_tags())
        .chain(tags_of::<ImportEvent>())
        .chain(tags_of::<ExportEvent>())
        .chain(payable_tags())
        .chain(tags_of::<DocumentEvent>())
        .chain(tags_of::<WebhookEvent>())
        .collect()
}

/// A message as its consumers read it.
#[derive(Debug, PartialEq)]
enum Read {
    Order(Box<Message>),
    Account(AccountMessage),
    Import(ImportMessage),
    Export(ExportMessage),
    Refund(RefundMessage),
    Customer(CustomerMessage),
    Document(DocumentMessage),
    Stock(StockMessage),
    Webhook(WebhookMessage),
}

fn parse(message: &Value) -> Result<Read, serde_json::Error> {
    if message["event"]["type"].as_str().is_some_and(|tag| tag.starts_with("import.")) {
        return serde_json::from_value(message.clone()).map(Read::Import);
    }
    if message["event"]["type"].as_str().is_some_and(|tag| tag.starts_with("export.")) {
        return serde_json::from_value(message.clone()).map(Read::Export);
    }
    if message["event"]["type"].as_str().is_some_and(|tag| payable_tags().contains(tag)) {
        return serde_json::from_value(message.clone()).map(|message| match message {
            Payable::Refund(message) => Read::Refund(message),
            Payable::Customer(message) => Read::Customer(message),
        });
    }
    if message["event"]["type"].as_str().is_some_and(|tag| tag.starts_with("document.")) {
        return serde_json::from_value(message.clone()).map(Read::Document);
    }
    if message["event"]["type"].as_str().is_some_and(|tag| tag.starts_with("webhook.")) {
        return serde_json::from_value(message.clone()).map(Read::Webhook);
    }
    Ok(match serde_json::from_value(message.clone())? {
        Mailable::Order(message) => Read::Order(message),
        Mailable::Account(message) => Read::Account(message),
        Mailable::Stock(message) => Read::Stock(message),
    })
}

fn written(read: &Read) -> Value {
    match read {
        Read::Order(message) => serde_json::to_value(message),
        Read::Account(message) => serde_json::to_value(message),
        Read::Import(message) => serde_json::to_value(message),
        Read::Export(message) => serde_json::to_value(message),
        Read::Refund(message) => serde_json::to_value(message),
        Read::Customer(message) => serde_json::to_value(message),
        Read::Document(message) => serde_json::to_value(message),
        Read::Stock(message) => serde_json::to_value(message),
        Read::Webhook(message) => serde_json::to_value(message),
    }
    .unwrap()
}

/// Checks the payload of one of the contract's messages.
fn validator(contract: &Value, message: &str) -> Validator {
    let schema = json!({
        "allOf": [{ "$ref": format!("#/components/messages/{message}/payload") }],
        "components": contract["components"],
    });
    jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true).build(&schema).unwrap()
}

fn complaints(validator: &Validator, payload: &Value) -> Vec<String> {
    validator.iter_errors(payload).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The contract as it binds publishers: nothing that is not written down.
fn closed(contract: &Value) -> Value {
    match contract {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| {
                let open = key == "additionalProperties" && *value == Value::Bool(true);
                (key.clone(), if open { Value::Bool(false) } else { closed(value) })
            })
            .collect(),
        Value::Array(items) => items.iter().map(closed).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => contract.clone(),
    }
}

/// The JSON pointers of all objects in a value.
fn objects(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let inner = fields.iter().flat_map(|(key, value)| objects(value, &format!("{at}/{key}")));
            std::iter::once(at.to_owned()).chain(inner).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(index, item)| objects(item, &format!("{at}/{index}"))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// With a field that nobody knows in the object at `pointer`.
fn with_unknown_field(value: &Value, pointer: &str) -> Value {
    let mut value = value.clone();
    value.pointer_mut(pointer).unwrap()["unheard_of"] = json!({ "deep": [null, 1] });
    value
}

fn names(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_event_of_the_domain_has_a_recorded_message_and_a_recorded_update() {
    assert!(tags().contains("order.placed.v1") && tags().contains("account.email_changed.v1"), "{:?}", tags());
    let (messages, updates) = (recorded("messages"), recorded("websocket"));
    assert_eq!(messages.keys().cloned().collect::<BTreeSet<_>>(), tags());
    let shown = messages.values().filter_map(|message| match parse(message).unwrap() {
        Read::Order(message) => Some(message.event.name().to_owned()),
        Read::Account(_)
        | Read::Import(_)
        | Read::Export(_)
        | Read::Refund(_)
        | Read::Customer(_)
        | Read::Document(_)
        | Read::Stock(_)
        | Read::Webhook(_) => None,
    });
    let shown: BTreeSet<_> = shown.collect();
    assert_eq!(updates.keys().cloned().collect::<BTreeSet<_>>(), shown);
    for (name, message) in &messages {
        assert_eq!(message["event"]["type"], *name);
    }
    for (name, update) in &updates {
        assert_eq!(update["type"], *name);
    }
}

#[test]
fn an_endpoint_may_ask_for_every_event_by_the_tag_that_its_message_carries() {
    let known: BTreeSet<_> = EVENT_TAGS.iter().map(|tag| (*tag).to_owned()).collect();
    assert_eq!(known, order_tags());
    for (name, message) in recorded("messages") {
        if let Read::Order(message) = parse(&message).unwrap() {
            assert_eq!(message.event.tag(), name);
        }
    }
}

#[test]
fn a_recorded_message_is_written_as_it_was_read() {
    for (name, message) in recorded("messages") {
        let parsed = parse(&message).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(written(&parsed), message, "{name}");
        if let Read::Order(parsed) = parsed {
            assert_eq!(parsed.id, format!("{}/{}", parsed.order.id, parsed.order.version), "{name}");
        }
    }
}

#[test]
fn the_contract_sends_and_takes_every_event_and_nothing_else() {
    let contract = contract();
    let updates: BTreeSet<_> = recorded("websocket").into_keys().collect();
    for (channel, tags) in [
        ("mailQueue", mail_tags()),
        ("pushQueue", order_tags()),
        ("stockQueue", stock_tags()),
        ("importQueue", tags_of::<ImportEvent>()),
        ("exportQueue", tags_of::<ExportEvent>()),
        ("refundQueue", payable_tags()),
        ("documentQueue", tags_of::<DocumentEvent>()),
        ("webhookQueue", tags_of::<WebhookEvent>()),
        ("endpoint", sent_tags()),
    ] {
        assert_eq!(names(&contract["channels"][channel]["messages"]), tags, "{channel}");
    }
    let of_operation = |operation: &str| -> BTreeSet<String> {
        let messages = contract["operations"][operation]["messages"].as_array().unwrap();
        let last = |message: &Value| message["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        messages.iter().map(last).collect()
    };
    for operation in ["announceToMail", "mailTheBuyer"] {
        assert_eq!(of_operation(operation), mail_tags(), "{operation}");
    }
    for operation in ["announceToImport", "workOffTheImport"] {
        assert_eq!(of_operation(operation), tags_of::<ImportEvent>(), "{operation}");
    }
    for operation in ["announceToExport", "workOffTheExport"] {
        assert_eq!(of_operation(operation), tags_of::<ExportEvent>(), "{operation}");
    }
    for operation in ["announceToRefund", "makeTheRefunds"] {
        assert_eq!(of_operation(operation), payable_tags(), "{operation}");
    }
    for operation in ["announceToDocument", "issueTheDocuments"] {
        assert_eq!(of_operation(operation), tags_of::<DocumentEvent>(), "{operation}");
    }
    for operation in ["announceToWebhook", "deliverToEndpoints"] {
        assert_eq!(of_operation(operation), tags_of::<WebhookEvent>(), "{operation}");
    }
    assert_eq!(of_operation("tellTheEndpoint"), sent_tags());
    for operation in ["announceToPush", "takeUpdates"] {
        assert_eq!(of_operation(operation), order_tags(), "{operation}");
    }
    for operation in ["announceToStock", "moveStock"] {
        assert_eq!(of_operation(operation), stock_tags(), "{operation}");
    }
    assert_eq!(of_operation("updateTheBrowser"), updates);
    let said = ["hello", "ping", "follow", "unfollow", "resume"].map(|kind| format!("client.{kind}"));
    let answered = ["hello", "pong", "following", "unfollowed", "resumed", "problem", "goodbye"];
    let answered = answered.map(|kind| format!("server.{kind}"));
    assert_eq!(of_operation("hearTheClient"), BTreeSet::from(said.clone()));
    let spoken = said.into_iter().chain(answered).chain(["gateway.error".to_owned()]);
    let on_sockets: BTreeSet<_> = updates.into_iter().chain(spoken).collect();
    assert_eq!(names(&contract["channels"]["webSocket"]["messages"]), on_sockets);
    let expected: BTreeSet<_> = tags().into_iter().chain(sent_tags()).chain(on_sockets).collect();
    assert_eq!(names(&contract["components"]["messages"]), expected);
}

#[test]
fn what_is_recorded_keeps_the_contract_and_is_its_example() {
    let contract = contract();
    let closed = closed(&contract);
    for (name, payload) in recorded("messages").into_iter().chain(recorded("websocket")) {
        for contract in [&contract, &closed] {
            let complaints = complaints(&validator(contract, &name), &payload);
            assert!(complaints.is_empty(), "{name}: {complaints:#?}");
        }
        let documented = &contract["components"]["messages"][&name];
        assert_eq!(documented["name"], name);
        let examples: Vec<_> =
            documented["examples"].as_array().unwrap().iter().map(|example| &example["payload"]).collect();
        assert_eq!(examples, [&payload], "{name}");
    }
}

/// functions/connections compares the same examples with what it reads and writes.
#[test]
fn what_is_said_on_a_websocket_keeps_the_contract() {
    let contract = contract();
    let closed = closed(&contract);
    let messages = contract["components"]["messages"].as_object().unwrap();
    let spoken = messages.iter().filter(|(name, _)| name.starts_with("client.") || name.starts_with("server."));
    for (name, message) in spoken {
        let example = &message["examples"][0]["payload"];
        for contract in [&contract, &closed] {
            let complaints = complaints(&validator(contract, name), example);
            assert!(complaints.is_empty(), "{name}: {complaints:#?}");
        }
        assert!(!validator(&closed, name).is_valid(&with_unknown_field(example, "")), "{name}");
        assert!(!validator(&contract, name).is_valid(&json!({ "type": "?" })), "{name}");
    }
}

#[test]
fn who_pushes_is_told_where_an_update_stands() {
    let closed = closed(&contract());
    let mut message = recorded("messages")["order.paid.v1"].clone();
    message["places"] = json!({ "own": 1_795_424_490_000_003_u64, "all": 7 });
    let complaints = complaints(&validator(&closed, "order.paid.v1"), &message);
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert_eq!(written(&parse(&message).unwrap()), message);
    let mut update = recorded("websocket")["order.paid"].clone();
    update["positions"] = json!({ "own": 1_795_424_490_000_003_u64, "all/3": 7 });
    assert!(validator(&closed, "order.paid").is_valid(&update));
}

#[test]
fn a_consumer_ignores_an_unknown_field_wherever_the_contract_allows_one() {
    let contract = contract();
    for (name, message) in recorded("messages") {
        let validator = validator(&contract, &name);
        for pointer in objects(&message, "") {
            let more = with_unknown_field(&message, &pointer);
            assert_eq!(parse(&more).is_ok(), validator.is_valid(&more), "{name} at {pointer:?}");
        }
        let inner = ["", "/order", "/order/lines/0", "/order/shipping_address", "/event"];
        for pointer in inner.into_iter().filter(|pointer| message.pointer(pointer).is_some()) {
            let more = with_unknown_field(&message, pointer);
            assert_eq!(parse(&more).unwrap(), parse(&message).unwrap(), "{name} at {pointer:?}");
        }
    }
}

#[test]
fn a_publisher_sends_no_field_that_is_not_written_down() {
    let closed = closed(&contract());
    for (name, payload) in recorded("messages").into_iter().chain(recorded("websocket")) {
        let validator = validator(&closed, &name);
        for pointer in objects(&payload, "") {
            assert!(!validator.is_valid(&with_unknown_field(&payload, &pointer)), "{name} at {pointer:?}");
        }
    }
}

#[test]
fn a_message_that_tells_how_the_total_is_made_keeps_the_contract_too() {
    let closed = closed(&contract());
    let usd = |amount: i64| json!({ "amount": amount, "currency": "USD" });
    let least = json!({ "subtotal": usd(3779), "discount": usd(0), "tax_included": true });
    let mut all = least.clone();
    (all["shipping"], all["tax"]) = (usd(490), usd(12));
    for (name, mut message) in recorded("messages").into_iter().filter(|(name, _)| name.starts_with("order.")) {
        for totals in [&least, &all] {
            message["order"]["totals"] = totals.clone();
            message["order"]["total"] = usd(0);
            let complaints = complaints(&validator(&closed, &name), &message);
            assert!(complaints.is_empty(), "{name}: {complaints:#?}");
            assert_eq!(written(&parse(&message).unwrap()), message, "{name}");
        }
    }
}

#[test]
fn a_message_that_tells_that_staff_placed_the_order_keeps_the_contract_too() {
    let closed = closed(&contract());
    for (name, mut message) in recorded("messages").into_iter().filter(|(name, _)| name.starts_with("order.")) {
        message["order"]["placed_by_staff"] = json!(true);
        let complaints = complaints(&validator(&closed, &name), &message);
        assert!(complaints.is_empty(), "{name}: {complaints:#?}");
        assert_eq!(written(&parse(&message).unwrap()), message, "{name}");
    }
}

#[test]
fn a_message_that_tells_the_language_keeps_the_contract_too() {
    let closed = closed(&contract());
    for (name, mut message) in recorded("messages") {
        match name.split('.').next().unwrap() {
            "order" => message["order"]["language"] = json!("de-AT"),
            "account" => message["language"] = json!("de"),
            "stock" if name.starts_with("stock.returned") => message["event"]["language"] = json!("de"),
            _ => continue,
        }
        let complaints = complaints(&validator(&closed, &name), &message);
        assert!(complaints.is_empty(), "{name}: {complaints:#?}");
        assert_eq!(written(&parse(&message).unwrap()), message, "{name}");
    }
}

#[test]
fn the_queues_are_as_the_contract_says() {
    let contract = contract();
    let queues = template().queues;
    let queue = |name: &str| queues.iter().find(|queue| queue.name == name).unwrap();
    for (name, channel) in QUEUES {
        let main = queue(name);
        let dead_letters = main.dead_letters.as_ref().unwrap();
        let expected = json!({
            "queue": {
                "name": name,
                "fifoQueue": false,
                "visibilityTimeout": main.visibility_timeout.as_secs(),
                "messageRetentionPeriod": main.retention.as_secs(),
                "redrivePolicy": {
                    "deadLetterQueue": { "name": dead_letters.queue },
                    "maxReceiveCount": dead_letters.max_receive_count,
                },
            },
            "deadLetterQueue": {
                "name": dead_letters.queue,
                "fifoQueue": false,
                "messageRetentionPeriod": queue(&dead_letters.queue).retention.as_secs(),
            },
            "bindingVersion": "0.2.0",
        });
        assert_eq!(contract["channels"][channel]["bindings"]["sqs"], expected, "{name}");
    }
}
