//! Which addresses a fetch may reach: what the whole Internet can reach, and nothing that only this machine,
//! its network or its cloud can (IANA special-purpose registries, RFC 6890).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks that are not public: first address, length of the prefix.
const CLOSED_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // A cloud's metadata service on an address that looks public.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, reserved, broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// The one IPv6 network that is public (global unicast), and what is special inside it: protocol assignments
/// with Teredo, documentation, 6to4, documentation again.
const OPEN_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const CLOSED_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x2620, 0x004f, 0x8000, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether `address` is one that the whole Internet can reach. An IPv4 address inside an IPv6 one is judged as
/// itself when it is mapped (`::ffff:0:0/96`); every other way to embed one (6to4, NAT64) is not public.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !CLOSED_V4.iter().any(|network| inside_v4(address, *network)),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(inner) => is_public(IpAddr::V4(inner)),
            None => {
                inside_v6(address, OPEN_V6) && !CLOSED_V6.iter().any(|network| inside_v6(address, *network))
            }
        },
    }
}

fn inside_v4(address: Ipv4Addr, (network, prefix): (Ipv4Addr, u32)) -> bool {
    let beyond = u32::BITS - prefix;
    address.to_bits() >> beyond == network.to_bits() >> beyond
}

fn inside_v6(address: Ipv6Addr, (network, prefix): (Ipv6Addr, u32)) -> bool {
    let beyond = u128::BITS - prefix;
    address.to_bits() >> beyond == network.to_bits() >> beyond
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_this_network_reaches_is_closed() {
        for address in [
            "10.254.0.0",
            "192.168.10.65",
            "172.16.10.65",
            "172.31.255.255",
            "0.1.2.3",
            "0.0.0.0",
            "127.0.0.1",
            "127.0.0.254",
            "127.254.254.254",
            "169.254.45.1",
            "169.254.169.254",
            "168.63.129.16",
            "255.255.255.255",
            "224.1.2.3",
            "233.252.0.16",
            "192.0.0.0",
            "192.0.0.192",
            "192.0.2.255",
            "198.51.100.65",
            "203.0.113.6",
            "100.100.0.0",
            "100.100.100.200",
            "192.88.99.3",
            "198.18.0.0",
            "198.19.255.255",
            "240.240.240.240",
            "::0",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:0.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::8.8.8.8",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "3fff:fff:ffff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fdee::1",
            "fd00:ec2::254",
            "ff02::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "5f00::1",
            "100::1",
            "4000::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_the_internet_reaches_is_open() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "198.17.255.255",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2001:200::1",
            "2606:4700:4700::1111",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
