//! People who use the API: requests, and answers that a test can read.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use uuid::Uuid;
use waybill_local::authenticator;

use crate::assert_documented;
use crate::shop::PASSWORD;

/// Somebody with or without a token.
#[derive(Clone)]
pub struct Person {
    http: Client,
    api: String,
    token: Option<String>,
    pub id: String,
    pub email: String,
    pub refresh_token: String,
    pub device_token: String,
}

/// An answer, with its body read.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

/// A fresh idempotency key.
pub fn key() -> String {
    Uuid::new_v4().to_string()
}

pub fn address() -> Value {
    json!({ "name": "Ann Example", "line1": "1 Main St", "city": "Springfield", "postal_code": "62701", "country": "US" })
}

/// The code of an authenticator app, so many steps from now.
pub fn code(secret: &str, steps: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    authenticator::code(secret, now as i64 + steps * authenticator::STEP).unwrap()
}

impl Person {
    pub fn new(http: Client, api: String) -> Person {
        let nothing = String::new;
        let (id, email, refresh_token, device_token) = (nothing(), nothing(), nothing(), nothing());
        Person { http, api, token: None, id, email, refresh_token, device_token }
    }

    pub fn with_tokens(self, answer: &Answer) -> Person {
        Person {
            token: Some(answer.text("/access_token")),
            id: answer.text("/account/id"),
            email: answer.text("/account/email"),
            refresh_token: answer.text("/refresh_token"),
            // Of a log-in only.
            device_token: answer.body["device_token"].as_str().map_or(self.device_token, ToOwned::to_owned),
            http: self.http,
            api: self.api,
        }
    }

    /// The same person at another address of this machine (127.0.0.0/8).
    pub fn at(self, address: &str) -> Person {
        let address: std::net::IpAddr = address.parse().unwrap();
        Person { http: Client::builder().local_address(address).build().unwrap(), ..self }
    }

    /// Logs in, whatever comes of it.
    pub async fn log_in(&self, email: &str, password: &str) -> Answer {
        self.post("/v1/sessions", json!({ "email": email, "password": password })).await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/v1/sessions/refresh", json!({ "refresh_token": token })).await
    }

    /// With a new access token of the same session.
    pub async fn refreshed(self) -> Person {
        let answer = self.refresh(&self.refresh_token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.with_tokens(&answer)
    }

    pub fn with_token(self, token: &str) -> Person {
        Person { token: Some(token.to_owned()), ..self }
    }

    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.api));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The answer, which has to be one that the API's document promises.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.request(method.clone(), path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_documented(method.as_str(), path, &answer);
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// As `post`, for a request that outlives what it is made of.
    pub fn post_owned(&self, path: &str, body: Value) -> impl Future<Output = Answer> + use<> {
        let (person, path) = (self.clone(), path.to_owned());
        async move { person.post(&path, body).await }
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// Replaces what was read at this version.
    pub async fn put_version(&self, path: &str, version: u64, body: Value) -> Answer {
        let request = self.request(Method::PUT, path).header("If-Match", format!("\"{version}\""));
        let answer = Answer::of(request.json(&body).send().await.unwrap()).await;
        assert_documented("PUT", path, &answer);
        answer
    }

    /// Sets up a second factor; the person in the session that has it, and its secret.
    pub async fn set_up_totp(self) -> (Person, String) {
        let secret = self.post("/v1/account/totp", json!({ "password": PASSWORD })).await.text("/secret");
        let confirmed = self.post("/v1/account/totp/confirm", json!({ "code": code(&secret, 0) })).await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.body);
        let tokens = Answer { body: confirmed.body["tokens"].clone(), ..confirmed };
        (self.with_tokens(&tokens), secret)
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Puts a SKU into the cart; the cart as it is then.
    pub async fn put_line(&self, sku: &str, quantity: i64) -> Answer {
        self.send(Method::PUT, &format!("/v1/cart/lines/{sku}"), Some(json!({ "quantity": quantity }))).await
    }

    /// Asks for an order, whatever comes of it.
    pub async fn place(&self, key: &str, quote: &str) -> Answer {
        self.place_with(key, json!({ "quote": quote, "shipping_address": address() })).await
    }

    /// As `place`, and again with the same key while nobody has time for it, as a client does.
    pub async fn place_patiently(&self, key: &str, quote: &str) -> Answer {
        const TRIES: usize = 5;
        let mut answer = self.place(key, quote).await;
        for _ in 0..TRIES {
            if [503, 504].contains(&answer.status) {
                answer = self.place(key, quote).await;
            }
        }
        answer
    }

    pub async fn place_with(&self, key: &str, body: Value) -> Answer {
        self.post_once("/v1/orders", key, body).await
    }

    /// What is done once however often it is sent with this key.
    pub async fn post_once(&self, path: &str, key: &str, body: Value) -> Answer {
        let request = self.request(Method::POST, path).header("Idempotency-Key", key).json(&body);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_documented("POST", path, &answer);
        answer
    }

    /// Fills the cart; its quote.
    pub async fn quote(&self, lines: &[(&str, i64)]) -> String {
        let mut quote = String::new();
        for (sku, quantity) in lines {
            let cart = self.put_line(sku, *quantity).await;
            assert_eq!(cart.status, 200, "{}", cart.body);
            quote = cart.text("/quote");
        }
        quote
    }

    /// Fills the cart and orders it.
    pub async fn order(&self, lines: &[(&str, i64)]) -> Answer {
        let quote = self.quote(lines).await;
        let placed = self.place(&key(), &quote).await;
        assert_eq!(placed.status, 201, "{}", placed.body);
        placed
    }
}

impl Answer {
    pub async fn of(response: Response) -> Answer {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// The text at a JSON pointer, which must be there.
    pub fn text(&self, pointer: &str) -> String {
        let value = self.body.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no text at {pointer}: {} {}", self.status, self.body)).to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// That this is a problem document of a kind, with the status it says.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, kind: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.body);
        assert_eq!(self.body["type"], format!("urn:waybill:problem:{kind}"), "{}", self.body);
        assert_eq!(self.body["status"], status, "{}", self.body);
        assert!(self.body["title"].is_string() && self.body["detail"].is_string(), "{}", self.body);
        assert!(self.header("request-id").is_some_and(|id| self.body["request_id"] == id), "{}", self.body);
    }

    /// The fields that a problem names: pointers, parameters, headers.
    pub fn fields(&self) -> Vec<String> {
        let name = |error: &Value| {
            ["pointer", "parameter", "header"].iter().find_map(|kind| error[*kind].as_str()).unwrap_or("?").to_owned()
        };
        self.body["errors"].as_array().map(|errors| errors.iter().map(name).collect()).unwrap_or_default()
    }
}
