//! Removing the contents of old events; their leaves stay.

use super::postings;
use crate::args;
use crate::audit::packed::unpack;
use crate::audit::posting::Place;
use crate::audit::purge::{CODE, is_purge};
use crate::audit::terms::{Terms, subtype};
use crate::clock::Micros;
use crate::store::db::{Row, Tx, statements};
use crate::store::{StoreError, dialect, rows};
use std::ops::RangeInclusive;

statements! {
    // Places that had been given out when this checkpoint was signed.
    OLD = "SELECT size FROM audit_checkpoint WHERE at_us < $1 ORDER BY at_us DESC LIMIT 1";
    // Events that were kept when those before them went are few: the purges themselves, and what bears a later time
    // than its neighbours.
    PLAN = "SELECT l.seq FROM audit_event e JOIN audit_leaf l ON l.eid = e.eid \
        WHERE e.eid <= (SELECT m.eid FROM audit_leaf m WHERE m.seq = $2) \
            AND e.recorded_us < $1 AND l.recorded_us < $1 AND l.seq <= $2 \
        ORDER BY e.eid";
    PERMIT = "INSERT INTO audit_purge (before_us, at_us, by_whom) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    BEGIN = "INSERT INTO audit_purging (first_seq, last_seq, event) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    OPEN = "SELECT first_seq, last_seq, event FROM audit_purging ORDER BY first_seq LIMIT 1";
    // Signed: a checkpoint covers the event that says what goes.
    IS_SIGNED = "SELECT 1 FROM audit_leaf l WHERE l.id = $1 \
        AND l.seq < (SELECT c.size FROM audit_checkpoint c ORDER BY c.size DESC LIMIT 1)";
    CONTENTS = "SELECT e.eid, l.seq, l.recorded_us, e.body FROM audit_leaf l JOIN audit_event e ON e.eid = l.eid \
        WHERE l.seq >= $1 AND l.seq <= $2 ORDER BY l.seq";
    END = "DELETE FROM audit_purging WHERE first_seq = $1";
    STATE = "SELECT (SELECT l.recorded_us FROM audit_leaf l WHERE l.id = $1), \
        (SELECT MAX(p.before_us) FROM audit_purge p)";
}

/// A part of a purge that is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The places whose contents go.
    pub places: RangeInclusive<i64>,
    /// Id of the event that says so.
    pub event: String,
}

/// Places that had been given out before `cutoff`, and whose events were recorded before it and are still there, in
/// order; `limit` at most. Purge events are none of them: they say for ever why others are gone.
pub async fn plan(tx: &mut Tx, cutoff: Micros, limit: i64) -> Result<Vec<i64>, StoreError> {
    let Some(row) = tx.optional(OLD, args![cutoff]).await? else { return Ok(Vec::new()) };
    let last = row.int(0)? - 1;
    let purges = postings::places_of(tx, &subtype(CODE), (Micros::MIN, cutoff), last + 1).await?;
    let most = limit.saturating_add(purges.len() as i64);
    let rows = tx.all(rows::first(PLAN, most), args![cutoff, last]).await?;
    let mut places: Vec<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
    places.retain(|place| purges.binary_search(place).is_err());
    places.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    places.sort_unstable();
    Ok(places)
}

/// Lets the database's triggers permit what `event` says: contents recorded before `cutoff` at these places go.
///
/// # Errors
/// [`StoreError::Contended`] when another process was faster.
pub async fn begin(
    tx: &mut Tx,
    cutoff: Micros,
    now: Micros,
    by: &str,
    event: &str,
    places: &[RangeInclusive<i64>],
) -> Result<(), StoreError> {
    tx.execute(PERMIT, args![cutoff, now, by]).await?;
    for range in places {
        if tx.execute(BEGIN, args![*range.start(), *range.end(), event]).await? == 0 {
            return Err(StoreError::Contended("another process purges these events".to_owned()));
        }
    }
    Ok(())
}

/// The first part of a purge that is not done.
pub async fn open(tx: &mut Tx) -> Result<Option<Open>, StoreError> {
    let row = tx.optional(OPEN, args![]).await?;
    row.map(|row| Ok(Open { places: row.int(0)?..=row.int(1)?, event: row.text(2)? })).transpose()
}

/// Whether the event with this id is under a signed checkpoint.
pub async fn is_signed(tx: &mut Tx, event: &str) -> Result<bool, StoreError> {
    Ok(tx.optional(IS_SIGNED, args![event]).await?.is_some())
}

/// Removes the contents of some events of an open part, with their salts and what they are found by, `limit` at most;
/// how many. When none is left, the part is done.
pub async fn remove(tx: &mut Tx, open: &Open, limit: i64) -> Result<usize, StoreError> {
    let (first, last) = (*open.places.start(), *open.places.end());
    let rows = tx.all(rows::first(CONTENTS, limit), args![first, last]).await?;
    let (mut keys, mut events) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in &rows {
        let Some(event) = found_by(row)? else { continue };
        keys.push(row.int(0)?);
        events.push(event);
    }
    if keys.is_empty() {
        tx.execute(END, args![first]).await?;
        return Ok(0);
    }
    dialect::erase(tx, true).await?;
    let known =
        events.iter().flat_map(|(place, terms)| terms.words.iter().map(|word| (word.as_str(), *place)));
    postings::remove(tx, known.collect()).await?;
    rows::delete(tx, "DELETE FROM audit_event WHERE eid", &keys).await?;
    dialect::erase(tx, false).await?;
    Ok(keys.len())
}

/// An event's place and terms; none for what is never removed.
fn found_by(row: &Row) -> Result<Option<(Place, Terms)>, StoreError> {
    let (seq, recorded_us, body) = (row.int(1)?, row.int(2)?, unpack(row.blob(3)?));
    if std::str::from_utf8(&body).is_ok_and(is_purge) {
        return Ok(None);
    }
    Ok(Some(((recorded_us, seq), Terms::of(&body))))
}

/// The place of the newest purge event; none when nothing was purged.
pub async fn last(tx: &mut Tx) -> Result<Option<i64>, StoreError> {
    let newest = postings::newest(tx, &subtype(CODE), Micros::MIN, (Micros::MAX, i64::MAX), 1).await?;
    Ok(newest.first().map(|(_, seq)| *seq))
}

/// Whether the event with this id, which is in the log, was recorded before what purges permit.
pub async fn is_permitted(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    let row = tx.one(STATE, args![id]).await?;
    Ok(row.opt_int(0)?.zip(row.opt_int(1)?).is_some_and(|(recorded_us, before_us)| recorded_us < before_us))
}
