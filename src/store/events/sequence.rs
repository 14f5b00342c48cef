//! Numbering events, and handing them out to subscriptions: one step, one transaction.

use super::{Event, event_columns};
use crate::args;
use crate::clock::Micros;
use crate::store::db::{Tx, statements};
use crate::store::dialect::texts_of;
use crate::store::{StoreError, rows};
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, HashMap};

statements! {
    // The first are picked before the join: PostgreSQL would join and sort all that wait.
    PENDING = concat!("SELECT e.eid, ", event_columns!(), " FROM (SELECT eid FROM event_pending ORDER BY eid LIMIT $1) p \
        JOIN event e ON e.eid = p.eid JOIN history h ON h.rid = e.rid AND h.vid = e.vid ORDER BY p.eid");
    TAKE = "UPDATE event_sequencer SET holder = $1, until_us = $2, \
        fence = CASE WHEN holder = $1 THEN fence ELSE fence + 1 END \
        WHERE one = 1 AND (holder = $1 OR until_us < $3) RETURNING fence, seq";
    ADVANCE = "UPDATE event_sequencer SET seq = $1 WHERE one = 1 AND fence = $2 AND seq = $3";
    SEQ = "SELECT seq FROM event_sequencer";
    HEADS = "SELECT id, generation FROM subscription WHERE status <> 'off' ORDER BY id";
}

/// An event that waits for its number.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Internal key.
    pub eid: i64,
    /// What happened; without a number.
    pub event: Event,
}

/// The sequencer's place in the log, for as long as the lease is ours.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// Rises whenever another process takes over.
    pub fence: i64,
    /// The last number that was given.
    pub seq: i64,
}

/// The events of one batch that a subscription gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Logical id of the Subscription.
    pub subscription: String,
    /// The generation by which it was judged.
    pub generation: i64,
    /// Places in the batch, from 0, rising.
    pub places: Vec<usize>,
}

/// The first events that wait, `limit` at most, in the order in which they were recorded.
pub async fn pending(tx: &mut Tx, limit: i64) -> Result<Vec<Pending>, StoreError> {
    let rows = tx.all(PENDING, args![limit]).await?;
    rows.iter().map(|row| Ok(Pending { eid: row.int(0)?, event: Event::read(row, 0, 1)? })).collect()
}

/// Takes or renews the lease until `until`; none while it is another process's.
pub async fn take(
    tx: &mut Tx,
    holder: &str,
    until: Micros,
    now: Micros,
) -> Result<Option<Lease>, StoreError> {
    let Some(row) = tx.optional(TAKE, args![holder, until, now]).await? else { return Ok(None) };
    Ok(Some(Lease { fence: row.int(0)?, seq: row.int(1)? }))
}

/// Subscriptions that get events, each with its generation.
pub async fn heads(tx: &mut Tx) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = tx.all(HEADS, args![]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
}

/// Gives a batch its numbers and hands it out.
///
/// # Errors
/// [`StoreError::Contended`] when another process was faster, or a subscription changed since it was judged.
pub async fn place(
    tx: &mut Tx,
    lease: Lease,
    batch: &[i64],
    shares: &[Share],
    now: Micros,
) -> Result<(), StoreError> {
    let taken = rows::delete(tx, "DELETE FROM event_pending WHERE eid", batch).await?;
    if usize::try_from(taken).unwrap_or_default() != batch.len() {
        return Err(StoreError::Contended("another process numbers these events".to_owned()));
    }
    let numbers = batch.iter().zip(lease.seq + 1..).map(|(eid, seq)| args![seq, *eid]);
    rows::insert(tx, "INSERT INTO event_number (seq, eid)", numbers.collect()).await?;
    let counts = counted(tx, shares, now).await?;
    let mut handed_out = Vec::new();
    for share in shares {
        let count = counts.get(&(share.subscription.clone(), share.generation));
        let Some(count) = count else {
            return Err(StoreError::Contended(format!("Subscription/{} changed", share.subscription)));
        };
        let first = count - i64::try_from(share.places.len()).unwrap_or(i64::MAX) + 1;
        handed_out.extend(share.places.iter().zip(first..).map(|(place, number)| {
            let seq = lease.seq + 1 + i64::try_from(*place).unwrap_or(i64::MAX);
            args![share.subscription.as_str(), number, seq]
        }));
    }
    let head = "INSERT INTO subscription_event (subscription, number, seq)";
    rows::insert(tx, head, handed_out).await?;
    let last = lease.seq + i64::try_from(batch.len()).unwrap_or(i64::MAX);
    if tx.execute(ADVANCE, args![last, lease.fence, lease.seq]).await? == 1 {
        Ok(())
    } else {
        Err(StoreError::Contended("another process took over the event log".to_owned()))
    }
}

/// Counts the events of each share; the last number of each subscription, by its id and generation. Those that get as
/// many go together: deliveries wait for these rows until the batch is committed.
async fn counted(
    tx: &mut Tx,
    shares: &[Share],
    now: Micros,
) -> Result<HashMap<(String, i64), i64>, StoreError> {
    let mut by_size: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for share in shares {
        by_size.entry(share.places.len()).or_default().push(&share.subscription);
    }
    let text = format!(
        "UPDATE subscription SET count = count + $1, \
         due_us = CASE WHEN channel = 'rest-hook' AND status = 'active' THEN COALESCE(due_us, $2) ELSE due_us END \
         WHERE status <> 'off' AND id IN ({ids}) RETURNING id, generation, count",
        ids = texts_of(tx.engine(), "$3", ""),
    );
    let mut counts = HashMap::new();
    for (size, ids) in by_size {
        let many = i64::try_from(size).unwrap_or(i64::MAX);
        let ids = serde_json::to_string(&ids).map_err(|error| StoreError::Other(error.to_string()))?;
        for row in tx.all(AssertSqlSafe(text.clone()), args![many, now, ids]).await? {
            counts.insert((row.text(0)?, row.int(1)?), row.int(2)?);
        }
    }
    Ok(counts)
}

/// The last number that was given.
pub async fn last(tx: &mut Tx) -> Result<i64, StoreError> {
    tx.one(SEQ, args![]).await?.int(0)
}
