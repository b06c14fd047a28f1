//! Which addresses lie in the public network. Whether one that does not may be reached
//! all the same is the policy's part.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not for everybody, or nothing if it is public. An IPv6 address that
/// carries an IPv4 address is judged by both.
#[must_use]
pub fn objection(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => objection_v4(address),
        IpAddr::V6(address) => objection_v6(address),
    }
}

/// Azure's host, which answers with secrets at an address that looks public.
const AZURE_HOST: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Network, prefix length and what lies there.
const V4: [(Ipv4Addr, u32, &str); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this host"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private network"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "a carrier's private network"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local or a metadata service"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private network"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "a reserved network"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "a documentation network"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a relay network"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private network"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "a benchmark network"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "a documentation network"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "a documentation network"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved network or broadcast"),
];

fn objection_v4(address: Ipv4Addr) -> Option<&'static str> {
    if address == AZURE_HOST {
        return Some("a metadata service");
    }
    let within = |network: Ipv4Addr, length: u32| (u32::from(address) ^ u32::from(network)).leading_zeros() >= length;
    V4.into_iter().find(|(network, length, _)| within(*network, *length)).map(|(_, _, place)| place)
}

/// Within the public 2000::/3, what is not public all the same.
const V6: [(Ipv6Addr, u32, &str); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "a protocol's or a tunnel's network"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "a documentation network"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "a documentation network"),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, "a retired network"),
];

fn objection_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_loopback() {
        return Some("loopback");
    }
    if let Some(carried) = carried_v4(address) {
        return objection_v4(carried);
    }
    match address.segments()[0] {
        0xfe80..=0xfebf => return Some("link-local"),
        0xfec0..=0xfeff => return Some("a private network"),
        0xfc00..=0xfdff => return Some("a private network or a metadata service"),
        0xff00..=0xffff => return Some("multicast"),
        0x2000..=0x3fff => {}
        _ => return Some("not a public network"),
    }
    let within = |network: Ipv6Addr, length: u32| (u128::from(address) ^ u128::from(network)).leading_zeros() >= length;
    V6.into_iter().find(|(network, length, _)| within(*network, *length)).map(|(_, _, place)| place)
}

/// The IPv4 address that a mapped, NAT64, 6to4 or ISATAP address leads to.
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match parts {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_public_is_refused() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001:0:1::1",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "5f00::1",
            "3fff::1",
            "2606:4700::5efe:10.0.0.1",
            "2606:4700::200:5efe:7f00:1",
        ] {
            assert!(objection(text.parse().unwrap()).is_some(), "{text}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.0.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert_eq!(objection(text.parse().unwrap()), None, "{text}");
        }
    }
}
