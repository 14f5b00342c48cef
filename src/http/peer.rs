//! Whom a request comes from: the peer of its connection, or whom a trusted proxy names.

use crate::config::{ForwardedHeader, Server};
use axum::extract::{ConnectInfo, Request};
use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that `request` comes from.
pub(super) fn address(request: &Request, server: &Server) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip().to_canonical());
    if server.trusted_proxies.is_empty() { peer } else { behind_proxies(peer, request.headers(), server) }
}

/// Walks back from the peer for as long as who names the next one is a trusted proxy. What a stranger wrote
/// into the header stands in front of what the first proxy added, and is never reached.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, server: &Server) -> IpAddr {
    let trusted = |address: IpAddr| server.trusted_proxies.iter().any(|network| network.contains(address));
    let name = match server.forwarded_header {
        ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
        ForwardedHeader::Forwarded => FORWARDED,
    };
    let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    let mut at = peer;
    for hop in hops {
        if !trusted(at) {
            return at;
        }
        let named = match server.forwarded_header {
            ForwardedHeader::XForwardedFor => host(hop),
            ForwardedHeader::Forwarded => forwarded_for(hop).and_then(host),
        };
        // A name that is no address ("unknown", "_hidden") ends the way back.
        let Some(named) = named else { return at };
        at = named;
    }
    at
}

/// The `for` of one element of `Forwarded` (RFC 7239 §4).
fn forwarded_for(element: &str) -> Option<&str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    named.next().map(|(_, value)| value.trim().trim_matches('"'))
}

/// The address of `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn host(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn found(header: &str, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let env = [
            ("SLOTWRIGHT_SERVER__TRUSTED_PROXIES", "10.0.0.0/8,fd00::/8"),
            ("SLOTWRIGHT_SERVER__FORWARDED_HEADER", header),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::load(None, env).unwrap();
        let mut request = Request::new(axum::body::Body::empty());
        for (name, value) in lines {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        request.extensions_mut().insert(ConnectInfo(peer));
        address(&request, &config.server).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let of = |peer, value| found("x-forwarded-for", peer, &[("x-forwarded-for", value)]);
        assert_eq!(of("192.0.2.1", "8.8.8.8"), "192.0.2.1");
        assert_eq!(of("10.0.0.1", "8.8.8.8"), "8.8.8.8");
        assert_eq!(of("::ffff:10.0.0.1", "8.8.8.8"), "8.8.8.8");
        assert_eq!(of("10.0.0.1", "8.8.8.8:123"), "8.8.8.8");
        assert_eq!(of("10.0.0.1", "[2606:4700::1]:123"), "2606:4700::1");
        assert_eq!(of("10.0.0.1", "2606:4700::1"), "2606:4700::1");
    }

    #[test]
    fn what_a_stranger_put_in_front_is_not_reached() {
        let of = |lines: &[(&'static str, &str)]| found("x-forwarded-for", "10.0.0.1", lines);
        assert_eq!(of(&[("x-forwarded-for", "1.1.1.1, 8.8.8.8, 10.0.0.2")]), "8.8.8.8");
        let two = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "8.8.8.8")];
        assert_eq!(of(&two), "8.8.8.8");
        assert_eq!(of(&[("x-forwarded-for", "1.1.1.1, nonsense")]), "10.0.0.1");
        assert_eq!(of(&[("forwarded", "for=1.1.1.1")]), "10.0.0.1", "another header");
        assert_eq!(of(&[("x-forwarded-for", "10.0.0.3, 10.0.0.2")]), "10.0.0.3");
        assert_eq!(of(&[]), "10.0.0.1");
    }

    #[test]
    fn the_standard_header_is_read_when_it_is_the_one() {
        let of = |value| found("forwarded", "10.0.0.1", &[("forwarded", value)]);
        assert_eq!(of("for=8.8.8.8;proto=https;by=10.0.0.1"), "8.8.8.8");
        assert_eq!(of("For=\"[2606:4700::1]:80\""), "2606:4700::1");
        assert_eq!(of("for=1.1.1.1, for=8.8.8.8"), "8.8.8.8");
        assert_eq!(of("for=_hidden"), "10.0.0.1");
    }
}
