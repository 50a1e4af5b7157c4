//! The signature beside the one that AWS's own signer makes of the same request.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::body::SdkBody;

use super::*;

fn request(method: &str, path: &str, headers: &[(&'static str, &'static str)], body: &'static str) -> HttpRequest {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method(method).unwrap();
    request.set_uri(format!("https://host.example.com{path}")).unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, *value);
    }
    request
}

/// What AWS's signer adds to a request.
fn added(request: &HttpRequest, service: &str, credentials: &Credentials, now: Timestamp) -> Vec<(String, String)> {
    let identity = Identity::from(credentials.clone());
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name(service)
        .time(SystemTime::from(now))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let body = SignableBody::Bytes(request.body().bytes().unwrap());
    let signable = SignableRequest::new(request.method(), request.uri(), request.headers().iter(), body).unwrap();
    let (instructions, _) = sign(signable, &parameters).unwrap().into_parts();
    let mut added: Vec<_> = instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    added.sort();
    added
}

#[test]
fn it_is_that_of_awss_own_signer() {
    let json = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "DynamoDB_20120810.Query")];
    let post = [("content-type", "application/octet-stream"), ("content-length", "2")];
    let noon: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
    let midnight: Timestamp = "2026-11-28T00:00:00Z".parse().unwrap();
    for session in [None, Some("IQoJb3Jp+/=".to_owned())] {
        let credentials = Credentials::new("AKID", "secret/+", session, None, "test");
        for service in ["dynamodb", "ses", "execute-api"] {
            let signer = Signer::new(service, "eu-west-1".into(), credentials.clone());
            for (method, path, headers, body) in [
                ("POST", "/", &json[..], r#"{"TableName":"shop","Key":{"id":{"S":"ä"}}}"#),
                ("POST", "/", &json[..1], ""),
                ("POST", "/v2/email/outbound-emails", &post[..], "{}"),
                ("POST", "/live/%40connections/Rl-_dd%3D", &post[..], "{}"),
                ("DELETE", "/live/@connections/a~b(c)%2F", &[], ""),
            ] {
                // One day after the other, and back.
                for now in [noon, midnight, noon] {
                    let mut request = request(method, path, headers, body);
                    let expected = added(&request, service, &credentials, now);
                    signer.sign(&mut request, "host.example.com", now).unwrap();
                    let told = request.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
                    let mut told: Vec<_> =
                        told.filter(|(name, _)| expected.iter().any(|(other, _)| other == name)).collect();
                    told.sort();
                    assert_eq!(told, expected, "{service} {method} {path} {now}");
                }
            }
        }
    }
}
