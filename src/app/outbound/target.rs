//! Which URLs may be fetched, and which addresses their names may stand for.

use super::address::is_public;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

/// The longest URL that is fetched.
const LONGEST_URL: usize = 2048;

/// The hosts that an administrator vouches for: plain http, any address and, if so listed, another port.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    hosts: BTreeSet<(String, Option<u16>)>,
}

impl Listed {
    /// Reads the entries of `outbound.allow`, each `host` (any port) or `host:port`.
    ///
    /// # Errors
    /// The first entry that is neither.
    pub fn read(entries: &[String]) -> Result<Self, String> {
        let hosts = entries.iter().map(|entry| parse_entry(entry).ok_or_else(|| entry.clone()));
        Ok(Self { hosts: hosts.collect::<Result<_, _>>()? })
    }

    fn has(&self, host: &str, port: u16) -> bool {
        let with = |port| self.hosts.contains(&(host.to_owned(), port));
        with(None) || with(Some(port))
    }

    fn has_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|(listed, _)| listed == host)
    }
}

/// Host and port as URLs spell them, so that one host has one spelling.
fn parse_entry(entry: &str) -> Option<(String, Option<u16>)> {
    if entry.contains(['/', '@', '?', '#', '\\']) || entry.ends_with(':') {
        return None;
    }
    // A URL forgets the port 443, so the port is read from the text.
    let url = Url::parse(&format!("https://{entry}")).ok()?;
    let port = match entry.rsplit_once(':') {
        Some((_, digits)) if !digits.contains(']') => Some(digits.parse().ok()?),
        _ => None,
    };
    Some((url.host_str()?.to_owned(), port))
}

/// Why a URL is not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not an absolute URL, or too long.
    #[error("it is not an absolute URL of at most 2048 characters")]
    NotAUrl,
    /// Not `https`.
    #[error("it must start with https://")]
    Scheme,
    /// A user, a password or a fragment.
    #[error("it must have no user, password or fragment")]
    Parts,
    /// A port other than 443.
    #[error("it must use port 443")]
    Port,
    /// A host that is no name on the Internet.
    #[error("its host is not one that the Internet can reach")]
    Host,
}

/// The URL if its text alone allows a fetch. The address behind a name is judged when it is connected to.
///
/// # Errors
/// What is wrong with it; fit to be told to whoever registers the URL.
pub fn judge(text: &str, listed: &Listed) -> Result<Url, Refused> {
    if text.len() > LONGEST_URL {
        return Err(Refused::NotAUrl);
    }
    let url = Url::parse(text).map_err(|_| Refused::NotAUrl)?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(Refused::NotAUrl)?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(Refused::Parts);
    }
    let port = url.port_or_known_default().ok_or(Refused::Scheme)?;
    if matches!(url.scheme(), "http" | "https") && listed.has(host, port) {
        return Ok(url);
    }
    if url.scheme() != "https" {
        return Err(Refused::Scheme);
    }
    if port != 443 {
        return Err(Refused::Port);
    }
    // An address in the URL is connected to without asking the resolver, so it is judged here.
    let open = match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => is_public(address),
        // A trailing dot makes two spellings of one name; a single label names a neighbour.
        Err(_) => !host.ends_with('.') && host.contains('.') && !is_local_name(host),
    };
    if open { Ok(url) } else { Err(Refused::Host) }
}

/// Names that never leave a machine or a network (RFC 6761, RFC 6762, RFC 8375, RFC 9476).
fn is_local_name(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    matches!(last, "localhost" | "local" | "internal" | "arpa" | "onion" | "alt")
}

/// Finds the addresses of a name. Tests put their own in its place.
pub type Lookup =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// The system's resolver.
pub fn system() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Resolves names for the HTTP client and hands over only public addresses, except for listed hosts. It is
/// asked for each connection, so an answer that changes between two questions gains nothing.
#[derive(Clone)]
pub struct Guard {
    /// Hosts whose addresses are not judged.
    pub listed: Arc<Listed>,
    /// Finds addresses.
    pub lookup: Lookup,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let judged = !guard.listed.has_host(&host);
            let mut found = (guard.lookup)(host).await?;
            found.retain(|address| !judged || is_public(*address));
            if found.is_empty() {
                return Err("no address that may be reached".into());
            }
            // The port of the URL takes the place of 0.
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(entries: &[&str]) -> Listed {
        Listed::read(&entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn public_https_is_taken() {
        let none = Listed::default();
        for url in [
            "https://ehr.example/jwks",
            "https://EHR.example:443/jwks?x=1",
            "https://8.8.8.8/",
            "https://[2001:4860:4860::8888]/",
            "https://[::ffff:8.8.8.8]/",
        ] {
            assert!(judge(url, &none).is_ok(), "{url}");
        }
    }

    #[test]
    fn every_spelling_of_a_closed_address_is_refused() {
        let none = Listed::default();
        for url in [
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://0x7f.1/",
            "https://0x7f000001/",
            "https://127.1/",
            "https://127.0.0.1./",
            "https://localhost/",
            "https://localhost./",
            "https://a.localhost/",
            "https://printer.local/",
            "https://metadata.google.internal/",
            "https://db/",
            "https://ehr.example./",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[fe80::1%25eth0]/",
            "https://[64:ff9b::7f00:1]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://0/",
            "https://①②⑦.⓪.⓪.①/",
        ] {
            assert!(judge(url, &none).is_err(), "{url}");
        }
    }

    #[test]
    fn other_schemes_users_ports_and_fragments_are_refused() {
        let none = Listed::default();
        for (url, reason) in [
            ("http://ehr.example/", Refused::Scheme),
            ("ftp://ehr.example/", Refused::Scheme),
            ("file:///etc/passwd", Refused::NotAUrl),
            ("/jwks", Refused::NotAUrl),
            ("https://good@127.0.0.1/", Refused::Parts),
            ("https://good:word@ehr.example/", Refused::Parts),
            ("https://ehr.example/#x", Refused::Parts),
            ("https://ehr.example:8443/", Refused::Port),
            ("https://ehr.example:80/", Refused::Port),
        ] {
            assert_eq!(judge(url, &none).unwrap_err(), reason, "{url}");
        }
        assert!(judge(&format!("https://ehr.example/{}", "x".repeat(3000)), &none).is_err());
    }

    #[test]
    fn a_listed_host_is_taken_as_listed_and_no_look_alike() {
        let some = listed(&["127.0.0.1", "EHR.example:8443", "[::1]:9000"]);
        for url in [
            "http://127.0.0.1:5000/jwks",
            "https://2130706433/jwks",
            "https://ehr.example:8443/jwks",
            "http://[::1]:9000/",
            "https://ehr.example/jwks",
        ] {
            assert!(judge(url, &some).is_ok(), "{url}");
        }
        for url in [
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.2/",
            "https://ehr.example.evil.example:8443/",
            "https://ehr.example:8444/",
            "http://ehr.example/",
            "http://[::1]:9001/",
            "http://127.0.0.1@evil.example/",
            "ftp://127.0.0.1/",
        ] {
            assert!(judge(url, &some).is_err(), "{url}");
        }
    }

    #[test]
    fn an_entry_that_is_no_host_is_named() {
        for bad in ["https://ehr.example", "ehr.example/x", "a@b", "ehr.example:", "ehr.example:x", "a b", ""]
        {
            assert_eq!(Listed::read(&[bad.to_owned()]).unwrap_err(), bad, "{bad}");
        }
    }
}
