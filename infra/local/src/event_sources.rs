//! What invokes functions without a request: queues, table streams and schedules.

mod filter;
mod queue;
mod schedule;
mod stream;
mod table_stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use dynoxide::Database;
use dynoxide::errors::DynoxideError;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::aws::Aws;
use crate::queues::QueueError;
use crate::template::Template;

pub use filter::PatternError;

/// Is told, in one line each, what a developer wants to know: a failed batch, a message given up.
pub type Report = Arc<dyn Fn(String) + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{function}: {source}")]
    Pattern { function: String, source: PatternError },
    #[error("{function}: table {table} has no stream")]
    NoStream { function: String, table: String },
    #[error("{function}: {queue}: {source}")]
    Queue { function: String, queue: String, source: QueueError },
    #[error("the stored stream: {0}")]
    Tidy(Box<DynoxideError>),
    #[error("{function}: the stream of {table}: {source}")]
    Tables { function: String, table: String, source: Box<DynoxideError> },
}

/// How long `stop` waits for invocations that are under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// The running pollers.
pub struct EventSources {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl EventSources {
    /// Starts every mapping and schedule of the template. A filter or stream that it cannot serve is an error now.
    pub fn start(
        template: &Template,
        aws: &Aws,
        tables: &Database,
        report: Report,
    ) -> Result<EventSources, SourceError> {
        let (stop, stopped) = watch::channel(false);
        let stopped = Stopped(stopped);
        table_stream::tidy(tables, &template.stream_mappings, &aws.positions)
            .map_err(|error| SourceError::Tidy(Box::new(error)))?;
        let mut tasks = JoinSet::new();
        for mapping in &template.stream_mappings {
            let reader = stream::Reader::new(mapping, aws, tables, report.clone())?;
            tasks.spawn(reader.read(stopped.clone()));
        }
        for mapping in &template.queue_mappings {
            let known = aws.queues.settings(&mapping.queue);
            known.map_err(|source| SourceError::Queue {
                function: mapping.function.clone(),
                queue: mapping.queue.clone(),
                source,
            })?;
            for _ in 0..mapping.at_once.map_or(queue::POLLERS, |most| most.min(queue::POLLERS)) {
                tasks.spawn(queue::poll(mapping.clone(), aws.clone(), report.clone(), stopped.clone()));
            }
        }
        for schedule in &template.schedules {
            tasks.spawn(schedule::tick(schedule.clone(), aws.invoke.clone(), report.clone(), stopped.clone()));
        }
        Ok(EventSources { tasks, stop })
    }

    /// Takes up nothing new, and lets what is under way end. What does not end in time comes again after a restart.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let _ = tokio::time::timeout(PATIENCE, async { while self.tasks.join_next().await.is_some() {} }).await;
    }
}

/// Knows when to stop.
#[derive(Clone)]
struct Stopped(watch::Receiver<bool>);

impl Stopped {
    /// `None` when it is time to stop, be it before or in the middle of `work`, which is then dropped.
    async fn unless<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            _ = self.0.wait_for(|stop| *stop) => None,
            done = work => Some(done),
        }
    }
}

/// How a function answered a batch.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    /// The items that it named have failed, the others are done.
    Some(Vec<String>),
    /// A response that is not understood counts as a failure of everything, as Lambda has it.
    All(String),
}

/// Reads `{"batchItemFailures": [{"itemIdentifier": "..."}]}`.
fn verdict(response: &[u8], known: impl Fn(&str) -> bool) -> Verdict {
    if response.trim_ascii().is_empty() {
        return Verdict::Done;
    }
    let response: serde_json::Value = match serde_json::from_slice(response) {
        Ok(response) => response,
        Err(error) => return Verdict::All(format!("it answered no JSON: {error}")),
    };
    let failures = match response.get("batchItemFailures") {
        None | Some(serde_json::Value::Null) => return Verdict::Done,
        Some(serde_json::Value::Array(failures)) => failures,
        Some(_) => return Verdict::All("batchItemFailures is no list".to_owned()),
    };
    let mut failed = Vec::with_capacity(failures.len());
    for failure in failures {
        match failure.get("itemIdentifier").and_then(serde_json::Value::as_str) {
            Some(id) if known(id) => failed.push(id.to_owned()),
            Some(id) => {
                return Verdict::All(format!("it reported \"{id}\", which is not in the batch"));
            }
            None => {
                return Verdict::All("it reported a failure without an itemIdentifier".to_owned());
            }
        }
    }
    if failed.is_empty() { Verdict::Done } else { Verdict::Some(failed) }
}
