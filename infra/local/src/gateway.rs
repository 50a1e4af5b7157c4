//! The HTTP API, as API Gateway runs it: routes, payload format 2.0, CORS, and its own answers when a function fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};

use crate::functions::InvokeError;
use crate::lambda::Invoke;
use crate::template::HttpApi;

mod cors;
mod event;
mod routes;

use routes::Routes;

/// API Gateway's limit of a request's body, in bytes.
const MAX_BODY: usize = 10 * 1024 * 1024;
/// API Gateway waits this long for a function, whatever the function's own timeout.
const PATIENCE: Duration = Duration::from_secs(30);

struct Gateway {
    api: HttpApi,
    routes: Routes,
    invoke: Invoke,
}

/// Serves an HTTP API at its root.
pub fn router(api: &HttpApi, invoke: impl Into<Invoke>) -> Router {
    let gateway = Gateway { api: api.clone(), routes: Routes::new(&api.routes), invoke: invoke.into() };
    Router::new().fallback(serve).with_state(Arc::new(gateway))
}

async fn serve(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(source): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let origin = request.headers().get(http::header::ORIGIN).cloned();
    let cors = gateway.api.cors.as_ref();
    if let Some(cors) = cors
        && request.method() == Method::OPTIONS
        && request.headers().contains_key(http::header::ACCESS_CONTROL_REQUEST_METHOD)
    {
        return cors::preflight(cors, origin.as_ref());
    }
    let mut answer = route(&gateway, source, request).await;
    if let Some(cors) = cors {
        cors::open(cors, origin.as_ref(), answer.headers_mut());
    }
    answer
}

async fn route(gateway: &Gateway, source: SocketAddr, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(route) = gateway.routes.find(&parts.method, parts.uri.path()) else {
        return own(StatusCode::NOT_FOUND, "Not Found");
    };
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return own(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let event = event::build(&parts, &body, &route, source);
    let invocation = gateway.invoke.call(route.function, event.to_string().into_bytes());
    match tokio::time::timeout(PATIENCE, invocation).await {
        Ok(Ok(payload)) => {
            event::answer(&payload).unwrap_or_else(|| own(StatusCode::BAD_GATEWAY, "Internal Server Error"))
        }
        Ok(Err(InvokeError::TimedOut(_))) | Err(_) => own(StatusCode::GATEWAY_TIMEOUT, "Gateway Timeout"),
        Ok(Err(InvokeError::Busy)) => own(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        Ok(Err(InvokeError::Failed(_) | InvokeError::Crashed(_) | InvokeError::Unknown(_))) => {
            own(StatusCode::BAD_GATEWAY, "Internal Server Error")
        }
    }
}

/// An answer of the gateway's own.
fn own(status: StatusCode, message: &str) -> Response {
    let mut response = Response::new(Body::from(format!("{{\"message\":\"{message}\"}}")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
