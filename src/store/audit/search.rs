//! Finding events that have their place.
//!
//! The index gives candidates in the order of time; whether one really matches is judged on the event itself.

use super::{page, postings};
use crate::args;
use crate::audit::posting::Place;
use crate::clock::Micros;
use crate::store::db::{Tx, statements};
use crate::store::{StoreError, rows};
use std::collections::HashMap;

statements! {
    LEAF = "SELECT recorded_us, seq FROM audit_leaf WHERE id = $1";
    NEWEST = "SELECT recorded_us, seq FROM audit_index WHERE recorded_us >= $1 \
        AND (recorded_us, seq) < ($2, $3) ORDER BY recorded_us DESC, seq DESC";
    OLDEST = "SELECT recorded_us, seq FROM audit_index WHERE recorded_us < $1 \
        AND (recorded_us, seq) > ($2, $3) ORDER BY recorded_us, seq";
    NEWEST_FAILED = "SELECT recorded_us, seq FROM audit_index WHERE recorded_us >= $1 \
        AND (recorded_us, seq) < ($2, $3) AND outcome <> 0 ORDER BY recorded_us DESC, seq DESC";
    OLDEST_FAILED = "SELECT recorded_us, seq FROM audit_index WHERE recorded_us < $1 \
        AND (recorded_us, seq) > ($2, $3) AND outcome <> 0 ORDER BY recorded_us, seq";
}

/// What candidates have in common.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Words that all are there, see [`crate::audit::terms`]; the first is the one that chooses most.
    pub words: Vec<String>,
    /// `AuditEvent.id`
    pub id: Option<String>,
    /// Recorded at this time or later.
    pub from: Micros,
    /// Recorded before this time.
    pub until: Micros,
    /// Not successes.
    pub failed: bool,
    /// Newest first.
    pub newest_first: bool,
}

/// An event that may match.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its place in the log.
    pub seq: i64,
    /// When it was recorded.
    pub recorded_us: Micros,
    /// `AuditEvent.id`
    pub id: String,
    /// Canonical JSON; none after a lawful purge.
    pub body: Option<Vec<u8>>,
}

/// Some candidates.
#[derive(Clone, Debug)]
pub struct Step {
    /// In their order.
    pub candidates: Vec<Candidate>,
    /// How many events were looked at.
    pub looked_at: usize,
    /// Behind which the next step begins; none when there is nothing more.
    pub next: Option<Place>,
}

/// The candidates among the first `limit` events behind `after` that have the first word.
pub async fn candidates(
    tx: &mut Tx,
    wanted: &Wanted,
    after: Option<Place>,
    limit: usize,
) -> Result<Step, StoreError> {
    let mut places = places(tx, wanted, after, limit).await?;
    let (looked_at, next) = (places.len(), places.last().copied().filter(|_| places.len() == limit));
    for word in wanted.words.iter().skip(1) {
        let having = postings::having(tx, word, &places).await?;
        places.retain(|place| having.contains(place));
    }
    if wanted.failed {
        let failed = page::indexed(tx, &places).await?.into_iter().filter(|event| event.outcome != 0);
        places = failed.map(|event| (event.recorded_us, event.seq)).collect();
    }
    let seqs: Vec<i64> = places.iter().map(|(_, seq)| *seq).collect();
    let listed = page::listed(tx, &seqs).await?.into_iter().map(|listed| (listed.seq, listed));
    let mut listed: HashMap<i64, page::Listed> = listed.collect();
    let candidate = |(recorded_us, seq)| {
        let page::Listed { id, body, .. } = listed.remove(&seq)?;
        Some(Candidate { seq, recorded_us, id, body })
    };
    Ok(Step { candidates: places.into_iter().filter_map(candidate).collect(), looked_at, next })
}

/// The first places behind `after` that are in the period and have the id or the first word, as far as such are wanted.
async fn places(
    tx: &mut Tx,
    wanted: &Wanted,
    after: Option<Place>,
    limit: usize,
) -> Result<Vec<Place>, StoreError> {
    let Wanted { from, until, newest_first, .. } = *wanted;
    // Places are numbers from 0.
    let (behind, before) = (after.unwrap_or((from, -1)), after.unwrap_or((until, -1)));
    if let Some(id) = &wanted.id {
        let row = tx.optional(LEAF, args![id.as_str()]).await?;
        let place = row.map(|row| Ok::<_, StoreError>((row.int(0)?, row.int(1)?))).transpose()?;
        let is_next = |place: &Place| {
            if newest_first { place.0 >= from && *place < before } else { place.0 < until && *place > behind }
        };
        return Ok(place.filter(is_next).into_iter().collect());
    }
    let rows = match (wanted.words.first(), newest_first, wanted.failed) {
        (Some(word), true, _) => return postings::newest(tx, word, from, before, limit).await,
        (Some(word), false, _) => return postings::oldest(tx, word, behind, until, limit).await,
        (None, true, false) => (NEWEST, args![from, before.0, before.1]),
        (None, false, false) => (OLDEST, args![until, behind.0, behind.1]),
        (None, true, true) => (NEWEST_FAILED, args![from, before.0, before.1]),
        (None, false, true) => (OLDEST_FAILED, args![until, behind.0, behind.1]),
    };
    let rows = tx.all(rows::first(rows.0, number(limit)), rows.1).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
}

fn number(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
