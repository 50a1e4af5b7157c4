use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::template::{Cors, Route};

/// A gateway before functions that are a closure.
async fn gateway(answer: impl Fn(Value) -> Result<Value, InvokeError> + Send + Sync + 'static) -> String {
    let api = HttpApi {
        cors: Some(Cors {
            allow_origins: vec!["https://shop.example".into()],
            allow_methods: vec!["GET".into(), "POST".into()],
            allow_headers: vec!["authorization".into()],
            expose_headers: vec!["location".into()],
            max_age: Some(60),
            allow_credentials: false,
        }),
        routes: vec![
            Route { key: "GET /things/{id}".into(), function: "F".into() },
            Route { key: "POST /things".into(), function: "F".into() },
        ],
    };
    let answer = Arc::new(answer);
    let invoke = Invoke::with(move |_, event| {
        let answer = answer(event);
        async move { answer.map(|answer| answer.to_string().into_bytes()) }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = router(&api, invoke).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[tokio::test]
async fn a_request_becomes_an_event_and_an_answer_becomes_a_response() {
    let url = gateway(|event| {
        let echo = json!({ "event": event }).to_string();
        Ok(
            json!({ "statusCode": 201, "headers": { "content-type": "application/json", "location": "/x" }, "cookies": ["a=1", "b=2"], "body": echo }),
        )
    });
    let url = url.await;
    let request = reqwest::Client::new()
        .get(format!("{url}/things/a%20b?q=1&q=2&e="))
        .header("X-Two", "1")
        .header("X-Two", "2")
        .header("Cookie", "k=v; l=w");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["location"], "/x");
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    let event = response.json::<Value>().await.unwrap()["event"].clone();
    assert_eq!(event["routeKey"], "GET /things/{id}");
    assert_eq!(event["rawPath"], "/things/a%20b");
    assert_eq!(event["pathParameters"], json!({ "id": "a b" }));
    assert_eq!(event["queryStringParameters"], json!({ "q": "1,2", "e": "" }));
    assert_eq!(event["headers"]["x-two"], "1,2");
    assert_eq!(event["cookies"], json!(["k=v", "l=w"]));
    assert_eq!(event["requestContext"]["http"]["method"], "GET");
    // lambda_http reads the very same.
    serde_json::from_value::<aws_lambda_events::apigw::ApiGatewayV2httpRequest>(event).unwrap();
}

#[tokio::test]
async fn a_body_travels_as_text_or_as_base64() {
    let url = gateway(|event| Ok(json!({ "body": event["body"], "base64": event["isBase64Encoded"] }))).await;
    let send = async |kind: &str, body: &[u8]| {
        let request =
            reqwest::Client::new().post(format!("{url}/things")).header("content-type", kind).body(body.to_vec());
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    assert_eq!(send("application/json", b"{}").await, json!({ "body": "{}", "base64": false }));
    assert_eq!(send("image/png", b"abc").await, json!({ "body": "YWJj", "base64": true }));
    assert_eq!(send("application/json", b"\xff").await, json!({ "body": "/w==", "base64": true }));
}

#[tokio::test]
async fn failures_have_the_gateways_own_answers() {
    let url = gateway(|event| match event["headers"]["x-case"].as_str() {
        Some("crash") => Err(InvokeError::Crashed("x".into())),
        Some("timeout") => Err(InvokeError::TimedOut(Duration::from_secs(1))),
        Some("busy") => Err(InvokeError::Busy),
        Some("format") => Ok(json!({ "statusCode": "many" })),
        _ => Err(InvokeError::Failed(Vec::new())),
    });
    let url = url.await;
    for (case, status) in [("crash", 502), ("timeout", 504), ("busy", 503), ("format", 502), ("error", 502)] {
        let response =
            reqwest::Client::new().get(format!("{url}/things/1")).header("x-case", case).send().await.unwrap();
        assert_eq!(response.status(), status, "{case}");
        assert!(response.json::<BTreeMap<String, String>>().await.unwrap().contains_key("message"));
    }
    assert_eq!(reqwest::get(format!("{url}/other")).await.unwrap().status(), 404);
    let large =
        reqwest::Client::new().post(format!("{url}/things")).body(vec![b'x'; MAX_BODY + 1]).send().await.unwrap();
    assert_eq!(large.status(), 413);
}

#[tokio::test]
async fn only_configured_origins_may_read_answers() {
    let url = gateway(|_| Ok(json!({ "statusCode": 200 }))).await;
    let ask = async |method: Method, origin: &str| {
        let request = reqwest::Client::new().request(method, format!("{url}/things/1")).header("origin", origin);
        request.header("access-control-request-method", "GET").send().await.unwrap()
    };
    let preflight = ask(Method::OPTIONS, "https://shop.example").await;
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.headers()["access-control-allow-origin"], "https://shop.example");
    assert_eq!(preflight.headers()["access-control-allow-methods"], "GET,POST");
    assert_eq!(preflight.headers()["access-control-max-age"], "60");
    assert_eq!(ask(Method::GET, "https://shop.example").await.headers()["access-control-expose-headers"], "location");
    for method in [Method::OPTIONS, Method::GET] {
        assert!(!ask(method, "https://evil.example").await.headers().contains_key("access-control-allow-origin"));
    }
}
