//! Typed, validated settings.
//!
//! Three layers, the later winning: the embedded `default.toml` (which lists and explains every key), a file,
//! and the environment (`SLOTWRIGHT_SECTION__KEY`). All problems are reported at once.

mod auth;
mod load;
mod units;
mod validate;

pub use auth::Auth;
pub use load::ConfigError;
pub use units::Size;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The commented defaults, which list every key.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Every setting, validated. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// The HTTP server.
    pub server: Server,
    /// The database.
    pub database: Database,
    /// Tokens and the keys that sign them.
    pub auth: Auth,
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
    /// Sessions of people.
    pub sign_in: SignIn,
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
