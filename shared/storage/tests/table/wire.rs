//! What goes over the wire: which calls, and at will a reply that never arrives.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
    BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{BehaviorVersion, ConfigBag, Intercept, Region, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_types::body::SdkBody;
use axum::http::StatusCode;
use serde_json::{Value, json};

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
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .interceptor(self.clone())
            .build();
        Client::from_conf(config)
    }

    /// The calls since the last time somebody asked, with the SDK's own retries.
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

    /// The next call takes effect, but its reply becomes a 500, which the SDK answers with another try.
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

impl Intercept for Wire {
    fn name(&self) -> &'static str {
        "wire"
    }

    /// Asks of every call what it costs.
    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let mut body: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default())?;
        body["ReturnConsumedCapacity"] = json!("TOTAL");
        let body = body.to_string();
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body);
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let units = |table: &Value| table["CapacityUnits"].as_f64().unwrap_or_default();
        let cost = &body["ConsumedCapacity"];
        let units = cost.as_array().map_or_else(|| units(cost), |tables| tables.iter().map(units).sum());
        self.0.halves.fetch_add((units * 2.0) as i64, Ordering::SeqCst);
        Ok(())
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let target = context.request().headers().get("x-amz-target").expect("a call has a target");
        let call = target.rsplit('.').next().unwrap_or(target);
        let left = &self.0.calls_until_end;
        if left.load(Ordering::SeqCst) > 0 && left.fetch_sub(1, Ordering::SeqCst) <= 1 {
            left.store(1, Ordering::SeqCst);
            return Err("the process has died".into());
        }
        self.0.calls.lock().unwrap().push(call.to_owned());
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let length = context.response().headers().get("content-length").and_then(|length| length.parse().ok());
        self.0.bytes.fetch_add(length.unwrap_or_default(), Ordering::SeqCst);
        if self.0.replies_until_loss.fetch_sub(1, Ordering::SeqCst) == 1 {
            *context.response_mut().status_mut() = StatusCode::INTERNAL_SERVER_ERROR.as_u16().try_into()?;
        }
        Ok(())
    }
}
