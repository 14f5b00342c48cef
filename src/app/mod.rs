//! Use cases: one function, one transaction.

pub mod account;
pub mod audit;
mod authorize;
pub mod bearer;
pub mod booking;
pub mod bulk;
pub mod bundle;
pub mod check;
pub mod consents;
pub mod delivery;
pub mod emergency;
pub mod encryption;
pub mod events;
pub mod execute;
pub mod external;
pub mod history;
pub mod idempotent;
pub mod notices;
pub mod oauth;
pub mod operation;
pub mod origins;
pub mod outbound;
pub mod read;
mod references;
pub mod scim;
pub mod search;
pub mod subscriptions;
mod typed;
pub mod unfit;
pub mod upstream;
mod within;
pub mod write;

pub use execute::execute;

use crate::audit::key::Verifier;
use crate::auth::{Access, Policy};
use crate::clock::{Clock, Micros};
use crate::config::Config;
use crate::fhir::outcome::Issue;
use crate::fhir::validate::Validator;
use crate::store::{Intent, Store, StoreError};
use bytes::Bytes;
use external::Issuers;
use origins::Origins;
use outbound::Outbound;
use secrecy::ExposeSecret;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use upstream::Providers;

/// Everything a use case needs. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub store: Store,
    /// Time, ids, randomness.
    pub clock: Clock,
    /// Validated settings.
    pub config: Arc<Config>,
    /// The gate that bodies pass on the way in.
    pub validator: Arc<Validator>,
    /// Key that signs paging links.
    pub link_key: Arc<[u8; 32]>,
    /// Documents that others publish.
    pub outbound: Outbound,
    /// Other authorization servers whose tokens are taken.
    pub issuers: Issuers,
    /// OpenID Connect providers at which people sign in.
    pub providers: Providers,
    /// Origins of registered apps.
    pub origins: Origins,
    /// Keys that sign tokens.
    pub keys: oauth::keys::KeyRing,
    /// Access tokens whose signature was checked before.
    pub proved: oauth::proved::ProvedTokens,
    /// Where what no transaction records is put on the record.
    pub recorder: audit::Recorder,
    /// Reads that are counted before they are put on the record.
    pub summaries: audit::Summaries,
    /// For whom a use case is carried out, as the record tells it.
    pub caller: audit::Caller,
    /// Bearers of access tokens, as of the last change of anybody's access.
    pub bearers: bearer::Bearers,
    /// Public keys of the audit log, when this process gives places in it.
    pub log_keys: Arc<OnceLock<Vec<Verifier>>>,
    /// Exports whose files this process is finding.
    pub planning: bulk::Planning,
    /// Raised when events were handed out to subscriptions, or one has something to send.
    pub deliveries: events::Signal,
    /// Where notifications are sent.
    pub endpoints: delivery::Endpoints,
    /// Connections for notifications that this process may still open.
    pub listening: Arc<tokio::sync::Semaphore>,
    /// Sockets that may still be opened by those who did not say yet for what.
    pub unbound: Arc<tokio::sync::Semaphore>,
    /// What those may see who set subscriptions up.
    pub owners: subscriptions::Owners,
    /// What patients consented to.
    pub consents: consents::Consents,
    /// Names this server among all that share its database.
    pub instance: Arc<str>,
    /// Raised after a commit with new events, which wait for their numbers.
    pub events: events::Signal,
    /// Raised when events were handed out to subscriptions, by whichever process.
    pub handed_out: events::Signal,
    /// Whether this is a sandbox.
    pub mode: Mode,
    /// The access rules.
    pub policy: &'static Policy,
}

/// Who is let in without an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nobody.
    Production,
    /// Whoever reaches the sandbox, which holds made-up data and listens on loopback. No setting leads here.
    Sandbox,
}

impl App {
    /// Opens the database and prepares everything else that use cases need.
    ///
    /// # Errors
    /// When the database can't be opened, or our own profiles or access rules are broken.
    pub async fn start(config: Arc<Config>, clock: Clock) -> Result<Self, StoreError> {
        let policy = Policy::load().map_err(|e| StoreError::Other(e.to_string()))?;
        let store = Store::open(config.database.url.expose_secret(), &config.database).await?;
        let fresh = clock.random_bytes::<32>().map_err(|e| StoreError::Other(e.to_string()))?;
        let link_key = store
            .write(Intent::Upsert, move |tx| {
                Box::pin(async move { crate::store::resource::setting(tx, "link-key", &fresh).await })
            })
            .await?;
        let link_key = <[u8; 32]>::try_from(link_key.as_slice()).unwrap_or(fresh);
        let validator = Validator::new().map_err(StoreError::Other)?;
        let outbound = Outbound::new(&config.outbound, clock.clone()).map_err(StoreError::Other)?;
        let issuers = Issuers::new(&config.auth.issuers, &outbound).map_err(StoreError::Other)?;
        let consents = consents::Consents::load(&store).await?;
        let endpoints = delivery::Endpoints::new(&config, clock.clone()).map_err(StoreError::Other)?;
        let providers = Providers::new(&config, &clock).map_err(StoreError::Other)?;
        let origins = Origins::new(clock.clone());
        let recorder = audit::Recorder::start(&store);
        let keys = oauth::keys::KeyRing::new(config.auth.keys.clone(), clock.clone());
        Ok(Self {
            instance: clock.new_id().into(),
            events: store.events().clone(),
            handed_out: events::Signal::default(),
            store,
            clock,
            config,
            validator: Arc::new(validator),
            link_key: Arc::new(link_key),
            outbound,
            issuers,
            providers,
            origins,
            keys,
            proved: oauth::proved::ProvedTokens::default(),
            recorder,
            summaries: audit::Summaries::default(),
            caller: audit::Caller::of_work("server"),
            bearers: bearer::Bearers::default(),
            log_keys: Arc::default(),
            planning: bulk::Planning::default(),
            deliveries: events::Signal::default(),
            endpoints,
            listening: Arc::new(tokio::sync::Semaphore::new(subscriptions::MOST_CONNECTIONS)),
            unbound: Arc::new(tokio::sync::Semaphore::new(subscriptions::MOST_UNBOUND)),
            owners: subscriptions::Owners::default(),
            consents,
            mode: Mode::Production,
            policy,
        })
    }

    /// The same, letting in whoever reaches it without an access token.
    #[must_use]
    pub fn as_sandbox(self) -> Self {
        Self { mode: Mode::Sandbox, ..self }
    }
}

/// What the caller of one request set, besides the interaction and its body.
#[derive(Clone, Debug)]
pub struct Context {
    /// What the caller may do.
    pub access: Arc<Access>,
    /// Public base of the FHIR endpoint without a trailing slash, such as `http://127.0.0.1:8080/fhir`.
    pub base: String,
    /// `X-Request-Id`, given or minted.
    pub request_id: String,
    /// Address that the request comes from; none for the server's own work.
    pub address: Option<IpAddr>,
    /// `Prefer: handling=strict`.
    pub strict: bool,
    /// `Prefer: respond-async`
    pub respond_async: bool,
    /// `Prefer: return=minimal`: the entries of a Bundle are answered without what they wrote.
    pub minimal: bool,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// `X-Override-Reason`: book although time or capacity is taken.
    pub override_reason: Option<String>,
}

impl Context {
    /// A request that sets nothing else.
    pub fn new(access: Access) -> Self {
        Self {
            access: Arc::new(access),
            base: String::new(),
            request_id: String::new(),
            address: None,
            strict: false,
            respond_async: false,
            minimal: false,
            idempotency_key: None,
            override_reason: None,
        }
    }

    /// A request that the server makes to itself, named by its work.
    pub fn of_server(app: &App, work: &'static str) -> Self {
        let context = Self::new(Access::of_server(work, app.policy));
        Self { request_id: work.to_owned(), ..context }
    }
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
    /// The last change of anybody's access, in the state that a read or a search saw.
    pub access: Option<i64>,
    /// Logical ids of the patients whose data was read.
    pub patients: BTreeSet<String>,
    /// Whether the transaction that this answers put itself on the record.
    pub on_record: bool,
}

/// A version of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// `meta.versionId`.
    pub vid: i64,
    /// `meta.lastUpdated`.
    pub updated_us: Micros,
}
