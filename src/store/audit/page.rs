//! Walking the log by one fact at a time, for people who read it page by page.
//!
//! Every step walks a list that an index has in the order of time; which list, its caller chooses. So what a step
//! costs is bounded by its limit, however long the log is.

use crate::args;
use crate::audit::packed::{self, unpack};
use crate::clock::Micros;
use crate::store::db::{Arg, Row, Tx, statements};
use crate::store::{StoreError, rows};
use sqlx::AssertSqlSafe;
use std::fmt::Write as _;

statements! {
    LEAF_OF = "SELECT seq FROM audit_leaf WHERE id = $1";
    MAY_BE_PURGED = "SELECT 1 FROM audit_purge WHERE before_us > $1 LIMIT 1";
    RECORDED = "SELECT recorded_us FROM audit_leaf WHERE seq = $1";
}

/// A list of events that an index has in the order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum List {
    /// Every event.
    All,
    /// With this word, see [`crate::audit::terms`].
    Word(String),
    /// Of this type, which is not `rest`.
    Kind(String),
    /// With this action, one that changes something: `C`, `D` or `U`.
    Change(String),
    /// With this outcome, which is not success.
    Outcome(i64),
}

/// A time and a place, by which pages go on.
pub type Place = (Micros, i64);

/// An event as the index has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// Its place in the log.
    pub seq: i64,
    /// When it was recorded.
    pub recorded_us: Micros,
    /// Code of `type`.
    pub kind: String,
    /// `action`
    pub action: String,
    /// `outcome`
    pub outcome: i64,
    /// For each word that was asked about, whether it has it.
    pub has: Vec<bool>,
}

/// A leaf with its event, for a row of a page.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its place in the log.
    pub seq: i64,
    /// `AuditEvent.id`
    pub id: String,
    /// Canonical JSON; none when it was purged.
    pub body: Option<Vec<u8>>,
}

/// The list's table, its conditions and the arguments of these, which begin with `$1`.
fn source(list: &List) -> (&'static str, &'static str, Vec<Arg>) {
    // The constants say to the engine that the index which has only such rows will do.
    match list {
        List::All => ("audit_index", "", vec![]),
        List::Word(word) => ("audit_term", "c.term = $1 AND ", args![word.as_str()]),
        List::Kind(kind) => ("audit_index", "c.type = $1 AND c.type <> 'rest' AND ", args![kind.as_str()]),
        List::Change(action) => {
            ("audit_index", "c.action = $1 AND c.action IN ('C', 'D', 'U') AND ", args![action.as_str()])
        }
        List::Outcome(outcome) => ("audit_index", "c.outcome = $1 AND c.outcome <> 0 AND ", args![*outcome]),
    }
}

/// A SELECT of the newest places of a list that are before a place and not older than `from`.
fn newest(list: &List, from: Micros, before: Place) -> (String, Vec<Arg>) {
    let (table, condition, mut args) = source(list);
    let at = args.len();
    args.extend(args![from, before.0, before.1]);
    let text = format!(
        "SELECT c.seq AS seq, c.recorded_us AS recorded_us FROM {table} c WHERE {condition}c.recorded_us >= ${} \
         AND (c.recorded_us, c.seq) < (${}, ${}) ORDER BY c.recorded_us DESC, c.seq DESC",
        at + 1,
        at + 2,
        at + 3
    );
    (text, args)
}

/// Where the `count`-th newest event of a list is, before a place and not older than `from`; none when there are fewer.
/// The further back it is, the fewer there are of them.
pub async fn depth(
    tx: &mut Tx,
    list: &List,
    from: Micros,
    before: Place,
    count: usize,
) -> Result<Option<Place>, StoreError> {
    let (text, args) = newest(list, from, before);
    let text = format!("{text} LIMIT 1 OFFSET {}", count.saturating_sub(1));
    let row = tx.optional(AssertSqlSafe(text), args).await?;
    row.map(|row| Ok((row.int(1)?, row.int(0)?))).transpose()
}

/// What [`walk`] asks, for whoever wants to know how an engine goes about it.
pub fn statement(
    list: &List,
    words: &[String],
    from: Micros,
    before: Place,
    limit: usize,
) -> (String, Vec<Arg>) {
    let (text, mut args) = newest(list, from, before);
    let mut has = String::new();
    for word in words {
        args.push(word.as_str().into());
        // Writing to a String can't fail.
        let _ = write!(
            has,
            ", CASE WHEN EXISTS (SELECT 1 FROM audit_term t WHERE t.term = ${} AND t.recorded_us = f.recorded_us \
             AND t.seq = f.seq) THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END",
            args.len()
        );
    }
    let text = format!(
        "SELECT f.seq, f.recorded_us, i.type, i.action, i.outcome{has} FROM ({text} LIMIT {limit}) f \
         JOIN audit_index i ON i.seq = f.seq ORDER BY f.recorded_us DESC, f.seq DESC"
    );
    (text, args)
}

/// The newest events of a list before a place and not older than `from`, `limit` at most, and which of `words` they have.
pub async fn walk(
    tx: &mut Tx,
    list: &List,
    words: &[String],
    from: Micros,
    before: Place,
    limit: usize,
) -> Result<Vec<Indexed>, StoreError> {
    let (text, args) = statement(list, words, from, before, limit);
    let read = |row: &Row| {
        let has = (0..words.len()).map(|place| Ok(row.int(5 + place)? == 1));
        Ok(Indexed {
            seq: row.int(0)?,
            recorded_us: row.int(1)?,
            kind: row.text(2)?,
            action: row.text(3)?,
            outcome: row.int(4)?,
            has: has.collect::<Result<_, StoreError>>()?,
        })
    };
    tx.all(AssertSqlSafe(text), args).await?.iter().map(read).collect()
}

/// The events at these places, in whatever order.
pub async fn listed(tx: &mut Tx, places: &[i64]) -> Result<Vec<Listed>, StoreError> {
    let mut found = Vec::with_capacity(places.len());
    let mut rest = places;
    while !rest.is_empty() {
        let (some, others) = rest.split_at(rows::listed(rest.len()));
        let each: Vec<String> = (1..=some.len()).map(|place| format!("${place}")).collect();
        let text = format!(
            "SELECT l.seq, l.id, e.body FROM audit_leaf l LEFT JOIN audit_event e ON e.eid = l.eid \
             WHERE l.seq IN ({})",
            each.join(", ")
        );
        let args = some.iter().map(|seq| Arg::from(*seq)).collect();
        for row in &tx.all(AssertSqlSafe(text), args).await? {
            found.push(Listed { seq: row.int(0)?, id: row.text(1)?, body: row.opt_blob(2)?.map(unpack) });
        }
        rest = others;
    }
    Ok(found)
}

/// What is known of how long an event is, without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Its place.
    pub seq: i64,
    /// The event's id.
    pub id: String,
    /// When it was recorded.
    pub recorded_us: Micros,
    /// Bytes of its content; none when it was purged.
    pub body: Option<i64>,
}

/// How long the events at these places are, in the order of places.
pub async fn measures(tx: &mut Tx, places: &[i64]) -> Result<Vec<Measure>, StoreError> {
    let mut found = Vec::with_capacity(places.len());
    let mut rest = places;
    while !rest.is_empty() {
        let (some, others) = rest.split_at(rows::listed(rest.len()));
        let each: Vec<String> = (1..=some.len()).map(|place| format!("${place}")).collect();
        let text = format!(
            "SELECT l.seq, l.id, l.recorded_us, CAST(length(e.body) AS BIGINT), \
             substr(e.body, 1, {}) FROM audit_leaf l LEFT JOIN audit_event e ON e.eid = l.eid WHERE l.seq IN ({}) ORDER BY l.seq",
            packed::HEAD,
            each.join(", ")
        );
        let args = some.iter().map(|seq| Arg::from(*seq)).collect();
        for row in &tx.all(AssertSqlSafe(text), args).await? {
            let (id, recorded_us) = (row.text(1)?, row.int(2)?);
            let measured = row.opt_int(3)?.zip(row.opt_blob(4)?);
            let body = measured.map(|(stored, head)| length(&head, stored));
            found.push(Measure { seq: row.int(0)?, id, recorded_us, body });
        }
        rest = others;
    }
    Ok(found)
}

fn length(head: &[u8], stored: i64) -> i64 {
    let length = packed::length(head, usize::try_from(stored).unwrap_or_default());
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The place of the event with this id.
pub async fn leaf_of(tx: &mut Tx, id: &str) -> Result<Option<i64>, StoreError> {
    tx.optional(LEAF_OF, args![id]).await?.map(|row| row.int(0)).transpose()
}

/// Whether contents that were recorded then were lawfully open to deletion.
pub async fn may_be_purged(tx: &mut Tx, recorded_us: Micros) -> Result<bool, StoreError> {
    Ok(tx.optional(MAY_BE_PURGED, args![recorded_us]).await?.is_some())
}

/// When the event at this place was recorded.
pub async fn recorded(tx: &mut Tx, seq: i64) -> Result<Option<Micros>, StoreError> {
    tx.optional(RECORDED, args![seq]).await?.map(|row| row.int(0)).transpose()
}

impl Indexed {
    /// Whether it is of this list, as far as the index's own columns say; of words they say nothing.
    pub fn is_in(&self, list: &List) -> bool {
        match list {
            List::All | List::Word(_) => true,
            List::Kind(kind) => self.kind == *kind,
            List::Change(action) => self.action == *action,
            List::Outcome(outcome) => self.outcome == *outcome,
        }
    }
}
