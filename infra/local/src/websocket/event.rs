//! What a WebSocket function gets:
//! https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::template::WebSocketApi;

/// What all events of one connection say.
pub struct Connection {
    pub id: String,
    context: Value,
}

impl Connection {
    pub fn new(api: &WebSocketApi, source: SocketAddr, headers: &HeaderMap) -> Connection {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let id = BASE64_STANDARD.encode(&Uuid::new_v4().as_bytes()[..11]);
        let context = json!({
            "apiId": "local",
            "connectedAt": Timestamp::now().as_millisecond(),
            "connectionId": id,
            "domainName": text(http::header::HOST),
            "identity": { "sourceIp": source.ip().to_string(), "userAgent": text(http::header::USER_AGENT) },
            "messageDirection": "IN",
            "stage": api.stage,
        });
        Connection { id, context }
    }

    pub fn connect(&self, headers: &HeaderMap, query: &[(String, String)]) -> Value {
        let mut event = self.event("$connect", "CONNECT");
        let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in headers {
            lists.entry(name.as_str()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
        }
        add(&mut event, "headers", "multiValueHeaders", lists);
        let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in query {
            lists.entry(name).or_default().push(value.clone());
        }
        if !lists.is_empty() {
            add(&mut event, "queryStringParameters", "multiValueQueryStringParameters", lists);
        }
        event
    }

    pub fn message(&self, route: &str, body: &str) -> Value {
        let mut event = self.event(route, "MESSAGE");
        event["requestContext"]["messageId"] = Uuid::new_v4().to_string().into();
        event["body"] = body.into();
        event
    }

    pub fn disconnect(&self, code: u16, reason: &str) -> Value {
        let mut event = self.event("$disconnect", "DISCONNECT");
        event["requestContext"]["disconnectStatusCode"] = code.into();
        event["requestContext"]["disconnectReason"] = reason.into();
        event
    }

    fn event(&self, route: &str, kind: &str) -> Value {
        let now = Timestamp::now();
        let request = Uuid::new_v4().to_string();
        let mut context = self.context.clone();
        context["eventType"] = kind.into();
        context["routeKey"] = route.into();
        context["requestId"] = request.clone().into();
        context["extendedRequestId"] = request.into();
        context["requestTime"] = now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string().into();
        context["requestTimeEpoch"] = now.as_millisecond().into();
        json!({ "requestContext": context, "isBase64Encoded": false })
    }
}

/// Adds values twice, as API Gateway does: the last of each name, and all.
fn add(event: &mut Value, single: &str, multiple: &str, lists: BTreeMap<&str, Vec<String>>) {
    event[single] = lists.iter().map(|(name, values)| ((*name).to_owned(), json!(values.last()))).collect();
    event[multiple] = json!(lists);
}
