//! The line to Stripe: the network, by async-stripe's own client; or, for simulations, a function of the same process.

use std::pin::Pin;
use std::sync::Arc;

use axum::body::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response};
use stripe::{Client, CustomizedStripeRequest, StripeError};
use stripe_client_core::{StripeClient, StripeMethod};

use crate::stripe_api::PATIENCE;

/// Answers a request to Stripe, or fails as a network does.
pub type Counter = Arc<dyn Fn(Request<Bytes>) -> Answered + Send + Sync>;
type Answered = Pin<Box<dyn Future<Output = Result<Response<Bytes>, String>> + Send>>;

#[derive(Clone)]
pub(crate) enum Line {
    Network(Box<Client>),
    InProcess { authorization: String, counter: Counter },
}

impl Line {
    pub fn in_process(secret_key: &str, counter: Counter) -> Line {
        Line::InProcess { authorization: format!("Bearer {secret_key}"), counter }
    }
}

impl StripeClient for Line {
    type Err = StripeError;

    async fn execute(&self, request: CustomizedStripeRequest) -> Result<Bytes, StripeError> {
        let (authorization, counter) = match self {
            Line::Network(client) => return client.execute(request).await,
            Line::InProcess { authorization, counter } => (authorization, counter),
        };
        let request = on_the_wire(request, authorization)?;
        let answer = tokio::time::timeout(PATIENCE, counter(request)).await.map_err(|_| StripeError::Timeout)?;
        let (head, body) = answer.map_err(StripeError::ClientError)?.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(&body);
        match miniserde::json::from_str::<stripe_shared::Error>(&text) {
            Ok(refused) => Err(StripeError::Stripe(refused.error, head.status.as_u16())),
            Err(_) => Err(StripeError::JSONDeserialize("an error that cannot be read".into())),
        }
    }
}

/// As async-stripe's own client sends it.
fn on_the_wire(request: CustomizedStripeRequest, authorization: &str) -> Result<Request<Bytes>, StripeError> {
    let (asked, settings) = request.into_pieces();
    let method = match asked.method {
        StripeMethod::Get => Method::GET,
        StripeMethod::Post => Method::POST,
        StripeMethod::Delete => Method::DELETE,
    };
    let query = asked.query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/v1{}{query}", asked.path))
        .header(AUTHORIZATION, authorization)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(key) = settings.request_strategy.and_then(|strategy| strategy.get_key()) {
        request = request.header("idempotency-key", key.as_str());
    }
    Ok(request.body(asked.body.unwrap_or_default().into())?)
}
