//! Events, as they are recorded and as they are read.

use crate::args;
use crate::audit::event::Recorded;
use crate::audit::leaf::Leaf;
use crate::audit::packed::{pack, unpack};
use crate::store::db::{Arg, Row, Tx, statements};
use crate::store::{StoreError, rows};

statements! {
    ENTRIES = "SELECT l.seq, l.id, l.recorded_us, l.content, e.salt, e.body FROM audit_leaf l \
        LEFT JOIN audit_event e ON e.eid = l.eid WHERE l.seq >= $1 ORDER BY l.seq";
    READ = "SELECT l.seq, e.body FROM audit_leaf l LEFT JOIN audit_event e ON e.eid = l.eid WHERE l.id = $1";
}

/// Puts events on the record, in the transaction of what they tell.
pub async fn record(tx: &mut Tx, events: &[Recorded]) -> Result<(), StoreError> {
    let rows = events.iter().map(row).collect();
    rows::insert(tx, "INSERT INTO audit_event (id, recorded_us, salt, body)", rows).await
}

fn row(event: &Recorded) -> Vec<Arg> {
    args![event.id.as_str(), event.recorded_us, event.salt.as_slice(), pack(&event.body)]
}

/// A leaf of the log, with the event that it stands for.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The leaf.
    pub leaf: Leaf,
    /// Salt and canonical JSON; none after a lawful purge.
    pub event: Option<(Vec<u8>, Vec<u8>)>,
}

/// Leaves from `seq` on, `limit` at most, in order.
pub async fn entries(tx: &mut Tx, seq: i64, limit: i64) -> Result<Vec<Entry>, StoreError> {
    let rows = tx.all(rows::first(ENTRIES, limit), args![seq]).await?;
    let read = |row: &Row| {
        let leaf = Leaf {
            seq: u64::try_from(row.int(0)?).unwrap_or_default(),
            id: row.text(1)?,
            recorded: row.int(2)?,
            content: row
                .blob(3)?
                .try_into()
                .map_err(|_| StoreError::Other("a leaf's digest is not 32 bytes long".to_owned()))?,
        };
        Ok(Entry { leaf, event: row.opt_blob(4)?.zip(row.opt_blob(5)?.map(unpack)) })
    };
    rows.iter().map(read).collect()
}

/// The place of an event in the log, and its content; none of that after a lawful purge.
pub async fn read(tx: &mut Tx, id: &str) -> Result<Option<(i64, Option<Vec<u8>>)>, StoreError> {
    let row = tx.optional(READ, args![id]).await?;
    row.map(|row| Ok((row.int(0)?, row.opt_blob(1)?.map(unpack)))).transpose()
}
