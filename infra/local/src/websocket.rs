//! The WebSocket API, as API Gateway runs it: `$connect` may refuse, messages go to their routes in order, and
//! functions post through @connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::lambda::Invoke;
use crate::template::WebSocketApi;

mod connections;
mod event;

use connections::{Command, Peer};
pub use connections::{Connections, router as connections_router};
use event::Connection;

/// API Gateway's limits: bytes of a frame, bytes of a message, the life of a connection.
const MAX_FRAME: usize = 32 * 1024;
const MAX_MESSAGE: usize = 128 * 1024;
const LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);
/// How long a client may take to answer a goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

struct Server {
    api: WebSocketApi,
    invoke: Invoke,
    connections: Connections,
}

/// Serves a WebSocket API at the root and below its stage.
pub fn router(api: &WebSocketApi, invoke: impl Into<Invoke>, connections: Connections) -> Router {
    let stage = format!("/{}", api.stage);
    let server = Arc::new(Server { api: api.clone(), invoke: invoke.into(), connections });
    Router::new()
        .route("/", get(connect))
        .route(&stage, get(connect))
        .route(&format!("{stage}/"), get(connect))
        .with_state(server)
}

async fn connect(
    State(server): State<Arc<Server>>,
    ConnectInfo(source): ConnectInfo<SocketAddr>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let connection = Connection::new(&server.api, source, &headers);
    let answer = server.ask("$connect", connection.connect(&headers, &query)).await;
    match answer {
        Some(200..=299) => {}
        Some(status) => return StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY).into_response(),
        None => return StatusCode::BAD_GATEWAY.into_response(),
    }
    // Posts are taken from here on; they wait until the handshake is over.
    let (commands, inbox) = mpsc::unbounded_channel();
    server.connections.add(&connection.id, Peer::new(commands, source, &headers));
    let upgrade = upgrade.max_frame_size(MAX_FRAME).max_message_size(MAX_MESSAGE);
    let (failed_server, failed_id) = (server.clone(), connection.id.clone());
    upgrade
        .on_failed_upgrade(move |_| failed_server.connections.remove(&failed_id))
        .on_upgrade(move |socket| serve(server, connection, socket, inbox))
}

async fn serve(
    server: Arc<Server>,
    connection: Connection,
    socket: WebSocket,
    inbox: mpsc::UnboundedReceiver<Command>,
) {
    let (sink, stream) = socket.split();
    let writer = tokio::spawn(write(sink, inbox));
    let reading = read(&server, &connection, stream);
    let (code, reason) = tokio::select! {
        ended = reading => ended,
        () = async { let _ = writer.await; tokio::time::sleep(GOODBYE).await; } => (1000, "closed by the server"),
        () = tokio::time::sleep(LIFETIME) => (1001, "Going away"),
    };
    server.connections.remove(&connection.id);
    server.ask("$disconnect", connection.disconnect(code, reason)).await;
}

/// Hands messages to their routes, one after the other, until the client goes.
async fn read(server: &Server, connection: &Connection, mut stream: SplitStream<WebSocket>) -> (u16, &'static str) {
    while let Some(message) = stream.next().await {
        let text = match message {
            Ok(Message::Text(text)) => text.to_string(),
            Ok(Message::Binary(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Ok(Message::Close(frame)) => return (frame.map_or(1005, |frame| frame.code), "closed by the client"),
            Ok(Message::Ping(_) | Message::Pong(_)) => continue,
            Err(_) => return (1006, "the connection broke"),
        };
        server.connections.touch(&connection.id);
        let route = server.route_of(&text);
        if server.ask(&route, connection.message(&route, &text)).await.is_none() {
            let error = serde_json::json!({ "message": "Internal server error", "connectionId": connection.id });
            server.connections.post(&connection.id, error.to_string().into_bytes());
        }
    }
    (1006, "the connection broke")
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut inbox: mpsc::UnboundedReceiver<Command>) {
    while let Some(command) = inbox.recv().await {
        let (message, last) = match command {
            Command::Post(bytes) => match String::from_utf8(bytes) {
                Ok(text) => (Message::text(text), false),
                Err(error) => (Message::binary(error.into_bytes()), false),
            },
            Command::Close(code) => (Message::Close(Some(CloseFrame { code, reason: "".into() })), true),
        };
        if sink.send(message).await.is_err() || last {
            return;
        }
    }
}

impl Server {
    /// `$request.body.action` where there is such a route, else `$default`.
    fn route_of(&self, text: &str) -> String {
        let body: Option<Value> = serde_json::from_str(text).ok();
        let action = body.as_ref().and_then(|body| body.get("action")).and_then(Value::as_str);
        let known =
            |action: &&str| !action.starts_with('$') && self.api.routes.iter().any(|route| route.key == **action);
        action.filter(known).unwrap_or("$default").to_owned()
    }

    /// The status that a route's function answers; None when it failed.
    async fn ask(&self, route: &str, event: Value) -> Option<u16> {
        let Some(route) = self.api.routes.iter().find(|known| known.key == route) else { return Some(200) };
        let payload = self.invoke.call(&route.function, event.to_string().into_bytes()).await.ok()?;
        let answer: Value = serde_json::from_slice(&payload).ok()?;
        Some(
            answer
                .get("statusCode")
                .and_then(Value::as_u64)
                .and_then(|status| u16::try_from(status).ok())
                .unwrap_or(200),
        )
    }
}

#[cfg(test)]
mod tests;
