//! Speaking to endpoints: under the guard of what this server may connect to, once, following nobody.

use crate::app::outbound::{Guard, Listed, Lookup, Refused, judge, read_roots, system};
use crate::clock::Clock;
use crate::config::Config;
use http::{HeaderMap, Method};
use reqwest::header::RETRY_AFTER;
use reqwest::{Certificate, Client, Response, Url, redirect};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How much of an answer is read, so that its connection can be used again. Nothing of it is kept.
const READ: usize = 16 * 1024;
/// How long a connection that is not used is kept.
const IDLE: Duration = Duration::from_secs(30);

/// One request to an endpoint.
#[derive(Clone, Debug)]
pub struct Message {
    /// `POST`, or `PUT` of a resource.
    pub method: Method,
    /// Where to.
    pub url: String,
    /// Everything that is sent along.
    pub headers: HeaderMap,
    /// The bytes that were signed.
    pub body: Vec<u8>,
    /// Longest time to the end of the answer.
    pub timeout: Duration,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, when it is a number of seconds.
    pub retry_after: Option<Duration>,
}

/// Why nothing came back; fit to be told to whoever subscribed, since it does not say what is in our network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The URL is not one that is connected to.
    #[error("the endpoint is not one that this server connects to: {0}")]
    Refused(#[from] Refused),
    /// No connection: no address that may be reached, nobody there, or no encryption that holds.
    #[error("the endpoint could not be connected to")]
    Connect,
    /// Nobody answered in time.
    #[error("the endpoint did not answer in time")]
    Late,
    /// The connection broke off.
    #[error("the connection to the endpoint broke off")]
    Broken,
    /// This server can't send at all.
    #[error("this server could not send it")]
    Ours,
}

/// Endpoints, as far as they may be connected to. Cheap to clone.
#[derive(Clone)]
pub struct Endpoints {
    inner: Arc<Inner>,
}

struct Inner {
    listed: Arc<Listed>,
    lookup: Lookup,
    roots: Vec<Certificate>,
    // Made when first used: reading the system's roots takes a while, and many servers notify nobody.
    client: OnceLock<Result<Client, String>>,
    clock: Clock,
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints").field("listed", &self.inner.listed).finish_non_exhaustive()
    }
}

impl Endpoints {
    /// Prepares sending as `[subscriptions]` says.
    ///
    /// # Errors
    /// Names the setting that can't be used.
    pub fn new(config: &Config, clock: Clock) -> Result<Self, String> {
        Self::with_lookup(config, clock, system())
    }

    pub(super) fn with_lookup(config: &Config, clock: Clock, lookup: Lookup) -> Result<Self, String> {
        let listed = Listed::read(&config.subscriptions.allow)
            .map_err(|entry| format!("subscriptions.allow: \"{entry}\" is not a host or host:port"))?;
        let roots = match &config.outbound.roots {
            Some(path) => read_roots(path)?,
            None => Vec::new(),
        };
        let inner = Inner { listed: Arc::new(listed), lookup, roots, client: OnceLock::new(), clock };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether notifications may go to this URL: its scheme, host and port, which share a limit and a circuit breaker
    /// (`subscription.host`). Its name may still stand for an address that is refused when it is connected to.
    ///
    /// # Errors
    /// What is wrong with it, fit to be told to whoever subscribes.
    pub fn judge(&self, url: &str) -> Result<String, Refused> {
        self.url(url).map(|url| url.origin().ascii_serialization())
    }

    fn url(&self, url: &str) -> Result<Url, Refused> {
        judge(url, &self.inner.listed)
    }

    /// Sends it once. The URL is judged anew: the settings may have become stricter since it was accepted.
    ///
    /// # Errors
    /// When nothing came back.
    pub async fn send(&self, message: Message) -> Result<Answer, NoAnswer> {
        let Message { method, url, headers, body, timeout } = message;
        let url = self.url(&url)?;
        let client = self.inner.client.get_or_init(|| self.inner.make_client());
        let client = client.as_ref().map_err(|error| {
            tracing::error!(error, "notifications can't be sent");
            NoAnswer::Ours
        })?;
        let sent = client.request(method, url).headers(headers).body(body).timeout(timeout).send().await;
        let answer = sent.map_err(why)?;
        let (status, retry_after) = (answer.status().as_u16(), self.retry_after(answer.headers()));
        drain(answer).await;
        Ok(Answer { status, retry_after })
    }

    /// `Retry-After`: seconds, or a date.
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_microsecond();
        u64::try_from(date - self.inner.clock.now()).ok().map(Duration::from_micros)
    }
}

impl Inner {
    fn make_client(&self) -> Result<Client, String> {
        let made = Client::builder()
            .user_agent(concat!("slotwright/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Guard { listed: Arc::clone(&self.listed), lookup: Arc::clone(&self.lookup) })
            .tls_certs_merge(self.roots.iter().cloned())
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .no_gzip()
            .retry(reqwest::retry::never())
            .http1_only()
            // Used again for the same host only, whose address was judged when it was connected to.
            .pool_max_idle_per_host(4)
            .pool_idle_timeout(IDLE)
            .build();
        made.map_err(|error| error.to_string())
    }
}

fn why(error: reqwest::Error) -> NoAnswer {
    let why = if error.is_timeout() {
        NoAnswer::Late
    } else if error.is_connect() {
        NoAnswer::Connect
    } else {
        NoAnswer::Broken
    };
    tracing::debug!(error = ?error.without_url(), "a notification had no answer");
    why
}

/// Reads a short answer to its end; who says more, or nothing for long, loses the connection.
async fn drain(mut answer: Response) {
    let mut read = 0;
    while let Ok(Some(part)) = answer.chunk().await {
        read += part.len();
        if read > READ {
            return;
        }
    }
}
