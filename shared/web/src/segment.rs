//! The parts of a path that name something.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{Kind, Problem};

/// The variable segment of a route, or a tuple of them, decoded. What does not decode to text names nothing that there is.
pub struct Segment<T = String>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segment<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let segment = Path::<T>::from_request_parts(parts, state).await;
        segment
            .map(|Path(text)| Segment(text))
            .map_err(|_| Problem::new(Kind::NotFound, "The address is not text; there can be nothing at it."))
    }
}
