//! Exports in bulk: jobs and the files that they come to.

use super::db::{Row, Tx, statements};
use super::{StoreError, dialect};
use crate::args;
use crate::clock::Micros;

statements! {
    INSERT = "INSERT INTO bulk_job (id, owner, asked, at_us, expires_us, size, note, keys) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    COUNT = "SELECT COUNT(*), MIN(expires_us) FROM bulk_job WHERE owner = $1 AND expires_us > $2";
    FIND = "SELECT id, owner, asked, at_us, expires_us, step, behind, planned_us, size, note, keys FROM bulk_job \
        WHERE id = $1 AND owner = $2 AND expires_us > $3";
    // Whoever comes second finds that somebody else went on from there.
    ADVANCE = "UPDATE bulk_job SET step = $1, behind = $2, planned_us = $3 WHERE id = $4 AND step = $5 AND behind = $6 \
        AND planned_us IS NULL";
    ADD_FILE = "INSERT INTO bulk_file (job, number, kind, type, first_key, last_key, count, previous) \
        SELECT $1, COUNT(*) + 1, $2, $3, $4, $5, $6, MAX(CASE WHEN kind = $2 THEN last_key END) \
        FROM bulk_file WHERE job = $1";
    FILES = "SELECT number, kind, type, first_key, last_key, count, previous FROM bulk_file WHERE job = $1 \
        ORDER BY number";
    FILE = "SELECT number, kind, type, first_key, last_key, count, previous FROM bulk_file \
        WHERE job = $1 AND number = $2";
    REMOVE = "DELETE FROM bulk_job WHERE id = $1 AND owner = $2 AND expires_us > $3";
    ANY_EXPIRED = "SELECT id FROM bulk_job WHERE expires_us <= $1 LIMIT 1";
    FORGET = "DELETE FROM bulk_job WHERE expires_us <= $1";
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Whoever asked for it.
    pub owner: String,
    /// What was asked for, as JSON.
    pub asked: String,
    /// The transaction time.
    pub at_us: Micros,
    /// From then on it is not there any more.
    pub expires_us: Micros,
    /// How far the files are known.
    pub reached: Reached,
    /// Whether all files are known.
    pub planned: bool,
    /// Of an export of the audit log: what it leads to.
    pub log: Option<Log>,
}

/// How far the files of an export are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The step.
    pub step: i64,
    /// The key behind which it goes on.
    pub behind: i64,
}

/// What the export of an audit log leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The number of leaves.
    pub size: i64,
    /// The checkpoint, a signed note.
    pub note: String,
    /// The log's public keys, one a line.
    pub keys: String,
}

/// A file of an export: a range of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its number, from 1.
    pub number: i64,
    /// `output`, `deleted` or `event`.
    pub kind: String,
    /// Resource type.
    pub rtype: String,
    /// The first key in it.
    pub first: i64,
    /// The last key in it.
    pub last: i64,
    /// How many there were when it was planned.
    pub count: i64,
    /// The last key of the file of this kind before it.
    pub previous: Option<i64>,
}

/// A part of a file to come.
#[derive(Clone, Copy, Debug)]
pub struct NewFile {
    /// `output`, `deleted` or `event`.
    pub kind: &'static str,
    /// Resource type.
    pub rtype: &'static str,
    /// The first key in it.
    pub first: i64,
    /// The last key in it.
    pub last: i64,
    /// How many there are.
    pub count: i64,
}

/// Makes requests of one owner for exports run one after the other.
pub async fn lock(tx: &mut Tx, owner: &str) -> Result<(), StoreError> {
    dialect::lock_name(tx, &format!("bulk/{owner}")).await
}

/// How many exports an owner has, and when the first of them expires.
pub async fn count(tx: &mut Tx, owner: &str, now: Micros) -> Result<(i64, Option<Micros>), StoreError> {
    let row = tx.one(COUNT, args![owner, now]).await?;
    Ok((row.int(0)?, row.opt_int(1)?))
}

/// Stores an export of which no file is known yet.
pub async fn insert(tx: &mut Tx, job: &Job) -> Result<(), StoreError> {
    let log = job.log.as_ref();
    let args = args![
        job.id.as_str(),
        job.owner.as_str(),
        job.asked.as_str(),
        job.at_us,
        job.expires_us,
        log.map(|log| log.size),
        log.map(|log| log.note.clone()),
        log.map(|log| log.keys.clone()),
    ];
    tx.execute(INSERT, args).await.map(drop)
}

/// An export of this owner; others have none of that id.
pub async fn find(tx: &mut Tx, id: &str, owner: &str, now: Micros) -> Result<Option<Job>, StoreError> {
    tx.optional(FIND, args![id, owner, now]).await?.as_ref().map(job).transpose()
}

fn job(row: &Row) -> Result<Job, StoreError> {
    let log = match row.opt_int(8)? {
        Some(size) => Some(Log { size, note: row.text(9)?, keys: row.text(10)? }),
        None => None,
    };
    Ok(Job {
        id: row.text(0)?,
        owner: row.text(1)?,
        asked: row.text(2)?,
        at_us: row.int(3)?,
        expires_us: row.int(4)?,
        reached: Reached { step: row.int(5)?, behind: row.int(6)? },
        planned: row.opt_int(7)?.is_some(),
        log,
    })
}

/// Adds a file, if there is one, and notes how far the files are known; false when another process was faster, or the
/// export is gone.
pub async fn advance(
    tx: &mut Tx,
    id: &str,
    from: Reached,
    to: Reached,
    planned_us: Option<Micros>,
    file: Option<NewFile>,
) -> Result<bool, StoreError> {
    let args = args![to.step, to.behind, planned_us, id, from.step, from.behind];
    if tx.execute(ADVANCE, args).await? == 0 {
        return Ok(false);
    }
    if let Some(NewFile { kind, rtype, first, last, count }) = file {
        tx.execute(ADD_FILE, args![id, kind, rtype, first, last, count]).await?;
    }
    Ok(true)
}

/// The files of an export, as far as they are known, in order.
pub async fn files(tx: &mut Tx, id: &str) -> Result<Vec<File>, StoreError> {
    tx.all(FILES, args![id]).await?.iter().map(file).collect()
}

/// One file of an export.
pub async fn one_file(tx: &mut Tx, id: &str, number: i64) -> Result<Option<File>, StoreError> {
    tx.optional(FILE, args![id, number]).await?.as_ref().map(file).transpose()
}

fn file(row: &Row) -> Result<File, StoreError> {
    Ok(File {
        number: row.int(0)?,
        kind: row.text(1)?,
        rtype: row.text(2)?,
        first: row.int(3)?,
        last: row.int(4)?,
        count: row.int(5)?,
        previous: row.opt_int(6)?,
    })
}

/// Removes an export; false when the owner has none of that id.
pub async fn remove(tx: &mut Tx, id: &str, owner: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.execute(REMOVE, args![id, owner, now]).await? > 0)
}

/// Whether an export has expired.
pub async fn any_expired(tx: &mut Tx, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.optional(ANY_EXPIRED, args![now]).await?.is_some())
}

/// Removes what has expired.
pub async fn forget(tx: &mut Tx, now: Micros) -> Result<u64, StoreError> {
    tx.execute(FORGET, args![now]).await
}
