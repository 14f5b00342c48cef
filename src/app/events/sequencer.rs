//! Gives events their numbers, and hands them out to the subscriptions that they are for: one transaction a batch.

use super::index::{Index, Watched};
use crate::app::App;
use crate::app::subscriptions;
use crate::auth::Access;
use crate::auth::scope::Right;
use crate::fhir::outcome::Error;
use crate::fhir::registry::{ResourceType, resource_type};
use crate::fhir::search::matches::Judged;
use crate::store::events::Event;
use crate::store::events::sequence::{self, Pending, Share};
use crate::store::{Intent, Retry, StoreError, Tx, subscription, visible};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long one process keeps the right to give numbers without using it. Who comes after it waits as long at most.
const LEASE: Duration = Duration::from_secs(1);
/// The most events that get their numbers in one transaction.
const BATCH: usize = 256;
/// More subscriptions than this that are new or changed are read together with all others.
const FEW: usize = 20;

/// One process's part in giving numbers. Cheap to clone.
#[derive(Clone)]
pub struct Sequencer {
    app: App,
    /// What is subscribed to, with the change that it takes into account; held by whoever numbers.
    index: Arc<Mutex<(i64, Index)>>,
    /// The last number that this process knows of.
    last: Arc<AtomicI64>,
}

/// Why a batch was not placed.
enum Unplaced {
    /// Something changed since it was judged.
    Stale,
    /// The database does not do its part.
    Failed(StoreError),
}

impl From<StoreError> for Unplaced {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Contended(_) => Self::Stale,
            error => Self::Failed(error),
        }
    }
}

impl Retry for Unplaced {
    /// What was judged must be judged anew.
    fn may_retry(&self) -> bool {
        false
    }
}

impl Sequencer {
    /// This process's.
    pub fn new(app: App) -> Self {
        Self { app, index: Arc::new(Mutex::new((-1, Index::default()))), last: Arc::new(AtomicI64::new(0)) }
    }

    /// Gives a number to all that waits, as long as no other process does.
    ///
    /// # Errors
    /// When the database does not do its part; what waits goes on waiting.
    pub async fn run(&self) -> Result<(), Error> {
        let mut index = self.index.lock().await;
        loop {
            let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
            let waiting = {
                let mut tx = self.app.store.reader().await?;
                self.heard(sequence::last(&mut tx).await?, true);
                sequence::pending(&mut tx, limit).await?
            };
            if waiting.is_empty() {
                return Ok(());
            }
            let last = waiting.len() < BATCH;
            // After the events were read: a subscription that was there before one of them is seen.
            self.refresh(&mut index).await?;
            let shares = self.shares(&index.1, &waiting).await?;
            match self.place(waiting, shares).await {
                Ok(true) if last => return Ok(()),
                Ok(true) | Err(Unplaced::Stale) => {}
                Ok(false) => return Ok(()),
                Err(Unplaced::Failed(error)) => return Err(error.into()),
            }
        }
    }

    /// Tells those who wait of events that were handed out, by whichever process.
    fn heard(&self, last: i64, deliver: bool) {
        if self.last.fetch_max(last, Ordering::AcqRel) < last {
            self.app.handed_out.notify();
            if deliver {
                self.app.deliveries.notify();
            }
        }
    }

    /// Brings up to date what is subscribed to.
    async fn refresh(&self, index: &mut (i64, Index)) -> Result<(), Error> {
        let state = subscription::state(&mut self.app.store.reader().await?).await?;
        if state == index.0 {
            return Ok(());
        }
        let mut tx = self.app.store.snapshot().await?;
        let state = subscription::state(&mut tx).await?;
        let heads = sequence::heads(&mut tx).await?;
        let new = heads.iter().filter(|(id, generation)| index.1.known(id, *generation).is_none());
        let new: Vec<&str> = new.map(|(id, _)| id.as_str()).collect();
        let mut read = HashMap::new();
        if new.len() > FEW {
            let (_, all) = subscription::live(&mut tx).await?;
            read.extend(all.into_iter().map(|one| (one.id.clone(), one)));
        } else {
            for id in new {
                read.extend(subscription::find(&mut tx, id).await?.map(|one| (one.id.clone(), one)));
            }
        }
        let mut all: Vec<Arc<Watched>> = Vec::with_capacity(heads.len());
        for (id, generation) in &heads {
            if let Some(known) = index.1.known(id, *generation) {
                all.push(Arc::clone(known));
            } else if let Some(stored) = read.get(id) {
                match Watched::read(stored) {
                    Ok(watched) => all.push(Arc::new(watched)),
                    Err(why) => {
                        tracing::error!(id, why, "a subscription can't be understood and gets no events");
                    }
                }
            }
        }
        *index = (state, Index::new(all));
        Ok(())
    }

    /// Whom each event is for: those who want it and may see it.
    async fn shares(&self, index: &Index, waiting: &[Pending]) -> Result<Vec<Share>, Error> {
        let now = self.app.clock.now();
        let mut shares: BTreeMap<&str, Share> = BTreeMap::new();
        let mut readers = Readers { app: &self.app, known: HashMap::new() };
        for (place, pending) in waiting.iter().enumerate() {
            let event = &pending.event;
            let Some(rtype) = resource_type(&event.rtype) else { continue };
            let body: Value = serde_json::from_slice(event.content())
                .map_err(|error| Error::internal(format!("a stored body is not JSON: {error}")))?;
            for watched in index.matching(pending, rtype, &body, now) {
                if readers.may_see(watched, rtype, event, &body).await? {
                    let share = shares.entry(&watched.id).or_insert_with(|| Share {
                        subscription: watched.id.clone(),
                        generation: watched.generation,
                        places: Vec::new(),
                    });
                    share.places.push(place);
                }
            }
        }
        Ok(shares.into_values().collect())
    }

    /// Places a batch; `false` while another process gives numbers.
    async fn place(&self, waiting: Vec<Pending>, shares: Vec<Share>) -> Result<bool, Unplaced> {
        let eids: Vec<i64> = waiting.iter().map(|pending| pending.eid).collect();
        let deliver = !shares.is_empty();
        let (this, batch) = (self.clone(), Arc::new((eids, shares)));
        let placed = self.app.store.write(Intent::Upsert, move |tx| {
            let (this, batch) = (this.clone(), Arc::clone(&batch));
            Box::pin(async move { this.place_in(tx, &batch.0, &batch.1).await })
        });
        let Some(last) = placed.await? else { return Ok(false) };
        self.heard(last, deliver);
        Ok(true)
    }

    async fn place_in(&self, tx: &mut Tx, eids: &[i64], shares: &[Share]) -> Result<Option<i64>, Unplaced> {
        let now = self.app.clock.now();
        let until = now + i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX);
        let Some(lease) = sequence::take(tx, &self.app.instance, until, now).await? else { return Ok(None) };
        sequence::place(tx, lease, eids, shares, now).await?;
        Ok(Some(lease.seq + i64::try_from(eids.len()).unwrap_or(i64::MAX)))
    }
}

/// The access of owners, for one batch.
struct Readers<'a> {
    app: &'a App,
    known: HashMap<String, Option<Arc<Access>>>,
}

impl Readers<'_> {
    /// Whether the owner of a subscription may see what happened.
    async fn may_see(
        &mut self,
        watched: &Watched,
        rtype: &'static ResourceType,
        event: &Event,
        body: &Value,
    ) -> Result<bool, Error> {
        if !self.known.contains_key(&watched.owner) {
            let access = subscriptions::owner(self.app, &watched.owner).await?.ok();
            self.known.insert(watched.owner.clone(), access);
        }
        let Some(Some(access)) = self.known.get(&watched.owner) else { return Ok(false) };
        let Ok(permit) = access.permit(Right::Read, rtype) else { return Ok(false) };
        match permit.judge(rtype, body) {
            Judged::Holds => Ok(true),
            Judged::Fails => Ok(false),
            Judged::Depends(rest) => {
                let mut tx = self.app.store.reader().await?;
                Ok(visible::admits(&mut tx, rtype, event.rid, &rest).await?)
            }
        }
    }
}
