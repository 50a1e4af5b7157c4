//! Connections to AWS, and to others, kept open between calls. They speak HTTP/1.1 only, as DynamoDB does: a client that can
//! speak HTTP/2 as well is a third of a megabyte of every function.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Amazon Trust Services' roots (https://www.amazontrust.com/repository/): every endpoint of AWS has a certificate of
/// theirs, and naming them saves walking the system's store at each start.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");
/// How long an endpoint of AWS may take to be connected to.
const CONNECTING: Duration = Duration::from_secs(1);
/// How long a connection that nobody uses is taken for open. A function may be frozen for hours between two calls.
const IDLE_FOR: Duration = Duration::from_secs(60);

/// Clones share their connections.
#[derive(Clone)]
pub struct Connections(Arc<Inner>);

struct Inner {
    tls: TlsConnector,
    /// How long somebody may take to be connected to.
    connecting: Duration,
    idle: Mutex<Idle>,
}

type Sender = SendRequest<SdkBody>;

/// Connections that wait, each since then.
type Idle = HashMap<Authority, Vec<(Sender, Instant)>>;

impl Default for Connections {
    /// Connections to AWS, and to what stands in for it without TLS.
    fn default() -> Connections {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(AMAZON_ROOTS) {
            roots.add(root.expect("the roots are PEM")).expect("the roots are certificates");
        }
        Connections::trusting(roots, CONNECTING)
    }
}

impl Connections {
    /// To whoever has a certificate that browsers take. They may take as long as the caller waits.
    pub fn to_the_web() -> Connections {
        Connections::trusting(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }, Duration::MAX)
    }

    /// The answer in one piece. What breaks off is not sent again.
    pub async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ConnectorError> {
        self.exchange(request.map(SdkBody::from)).await
    }

    fn trusting(roots: RootCertStore, connecting: Duration) -> Connections {
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Connections(Arc::new(Inner { tls: TlsConnector::from(Arc::new(config)), connecting, idle: Mutex::default() }))
    }

    /// The answer to a request of the SDK's.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let (head, body) = self.exchange(request).await?.into_parts();
        let answer = Response::from_parts(head, SdkBody::from(body));
        answer.try_into().map_err(|error| ConnectorError::other(Box::new(error), None))
    }

    /// The answer in one piece; its connection is kept only then, whatever else happens.
    async fn exchange(&self, mut request: Request<SdkBody>) -> Result<Response<Bytes>, ConnectorError> {
        let uri = std::mem::take(request.uri_mut()).into_parts();
        let (Some(scheme), Some(authority)) = (uri.scheme, uri.authority) else {
            return Err(ConnectorError::user("a request without an endpoint".into()));
        };
        *request.uri_mut() = Uri::from(uri.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/")));
        let host = HeaderValue::from_str(authority.as_str()).map_err(|error| ConnectorError::user(error.into()))?;
        request.headers_mut().insert(HOST, host);
        loop {
            let (mut sender, is_new) = match self.take(&authority).await {
                Some(sender) => (sender, false),
                None => (self.open(&scheme, &authority).await?, true),
            };
            let mut error = match sender.try_send_request(request).await {
                Ok(answer) => {
                    let (head, body) = answer.into_parts();
                    let body = body.collect().await.map_err(failed)?.to_bytes();
                    self.keep(authority, sender);
                    return Ok(Response::from_parts(head, body));
                }
                Err(error) => error,
            };
            match error.take_message() {
                // It was closed while nobody used it: nothing of the request was sent.
                Some(unsent) if !is_new => request = unsent,
                Some(_) | None => return Err(failed(error.into_error())),
            }
        }
    }

    /// A connection that is open, for all that is known.
    async fn take(&self, authority: &Authority) -> Option<Sender> {
        loop {
            let (mut sender, since) = self.idle().get_mut(authority)?.pop()?;
            if since.elapsed() < IDLE_FOR && sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    fn keep(&self, authority: Authority, sender: Sender) {
        self.idle().entry(authority).or_default().push((sender, Instant::now()));
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self, scheme: &Scheme, authority: &Authority) -> Result<Sender, ConnectorError> {
        let stream = timeout(self.0.connecting, self.connect(scheme, authority)).await;
        let stream = stream.map_err(|elapsed| ConnectorError::timeout(elapsed.into()))?;
        let stream = stream.map_err(|error| ConnectorError::io(error.into()))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        // It ends with its sender, or when the other side closes it; whoever sends by it then hears of that.
        tokio::spawn(async { drop(connection.await) });
        Ok(sender)
    }

    async fn connect(&self, scheme: &Scheme, authority: &Authority) -> std::io::Result<Box<dyn Stream>> {
        let host = authority.host().trim_matches(['[', ']']);
        let tls = *scheme == Scheme::HTTPS;
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        if !tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        Ok(Box::new(self.0.tls.connect(name, stream).await?))
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connections")
    }
}

impl HttpConnector for Connections {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connections = self.clone();
        HttpConnectorFuture::new(async move { connections.send(request).await })
    }
}

/// A connection with TLS or, on localhost, without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What broke off may be tried again; what could not be understood, may not.
fn failed(error: hyper::Error) -> ConnectorError {
    let mut causes = std::iter::successors(Some(&error as &dyn Error), |&error| error.source());
    let broke_off = error.is_closed() || error.is_canceled() || error.is_incomplete_message();
    if broke_off || causes.any(|cause| cause.is::<std::io::Error>()) {
        ConnectorError::io(error.into())
    } else {
        ConnectorError::other(error.into(), None)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;

    use super::*;

    const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    const BROKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no";
    const NONE: &str = "";

    /// The address of a server that answers so on its first connection, on its second and so on, and then closes each.
    fn server(connections: &'static [&'static [&'static str]]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        thread::spawn(move || {
            for answers in connections {
                let mut stream = listener.accept().unwrap().0;
                for answer in *answers {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let mut byte = [0];
                        stream.read_exact(&mut byte).unwrap();
                        request.extend(byte);
                    }
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        address
    }

    async fn ask(connections: &Connections, address: &str) -> Result<(), ConnectorError> {
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_uri(address).unwrap();
        let answer = connections.call(request).await?;
        assert_eq!(answer.body().bytes(), Some(&b"ok"[..]));
        // What the server does next has been noticed.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(())
    }

    #[tokio::test]
    async fn one_connection_serves_call_after_call() {
        let (connections, address) = (Connections::default(), server(&[&[WHOLE, WHOLE, WHOLE]]));
        for _ in 0..3 {
            ask(&connections, &address).await.unwrap();
        }
    }

    #[tokio::test]
    async fn others_than_aws_are_asked_with_their_path_and_host() {
        let (connections, address) = (Connections::to_the_web(), server(&[&[WHOLE, WHOLE]]));
        for path in ["", "v1/customers?limit=1"] {
            let answer = connections.ask(Request::get(format!("{address}{path}")).body(Bytes::new()).unwrap()).await;
            assert_eq!(answer.unwrap().into_body(), "ok");
        }
        assert!(connections.ask(Request::get("/v1").body(Bytes::new()).unwrap()).await.unwrap_err().is_user());
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_between_two_calls_is_opened_anew() {
        let (connections, address) = (Connections::default(), server(&[&[WHOLE], &[WHOLE, WHOLE]]));
        for _ in 0..3 {
            ask(&connections, &address).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_breaks_off_is_not_sent_twice_and_its_connection_is_not_used_again() {
        let (connections, address) = (Connections::default(), server(&[&[WHOLE, NONE], &[BROKEN], &[WHOLE]]));
        ask(&connections, &address).await.unwrap();
        assert!(ask(&connections, &address).await.unwrap_err().is_io());
        assert!(ask(&connections, &address).await.unwrap_err().is_io());
        ask(&connections, &address).await.unwrap();
        assert!(ask(&connections, "http://127.0.0.1:1/").await.unwrap_err().is_io());
    }

    /// A server on localhost that has a certificate for this name, and the root that the certificate is from.
    async fn secure_server(name: &str) -> (u16, RootCertStore) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let key = signing_key.serialize_der().try_into().unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let stream = acceptor.accept(listener.accept().await.unwrap().0).await;
                if let Ok(mut stream) = stream {
                    // The whole of a request without a body is there at once.
                    let mut request = [0; 1024];
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(WHOLE.as_bytes()).await;
                }
            }
        });
        (port, roots)
    }

    #[tokio::test]
    async fn whoever_has_no_certificate_for_their_name_from_a_root_that_is_trusted_is_told_nothing() {
        let (port, roots) = secure_server("localhost").await;
        let trusting = Connections::trusting(roots, CONNECTING);
        ask(&trusting, &format!("https://localhost:{port}/")).await.unwrap();
        // The same server under another name, and under its own for those who trust others.
        assert!(ask(&trusting, &format!("https://127.0.0.1:{port}/")).await.is_err());
        for strangers in [Connections::default(), Connections::to_the_web()] {
            assert!(ask(&strangers, &format!("https://localhost:{port}/")).await.is_err());
        }
        // And TLS is not left out because the other side does not speak it.
        let plain = server(&[&[WHOLE]]).replace("http:", "https:");
        assert!(ask(&trusting, &plain).await.is_err());
    }
}
