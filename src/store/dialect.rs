//! The few statements that need one text per engine.

use super::db::{Engine, Tx};
use super::{Intent, StoreError};
use crate::args;

/// PostgreSQL: several statements read one state.
pub(super) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

// Every write shares advisory lock 1; a write that deletes takes it alone. So nobody can add a reference to
// a resource between the check that nothing refers to it and its deletion. Taken together with BEGIN, it
// costs no round trip. SQLite has one writer and needs none of this.
const BEGIN_UPSERT: &str = "BEGIN; SELECT pg_advisory_xact_lock_shared(1)";
const BEGIN_DELETE: &str = "BEGIN; SELECT pg_advisory_xact_lock(1)";

const LOCK_NAME: &str = "SELECT 1 FROM (SELECT pg_advisory_xact_lock(2, hashtext($1))) AS taken";

// A version and its history in one round trip; SQLite, which has no round trips, has no such statement either.
const INSERT_VERSION: &str = "WITH r AS (INSERT INTO resource (type, id, vid, deleted, updated_us, body) \
    VALUES ($1, $2, 1, 0, $3, $4) ON CONFLICT DO NOTHING RETURNING rid) \
    INSERT INTO history (rid, type, id, vid, method, at_us, body) SELECT rid, $1, $2, 1, $5, $3, $4 FROM r RETURNING rid";
const REPLACE_VERSION: &str = "WITH r AS (UPDATE resource SET vid = $1, deleted = $2, updated_us = $3, body = $4 \
    WHERE rid = $5 AND vid = $6 RETURNING rid) \
    INSERT INTO history (rid, type, id, vid, method, at_us, body) SELECT rid, $7, $8, $1, $9, $3, $10 FROM r";

/// Rows by which events of the audit log are found, by the blocks that they are in.
pub(super) const POSTINGS_OF_BLOCKS: &str = "SELECT term, recorded_us, seq, others FROM audit_term \
    WHERE ctid >= format('(%s,0)', $1::bigint)::tid AND ctid < format('(%s,0)', $2::bigint)::tid";
const BLOCKS: &str = "SELECT pg_relation_size(to_regclass($1)) / current_setting('block_size')::bigint";

const LOCK_SLOTS: &str = " FOR UPDATE OF s";

/// How a PostgreSQL write begins.
pub(super) fn begin(intent: Intent) -> &'static str {
    match intent {
        Intent::Upsert => BEGIN_UPSERT,
        Intent::Delete => BEGIN_DELETE,
    }
}

/// Makes transactions that name the same thing run one after the other.
pub(super) async fn lock_name(tx: &mut Tx, name: &str) -> Result<(), StoreError> {
    if tx.engine() == Engine::Postgres {
        tx.optional(LOCK_NAME, args![name]).await?;
    }
    Ok(())
}

/// The end of a SELECT from `slot s` that keeps others from booking these slots until the transaction ends.
pub(super) fn lock_slots(tx: &Tx) -> &'static str {
    match tx.engine() {
        // The single writer holds the whole database.
        Engine::Sqlite => "",
        Engine::Postgres => LOCK_SLOTS,
    }
}

/// The hexadecimal text of a column of bytes; NULL when it is.
pub(super) fn hex(engine: Engine, column: &str) -> String {
    match engine {
        // Its hex() makes an empty text of NULL.
        Engine::Sqlite => format!("CASE WHEN {column} IS NOT NULL THEN hex({column}) END"),
        Engine::Postgres => format!("encode({column}, 'hex')"),
    }
}

/// How many blocks a table of PostgreSQL has.
pub(super) async fn blocks(tx: &mut Tx, table: &str) -> Result<i64, StoreError> {
    tx.one(BLOCKS, args![table]).await?.int(0)
}

/// The end of a SELECT that takes rows for an update and passes over those that somebody else has in hand.
pub(super) fn take_free(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "",
        Engine::Postgres => " FOR UPDATE SKIP LOCKED",
    }
}

/// PostgreSQL: how version 1 and its history are stored at once. Parameters: type, id, time, body, method.
pub(super) fn insert_version(tx: &Tx) -> Option<&'static str> {
    (tx.engine() == Engine::Postgres).then_some(INSERT_VERSION)
}

/// PostgreSQL: how a later version and its history are stored at once. Parameters: new version, deleted, time,
/// body, key, old version, type, id, method, body for history.
pub(super) fn replace_version(tx: &Tx) -> Option<&'static str> {
    (tx.engine() == Engine::Postgres).then_some(REPLACE_VERSION)
}

/// SQLite: whether what is deleted is overwritten in the file, too. It costs time, so only where it is called for.
pub(super) async fn erase(tx: &mut Tx, on: bool) -> Result<(), StoreError> {
    if tx.engine() == Engine::Sqlite {
        let text = if on { "PRAGMA secure_delete = ON" } else { "PRAGMA secure_delete = OFF" };
        tx.optional(text, Vec::new()).await?;
    }
    Ok(())
}

/// A SELECT of the texts of a JSON array, each behind `prefix`.
pub(super) fn texts_of(engine: Engine, array: &str, prefix: &str) -> String {
    let (text, from) = match engine {
        Engine::Sqlite => ("value".to_owned(), format!(" FROM json_each({array})")),
        Engine::Postgres => (format!("json_array_elements_text(CAST({array} AS json))"), String::new()),
    };
    if prefix.is_empty() {
        format!("SELECT {text}{from}")
    } else {
        format!("SELECT '{prefix}' || {text}{from}")
    }
}

/// A stored body as text.
pub(super) fn body_as_text(tx: &Tx, column: &str) -> String {
    match tx.engine() {
        Engine::Sqlite => format!("CAST({column} AS TEXT)"),
        Engine::Postgres => format!("convert_from({column}, 'UTF8')"),
    }
}

/// A floating point number as text that loses no bit of it.
pub(super) fn real_as_text(tx: &Tx, column: &str) -> String {
    match tx.engine() {
        // CAST would cut it to 15 digits.
        Engine::Sqlite => format!("format('%!.17g', {column})"),
        Engine::Postgres => format!("CAST({column} AS TEXT)"),
    }
}

/// Every statement of this file that is whole on its own.
pub(super) fn statements(engine: Engine) -> &'static [(&'static str, &'static str)] {
    match engine {
        Engine::Sqlite => &[],
        Engine::Postgres => &[
            ("LOCK_NAME", LOCK_NAME),
            ("INSERT_VERSION", INSERT_VERSION),
            ("REPLACE_VERSION", REPLACE_VERSION),
            ("POSTINGS_OF_BLOCKS", POSTINGS_OF_BLOCKS),
            ("BLOCKS", BLOCKS),
        ],
    }
}
