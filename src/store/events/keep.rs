//! How far others have the event log, and forgetting what is old.

use crate::args;
use crate::clock::Micros;
use crate::store::db::{Tx, statements};
use crate::store::{StoreError, rows};

statements! {
    ADD_STREAM = "INSERT INTO event_stream (name) VALUES ($1) ON CONFLICT DO NOTHING";
    TAKE_STREAM = "UPDATE event_stream SET holder = $2, until_us = $3, \
        fence = CASE WHEN holder = $2 THEN fence ELSE fence + 1 END \
        WHERE name = $1 AND (holder = $2 OR until_us < $4) RETURNING fence, seq";
    SENT = "UPDATE event_stream SET seq = $1 WHERE name = $2 AND fence = $3 AND seq < $1";
    STREAM_AT = "SELECT seq FROM event_stream WHERE name = $1";
    OLDEST = "SELECT n.seq, n.eid, e.at_us FROM event_number n JOIN event e ON e.eid = n.eid ORDER BY n.seq LIMIT $1";
    SUBSCRIPTIONS = "SELECT id FROM subscription WHERE id > $1 ORDER BY id LIMIT 500";
    FORGET_NUMBERS = "DELETE FROM event_number WHERE seq <= $1";
    FORGET_OF = "DELETE FROM subscription_event WHERE subscription = $1 AND seq <= $2";
}

/// A stream, for as long as the lease is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Rises whenever another process takes over.
    pub fence: i64,
    /// The last event that arrived.
    pub seq: i64,
}

/// Takes or renews the lease on a stream until `until`; none while it is another process's.
pub async fn take(
    tx: &mut Tx,
    name: &str,
    holder: &str,
    until: Micros,
    now: Micros,
) -> Result<Option<Cursor>, StoreError> {
    tx.execute(ADD_STREAM, args![name]).await?;
    let row = tx.optional(TAKE_STREAM, args![name, holder, until, now]).await?;
    row.map(|row| Ok(Cursor { fence: row.int(0)?, seq: row.int(1)? })).transpose()
}

/// Notes that all events up to `seq` arrived; false when another process took over.
pub async fn sent(tx: &mut Tx, name: &str, fence: i64, seq: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(SENT, args![seq, name, fence]).await? == 1)
}

/// The last event of a stream that arrived; 0: none did.
pub async fn sent_until(tx: &mut Tx, name: &str) -> Result<i64, StoreError> {
    let row = tx.optional(STREAM_AT, args![name]).await?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// Forgets events from before `before` with a number of `until` at most, `limit` of them at a time, and that
/// subscriptions had them; how many it were. The oldest go first, so that what is left has no gap.
pub async fn forget(tx: &mut Tx, before: Micros, until: i64, limit: i64) -> Result<usize, StoreError> {
    let mut old = Vec::new();
    for row in tx.all(OLDEST, args![limit]).await? {
        let (seq, eid, at_us) = (row.int(0)?, row.int(1)?, row.int(2)?);
        if seq > until || at_us >= before {
            break;
        }
        old.push((seq, eid));
    }
    let Some((last, _)) = old.last().copied() else { return Ok(0) };
    let mut behind = String::new();
    loop {
        let some = tx.all(SUBSCRIPTIONS, args![behind.as_str()]).await?;
        let Some(end) = some.last() else { break };
        behind = end.text(0)?;
        for row in &some {
            tx.execute(FORGET_OF, args![row.text(0)?, last]).await?;
        }
    }
    tx.execute(FORGET_NUMBERS, args![last]).await?;
    let keys: Vec<i64> = old.iter().map(|(_, eid)| *eid).collect();
    rows::delete(tx, "DELETE FROM event WHERE eid", &keys).await?;
    Ok(old.len())
}
