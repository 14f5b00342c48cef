//! Registered applications.

use super::scope::Scopes;
use serde_json::Value;

/// The longest URI that can be registered.
const LONGEST_URI: usize = 2048;

/// How a client proves who it is at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It can't: a public client.
    None,
    /// A secret that it shares with us.
    Secret,
    /// A signed assertion (`private_key_jwt`).
    Key,
}

impl Proof {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::None, Self::Secret, Self::Key];

    /// As the database and the command line write it.
    pub fn code(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Secret => "secret",
            Self::Key => "key",
        }
    }

    /// The kind with this [`Proof::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|proof| proof.code() == code)
    }
}

/// A client's public keys.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientKeys {
    /// A JWK Set by value.
    Set(Value),
    /// Where it publishes one.
    Url(String),
}

/// A registered application.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// `client_id`
    pub id: String,
    /// What people are shown.
    pub name: String,
    /// How it proves who it is.
    pub proof: Proof,
    /// Whether it acts for itself; otherwise for people.
    pub system: bool,
    /// The most that it may be given.
    pub scopes: Scopes,
    /// Where answers may be sent.
    pub redirect_uris: Vec<String>,
    /// Where an EHR starts it.
    pub launch_uri: Option<String>,
    /// Its public keys, when it proves itself by one.
    pub keys: Option<ClientKeys>,
    /// Whether it may ask what tokens of others mean.
    pub may_introspect: bool,
    /// Whether it may make launch contexts.
    pub may_launch: bool,
    /// Whether it may keep accounts and roles (SCIM).
    pub may_provision: bool,
    /// Whether it is switched off.
    pub disabled: bool,
}

impl Client {
    /// Whether `uri` is one of the registered ones, to the byte: every looser comparison is an open redirector
    /// (RFC 9700 §2.1).
    pub fn has_redirect(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| registered == uri)
    }
}

/// What is wrong with a redirect URI that is to be registered, if anything (RFC 9700 §4.1, RFC 8252 §7).
pub fn redirect_problem(uri: &str) -> Option<&'static str> {
    if uri.len() > LONGEST_URI || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("a redirect URI has at most 2048 printable ASCII characters");
    }
    if uri.contains(['#', '*', '\\', '"', '<', '>', '{', '}', '|', '^', '`']) {
        return Some("a redirect URI has no fragment and no pattern");
    }
    let Some((scheme, rest)) = uri.split_once(':') else { return Some("a redirect URI is absolute") };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte));
    if !is_scheme {
        return Some("the scheme of a redirect URI is written in lower case");
    }
    let path_and_query = match (scheme, rest.strip_prefix("//")) {
        ("http" | "https", Some(rest)) => {
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            let host = host_of(authority);
            if authority.contains('@') || host.is_empty() || host != host.to_ascii_lowercase() {
                return Some("a redirect URI names a host in lower case and no user");
            }
            if scheme == "http" && !matches!(host, "127.0.0.1" | "[::1]" | "localhost") {
                return Some("a redirect URI is https, or http on a loopback address");
            }
            path
        }
        ("http" | "https", None) => return Some("a redirect URI is absolute"),
        // An application's own scheme, by its reversed domain name.
        (scheme, None) if scheme.contains('.') && rest.starts_with('/') => rest,
        _ => {
            return Some(
                "a redirect URI is https, http on a loopback address, or of a scheme like com.example.app:/",
            );
        }
    };
    let path = path_and_query.split('?').next().unwrap_or_default().to_ascii_lowercase().replace("%2e", ".");
    let climbs = path.split('/').any(|segment| segment == ".." || segment == ".");
    climbs.then_some("the path of a redirect URI has no . and .. in it")
}

/// What is wrong with a URL that browsers or this server are sent to, if anything.
pub fn url_problem(url: &str) -> Option<&'static str> {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    if is_web { redirect_problem(url) } else { Some("it is not an https URL") }
}

fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some((_, port)) if !port.ends_with(']') => "",
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_are_exact_and_safe() {
        for good in [
            "https://app.example/callback",
            "https://app.example:8443/callback?x=1",
            "https://app.example",
            "http://127.0.0.1:7000/cb",
            "http://[::1]/cb",
            "http://localhost:3000/",
            "com.example.app:/cb",
        ] {
            assert_eq!(redirect_problem(good), None, "{good}");
        }
        for bad in [
            "",
            "/callback",
            "app.example/callback",
            "http://app.example/callback",
            "https:/app.example",
            "https://",
            "https://user@app.example/",
            "https://App.example/",
            "HTTPS://app.example/",
            "https://app.example/#x",
            "https://*.app.example/",
            "https://app.example/a/../b",
            "https://app.example/a/%2E%2e/b",
            "https://app.example:/",
            "https://app.example\\@evil.example/",
            "https://app.example/ä",
            "https://app.example/a b",
            "javascript:alert(1)",
            "data:text/html,x",
            "app:/cb",
            "file:///etc/passwd",
        ] {
            assert!(redirect_problem(bad).is_some(), "{bad}");
        }
    }
}
