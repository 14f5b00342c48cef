//! What was tried: when, how long it took, how it was answered. Never what was sent or said.

use crate::args;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::{Row, StoreError, Tx};

statements! {
    NOTE = "INSERT INTO delivery_attempt (subscription, kind, first, last, try, at_us, took_us, status, error) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    OF = "SELECT aid, kind, first, last, try, at_us, took_us, status, error FROM delivery_attempt \
        WHERE subscription = $1 AND ($2 = 0 OR aid < $2) ORDER BY aid DESC LIMIT $3";
    FORGET = "DELETE FROM delivery_attempt WHERE aid IN (SELECT aid FROM delivery_attempt WHERE at_us < $1 \
        ORDER BY at_us LIMIT 1000)";
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// `handshake`, `heartbeat`, `event-notification` or `test`.
    pub kind: String,
    /// The first event in it; 0: none.
    pub first: i64,
    /// The last event in it; 0: none.
    pub last: i64,
    /// The how manieth try it was, from 1.
    pub tried: i64,
    /// When it began.
    pub at_us: Micros,
    /// How long it took.
    pub took_us: Micros,
    /// HTTP status of the answer; 0: none came.
    pub status: i64,
    /// What went wrong; empty: nothing.
    pub error: String,
}

/// An attempt as it was kept, under its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Rises with time.
    pub number: i64,
    /// How it went.
    pub attempt: Attempt,
}

/// Keeps how an attempt went.
pub async fn note_attempt(tx: &mut Tx, subscription: &str, attempt: &Attempt) -> Result<(), StoreError> {
    let Attempt { kind, first, last, tried, at_us, took_us, status, error } = attempt;
    let arguments =
        args![subscription, kind.as_str(), *first, *last, *tried, *at_us, *took_us, *status, error.as_str()];
    tx.execute(NOTE, arguments).await.map(drop)
}

/// The newest attempts for a subscription; before the one with number `before`, unless that is 0.
pub async fn attempts(
    tx: &mut Tx,
    subscription: &str,
    before: i64,
    limit: i64,
) -> Result<Vec<Noted>, StoreError> {
    tx.all(OF, args![subscription, before, limit]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Noted, StoreError> {
    let attempt = Attempt {
        kind: row.text(1)?,
        first: row.int(2)?,
        last: row.int(3)?,
        tried: row.int(4)?,
        at_us: row.int(5)?,
        took_us: row.int(6)?,
        status: row.int(7)?,
        error: row.text(8)?,
    };
    Ok(Noted { number: row.int(0)?, attempt })
}

/// Forgets some attempts from before `time`; how many.
pub async fn forget_attempts(tx: &mut Tx, time: Micros) -> Result<u64, StoreError> {
    tx.execute(FORGET, args![time]).await
}
