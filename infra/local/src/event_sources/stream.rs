//! A table's stream as the source of a function's invocations, strictly in order.

use std::collections::BTreeSet;
use std::time::Duration;

use dynoxide::Database;
use dynoxide::actions::describe_stream::DescribeStreamRequest;
use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::{GetShardIteratorRequest, decode_shard_iterator};
use dynoxide::actions::list_streams::ListStreamsRequest;
use dynoxide::errors::DynoxideError;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::filter::{Filter, PatternError};
use super::{Report, Stopped, Verdict, verdict};
use crate::aws::{ACCOUNT, Aws, REGION};
use crate::functions::InvokeError;
use crate::lambda::function_arn;
use crate::queues::{Letter, QueueError, queue_name};
use crate::saved::Position;
use crate::template::StreamMapping;

const POLL: Duration = Duration::from_millis(25);
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("{function}: {source}")]
    Pattern { function: String, source: PatternError },
    #[error("{function}: table {table} has no stream")]
    NoStream { function: String, table: String },
    #[error("{function}: on-failure destination {queue}: {source}")]
    Destination { function: String, queue: String, source: QueueError },
    #[error("the stored stream: {0}")]
    Tidy(DynoxideError),
    #[error("{function}: the stream of {table}: {source}")]
    Tables { function: String, table: String, source: DynoxideError },
}

/// Reads one stream for one function.
pub(super) struct Reader {
    mapping: StreamMapping,
    /// Its name among the saved positions.
    name: String,
    filter: Filter,
    aws: Aws,
    tables: Database,
    stream: String,
    shard: String,
    report: Report,
}

/// Consecutive records that are delivered together.
struct Batch {
    records: Vec<Value>,
    attempts: u32,
}

/// How the delivery of a batch ended.
enum Delivery {
    Done,
    /// The function was busy.
    NotTaken,
    /// All before this index is done.
    FailedFrom { index: usize, why: String, function_error: bool },
}

impl Reader {
    pub(super) fn new(mapping: &StreamMapping, aws: &Aws, tables: Database, report: Report) -> Result<Reader, StreamError> {
        let (function, table) = (mapping.function.clone(), mapping.table.clone());
        let filter = Filter::new(&mapping.filters).map_err(|source| StreamError::Pattern { function: function.clone(), source })?;
        if let Some(queue) = &mapping.on_failure {
            let destination = |source| StreamError::Destination { function: function.clone(), queue: queue.clone(), source };
            aws.queues.settings(queue_name(queue)).map_err(destination)?;
        }
        let failed = |source| StreamError::Tables { function: function.clone(), table: table.clone(), source };
        let request = ListStreamsRequest { table_name: Some(table.clone()), ..Default::default() };
        let streams = tables.list_streams(request).map_err(failed)?.streams;
        let no_stream = || StreamError::NoStream { function: function.clone(), table: table.clone() };
        let stream = streams.into_iter().next().ok_or_else(no_stream)?.stream_arn;
        let request = DescribeStreamRequest { stream_arn: stream.clone(), ..Default::default() };
        let shards = tables.describe_stream(request).map_err(failed)?.stream_description.shards;
        let shard = shards.into_iter().next().ok_or_else(no_stream)?.shard_id;
        Ok(Reader { mapping: mapping.clone(), name: name(mapping), filter, aws: aws.clone(), tables, stream, shard, report })
    }

    /// Goes on where it stopped the last time, or at the stream's beginning.
    pub(super) async fn read(self, mut stopped: Stopped) {
        let mut pause = POLL;
        while stopped.unless(tokio::time::sleep(pause)).await.is_some() {
            pause = POLL;
            let records = match self.next_records().await {
                Ok(records) => records,
                Err(error) => {
                    self.tell(format!("the stream of {}: {error}", self.mapping.table));
                    pause = LONGEST_PAUSE;
                    continue;
                }
            };
            let Some(last) = records.last().map(sequence_number) else { continue };
            if records.len() == self.mapping.batch_size {
                pause = Duration::ZERO;
            }
            let wanted: Vec<_> = records.into_iter().filter(|record| self.filter.passes(record)).collect();
            if !wanted.is_empty() && !self.deliver(wanted, &mut stopped).await {
                return;
            }
            self.done_up_to(last);
        }
    }

    /// True when every record is done or given up; false when it is time to stop.
    async fn deliver(&self, records: Vec<Value>, stopped: &mut Stopped) -> bool {
        // The next batch is the last of them.
        let mut pending = vec![Batch { records, attempts: 0 }];
        while let Some(mut batch) = pending.pop() {
            let (index, why, function_error) = match self.invoke(&batch.records).await {
                Delivery::Done => {
                    self.done_up_to(batch.records.last().map(sequence_number).unwrap_or_default());
                    continue;
                }
                Delivery::NotTaken => {
                    pending.push(batch);
                    if stopped.unless(tokio::time::sleep(FIRST_RETRY)).await.is_none() {
                        return false;
                    }
                    continue;
                }
                Delivery::FailedFrom { index, why, function_error } => (index, why, function_error),
            };
            self.tell(format!("a batch of {}'s stream failed: {why}", self.mapping.table));
            if index > 0 {
                self.done_up_to(sequence_number(&batch.records[index - 1]));
                batch.records.drain(..index);
                batch.attempts = 0;
            }
            batch.attempts += 1;
            let pause = FIRST_RETRY.saturating_mul(1 << (batch.attempts - 1).min(8)).min(LONGEST_PAUSE);
            if index == 0 && self.mapping.bisects && batch.records.len() > 1 {
                // Parting a batch costs no retry: the halves begin anew.
                let later = batch.records.split_off(batch.records.len() / 2);
                pending.push(Batch { records: later, attempts: 0 });
                pending.push(Batch { records: batch.records, attempts: 0 });
            } else if self.mapping.max_retries.is_some_and(|most| batch.attempts > most) {
                self.give_up(&batch, function_error);
                self.done_up_to(batch.records.last().map(sequence_number).unwrap_or_default());
                continue;
            } else {
                pending.push(batch);
            }
            if stopped.unless(tokio::time::sleep(pause)).await.is_none() {
                return false;
            }
        }
        true
    }

    async fn invoke(&self, records: &[Value]) -> Delivery {
        let event = json!({ "Records": records }).to_string().into_bytes();
        let failed = |index, why, function_error| Delivery::FailedFrom { index, why, function_error };
        let response = match self.aws.invoke.call(&self.mapping.function, event).await {
            Ok(response) => response,
            Err(InvokeError::Busy) => return Delivery::NotTaken,
            Err(error) => return failed(0, error.to_string(), true),
        };
        if !self.mapping.reports_item_failures {
            return Delivery::Done;
        }
        let index = |id: &str| records.iter().position(|record| sequence_number(record) == id);
        match verdict(&response, |id| index(id).is_some()) {
            Verdict::Done => Delivery::Done,
            Verdict::All(why) => failed(0, why, false),
            // Whatever the function says of later records: everything from the first failure on comes again.
            Verdict::Some(ids) => match ids.iter().filter_map(|id| index(id)).min() {
                Some(first) => failed(first, format!("record {} of {}", first + 1, records.len()), false),
                None => Delivery::Done,
            },
        }
    }

    /// Sends what Lambda sends to an on-failure destination: not the records, but where they are in the stream.
    fn give_up(&self, batch: &Batch, function_error: bool) {
        let (Some(first), Some(last)) = (batch.records.first(), batch.records.last()) else { return };
        let Some(queue) = self.mapping.on_failure.as_deref().map(queue_name) else {
            self.tell(format!("gave up {} records of {}'s stream", batch.records.len(), self.mapping.table));
            return;
        };
        let mut response = json!({ "statusCode": 200, "executedVersion": "$LATEST" });
        if function_error {
            response["functionError"] = json!("Unhandled");
        }
        let arrival = |record: &Value| {
            let seconds = record["dynamodb"]["ApproximateCreationDateTime"].as_i64().unwrap_or_default();
            Timestamp::from_second(seconds).unwrap_or_default().to_string()
        };
        let body = json!({
            "requestContext": {
                "requestId": uuid::Uuid::new_v4().to_string(),
                "functionArn": function_arn(&self.mapping.function),
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": batch.attempts,
            },
            "responseContext": response,
            "version": "1.0",
            "timestamp": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
            "DDBStreamBatchInfo": {
                "shardId": self.shard,
                "startSequenceNumber": sequence_number(first),
                "endSequenceNumber": sequence_number(last),
                "approximateArrivalOfFirstRecord": arrival(first),
                "approximateArrivalOfLastRecord": arrival(last),
                "batchSize": batch.records.len(),
                "streamArn": arn(&self.stream),
            },
        });
        let letter = Letter { body: body.to_string(), ..Letter::default() };
        match self.aws.queues.send(queue, letter) {
            Ok(_) => self.tell(format!("gave up {} records of {}'s stream to {queue}", batch.records.len(), self.mapping.table)),
            Err(error) => self.tell(format!("{queue}: {error}")),
        }
    }

    fn done_up_to(&self, sequence_number: String) {
        self.aws.positions.set(&self.name, Position { stream: self.stream.clone(), sequence_number });
    }

    /// As they stand in Lambda's event, oldest first.
    async fn next_records(&self) -> Result<Vec<Value>, DynoxideError> {
        let position = self.aws.positions.get(&self.name).filter(|position| position.stream == self.stream);
        let request = GetShardIteratorRequest {
            stream_arn: self.stream.clone(),
            shard_id: self.shard.clone(),
            shard_iterator_type: if position.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" }.to_owned(),
            sequence_number: position.map(|position| position.sequence_number),
        };
        let (tables, limit) = (self.tables.clone(), Some(self.mapping.batch_size));
        let read = tokio::task::spawn_blocking(move || {
            let shard_iterator = tables.get_shard_iterator(request)?.shard_iterator.unwrap_or_default();
            tables.get_records(GetRecordsRequest { shard_iterator, limit })
        });
        let records = read.await.map_err(|error| DynoxideError::InternalServerError(error.to_string()))??.records;
        let records = records.into_iter().map(|record| {
            let created = record.dynamodb.approximate_creation_date_time as i64;
            let mut record = serde_json::to_value(record)?;
            record["awsRegion"] = json!(REGION);
            record["eventSourceARN"] = json!(arn(&self.stream));
            record["dynamodb"]["ApproximateCreationDateTime"] = json!(created);
            Ok(record)
        });
        let records: Result<_, serde_json::Error> = records.collect();
        records.map_err(|error| DynoxideError::InternalServerError(error.to_string()))
    }

    fn tell(&self, what: String) {
        (self.report)(format!("{}: {what}", self.mapping.function));
    }
}

/// Makes the stored stream cheap to read however long it is, and lets go of what every reader has read.
pub(super) fn tidy(tables: &Database, mappings: &[StreamMapping], aws: &Aws) -> Result<(), DynoxideError> {
    let Some(path) = tables.db_path()?.filter(|path| !path.is_empty()) else { return Ok(()) };
    let file = dynoxide::storage::Storage::new(&path)?;
    // Without it, each write and each poll of the store looks at every record that there is.
    file.conn().execute_batch(
        "CREATE INDEX IF NOT EXISTS waybill_stream ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
    )?;
    let names: BTreeSet<_> = mappings.iter().map(|mapping| &mapping.table).collect();
    for table in names {
        let readers = mappings.iter().filter(|mapping| mapping.table == *table).map(name);
        let read: Option<Vec<_>> = readers.map(|reader| aws.positions.get(&reader)).collect();
        let Some(slowest) = read.and_then(|read| read.into_iter().min_by(|one, other| one.sequence_number.cmp(&other.sequence_number))) else {
            continue;
        };
        let request = GetShardIteratorRequest {
            stream_arn: slowest.stream,
            shard_iterator_type: "AFTER_SEQUENCE_NUMBER".to_owned(),
            sequence_number: Some(slowest.sequence_number),
            ..Default::default()
        };
        let iterator = tables.get_shard_iterator(request)?.shard_iterator.unwrap_or_default();
        if let Some((_, _, position)) = decode_shard_iterator(&iterator) {
            let read = "DELETE FROM _stream_records WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) < ?2";
            file.conn().execute(read, (table, position))?;
        }
    }
    Ok(())
}

/// A reader's name among the saved positions.
fn name(mapping: &StreamMapping) -> String {
    format!("{} {}", mapping.function, mapping.table)
}

fn sequence_number(record: &Value) -> String {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned()
}

/// The stream's ARN with the region that the functions believe to be in.
fn arn(stream: &str) -> String {
    let table = stream.split_once(":table/").map_or(stream, |(_, table)| table);
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}")
}
