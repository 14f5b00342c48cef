//! Documents that others publish: the keys of clients (JWKS) and of other authorization servers (OpenID Connect
//! discovery); and what is asked of providers at which people sign in.
//!
//! Whoever registers a URL chooses where this server connects to, so: https to public addresses only, judged
//! on the address that is connected to; no redirects, no proxies, no credentials; five seconds and 64 kB. An
//! administrator lists the hosts to which this does not apply (`outbound.allow`).

pub mod address;
mod fetch;
mod fresh;
mod target;
#[cfg(test)]
mod tests;

pub use fetch::FetchError;
pub(in crate::app) use target::{Guard, Lookup, judge, system};
pub use target::{Listed, Refused};

use crate::clock::{Clock, Micros};
use crate::config;
use fetch::Fetcher;
use reqwest::Certificate;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a failure is remembered.
const FAILED_FOR: Duration = Duration::from_secs(5);
/// How often a document that is still fresh may be fetched again.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// The most URLs that are remembered.
const REMEMBERED: usize = 1_000;

/// Fetches and remembers JSON documents. Cheap to clone; clones share what they remember.
#[derive(Clone)]
pub struct Outbound {
    inner: Arc<Inner>,
}

struct Inner {
    fetcher: Fetcher,
    clock: Clock,
    known: Lock<HashMap<String, Arc<Entry>>>,
}

/// What is known of one URL. Whoever holds the lock is the one who fetches; the others wait for the result.
#[derive(Default)]
struct Entry {
    known: Mutex<Known>,
    /// Counts fetches, so that who waited for one does not start another.
    fetches: std::sync::atomic::AtomicU64,
}

#[derive(Default)]
struct Known {
    last: Option<Result<Arc<Value>, FetchError>>,
    /// When `last` was learnt and until when it holds.
    learnt: Micros,
    until: Micros,
    /// When it was last fetched although it was fresh.
    forced: Option<Micros>,
}

impl Outbound {
    /// Prepares fetching as `[outbound]` says.
    ///
    /// # Errors
    /// Names the setting that can't be used: an entry that is no host, a file of roots that can't be read.
    pub fn new(settings: &config::Outbound, clock: Clock) -> Result<Self, String> {
        Self::with_lookup(settings, clock, target::system())
    }

    fn with_lookup(settings: &config::Outbound, clock: Clock, lookup: Lookup) -> Result<Self, String> {
        let listed = Listed::read(&settings.allow)
            .map_err(|entry| format!("outbound.allow: \"{entry}\" is not a host or host:port"))?;
        let roots = match &settings.roots {
            Some(path) => read_roots(path)?,
            None => Vec::new(),
        };
        let fetcher = Fetcher::new(listed, lookup, roots);
        Ok(Self { inner: Arc::new(Inner { fetcher, clock, known: Lock::default() }) })
    }

    /// Whether `url` may be registered as one to fetch from. Its name may still resolve to an address that is
    /// refused when it is fetched.
    ///
    /// # Errors
    /// What is wrong with it, fit to be told to whoever registers it.
    pub fn judge(&self, url: &str) -> Result<(), Refused> {
        self.inner.fetcher.judge(url)
    }

    /// The JSON object at `url`, remembered for as long as its sender allows (an hour at most). One fetch at a
    /// time; who asks meanwhile waits for its result. A failure is remembered for five seconds.
    ///
    /// # Errors
    /// When it can't be had. Tell a client no more than that.
    pub async fn json(&self, url: &str) -> Result<Arc<Value>, FetchError> {
        self.get(url, false).await
    }

    /// The same, fetched anew although it is fresh: for a key that is not in it yet. At most once in ten
    /// seconds for one URL; in between it gives what is remembered.
    ///
    /// # Errors
    /// When it can't be had. Tell a client no more than that.
    pub async fn json_again(&self, url: &str) -> Result<Arc<Value>, FetchError> {
        self.get(url, true).await
    }

    /// Asks what can't be asked by a plain GET, such as for tokens: under the same guard and the same limits, once,
    /// with the headers and the body of `request` and nothing else of ours. The answer may be any.
    ///
    /// # Errors
    /// When there is no answer. Tell a client no more than that.
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, FetchError> {
        let place = request.uri().path().to_owned();
        let host = request.uri().host().unwrap_or_default().to_owned();
        let sent = self.inner.fetcher.send(request).await;
        if let Err(error) = &sent {
            tracing::warn!(host, place, %error, "a request to another server failed");
        }
        sent
    }

    async fn get(&self, url: &str, again: bool) -> Result<Arc<Value>, FetchError> {
        use std::sync::atomic::Ordering::SeqCst;
        // Before anything is remembered under it.
        self.judge(url)?;
        let entry = self.entry(url);
        let before = entry.fetches.load(SeqCst);
        let mut known = entry.known.lock().await;
        let now = self.inner.clock.now();
        let waited = entry.fetches.load(SeqCst) != before;
        if let Some(last) = &known.last {
            // A clock that was set back proves nothing fresh.
            let fresh = (known.learnt..known.until).contains(&now);
            let forced = known.forced.is_some_and(|at| (at..at + micros(AGAIN_AFTER)).contains(&now));
            if waited || (fresh && (!again || forced || last.is_err())) {
                return last.clone();
            }
        }
        if again {
            known.forced = Some(now);
        }
        let (last, holds) = match self.inner.fetcher.fetch(url).await {
            Ok(fetched) => (Ok(Arc::new(fetched.document)), fetched.lifetime),
            Err(error) => {
                // A query may hold what nobody else should read.
                let place = url.split('?').next().unwrap_or_default();
                tracing::warn!(url = place, %error, "a document could not be fetched");
                (Err(error), FAILED_FOR)
            }
        };
        known.learnt = self.inner.clock.now();
        // Counted from the question: the sender's clock started no later than its answer.
        known.until = now + micros(holds);
        known.last = Some(last.clone());
        entry.fetches.fetch_add(1, SeqCst);
        last
    }

    /// The entry of `url`; the number of entries stays bounded.
    fn entry(&self, url: &str) -> Arc<Entry> {
        let mut known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains_key(url) && known.len() >= REMEMBERED {
            let now = self.inner.clock.now();
            // One that is locked is being fetched right now.
            known.retain(|_, entry| entry.known.try_lock().map_or(true, |known| known.until > now));
            if known.len() >= REMEMBERED {
                known.clear();
            }
        }
        Arc::clone(known.entry(url.to_owned()).or_default())
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").finish_non_exhaustive()
    }
}

fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

/// The certificates of `outbound.roots`.
pub(in crate::app) fn read_roots(path: &std::path::Path) -> Result<Vec<Certificate>, String> {
    let unusable = |reason: String| format!("outbound.roots: {}: {reason}", path.display());
    let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let roots = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?;
    if roots.is_empty() { Err(unusable("no certificate in it".to_owned())) } else { Ok(roots) }
}
