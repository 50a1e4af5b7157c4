//! Lambda's Invoke call, and the way to the functions for all that invoke them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
#[cfg(test)]
use serde_json::Value;
use serde_json::json;

use crate::aws::{ACCOUNT, Aws, REGION, Refusal};
use crate::functions::{Functions, InvokeError};

const LARGEST_PAYLOAD: usize = 6 << 20;

type Answer = Result<Vec<u8>, InvokeError>;

/// Invokes a function by name.
#[derive(Clone)]
pub struct Invoke(Arc<dyn Fn(String, Vec<u8>) -> BoxFuture<'static, Answer> + Send + Sync>);

impl Invoke {
    pub async fn call(&self, function: &str, payload: Vec<u8>) -> Answer {
        (self.0)(function.to_owned(), payload).await
    }

    /// Functions that are closures.
    #[cfg(test)]
    pub fn with<F>(answer: impl Fn(String, Value) -> F + Send + Sync + 'static) -> Invoke
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        Invoke(Arc::new(move |function, payload| {
            Box::pin(answer(function, serde_json::from_slice(&payload).unwrap_or(Value::Null)))
        }))
    }
}

impl From<Functions> for Invoke {
    fn from(functions: Functions) -> Invoke {
        Invoke(Arc::new(move |function, payload| {
            let functions = functions.clone();
            Box::pin(async move { functions.invoke(&function, payload).await })
        }))
    }
}

pub fn function_arn(function: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}")
}

/// POST /2015-03-31/functions/{name or ARN}/invocations.
pub(crate) async fn invocation(
    State(aws): State<Aws>,
    Path(name): Path<String>,
    headers: HeaderMap,
    payload: Bytes,
) -> Response {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !matches!(said("x-amz-log-type"), "" | "None") || headers.contains_key("x-amz-client-context") {
        return Refusal::new("InvalidParameterValueException", "Log tails and client contexts are not played here.")
            .into_response();
    }
    if payload.len() > LARGEST_PAYLOAD {
        let message = format!("{} byte payload is too large (limit {LARGEST_PAYLOAD})", payload.len());
        return Refusal { status: StatusCode::PAYLOAD_TOO_LARGE, ..Refusal::new("RequestTooLargeException", message) }
            .into_response();
    }
    let payload = if payload.is_empty() { b"{}".to_vec() } else { payload.to_vec() };
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&payload) {
        let message = format!("Could not parse request body into json: {error}");
        return Refusal::new("InvalidRequestContentException", message).into_response();
    }
    let function = name.rsplit_once(":function:").map_or(name.as_str(), |(_, name)| name);
    let function = function.strip_suffix(":$LATEST").unwrap_or(function).to_owned();
    match said("x-amz-invocation-type") {
        "" | "RequestResponse" => answered(&function, aws.invoke.call(&function, payload).await),
        "Event" => {
            // A failure shows in the function's own log; Lambda's two later retries are left out.
            tokio::spawn(async move { aws.invoke.call(&function, payload).await });
            StatusCode::ACCEPTED.into_response()
        }
        other => Refusal::new("InvalidParameterValueException", format!("Invocation type {other} is not played here."))
            .into_response(),
    }
}

fn answered(function: &str, answer: Answer) -> Response {
    const VERSION: (&str, &str) = ("x-amz-executed-version", "$LATEST");
    let unhandled = |body: Vec<u8>| ([VERSION, ("x-amz-function-error", "Unhandled")], body).into_response();
    match answer {
        Ok(body) => ([VERSION], body).into_response(),
        Err(InvokeError::Unknown(_)) => {
            let message = format!("Function not found: {}", function_arn(function));
            Refusal { status: StatusCode::NOT_FOUND, ..Refusal::new("ResourceNotFoundException", message) }
                .into_response()
        }
        Err(InvokeError::Busy) => Refusal {
            status: StatusCode::TOO_MANY_REQUESTS,
            ..Refusal::new("TooManyRequestsException", "Rate Exceeded.")
        }
        .into_response(),
        Err(InvokeError::Failed(body)) => unhandled(body),
        Err(InvokeError::TimedOut(after)) => {
            let message = format!("Task timed out after {:.2} seconds", after.as_secs_f64());
            unhandled(json!({ "errorType": "Sandbox.Timedout", "errorMessage": message }).to_string().into_bytes())
        }
        Err(InvokeError::Crashed(how)) => {
            unhandled(json!({ "errorType": "Runtime.ExitError", "errorMessage": how }).to_string().into_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::aws::router;
    use crate::sdk::Endpoint;
    use crate::template::Template;

    async fn invoked(name: &str, kind: &str) -> (u16, Option<String>, Value) {
        let functions = Invoke::with(|function, payload| async move {
            match function.as_str() {
                "EchoFunction" => Ok(payload.to_string().into_bytes()),
                "BrokenFunction" => Err(InvokeError::Failed(br#"{"errorType":"Broken"}"#.to_vec())),
                _ => Err(InvokeError::Unknown(function)),
            }
        });
        let endpoint = Endpoint::open(&Template::default(), None, functions).await;
        let request = Request::post(format!("/2015-03-31/functions/{name}/invocations"))
            .header("x-amz-invocation-type", kind)
            .body(Body::from(r#"{"a":1}"#))
            .unwrap();
        let response = router(endpoint.aws, Router::new()).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let error = response.headers().get("x-amz-function-error").map(|error| error.to_str().unwrap().to_owned());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, error, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    #[tokio::test]
    async fn a_function_is_invoked_by_name_or_arn() {
        let echoed = (200, None, json!({ "a": 1 }));
        assert_eq!(invoked("EchoFunction", "RequestResponse").await, echoed);
        let arn = function_arn("EchoFunction").replace(':', "%3A");
        assert_eq!(invoked(&arn, "RequestResponse").await, echoed);
        assert_eq!(invoked("EchoFunction", "Event").await, (202, None, Value::Null));
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told_as_lambda_tells_it() {
        let failed = (200, Some("Unhandled".to_owned()), json!({ "errorType": "Broken" }));
        assert_eq!(invoked("BrokenFunction", "RequestResponse").await, failed);
        let (status, _, body) = invoked("NoFunction", "RequestResponse").await;
        assert_eq!((status, &body["__type"]), (404, &json!("ResourceNotFoundException")));
        assert_eq!(invoked("EchoFunction", "DryRun").await.0, 400);
    }
}
