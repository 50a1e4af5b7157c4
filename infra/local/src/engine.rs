//! DynamoDB's endpoint. What functions ask, the engine is asked in this process; anything else goes to the engine's own server.
//!
//! Tokens of transactions are kept here: the engine looks at those of the last ten minutes before each transaction, which is
//! most of its work in a shop that is busy.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use dynoxide::actions::transact_write_items::TransactWriteItemsRequest;
use dynoxide::{Database, DynoxideError};
use http::{HeaderMap, Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::access::{LARGEST, target};

/// How long DynamoDB knows a token:
/// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
const KNOWN_FOR: Duration = Duration::from_secs(10 * 60);

#[derive(Clone)]
struct Endpoint {
    tables: Database,
    tokens: Arc<Mutex<Tokens>>,
    client: reqwest::Client,
    /// Where the engine's own server is.
    server: String,
}

/// The endpoint of `tables`, whose engine has its own server at `server`.
pub fn router(tables: Database, server: String) -> Router {
    let endpoint = Endpoint { tables, tokens: Arc::default(), client: reqwest::Client::new(), server };
    Router::new().fallback(answer).layer(DefaultBodyLimit::max(LARGEST)).with_state(endpoint)
}

async fn answer(State(endpoint): State<Endpoint>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let operation = target(&headers).strip_prefix("DynamoDB_20120810.").unwrap_or_default();
    let Some(answer) = endpoint.ask(operation, &body) else { return endpoint.forward(method, headers, body).await };
    let (status, answer) = match answer {
        Ok(answer) => (StatusCode::OK, answer),
        Err(Refusal { status, body }) => (status, body),
    };
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer).into_response()
}

/// What is answered where there is no result.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    body: String,
}

impl From<DynoxideError> for Refusal {
    fn from(error: DynoxideError) -> Self {
        let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST);
        Refusal { status, body: error.to_json() }
    }
}

impl Refusal {
    fn named(kind: &str, message: &str) -> Self {
        let kind = format!("com.amazonaws.dynamodb.v20120810#{kind}");
        let body = json!({ "__type": kind, "message": message }).to_string();
        Refusal { status: StatusCode::BAD_REQUEST, body }
    }
}

impl Endpoint {
    /// None for an operation that no function asks.
    fn ask(&self, operation: &str, body: &[u8]) -> Option<Result<String, Refusal>> {
        let tables = &self.tables;
        Some(match operation {
            "GetItem" => asked(body, |request| tables.get_item(request)),
            "BatchGetItem" => asked(body, |request| tables.batch_get_item(request)),
            "TransactGetItems" => asked(body, |request| tables.transact_get_items(request)),
            "Query" => asked(body, |request| tables.query(request)),
            "PutItem" => asked(body, |request| tables.put_item(request)),
            "UpdateItem" => asked(body, |request| tables.update_item(request)),
            "DeleteItem" => asked(body, |request| tables.delete_item(request)),
            "TransactWriteItems" => self.transact(body),
            _ => return None,
        })
    }

    fn transact(&self, body: &[u8]) -> Result<String, Refusal> {
        let mut request: TransactWriteItemsRequest = read(body)?;
        let execute = |request| Ok::<_, Refusal>(written(&self.tables.transact_write_items(request)?));
        // The engine knows what a token may be; one that may not be is not kept.
        let Some(token) = request.client_request_token.take_if(|token| (1..=36).contains(&token.len())) else {
            return execute(request);
        };
        let (now, said) = (Instant::now(), hash(body));
        if let Some(known) = self.tokens().claim(&token, said, now)? {
            return Ok(known);
        }
        let answer = execute(request);
        self.tokens().settle(&token, answer.as_ref().ok());
        answer
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn forward(&self, method: Method, headers: HeaderMap, body: Bytes) -> Response {
        let answered = async {
            let answer = self.client.request(method, &self.server).headers(headers).body(body).send().await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?))
        };
        match answered.await {
            Ok(answer) => answer.into_response(),
            Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        }
    }
}

/// The tokens of transactions, and what those were answered.
#[derive(Default)]
struct Tokens {
    known: HashMap<String, Known>,
    /// The oldest first.
    ends: VecDeque<(Instant, String)>,
}

struct Known {
    since: Instant,
    /// The request.
    said: u64,
    /// None while it is under way.
    answer: Option<String>,
}

impl Tokens {
    /// What the request with this token was answered before; from now on it is under way if it was not.
    fn claim(&mut self, token: &str, said: u64, now: Instant) -> Result<Option<String>, Refusal> {
        while let Some((since, token)) = self.ends.pop_front_if(|(since, _)| now.duration_since(*since) > KNOWN_FOR) {
            // Refused and asked again meanwhile, it is known for longer.
            if let Entry::Occupied(known) = self.known.entry(token)
                && known.get().since == since
            {
                known.remove();
            }
        }
        match self.known.entry(token.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(Known { since: now, said, answer: None });
                self.ends.push_back((now, token.to_owned()));
                Ok(None)
            }
            Entry::Occupied(known) if known.get().said != said => Err(Refusal::named(
                "IdempotentParameterMismatchException",
                "Another request was made with the same client request token.",
            )),
            Entry::Occupied(known) => known.get().answer.clone().map(Some).ok_or_else(|| {
                Refusal::named("TransactionInProgressException", "The request with this token is under way.")
            }),
        }
    }

    /// What was refused may be tried again.
    fn settle(&mut self, token: &str, answer: Option<&String>) {
        match answer {
            Some(answer) => {
                if let Some(known) = self.known.get_mut(token) {
                    known.answer = Some(answer.clone());
                }
            }
            None => drop(self.known.remove(token)),
        }
    }
}

fn asked<I: DeserializeOwned, O: Serialize>(
    body: &[u8],
    ask: impl FnOnce(I) -> Result<O, DynoxideError>,
) -> Result<String, Refusal> {
    Ok(written(&ask(read(body)?)?))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| DynoxideError::SerializationException(error.to_string()).into())
}

fn written<T: Serialize>(answer: &T) -> String {
    serde_json::to_string(answer).expect("what the engine answers can be written")
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn endpoint() -> Endpoint {
        let tables = Database::memory().unwrap();
        let definition = json!({
            "TableName": "Table",
            "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
            "BillingMode": "PAY_PER_REQUEST",
        });
        tables.create_table(serde_json::from_value(definition).unwrap()).unwrap();
        Endpoint { tables, tokens: Arc::default(), client: reqwest::Client::new(), server: String::new() }
    }

    /// A transaction that counts one up, unless it is there already where `only_new`.
    fn count(token: Option<&str>, only_new: bool) -> Vec<u8> {
        let mut update = json!({
            "TableName": "Table",
            "Key": { "pk": { "S": "count" } },
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": { ":one": { "N": "1" } },
        });
        if only_new {
            update["ConditionExpression"] = "attribute_not_exists(pk)".into();
        }
        let mut request = json!({ "TransactItems": [{ "Update": update }] });
        if let Some(token) = token {
            request["ClientRequestToken"] = token.into();
        }
        request.to_string().into_bytes()
    }

    fn counted(endpoint: &Endpoint) -> String {
        let get = json!({ "TableName": "Table", "Key": { "pk": { "S": "count" } } }).to_string();
        let answer: Value = serde_json::from_str(&endpoint.ask("GetItem", get.as_bytes()).unwrap().unwrap()).unwrap();
        answer["Item"]["n"]["N"].as_str().unwrap_or("0").to_owned()
    }

    fn refused(endpoint: &Endpoint, body: &[u8]) -> String {
        let refusal = endpoint.ask("TransactWriteItems", body).unwrap().unwrap_err();
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
        let refusal: Value = serde_json::from_str(&refusal.body).unwrap();
        refusal["__type"].as_str().unwrap().split_once('#').unwrap().1.to_owned()
    }

    #[test]
    fn a_transaction_with_a_token_is_made_once() {
        let endpoint = endpoint();
        let ask = |body: &[u8]| endpoint.ask("TransactWriteItems", body).unwrap().unwrap();
        let first = ask(&count(Some("a"), false));
        assert_eq!(ask(&count(Some("a"), false)), first);
        assert_eq!(counted(&endpoint), "1");
        ask(&count(Some("b"), false));
        ask(&count(None, false));
        ask(&count(None, false));
        assert_eq!(counted(&endpoint), "4");
        assert_eq!(refused(&endpoint, &count(Some("a"), true)), "IdempotentParameterMismatchException");
    }

    #[test]
    fn what_was_refused_may_be_asked_again_with_the_same_token() {
        let endpoint = endpoint();
        endpoint.ask("TransactWriteItems", &count(None, false)).unwrap().unwrap();
        for _ in 0..2 {
            assert_eq!(refused(&endpoint, &count(Some("a"), true)), "TransactionCanceledException");
        }
        let delete = json!({ "TableName": "Table", "Key": { "pk": { "S": "count" } } }).to_string();
        endpoint.ask("DeleteItem", delete.as_bytes()).unwrap().unwrap();
        endpoint.ask("TransactWriteItems", &count(Some("a"), true)).unwrap().unwrap();
        assert_eq!(counted(&endpoint), "1");
    }

    #[test]
    fn a_token_is_known_for_ten_minutes_and_what_is_under_way_is_not_made_twice() {
        let (mut tokens, begin) = (Tokens::default(), Instant::now());
        let name =
            |refusal: Refusal| refusal.body.split('"').nth(3).unwrap().split('#').next_back().unwrap().to_owned();
        assert_eq!(tokens.claim("a", 1, begin).unwrap(), None);
        assert_eq!(name(tokens.claim("a", 1, begin).unwrap_err()), "TransactionInProgressException");
        tokens.settle("a", Some(&"{}".to_owned()));
        let late = begin + KNOWN_FOR;
        assert_eq!(tokens.claim("a", 1, late).unwrap().as_deref(), Some("{}"));
        assert_eq!(tokens.claim("b", 1, late).unwrap(), None);
        assert_eq!(tokens.claim("a", 2, late + Duration::from_secs(1)).unwrap(), None);
        assert_eq!((tokens.known.len(), tokens.ends.len()), (2, 2));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let endpoint = endpoint();
        for (operation, body) in [("GetItem", "{"), ("TransactWriteItems", r#"{"TransactItems":1}"#), ("Query", "")] {
            let refusal = endpoint.ask(operation, body.as_bytes()).unwrap().unwrap_err();
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{operation}");
        }
        assert!(endpoint.ask("ListTables", b"{}").is_none());
        let long = "x".repeat(37);
        assert_eq!(refused(&endpoint, &count(Some(&long), false)), "ValidationException");
    }
}
