//! Finding events that have their place.
//!
//! The index gives candidates in the order of time; whether one really matches is judged on the event itself.

use crate::args;
use crate::audit::packed::unpack;
use crate::clock::Micros;
use crate::store::StoreError;
use crate::store::db::{Arg, Row, Tx};
use sqlx::AssertSqlSafe;

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

/// The first candidates behind `after` (a time and a place), `limit` at most.
pub async fn candidates(
    tx: &mut Tx,
    wanted: &Wanted,
    after: Option<(Micros, i64)>,
    limit: usize,
) -> Result<Vec<Candidate>, StoreError> {
    let (text, args) = statement(wanted, after, limit);
    tx.all(AssertSqlSafe(text), args).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Candidate, StoreError> {
    let body = row.opt_blob(3)?.map(unpack);
    Ok(Candidate { seq: row.int(0)?, recorded_us: row.int(1)?, id: row.text(2)?, body })
}

fn statement(wanted: &Wanted, after: Option<(Micros, i64)>, limit: usize) -> (String, Vec<Arg>) {
    let mut args: Vec<Arg> = args![wanted.from, wanted.until];
    let mut place = |arg: Arg| {
        args.push(arg);
        format!("${}", args.len())
    };
    let (order, behind) = if wanted.newest_first { ("DESC", "<") } else { ("ASC", ">") };
    let mut filter = vec!["c.recorded_us >= $1 AND c.recorded_us < $2".to_owned()];
    let mut words = wanted.words.iter();
    let from = match words.next() {
        Some(word) => {
            filter.push(format!("c.term = {}", place(word.as_str().into())));
            "audit_term"
        }
        None => "audit_index",
    };
    for word in words {
        let word = place(word.as_str().into());
        filter.push(format!(
            "EXISTS (SELECT 1 FROM audit_term t WHERE t.term = {word} \
             AND t.recorded_us = c.recorded_us AND t.seq = c.seq)"
        ));
    }
    if wanted.failed {
        filter.push(match from {
            "audit_index" => "c.outcome <> 0".to_owned(),
            _ => "EXISTS (SELECT 1 FROM audit_index i WHERE i.seq = c.seq AND i.outcome <> 0)".to_owned(),
        });
    }
    if let Some(id) = &wanted.id {
        let id = place(id.as_str().into());
        filter.push(format!("c.seq = (SELECT seq FROM audit_leaf WHERE id = {id})"));
    }
    if let Some((recorded_us, seq)) = after {
        let (recorded_us, seq) = (place(recorded_us.into()), place(seq.into()));
        filter.push(format!("(c.recorded_us, c.seq) {behind} ({recorded_us}, {seq})"));
    }
    let text = format!(
        "SELECT f.seq, f.recorded_us, l.id, e.body FROM \
         (SELECT c.seq AS seq, c.recorded_us AS recorded_us FROM {from} c WHERE {} \
         ORDER BY c.recorded_us {order}, c.seq {order} LIMIT {limit}) f \
         JOIN audit_leaf l ON l.seq = f.seq LEFT JOIN audit_event e ON e.eid = l.eid \
         ORDER BY f.recorded_us {order}, f.seq {order}",
        filter.join(" AND ")
    );
    (text, args)
}
