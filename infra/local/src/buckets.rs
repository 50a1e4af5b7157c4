//! S3, as far as functions use it: objects that are put whole or in parts, and got, also by a signed link. They are files, and stay
//! until the store is emptied.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use waybill_lambda::bucket::{Bucket, LEAST_PART};

const MOST_PARTS: u32 = 10_000;
/// What is kept of what an object was put with.
const KEPT: [&str; 2] = ["content-type", "content-disposition"];

/// The template's buckets. Clones share them.
#[derive(Clone)]
pub struct Buckets(Arc<Inner>);

struct Inner {
    names: Vec<String>,
    folder: PathBuf,
    is_for_now: bool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.is_for_now {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// What a call comes to: an answer, or S3's code for what is wrong.
type Outcome = Result<Response, (StatusCode, &'static str)>;

const DENIED: (StatusCode, &str) = (StatusCode::FORBIDDEN, "AccessDenied");
const NO_UPLOAD: (StatusCode, &str) = (StatusCode::NOT_FOUND, "NoSuchUpload");
const NO_KEY: (StatusCode, &str) = (StatusCode::NOT_FOUND, "NoSuchKey");

fn bad(code: &'static str) -> (StatusCode, &'static str) {
    (StatusCode::BAD_REQUEST, code)
}

/// A call, taken apart.
struct Call<'a> {
    method: &'a Method,
    uri: &'a Uri,
    query: BTreeMap<String, String>,
    headers: &'a HeaderMap,
    body: &'a Bytes,
    bucket: &'a str,
    key: &'a str,
}

impl Buckets {
    /// Those of these names, in a folder, or gone with the last clone.
    pub fn open(names: &[String], folder: Option<&Path>) -> Buckets {
        let for_now = || std::env::temp_dir().join(format!("waybill-buckets-{}", uuid::Uuid::new_v4()));
        let is_for_now = folder.is_none();
        let folder = folder.map_or_else(for_now, |folder| folder.join("buckets"));
        Buckets(Arc::new(Inner { names: names.to_vec(), folder, is_for_now }))
    }

    /// Answers a call at the path of one of the buckets; None at any other.
    pub(crate) fn call(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Option<Response> {
        let (bucket, key) = uri.path().strip_prefix('/')?.split_once('/')?;
        let bucket = self.0.names.iter().find(|name| *name == bucket)?;
        let query = Query::<BTreeMap<String, String>>::try_from_uri(uri).map(|Query(query)| query).unwrap_or_default();
        let call = Call { method, uri, query, headers, body, bucket, key };
        Some(self.answer(&call).unwrap_or_else(|(status, code)| {
            let text = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>");
            (status, [("content-type", "application/xml")], text).into_response()
        }))
    }

    fn answer(&self, call: &Call<'_>) -> Outcome {
        let is_plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        if !call.key.split('/').all(is_plain) {
            return Err(bad("InvalidURI"));
        }
        call.check_signature()?;
        let object = self.0.folder.join(call.bucket).join(call.key);
        let number = call.query.get("partNumber").map(|number| number.parse::<u32>().unwrap_or_default());
        let upload = call.query.get("uploadId").map(|id| self.upload(id, call)).transpose()?;
        match (call.method.as_str(), number, upload) {
            ("PUT", None, None) => self.put(call, &object),
            ("POST", None, None) if call.query.contains_key("uploads") => self.begin(call),
            ("PUT", Some(number), Some(upload)) => put_part(call, &upload, number),
            ("POST", None, Some(upload)) => complete(call, &upload, &object),
            ("GET" | "HEAD", None, None) => get(&object, call.method == Method::HEAD),
            _ => Err((StatusCode::NOT_IMPLEMENTED, "NotImplemented")),
        }
    }

    /// The folder of an upload of this key that was begun and is not complete.
    fn upload(&self, id: &str, call: &Call<'_>) -> Result<PathBuf, (StatusCode, &'static str)> {
        let upload = self.0.folder.join(format!("{}.uploads", call.bucket)).join(id);
        let is_id = id.parse::<uuid::Uuid>().is_ok();
        let key = fs::read_to_string(upload.join("key")).ok().filter(|key| is_id && key == call.key);
        key.map(|_| upload).ok_or(NO_UPLOAD)
    }

    fn put(&self, call: &Call<'_>, object: &Path) -> Outcome {
        let written = || -> io::Result<()> {
            let mut file = create(object)?;
            file.write_all(&call.described())?;
            file.write_all(call.body)
        };
        written().map_err(broken)?;
        Ok([("etag", tag(call.body))].into_response())
    }

    fn begin(&self, call: &Call<'_>) -> Outcome {
        let id = uuid::Uuid::new_v4().to_string();
        let upload = self.0.folder.join(format!("{}.uploads", call.bucket)).join(&id);
        let written = || -> io::Result<()> {
            create(&upload.join("described"))?.write_all(&call.described())?;
            create(&upload.join("key"))?.write_all(call.key.as_bytes())
        };
        written().map_err(broken)?;
        let (bucket, key) = (call.bucket, call.key);
        Ok(xml(format!(
            "<InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>{bucket}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        )))
    }
}

fn put_part(call: &Call<'_>, upload: &Path, number: u32) -> Outcome {
    if !(1..=MOST_PARTS).contains(&number) {
        return Err(bad("InvalidArgument"));
    }
    create(&upload.join(number.to_string())).and_then(|mut file| file.write_all(call.body)).map_err(broken)?;
    Ok([("etag", tag(call.body))].into_response())
}

/// Puts an object together of the parts that are named, as S3 checks them.
fn complete(call: &Call<'_>, upload: &Path, object: &Path) -> Outcome {
    let text = std::str::from_utf8(call.body).unwrap_or_default();
    let document = roxmltree::Document::parse(text).map_err(|_| bad("MalformedXML"))?;
    let mut parts = Vec::new();
    for part in document.descendants().filter(|node| node.has_tag_name("Part")) {
        let field = |name| part.children().find(|node| node.has_tag_name(name)).and_then(|node| node.text());
        let number: u32 = field("PartNumber").and_then(|number| number.parse().ok()).ok_or(bad("MalformedXML"))?;
        if parts.last().is_some_and(|(last, _)| *last >= number) {
            return Err(bad("InvalidPartOrder"));
        }
        let bytes = fs::read(upload.join(number.to_string())).map_err(|_| bad("InvalidPart"))?;
        if field("ETag").map(|tag| tag.trim_matches('"')) != Some(tag(&bytes).trim_matches('"')) {
            return Err(bad("InvalidPart"));
        }
        parts.push((number, bytes.len()));
    }
    match parts.split_last() {
        None => return Err(bad("MalformedXML")),
        Some((_, before)) if before.iter().any(|(_, size)| *size < LEAST_PART) => return Err(bad("EntityTooSmall")),
        Some(_) => {}
    }
    let joined = || -> io::Result<()> {
        let mut file = create(object)?;
        io::copy(&mut File::open(upload.join("described"))?, &mut file)?;
        for (number, _) in &parts {
            io::copy(&mut File::open(upload.join(number.to_string()))?, &mut file)?;
        }
        fs::remove_dir_all(upload)
    };
    joined().map_err(broken)?;
    Ok(xml("<CompleteMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>".to_owned()))
}

fn get(object: &Path, is_head: bool) -> Outcome {
    let mut bytes = fs::read(object).map_err(|_| NO_KEY)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(NO_KEY)?;
    let described: BTreeMap<String, String> = serde_json::from_slice(&bytes[..end]).map_err(|_| NO_KEY)?;
    bytes.drain(..=end);
    let mut answer = if is_head { ().into_response() } else { bytes.into_response() };
    for (name, value) in described {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    Ok(answer)
}

impl Call<'_> {
    /// What an object was put with, as the first line of its file.
    fn described(&self) -> Vec<u8> {
        let kept = KEPT.iter().filter_map(|name| Some((*name, self.headers.get(*name)?.to_str().ok()?)));
        let kept: BTreeMap<&str, &str> = kept.collect();
        let mut line = serde_json::to_vec(&kept).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// A call has a signature, in its headers or in its query; of one in the query it is checked whose it is.
    fn check_signature(&self) -> Result<(), (StatusCode, &'static str)> {
        let header = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok());
        if self.query.contains_key("X-Amz-Signature") {
            return if self.has_valid_link() { Ok(()) } else { Err(DENIED) };
        }
        if !header("authorization").is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 ")) {
            return Err(DENIED);
        }
        match header("x-amz-content-sha256") {
            Some("UNSIGNED-PAYLOAD") => Ok(()),
            Some(hash) if hash == hex::encode(digest(&SHA256, self.body)) => Ok(()),
            Some(_) => Err(bad("XAmzContentSHA256Mismatch")),
            None => Err(bad("InvalidRequest")),
        }
    }

    /// Whether the link is one that a function of this host has made of its key, and not too long ago.
    fn has_valid_link(&self) -> bool {
        let of = |name: &str| self.query.get(name).map(String::as_str).unwrap_or_default();
        let mut scope = of("X-Amz-Credential").split('/');
        let (key, region) = (scope.next().unwrap_or_default(), scope.nth(1).unwrap_or_default());
        let at = DateTime::strptime("%Y%m%dT%H%M%SZ", of("X-Amz-Date")).ok();
        let at = at.and_then(|at| at.to_zoned(TimeZone::UTC).ok()).map(|at| at.timestamp());
        let (Some(at), Ok(seconds)) = (at, of("X-Amz-Expires").parse::<u32>()) else { return false };
        let age = Timestamp::now().duration_since(at).as_secs();
        if self.method != Method::GET || age >= seconds.into() || age < -60 {
            return false;
        }
        let host = self.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
        let credentials = Credentials::new(key, crate::functions::SECRET, None, None, "local");
        let bucket = Bucket::new(self.bucket, region.to_owned(), credentials, Some(&format!("http://{host}")));
        let Ok(link) = bucket.link(self.key, at, Duration::from_secs(seconds.into())) else { return false };
        let parts = |query: &str| query.split('&').map(ToOwned::to_owned).collect::<std::collections::BTreeSet<_>>();
        let ours = link.split_once('?').map(|(_, query)| parts(query));
        ours == self.uri.query().map(parts)
    }
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create(path)
}

fn tag(bytes: &[u8]) -> String {
    format!("\"{:x}\"", md5::compute(bytes))
}

fn xml(text: String) -> Response {
    ([("content-type", "application/xml")], text).into_response()
}

fn broken(error: io::Error) -> (StatusCode, &'static str) {
    eprintln!("A bucket could not be written: {error}");
    (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
}

#[cfg(test)]
mod tests {
    use waybill_lambda::bucket::{BucketError, Kind};

    use super::*;
    use crate::sdk::{Endpoint, Folder, idle};
    use crate::template::Template;

    const KIND: Kind<'_> = Kind { media_type: "text/csv; charset=utf-8", name: "rows.csv" };

    async fn files(folder: Option<&Path>) -> (Endpoint, Bucket) {
        let template = Template { buckets: vec!["Files".to_owned()], ..Template::default() };
        let endpoint = Endpoint::open(&template, folder, idle()).await;
        let credentials = Credentials::new("local", crate::functions::SECRET, None, None, "test");
        let bucket = Bucket::new("Files", "us-east-1".into(), credentials, Some(&endpoint.url));
        (endpoint, bucket)
    }

    fn refusal(outcome: Result<(), BucketError>) -> String {
        outcome.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_file_of_parts_is_what_its_parts_are_in_their_order() {
        let folder = Folder::new();
        let (_endpoint, bucket) = files(Some(&folder)).await;
        let upload = bucket.begin("a/rows.csv", &KIND).await.unwrap();
        let big = vec![b'x'; LEAST_PART];
        let first = bucket.put_part("a/rows.csv", &upload, 3, big.clone()).await.unwrap();
        // A part that nobody names, and one that is put a second time.
        bucket.put_part("a/rows.csv", &upload, 4, b"lost".to_vec()).await.unwrap();
        bucket.put_part("a/rows.csv", &upload, 7, b"other".to_vec()).await.unwrap();
        let last = bucket.put_part("a/rows.csv", &upload, 7, b"end".to_vec()).await.unwrap();
        assert!(!bucket.has("a/rows.csv").await.unwrap());
        for (parts, code) in [
            (vec![(7, last.as_str()), (3, first.as_str())], "InvalidPartOrder"),
            (vec![(3, last.as_str())], "InvalidPart"),
            (vec![(5, last.as_str())], "InvalidPart"),
            (vec![], "MalformedXML"),
        ] {
            let refused = refusal(bucket.complete("a/rows.csv", &upload, &parts).await);
            assert!(refused.ends_with(code), "{refused}");
        }
        bucket.complete("a/rows.csv", &upload, &[(3, &first), (7, &last)]).await.unwrap();
        let whole = bucket.get("a/rows.csv").await.unwrap();
        assert_eq!((whole.len(), &whole[LEAST_PART..]), (LEAST_PART + 3, b"end".as_slice()));
        assert!(bucket.has("a/rows.csv").await.unwrap());
        let again = bucket.complete("a/rows.csv", &upload, &[(3, &first), (7, &last)]).await;
        assert!(matches!(again, Err(BucketError::Gone)), "{again:?}");
        let late = bucket.put_part("a/rows.csv", &upload, 8, Vec::new()).await;
        assert!(matches!(late, Err(BucketError::Gone)), "{late:?}");

        let upload = bucket.begin("b", &KIND).await.unwrap();
        let small = bucket.put_part("b", &upload, 1, big[1..].to_vec()).await.unwrap();
        let last = bucket.put_part("b", &upload, 2, b"end".to_vec()).await.unwrap();
        let refused = refusal(bucket.complete("b", &upload, &[(1, &small), (2, &last)]).await);
        assert!(refused.ends_with("EntityTooSmall"), "{refused}");
        assert!(
            refusal(bucket.put_part("b", &upload, MOST_PARTS + 1, Vec::new()).await.map(drop))
                .ends_with("InvalidArgument")
        );

        // It outlives the host.
        let (_endpoint, bucket) = files(Some(&folder)).await;
        assert_eq!(bucket.get("a/rows.csv").await.unwrap(), whole);
    }

    #[tokio::test]
    async fn a_link_opens_its_own_file_until_its_time_is_over() {
        let (_endpoint, bucket) = files(None).await;
        bucket.put("a/rows.csv", &KIND, b"one".to_vec()).await.unwrap();
        bucket.put("b/rows.csv", &KIND, b"two".to_vec()).await.unwrap();
        let now = Timestamp::now();
        let minute = Duration::from_secs(60);
        let link = bucket.link("a/rows.csv", now, minute).unwrap();
        let got = reqwest::get(&link).await.unwrap();
        assert_eq!((got.status().as_u16(), &got.headers()["content-type"]), (200, &KIND.media_type.parse().unwrap()));
        assert_eq!(got.headers()["content-disposition"], "attachment; filename=\"rows.csv\"");
        assert_eq!(got.text().await.unwrap(), "one");
        let old = bucket.link("a/rows.csv", now - jiff::SignedDuration::from_secs(61), minute).unwrap();
        for refused in [
            old.clone(),
            old.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
            link.replace("/a/", "/b/"),
            link.replace("X-Amz-Expires=60", "X-Amz-Expires=61"),
            link.replace("Credential=local", "Credential=other"),
            link.split('?').next().unwrap().to_owned(),
        ] {
            assert_eq!(reqwest::get(&refused).await.unwrap().status(), 403, "{refused}");
        }
        assert_eq!(reqwest::Client::new().put(&link).body("mine").send().await.unwrap().status(), 403);
        assert!(matches!(bucket.get("nothing").await, Err(BucketError::Gone)));
        assert!(refusal(bucket.put("a/../b", &KIND, Vec::new()).await).contains("400"));
    }
}
