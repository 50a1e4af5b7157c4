//! A browser's WebSocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::{Person, TestShop};

pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>, Vec<Value>);

impl Socket {
    /// Opens a WebSocket with a ticket of this person.
    pub async fn open(shop: &TestShop, person: &Person) -> Socket {
        let ticket = person.post("/v1/websocket-tickets", json!({})).await.text("/ticket");
        Self::with_ticket(shop, &ticket).await.unwrap()
    }

    /// Opens one with this ticket; or the HTTP status of the refusal.
    pub async fn with_ticket(shop: &TestShop, ticket: &str) -> Result<Socket, u16> {
        Self::from_page(shop, ticket, None).await
    }

    /// As a browser opens it, that shows a page of this origin.
    pub async fn from_page(shop: &TestShop, ticket: &str, origin: Option<&str>) -> Result<Socket, u16> {
        let url = format!("{}/?ticket={ticket}", shop.addresses().websocket);
        let mut request = url.into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((stream, _)) => Ok(Socket(stream, Vec::new())),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// Says something and answers what comes back for it, past updates.
    pub async fn ask(&mut self, mut question: Value) -> Value {
        let reference = crate::key();
        question["ref"] = json!(reference);
        self.say(&question.to_string()).await;
        loop {
            let message = self.next().await;
            if message["ref"] == json!(reference) {
                return message;
            }
            self.1.push(message);
        }
    }

    /// What came while an answer was waited for.
    pub fn passed_over(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.1)
    }

    pub async fn close(mut self) {
        self.0.close(None).await.unwrap();
    }

    /// The next message, within 20 seconds.
    pub async fn next(&mut self) -> Value {
        self.within(Duration::from_secs(20)).await.expect("a message on the WebSocket")
    }

    /// The next message, if one comes in time.
    pub async fn within(&mut self, time: Duration) -> Option<Value> {
        let next = async {
            while let Some(message) = self.0.next().await {
                match message {
                    Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                    Ok(Message::Close(_)) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
            None
        };
        tokio::time::timeout(time, next).await.ok().flatten()
    }

    /// The next message about this event, past others.
    pub async fn until(&mut self, event: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == event {
                return message;
            }
        }
    }
}
