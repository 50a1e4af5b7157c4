//! What goes over the wire: which calls, and at will a reply that never arrives.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::http::StatusCode;
use serde_json::{Value, json};
use waybill_aws::{Client, Connections};

#[derive(Clone, Debug, Default)]
pub struct Wire(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    calls: Mutex<Vec<String>>,
    /// Of the answers' bodies.
    bytes: AtomicI64,
    /// Halves of the read and write units that the engine says it took.
    halves: AtomicI64,
    /// The reply at which it comes down from 1 to 0 is lost.
    replies_until_loss: AtomicI64,
    /// How many calls there are before no other leaves any more; at zero they all do.
    calls_until_end: AtomicI64,
}

impl Wire {
    /// A client of the engine at `endpoint` as the functions have one, over this wire.
    pub fn client(&self, endpoint: &str) -> Client {
        let http = SharedHttpConnector::new(Tapped { wire: self.clone(), connections: Connections::default() });
        let credentials = Credentials::new("test", "test", None, None, "test");
        Client::new(http, "dynamodb", "us-east-1", endpoint, credentials)
    }

    /// The calls since the last time somebody asked, with the client's own retries.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.0.calls.lock().unwrap())
    }

    /// Bytes of the answers since the last time somebody asked.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.swap(0, Ordering::SeqCst).unsigned_abs()
    }

    /// Read and write units of the calls since the last time somebody asked, as the engine counts them.
    pub fn units(&self) -> f64 {
        self.0.halves.swap(0, Ordering::SeqCst) as f64 / 2.0
    }

    /// The next call takes effect, but its reply becomes a 500, which the client answers with another try.
    pub fn lose_next_reply(&self) {
        self.lose_reply_after(0);
    }

    /// The same, of the call after so many others.
    pub fn lose_reply_after(&self, replies: i64) {
        self.0.replies_until_loss.store(replies + 1, Ordering::SeqCst);
    }
}

impl Wire {
    /// After so many calls nothing leaves any more, as if the process had died there; until the next time.
    pub fn end_after(&self, calls: i64) {
        self.0.calls_until_end.store(calls + 1, Ordering::SeqCst);
    }

    /// Everything leaves again.
    pub fn go_on(&self) {
        self.0.calls_until_end.store(0, Ordering::SeqCst);
    }
}

/// Connections with a wire between them and their client.
#[derive(Clone, Debug)]
struct Tapped {
    wire: Wire,
    connections: Connections,
}

impl HttpConnector for Tapped {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let tapped = self.clone();
        HttpConnectorFuture::new(async move {
            let request = tapped.wire.sent(request)?;
            tapped.connections.call(request).await.map(|answer| tapped.wire.heard(answer))
        })
    }
}

impl Wire {
    /// Asks of every call what it costs, unless it does not leave any more.
    fn sent(&self, mut request: HttpRequest) -> Result<HttpRequest, ConnectorError> {
        let left = &self.0.calls_until_end;
        if left.load(Ordering::SeqCst) > 0 && left.fetch_sub(1, Ordering::SeqCst) <= 1 {
            left.store(1, Ordering::SeqCst);
            return Err(ConnectorError::other("the process has died".into(), None));
        }
        let target = request.headers().get("x-amz-target").expect("a call has a target");
        self.0.calls.lock().unwrap().push(target.rsplit('.').next().unwrap_or(target).to_owned());
        let mut body: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
        body["ReturnConsumedCapacity"] = json!("TOTAL");
        let body = body.to_string();
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body);
        Ok(request)
    }

    fn heard(&self, mut answer: HttpResponse) -> HttpResponse {
        let body = answer.body().bytes().unwrap_or_default();
        self.0.bytes.fetch_add(body.len().try_into().unwrap(), Ordering::SeqCst);
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let units = |table: &Value| table["CapacityUnits"].as_f64().unwrap_or_default();
        let cost = &body["ConsumedCapacity"];
        let units = cost.as_array().map_or_else(|| units(cost), |tables| tables.iter().map(units).sum());
        self.0.halves.fetch_add((units * 2.0) as i64, Ordering::SeqCst);
        if self.0.replies_until_loss.fetch_sub(1, Ordering::SeqCst) == 1 {
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR.as_u16().try_into().unwrap();
        }
        answer
    }
}
