//! All consents, kept in memory and brought up to date before they are asked.
//!
//! Every change of a Consent raises the number in `access_state`, in its own transaction. Whoever judges a request
//! by the state with some number asks for consents of at least that state; what was not read can't be taken for
//! consent, so when they can't be read the request fails.

use super::App;
use crate::auth::consent::{Index, Read, Row, Standing, read};
use crate::fhir::outcome::{Error, Kind};
use crate::store::{Store, StoreError, consent, state};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;

/// The consents as they were read last. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Consents {
    index: Arc<RwLock<Arc<Index>>>,
    /// Held by whoever reads what is new.
    reading: Arc<Mutex<()>>,
}

impl Consents {
    /// Reads all that there are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load(store: &Store) -> Result<Self, StoreError> {
        let (seq, rows) = changes(store, -1).await?;
        let index = Arc::new(RwLock::new(Arc::new(Index::new(seq, rows))));
        Ok(Self { index, reading: Arc::default() })
    }

    /// The consents in the state with number `seq` or a later one.
    ///
    /// # Errors
    /// 503 when they can't be read: nobody is let in because of that.
    pub async fn at(&self, store: &Store, seq: i64) -> Result<Arc<Index>, Error> {
        let known = self.known();
        if known.seq() >= seq {
            return Ok(known);
        }
        let _reading = self.reading.lock().await;
        let known = self.known();
        if known.seq() >= seq {
            return Ok(known);
        }
        let (last, rows) = changes(store, known.seq()).await.map_err(unreadable)?;
        let index = Arc::new(known.with(last.max(seq), rows));
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&index);
        Ok(index)
    }

    fn known(&self) -> Arc<Index> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl App {
    /// The consents in the state with number `seq` or a later one, as they apply now.
    ///
    /// # Errors
    /// 503 when they can't be read.
    pub async fn consents_at(&self, seq: i64) -> Result<Standing, Error> {
        Ok(Standing::new(self.consents.at(&self.store, seq).await?, self.clock.now()))
    }

    /// The consents that there are now.
    ///
    /// # Errors
    /// 503 when they can't be read.
    pub async fn consents_now(&self) -> Result<Standing, Error> {
        let seq = state::access(&mut self.store.reader().await?).await?;
        self.consents_at(seq).await
    }
}

/// What changed after `seq`, and the number of the last change.
async fn changes(store: &Store, seq: i64) -> Result<(i64, Vec<Row>), StoreError> {
    // All pages show one state.
    let mut tx = store.snapshot().await?;
    let mut rows = Vec::new();
    let mut after = (seq, i64::MAX);
    loop {
        let some = consent::changed(&mut tx, after).await?;
        let Some(last) = some.last() else { return Ok((after.0, rows)) };
        after = (last.seq, last.rid);
        for changed in some {
            rows.push(row(changed)?);
        }
    }
}

fn row(changed: consent::Changed) -> Result<Row, StoreError> {
    let rid = changed.rid;
    let Some(body) = changed.body else { return Ok(Row { rid, consent: None }) };
    let body = serde_json::from_slice(&body)
        .map_err(|error| StoreError::Other(format!("a stored consent is not JSON: {error}")))?;
    let consent = match read(&body) {
        Read::Counts(consent) => Some(consent),
        Read::Silent => None,
        Read::Homeless => {
            let id = body.get("id").and_then(serde_json::Value::as_str);
            tracing::warn!(id, "a consent about privacy names no patient of this server: it limits nothing");
            None
        }
    };
    Ok(Row { rid, consent })
}

fn unreadable(error: StoreError) -> Error {
    let message = "What patients consented to can't be read just now; please try again";
    Error { detail: Some(error.to_string()), ..Error::new(Kind::Unavailable, message) }
}
