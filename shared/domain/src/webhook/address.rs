//! Which addresses are anybody's to reach. Everything else may be ours, or the cloud's own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the IANA registries of special-purpose addresses keep from the public internet, as network and length:
/// https://www.iana.org/assignments/iana-ipv4-special-registry
const KEPT_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local, where clouds keep their metadata.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// All that is routed at all: loopback, link-local, unique-local, multicast, and IPv4 that is mapped or translated (NAT64)
/// lie outside of it.
const ROUTED_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What is kept within it. https://www.iana.org/assignments/iana-ipv6-special-registry
const KEPT_V6: [(Ipv6Addr, u32); 4] = [
    // Of protocols: Teredo, benchmarks, ORCHID.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4, which holds an address of IPv4.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is one of the public internet, and so nothing that only we could reach.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !KEPT_V4
            .iter()
            .any(|&(network, length)| address.to_bits() >> (32 - length) == network.to_bits() >> (32 - length)),
        IpAddr::V6(address) => {
            let lies_in = |&(network, length): &(Ipv6Addr, u32)| {
                address.to_bits() >> (128 - length) == network.to_bits() >> (128 - length)
            };
            lies_in(&ROUTED_V6) && !KEPT_V6.iter().any(lies_in)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_public_is_kept_from_its_first_address_to_its_last() {
        for (kept, before, after) in [
            ("0.0.0.0 0.255.255.255", "", "1.0.0.0"),
            ("10.0.0.0 10.255.255.255", "9.255.255.255", "11.0.0.0"),
            ("100.64.0.0 100.127.255.255", "100.63.255.255", "100.128.0.0"),
            ("127.0.0.0 127.0.0.1 127.255.255.255", "126.255.255.255", "128.0.0.0"),
            ("169.254.0.0 169.254.169.254 169.254.170.2 169.254.255.255", "169.253.255.255", "169.255.0.0"),
            ("172.16.0.0 172.31.255.255", "172.15.255.255", "172.32.0.0"),
            ("192.0.0.0 192.0.0.255", "191.255.255.255", "192.0.1.0"),
            ("192.0.2.0 192.0.2.255", "192.0.1.255", "192.0.3.0"),
            ("192.88.99.0 192.88.99.255", "192.88.98.255", "192.88.100.0"),
            ("192.168.0.0 192.168.255.255", "192.167.255.255", "192.169.0.0"),
            ("198.18.0.0 198.19.255.255", "198.17.255.255", "198.20.0.0"),
            ("198.51.100.0 198.51.100.255", "198.51.99.255", "198.51.101.0"),
            ("203.0.113.0 203.0.113.255", "203.0.112.255", "203.0.114.0"),
            ("224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.255", "223.255.255.255", ""),
            (":: ::1 ::ffff:8.8.8.8 ::ffff:127.0.0.1 64:ff9b::808:808 64:ff9b:1::1 100::1 1fff::", "", "2000::"),
            ("2001:: 2001::1 2001:2::1 2001:1ff:ffff::", "2000:ffff:ffff::", "2001:200::"),
            ("2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db7:ffff::", "2001:db9::"),
            ("2002:: 2002:7f00:1:: 2002:ffff:ffff::", "2001:ffff::", "2003::"),
            ("3fff:: 3fff:fff:ffff::", "3ffe:ffff::", "3fff:1000::"),
            (
                "4000:: 5f00::1 8000:: fc00:: fd00:ec2::254 fdff:: fe80::1 febf:: fec0:: ff00:: ff02::1",
                "3fff:ffff::",
                "",
            ),
        ] {
            for kept in kept.split(' ') {
                assert!(!is_public(kept.parse().unwrap()), "{kept}");
            }
            for public in [before, after].into_iter().filter(|address| !address.is_empty()) {
                assert!(is_public(public.parse().unwrap()), "{public}");
            }
        }
        for public in ["1.1.1.1", "8.8.8.8", "52.94.236.248", "2606:4700::1111", "2a00:1450:4001::8a"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
