//! Open connections, and the @connections API by which functions reach them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::mpsc;

use super::MAX_MESSAGE;

/// All connections that are open now. Clones share them.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<HashMap<String, Peer>>>);

/// The way to one connection.
pub struct Peer {
    commands: mpsc::UnboundedSender<Command>,
    source: SocketAddr,
    user_agent: String,
    connected_at: Timestamp,
    last_active_at: Timestamp,
}

pub enum Command {
    Post(Vec<u8>),
    Close(u16),
}

impl Peer {
    pub fn new(commands: mpsc::UnboundedSender<Command>, source: SocketAddr, headers: &HeaderMap) -> Peer {
        let user_agent = headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok());
        let now = Timestamp::now();
        Peer {
            commands,
            source,
            user_agent: user_agent.unwrap_or_default().to_owned(),
            connected_at: now,
            last_active_at: now,
        }
    }
}

impl Connections {
    pub fn add(&self, id: &str, peer: Peer) {
        self.all().insert(id.to_owned(), peer);
    }

    pub fn remove(&self, id: &str) {
        self.all().remove(id);
    }

    pub fn touch(&self, id: &str) {
        if let Some(peer) = self.all().get_mut(id) {
            peer.last_active_at = Timestamp::now();
        }
    }

    /// Sends to a connection; false if it has gone.
    pub fn post(&self, id: &str, bytes: Vec<u8>) -> bool {
        self.touch(id);
        self.command(id, Command::Post(bytes))
    }

    /// Says goodbye to everyone, because the server stops.
    pub fn close_all(&self) {
        for peer in self.all().values() {
            // One that is gone already needs no goodbye.
            let _ = peer.commands.send(Command::Close(1001));
        }
    }

    fn command(&self, id: &str, command: Command) -> bool {
        self.all().get(id).is_some_and(|peer| peer.commands.send(command).is_ok())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Peer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The @connections API, where LocalStack has it too.
pub fn router(connections: Connections) -> Router {
    Router::new()
        .route("/_aws/execute-api/{api}/{stage}/@connections/{id}", get(info).post(post).delete(disconnect))
        .layer(DefaultBodyLimit::max(MAX_MESSAGE + 1))
        .with_state(connections)
}

type Place = Path<HashMap<String, String>>;

async fn post(State(connections): State<Connections>, Path(place): Place, body: Bytes) -> Response {
    if body.len() > MAX_MESSAGE {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException");
    }
    match connections.post(&place["id"], body.to_vec()) {
        true => StatusCode::OK.into_response(),
        false => refusal(StatusCode::GONE, "GoneException"),
    }
}

async fn disconnect(State(connections): State<Connections>, Path(place): Place) -> Response {
    match connections.command(&place["id"], Command::Close(1000)) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => refusal(StatusCode::GONE, "GoneException"),
    }
}

async fn info(State(connections): State<Connections>, Path(place): Place) -> Response {
    match connections.all().get(&place["id"]) {
        Some(peer) => Json(json!({
            "connectedAt": peer.connected_at.to_string(),
            "lastActiveAt": peer.last_active_at.to_string(),
            "identity": { "sourceIp": peer.source.ip().to_string(), "userAgent": peer.user_agent },
        }))
        .into_response(),
        None => refusal(StatusCode::GONE, "GoneException"),
    }
}

fn refusal(status: StatusCode, kind: &'static str) -> Response {
    (status, [("x-amzn-errortype", kind)], Json(json!({ "message": null }))).into_response()
}
