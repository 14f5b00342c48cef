//! Who was told of which checkpoint: places that keep them elsewhere, and witnesses who sign them.

use crate::args;
use crate::clock::Micros;
use crate::store::StoreError;
use crate::store::audit::sequence::Published;
use crate::store::db::{Row, Tx, statements};

statements! {
    MAKE = "INSERT INTO audit_told (name) VALUES ($1) ON CONFLICT DO NOTHING";
    STATE = "SELECT size, told_us, due_us, fence, failures, failing_us FROM audit_told WHERE name = $1";
    // Whoever comes second finds that it is no longer due. Only the last try may say how it went.
    CLAIM = "UPDATE audit_told SET due_us = $3, fence = fence + 1 WHERE name = $1 AND due_us <= $2 \
        RETURNING size, told_us, due_us, fence, failures, failing_us";
    TOLD = "UPDATE audit_told SET size = $3, told_us = $4, due_us = $5, failures = 0, failing_us = 0 \
        WHERE name = $1 AND fence = $2";
    FAILED = "UPDATE audit_told SET due_us = $3, failures = failures + 1, \
            failing_us = CASE WHEN failing_us = 0 THEN $4 ELSE failing_us END \
        WHERE name = $1 AND fence = $2";
    COSIGNED = "INSERT INTO audit_cosignature (size, witness, at_us, line) VALUES ($1, $2, $3, $4) \
        ON CONFLICT DO NOTHING";
    LINES = "SELECT line FROM audit_cosignature WHERE size = $1 ORDER BY witness";
    NEWEST_COSIGNED = "SELECT size, root, at_us, note FROM audit_checkpoint \
        WHERE size = (SELECT MAX(s.size) FROM audit_cosignature s)";
}

/// How far somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Leaves of the last checkpoint that arrived; for a witness, of the last that it knows.
    pub size: i64,
    /// When it arrived; 0: none did.
    pub told_us: Micros,
    /// When the next is sent, or may be tried again.
    pub due_us: Micros,
    /// Rises with each try.
    pub fence: i64,
    /// How many tries failed since.
    pub failures: i64,
    /// When they began to fail; 0: they don't.
    pub failing_us: Micros,
}

fn read(row: &Row) -> Result<Told, StoreError> {
    Ok(Told {
        size: row.int(0)?,
        told_us: row.int(1)?,
        due_us: row.int(2)?,
        fence: row.int(3)?,
        failures: row.int(4)?,
        failing_us: row.int(5)?,
    })
}

/// How far `name` is told; none when it was never tried.
pub async fn state(tx: &mut Tx, name: &str) -> Result<Option<Told>, StoreError> {
    tx.optional(STATE, args![name]).await?.as_ref().map(read).transpose()
}

/// Takes the next try, if it is due at `now`; until `lease` nobody else does.
pub async fn claim(tx: &mut Tx, name: &str, now: Micros, lease: Micros) -> Result<Option<Told>, StoreError> {
    tx.execute(MAKE, args![name]).await?;
    tx.optional(CLAIM, args![name, now, lease]).await?.as_ref().map(read).transpose()
}

/// The checkpoint of `size` leaves arrived at `now`; the next is due at `due`.
pub async fn told(
    tx: &mut Tx,
    name: &str,
    fence: i64,
    size: i64,
    (now, due): (Micros, Micros),
) -> Result<(), StoreError> {
    tx.execute(TOLD, args![name, fence, size, now, due]).await.map(drop)
}

/// The try failed at `now`; the next is due at `due`.
pub async fn failed(
    tx: &mut Tx,
    name: &str,
    fence: i64,
    (now, due): (Micros, Micros),
) -> Result<(), StoreError> {
    tx.execute(FAILED, args![name, fence, due, now]).await.map(drop)
}

/// Keeps what a witness signed: a line of the note of the checkpoint of `size` leaves.
pub async fn cosigned(
    tx: &mut Tx,
    size: i64,
    witness: &str,
    at_us: Micros,
    line: &str,
) -> Result<(), StoreError> {
    tx.execute(COSIGNED, args![size, witness, at_us, line]).await.map(drop)
}

/// The newest checkpoint that a witness signed.
pub async fn newest_cosigned(tx: &mut Tx) -> Result<Option<Published>, StoreError> {
    let row = tx.optional(NEWEST_COSIGNED, args![]).await?;
    row.map(|row| {
        Ok(Published { size: row.int(0)?, root: row.blob(1)?, at_us: row.int(2)?, note: row.text(3)? })
    })
    .transpose()
}

/// The checkpoint with what witnesses signed below it.
pub async fn with_cosignatures(tx: &mut Tx, checkpoint: Published) -> Result<Published, StoreError> {
    let mut note = checkpoint.note;
    for row in tx.all(LINES, args![checkpoint.size]).await? {
        note.push_str(&row.text(0)?);
    }
    Ok(Published { note, ..checkpoint })
}
