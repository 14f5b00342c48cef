//! The origins of registered apps: whose pages may read answers in a browser (CORS).
//!
//! An app's origins are those of its redirect and launch URIs. They are asked for with every request of a page,
//! so they are kept for a few seconds.

use crate::clock::Clock;
use crate::store::oauth::client;
use crate::store::{Store, StoreError};
use reqwest::Url;
use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long what was read is good: an app that is switched off is out within it.
const GOOD_FOR: Duration = Duration::from_secs(10);
/// How often it is read because of an origin that is not in it: an app that was registered just now.
const AT_MOST: Duration = Duration::from_secs(1);

/// What is known of registered origins. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Origins {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    known: RwLock<Known>,
    reading: Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    origins: Arc<HashSet<String>>,
    read: Option<Instant>,
}

impl Origins {
    /// Nothing is known yet.
    pub fn new(clock: Clock) -> Self {
        Self { inner: Arc::new(Inner { clock, known: RwLock::default(), reading: Mutex::default() }) }
    }

    /// Whether `origin`, as a browser sends it, is that of an app that is registered and not switched off.
    /// False, too, when the database does not answer.
    pub async fn is_registered(&self, store: &Store, origin: &str) -> bool {
        if let Some(answer) = self.remembered(origin) {
            return answer;
        }
        let _one_reads = self.inner.reading.lock().await;
        if let Some(answer) = self.remembered(origin) {
            return answer;
        }
        match read(store).await {
            Ok(origins) => {
                let found = origins.contains(origin);
                let known = Known { origins: Arc::new(origins), read: Some(self.inner.clock.instant()) };
                *self.inner.known.write().unwrap_or_else(PoisonError::into_inner) = known;
                found
            }
            Err(error) => {
                tracing::warn!(%error, "the origins of apps could not be read");
                false
            }
        }
    }

    /// The answer from memory; none when it must be read again.
    fn remembered(&self, origin: &str) -> Option<bool> {
        let known = self.inner.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        let age = self.inner.clock.instant().duration_since(known.read?);
        let found = known.origins.contains(origin);
        (age < if found { GOOD_FOR } else { AT_MOST }).then_some(found)
    }
}

async fn read(store: &Store) -> Result<HashSet<String>, StoreError> {
    let clients = client::all(&mut store.reader().await?).await?;
    let enabled = clients.iter().filter(|client| !client.disabled);
    let uris = enabled.flat_map(|client| client.redirect_uris.iter().chain(&client.launch_uri));
    Ok(uris.filter_map(|uri| origin_of(uri)).collect())
}

/// The origin of an http(s) URL as browsers write it; an app's own scheme has none.
fn origin_of(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::origin_of;

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (uri, origin) in [
            ("https://App.example/cb?x=1", Some("https://app.example")),
            ("https://app.example:443/", Some("https://app.example")),
            ("https://app.example:8443/a/b", Some("https://app.example:8443")),
            ("http://127.0.0.1:9000/cb", Some("http://127.0.0.1:9000")),
            ("com.example.app:/cb", None),
            ("file:///tmp/x", None),
            ("nonsense", None),
        ] {
            assert_eq!(origin_of(uri).as_deref(), origin, "{uri}");
        }
    }
}
