//! `[stream]`

use super::units;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

/// `[stream]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// The event log at a NATS server.
    pub nats: Nats,
    /// The event log at Kafka brokers.
    pub kafka: Kafka,
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

/// `[stream.kafka]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// `host:port` of the brokers that are asked first; none: no stream.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// Whether connections are encrypted. They are, unless the brokers are on this machine.
    pub tls: bool,
    /// PEM file of certificates that are trusted beside the system's.
    #[serde(deserialize_with = "units::optional_path")]
    pub roots: Option<PathBuf>,
    /// PEM file of the certificate that is shown to brokers.
    #[serde(deserialize_with = "units::optional_path")]
    pub certificate: Option<PathBuf>,
    /// PEM file of its private key.
    #[serde(deserialize_with = "units::optional_path")]
    pub key: Option<PathBuf>,
    /// How to sign in; none: not at all, or by the certificate.
    #[serde(deserialize_with = "optional_sasl")]
    pub sasl: Option<Sasl>,
    /// Name to sign in with.
    pub username: String,
    /// Password, which belongs into the environment; empty: none.
    #[serde(deserialize_with = "units::secret")]
    pub password: SecretString,
}

/// How to sign in at Kafka brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sasl {
    /// RFC 4616.
    Plain,
    /// RFC 7677.
    ScramSha256,
    /// The same with SHA-512.
    ScramSha512,
}

impl Sasl {
    const ALL: [Self; 3] = [Self::Plain, Self::ScramSha256, Self::ScramSha512];

    /// The registered name of the mechanism.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

fn optional_sasl<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Sasl>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let known = Sasl::ALL.into_iter().find(|sasl| sasl.name() == text);
    known.map(Some).ok_or_else(|| {
        D::Error::custom(format!("\"{text}\" is none of PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512"))
    })
}

/// Every rule that is broken.
pub(super) fn problems(stream: &Stream, found: &mut Vec<String>) {
    nats(&stream.nats, found);
    kafka(&stream.kafka, found);
}

fn nats(nats: &Nats, found: &mut Vec<String>) {
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
    plain && (scheme == "tls" || (scheme == "nats" && is_this_machine(host)))
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|host| host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()))
}

fn kafka(kafka: &Kafka, found: &mut Vec<String>) {
    let mut wrong = |setting: &str, told: &str| found.push(format!("stream.kafka.{setting}: {told}"));
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let topic = &kafka.topic;
    if topic.is_empty()
        || topic.len() > 249
        || matches!(topic.as_str(), "." | "..")
        || !topic.bytes().all(legal)
    {
        wrong("topic", "must be of letters, digits, ., - and _, 249 at most");
    }
    for broker in &kafka.brokers {
        match host_of(broker) {
            None => wrong("brokers", &format!("\"{broker}\" is not host:port")),
            Some(host) if !kafka.tls && !is_this_machine(host) => wrong(
                "tls",
                &format!(
                    "false is for brokers on this machine only (127.0.0.1 or localhost), not for {broker}"
                ),
            ),
            Some(host) if kafka.tls && host.starts_with('[') => {
                wrong("brokers", &format!("{broker} has no name that a certificate could be compared with"));
            }
            Some(_) => {}
        }
    }
    if kafka.certificate.is_some() != kafka.key.is_some() {
        wrong("certificate", "is set together with stream.kafka.key, or neither is");
    }
    if !kafka.tls && (kafka.roots.is_some() || kafka.certificate.is_some()) {
        wrong("tls", "is false, so roots, certificate and key are of no use");
    }
    let (no_name, no_password) = (kafka.username.is_empty(), kafka.password.expose_secret().is_empty());
    if kafka.sasl.is_some() && (no_name || no_password) {
        wrong("sasl", "needs stream.kafka.username and stream.kafka.password");
    }
    if kafka.sasl.is_none() && !(no_name && no_password) {
        wrong("sasl", "must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, since a username or password is set");
    }
}

/// The host of `host:port`.
fn host_of(broker: &str) -> Option<&str> {
    let (host, port) = broker.rsplit_once(':')?;
    let name =
        |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && name(host),
    };
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    (is_host && is_port).then_some(host)
}
