//! The API's own document, for programs and for people, and what there is to say at any other address.

use std::sync::LazyLock;

use axum::extract::OriginalUri;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use miniz_oxide::inflate::decompress_to_vec_zlib;
use serde_json::Value;
use utoipa::OpenApi;
use waybill_web::{Kind, Problem};

/// As build.rs compressed it: read once, and only where somebody asks for it or for what is not there.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let document = decompress_to_vec_zlib(include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json")));
    document.ok().and_then(|document| String::from_utf8(document).ok()).expect("it is as it was compressed")
});
const PAGE: &str = include_str!("docs.html");

const AN_HOUR: (HeaderName, &str) = (CACHE_CONTROL, "public, max-age=3600");
/// The page asks for nothing but the document, and runs nothing but its own script and style, by their hashes.
const POLICY: &str = "default-src 'none'; style-src 'sha256-ne+mtTSNhcmaBYyfQLDF/VQ+aPyYLSg+anJXesEILnQ='; \
    script-src 'sha256-lT1epbyLNme4+SQTJ32aqJajwWvJua3W3Mm5tZI57+Y='; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the document tells of itself.
#[derive(OpenApi)]
#[openapi(paths(read_document, read_page))]
pub struct Documented;

/// Read this document
#[utoipa::path(get, path = "/openapi.json", responses((status = 200, description = "OpenAPI 3.1.", body = Object)))]
pub async fn read_document() -> impl IntoResponse {
    ([AN_HOUR, (CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

/// Read this document as a page
#[utoipa::path(get, path = "/docs", responses((status = 200, description = "A page.", body = String, content_type = "text/html; charset=utf-8")))]
pub async fn read_page() -> impl IntoResponse {
    ([AN_HOUR, (CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)], PAGE)
}

/// The gateway brings what none of its routes takes: an unknown address, or a known one with another method.
pub async fn unknown(OriginalUri(uri): OriginalUri) -> Response {
    let methods = methods_at(uri.path());
    if methods.is_empty() {
        return Problem::new(Kind::UnknownRoute, "There is nothing at this address.").into_response();
    }
    let allowed = methods.join(", ");
    let problem = Problem::new(Kind::MethodNotAllowed, format!("This address takes {allowed} only."));
    let mut response = problem.into_response();
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// The methods that some function serves at a path, by the document.
fn methods_at(path: &str) -> Vec<String> {
    static READ: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&DOCUMENT).unwrap_or_default());
    let paths = READ["paths"].as_object();
    let known: Vec<_> = paths.into_iter().flatten().filter(|(template, _)| fits(template, path)).collect();
    // A name that stands in a route hides what takes any name.
    let closest = known.iter().find(|(template, _)| *template == path).or(known.first());
    let methods = closest.and_then(|(_, methods)| methods.as_object()).into_iter().flat_map(|methods| methods.keys());
    methods.map(|method| method.to_uppercase()).collect()
}

fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given || (wanted.starts_with('{') && !given.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    #[test]
    fn the_policy_names_the_pages_own_script_and_style() {
        for (tag, directive) in [("script", "script-src"), ("style", "style-src")] {
            let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
            let content = PAGE.split_once(&open).and_then(|(_, rest)| rest.split_once(&close)).unwrap().0;
            let hash = BASE64_STANDARD.encode(hex::decode(waybill_lambda::random::hash(content)).unwrap());
            assert!(POLICY.contains(&format!("{directive} 'sha256-{hash}'")), "{directive} 'sha256-{hash}'");
            assert_eq!(PAGE.matches(&close).count(), 1, "{tag}");
        }
    }

    #[test]
    fn every_address_knows_its_methods() {
        assert_eq!(methods_at("/v1/orders"), ["GET", "POST"]);
        assert_eq!(methods_at("/v1/orders/ord_1/payment-sessions"), ["POST"]);
        assert_eq!(methods_at("/v1/sessions/refresh"), ["POST"]);
        assert_eq!(methods_at("/v1/sessions/ses_1"), ["DELETE"]);
        for nowhere in ["/", "/v1", "/v1/orders/", "/v1/orders/1/2", "/v2/orders"] {
            assert!(methods_at(nowhere).is_empty(), "{nowhere}");
        }
    }
}
