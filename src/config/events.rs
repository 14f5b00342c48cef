//! `[events]` and `[stream]`

use super::units;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// `[events]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// How long the event log goes back.
    #[serde(deserialize_with = "units::duration")]
    pub retention: Duration,
}

/// `[stream]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// The event log at a NATS server.
    pub nats: Nats,
}

/// `[stream.nats]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    /// `tls://host:port`, or `nats://` on this machine; none: no stream.
    #[serde(deserialize_with = "units::optional_text")]
    pub url: Option<String>,
    /// Name of the JetStream stream.
    pub stream: String,
    /// What subjects begin with.
    pub subject: String,
    /// File of credentials (JWT and key).
    #[serde(deserialize_with = "units::optional_path")]
    pub credentials_file: Option<PathBuf>,
    /// Name to sign in with.
    #[serde(deserialize_with = "units::optional_text")]
    pub username: Option<String>,
    /// Password, which belongs into the environment; empty: none.
    #[serde(deserialize_with = "units::secret")]
    pub password: SecretString,
    /// PEM file of certificates that are trusted beside the system's.
    #[serde(deserialize_with = "units::optional_path")]
    pub roots: Option<PathBuf>,
}

/// The shortest time that the log goes back: deliveries are tried for days.
const SHORTEST: Duration = Duration::from_hours(24);

/// Every rule that is broken.
pub(super) fn problems(events: &Events, stream: &Stream, found: &mut Vec<String>) {
    if events.retention < SHORTEST {
        found.push("events.retention: must be at least 24h".to_owned());
    }
    let nats = &stream.nats;
    let word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if nats.stream.is_empty() || !word(&nats.stream) {
        found.push("stream.nats.stream: must be of letters, digits, - and _".to_owned());
    }
    if !nats.subject.split('.').all(|part| !part.is_empty() && word(part)) {
        found.push(
            "stream.nats.subject: must be words of letters, digits, - and _ with dots between".to_owned(),
        );
    }
    if let Some(url) = &nats.url
        && !is_fit(url)
    {
        found.push(format!(
            "stream.nats.url: \"{url}\" is neither tls://host:port nor nats:// with an address of this machine"
        ));
    }
    if nats.username.is_some() == nats.password.expose_secret().is_empty() {
        found.push("stream.nats.username and password: both are needed, or neither".to_owned());
    }
}

/// Whether what is sent there is encrypted, or stays on this machine.
fn is_fit(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let host = rest.rsplit_once(':').map_or(rest, |(host, _)| host);
    let plain = !host.is_empty() && !rest.contains(['@', '/', '?', '#']);
    plain && (scheme == "tls" || (scheme == "nats" && matches!(host, "127.0.0.1" | "localhost" | "[::1]")))
}
