//! A table's stream as the source of a function's invocations, strictly in order.

use std::time::Duration;

use dynoxide::Database;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::filter::Filter;
use super::table_stream::{TableStream, sequence_number};
use super::{Report, SourceError, Stopped, Verdict, verdict};
use crate::aws::Aws;
use crate::functions::InvokeError;
use crate::lambda::function_arn;
use crate::queues::{Letter, queue_name};
use crate::template::StreamMapping;

const POLL: Duration = Duration::from_millis(25);
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Reads one stream for one function.
pub(super) struct Reader {
    mapping: StreamMapping,
    /// Its name among the saved positions.
    name: String,
    filter: Filter,
    aws: Aws,
    stream: TableStream,
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
    FailedFrom {
        index: usize,
        why: String,
        function_error: bool,
    },
}

impl Reader {
    pub(super) fn new(
        mapping: &StreamMapping,
        aws: &Aws,
        tables: &Database,
        report: Report,
    ) -> Result<Reader, SourceError> {
        let (function, table) = (mapping.function.clone(), mapping.table.clone());
        let filter = Filter::new(&mapping.filters)
            .map_err(|source| SourceError::Pattern { function: function.clone(), source })?;
        if let Some(queue) = &mapping.on_failure {
            let destination = |source| SourceError::Queue { function: function.clone(), queue: queue.clone(), source };
            aws.queues.settings(queue_name(queue)).map_err(destination)?;
        }
        let failed =
            |source| SourceError::Tables { function: function.clone(), table: table.clone(), source: Box::new(source) };
        let stream = TableStream::find(tables, &table).map_err(failed)?;
        let stream =
            stream.ok_or_else(|| SourceError::NoStream { function: function.clone(), table: table.clone() })?;
        Ok(Reader { mapping: mapping.clone(), name: reader_name(mapping), filter, aws: aws.clone(), stream, report })
    }

    /// Goes on where it stopped the last time, or at the stream's beginning.
    pub(super) async fn read(self, mut stopped: Stopped) {
        let mut pause = POLL;
        while stopped.unless(tokio::time::sleep(pause)).await.is_some() {
            pause = POLL;
            let records =
                match self.stream.records_after(self.aws.positions.get(&self.name), self.mapping.batch_size).await {
                    Ok(records) => records,
                    Err(error) => {
                        self.tell(format!("the stream of {}: {error}", self.mapping.table));
                        pause = LONGEST_PAUSE;
                        continue;
                    }
                };
            let Some(last) = records.last().map(sequence_number) else {
                continue;
            };
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
            } else if let Some(condition) = self.is_over(&batch) {
                self.give_up(&batch, condition, function_error);
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

    /// Why a batch that failed is not tried again.
    fn is_over(&self, batch: &Batch) -> Option<&'static str> {
        let since = batch.records.first().map_or(0, created_at);
        let is_old = |most: i64| Timestamp::now().as_second() - since > most;
        match (self.mapping.max_retries, self.mapping.max_age) {
            (Some(most), _) if batch.attempts > most => Some("RetryAttemptsExhausted"),
            (_, Some(most)) if is_old(most) => Some("RecordAgeExceeded"),
            _ => None,
        }
    }

    fn give_up(&self, batch: &Batch, condition: &str, function_error: bool) {
        let given_up = format!("gave up {} records of {}'s stream", batch.records.len(), self.mapping.table);
        let Some(queue) = self.mapping.on_failure.as_deref().map(queue_name) else {
            return self.tell(given_up);
        };
        let body = self.failure(batch, condition, function_error).to_string();
        match self.aws.queues.send(queue, Letter { body, ..Letter::default() }) {
            Ok(_) => self.tell(format!("{given_up}: {queue} holds their place")),
            Err(error) => self.tell(format!("{given_up}: {queue}: {error}")),
        }
    }

    /// What Lambda sends to an on-failure destination: not the records, but where they are in the stream.
    fn failure(&self, batch: &Batch, condition: &str, function_error: bool) -> Value {
        let mut response = json!({ "statusCode": 200, "executedVersion": "$LATEST" });
        if function_error {
            response["functionError"] = json!("Unhandled");
        }
        let (first, last) = (batch.records.first(), batch.records.last());
        let arrival = |record: Option<&Value>| {
            Timestamp::from_second(record.map_or(0, created_at)).unwrap_or_default().to_string()
        };
        json!({
            "requestContext": {
                "requestId": uuid::Uuid::new_v4().to_string(),
                "functionArn": function_arn(&self.mapping.function),
                "condition": condition,
                "approximateInvokeCount": batch.attempts,
            },
            "responseContext": response,
            "version": "1.0",
            "timestamp": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
            "DDBStreamBatchInfo": {
                "shardId": self.stream.shard,
                "startSequenceNumber": first.map(sequence_number),
                "endSequenceNumber": last.map(sequence_number),
                "approximateArrivalOfFirstRecord": arrival(first),
                "approximateArrivalOfLastRecord": arrival(last),
                "batchSize": batch.records.len(),
                "streamArn": self.stream.arn(),
            },
        })
    }

    fn done_up_to(&self, sequence_number: String) {
        self.aws.positions.set(&self.name, self.stream.position(sequence_number));
    }

    fn tell(&self, what: String) {
        (self.report)(format!("{}: {what}", self.mapping.function));
    }
}

/// When a record came into the stream, in seconds since 1970.
fn created_at(record: &Value) -> i64 {
    record["dynamodb"]["ApproximateCreationDateTime"].as_i64().unwrap_or_default()
}

/// A reader's name among the saved positions.
pub(super) fn reader_name(mapping: &StreamMapping) -> String {
    format!("{} {}", mapping.function, mapping.table)
}
