//! JSON bodies: held to a size, a depth and known fields before anything looks at them, then field by field.

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use waybill_domain::text::Invalid;

use crate::objects::Objects;
use crate::problem::{FieldError, Place};
use crate::{Kind, Problem};

/// Bytes of a body. A product of 48 SKUs with the longest texts, and a quote of 50 lines, are well below it.
pub const MAX_BODY: usize = 64 * 1024;

/// A JSON body of type `T`, whose serde definition refuses unknown fields. Depth is serde_json's limit of 128.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let json = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
        });
        if !json {
            let detail = "The body must be JSON, with the header Content-Type: application/json.";
            return Err(Problem::new(Kind::UnsupportedMediaType, detail));
        }
        let bytes =
            axum::body::Bytes::from_request(request, state).await.map_err(|rejection| refused(rejection, MAX_BODY))?;
        parse(&bytes).map(Body)
    }
}

/// A body of more than `most` bytes, or one that did not arrive whole.
pub fn refused(rejection: BytesRejection, most: usize) -> Problem {
    let status = rejection.into_response().status();
    if status == http::StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(Kind::TooLarge, format!("The body is larger than {most} bytes."))
    } else {
        Problem::new(Kind::BadRequest, "The body did not arrive whole.")
    }
}

/// Tells null from a field that is not there.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads JSON as a body is read.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let malformed = |error: &serde_json::Error| {
        let detail = format!("The body is not JSON that we can read: {error}.");
        Problem::new(Kind::MalformedJson, detail)
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Objects(&mut json)).map_err(|error| {
        if error.inner().is_data() {
            let place = Place::Pointer(pointer(error.path()));
            Problem::invalid(vec![FieldError { place, detail: reason(error.inner()) }])
        } else {
            malformed(error.inner())
        }
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// serde's reason without the place in the text, which the pointer tells better.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } | Segment::Enum { variant: key } => {
            format!("/{}", key.replace('~', "~0").replace('/', "~1"))
        }
        Segment::Unknown => "/".to_owned(),
    };
    path.iter().map(part).collect()
}

/// Collects what is wrong with a body's fields, so that a client hears of all of it at once.
#[derive(Default)]
pub struct Fields {
    errors: Vec<FieldError>,
}

impl Fields {
    /// Takes a parsed field, or notes what is wrong with it.
    pub fn take<T>(&mut self, pointer: &str, parsed: Result<T, Invalid>) -> Option<T> {
        parsed.map_err(|invalid| self.refuse(pointer, invalid.to_string())).ok()
    }

    /// As `take`, for a field that may be missing.
    pub fn take_optional<T>(&mut self, pointer: &str, parsed: Option<Result<T, Invalid>>) -> Option<T> {
        parsed.and_then(|parsed| self.take(pointer, parsed))
    }

    pub fn refuse(&mut self, pointer: &str, detail: impl Into<String>) {
        self.errors.push(FieldError::at(pointer, detail));
    }

    /// Whether nothing was wrong so far.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The whole, when every part of it could be taken.
    pub fn finish<T>(self, whole: impl FnOnce() -> Option<T>) -> Result<T, Problem> {
        if self.errors.is_empty() {
            whole().ok_or_else(|| Problem::internal("a field is missing though none was refused"))
        } else {
            Err(Problem::invalid(self.errors))
        }
    }
}
