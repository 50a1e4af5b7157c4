//! The AWS endpoint: SQS, Secrets Manager, SES, S3, Lambda's Invoke and @connections on one port.

use std::path::Path;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::access;
use crate::buckets::Buckets;
use crate::lambda::{self, Invoke};
use crate::mail::{self, Outbox};
use crate::queues::{self, Queues};
use crate::saved::{Positions, Saved};
use crate::secrets::{self, Secrets};
use crate::template::Template;

pub use crate::template::{ACCOUNT, REGION};

/// Parts of files are some MB more than the 5 that S3 asks for; what is too large for others is refused by the calls themselves.
const LARGEST_CALL: usize = access::LARGEST;

/// What stands behind the endpoint. Clones share everything.
#[derive(Clone)]
pub struct Aws {
    pub queues: Queues,
    pub secrets: Secrets,
    pub outbox: Outbox,
    pub buckets: Buckets,
    /// The queue that hears what becomes of mails.
    pub(crate) mail_feedback: Option<String>,
    pub invoke: Invoke,
    pub(crate) positions: Positions,
    saved: Saved,
}

impl Aws {
    /// Opens what `folder` holds, or starts empty and in memory without one. `url` is the endpoint's own
    /// address; queue URLs begin with it. Queues and stream positions are written shortly after each change.
    pub fn open(
        template: &Template,
        url: &str,
        folder: Option<&Path>,
        invoke: impl Into<Invoke>,
    ) -> Result<Aws, OpenError> {
        let (saved, held) = Saved::open(folder)?;
        let positions = Positions::new(held.positions, saved.changed());
        let queues = Queues::new(url, &template.queues, held.queues, saved.changed());
        let secrets = Secrets::open(&template.secrets, folder)?;
        let outbox = Outbox::open(folder)?;
        let buckets = Buckets::open(&template.buckets, folder);
        saved.keep(queues.clone(), positions.clone());
        let mail_feedback = template.mail_feedback.clone();
        Ok(Aws { queues, secrets, outbox, buckets, mail_feedback, invoke: invoke.into(), positions, saved })
    }

    /// Writes queues and stream positions a last time, after which the folder is another run's.
    pub async fn close(&self) -> Result<(), OpenError> {
        self.saved.close(&self.queues, &self.positions).await
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("{path} is not what this program wrote: {source}")]
    Damaged { path: String, source: serde_json::Error },
}

impl OpenError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
        move |source| OpenError::File { path: path.display().to_string(), source }
    }

    pub(crate) fn damaged(path: &Path) -> impl FnOnce(serde_json::Error) -> OpenError {
        move |source| OpenError::Damaged { path: path.display().to_string(), source }
    }
}

/// The whole endpoint. `connections` answers @connections.
pub fn router(aws: Aws, connections: Router) -> Router {
    Router::new()
        .route("/", post(call_by_target))
        .route("/v2/email/outbound-emails", post(mail::send))
        .route("/2015-03-31/functions/{name}/invocations", post(lambda::invocation))
        .fallback(by_path)
        .layer(DefaultBodyLimit::max(LARGEST_CALL))
        .with_state(aws)
        .merge(connections)
}

async fn call_by_target(State(aws): State<Aws>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(target) = headers.get("x-amz-target").and_then(|target| target.to_str().ok()) else {
        return Refusal::new(
            "MissingAction",
            "The call carries no X-Amz-Target: only AWS's JSON protocol is spoken here.",
        )
        .into_response();
    };
    let answer = match target.split_once('.') {
        Some(("AmazonSQS", action)) => queues::calls::call(&aws.queues, action, &body).await,
        Some(("secretsmanager", action)) => secrets::call(&aws.secrets, action, &body),
        Some((service, _)) if service.starts_with("DynamoDB") => Err(Refusal::new(
            "UnknownOperationException",
            "DynamoDB has a port of its own: set AWS_ENDPOINT_URL_DYNAMODB.",
        )),
        _ => Err(Refusal::unknown_action(target)),
    };
    answer.map_or_else(IntoResponse::into_response, |body| {
        ([(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body).into_response()
    })
}

/// Whatever has a path of its own: an object of a bucket, or nothing.
async fn by_path(State(aws): State<Aws>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    aws.buckets.call(&method, &uri, &headers, &body).unwrap_or_else(|| {
        let unknown = Refusal::unknown_action(&format!("{method} {}", uri.path()));
        Refusal { status: StatusCode::NOT_FOUND, ..unknown }.into_response()
    })
}

/// An error as AWS's JSON protocols carry it.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    /// The code that clients of SQS's older query protocol know the error by; the SDKs look for this one first.
    pub query_code: Option<&'static str>,
    pub message: String,
}

impl Refusal {
    pub fn new(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status: StatusCode::BAD_REQUEST, code, query_code: None, message: message.into() }
    }

    pub fn unknown_action(action: &str) -> Refusal {
        Refusal::new("UnknownOperationException", format!("{action} is not played here."))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "__type": self.code, "message": self.message }).to_string();
        let mut answer =
            (self.status, [("content-type", "application/x-amz-json-1.0"), ("x-amzn-errortype", self.code)], body)
                .into_response();
        if let Some(code) = self.query_code
            && let Ok(code) = format!("{code};Sender").parse()
        {
            answer.headers_mut().insert("x-amzn-query-error", code);
        }
        answer
    }
}

/// A call's input. What it does not know is a refusal that names it.
pub(crate) fn input<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::new("SerializationException", error.to_string()))
}

pub(crate) fn output<T: Serialize>(answer: &T) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(answer).map_err(|error| Refusal {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        ..Refusal::new("InternalFailure", error.to_string())
    })
}
