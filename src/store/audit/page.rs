//! Walking the log by one fact at a time, for people who read it page by page.
//!
//! Every step walks a list that an index has in the order of time; which list, its caller chooses. So what a step
//! costs is bounded by its limit, however long the log is.

use super::postings;
use crate::args;
use crate::audit::packed::{self, unpack};
use crate::audit::posting::Place;
use crate::clock::Micros;
use crate::store::db::{Arg, Tx, statements};
use crate::store::gather::{Column, gather, int};
use crate::store::{StoreError, rows};
use sqlx::AssertSqlSafe;
use std::collections::{HashMap, HashSet};

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

/// The conditions of a list that a column tells, which come behind `$3`, and their argument.
fn condition(list: &List) -> (&'static str, Option<Arg>) {
    // The constants say to the engine that the index which has only such rows will do.
    match list {
        List::All | List::Word(_) => ("", None),
        List::Kind(kind) => (" AND type = $4 AND type <> 'rest'", Some(kind.as_str().into())),
        List::Change(action) => {
            (" AND action = $4 AND action IN ('C', 'D', 'U')", Some(action.as_str().into()))
        }
        List::Outcome(outcome) => (" AND outcome = $4 AND outcome <> 0", Some((*outcome).into())),
    }
}

/// What is asked for the newest events of a list that a column tells, for whoever wants to know how an engine goes
/// about it. The list's index has all of it by itself.
pub fn statement(list: &List, from: Micros, before: Place) -> (String, Vec<Arg>) {
    let (condition, arg) = condition(list);
    let mut args = args![from, before.0, before.1];
    args.extend(arg);
    let text = format!(
        "SELECT recorded_us, seq FROM audit_index WHERE recorded_us >= $1 AND (recorded_us, seq) < ($2, $3){condition} \
         ORDER BY recorded_us DESC, seq DESC"
    );
    (text, args)
}

/// The newest events of a list before a place and not older than `from`, `limit` at most.
async fn newest(
    tx: &mut Tx,
    list: &List,
    from: Micros,
    before: Place,
    limit: usize,
) -> Result<Vec<Place>, StoreError> {
    if let List::Word(word) = list {
        return postings::newest(tx, word, from, before, limit).await;
    }
    let (text, args) = statement(list, from, before);
    let columns = ["recorded_us", "seq"].map(Column::Value);
    let rows = gather(tx, &format!("{text} LIMIT {limit}"), columns, args).await?;
    rows.rows().map(|[recorded_us, seq]| Ok((int(recorded_us)?, int(seq)?))).collect()
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
    let places = newest(tx, list, from, before, count).await?;
    Ok(places.get(count.saturating_sub(1)).copied())
}

/// Some events of a list.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Where those are that may be in the other lists, the newest first.
    pub places: Vec<Place>,
    /// How many were looked at.
    pub looked_at: usize,
    /// Before which there are more; none when there is nothing more.
    pub next: Option<Place>,
}

/// Looks at the newest events of a list before a place and not older than `from`, `limit` at most, for those that are in
/// all the `others`. Where one of these that a column tells has many more, some may not be in it.
pub async fn walk(
    tx: &mut Tx,
    list: &List,
    others: &[List],
    from: Micros,
    before: Place,
    limit: usize,
) -> Result<Walk, StoreError> {
    let mut places = newest(tx, list, from, before, limit).await?;
    let (looked_at, next) = (places.len(), places.last().copied().filter(|_| places.len() == limit));
    for other in others {
        let having = having(tx, other, &places).await?;
        places.retain(|place| having.contains(place));
    }
    Ok(Walk { places, looked_at, next })
}

/// Those of some events that a list has. Of one that a column tells and that has many more only a part is read, and what
/// is older is kept.
async fn having(tx: &mut Tx, list: &List, events: &[Place]) -> Result<HashSet<Place>, StoreError> {
    if let List::Word(word) = list {
        return postings::having(tx, word, events).await;
    }
    let (Some(oldest), Some(last)) = (events.iter().min(), events.iter().max()) else {
        return Ok(HashSet::new());
    };
    // A power of two, so that few statements are prepared.
    let many = (postings::NEAR * events.len()).next_power_of_two();
    let read = newest(tx, list, oldest.0, (last.0, last.1.saturating_add(1)), many).await?;
    let end = read.last().copied().filter(|_| read.len() == many);
    let had: HashSet<Place> = read.into_iter().collect();
    let kept = events.iter().filter(|place| had.contains(place) || end.is_some_and(|end| **place < end));
    Ok(kept.copied().collect())
}

/// What the index says about the events at these places, in their order.
pub async fn indexed(tx: &mut Tx, places: &[Place]) -> Result<Vec<Indexed>, StoreError> {
    let mut found = HashMap::with_capacity(places.len());
    let mut rest = places;
    while !rest.is_empty() {
        let (some, others) = rest.split_at(rows::listed(rest.len()));
        let each: Vec<String> = (1..=some.len()).map(|place| format!("${place}")).collect();
        let text = format!(
            "SELECT seq, recorded_us, type, action, outcome FROM audit_index WHERE seq IN ({})",
            each.join(", ")
        );
        let args = some.iter().map(|place| Arg::from(place.1)).collect();
        found.extend(gathered(tx, &text, args).await?.into_iter().map(|event| (event.seq, event)));
        rest = others;
    }
    Ok(places.iter().filter_map(|place| found.remove(&place.1)).collect())
}

async fn gathered(tx: &mut Tx, select: &str, args: Vec<Arg>) -> Result<Vec<Indexed>, StoreError> {
    let columns = ["seq", "recorded_us", "type", "action", "outcome"].map(Column::Value);
    let rows = gather(tx, select, columns, args).await?;
    let read = |[seq, recorded_us, kind, action, outcome]: [&str; 5]| {
        Ok(Indexed {
            seq: int(seq)?,
            recorded_us: int(recorded_us)?,
            kind: kind.to_owned(),
            action: action.to_owned(),
            outcome: int(outcome)?,
        })
    };
    rows.rows().map(read).collect()
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
