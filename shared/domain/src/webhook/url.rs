//! Where an endpoint is.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::is_public;
use crate::schema::{self, described};
use crate::text::Invalid;

/// Bytes of an endpoint's address.
pub const MAX_URL: usize = 2048;

/// An https address without user, password and fragment, written as browsers write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EndpointUrl(String);

described!(
    EndpointUrl,
    schema::text(
        "An https address at most 2,048 bytes long, without user, password and fragment. Its host may have public addresses only.",
        9,
        2048,
        "^https?://",
        "https://erp.example.com/waybill"
    )
);

/// Hosts that may be reached over plain http and at addresses that are not public: a developer's own.
#[derive(Clone, Debug, Default)]
pub struct TestHosts(Vec<String>);

impl TestHosts {
    /// From names with commas between them.
    pub fn new(names: &str) -> Self {
        let names = names.split(',').map(|name| name.trim().to_ascii_lowercase());
        TestHosts(names.filter(|name| !name.is_empty()).collect())
    }

    /// As addresses of the web write a host.
    pub fn has(&self, host: &str) -> bool {
        self.0.iter().any(|name| name == host)
    }
}

impl EndpointUrl {
    /// An address that a name leads to is looked at when something is sent; one that stands in the URL, at once.
    pub fn parse(text: &str, tests: &TestHosts) -> Result<Self, Invalid> {
        let url = Url::parse(text).map_err(|_| Invalid::new("must be an https address"))?;
        if text.len() > MAX_URL || url.as_str().len() > MAX_URL {
            return Err(Invalid::new(format!("must be at most {MAX_URL} bytes long")));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Invalid::new("must not have a user or a password"));
        }
        if url.fragment().is_some() {
            return Err(Invalid::new("must not have a fragment"));
        }
        let is_test = url.host_str().is_some_and(|host| tests.has(host));
        if url.scheme() != "https" && !(is_test && url.scheme() == "http") {
            return Err(Invalid::new("must be an https address"));
        }
        let address: Option<IpAddr> = match url.host() {
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            None => return Err(Invalid::new("must be an https address")),
        };
        if address.is_some_and(|address| !is_public(address)) && !is_test {
            return Err(Invalid::new("must be an address of the public internet"));
        }
        Ok(EndpointUrl(url.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        EndpointUrl::parse(text, &TestHosts::default()).unwrap_err().to_string()
    }

    #[test]
    fn an_endpoint_is_at_an_https_address() {
        let long = |bytes: usize| format!("https://a.example/{}", "x".repeat(bytes - 18));
        for good in ["https://erp.example.com", "https://erp.example.com:8443/a?b=c", "https://8.8.8.8/", &long(2048)] {
            assert!(EndpointUrl::parse(good, &TestHosts::default()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "erp.example.com",
            "/hooks",
            "http://erp.example.com",
            "ftp://a.example",
            "https://",
            "file:///etc/passwd",
        ] {
            assert_eq!(reason(bad), "must be an https address", "{bad}");
        }
        assert_eq!(reason(&long(2049)), "must be at most 2048 bytes long");
        assert_eq!(reason("https://a:b@erp.example.com"), "must not have a user or a password");
        assert_eq!(reason("https://a@erp.example.com"), "must not have a user or a password");
        assert_eq!(reason("https://erp.example.com/#a"), "must not have a fragment");
    }

    #[test]
    fn an_address_that_is_not_public_is_refused_however_it_is_written() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "017700000001",
            "127.0.0.1.",
            "169.254.169.254",
            "0xa9fea9fe",
            "2852039166",
            "0251.0376.0251.0376",
            "10.0.0.1",
            "192.168.0.1",
            "0",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "１２７.0.0.1",
            "127。0。0。1",
            "%31%32%37.0.0.1",
        ] {
            assert_eq!(reason(&format!("https://{host}/")), "must be an address of the public internet", "{host}");
        }
    }

    #[test]
    fn only_a_host_of_tests_may_be_here_and_without_tls() {
        let tests = TestHosts::new(" LOCALHOST, 127.0.0.1,,");
        for good in ["http://localhost:8080/a", "http://127.0.0.1:9/", "https://127.1/"] {
            assert!(EndpointUrl::parse(good, &tests).is_ok(), "{good}");
        }
        for bad in ["http://127.0.0.2/", "http://erp.example.com/", "https://[::1]/", "ftp://localhost/"] {
            assert!(EndpointUrl::parse(bad, &tests).is_err(), "{bad}");
        }
        assert!(!TestHosts::new("").has(""));
    }
}
