use std::sync::Mutex;

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{self, Error};

use super::*;
use crate::template::Route;

struct Running {
    url: String,
    connections: Connections,
    events: Arc<Mutex<Vec<Value>>>,
}

/// A server whose function refuses tickets other than `good`.
async fn running() -> Running {
    let route = |key: &str| Route { key: key.into(), function: "F".into() };
    let api = WebSocketApi {
        name: "WebSocketApi".into(),
        stage: "live".into(),
        routes: ["$connect", "$disconnect", "$default", "shout"].map(route).into(),
    };
    let events: Arc<Mutex<Vec<Value>>> = Arc::default();
    let (heard, connections) = (events.clone(), Connections::default());
    let invoke = Invoke::with(move |_, event| {
        let refused =
            event["requestContext"]["routeKey"] == "$connect" && event["queryStringParameters"]["ticket"] != "good";
        heard.lock().unwrap().push(event);
        async move { Ok(json!({ "statusCode": if refused { 401 } else { 200 } }).to_string().into_bytes()) }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let app = router(&api, invoke, connections.clone()).merge(connections_router(connections.clone()));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Running { url, connections, events }
}

impl Running {
    async fn heard(&self, count: usize) -> Vec<Value> {
        for _ in 0..200 {
            let events = self.events.lock().unwrap().clone();
            if events.len() >= count {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?}", self.events.lock().unwrap());
    }
}

#[tokio::test]
async fn a_connection_is_opened_used_and_ended() {
    let running = running().await;
    let (mut socket, _) = connect_async(format!("{}/live?ticket=good", running.url)).await.unwrap();
    socket.send(tungstenite::Message::text(r#"{"action":"shout"}"#)).await.unwrap();
    socket.send(tungstenite::Message::text("not json")).await.unwrap();
    let events = running.heard(3).await;
    let routes: Vec<_> = events.iter().map(|event| event["requestContext"]["routeKey"].clone()).collect();
    assert_eq!(routes, ["$connect", "shout", "$default"]);
    assert_eq!(events[2]["body"], "not json");
    let id = events[0]["requestContext"]["connectionId"].as_str().unwrap().to_owned();

    let http = running.url.replace("ws://", "http://");
    let encoded = id.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
    let address = format!("{http}/_aws/execute-api/WebSocketApi/live/@connections/{encoded}");
    let client = reqwest::Client::new();
    assert_eq!(client.post(&address).body("hello").send().await.unwrap().status(), 200);
    assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap(), "hello");
    assert_eq!(client.get(&address).send().await.unwrap().status(), 200);
    assert_eq!(client.delete(&address).send().await.unwrap().status(), 204);
    let close = socket.next().await.unwrap().unwrap();
    assert!(matches!(close, tungstenite::Message::Close(Some(frame)) if u16::from(frame.code) == 1000));
    drop(socket);
    assert_eq!(running.heard(4).await[3]["requestContext"]["eventType"], "DISCONNECT");
    let gone = client.post(&address).body("hello").send().await.unwrap();
    assert_eq!((gone.status().as_u16(), gone.headers()["x-amzn-errortype"].to_str().unwrap()), (410, "GoneException"));
    for event in running.heard(4).await {
        serde_json::from_value::<ApiGatewayWebsocketProxyRequest>(event).unwrap();
    }
}

#[tokio::test]
async fn connect_may_refuse() {
    let running = running().await;
    match connect_async(format!("{}/?ticket=bad", running.url)).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 401),
        other => panic!("{other:?}"),
    }
    assert_eq!(running.heard(1).await.len(), 1);
}

#[tokio::test]
async fn a_client_that_vanishes_is_disconnected_once() {
    let running = running().await;
    let (socket, _) = connect_async(format!("{}/?ticket=good", running.url)).await.unwrap();
    drop(socket);
    assert_eq!(running.heard(2).await[1]["requestContext"]["eventType"], "DISCONNECT");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(running.heard(2).await.len(), 2);
    let (mut socket, _) = connect_async(format!("{}/?ticket=good", running.url)).await.unwrap();
    running.connections.close_all();
    assert!(
        matches!(socket.next().await, Some(Ok(tungstenite::Message::Close(Some(frame)))) if u16::from(frame.code) == 1001)
    );
}
