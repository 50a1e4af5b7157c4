//! Versions of what is answered: so that a client that has the newest gets no body again, and one that changes
//! something changes what it has read.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use waybill_lambda::random;

use crate::{Kind, Problem};

/// JSON that anybody may keep for so many seconds, with an ETag made of its content; 304 without a body for whoever has
/// it already (RFC 9110, 13.1.2).
pub fn cacheable(headers: &HeaderMap, seconds: u32, value: &impl Serialize) -> Result<Response, Problem> {
    let mut answer = unless_known(headers, value)?;
    // Caches in between may answer a little longer while they ask, or when nobody answers them.
    let kept = format!("public, max-age={seconds}, stale-while-revalidate={seconds}, stale-if-error=300");
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::try_from(kept).map_err(Problem::internal)?);
    Ok(answer)
}

/// The same, that no cache may keep: for programs that keep it themselves.
pub fn unless_known(headers: &HeaderMap, value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_string(value).map_err(Problem::internal)?;
    let tag = HeaderValue::try_from(format!("\"{}\"", &random::hash(&body)[..24])).map_err(Problem::internal)?;
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let has_it = known.flat_map(|tags| tags.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || known.trim_start_matches("W/").as_bytes() == tag.as_bytes()
    });
    let tag = [(ETAG, tag)];
    Ok(match has_it {
        true => (StatusCode::NOT_MODIFIED, tag).into_response(),
        false => (tag, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
    })
}

/// The ETag of something that counts its versions.
pub fn version_tag(version: u64) -> (http::HeaderName, String) {
    (ETAG, format!("\"{version}\""))
}

/// The version that a change is meant for, from the header `If-Match`, which must be there (RFC 6585, 3).
pub struct IfMatch(pub u64);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(IF_MATCH) else {
            let detail = "Send the ETag of what you have read as If-Match, so that nobody's change is lost.";
            return Err(Problem::new(Kind::VersionNeeded, detail));
        };
        let version = value.to_str().ok().and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
        version
            .map(IfMatch)
            .ok_or_else(|| Problem::invalid_header("If-Match", "must be the ETag of what you have read"))
    }
}

/// Somebody changed it since it was read.
pub fn outdated() -> Problem {
    Problem::new(Kind::Outdated, "Somebody has changed it since you have read it. Read it again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(tags: &[&str]) -> Response {
        let mut headers = HeaderMap::new();
        for tag in tags {
            headers.append(IF_NONE_MATCH, tag.parse().unwrap());
        }
        cacheable(&headers, 10, &"tea").unwrap()
    }

    #[test]
    fn whoever_has_the_newest_gets_no_body_again() {
        let tag = asked(&[]).headers()[ETAG].to_str().unwrap().to_owned();
        for known in [&[tag.as_str()][..], &["\"x\"", &tag], &[&format!("\"x\", W/{tag}")], &["*"]] {
            assert_eq!(asked(known).status(), StatusCode::NOT_MODIFIED, "{known:?}");
            assert_eq!(asked(known).headers()[ETAG], tag);
        }
        for other in [&["\"x\""][..], &[&tag[1..]], &[""]] {
            assert_eq!(asked(other).status(), StatusCode::OK, "{other:?}");
        }
    }
}
