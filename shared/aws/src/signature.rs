//! AWS's signature, version 4, of requests without a query: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
//!
//! The SDK's signer derives the day's key anew for each request, which is most of what signing costs.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use jiff::Timestamp;

#[cfg(test)]
mod tests;

/// Signs for one service in one region.
pub(crate) struct Signer {
    service: &'static str,
    region: String,
    credentials: Credentials,
    /// The key of a day.
    key: Mutex<Option<(String, Arc<hmac::Key>)>>,
}

impl Signer {
    pub fn new(service: &'static str, region: String, credentials: Credentials) -> Self {
        Signer { service, region, credentials, key: Mutex::default() }
    }

    /// Gives a request that goes to `host` and has none yet its signature, of all its headers and its body, which is in memory.
    pub fn sign(&self, request: &mut HttpRequest, host: &str, now: Timestamp) -> Result<(), BoxError> {
        let at = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let (day, region, service) = (&at[..8], &self.region, self.service);
        let scope = format!("{day}/{region}/{service}/aws4_request");
        request.headers_mut().try_insert("x-amz-date", at.clone())?;
        if let Some(token) = self.credentials.session_token() {
            request.headers_mut().try_insert("x-amz-security-token", token.to_owned())?;
        }

        let path = escaped(request.uri_mut().path());
        let mut headers: Vec<(&str, &str)> = request.headers().iter().chain([("host", host)]).collect();
        headers.sort_unstable();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let mut canonical = format!("{}\n{path}\n\n", request.method());
        for (name, value) in headers {
            writeln!(canonical, "{name}:{}", value.trim())?;
        }
        write!(canonical, "\n{names}\n{}", hashed(request.body().bytes().ok_or("a body that is not in memory")?))?;

        let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", hashed(canonical.as_bytes()));
        let signature = hex::encode(hmac::sign(&self.key(day), text.as_bytes()));
        let key = self.credentials.access_key_id();
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}");
        request.headers_mut().try_insert("authorization", authorization)?;
        Ok(())
    }

    fn key(&self, day: &str) -> Arc<hmac::Key> {
        let mut kept = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((of, key)) if of == day => key.clone(),
            _ => {
                let secret = format!("AWS4{}", self.credentials.secret_access_key());
                let first = hmac::Key::new(HMAC_SHA256, secret.as_bytes());
                let key = [day, &self.region, self.service, "aws4_request"]
                    .into_iter()
                    .fold(first, |key, part| hmac::Key::new(HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref()));
                kept.insert((day.to_owned(), Arc::new(key))).1.clone()
            }
        }
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({}, {})", self.service, self.region)
    }
}

fn hashed(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// A path whose parts are escaped already, escaped once more, as all services but S3 have it.
fn escaped(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => escaped.push(byte.into()),
            _ => escaped.extend(format!("%{byte:02X}").chars()),
        }
    }
    escaped
}
