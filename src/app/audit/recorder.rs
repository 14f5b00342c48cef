//! One commit for the events of many requests.

use super::fresh::Fresh;
use crate::audit::event::Recorded;
use crate::audit::leaf::{Judged, content_hash};
use crate::fhir::outcome::{Error, Kind};
use crate::store::{Engine, Intent, Store, StoreError, audit};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// The most requests whose events share a commit.
const BATCH: usize = 256;
/// The most requests that wait for one.
const WAITING: usize = 4096;

/// Where events that no transaction records are taken. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: mpsc::Sender<Waiting>,
    fresh: Fresh,
}

/// A request that waits until its events are on the record.
struct Waiting {
    events: Vec<(Recorded, Arc<Judged>)>,
    caller: oneshot::Sender<bool>,
}

impl Recorder {
    /// Starts taking events for a database.
    pub fn start(store: &Store) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let fresh = Fresh::default();
        tokio::spawn(take(store.clone(), waiting, fresh.clone()));
        Self { queue, fresh }
    }

    /// What was put on the record and has no place yet.
    pub(super) fn fresh(&self) -> &Fresh {
        &self.fresh
    }

    /// Returns when the events are on the record.
    ///
    /// # Errors
    /// 503 when they can't be: nothing happens here that leaves no trace.
    pub async fn record(&self, events: Vec<Recorded>) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        let judged = |mut event: Recorded| {
            let content = content_hash(&event.salt, &event.body);
            let judged = Judged { content, terms: std::mem::take(&mut event.terms) };
            (event, Arc::new(judged))
        };
        let events = events.into_iter().map(judged).collect();
        let (caller, answer) = oneshot::channel();
        self.queue.send(Waiting { events, caller }).await.map_err(|_| unavailable())?;
        if answer.await.unwrap_or(false) { Ok(()) } else { Err(unavailable()) }
    }
}

fn unavailable() -> Error {
    Error::new(Kind::Unavailable, "The request could not be put on the record; try again")
}

/// Takes what waits, for as long as there is a recorder. On PostgreSQL the next batch is sent while one is being
/// committed; SQLite has one writer.
async fn take(store: Store, mut waiting: mpsc::Receiver<Waiting>, fresh: Fresh) {
    let at_once = match store.engine() {
        Engine::Sqlite => 1,
        Engine::Postgres => 2,
    };
    let free = Arc::new(tokio::sync::Semaphore::new(at_once));
    loop {
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
        let mut batch = Vec::new();
        if waiting.recv_many(&mut batch, BATCH).await == 0 {
            return;
        }
        let (store, fresh) = (store.clone(), fresh.clone());
        tokio::spawn(async move {
            commit(&store, batch, &fresh).await;
            drop(permit);
        });
    }
}

async fn commit(store: &Store, batch: Vec<Waiting>, fresh: &Fresh) {
    let (events, callers): (Vec<_>, Vec<_>) = batch.into_iter().map(|one| (one.events, one.caller)).unzip();
    let (events, judged): (Vec<Recorded>, Vec<Arc<Judged>>) = events.into_iter().flatten().unzip();
    // Before the commit: as soon as it is done, the sequencer may look for them.
    fresh.keep(events.iter().map(|event| event.id.clone()).zip(judged));
    let events = Arc::new(events);
    let written = Arc::clone(&events);
    let done = store
        .write(Intent::Upsert, move |tx| {
            let events = Arc::clone(&written);
            Box::pin(async move {
                audit::event::record(tx, &events).await?;
                Ok::<_, StoreError>(())
            })
        })
        .await;
    if let Err(error) = &done {
        tracing::error!(%error, "events could not be recorded; their requests are refused");
        fresh.take(events.iter().map(|event| event.id.as_str()));
    }
    for caller in callers {
        // A caller that went away no longer waits; its event is on the record all the same.
        let _ = caller.send(done.is_ok());
    }
}
