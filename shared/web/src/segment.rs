//! The part of a path that names something.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::{Kind, Problem};

/// The one variable segment of a route, decoded. What does not decode to text names nothing that there is.
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let segment = Path::<String>::from_request_parts(parts, state).await;
        segment
            .map(|Path(text)| Segment(text))
            .map_err(|_| Problem::new(Kind::NotFound, "The address is not text; there can be nothing at it."))
    }
}
