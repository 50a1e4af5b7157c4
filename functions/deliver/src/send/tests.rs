//! What an endpoint may do to us, over real sockets. The certificate is one that nobody but these tests trusts.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

fn client() -> Client {
    Client { patience: Duration::from_millis(500), ..Client::new(TestHosts::new("localhost,127.0.0.1")) }
}

async fn posted(client: &Client, url: String) -> Outcome {
    let url = EndpointUrl::parse(&url, &client.tests).unwrap();
    client.post(&url, &[("webhook-id", "ord_1/1".into())], "{}".into()).await
}

/// A server that answers every connection so, once it has heard something; nothing, for None.
async fn answers(answer: Option<Vec<u8>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut heard = [0; 4096];
                let _ = stream.read(&mut heard).await;
                match answer {
                    Some(answer) => drop(stream.write_all(&answer).await),
                    None => tokio::time::sleep(Duration::from_secs(5)).await,
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn an_answer_is_its_status_and_nothing_else_of_it_is_waited_for() {
    for (answer, expected) in [
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), Outcome::Answered(204)),
        // A body that never ends, and a place to go to.
        ("HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\nx".to_owned(), Outcome::Answered(200)),
        ("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n".to_owned(), Outcome::Answered(302)),
        ("SSH-2.0-OpenSSH_9.9\r\n".to_owned(), Outcome::Failed(Failure::Protocol)),
        (format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(LARGEST_HEAD)), Outcome::Failed(Failure::Protocol)),
    ] {
        let port = answers(Some(answer.clone().into_bytes())).await;
        assert_eq!(posted(&client(), format!("http://127.0.0.1:{port}/")).await, expected, "{answer:.40}");
    }
    let port = answers(Some(Vec::new())).await;
    let hung_up = posted(&client(), format!("http://127.0.0.1:{port}/")).await;
    assert!(matches!(hung_up, Outcome::Failed(Failure::Connection | Failure::Protocol)), "{hung_up}");
    let port = answers(None).await;
    assert_eq!(posted(&client(), format!("http://127.0.0.1:{port}/")).await, Outcome::Failed(Failure::Timeout));
    assert_eq!(posted(&client(), "http://127.0.0.1:1/".into()).await, Outcome::Failed(Failure::Connection));
}

#[tokio::test]
async fn a_certificate_has_to_be_good_for_the_name() {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("key.pem")).unwrap();
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut heard = [0; 4096];
                let count = stream.read(&mut heard).await.unwrap();
                let heard = String::from_utf8_lossy(&heard[..count]).to_lowercase();
                let is_whole =
                    heard.starts_with("post /hooks?a=b http/1.1\r\n") && heard.contains("\r\nhost: localhost:");
                let status = if is_whole && heard.contains("webhook-id: ord_1/1\r\n") { "200 OK" } else { "400 No" };
                let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await;
            }
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let trusting = Client { tls: tls(roots), ..client() };
    let at = |host: &str| format!("https://{host}:{port}/hooks?a=b");
    assert_eq!(posted(&trusting, at("localhost")).await, Outcome::Answered(200));
    assert_eq!(posted(&trusting, at("127.0.0.1")).await, Outcome::Failed(Failure::Tls), "it is not of this name");
    assert_eq!(posted(&client(), at("localhost")).await, Outcome::Failed(Failure::Tls), "nobody trusts it");
    let plain = answers(Some(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())).await;
    assert_eq!(posted(&trusting, format!("https://localhost:{plain}/")).await, Outcome::Failed(Failure::Tls));
}
