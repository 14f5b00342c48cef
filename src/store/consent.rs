//! Consents for those who keep them in memory: what changed since they looked last.

use super::StoreError;
use super::db::{Tx, statements};
use crate::args;

statements! {
    // By number and key, so that a page begins where the last one ended.
    CHANGED = "SELECT c.seq, c.rid, r.deleted, r.body FROM consent_rule c JOIN resource r ON r.rid = c.rid \
        WHERE c.seq > $1 OR (c.seq = $1 AND c.rid > $2) ORDER BY c.seq, c.rid LIMIT 500";
}

/// A Consent that changed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Number of the change in `access_state`.
    pub seq: i64,
    /// Internal key.
    pub rid: i64,
    /// Canonical JSON; none when it was deleted.
    pub body: Option<Vec<u8>>,
}

/// Some of the Consents that changed later than `after`, the number and the key of a change, oldest first; none
/// when there are no more.
pub async fn changed(tx: &mut Tx, after: (i64, i64)) -> Result<Vec<Changed>, StoreError> {
    let rows = tx.all(CHANGED, args![after.0, after.1]).await?;
    let changed = rows.iter().map(|row| {
        let body = (row.int(2)? == 0).then(|| row.blob(3)).transpose()?;
        Ok(Changed { seq: row.int(0)?, rid: row.int(1)?, body })
    });
    changed.collect()
}
