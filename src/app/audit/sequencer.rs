//! Gives recorded events their place in the log, and signs what has come of it.

use crate::app::App;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::key::Signer;
use crate::audit::leaf::{Judged, Leaf};
use crate::audit::tree::{Frontier, Node};
use crate::clock::Micros;
use crate::store::audit::sequence::{self, Lease, Pending, Placed, Published};
use crate::store::{Intent, StoreError, Tx};
use std::sync::Arc;
use std::time::Duration;

/// How long one process keeps the right to give places without using it.
const LEASE: Duration = Duration::from_secs(5);
/// The most events that get their places in one transaction.
const BATCH: usize = 1024;

/// One process's part in giving places.
#[derive(Clone)]
pub struct Sequencer {
    app: App,
    /// Names this process.
    holder: Arc<str>,
    /// The log's keys: all sign, so that one can replace another.
    signers: Arc<Vec<Signer>>,
}

impl Sequencer {
    /// Signs with these keys, whose name is the name of the log.
    pub fn new(app: App, signers: Vec<Signer>) -> Self {
        let holder = app.clock.new_id().into();
        // Whoever comes second has the same.
        let _ = app.log_keys.set(signers.iter().map(|signer| signer.verifier().clone()).collect());
        Self { app, holder, signers: Arc::new(signers) }
    }

    /// Gives a place to all that waits, and publishes a checkpoint that covers it.
    ///
    /// # Errors
    /// When the database does not do its part; what waits goes on waiting.
    pub async fn run(&self) -> Result<(), StoreError> {
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        loop {
            let mut tx = self.app.store.reader().await?;
            if sequence::is_held(&mut tx, &self.holder, self.app.clock.now()).await? {
                return Ok(());
            }
            let waiting = sequence::pending(&mut tx, limit).await?;
            drop(tx);
            let last = waiting.len() < BATCH;
            let ours = self.step(waiting).await?;
            if last || !ours {
                return Ok(());
            }
        }
    }

    /// Places a batch and publishes a checkpoint over it, so that no leaf is ever without one; `false` while another
    /// process gives places.
    async fn step(&self, waiting: Vec<Pending>) -> Result<bool, StoreError> {
        if waiting.is_empty() && self.is_published().await? {
            return Ok(true);
        }
        let judged = Arc::new(self.judge(waiting).await?);
        let this = self.clone();
        self.app
            .store
            .write(Intent::Upsert, move |tx| {
                let (this, judged) = (this.clone(), Arc::clone(&judged));
                Box::pin(async move { this.place(tx, &judged).await })
            })
            .await
    }

    /// What the events say: those that this process just recorded, it knows; the others are read.
    async fn judge(&self, waiting: Vec<Pending>) -> Result<Vec<(Pending, Arc<Judged>)>, StoreError> {
        let known = self.app.recorder.fresh().take(waiting.iter().map(|pending| pending.id.as_str()));
        let unknown = waiting.iter().zip(&known).filter(|(_, known)| known.is_none());
        let unknown: Vec<i64> = unknown.map(|(pending, _)| pending.eid).collect();
        let mut read = sequence::judged(&mut self.app.store.reader().await?, &unknown).await?;
        let mut judge = |(pending, known): (Pending, Option<Arc<Judged>>)| {
            let judged = known.or_else(|| read.remove(&pending.eid).map(Arc::new));
            // One that is gone goes on waiting for its place, which the verification tells of.
            judged.map(|judged| (pending, judged))
        };
        Ok(waiting.into_iter().zip(known).filter_map(&mut judge).collect())
    }

    /// Whether the latest checkpoint covers all that has a place.
    async fn is_published(&self) -> Result<bool, StoreError> {
        let mut tx = self.app.store.reader().await?;
        let latest = sequence::latest(&mut tx).await?;
        Ok(sequence::size(&mut tx).await? == latest.map_or(0, |latest| latest.size))
    }

    async fn place(&self, tx: &mut Tx, judged: &[(Pending, Arc<Judged>)]) -> Result<bool, StoreError> {
        let now = self.app.clock.now();
        let until = now + i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX);
        let Some(lease) = sequence::take(tx, &self.holder, until, now).await? else {
            return Ok(false);
        };
        let mut tree = restore(&lease)?;
        let mut placed = Vec::with_capacity(judged.len());
        let mut nodes: Vec<Node> = Vec::new();
        for (pending, judged) in judged {
            let leaf = Leaf {
                seq: tree.size(),
                id: pending.id.clone(),
                recorded: pending.recorded_us,
                content: judged.content,
            };
            let hash = leaf.hash();
            nodes.extend(tree.append(hash));
            placed.push(Placed { eid: pending.eid, leaf, hash, judged: Arc::clone(judged) });
        }
        if !placed.is_empty() {
            sequence::place(tx, &lease, &placed, &nodes, tree.edge()).await?;
        }
        self.publish(tx, &tree, now).await?;
        Ok(true)
    }

    async fn publish(&self, tx: &mut Tx, tree: &Frontier, now: Micros) -> Result<(), StoreError> {
        let size = i64::try_from(tree.size()).unwrap_or(i64::MAX);
        let latest = sequence::latest(tx).await?.map_or(0, |latest| latest.size);
        let Some(origin) = self.signers.first().map(|signer| signer.verifier().name().to_owned()) else {
            return Ok(());
        };
        if latest == size {
            return Ok(());
        }
        let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root() };
        let note = checkpoint.sign(self.signers.iter());
        let root = checkpoint.root.to_vec();
        sequence::publish(tx, &Published { size, root, at_us: now, note }).await
    }
}

fn restore(lease: &Lease) -> Result<Frontier, StoreError> {
    let size = u64::try_from(lease.size).unwrap_or_default();
    Frontier::restore(size, lease.edge.clone())
        .ok_or_else(|| StoreError::Other("the audit log's edge does not fit its size".to_owned()))
}
