//! Taking a subscription to deliver for it, and writing down how that went.
//!
//! Whoever takes one has it alone until the lease ends; the fence rises with each taking, and only who has the last
//! one writes down how it went. The events of a notification are chosen when it is taken for the first time and stay
//! the same until they arrived, so every try says the same.

use crate::args;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::dialect::{take_free, texts_of};
use crate::store::{Row, StoreError, Tx};
use sqlx::AssertSqlSafe;

/// What can be delivered at $1: to an endpoint, not paused, and nobody else is at it.
macro_rules! due {
    () => {
        "host <> '' AND until_us <= $1 AND (due_us <= $1 OR heartbeat_us <= $1) \
         AND (status = 'requested' OR (status = 'active' AND paused = 0))"
    };
}

/// What is told of a subscription that was taken.
macro_rules! taken {
    () => {
        "id, rid, generation, status, count, done, batch, seen, tries, due_us, heartbeat_us, failing_us, fence, host, \
         owner"
    };
}

statements! {
    // After a notification arrived: the next begins at once, when there are more events and whoever is at it goes on.
    // What is no longer active keeps the time at which it is due, which is that of another handshake.
    ARRIVED = concat!("UPDATE subscription SET done = batch, tries = 0, failing_us = NULL, warned_us = NULL, \
        error = CASE WHEN status = 'active' THEN '' ELSE error END, \
        due_us = CASE WHEN status <> 'active' THEN due_us WHEN count > batch THEN CAST($3 AS BIGINT) END, \
        until_us = CASE WHEN status = 'active' AND paused = 0 AND count > batch THEN CAST($4 AS BIGINT) ELSE 0 END, \
        batch = CASE WHEN count < batch + most THEN count ELSE batch + most END, seen = count \
        WHERE id = $1 AND fence = $2 RETURNING until_us, ", taken!());
    FAILED = "UPDATE subscription SET tries = tries + 1, failing_us = COALESCE(failing_us, $3), error = $5, until_us = 0, \
        due_us = CASE WHEN status = 'active' THEN CAST($4 AS BIGINT) ELSE due_us END \
        WHERE id = $1 AND fence = $2 AND generation = $6";
    BEAT = "UPDATE subscription SET heartbeat_us = CASE WHEN status = 'active' THEN CAST($3 AS BIGINT) END, \
        until_us = CASE WHEN $4 = 1 THEN until_us ELSE 0 END WHERE id = $1 AND fence = $2 AND generation = $5";
    PUT_OFF = "UPDATE subscription SET due_us = CASE WHEN due_us IS NOT NULL THEN CAST($3 AS BIGINT) END, until_us = 0 \
        WHERE id = $1 AND fence = $2";
    GIVE_BACK = "UPDATE subscription SET until_us = 0 WHERE id = $1 AND fence = $2";
    STARTED = "UPDATE subscription SET due_us = CASE WHEN count > done THEN CAST($3 AS BIGINT) END, tries = 0, \
        failing_us = NULL, warned_us = NULL, heartbeat_us = $4, until_us = 0 WHERE id = $1 AND fence = $2 \
        AND generation = $5";
    STOPPED = "UPDATE subscription SET due_us = NULL, tries = 0, failing_us = NULL, warned_us = NULL, \
        heartbeat_us = NULL, until_us = 0 WHERE id = $1 AND fence = $2 AND generation = $3";
}

/// A subscription that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its logical id.
    pub id: String,
    /// Its key.
    pub rid: i64,
    /// Rises with each change of the resource.
    pub generation: i64,
    /// `requested`: it waits for a handshake. Otherwise `active`.
    pub status: String,
    /// Its last event.
    pub count: i64,
    /// Its last event that arrived.
    pub done: i64,
    /// The last event of the notification that is due.
    pub batch: i64,
    /// How many events there were when that notification was begun.
    pub seen: i64,
    /// How many tries of that notification failed.
    pub tries: i64,
    /// When the notification is due.
    pub due_us: Option<Micros>,
    /// When a heartbeat is due.
    pub heartbeat_us: Option<Micros>,
    /// Since when tries fail.
    pub failing_us: Option<Micros>,
    /// What proves that it was taken by whoever has this.
    pub fence: i64,
    /// Scheme, host and port of the endpoint.
    pub host: String,
    /// Whose it is, as it was stored.
    pub owner: String,
}

fn read(row: &Row, from: usize) -> Result<Claimed, StoreError> {
    Ok(Claimed {
        id: row.text(from)?,
        rid: row.int(from + 1)?,
        generation: row.int(from + 2)?,
        status: row.text(from + 3)?,
        count: row.int(from + 4)?,
        done: row.int(from + 5)?,
        batch: row.int(from + 6)?,
        seen: row.int(from + 7)?,
        tries: row.int(from + 8)?,
        due_us: row.opt_int(from + 9)?,
        heartbeat_us: row.opt_int(from + 10)?,
        failing_us: row.opt_int(from + 11)?,
        fence: row.int(from + 12)?,
        host: row.text(from + 13)?,
        owner: row.text(from + 14)?,
    })
}

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The time.
    pub now: Micros,
    /// Hosts that get nothing now, except a first handshake.
    pub without: Vec<String>,
    /// The most of one host.
    pub of_host: i64,
    /// The most in all.
    pub limit: i64,
    /// Those whose last try failed, or the others.
    pub failing: bool,
}

/// What has been due longest, each with its host and whether it waits for a handshake. Nothing is taken.
pub async fn due(tx: &mut Tx, wanted: &Wanted) -> Result<Vec<(String, String, bool)>, StoreError> {
    let Wanted { now, without, of_host, limit, failing } = wanted;
    let failing = if *failing { "IS NOT NULL" } else { "IS NULL" };
    let text = format!(
        "SELECT id, host, status FROM (SELECT id, host, status, COALESCE(due_us, heartbeat_us) AS since, \
           row_number() OVER (PARTITION BY host ORDER BY COALESCE(due_us, heartbeat_us), id) AS place \
           FROM subscription WHERE {due} AND failing_us {failing} \
           AND (status = 'requested' OR host NOT IN ({without}))) AS waiting \
         WHERE place <= $3 ORDER BY since, id LIMIT $4",
        due = due!(),
        without = texts_of(tx.engine(), "$2", ""),
    );
    let arguments = args![*now, list(without)?, *of_host, *limit];
    let rows = tx.all(AssertSqlSafe(text), arguments).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.text(2)? == "requested"))).collect()
}

/// Takes those of `ids` that are still due and that nobody else has taken, until `lease`. A row that somebody is
/// writing just now is left for the next time: who waits for one while holding others stands in the way of all.
pub async fn claim(
    tx: &mut Tx,
    ids: &[String],
    holder: &str,
    now: Micros,
    lease: Micros,
) -> Result<Vec<Claimed>, StoreError> {
    let text = format!(
        "UPDATE subscription SET holder = $2, fence = fence + 1, until_us = $3, \
         seen = CASE WHEN batch > done THEN seen ELSE count END, \
         batch = CASE WHEN batch > done THEN batch WHEN count < done + most THEN count ELSE done + most END \
         WHERE id IN (SELECT id FROM subscription WHERE {due} AND id IN ({ids}){free}) RETURNING {taken}",
        due = due!(),
        ids = texts_of(tx.engine(), "$4", ""),
        free = take_free(tx.engine()),
        taken = taken!(),
    );
    let rows = tx.all(AssertSqlSafe(text), args![now, holder, lease, list(ids)?]).await?;
    rows.iter().map(|row| read(row, 0)).collect()
}

fn list(texts: &[String]) -> Result<String, StoreError> {
    serde_json::to_string(texts).map_err(|error| StoreError::Other(error.to_string()))
}

/// How something that was taken went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The notification arrived. When there are more events, who has taken it goes on until this time.
    Arrived(Micros),
    /// It did not; when the next try is, and what went wrong.
    Failed(Micros, String),
    /// The host takes nothing now: nothing was tried, and it is due at this time.
    PutOff(Micros),
    /// The heartbeat was sent; the next is due at this time. Whether a notification follows at once.
    Beat(Option<Micros>, bool),
    /// The handshake succeeded; the first heartbeat is due at this time.
    Started(Option<Micros>),
    /// Nothing more is delivered.
    Stopped,
}

/// What became of writing it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It is written down.
    Done,
    /// The same, and the next notification is taken.
    Next(Box<Claimed>),
    /// Somebody else has taken it meanwhile, or its owner changed it: nothing was written down.
    Lost,
}

/// Writes down how it went.
pub async fn finish(
    tx: &mut Tx,
    claimed: &Claimed,
    now: Micros,
    outcome: &Outcome,
) -> Result<Finished, StoreError> {
    let Claimed { fence, generation, .. } = *claimed;
    let id = claimed.id.as_str();
    let changed = match outcome {
        Outcome::Arrived(lease) => {
            let row = tx.optional(ARRIVED, args![id, fence, now, *lease]).await?;
            let Some(row) = row else { return Ok(Finished::Lost) };
            return Ok(if row.int(0)? > now {
                Finished::Next(Box::new(read(&row, 1)?))
            } else {
                Finished::Done
            });
        }
        Outcome::Failed(next, error) => {
            tx.execute(FAILED, args![id, fence, now, *next, error.as_str(), generation]).await?
        }
        Outcome::PutOff(until) => tx.execute(PUT_OFF, args![id, fence, *until]).await?,
        Outcome::Beat(next, goes_on) => {
            tx.execute(BEAT, args![id, fence, *next, i64::from(*goes_on), generation]).await?
        }
        Outcome::Started(heartbeat) => {
            tx.execute(STARTED, args![id, fence, now, *heartbeat, generation]).await?
        }
        Outcome::Stopped => tx.execute(STOPPED, args![id, fence, generation]).await?,
    };
    if changed > 0 {
        return Ok(Finished::Done);
    }
    // Its owner changed it: what is due now is something else, and may begin.
    give_back(tx, claimed).await?;
    Ok(Finished::Lost)
}

/// Lets others take it at once.
pub async fn give_back(tx: &mut Tx, claimed: &Claimed) -> Result<(), StoreError> {
    tx.execute(GIVE_BACK, args![claimed.id.as_str(), claimed.fence]).await.map(drop)
}
