//! What template.yaml says, as far as localhost can play it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

mod intrinsics;
mod read;
mod resources;
#[cfg(test)]
mod tests;
mod yaml;

pub use intrinsics::{ACCOUNT, REGION};
pub use read::TemplateError;

/// The parts of the template that run on localhost.
#[derive(Clone, Debug, Default)]
pub struct Template {
    pub functions: Vec<Function>,
    pub roles: Vec<Role>,
    pub http: HttpApi,
    pub websocket: Option<WebSocketApi>,
    pub tables: Vec<Table>,
    pub queues: Vec<Queue>,
    pub secrets: Vec<Secret>,
    /// Their logical ids.
    pub buckets: Vec<String>,
    pub queue_mappings: Vec<QueueMapping>,
    pub stream_mappings: Vec<StreamMapping>,
    pub schedules: Vec<Schedule>,
    /// The queue that hears what becomes of mails.
    pub mail_feedback: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Function {
    /// The logical id.
    pub name: String,
    /// The last folder of CodeUri.
    pub binary: String,
    pub memory_mb: u32,
    pub timeout: Duration,
    pub environment: BTreeMap<String, String>,
    /// The logical id of its role.
    pub role: Option<String>,
}

/// What whoever takes on the role may do.
#[derive(Clone, Debug)]
pub struct Role {
    /// The logical id.
    pub name: String,
    pub permissions: Vec<Permission>,
}

/// An action on a resource, as `service:Action` and an ARN, in both of which `*` may end the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    pub action: String,
    pub resource: String,
}

impl Role {
    pub fn allows(&self, action: &str, resource: &str) -> bool {
        self.permissions
            .iter()
            .any(|permission| fits(&permission.action, action) && fits(&permission.resource, resource))
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == text, |start| text.starts_with(start))
}

#[derive(Clone, Debug, Default)]
pub struct HttpApi {
    pub cors: Option<Cors>,
    pub routes: Vec<Route>,
}

#[derive(Clone, Debug, Default)]
pub struct Cors {
    pub allow_origins: Vec<String>,
    pub allow_methods: Vec<String>,
    pub allow_headers: Vec<String>,
    pub expose_headers: Vec<String>,
    pub max_age: Option<u64>,
    pub allow_credentials: bool,
}

#[derive(Clone, Debug)]
pub struct Route {
    /// Such as `GET /v1/orders/{id}`, `$default` or `$connect`.
    pub key: String,
    /// The function's logical id.
    pub function: String,
}

#[derive(Clone, Debug)]
pub struct WebSocketApi {
    /// The logical id.
    pub name: String,
    pub stage: String,
    pub routes: Vec<Route>,
}

#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    /// DynamoDB's CreateTable request.
    pub create: Value,
    pub ttl_attribute: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Queue {
    pub name: String,
    pub visibility_timeout: Duration,
    pub retention: Duration,
    pub dead_letters: Option<DeadLetters>,
}

#[derive(Clone, Debug)]
pub struct DeadLetters {
    pub queue: String,
    pub max_receive_count: u32,
}

#[derive(Clone, Debug)]
pub struct Secret {
    pub name: String,
    pub length: usize,
}

/// An SQS queue that a function works off.
#[derive(Clone, Debug)]
pub struct QueueMapping {
    pub function: String,
    pub queue: String,
    pub batch_size: usize,
    pub window: Duration,
    pub reports_item_failures: bool,
    /// Batches that may be under way at once; None for as many as there are.
    pub at_once: Option<usize>,
}

/// A table's stream that a function follows.
#[derive(Clone, Debug)]
pub struct StreamMapping {
    pub function: String,
    pub table: String,
    pub batch_size: usize,
    /// Lambda's filter patterns; any of them lets a record through, and none lets all.
    pub filters: Vec<Value>,
    pub reports_item_failures: bool,
    pub bisects: bool,
    pub max_retries: Option<u32>,
    /// Seconds.
    pub max_age: Option<i64>,
    /// The queue that hears of records that were given up.
    pub on_failure: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Schedule {
    pub function: String,
    pub every: Duration,
    pub input: Value,
}
