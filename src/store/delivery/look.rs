//! How deliveries go, and what an administrator does about it.

use crate::args;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::{Row, StoreError, Tx};

macro_rules! overview {
    () => {
        "SELECT s.id, s.owner, s.channel, s.status, s.error, s.count, s.done, s.paused, s.host, s.tries, s.due_us, \
         s.failing_us, s.changed_us, (SELECT e.at_us FROM subscription_event w JOIN event_number n ON n.seq = w.seq \
         JOIN event e ON e.eid = n.eid WHERE w.subscription = s.id AND w.number = s.done + 1), \
         (SELECT MAX(a.at_us) FROM delivery_attempt a WHERE a.subscription = s.id) FROM subscription s"
    };
}

statements! {
    ALL = concat!(overview!(), " WHERE s.id > $1 ORDER BY s.id LIMIT $2");
    ONE = concat!(overview!(), " WHERE s.id = $1");
    PAUSE = "UPDATE subscription SET paused = 1 WHERE id = $1 AND paused = 0";
    RESUME = "UPDATE subscription SET paused = 0, due_us = CASE WHEN host <> '' AND status = 'active' AND count > done \
        THEN CAST($2 AS BIGINT) ELSE due_us END WHERE id = $1 AND paused = 1";
    // Whoever is at it now loses it: what it says then counts no more.
    REPLAY = "UPDATE subscription SET done = $2, batch = $2, seen = count, tries = 0, fence = fence + 1, until_us = 0, \
        due_us = CASE WHEN host <> '' AND status = 'active' THEN CAST($3 AS BIGINT) ELSE due_us END \
        WHERE id = $1 AND count >= $2";
    TO_WARN = "UPDATE subscription SET warned_us = $1 WHERE status = 'active' AND warned_us IS NULL AND failing_us <= $2 \
        AND id IN (SELECT id FROM subscription WHERE status = 'active' AND warned_us IS NULL AND failing_us <= $2 \
        ORDER BY failing_us LIMIT 1) RETURNING id, host, failing_us, error";
    UNWARN = "UPDATE subscription SET warned_us = NULL WHERE id = $1 AND warned_us = $2";
}

/// How the deliveries of a subscription go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Its logical id.
    pub id: String,
    /// Whose it is, as it was stored.
    pub owner: String,
    /// Its channel.
    pub channel: String,
    /// `requested`, `active`, `error` or `off`.
    pub status: String,
    /// What is wrong; empty: nothing.
    pub error: String,
    /// Its last event.
    pub count: i64,
    /// Its last event that was delivered.
    pub done: i64,
    /// Whether somebody holds it back.
    pub paused: bool,
    /// Scheme, host and port of the endpoint; empty: by another channel.
    pub host: String,
    /// How many tries of the next notification failed.
    pub tries: i64,
    /// When the next is due.
    pub due_us: Option<Micros>,
    /// Since when tries fail.
    pub failing_us: Option<Micros>,
    /// When it was changed last.
    pub changed_us: Micros,
    /// When the oldest event happened that was not delivered.
    pub oldest_us: Option<Micros>,
    /// When it was tried last.
    pub tried_us: Option<Micros>,
}

fn read(row: &Row) -> Result<Overview, StoreError> {
    Ok(Overview {
        id: row.text(0)?,
        owner: row.text(1)?,
        channel: row.text(2)?,
        status: row.text(3)?,
        error: row.text(4)?,
        count: row.int(5)?,
        done: row.int(6)?,
        paused: row.int(7)? != 0,
        host: row.text(8)?,
        tries: row.int(9)?,
        due_us: row.opt_int(10)?,
        failing_us: row.opt_int(11)?,
        changed_us: row.int(12)?,
        oldest_us: row.opt_int(13)?,
        tried_us: row.opt_int(14)?,
    })
}

/// Some subscriptions by id, behind `after`.
pub async fn overviews(tx: &mut Tx, after: &str, limit: i64) -> Result<Vec<Overview>, StoreError> {
    tx.all(ALL, args![after, limit]).await?.iter().map(read).collect()
}

/// One subscription.
pub async fn look(tx: &mut Tx, id: &str) -> Result<Option<Overview>, StoreError> {
    tx.optional(ONE, args![id]).await?.as_ref().map(read).transpose()
}

/// Holds deliveries back; false when they are already, or there is no such subscription.
pub async fn pause(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(PAUSE, args![id]).await? > 0)
}

/// Delivers again; false when nobody held it back.
pub async fn resume(tx: &mut Tx, id: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.execute(RESUME, args![id, now]).await? > 0)
}

/// Delivers again from the event behind `done`; false when there is none.
pub async fn replay(tx: &mut Tx, id: &str, done: i64, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.execute(REPLAY, args![id, done, now]).await? > 0)
}

/// A subscription about which people are to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warned {
    /// Its logical id.
    pub id: String,
    /// Scheme, host and port of the endpoint.
    pub host: String,
    /// Since when tries fail.
    pub failing_us: Micros,
    /// What went wrong last.
    pub error: String,
}

/// Takes a subscription that has failed since `since` and about which nobody was told.
pub async fn to_warn(tx: &mut Tx, now: Micros, since: Micros) -> Result<Option<Warned>, StoreError> {
    let row = tx.optional(TO_WARN, args![now, since]).await?;
    let read = row.map(|row| {
        Ok(Warned { id: row.text(0)?, host: row.text(1)?, failing_us: row.int(2)?, error: row.text(3)? })
    });
    read.transpose()
}

/// Nobody could be told at `when`.
pub async fn unwarn(tx: &mut Tx, id: &str, when: Micros) -> Result<(), StoreError> {
    tx.execute(UNWARN, args![id, when]).await.map(drop)
}
