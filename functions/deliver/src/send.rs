//! One request to an endpoint: HTTP/1.1 over TLS, without redirects, proxies, cookies or a second try.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderName, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::{Position, Url};
use waybill_domain::webhook::{EndpointUrl, Failure, Outcome, TestHosts};

use crate::connect::connect;

/// How long an endpoint may take to be connected to.
const CONNECTING: Duration = Duration::from_secs(3);
/// How long it may take in all.
const ANSWERING: Duration = Duration::from_secs(10);
/// How much of an answer is looked at for its status. What comes behind it is never read.
const LARGEST_HEAD: usize = 16 * 1024;

/// Who sends to endpoints. Certificates are held against the roots that browsers trust.
pub struct Client {
    tls: TlsConnector,
    tests: TestHosts,
    patience: Duration,
}

impl Client {
    pub fn new(tests: TestHosts) -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Client { tls: tls(roots), tests, patience: ANSWERING }
    }

    /// Posts JSON with some headers. An answer is its status; whatever else is in it, nobody reads.
    pub async fn post(&self, url: &EndpointUrl, headers: &[(&'static str, String)], body: String) -> Outcome {
        match timeout(self.patience, self.answer(url, headers, body)).await {
            Ok(Ok(status)) => Outcome::Answered(status),
            Ok(Err(failure)) => Outcome::Failed(failure),
            Err(_) => Outcome::Failed(Failure::Timeout),
        }
    }

    async fn answer(
        &self,
        url: &EndpointUrl,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<u16, Failure> {
        let url = Url::parse(url.as_str()).map_err(|_| Failure::Name)?;
        let is_test = url.host_str().is_some_and(|host| self.tests.has(host));
        let request = request(&url, headers, body).ok_or(Failure::Protocol)?;
        let stream = timeout(CONNECTING, connect(&url, &self.tests)).await.map_err(|_| Failure::Timeout)??;
        match url.scheme() {
            "https" => {
                // An address is a name as well, without the brackets of a URL.
                let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
                let name = ServerName::try_from(name).map_err(|_| Failure::Name)?;
                let stream = self.tls.connect(name, stream).await.map_err(|_| Failure::Tls)?;
                exchange(TokioIo::new(stream), request).await
            }
            "http" if is_test => exchange(TokioIo::new(stream), request).await,
            _ => Err(Failure::Tls),
        }
    }
}

fn tls(roots: RootCertStore) -> TlsConnector {
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

fn request(url: &Url, headers: &[(&'static str, String)], body: String) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::post(&url[Position::BeforePath..Position::AfterQuery])
        .header(HOST, &url[Position::BeforeHost..Position::BeforePath])
        .header(USER_AGENT, "Waybill-Webhooks/1")
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(HeaderName::from_static(name), value);
    }
    request.body(Full::new(Bytes::from(body))).ok()
}

async fn exchange(io: impl Read + Write + Unpin, request: Request<Full<Bytes>>) -> Result<u16, Failure> {
    let mut http = http1::Builder::new();
    let handshake = http.max_buf_size(LARGEST_HEAD).handshake(io).await;
    let (mut sender, connection) = handshake.map_err(|_| Failure::Protocol)?;
    // Both at once, and neither any longer than until the answer's head is there.
    tokio::pin!(connection);
    let answer = sender.send_request(request);
    tokio::pin!(answer);
    let answered = tokio::select! {
        answered = &mut answer => answered,
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(_) => return Err(Failure::Protocol),
        },
    };
    answered.map(|answer| answer.status().as_u16()).map_err(|error| match error.is_parse() {
        true => Failure::Protocol,
        false => Failure::Connection,
    })
}
