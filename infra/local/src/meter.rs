//! What each function is invoked for and calls, and the units that DynamoDB bills for it: what AWS would charge.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use serde_json::Value;

use crate::access::{LARGEST, caller, target};

/// Counts nothing until it is read for the first time. Clones share what they count.
#[derive(Clone, Default)]
pub struct Meter(Arc<Mutex<Option<Usage>>>);

/// By function and operation, such as `EmailFunction` and `SendEmail`; its own invocations are `Invoke`.
pub type Usage = BTreeMap<(String, String), Used>;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    pub calls: u64,
    /// DynamoDB's read units; halves are an eventually consistent read's.
    pub read_units: f64,
    pub write_units: f64,
}

impl Meter {
    /// What was used since it was read before.
    pub fn read(&self) -> Usage {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(Usage::new()).unwrap_or_default()
    }

    pub(crate) fn invoked(&self, function: &str) {
        self.add(function, "Invoke", 0.0, 0.0);
    }

    fn add(&self, function: &str, operation: &str, read_units: f64, write_units: f64) {
        if let Some(usage) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            let used = usage.entry((function.to_owned(), operation.to_owned())).or_default();
            used.calls += 1;
            used.read_units += read_units;
            used.write_units += write_units;
        }
    }

    fn is_on(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Counts what a function calls. What has no known name is not billed.
    pub async fn count(State(meter): State<Meter>, request: Request, next: Next) -> Response {
        let function = caller(request.headers()).to_owned();
        if !meter.is_on() || !function.ends_with("Function") {
            return next.run(request).await;
        }
        let target = target(request.headers()).to_owned();
        match target.split_once('.') {
            Some(("DynamoDB_20120810", operation)) => {
                let operation = operation.to_owned();
                meter.count_units(&function, &operation, request, next).await
            }
            Some((_, operation)) => {
                meter.add(&function, operation, 0.0, 0.0);
                next.run(request).await
            }
            None => {
                let operation = match request.uri().path() {
                    path if path.contains("/@connections/") => "PostToConnection",
                    path if path.starts_with("/v2/email/") => "SendEmail",
                    _ if request.method() == Method::GET || request.method() == Method::HEAD => "GetObject",
                    _ => "PutObject",
                };
                meter.add(&function, operation, 0.0, 0.0);
                next.run(request).await
            }
        }
    }

    /// Has DynamoDB say what it bills.
    async fn count_units(&self, function: &str, operation: &str, request: Request, next: Next) -> Response {
        let (mut parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, LARGEST).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let mut input: Value = serde_json::from_slice(&body).unwrap_or_default();
        input["ReturnConsumedCapacity"] = "TOTAL".into();
        parts.headers.remove(header::CONTENT_LENGTH);
        let answer = next.run(Request::from_parts(parts, Body::from(input.to_string()))).await;
        let (parts, body) = answer.into_parts();
        let Ok(body) = to_bytes(body, LARGEST).await else {
            return StatusCode::BAD_GATEWAY.into_response();
        };
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        let told = match &told["ConsumedCapacity"] {
            Value::Array(tables) => tables.clone(),
            one => vec![one.clone()],
        };
        let mut units: f64 = told.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum();
        if parts.status == StatusCode::BAD_REQUEST {
            // What a condition refuses is billed as if it had been written; how much of an item there is, the answer does not say.
            units = input["TransactItems"].as_array().map_or(1.0, |writes| 2.0 * writes.len() as f64);
        }
        match operation {
            "GetItem" | "BatchGetItem" | "TransactGetItems" | "Query" | "Scan" => {
                self.add(function, operation, units, 0.0)
            }
            _ => self.add(function, operation, 0.0, units),
        }
        Response::from_parts(parts, Body::from(body))
    }
}
