//! The event log: what happened to the resources of scheduling, in the order in which it was committed.

pub mod keep;
pub mod sequence;

use super::db::{Row, Tx, statements};
use super::{StoreError, rows};
use crate::args;
use crate::clock::Micros;

/// What a SELECT of events gives. The content of a deletion is that of the version before.
macro_rules! event_columns {
    () => {
        "e.rtype, e.rid, e.id, e.vid, e.before_vid, e.topics, e.at_us, h.method, h.body, \
         CASE WHEN h.body IS NULL THEN (SELECT p.body FROM history p WHERE p.rid = e.rid AND p.vid = e.before_vid) END"
    };
}
use event_columns;

statements! {
    OF_SUBSCRIPTION = concat!("SELECT s.number, s.seq, ", event_columns!(), " FROM subscription_event s \
        JOIN event_number n ON n.seq = s.seq JOIN event e ON e.eid = n.eid \
        JOIN history h ON h.rid = e.rid AND h.vid = e.vid \
        WHERE s.subscription = $1 AND s.number BETWEEN $2 AND $3 ORDER BY s.number LIMIT $4");
    AFTER = concat!("SELECT n.seq, n.seq, ", event_columns!(), " FROM event_number n \
        JOIN event e ON e.eid = n.eid JOIN history h ON h.rid = e.rid AND h.vid = e.vid \
        WHERE n.seq > $1 ORDER BY n.seq LIMIT $2");
}

/// Something that happened, about to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Resource type.
    pub rtype: &'static str,
    /// Internal key.
    pub rid: i64,
    /// Logical id.
    pub id: String,
    /// The version that it led to.
    pub vid: i64,
    /// The version before, if there was a resource.
    pub before_vid: Option<i64>,
    /// Codes of the topics that it is an instance of.
    pub topics: Vec<&'static str>,
    /// When.
    pub at_us: Micros,
}

/// Something that happened, with its place in the log.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number: 1, 2, 3, without a gap. 0 as long as it has none.
    pub seq: i64,
    /// Resource type.
    pub rtype: String,
    /// Internal key.
    pub rid: i64,
    /// Logical id.
    pub id: String,
    /// The version that it led to.
    pub vid: i64,
    /// The version before, if there was a resource.
    pub before_vid: Option<i64>,
    /// Codes of the topics that it is an instance of, the most specific first.
    pub topics: Vec<String>,
    /// When.
    pub at_us: Micros,
    /// How the version came to be: POST, PUT, PATCH or DELETE.
    pub method: String,
    /// Canonical JSON of the version; none for a deletion.
    pub body: Option<Vec<u8>>,
    /// For a deletion: canonical JSON of the version before.
    pub before: Option<Vec<u8>>,
}

impl Event {
    /// Whether the resource was deleted.
    pub fn is_deletion(&self) -> bool {
        self.method == "DELETE"
    }

    /// The content by which it is judged who may know of it: of a deletion, that of the version before.
    pub fn content(&self) -> &[u8] {
        self.body.as_deref().or(self.before.as_deref()).unwrap_or_default()
    }

    /// `Type/id`
    pub fn reference(&self) -> String {
        format!("{}/{}", self.rtype, self.id)
    }

    /// Reads the columns of [`event_columns`] from the one at `at` on.
    fn read(row: &Row, seq: i64, at: usize) -> Result<Self, StoreError> {
        Ok(Self {
            seq,
            rtype: row.text(at)?,
            rid: row.int(at + 1)?,
            id: row.text(at + 2)?,
            vid: row.int(at + 3)?,
            before_vid: row.opt_int(at + 4)?,
            topics: row.text(at + 5)?.split_whitespace().map(str::to_owned).collect(),
            at_us: row.int(at + 6)?,
            method: row.text(at + 7)?,
            body: row.opt_blob(at + 8)?,
            before: row.opt_blob(at + 9)?,
        })
    }
}

/// Records what happened, in the transaction in which it happened. The numbers come later.
pub async fn record(tx: &mut Tx, events: &[NewEvent]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let of_event = |event: &NewEvent| {
        let topics = event.topics.join(" ");
        let topics = if topics.is_empty() { topics } else { format!(" {topics} ") };
        args![event.rtype, event.rid, event.id.as_str(), event.vid, event.before_vid, topics, event.at_us]
    };
    let head = "INSERT INTO event (rtype, rid, id, vid, before_vid, topics, at_us)";
    rows::insert(tx, head, events.iter().map(of_event).collect()).await?;
    tx.has_events = true;
    Ok(())
}

/// The events of a subscription with these numbers, both inclusive, `limit` at most, each with its number.
pub async fn of_subscription(
    tx: &mut Tx,
    subscription: &str,
    from: i64,
    until: i64,
    limit: i64,
) -> Result<Vec<(i64, Event)>, StoreError> {
    let rows = tx.all(OF_SUBSCRIPTION, args![subscription, from, until, limit]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, Event::read(row, row.int(1)?, 2)?))).collect()
}

/// The events after one, `limit` at most, in their order.
pub async fn after(tx: &mut Tx, seq: i64, limit: i64) -> Result<Vec<Event>, StoreError> {
    let rows = tx.all(AFTER, args![seq, limit]).await?;
    rows.iter().map(|row| Event::read(row, row.int(0)?, 2)).collect()
}

/// The statements of all files here, by name.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    [STATEMENTS, keep::STATEMENTS, sequence::STATEMENTS].concat()
}
