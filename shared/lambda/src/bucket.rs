//! A bucket of S3: files in parts, and links to them. Six requests, signed with AWS's own signer; the whole SDK of S3 would
//! be half of a function's binary.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use jiff::Timestamp;
use waybill_aws::Connections;

use crate::clock;

/// Bytes that every part of a file but its last one has at least: S3's own limit.
pub const LEAST_PART: usize = 5 * 1024 * 1024;
/// How often a request is sent that S3 was too busy for, or did not answer.
const ATTEMPTS: u32 = 4;
/// How long a part of some MB may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A bucket, as one function sees it. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Where its objects are, with a slash at the end.
    url: String,
    region: String,
    credentials: Credentials,
    connections: Connections,
}

/// A part of a file, as S3 knows it.
pub type Tag<'a> = (u32, &'a str);

/// Headers, or parameters: names and values.
type Pairs = Vec<(String, String)>;

#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// There is no such file, or no such upload any more.
    #[error("there is no such object or upload")]
    Gone,
    /// The cause. It may go well another time.
    #[error("the bucket: {0}")]
    Failed(String),
}

struct Answer {
    status: u16,
    etag: Option<String>,
    body: Vec<u8>,
}

impl Bucket {
    /// At AWS, or at an endpoint that stands in for it.
    pub fn new(name: &str, region: String, credentials: Credentials, endpoint: Option<&str>) -> Self {
        let url = match endpoint {
            None => format!("https://{name}.s3.{region}.amazonaws.com/"),
            Some(endpoint) => format!("{}/{name}/", endpoint.trim_end_matches('/')),
        };
        Bucket { url, region, credentials, connections: Connections::default() }
    }

    /// Puts a whole file, in the place of one that is there.
    pub async fn put(&self, object: &str, of: &Kind<'_>, body: Vec<u8>) -> Result<(), BucketError> {
        self.ask("PUT", object, &of.headers(), body).await.map(drop)
    }

    /// Begins a file of parts; the upload's id.
    pub async fn begin(&self, object: &str, of: &Kind<'_>) -> Result<String, BucketError> {
        let answer = self.ask("POST", &format!("{object}?uploads="), &of.headers(), Vec::new()).await?;
        text_of(&answer.body, "UploadId").ok_or_else(|| BucketError::Failed("an upload without an id".into()))
    }

    /// Puts one part; its tag.
    pub async fn put_part(
        &self,
        object: &str,
        upload: &str,
        number: u32,
        body: Vec<u8>,
    ) -> Result<String, BucketError> {
        let path = format!("{object}?partNumber={number}&uploadId={}", escaped(upload));
        let answer = self.ask("PUT", &path, &[], body).await?;
        answer.etag.ok_or_else(|| BucketError::Failed("a part without a tag".into()))
    }

    /// Makes a file of parts, whose numbers go up.
    pub async fn complete(&self, object: &str, upload: &str, parts: &[Tag<'_>]) -> Result<(), BucketError> {
        let part = |(number, tag): &Tag<'_>| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>", tag.trim_matches('"'))
        };
        let parts: String = parts.iter().map(part).collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let path = format!("{object}?uploadId={}", escaped(upload));
        let answer = self.ask("POST", &path, &[], body.into_bytes()).await?;
        // It may have begun to answer 200 before it failed.
        match text_of(&answer.body, "Code") {
            None => Ok(()),
            Some(code) => Err(BucketError::Failed(code)),
        }
    }

    pub async fn get(&self, object: &str) -> Result<Vec<u8>, BucketError> {
        self.ask("GET", object, &[], Vec::new()).await.map(|answer| answer.body)
    }

    pub async fn has(&self, object: &str) -> Result<bool, BucketError> {
        match self.ask("HEAD", object, &[], Vec::new()).await {
            Ok(_) => Ok(true),
            Err(BucketError::Gone) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A link by which anybody can get the file, for so long; the function's own credentials may end it earlier.
    pub fn link(&self, object: &str, now: Timestamp, good_for: Duration) -> Result<String, BucketError> {
        let url = format!("{}{object}", self.url);
        let mut settings = settings();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        settings.expires_in = Some(good_for);
        let parameters = self.signed("GET", &url, &[], SignableBody::UnsignedPayload, settings, now)?.1;
        let query: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        Ok(format!("{url}?{}", query.join("&")))
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: Vec<u8>,
    ) -> Result<Answer, BucketError> {
        let mut attempt = 0;
        loop {
            let answered = tokio::time::timeout(PATIENCE, self.send(method, path, headers, &body)).await;
            let answered = answered.unwrap_or_else(|_| Err(BucketError::Failed("no answer in time".into())));
            attempt += 1;
            match answered {
                Ok(answer) if answer.status < 300 => return Ok(answer),
                Ok(answer) if answer.status == 404 => return Err(BucketError::Gone),
                // Whoever may not list a bucket is not told that an object is not in it.
                Ok(answer) if answer.status == 403 && method == "HEAD" => return Err(BucketError::Gone),
                Ok(answer) if answer.status < 500 || attempt == ATTEMPTS => {
                    let code = text_of(&answer.body, "Code").unwrap_or_default();
                    return Err(BucketError::Failed(format!("{method} {} {code}", answer.status)));
                }
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(100 << attempt)).await,
            }
        }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: &[u8],
    ) -> Result<Answer, BucketError> {
        let url = format!("{}{path}", self.url);
        let (signed, _) = self.signed(method, &url, headers, SignableBody::Bytes(body), settings(), clock::now())?;
        let mut request = HttpRequest::new(SdkBody::from(body.to_vec()));
        request.set_method(method).map_err(failed)?;
        request.set_uri(url).map_err(failed)?;
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        for (name, value) in headers.chain(signed) {
            request.headers_mut().try_insert(name, value).map_err(failed)?;
        }
        let mut answer = self.connections.call(request).await.map_err(failed)?;
        let etag = answer.headers().get("etag").map(ToOwned::to_owned);
        let body = ByteStream::new(answer.take_body()).collect().await.map_err(failed)?.to_vec();
        Ok(Answer { status: answer.status().as_u16(), etag, body })
    }

    /// The headers and the parameters that a signature consists of.
    fn signed(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, String)],
        body: SignableBody<'_>,
        settings: SigningSettings,
        now: Timestamp,
    ) -> Result<(Pairs, Pairs), BucketError> {
        let identity = self.credentials.clone().into();
        let how = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::from(now))
            .settings(settings)
            .build()
            .map_err(failed)?
            .into();
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let request = SignableRequest::new(method, url, headers, body).map_err(failed)?;
        let (headers, parameters) = sign(request, &how).map_err(failed)?.into_parts().0.into_parts();
        let headers = headers.iter().map(|header| (header.name().to_owned(), header.value().to_owned())).collect();
        let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
        Ok((headers, parameters))
    }
}

/// What a file is to whoever gets it.
pub struct Kind<'a> {
    pub media_type: &'a str,
    /// What it is saved as: letters, digits, hyphens, dots.
    pub name: &'a str,
}

impl Kind<'_> {
    fn headers(&self) -> [(&'static str, String); 2] {
        [
            ("content-type", self.media_type.to_owned()),
            ("content-disposition", format!("attachment; filename=\"{}\"", self.name)),
        ]
    }
}

/// As S3 wants it: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
fn settings() -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.session_token_mode = SessionTokenMode::Include;
    settings
}

fn failed(error: impl std::fmt::Display) -> BucketError {
    BucketError::Failed(error.to_string())
}

/// The text of the first element of this name.
fn text_of(xml: &[u8], name: &str) -> Option<String> {
    let document = roxmltree::Document::parse(std::str::from_utf8(xml).ok()?).ok()?;
    let element = document.descendants().find(|node| node.has_tag_name(name))?;
    element.text().map(ToOwned::to_owned)
}

/// A value as a query has it (RFC 3986).
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(endpoint: Option<&str>) -> Bucket {
        let key = "AKIAIOSFODNN7EXAMPLE";
        let credentials = Credentials::new(key, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None, None, "test");
        Bucket::new("examplebucket", "us-east-1".into(), credentials, endpoint)
    }

    /// AWS's own example, but for the host: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    #[test]
    fn a_link_is_signed_as_s3_has_it() {
        let mut bucket = bucket(None);
        bucket.url = "https://examplebucket.s3.amazonaws.com/".into();
        let now = "2013-05-24T00:00:00Z".parse().unwrap();
        let link = bucket.link("test.txt", now, Duration::from_secs(86_400)).unwrap();
        assert!(link.starts_with("https://examplebucket.s3.amazonaws.com/test.txt?"), "{link}");
        let signature = "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        for part in [
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request",
            "X-Amz-Date=20130524T000000Z",
            "X-Amz-Expires=86400",
            "X-Amz-SignedHeaders=host",
            signature,
        ] {
            assert!(link.split(['?', '&']).any(|found| found == part), "{part} is not in {link}");
        }
    }

    #[test]
    fn a_bucket_has_a_host_of_its_own_but_not_on_localhost() {
        let now = Timestamp::UNIX_EPOCH;
        let link = |endpoint| bucket(endpoint).link("a", now, Duration::from_secs(1)).unwrap();
        assert!(link(None).starts_with("https://examplebucket.s3.us-east-1.amazonaws.com/a?"));
        assert!(link(Some("http://127.0.0.1:4566/")).starts_with("http://127.0.0.1:4566/examplebucket/a?"));
    }

    #[test]
    fn what_s3_tells_is_read_whatever_its_namespace() {
        let answer = r#"<?xml version="1.0" encoding="UTF-8"?><InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b</Bucket><UploadId>V/+=&amp;1</UploadId></InitiateMultipartUploadResult>"#;
        assert_eq!(text_of(answer.as_bytes(), "UploadId").as_deref(), Some("V/+=&1"));
        assert_eq!(text_of(answer.as_bytes(), "Code"), None);
        assert_eq!(text_of(b"", "Code"), None);
        assert_eq!(escaped("V/+=&1"), "V%2F%2B%3D%261");
    }
}
