//! The line to Stripe: what async-stripe's requests are sent by, over the network; or, for simulations, to a function of the
//! same process. async-stripe's own client speaks HTTP/2 as well and reads the whole of every object, which is half of a
//! function's binary.

use std::fmt::Display;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, USER_AGENT};
use http::uri::InvalidUri;
use http::{HeaderValue, Method, Request, Response, Uri};
use miniserde::Deserialize;
use stripe_client_core::{CustomizedStripeRequest, StripeClient, StripeClientErr, StripeMethod, VERSION};
use waybill_aws::Connections;

use crate::stripe_api::PATIENCE;

/// Answers a request to Stripe, or fails as a network does.
pub type Counter = Arc<dyn Fn(Request<Bytes>) -> Answered + Send + Sync>;
type Answered = Pin<Box<dyn Future<Output = Result<Response<Bytes>, String>> + Send>>;

const OURSELVES: &str = concat!("Waybill/", env!("CARGO_PKG_VERSION"));

#[derive(Clone)]
pub(crate) struct Line {
    /// Where the API lives, with a slash at the end.
    url: String,
    authorization: HeaderValue,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Network(Connections),
    InProcess(Counter),
}

/// Why Stripe did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    /// It would not, with this status.
    #[error("Stripe refused: {0:?}, status {1}")]
    Refused(Refused, u16),
    #[error("Stripe did not answer in time")]
    Timeout,
    #[error("Stripe did not answer: {0}")]
    Unanswered(String),
    #[error("Stripe's answer cannot be read: {0}")]
    Unreadable(String),
    /// It cannot be put to Stripe, which is nobody's fault but ours.
    #[error("Stripe cannot be asked: {0}")]
    Unaskable(String),
}

/// Why Stripe refuses. <https://docs.stripe.com/api/errors>
#[derive(Clone, Debug)]
pub struct Refused {
    pub kind: String,
    pub code: Option<String>,
    pub param: Option<String>,
    /// Whether it is what the idempotency key was answered before.
    pub is_replayed: bool,
}

impl StripeClientErr for StripeError {
    fn deserialize_err(why: impl Display) -> Self {
        StripeError::Unreadable(why.to_string())
    }
}

impl Line {
    pub fn network(url: &str, secret_key: &str) -> Result<Line, StripeError> {
        let _: Uri = url.parse().map_err(|error: InvalidUri| StripeError::Unaskable(error.to_string()))?;
        Line::new(url, secret_key, Way::Network(Connections::to_the_web()))
    }

    pub fn in_process(secret_key: &str, counter: Counter) -> Result<Line, StripeError> {
        Line::new("/", secret_key, Way::InProcess(counter))
    }

    fn new(url: &str, secret_key: &str, way: Way) -> Result<Line, StripeError> {
        let authorization = HeaderValue::try_from(format!("Bearer {secret_key}"));
        let mut authorization = authorization
            .map_err(|_| StripeError::Unaskable("a key that is not of visible ASCII characters".into()))?;
        authorization.set_sensitive(true);
        Ok(Line { url: url.to_owned(), authorization, way })
    }

    /// <https://docs.stripe.com/api/authentication>, `/versioning` and `/idempotent_requests`
    fn on_the_wire(&self, request: CustomizedStripeRequest) -> Result<Request<Bytes>, StripeError> {
        let (asked, settings) = request.into_pieces();
        let method = match asked.method {
            StripeMethod::Get => Method::GET,
            StripeMethod::Post => Method::POST,
            StripeMethod::Delete => Method::DELETE,
        };
        let query = asked.query.map(|query| format!("?{query}")).unwrap_or_default();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}v1{}{query}", self.url, asked.path))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(USER_AGENT, OURSELVES)
            .header("stripe-version", VERSION.as_str())
            // What is sent as Stripe closes a connection that waits would be lost, and is not sent again.
            .header(CONNECTION, "close");
        if asked.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if let Some(key) = settings.request_strategy.and_then(|strategy| strategy.get_key()) {
            request = request.header("idempotency-key", key.as_str());
        }
        let request = request.body(asked.body.unwrap_or_default().into());
        request.map_err(|error| StripeError::Unaskable(error.to_string()))
    }
}

impl Way {
    async fn carry(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        match self {
            Way::Network(connections) => connections.ask(request).await.map_err(|error| error.to_string()),
            Way::InProcess(counter) => counter(request).await,
        }
    }
}

impl StripeClient for Line {
    type Err = StripeError;

    /// Asks once, whatever the strategy: what is to be asked again, its caller knows.
    async fn execute(&self, request: CustomizedStripeRequest) -> Result<Bytes, StripeError> {
        let request = self.on_the_wire(request)?;
        let answer = tokio::time::timeout(PATIENCE, self.way.carry(request)).await;
        let answer = answer.map_err(|_| StripeError::Timeout)?.map_err(StripeError::Unanswered)?;
        let (head, body) = answer.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        #[derive(Deserialize)]
        struct Answer {
            error: Why,
        }
        #[derive(Deserialize)]
        struct Why {
            #[serde(rename = "type")]
            kind: String,
            code: Option<String>,
            param: Option<String>,
        }
        match miniserde::json::from_str::<Answer>(&String::from_utf8_lossy(&body)) {
            Ok(Answer { error: Why { kind, code, param } }) => {
                let is_replayed = head.headers.get("idempotent-replayed").is_some_and(|replayed| replayed == "true");
                Err(StripeError::Refused(Refused { kind, code, param, is_replayed }, head.status.as_u16()))
            }
            Err(_) => Err(StripeError::Unreadable("an error of another form".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use stripe_client_core::{IdempotencyKey, RequestBuilder, RequestStrategy, StripeRequest};
    use stripe_core::customer::CreateCustomer;

    use super::*;
    use crate::objects::Customer;

    /// A line to somebody who answers so, and what was sent by it.
    fn line(status: u16, answer: &'static str) -> (Line, Arc<Mutex<Vec<Request<Bytes>>>>) {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let keep = sent.clone();
        let counter: Counter = Arc::new(move |request| {
            keep.lock().unwrap().push(request);
            Box::pin(async move { Ok(Response::builder().status(status).body(answer.into()).unwrap()) })
        });
        (Line::in_process("sk_test_1", counter).unwrap(), sent)
    }

    async fn ask(line: &Line) -> Result<Customer, StripeError> {
        RequestBuilder::new(StripeMethod::Get, "/customers/cus_1").customize().send(line).await
    }

    #[tokio::test]
    async fn a_request_says_who_asks_in_which_version_and_what_makes_it_the_same_request() {
        let (line, sent) = line(200, r#"{"id":"cus_1","object":"customer","metadata":{}}"#);
        let key = IdempotencyKey::new("ord_1/1").unwrap();
        let request = CreateCustomer::new().email("a+b@example.com").build();
        let request = request.customize::<Customer>().request_strategy(RequestStrategy::Idempotent(key));
        assert_eq!(request.send(&line).await.unwrap().id, "cus_1");
        assert_eq!(ask(&line).await.unwrap().id, "cus_1");

        let sent = sent.lock().unwrap();
        let header = |place: usize, name: &str| sent[place].headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!((sent[0].method(), sent[0].uri().path()), (&Method::POST, "/v1/customers"));
        assert_eq!(sent[0].body(), "email=a%2Bb@example.com");
        assert_eq!(header(0, "idempotency-key"), Some("ord_1/1"));
        assert_eq!(header(0, "content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!((sent[1].method(), sent[1].uri().path()), (&Method::GET, "/v1/customers/cus_1"));
        assert_eq!((header(1, "idempotency-key"), header(1, "content-type")), (None, None));
        for place in [0, 1] {
            assert_eq!(header(place, "authorization"), Some("Bearer sk_test_1"));
            assert_eq!(header(place, "stripe-version"), Some("2026-09-30.endive"));
        }
        assert!(!format!("{:?}", sent[1]).contains("sk_test_1"), "a key that a log could show");
    }

    #[tokio::test]
    async fn a_refusal_is_read_without_the_objects_that_come_with_it() {
        const REFUSED: &str = r#"{"error":{"type":"invalid_request_error","code":"resource_missing","param":"customer",
            "message":"No such customer: 'cus_1'","doc_url":"https://…","payment_intent":{"id":"pi_1","new":[{}]}}}"#;
        let error = ask(&line(404, REFUSED).0).await.unwrap_err();
        let StripeError::Refused(Refused { kind, code, param, is_replayed: false }, 404) = error else {
            panic!("{error}")
        };
        assert_eq!(kind, "invalid_request_error");
        assert_eq!((code.as_deref(), param.as_deref()), (Some("resource_missing"), Some("customer")));
        let error = ask(&line(500, r#"{"error":{"type":"api_error"}}"#).0).await.unwrap_err();
        assert!(matches!(error, StripeError::Refused(Refused { code: None, param: None, .. }, 500)), "{error}");
    }

    #[tokio::test]
    async fn what_stands_before_stripe_cannot_be_read() {
        for (status, answer) in
            [(502, "<html>Bad gateway</html>"), (200, "<html>"), (200, "{}"), (301, ""), (500, "{}")]
        {
            let error = ask(&line(status, answer).0).await.unwrap_err();
            assert!(matches!(error, StripeError::Unreadable(_)), "{status} {answer}: {error}");
        }
    }

    #[tokio::test]
    async fn nobody_answers_where_nobody_listens() {
        let error = ask(&Line::network("http://127.0.0.1:1/", "sk_test_1").unwrap()).await.unwrap_err();
        assert!(matches!(error, StripeError::Unanswered(_)), "{error}");
    }

    #[test]
    fn an_address_and_a_key_have_to_be_ones() {
        assert!(Line::network("not an address", "sk_test_1").is_err());
        assert!(Line::network("https://api.stripe.com/", "sk_test\n1").is_err());
        assert!(Line::network("https://api.stripe.com/", "sk_test_1").is_ok());
    }
}
