//! The way to an endpoint: to an address that was looked at, and to no other.

use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpStream, lookup_host};
use url::{Host, Url};
use waybill_domain::webhook::{Failure, TestHosts, is_public};

/// Connects to a URL's host. Its name is resolved once, here; an address that is not of the public internet among those that
/// it leads to spoils them all. What is connected to is what was looked at, whatever the name leads to a moment later.
pub async fn connect(url: &Url, tests: &TestHosts) -> Result<TcpStream, Failure> {
    let port = url.port_or_known_default().ok_or(Failure::Name)?;
    let addresses = match url.host().ok_or(Failure::Name)? {
        Host::Domain(name) => {
            let found = lookup_host((name, port)).await.map_err(|_| Failure::Name)?;
            found.collect()
        }
        Host::Ipv4(address) => vec![SocketAddr::new(IpAddr::V4(address), port)],
        Host::Ipv6(address) => vec![SocketAddr::new(IpAddr::V6(address), port)],
    };
    let is_test = url.host_str().is_some_and(|host| tests.has(host));
    reach(&checked(addresses, is_test)?).await
}

fn checked(addresses: Vec<SocketAddr>, is_test: bool) -> Result<Vec<SocketAddr>, Failure> {
    if addresses.is_empty() {
        return Err(Failure::Name);
    }
    match is_test || addresses.iter().all(|address| is_public(address.ip())) {
        true => Ok(addresses),
        false => Err(Failure::Address),
    }
}

/// The first address that takes the connection.
async fn reach(addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
    for address in addresses {
        if let Ok(stream) = TcpStream::connect(address).await {
            return Ok(stream);
        }
    }
    Err(Failure::Connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 443)).collect()
    }

    #[test]
    fn one_address_that_is_not_public_spoils_a_name() {
        let public = addresses(&["1.1.1.1", "2606:4700::1111"]);
        assert_eq!(checked(public.clone(), false), Ok(public));
        for inner in ["127.0.0.1", "169.254.169.254", "10.1.2.3", "fd00:ec2::254", "::ffff:10.0.0.1"] {
            for names in [[inner, "1.1.1.1"], ["1.1.1.1", inner]] {
                assert_eq!(checked(addresses(&names), false), Err(Failure::Address), "{names:?}");
            }
        }
        assert_eq!(checked(Vec::new(), false), Err(Failure::Name));
        assert_eq!(checked(addresses(&["127.0.0.1"]), true), Ok(addresses(&["127.0.0.1"])));
    }

    #[tokio::test]
    async fn a_name_that_leads_here_is_not_followed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = |host: &str| Url::parse(&format!("https://{host}:{port}/")).unwrap();
        for host in ["localhost", "127.0.0.1", "127.1", "[::ffff:127.0.0.1]", "0.0.0.0"] {
            let refused = connect(&url(host), &TestHosts::default()).await;
            assert_eq!(refused.err(), Some(Failure::Address), "{host}");
        }
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "somebody knocked");
        connect(&url("127.0.0.1"), &TestHosts::new("127.0.0.1")).await.unwrap();
        let unknown = connect(&url("nothing.invalid"), &TestHosts::default()).await;
        assert_eq!(unknown.err(), Some(Failure::Name));
    }
}
