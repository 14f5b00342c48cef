//! Subscriptions: what is not in the resource. Delivery keeps its own columns of these rows.

use super::StoreError;
use super::db::{Row, Tx, statements};
use crate::args;
use crate::clock::Micros;

statements! {
    INSERT = "INSERT INTO subscription (id, rid, owner, channel, status, ends_us, due_us, changed_us, host, most, \
        subscriber, older) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, \
        (SELECT COALESCE(string_agg(CAST(eid AS TEXT), ' '), '') FROM event_pending))";
    // What was begun before is not written down any more, and goes on with the events that were chosen for it.
    CHANGE = "UPDATE subscription SET channel = $1, status = $2, error = '', ends_us = $3, due_us = $4, changed_us = $5, \
        host = $6, most = $7, generation = generation + 1, fence = fence + 1, until_us = 0, tries = 0, failing_us = NULL, \
        warned_us = NULL, heartbeat_us = $8 WHERE id = $9";
    SET_STATUS = "UPDATE subscription SET status = $1, error = $2, changed_us = $3 WHERE id = $4 AND status = $5";
    SWITCH_OFF = "UPDATE subscription SET due_us = NULL, heartbeat_us = NULL WHERE id = $1";
    FIND = "SELECT s.id, s.rid, s.owner, s.channel, s.status, s.error, s.generation, s.count, s.done, s.ends_us, \
        s.paused, s.changed_us, r.body, s.subscriber, s.older FROM subscription s JOIN resource r ON r.rid = s.rid WHERE s.id = $1";
    LIVE = "SELECT s.id, s.rid, s.owner, s.channel, s.status, s.error, s.generation, s.count, s.done, s.ends_us, \
        s.paused, s.changed_us, r.body, s.subscriber, s.older FROM subscription s JOIN resource r ON r.rid = s.rid \
        WHERE s.status <> 'off' AND s.id > $1 ORDER BY s.id LIMIT $2";
    OWNERS = "SELECT DISTINCT owner FROM subscription WHERE status <> 'off' ORDER BY owner";
    OF_OWNER = "SELECT id FROM subscription WHERE owner = $1 AND status <> 'off' ORDER BY id";
    ENDED = "SELECT id FROM subscription WHERE status <> 'off' AND ends_us IS NOT NULL AND ends_us <= $1 \
        ORDER BY ends_us, id LIMIT 100";
    OF_SUBSCRIBER = "SELECT id FROM subscription WHERE subscriber = $1 AND status <> 'off' AND channel = 'websocket' \
        ORDER BY id LIMIT 200";
    COUNT_OF = "SELECT COUNT(*) FROM subscription WHERE subscriber = $1";
    STATE = "SELECT seq FROM subscription_state";
    REMOVE = "DELETE FROM subscription WHERE id = $1";
    REMOVE_EVENTS = "DELETE FROM subscription_event WHERE subscription = $1";
    REMOVE_SECRETS = "DELETE FROM subscription_secret WHERE subscription = $1";
    REMOVE_ATTEMPTS = "DELETE FROM delivery_attempt WHERE subscription = $1";
}

/// Subscriptions read by one statement.
const PAGE: i64 = 500;

/// A subscription that is or was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Logical id.
    pub id: String,
    /// Internal key of the resource.
    pub rid: i64,
    /// The access of whoever asked for it, as JSON.
    pub owner: String,
    /// Their name, as resources are tagged with it.
    pub subscriber: String,
    /// `rest-hook`, `websocket` or `server-sent-events`.
    pub channel: String,
    /// `requested`, `active`, `error` or `off`.
    pub status: String,
    /// What is wrong; empty: nothing.
    pub error: String,
    /// Rises with each change by its owner.
    pub generation: i64,
    /// The number of its last event.
    pub count: i64,
    /// Every event up to this number was delivered.
    pub done: i64,
    /// From then on it is off.
    pub ends_us: Option<Micros>,
    /// Whether an administrator holds deliveries back.
    pub paused: bool,
    /// When its status changed last.
    pub changed_us: Micros,
    /// Internal keys of events that had no number when it was made: they are none of its events.
    pub older: Vec<i64>,
    /// The resource: canonical JSON.
    pub body: Vec<u8>,
}

/// What is kept of a subscription besides the resource.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// Logical id.
    pub id: &'a str,
    /// `rest-hook`, `websocket` or `server-sent-events`.
    pub channel: &'a str,
    /// `requested`, `active`, `error` or `off`.
    pub status: &'a str,
    /// From then on it is off.
    pub ends_us: Option<Micros>,
    /// When there is something to send; absent: nothing is.
    pub due_us: Option<Micros>,
    /// Scheme, host and port that notifications are sent to; empty: they are fetched.
    pub host: &'a str,
    /// The most events of one notification.
    pub most: u32,
    /// When a heartbeat is due.
    pub heartbeat_us: Option<Micros>,
}

/// Whose a subscription is.
#[derive(Clone, Debug)]
pub struct Whose {
    /// Their access, as JSON.
    pub owner: String,
    /// Their name, as resources are tagged with it.
    pub subscriber: String,
}

/// Keeps a new subscription.
pub async fn insert(
    tx: &mut Tx,
    kept: Kept<'_>,
    rid: i64,
    whose: &Whose,
    now: Micros,
) -> Result<(), StoreError> {
    let args = args![
        kept.id,
        rid,
        whose.owner.as_str(),
        kept.channel,
        kept.status,
        kept.ends_us,
        kept.due_us,
        now,
        kept.host,
        i64::from(kept.most),
        whose.subscriber.as_str()
    ];
    tx.execute(INSERT, args).await.map(drop)
}

/// Keeps what its owner changed; how tries went so far is forgotten.
pub async fn change(tx: &mut Tx, kept: Kept<'_>, now: Micros) -> Result<(), StoreError> {
    let args = args![
        kept.channel,
        kept.status,
        kept.ends_us,
        kept.due_us,
        now,
        kept.host,
        i64::from(kept.most),
        kept.heartbeat_us,
        kept.id
    ];
    tx.execute(CHANGE, args).await.map(drop)
}

/// Notes a status that the server gives; false when the status is not `from` any more. One that is off has nothing due.
pub async fn set_status(
    tx: &mut Tx,
    id: &str,
    from: &str,
    to: &str,
    error: &str,
    now: Micros,
) -> Result<bool, StoreError> {
    let changed = tx.execute(SET_STATUS, args![to, error, now, id, from]).await? > 0;
    if changed && to == "off" {
        tx.execute(SWITCH_OFF, args![id]).await?;
    }
    Ok(changed)
}

/// A subscription with its resource.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Subscription>, StoreError> {
    tx.optional(FIND, args![id]).await?.as_ref().map(subscription).transpose()
}

/// All that are not off, and the number of the last change that they take into account. In a transaction or a snapshot
/// they are of one state.
pub async fn live(tx: &mut Tx) -> Result<(i64, Vec<Subscription>), StoreError> {
    let state = state(tx).await?;
    let mut all: Vec<Subscription> = Vec::new();
    loop {
        let behind = all.last().map(|last| last.id.clone()).unwrap_or_default();
        let rows = tx.all(LIVE, args![behind, PAGE]).await?;
        if rows.is_empty() {
            return Ok((state, all));
        }
        for row in &rows {
            all.push(subscription(row)?);
        }
    }
}

/// Some of those whose time is over and that are not off yet.
pub async fn ended(tx: &mut Tx, now: Micros) -> Result<Vec<String>, StoreError> {
    tx.all(ENDED, args![now]).await?.iter().map(|row| row.text(0)).collect()
}

/// Some of a subscriber's that a WebSocket can be bound to.
pub async fn of_subscriber(tx: &mut Tx, subscriber: &str) -> Result<Vec<String>, StoreError> {
    tx.all(OF_SUBSCRIBER, args![subscriber]).await?.iter().map(|row| row.text(0)).collect()
}

/// How many subscriptions there are of one subscriber.
pub async fn count_of(tx: &mut Tx, subscriber: &str) -> Result<i64, StoreError> {
    tx.one(COUNT_OF, args![subscriber]).await?.int(0)
}

/// Whose subscriptions there are that are not off.
pub async fn owners(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    tx.all(OWNERS, args![]).await?.iter().map(|row| row.text(0)).collect()
}

/// The subscriptions of one owner that are not off.
pub async fn of_owner(tx: &mut Tx, owner: &str) -> Result<Vec<String>, StoreError> {
    tx.all(OF_OWNER, args![owner]).await?.iter().map(|row| row.text(0)).collect()
}

/// Rises with every change of what is subscribed to.
pub async fn state(tx: &mut Tx) -> Result<i64, StoreError> {
    tx.one(STATE, args![]).await?.int(0)
}

/// Removes a subscription, its events, its secrets and what was tried.
pub async fn remove(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    for statement in [REMOVE, REMOVE_EVENTS, REMOVE_SECRETS, REMOVE_ATTEMPTS] {
        tx.execute(statement, args![id]).await?;
    }
    Ok(())
}

fn subscription(row: &Row) -> Result<Subscription, StoreError> {
    Ok(Subscription {
        id: row.text(0)?,
        rid: row.int(1)?,
        owner: row.text(2)?,
        channel: row.text(3)?,
        status: row.text(4)?,
        error: row.text(5)?,
        generation: row.int(6)?,
        count: row.int(7)?,
        done: row.int(8)?,
        ends_us: row.opt_int(9)?,
        paused: row.int(10)? != 0,
        changed_us: row.int(11)?,
        body: row.blob(12)?,
        subscriber: row.text(13)?,
        older: row.text(14)?.split(' ').filter_map(|eid| eid.parse().ok()).collect(),
    })
}
