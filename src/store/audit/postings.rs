//! The rows by which events are found that share a term, see [`crate::audit::posting`].

use crate::args;
use crate::audit::posting::{self, Place, SPAN};
use crate::clock::Micros;
use crate::store::db::{Arg, Engine, Tx, statements};
use crate::store::gather::{Column, Gathered, gather, int};
use crate::store::{StoreError, rows};
use sqlx::AssertSqlSafe;
use std::collections::{HashMap, HashSet};

statements! {
    NEWEST = "SELECT recorded_us, seq, others FROM audit_term WHERE term = $1 AND recorded_us >= $2 \
        AND (recorded_us, seq) < ($3, $4) ORDER BY recorded_us DESC, seq DESC";
    OLDEST = "SELECT recorded_us, seq, others FROM audit_term WHERE term = $1 AND recorded_us < $2 \
        AND (recorded_us, seq) > ($3, $4) ORDER BY recorded_us, seq";
    WITHIN = "SELECT recorded_us, seq, others FROM audit_term WHERE term = $1 AND recorded_us >= $2 \
        AND recorded_us <= $3";
}

/// How many rows are read first, when it is not known how many events each has.
const FEW: i64 = 64;

/// How many events with a term are read for each that is looked for among them.
pub(super) const NEAR: usize = 4;

/// A term and when an event with it was recorded.
type Known<'t> = (&'t str, Place);

/// Writes what events are found by.
pub async fn write(tx: &mut Tx, mut known: Vec<Known<'_>>) -> Result<(), StoreError> {
    // In the order of the key, what is next to each other is written at once.
    known.sort_unstable();
    let mut lines = Vec::new();
    for same in known.chunk_by(|one, other| one.0 == other.0) {
        let term = same.first().map_or("", |(term, _)| *term);
        let places: Vec<Place> = same.iter().map(|(_, place)| *place).collect();
        lines.extend(posting::rows(&places).filter_map(|row| line(term, row)));
    }
    rows::insert(tx, "INSERT INTO audit_term (term, recorded_us, seq, others)", lines).await
}

fn line(term: &str, row: &[Place]) -> Option<Vec<Arg>> {
    let (recorded_us, seq) = row.last()?;
    Some(args![term, *recorded_us, *seq, posting::others(row)])
}

/// The rows of a SELECT.
async fn gathered(tx: &mut Tx, select: &str, args: Vec<Arg>) -> Result<Gathered<3>, StoreError> {
    gather(tx, select, ["recorded_us", "seq", "others"].map(Column::Value), args).await
}

/// A row's key and places.
fn read([recorded_us, seq, others]: [&str; 3]) -> Result<(Place, Vec<Place>), StoreError> {
    let last = (int(recorded_us)?, int(seq)?);
    let places = posting::places(last, others).map(|places| (last, places));
    let edited = "a row of the audit log's index can't be read; a verification tells where it was edited";
    places.ok_or_else(|| StoreError::Other(edited.to_owned()))
}

/// The newest events with a term before a place and not older than `from`, `limit` at most, the newest first.
pub async fn newest(
    tx: &mut Tx,
    term: &str,
    from: Micros,
    before: Place,
    limit: usize,
) -> Result<Vec<Place>, StoreError> {
    let mut found = Vec::new();
    let (mut behind, mut seen, mut most) = ((before.0.saturating_add(SPAN + 1), i64::MIN), 0, FEW);
    loop {
        let select = format!("{NEWEST} LIMIT {most}");
        let some = gathered(tx, &select, args![term, from, behind.0, behind.1]).await?;
        let mut rows = 0;
        for row in some.rows() {
            let (last, places) = read(row)?;
            (rows, behind) = (rows + 1, last);
            found.extend(places.into_iter().filter(|place| place.0 >= from && *place < before));
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        let last = rows < most;
        // Rows that were not read have nothing behind their key, which is before that of the last one read.
        let settled = found.partition_point(|place| *place >= behind);
        if last || settled >= limit {
            found.truncate(limit);
            return Ok(found);
        }
        seen += most;
        most = next(seen, settled, limit);
    }
}

/// The oldest events with a term behind a place and recorded before `until`, `limit` at most, the oldest first.
pub async fn oldest(
    tx: &mut Tx,
    term: &str,
    after: Place,
    until: Micros,
    limit: usize,
) -> Result<Vec<Place>, StoreError> {
    let mut found = Vec::new();
    let (mut behind, mut seen, mut most) = (after, 0, FEW);
    loop {
        let args = args![term, until.saturating_add(SPAN), behind.0, behind.1];
        let some = gathered(tx, &format!("{OLDEST} LIMIT {most}"), args).await?;
        let mut rows = 0;
        for row in some.rows() {
            let (last, places) = read(row)?;
            (rows, behind) = (rows + 1, last);
            found.extend(places.into_iter().filter(|place| place.0 < until && *place > after));
        }
        found.sort_unstable();
        let last = rows < most;
        // Rows that were not read have nothing that is a moment before their key, which is behind that of the last.
        let settled = found.partition_point(|place| place.0 < behind.0.saturating_sub(SPAN));
        if last || settled >= limit {
            found.truncate(limit);
            return Ok(found);
        }
        seen += most;
        most = next(seen, settled, limit);
    }
}

/// How many rows are read next, when so many had so many of the events that are wanted: a power of two, so that few
/// statements are prepared.
fn next(read: i64, had: usize, wanted: usize) -> i64 {
    let (had, wanted) = (had.max(1) as i64, i64::try_from(wanted).unwrap_or(i64::MAX));
    let rows = (wanted - had).saturating_mul(read) / had;
    rows.clamp(FEW, wanted.max(FEW)).unsigned_abs().next_power_of_two() as i64
}

/// Places below `size` of the events with a term, recorded from `from` to before `until`, in the order of the log.
pub async fn places_of(
    tx: &mut Tx,
    term: &str,
    (from, until): (Micros, Micros),
    size: i64,
) -> Result<Vec<i64>, StoreError> {
    let mut found = Vec::new();
    for row in gathered(tx, WITHIN, args![term, from, until.saturating_add(SPAN)]).await?.rows() {
        let wanted = |place: &Place| (from..until).contains(&place.0) && place.1 < size;
        found.extend(read(row)?.1.into_iter().filter(wanted).map(|(_, seq)| seq));
    }
    found.sort_unstable();
    Ok(found)
}

/// Those of some events that have a term.
pub async fn having(tx: &mut Tx, term: &str, events: &[Place]) -> Result<HashSet<Place>, StoreError> {
    let all: HashSet<&Place> = events.iter().collect();
    let (Some(oldest), Some(newest)) = (events.iter().min(), events.iter().max()) else {
        return Ok(HashSet::new());
    };
    // To read what lies between costs less than to look up each, unless it is much more.
    let many = NEAR * events.len();
    let mut found = self::newest(tx, term, oldest.0, (newest.0, newest.1.saturating_add(1)), many).await?;
    if let Some(last) = found.get(many - 1).copied() {
        let rest: Vec<Place> = events.iter().filter(|place| **place < last).copied().collect();
        found.extend(around(tx, term, &rest).await?.into_values().flatten());
    }
    Ok(found.into_iter().filter(|place| all.contains(place)).collect())
}

/// Takes events out of the rows that they are found by.
pub async fn remove(tx: &mut Tx, mut known: Vec<Known<'_>>) -> Result<(), StoreError> {
    known.sort_unstable();
    let (mut old, mut rest) = (Vec::new(), Vec::new());
    for same in known.chunk_by(|one, other| one.0 == other.0) {
        let term = same.first().map_or("", |(term, _)| *term);
        let gone: Vec<Place> = same.iter().map(|(_, place)| *place).collect();
        for (last, mut places) in around(tx, term, &gone).await? {
            let had = places.len();
            places.retain(|place| gone.binary_search(place).is_err());
            if places.len() < had {
                old.push(args![term, last.0, last.1]);
                rest.extend(places.into_iter().map(|place| (term, place)));
            }
        }
    }
    for some in old.chunks(64) {
        let each = (0..some.len()).map(|at| {
            format!("(term = ${} AND recorded_us = ${} AND seq = ${})", 3 * at + 1, 3 * at + 2, 3 * at + 3)
        });
        let text = format!("DELETE FROM audit_term WHERE {}", each.collect::<Vec<_>>().join(" OR "));
        tx.execute(AssertSqlSafe(text), some.iter().flatten().cloned().collect()).await?;
    }
    write(tx, rest).await
}

/// The rows of a term in which these events can be, by their keys.
async fn around(tx: &mut Tx, term: &str, events: &[Place]) -> Result<HashMap<Place, Vec<Place>>, StoreError> {
    let mut found = HashMap::new();
    let mut rest = events;
    while !rest.is_empty() {
        let (some, others) = rest.split_at(rows::listed(rest.len()));
        let mut args = args![term];
        args.extend(some.iter().map(|place| Arg::from(place.0)));
        let text = statement(tx.engine(), some.len());
        for row in gathered(tx, &text, args).await?.rows() {
            let (last, places) = read(row)?;
            found.insert(last, places);
        }
        rest = others;
    }
    Ok(found)
}

/// What [`having`] asks about so many events, for whoever wants to know how an engine goes about it.
pub fn statement(engine: Engine, events: usize) -> String {
    let each: Vec<String> = (0..events).map(|at| format!("(CAST(${} AS BIGINT))", at + 2)).collect();
    let near = format!("term = $1 AND recorded_us >= f.column1 AND recorded_us <= f.column1 + {SPAN}");
    // Both would rather read the whole table: SQLite is kept from it by the words, PostgreSQL by OFFSET.
    let rows = match engine {
        Engine::Sqlite => format!("audit_term t WHERE {near}"),
        Engine::Postgres => format!("LATERAL (SELECT * FROM audit_term WHERE {near} OFFSET 0) t"),
    };
    format!("SELECT t.recorded_us, t.seq, t.others FROM (VALUES {}) f CROSS JOIN {rows}", each.join(", "))
}
