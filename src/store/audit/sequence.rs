//! Giving recorded events their place: leaves, nodes, the index, checkpoints.

use crate::args;
use crate::audit::leaf::{Judged, Leaf};
use crate::audit::packed::unpack;
use crate::audit::tree::{Hash, Node};
use crate::clock::Micros;
use crate::store::audit::postings;
use crate::store::db::{Arg, Row, Tx, statements};
use crate::store::{StoreError, rows};
use sqlx::AssertSqlSafe;
use std::collections::HashMap;
use std::sync::Arc;

statements! {
    // The first are picked before the join: PostgreSQL would join and sort all that wait.
    PENDING = "SELECT e.eid, e.id, e.recorded_us \
        FROM (SELECT eid FROM audit_pending ORDER BY eid LIMIT $1) p \
        JOIN audit_event e ON e.eid = p.eid ORDER BY p.eid";
    HELD = "SELECT 1 FROM audit_sequencer WHERE holder <> $1 AND until_us >= $2";
    TAKE = "UPDATE audit_sequencer SET holder = $1, until_us = $2, \
        fence = CASE WHEN holder = $1 THEN fence ELSE fence + 1 END \
        WHERE one = 1 AND (holder = $1 OR until_us < $3) RETURNING fence, size, edge";
    ADVANCE = "UPDATE audit_sequencer SET size = $1, edge = $2 WHERE one = 1 AND fence = $3 AND size = $4";
    PUBLISH = "INSERT INTO audit_checkpoint (size, root, at_us, note) VALUES ($1, $2, $3, $4)";
    SIZE = "SELECT size FROM audit_sequencer";
    LATEST = "SELECT size, root, at_us, note FROM audit_checkpoint ORDER BY size DESC LIMIT 1";
}

/// An event that waits for its place.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Internal key.
    pub eid: i64,
    /// `AuditEvent.id`.
    pub id: String,
    /// When it was recorded.
    pub recorded_us: Micros,
}

/// An event with its place.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Internal key.
    pub eid: i64,
    /// The leaf.
    pub leaf: Leaf,
    /// The leaf's hash.
    pub hash: Hash,
    /// What it says.
    pub judged: Arc<Judged>,
}

/// The sequencer's place in the log, for as long as the lease is ours.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Rises whenever another process takes over.
    pub fence: i64,
    /// The number of leaves.
    pub size: i64,
    /// Hashes of the tree's right edge.
    pub edge: Vec<Hash>,
}

/// A published checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The number of leaves that it covers.
    pub size: i64,
    /// The root of the tree.
    pub root: Vec<u8>,
    /// When it was signed.
    pub at_us: Micros,
    /// The signed note.
    pub note: String,
}

/// The first events that wait, `limit` at most, in the order in which they were recorded.
pub async fn pending(tx: &mut Tx, limit: i64) -> Result<Vec<Pending>, StoreError> {
    let rows = tx.all(PENDING, args![limit]).await?;
    rows.iter().map(read_pending).collect()
}

fn read_pending(row: &Row) -> Result<Pending, StoreError> {
    Ok(Pending { eid: row.int(0)?, id: row.text(1)?, recorded_us: row.int(2)? })
}

/// What these events say, by their keys.
pub async fn judged(tx: &mut Tx, keys: &[i64]) -> Result<HashMap<i64, Judged>, StoreError> {
    let mut found = HashMap::with_capacity(keys.len());
    let mut rest = keys;
    while !rest.is_empty() {
        let (some, others) = rest.split_at(rows::listed(rest.len()));
        let each: Vec<String> = (1..=some.len()).map(|place| format!("${place}")).collect();
        let text = format!("SELECT eid, salt, body FROM audit_event WHERE eid IN ({})", each.join(", "));
        for row in &tx.all(AssertSqlSafe(text), some.iter().map(|key| Arg::from(*key)).collect()).await? {
            let salt = row.blob(1)?.try_into();
            let salt = salt.map_err(|_| StoreError::Other("a salt is not 32 bytes long".to_owned()))?;
            found.insert(row.int(0)?, Judged::of(&salt, &unpack(row.blob(2)?)));
        }
        rest = others;
    }
    Ok(found)
}

/// Whether another process gives places, so that looking at what waits is work for nothing.
pub async fn is_held(tx: &mut Tx, holder: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.optional(HELD, args![holder, now]).await?.is_some())
}

/// Takes or renews the lease until `until`; none while it is another process's.
pub async fn take(
    tx: &mut Tx,
    holder: &str,
    until: Micros,
    now: Micros,
) -> Result<Option<Lease>, StoreError> {
    let Some(row) = tx.optional(TAKE, args![holder, until, now]).await? else { return Ok(None) };
    let edge = row.blob(2)?;
    let hashes = edge.chunks_exact(32).map(|hash| Hash::try_from(hash).unwrap_or_default());
    Ok(Some(Lease { fence: row.int(0)?, size: row.int(1)?, edge: hashes.collect() }))
}

/// Writes places, the nodes that are complete by them, and the tree's new edge.
///
/// # Errors
/// [`StoreError::Contended`] when another process was faster.
pub async fn place(
    tx: &mut Tx,
    lease: &Lease,
    placed: &[Placed],
    nodes: &[Node],
    edge: &[Hash],
) -> Result<(), StoreError> {
    let keys: Vec<i64> = placed.iter().map(|one| one.eid).collect();
    let taken = rows::delete(tx, "DELETE FROM audit_pending WHERE eid", &keys).await?;
    if usize::try_from(taken).unwrap_or_default() != placed.len() {
        return Err(StoreError::Contended("another process places these events".to_owned()));
    }
    let leaves = placed.iter().map(|one| {
        let leaf = &one.leaf;
        args![
            number(leaf.seq),
            one.eid,
            leaf.id.as_str(),
            leaf.recorded,
            leaf.content.as_slice(),
            one.hash.as_slice()
        ]
    });
    let head = "INSERT INTO audit_leaf (seq, eid, id, recorded_us, content, hash)";
    rows::insert(tx, head, leaves.collect()).await?;
    let inner =
        nodes.iter().map(|node| args![i64::from(node.id.level), number(node.id.index), node.hash.as_slice()]);
    rows::insert(tx, "INSERT INTO audit_node (level, idx, hash)", inner.collect()).await?;
    index(tx, placed).await?;
    let size = lease.size + i64::try_from(placed.len()).unwrap_or(i64::MAX);
    let args = args![size, edge.concat(), lease.fence, lease.size];
    if tx.execute(ADVANCE, args).await? == 1 {
        Ok(())
    } else {
        Err(StoreError::Contended("another process took over the log".to_owned()))
    }
}

/// Writes what events are found by.
async fn index(tx: &mut Tx, placed: &[Placed]) -> Result<(), StoreError> {
    let facts = placed.iter().map(|Placed { leaf, judged, .. }| {
        let terms = &judged.terms;
        let (kind, action) = (terms.kind.as_str(), terms.action.as_str());
        args![number(leaf.seq), leaf.recorded, kind, action, terms.outcome]
    });
    let head = "INSERT INTO audit_index (seq, recorded_us, type, action, outcome)";
    rows::insert(tx, head, facts.collect()).await?;
    let words = placed.iter().flat_map(|Placed { leaf, judged, .. }| {
        let place = (leaf.recorded, number(leaf.seq));
        judged.terms.words.iter().map(move |word| (word.as_str(), place))
    });
    postings::write(tx, words.collect()).await
}

/// Publishes a checkpoint.
pub async fn publish(tx: &mut Tx, checkpoint: &Published) -> Result<(), StoreError> {
    let Published { size, root, at_us, note } = checkpoint;
    tx.execute(PUBLISH, args![*size, root.as_slice(), *at_us, note.as_str()]).await?;
    Ok(())
}

/// How many events have their place.
pub async fn size(tx: &mut Tx) -> Result<i64, StoreError> {
    tx.one(SIZE, args![]).await?.int(0)
}

/// The checkpoint of the largest tree.
pub async fn latest(tx: &mut Tx) -> Result<Option<Published>, StoreError> {
    let row = tx.optional(LATEST, args![]).await?;
    row.map(|row| {
        Ok(Published { size: row.int(0)?, root: row.blob(1)?, at_us: row.int(2)?, note: row.text(3)? })
    })
    .transpose()
}

fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
