//! Use cases: one function, one transaction.

use crate::clock::{Clock, Micros};
use crate::config::Config;
use crate::fhir::outcome::Issue;
use crate::store::Store;
use bytes::Bytes;
use std::sync::Arc;

/// Everything a use case needs. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub store: Store,
    /// Time, ids, randomness.
    pub clock: Clock,
    /// Validated settings.
    pub config: Arc<Config>,
    /// Key that signs paging links.
    pub link_key: Arc<[u8; 32]>,
}

/// What the caller of one request set, besides the interaction and its body.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Public base of the FHIR endpoint without a trailing slash, such as `http://127.0.0.1:8080/fhir`.
    pub base: String,
    /// `X-Request-Id`, given or minted.
    pub request_id: String,
    /// `Prefer: handling=strict`.
    pub strict: bool,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// `X-Override-Reason`: book although time or capacity is taken.
    pub override_reason: Option<String>,
}

/// A body as it came, already decoded from JSON or XML.
#[derive(Clone, Debug)]
pub enum Body {
    /// No body.
    Empty,
    /// A resource, Bundle or Parameters.
    Resource(serde_json::Value),
    /// `application/json-patch+json`.
    JsonPatch(serde_json::Value),
    /// `application/fhir+json` Parameters sent by PATCH.
    FhirPathPatch(serde_json::Value),
}

/// The answer of a use case, for HTTP or a Bundle entry to present.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Canonical JSON of the resource, when there is one.
    pub resource: Option<Bytes>,
    /// Version of that resource: ETag and Last-Modified.
    pub version: Option<Version>,
    /// `Type/id/_history/vid`, relative to the base.
    pub location: Option<String>,
    /// Warnings and remarks, presented under `Prefer: return=OperationOutcome`.
    pub issues: Vec<Issue>,
}

/// A version of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// `meta.versionId`.
    pub vid: i64,
    /// `meta.lastUpdated`.
    pub updated_us: Micros,
}
