//! What settings must say before patients' data is served with them.

use super::Config;
use secrecy::ExposeSecret;

/// Passwords that come from examples.
const EXAMPLES: &[&str] =
    &["password", "secret", "changeme", "change-me", "postgres", "slotwright", "admin", "example"];

impl Config {
    /// Why `slotwright serve` may not start with these settings: every reason, each with what to do.
    pub fn unfit_to_serve(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !self.tls.is_https() {
            found.push(
                "tls: connections would not be encrypted. Set tls.certificate and tls.key, or, if a proxy in \
                 front of this server ends TLS, tls.terminated_upstream = true"
                    .to_owned(),
            );
        }
        let server = &self.server;
        match &server.public_base_url {
            None if !server.listen.ip().is_loopback() => found.push(format!(
                "server.public_base_url: is needed, since server.listen ({}) is not a loopback address. Set it \
                 to the https:// URL that clients use",
                server.listen
            )),
            Some(url) if self.tls.is_https() && !url.starts_with("https://") => found.push(format!(
                "server.public_base_url: {url} is not what clients use, since TLS is. Let it start with https://"
            )),
            _ => {}
        }
        if self.has_example_password() {
            found.push(
                "database.url: holds a password that comes from an example. Give the database a password of \
                 its own"
                    .to_owned(),
            );
        }
        found
    }

    fn has_example_password(&self) -> bool {
        let url = self.database.url.expose_secret();
        let authority = url.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
        let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
        let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
        password.is_some_and(|password| EXAMPLES.contains(&password.to_ascii_lowercase().as_str()))
    }
}
