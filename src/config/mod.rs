//! Typed, validated settings.
//!
//! Three layers, the later winning: the embedded `default.toml` (which lists and explains every key), a file,
//! and the environment (`SLOTWRIGHT_SECTION__KEY`). All problems are reported at once.

mod audit;
mod auth;
mod brand;
mod bulk;
mod events;
mod issuer;
mod load;
mod network;
mod notify;
mod provider;
mod reports;
mod serve;
mod stream;
mod subscriptions;
mod units;
mod validate;

pub use audit::{Audit, Keeper, SyslogBy, Witness, Years};
pub use auth::Auth;
pub use brand::{AssociatedEndpoint, Brand};
pub use bulk::Bulk;
pub use events::Events;
pub use issuer::{Issuer, MappedRole};
pub use load::ConfigError;
pub use network::Network;
pub use notify::{Email, MailSecurity, Notify};
pub use provider::Provider;
pub use reports::Reports;
pub use stream::{Kafka, Nats, Sasl, Stream};
pub use subscriptions::Subscriptions;
pub use units::Size;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The commented defaults, which list every key.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Every setting, validated. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// The HTTP server.
    pub server: Server,
    /// Encryption of connections.
    pub tls: Tls,
    /// How many requests are taken.
    pub limits: Limits,
    /// The database.
    pub database: Database,
    /// Tokens and the keys that sign them.
    pub auth: Auth,
    /// The audit log.
    pub audit: Audit,
    /// Who runs this server.
    pub brand: Brand,
    /// Exports in bulk.
    pub bulk: Bulk,
    /// The event log.
    pub events: Events,
    /// The event log, sent on to message brokers.
    pub stream: Stream,
    /// Limits of the FHIR endpoint.
    pub fhir: Fhir,
    /// Referential integrity.
    pub references: References,
    /// Holds.
    pub booking: Booking,
    /// `Idempotency-Key`.
    pub idempotency: Idempotency,
    /// Documents fetched from others.
    pub outbound: Outbound,
    /// Notifications to those who subscribed.
    pub subscriptions: Subscriptions,
    /// Sessions of people.
    pub sign_in: SignIn,
    /// Messages to people.
    pub notify: Notify,
    /// Logs.
    pub log: Log,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address of the FHIR endpoint.
    pub listen: SocketAddr,
    /// What clients call this server, without a trailing slash and without `/fhir`.
    #[serde(deserialize_with = "units::optional_text")]
    pub public_base_url: Option<String>,
    /// Address of the metrics; none: off.
    #[serde(deserialize_with = "units::optional_address")]
    pub metrics_listen: Option<SocketAddr>,
    /// Longest time from the head of a request to its answer.
    #[serde(deserialize_with = "units::duration")]
    pub request_timeout: Duration,
    /// Longest time to send the head of a request.
    #[serde(deserialize_with = "units::duration")]
    pub header_timeout: Duration,
    /// Largest request body.
    pub body_limit: Size,
    /// Longest request target.
    pub url_limit: Size,
    /// Longest time that requests in flight may take to finish at shutdown.
    #[serde(deserialize_with = "units::duration")]
    pub drain: Duration,
    /// Compress answers.
    pub compression: bool,
    /// Proxies that are believed when they say whom a request comes from.
    pub trusted_proxies: Vec<Network>,
    /// The header in which they say so.
    pub forwarded_header: ForwardedHeader,
}

/// Where a trusted proxy puts the address of its client.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`
    XForwardedFor,
    /// `Forwarded` (RFC 7239)
    Forwarded,
}

/// `[tls]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file of this server's certificate, followed by those that lead to a root.
    #[serde(deserialize_with = "units::optional_path")]
    pub certificate: Option<PathBuf>,
    /// PEM file of the certificate's private key.
    #[serde(deserialize_with = "units::optional_path")]
    pub key: Option<PathBuf>,
    /// The oldest version that is spoken.
    pub minimum: TlsVersion,
    /// A proxy in front of this server ends TLS.
    pub terminated_upstream: bool,
}

impl Tls {
    /// Certificate and key, when this server speaks TLS itself.
    pub fn files(&self) -> Option<(&Path, &Path)> {
        Some((self.certificate.as_deref()?, self.key.as_deref()?))
    }

    /// Whether clients reach this server by https.
    pub fn is_https(&self) -> bool {
        self.files().is_some() || self.terminated_upstream
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 and 1.3.
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3 only.
    #[serde(rename = "1.3")]
    V13,
}

/// `[limits]`: requests a minute; 0: no limit. A sixth of it may come at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// From one address.
    pub address: u32,
    /// From one address, to the token endpoint and the others below `/oauth`.
    pub token: u32,
    /// From one address, to where passwords and second factors are tried.
    pub sign_in: u32,
    /// With the tokens of one client.
    pub client: u32,
    /// With the tokens or the session of one person.
    pub user: u32,
}

impl Limits {
    /// No limit at all.
    pub fn none() -> Self {
        Self { address: 0, token: 0, sign_in: 0, client: 0, user: 0 }
    }
}

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://…`; a secret, since it may hold a password.
    #[serde(deserialize_with = "units::secret")]
    pub url: SecretString,
    /// Connections in the pool.
    pub max_connections: u32,
    /// Longest wait for a free connection.
    #[serde(deserialize_with = "units::duration")]
    pub acquire_timeout: Duration,
    /// SQLite: longest wait for another process's write lock.
    #[serde(deserialize_with = "units::duration")]
    pub busy_timeout: Duration,
}

/// Which database a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// `sqlite:`
    Sqlite,
    /// `postgres:` or `postgresql:`
    Postgres,
}

impl Database {
    /// The engine that the URL names; none when it names neither (refused at start).
    pub fn engine(&self) -> Option<Engine> {
        match self.url.expose_secret().split(':').next() {
            Some("sqlite") => Some(Engine::Sqlite),
            Some("postgres" | "postgresql") => Some(Engine::Postgres),
            _ => None,
        }
    }
}

/// `[fhir]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fhir {
    /// Largest resource, as canonical JSON.
    pub resource_limit: Size,
    /// Largest batch or transaction.
    pub max_bundle_entries: usize,
    /// Matches on a page without `_count`.
    pub default_count: usize,
    /// Largest `_count`.
    pub max_count: usize,
    /// The most resources that includes add to a page.
    pub max_includes: usize,
    /// Rounds of `:iterate`.
    pub max_include_depth: usize,
    /// FHIR endpoints elsewhere at which the tokens of this server are good.
    pub associated_endpoints: Vec<AssociatedEndpoint>,
}

/// `[references]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct References {
    /// A local reference must name a resource that exists.
    pub must_exist: bool,
    /// Types whose references are not checked.
    pub unchecked_types: Vec<String>,
    /// Refuse to delete what others refer to.
    pub protect_delete: bool,
}

impl References {
    /// Whether references inside a resource of type `rtype` must name resources that exist.
    pub fn checked(&self, rtype: &str) -> bool {
        self.must_exist && !self.unchecked_types.iter().any(|name| name == rtype)
    }
}

/// `[booking]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Booking {
    /// How long a pending appointment holds its time.
    #[serde(deserialize_with = "units::duration")]
    pub hold: Duration,
    /// The longest hold that a client may ask for.
    #[serde(deserialize_with = "units::duration")]
    pub hold_max: Duration,
    /// How long before an appointment begins patients can no longer change or cancel it themselves.
    #[serde(deserialize_with = "units::duration")]
    pub patient_cutoff: Duration,
}

/// `[idempotency]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    /// How long an answer is kept.
    #[serde(deserialize_with = "units::duration")]
    pub keep: Duration,
}

/// `[outbound]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbound {
    /// Hosts (`host` or `host:port`) that may be reached by plain http and on addresses that are not public.
    pub allow: Vec<String>,
    /// PEM file of certificates that are trusted beside the system's.
    #[serde(deserialize_with = "units::optional_path")]
    pub roots: Option<PathBuf>,
}

/// `[sign_in]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// A session ends when it was not used for so long.
    #[serde(deserialize_with = "units::duration")]
    pub idle: Duration,
    /// A session ends after so long, however much it was used.
    #[serde(deserialize_with = "units::duration")]
    pub limit: Duration,
    /// How long a sign-in is good enough for a sensitive act.
    #[serde(deserialize_with = "units::duration")]
    pub recent: Duration,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// A level or `tracing` filter directives.
    pub level: String,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests;
