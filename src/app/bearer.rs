//! Whoever makes a request, and what they may do, remembered for as long as nobody's access changed.
//!
//! How a token stands is kept with the number of the last change of anybody's access (`access_state`). A read
//! returns that number with what it read: when it has risen, the request is judged anew. So what is withdrawn ends
//! with the next request, and a read costs one statement.

use super::App;
use super::oauth::proved::TokenDigest;
use crate::auth::Access;
use crate::fhir::outcome::Error;
use crate::store::state;
use moka::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The most tokens whose standing is remembered.
const MOST: u64 = 10_000;

/// Whoever makes a request.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// What they may do.
    pub access: Arc<Access>,
    /// The last change of anybody's access that it takes into account.
    pub as_of: i64,
}

impl Bearer {
    /// Access that no change alters: the sandbox without a token.
    pub fn unchanging(access: Access) -> Self {
        Self { access: Arc::new(access), as_of: i64::MAX }
    }

    /// Whether nobody's access has changed since.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_current(&self, app: &App) -> Result<bool, Error> {
        if self.as_of == i64::MAX {
            return Ok(true);
        }
        let now = state::access(&mut app.store.reader().await?).await?;
        Ok(self.still_holds(app, now))
    }

    /// Whether it takes the change with this number into account.
    pub fn still_holds(&self, app: &App, change: i64) -> bool {
        app.bearers.latest.fetch_max(change, Ordering::AcqRel);
        change <= self.as_of
    }
}

/// Bearers of our own access tokens.
#[derive(Clone, Debug)]
pub struct Bearers {
    known: Cache<TokenDigest, Bearer>,
    /// The last change of anybody's access that this process heard of.
    latest: Arc<AtomicI64>,
}

impl Default for Bearers {
    fn default() -> Self {
        Self { known: Cache::new(MOST), latest: Arc::default() }
    }
}

impl Bearers {
    /// The bearer of a token, if nothing is known to have changed since.
    pub fn get(&self, token: &TokenDigest) -> Option<Bearer> {
        self.known.get(token).filter(|bearer| bearer.as_of >= self.latest())
    }

    /// Remembers the bearer of a token.
    pub fn keep(&self, token: TokenDigest, bearer: Bearer) {
        self.latest.fetch_max(bearer.as_of, Ordering::AcqRel);
        self.known.insert(token, bearer);
    }

    /// The last change of anybody's access that this process heard of.
    pub fn latest(&self) -> i64 {
        self.latest.load(Ordering::Acquire)
    }
}
