//! Queues and streams that invoke functions, with functions that are closures.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dynoxide::Database;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::EventSources;
use crate::aws::Aws;
use crate::functions::InvokeError;
use crate::lambda::Invoke;
use crate::queues::{Letter, MessageAttribute, Queues};
use crate::sdk::{Folder, idle};
use crate::template::{DeadLetters, Queue, QueueMapping, Schedule, StreamMapping, Template};

const MILLISECOND: Duration = Duration::from_millis(1);

/// What a function was given, call by call.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<Value>>>);

impl Calls {
    /// A function that notes what it is given and answers what `answer` makes of it, and of the number of the call.
    fn function(&self, answer: impl Fn(usize, &Value) -> Result<Value, InvokeError> + Send + Sync + 'static) -> Invoke {
        let calls = self.clone();
        let answer = Arc::new(answer);
        Invoke::with(move |_, event| {
            let (calls, answer) = (calls.clone(), answer.clone());
            async move {
                let number = {
                    let mut calls = calls.0.lock().unwrap();
                    calls.push(event.clone());
                    calls.len()
                };
                answer(number, &event).map(|answer| answer.to_string().into_bytes())
            }
        })
    }

    fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    /// The bodies or sort keys of each call.
    fn contents(&self) -> Vec<Vec<String>> {
        let content = |record: &Value| match record.get("body") {
            Some(body) => body.as_str().unwrap().to_owned(),
            None => record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap().to_owned(),
        };
        let contents = |call: &Value| call["Records"].as_array().unwrap().iter().map(content).collect();
        self.all().iter().map(contents).collect()
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(5 * MILLISECOND).await;
    }
}

fn failed() -> Result<Value, InvokeError> {
    Err(InvokeError::Failed(b"{}".to_vec()))
}

fn failures(ids: &[&Value]) -> Value {
    json!({ "batchItemFailures": ids.iter().map(|id| json!({ "itemIdentifier": id })).collect::<Vec<_>>() })
}

fn queue(name: &str, dead_letters: Option<&str>) -> Queue {
    Queue {
        name: name.to_owned(),
        visibility_timeout: 150 * MILLISECOND,
        retention: Duration::from_secs(60),
        dead_letters: dead_letters.map(|queue| DeadLetters { queue: queue.to_owned(), max_receive_count: 2 }),
    }
}

fn template() -> Template {
    Template { queues: vec![queue("Mail", Some("Dead")), queue("Dead", None)], ..Template::default() }
}

fn with_queue_mapping() -> Template {
    let mapping = QueueMapping {
        function: "EmailFunction".to_owned(),
        queue: "Mail".to_owned(),
        batch_size: 10,
        window: 50 * MILLISECOND,
        reports_item_failures: true,
        at_once: None,
    };
    Template { queue_mappings: vec![mapping], ..template() }
}

fn with_stream_mapping(change: impl FnOnce(&mut StreamMapping)) -> Template {
    let mut mapping = StreamMapping {
        function: "AnnounceFunction".to_owned(),
        table: "Table".to_owned(),
        batch_size: 100,
        filters: Vec::new(),
        reports_item_failures: true,
        bisects: true,
        max_retries: Some(1),
        max_age: None,
        on_failure: Some("Dead".to_owned()),
    };
    change(&mut mapping);
    Template { stream_mappings: vec![mapping], ..template() }
}

fn table(database: Database) -> Database {
    let request = json!({
        "TableName": "Table",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }, { "AttributeName": "sk", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }, { "AttributeName": "sk", "KeyType": "RANGE" }],
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" },
    });
    database.create_table(serde_json::from_value(request).unwrap()).unwrap();
    database
}

fn put(tables: &Database, pk: &str, sk: &str) {
    let request = json!({ "TableName": "Table", "Item": { "pk": { "S": pk }, "sk": { "S": sk }, "n": { "N": "1" } } });
    tables.put_item(serde_json::from_value(request).unwrap()).unwrap();
}

fn start(template: &Template, aws: &Aws, tables: &Database) -> EventSources {
    EventSources::start(template, aws, tables, Arc::new(|line| eprintln!("{line}"))).unwrap()
}

fn open(template: &Template, folder: Option<&Path>, invoke: Invoke) -> Aws {
    Aws::open(template, "http://127.0.0.1:3005", folder, invoke).unwrap()
}

fn send(queues: &Queues, body: &str) -> String {
    queues.send("Mail", Letter { body: body.to_owned(), ..Letter::default() }).unwrap()
}

fn dead(aws: &Aws) -> Vec<String> {
    aws.queues.peek("Dead").unwrap().into_iter().map(|message| message.body).collect()
}

#[tokio::test]
async fn a_queues_messages_arrive_as_lambdas_event_and_are_deleted_when_they_are_done() {
    let (calls, template) = (Calls::default(), with_queue_mapping());
    let aws = open(&template, None, calls.function(|_, _| Ok(Value::Null)));
    let attribute = |data_type: &str, string: Option<&str>, binary: Option<&str>| MessageAttribute {
        data_type: data_type.to_owned(),
        string_value: string.map(str::to_owned),
        binary_value: binary.map(str::to_owned),
    };
    let attributes = [
        ("kind".to_owned(), attribute("String", Some("order"), None)),
        ("bytes".to_owned(), attribute("Binary", None, Some("AAE="))),
    ];
    let letter = Letter { body: "one".to_owned(), attributes: attributes.into(), ..Letter::default() };
    let id = aws.queues.send("Mail", letter).unwrap();
    let sources = start(&template, &aws, &table(Database::memory().unwrap()));
    until("the queue is empty", || aws.queues.peek("Mail").unwrap().is_empty()).await;

    let event: aws_lambda_events::sqs::SqsEvent = serde_json::from_value(calls.all()[0].clone()).unwrap();
    let message = &event.records[0];
    assert_eq!((message.message_id.as_deref(), message.body.as_deref()), (Some(id.as_str()), Some("one")));
    assert_eq!(message.event_source_arn.as_deref(), Some("arn:aws:sqs:us-east-1:000000000000:Mail"));
    assert_eq!(message.attributes["ApproximateReceiveCount"], "1");
    assert_eq!(message.message_attributes["kind"].string_value.as_deref(), Some("order"));
    assert_eq!(message.message_attributes["bytes"].binary_value.as_ref().unwrap().0, [0, 1]);
    sources.stop().await;
}

#[tokio::test]
async fn only_the_messages_that_are_reported_come_again_and_end_as_dead_letters() {
    let (calls, template) = (Calls::default(), with_queue_mapping());
    let report = calls.function(|_, event| {
        let records = event["Records"].as_array().unwrap().iter();
        Ok(failures(
            &records.filter(|record| record["body"] == "bad").map(|record| &record["messageId"]).collect::<Vec<_>>(),
        ))
    });
    let aws = open(&template, None, report);
    for body in ["good", "bad", "better"] {
        send(&aws.queues, body);
    }
    let sources = start(&template, &aws, &table(Database::memory().unwrap()));
    until("a dead letter", || dead(&aws) == ["bad"]).await;
    assert_eq!(calls.contents(), [vec!["good", "bad", "better"], vec!["bad"]]);
    assert!(aws.queues.peek("Mail").unwrap().is_empty());
    sources.stop().await;
}

#[tokio::test]
async fn a_failed_invocation_brings_the_whole_batch_back_after_the_visibility_timeout() {
    let (calls, template) = (Calls::default(), with_queue_mapping());
    let aws = open(&template, None, calls.function(|number, _| if number == 1 { failed() } else { Ok(json!({})) }));
    send(&aws.queues, "one");
    send(&aws.queues, "two");
    let begin = Instant::now();
    let sources = start(&template, &aws, &table(Database::memory().unwrap()));
    until("the queue is empty", || aws.queues.peek("Mail").unwrap().is_empty()).await;
    assert!(begin.elapsed() >= 140 * MILLISECOND);
    assert_eq!(calls.contents(), [["one", "two"], ["one", "two"]]);
    sources.stop().await;
}

#[tokio::test]
async fn an_answer_that_names_an_unknown_message_counts_as_a_failure_of_all() {
    let (calls, template) = (Calls::default(), with_queue_mapping());
    let aws = open(&template, None, calls.function(|_, _| Ok(failures(&[&json!("nobody")]))));
    send(&aws.queues, "one");
    let sources = start(&template, &aws, &table(Database::memory().unwrap()));
    until("a dead letter", || dead(&aws) == ["one"]).await;
    sources.stop().await;
}

#[tokio::test]
async fn a_streams_records_arrive_in_order_as_lambdas_event() {
    let pattern = json!({ "dynamodb": { "Keys": { "pk": { "S": [{ "prefix": "ORDER#" }] } } } });
    let template = with_stream_mapping(|mapping| {
        mapping.filters = vec![pattern];
        mapping.batch_size = 3;
    });
    let calls = Calls::default();
    let aws = open(&template, None, calls.function(|_, _| Ok(failures(&[]))));
    let tables = table(Database::memory().unwrap());
    let sources = start(&template, &aws, &tables);
    for number in 10..30 {
        put(&tables, "ORDER#1", &number.to_string());
        put(&tables, "CART#1", &number.to_string());
    }
    until("all came", || calls.contents().concat().len() == 20).await;
    let wanted: Vec<_> = (10..30).map(|number| number.to_string()).collect();
    assert_eq!(calls.contents().concat(), wanted);

    let event: aws_lambda_events::dynamodb::Event = serde_json::from_value(calls.all()[0].clone()).unwrap();
    let record = &event.records[0];
    assert_eq!((record.event_name.as_str(), record.aws_region.as_str()), ("INSERT", "us-east-1"));
    let arn = record.event_source_arn.as_deref().unwrap();
    assert!(arn.starts_with("arn:aws:dynamodb:us-east-1:000000000000:table/Table/stream/"), "{arn}");
    let image: Value = serde_dynamo::from_item(record.change.new_image.clone()).unwrap();
    assert_eq!(image, json!({ "pk": "ORDER#1", "sk": "10", "n": 1 }));
    sources.stop().await;
}

#[tokio::test]
async fn a_change_is_delivered_soon() {
    let template = with_stream_mapping(|_| {});
    let calls = Calls::default();
    let aws = open(&template, None, calls.function(|_, _| Ok(Value::Null)));
    let tables = table(Database::memory().unwrap());
    let sources = start(&template, &aws, &tables);
    tokio::time::sleep(100 * MILLISECOND).await;
    let begin = Instant::now();
    put(&tables, "ORDER#1", "a");
    until("it came", || !calls.all().is_empty()).await;
    assert!(begin.elapsed() < 250 * MILLISECOND, "{:?}", begin.elapsed());
    sources.stop().await;
}

#[tokio::test]
async fn from_the_first_reported_record_on_a_batch_comes_again() {
    let template = with_stream_mapping(|_| {});
    let calls = Calls::default();
    let report = calls.function(|number, event| match number {
        1 => {
            let number = |index: usize| &event["Records"][index]["dynamodb"]["SequenceNumber"];
            Ok(failures(&[number(3), number(1)]))
        }
        _ => Ok(failures(&[])),
    });
    let aws = open(&template, None, report);
    let tables = table(Database::memory().unwrap());
    for sk in ["a", "b", "c", "d"] {
        put(&tables, "ORDER#1", sk);
    }
    let sources = start(&template, &aws, &tables);
    until("it came again", || calls.all().len() == 2).await;
    assert_eq!(calls.contents(), [vec!["a", "b", "c", "d"], vec!["b", "c", "d"]]);
    sources.stop().await;
}

#[tokio::test]
async fn one_bad_record_is_parted_from_the_others_and_its_place_is_told_to_the_destination() {
    let template = with_stream_mapping(|_| {});
    let calls = Calls::default();
    let fail = calls.function(|_, event| {
        let records = event["Records"].as_array().unwrap();
        let is_bad = records.iter().any(|record| record["dynamodb"]["Keys"]["sk"]["S"] == "c");
        if is_bad { failed() } else { Ok(Value::Null) }
    });
    let aws = open(&template, None, fail);
    let tables = table(Database::memory().unwrap());
    for sk in ["a", "b", "c", "d"] {
        put(&tables, "ORDER#1", sk);
    }
    let sources = start(&template, &aws, &tables);
    until("the last one came", || calls.contents().last().is_some_and(|last| last == &["d"])).await;
    let parted = [vec!["a", "b", "c", "d"], vec!["a", "b"], vec!["c", "d"], vec!["c"], vec!["c"], vec!["d"]];
    assert_eq!(calls.contents(), parted);

    let told: Value = serde_json::from_str(&dead(&aws)[0]).unwrap();
    assert_eq!(told["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(told["requestContext"]["approximateInvokeCount"], 2);
    assert_eq!(told["responseContext"]["functionError"], "Unhandled");
    let bad = &calls.all()[3]["Records"][0]["dynamodb"]["SequenceNumber"];
    assert_eq!(&told["DDBStreamBatchInfo"]["startSequenceNumber"], bad);
    assert_eq!(told["DDBStreamBatchInfo"]["batchSize"], 1);
    sources.stop().await;
}

#[tokio::test]
async fn without_a_limit_a_failing_batch_is_tried_again_until_it_is_done() {
    let template = with_stream_mapping(|mapping| {
        mapping.max_retries = None;
        mapping.bisects = false;
    });
    let calls = Calls::default();
    let aws = open(&template, None, calls.function(|number, _| if number < 5 { failed() } else { Ok(Value::Null) }));
    let tables = table(Database::memory().unwrap());
    put(&tables, "ORDER#1", "a");
    let sources = start(&template, &aws, &tables);
    until("five calls", || calls.all().len() == 5).await;
    put(&tables, "ORDER#1", "b");
    until("the next one", || calls.all().len() == 6).await;
    assert_eq!(calls.contents()[5], ["b"]);
    assert!(dead(&aws).is_empty());
    sources.stop().await;
}

#[tokio::test]
async fn a_failing_batch_is_given_up_when_it_is_too_old() {
    let template = with_stream_mapping(|mapping| {
        mapping.max_retries = None;
        mapping.max_age = Some(1);
    });
    let calls = Calls::default();
    let aws = open(&template, None, calls.function(|_, _| failed()));
    let tables = table(Database::memory().unwrap());
    put(&tables, "ORDER#1", "a");
    let sources = start(&template, &aws, &tables);
    until("it is given up", || !dead(&aws).is_empty()).await;
    let told: Value = serde_json::from_str(&dead(&aws)[0]).unwrap();
    assert_eq!(told["requestContext"]["condition"], "RecordAgeExceeded");
    assert!(calls.all().len() > 2, "it was tried again before");
    sources.stop().await;
}

#[tokio::test]
async fn a_restart_goes_on_behind_what_is_done_and_lets_go_of_it() {
    let folder = Folder::new();
    let template = with_stream_mapping(|_| {});
    let path = folder.join("table.sqlite").display().to_string();
    {
        let calls = Calls::default();
        let aws = open(&template, Some(&folder), calls.function(|_, _| Ok(Value::Null)));
        let tables = table(Database::new(&path).unwrap());
        let sources = start(&template, &aws, &tables);
        put(&tables, "ORDER#1", "a");
        put(&tables, "ORDER#1", "b");
        until("both came", || calls.contents().concat().len() == 2).await;
        sources.stop().await;
        aws.close().await.unwrap();
        put(&tables, "ORDER#1", "c");
    }
    let calls = Calls::default();
    let aws = open(&template, Some(&folder), calls.function(|_, _| Ok(Value::Null)));
    let tables = Database::new(&path).unwrap();
    let sources = start(&template, &aws, &tables);
    put(&tables, "ORDER#1", "d");
    until("the rest came", || calls.contents().concat().len() == 2).await;
    assert_eq!(calls.contents().concat(), ["c", "d"]);
    sources.stop().await;

    let file = dynoxide::storage::Storage::new(&path).unwrap();
    let kept: i64 = file.conn().query_row("SELECT COUNT(*) FROM _stream_records", (), |row| row.get(0)).unwrap();
    assert_eq!(kept, 3, "a is gone; b is the last that was read");
    let plans = [
        "SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = 'Table'",
        "SELECT * FROM _stream_records WHERE table_name = 'Table' AND shard_id = 's' AND CAST(sequence_number AS INTEGER) > 5 \
         ORDER BY CAST(sequence_number AS INTEGER) LIMIT 9",
    ];
    for query in plans {
        let plan: String = file.conn().query_row(&format!("EXPLAIN QUERY PLAN {query}"), (), |row| row.get(3)).unwrap();
        assert!(plan.contains("USING") && plan.contains("waybill_stream"), "{plan}");
    }
}

#[tokio::test]
async fn what_a_mapping_asks_for_and_is_not_there_is_said_at_the_start() {
    let tables = table(Database::memory().unwrap());
    let bad = [
        with_stream_mapping(|mapping| mapping.filters = vec![json!({ "a": [{ "wildcard": "*" }] })]),
        with_stream_mapping(|mapping| mapping.table = "Nope".to_owned()),
        with_stream_mapping(|mapping| mapping.on_failure = Some("Nope".to_owned())),
    ];
    for template in bad {
        let aws = open(&template, None, idle());
        assert!(EventSources::start(&template, &aws, &tables, Arc::new(|_| {})).is_err());
    }
}

#[tokio::test]
async fn a_schedule_invokes_its_function_again_and_again() {
    let schedule = Schedule { function: "SweepFunction".to_owned(), every: 20 * MILLISECOND, input: Value::Null };
    let template = Template { schedules: vec![schedule], ..template() };
    let calls = Calls::default();
    let aws = open(&template, None, calls.function(|_, _| Ok(Value::Null)));
    let sources = start(&template, &aws, &table(Database::memory().unwrap()));
    until("three calls", || calls.all().len() == 3).await;
    assert_eq!(calls.all()[0]["detail-type"], "Scheduled Event");
    sources.stop().await;
}
