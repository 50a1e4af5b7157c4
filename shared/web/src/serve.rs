//! The way of a request from Lambda into a router and back: its id, its one log line, and answers for what no route takes.

use std::future::ready;
use std::pin::Pin;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, Error, LambdaEvent, RequestExt, service_fn};
use serde::Deserialize;
use serde_json::Value;
use tower::Service;
use tracing::Instrument;
use waybill_lambda::clock;

use crate::body::MAX_BODY;
use crate::limits::{Address, Limit, Limits};
use crate::{Kind, Problem};

tokio::task_local! {
    static REQUEST_ID: String;
}

/// The id of the request that is being served, which is also that of its invocation.
pub fn request_id() -> Option<String> {
    REQUEST_ID.try_with(Clone::clone).ok()
}

/// A function's routes with what every answer has: a request id, security headers, problems for unknown routes, wrong
/// methods and bodies over [`MAX_BODY`] bytes. With `limits`, no address may ask too often.
pub fn app(routes: Router, limits: Option<Limits>) -> Router {
    routes
        .fallback(|| async { Problem::new(Kind::UnknownRoute, "There is nothing at this address.") })
        .method_not_allowed_fallback(|| async {
            let detail = "This address does not take this method.";
            Problem::new(Kind::MethodNotAllowed, detail)
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(limits, admit))
        .layer(from_fn(observe))
}

/// Serves a function's routes until Lambda ends the process: one request at a time, and on Lambda Managed Instances as
/// many at once as `AWS_LAMBDA_MAX_CONCURRENCY` says.
pub async fn run(routes: Router, limits: Option<Limits>) -> Result<(), Error> {
    let app = app(routes, limits);
    lambda_http::run_concurrent(service_fn(move |request| whole(app.clone(), request))).await
}

/// The answer in one piece, as Lambda takes it anyway.
async fn whole(mut app: Router, request: lambda_http::Request) -> Result<Whole, Error> {
    let (head, body) = app.call(request).await?.into_parts();
    let bytes = body.collect().await?.to_bytes();
    let body = match String::from_utf8(bytes.into()) {
        Ok(text) => Body::Text(text),
        Err(other) => Body::Binary(other.into_bytes()),
    };
    Ok(Whole(Response::from_parts(head, body)))
}

/// An answer that lambda_http need not make text of: what it has for that, of any charset, is 0.4 MB of a function.
struct Whole(Response<Body>);

impl lambda_http::IntoResponse for Whole {
    fn into_response(self) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(ready(self.0))
    }
}

/// The answer of [`app`]'s router to a request, for a function that is invoked with other things as well.
pub async fn answer(requests: Router, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let request = LambdaRequest::deserialize(event.payload)?;
    let mut requests = Adapter::from(service_fn(move |request| whole(requests.clone(), request)));
    let answer = requests.call(LambdaEvent::new(request, event.context)).await?;
    Ok(serde_json::to_value(answer)?)
}

async fn admit(State(limits): State<Option<Limits>>, address: Address, request: Request, next: Next) -> Response {
    if let Some(limits) = limits
        && let Err(problem) = limits.take(Limit::RequestsAddress, &address.0, clock::now()).await
    {
        return problem.into_response();
    }
    next.run(request).await
}

/// Headers of every answer, where the answer does not have its own. Nothing of ours is a page that others may show, and
/// nothing is kept but what says so. The browser's own rules: https://owasp.org/www-project-secure-headers/
const HEADERS: [(&str, &str); 6] = [
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-site"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
];

async fn observe(request: Request, next: Next) -> Response {
    let id = request.lambda_context_ref().map(|context| context.request_id.clone()).unwrap_or_default();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let span = tracing::info_span!("request", request.id = id);
    let served = async {
        let begin = Instant::now();
        let mut response = next.run(request).await;
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&request_id().unwrap_or_default()) {
            headers.insert(HeaderName::from_static("request-id"), id);
        }
        for (name, value) in HEADERS {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        let status = response.status().as_u16();
        // The route, not the path: a path may hold what is nobody's business.
        tracing::info!(%method, route, status, duration_ms = begin.elapsed().as_secs_f32() * 1e3, "served");
        response.into_response()
    };
    REQUEST_ID.scope(id, served.instrument(span)).await
}
