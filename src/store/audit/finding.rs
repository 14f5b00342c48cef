//! What the standing reports found, and how far they have read the log.

use crate::args;
use crate::clock::Micros;
use crate::store::StoreError;
use crate::store::db::{Row, Tx, statements};
use sqlx::AssertSqlSafe;

statements! {
    FOLLOWED = "SELECT seq, holder, until_us FROM audit_follower WHERE name = 'reports'";
    FOLLOW = "UPDATE audit_follower SET seq = $1, holder = $2, until_us = $3 \
        WHERE name = 'reports' AND seq = $4 AND (holder = $2 OR until_us < $5)";
    GROW = "UPDATE audit_finding SET last_seq = $1, last_us = CASE WHEN last_us < $2 THEN $2 ELSE last_us END, \
        count = CASE WHEN $3 = 1 THEN count + $4 WHEN count < $4 THEN $4 ELSE count END \
        WHERE review IS NULL AND id = (SELECT id FROM audit_finding WHERE kind = $5 AND who = $6 AND patient = $7 \
            AND last_us >= $8 AND review IS NULL ORDER BY last_us DESC LIMIT 1)";
    BEGIN = "INSERT INTO audit_finding (id, kind, who, patient, first_seq, last_seq, first_us, last_us, count) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    ONE = "SELECT id, kind, who, patient, first_seq, last_seq, first_us, last_us, count, review \
        FROM audit_finding WHERE id = $1";
    CLOSE = "UPDATE audit_finding SET review = $1 WHERE id = $2 AND review IS NULL";
}

/// How far the reports have come, and who reads on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Every event below this place was taken in.
    pub seq: i64,
    /// The process that reads.
    pub holder: String,
    /// Until when it alone does.
    pub until_us: Micros,
}

/// Something that a report noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The report.
    pub kind: &'static str,
    /// Who it is about, as a word of [`crate::audit::terms`].
    pub who: String,
    /// Logical id of the patient, empty for none alone.
    pub patient: String,
    /// Place and time of the first event.
    pub first: (i64, Micros),
    /// Place and time of the last event.
    pub last: (i64, Micros),
    /// What the report counts.
    pub count: i64,
    /// Whether counts add up; otherwise the largest is kept.
    pub adds: bool,
    /// It belongs to a finding whose last event was at most so long before.
    pub within: Micros,
    /// Whether it is a finding when there is none that it belongs to.
    pub begins: bool,
}

/// What a report found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its id.
    pub id: String,
    /// The report.
    pub kind: String,
    /// Who it is about, as a word of [`crate::audit::terms`].
    pub who: String,
    /// Logical id of the patient, empty for none alone.
    pub patient: String,
    /// Place of the first event.
    pub first_seq: i64,
    /// Place of the last event.
    pub last_seq: i64,
    /// When the first event was recorded.
    pub first_us: Micros,
    /// When the last event was recorded.
    pub last_us: Micros,
    /// What the report counts.
    pub count: i64,
    /// The mark that closed it.
    pub review: Option<String>,
}

/// Which findings are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of one report alone.
    pub kind: Option<String>,
    /// Only reviewed ones, or only others.
    pub reviewed: Option<bool>,
}

/// How far the reports have come.
pub async fn followed(tx: &mut Tx) -> Result<Followed, StoreError> {
    let row = tx.one(FOLLOWED, args![]).await?;
    Ok(Followed { seq: row.int(0)?, holder: row.text(1)?, until_us: row.int(2)? })
}

/// Moves on from `from` to `to`, and keeps others out until `until`; false when another process reads, or moved on.
pub async fn follow(
    tx: &mut Tx,
    holder: &str,
    (from, to): (i64, i64),
    (now, until): (Micros, Micros),
) -> Result<bool, StoreError> {
    Ok(tx.execute(FOLLOW, args![to, holder, until, from, now]).await? == 1)
}

/// Adds a sighting to the finding that it belongs to, or makes one of it, with this id.
pub async fn grow(tx: &mut Tx, id: &str, seen: &Sighting) -> Result<(), StoreError> {
    let adds = i64::from(seen.adds);
    let (last_seq, last_us) = seen.last;
    let (first_seq, first_us) = seen.first;
    let (who, patient) = (seen.who.as_str(), seen.patient.as_str());
    let args = args![last_seq, last_us, adds, seen.count, seen.kind, who, patient, first_us - seen.within];
    if tx.execute(GROW, args).await? == 0 && seen.begins {
        let args = args![id, seen.kind, who, patient, first_seq, last_seq, first_us, last_us, seen.count];
        tx.execute(BEGIN, args).await?;
    }
    Ok(())
}

/// Findings that are wanted, the newest first, behind one (by time and id), `limit` at most.
pub async fn page(
    tx: &mut Tx,
    wanted: &Wanted,
    before: (Micros, &str),
    limit: usize,
) -> Result<Vec<Finding>, StoreError> {
    let mut args = args![before.0, before.1];
    let mut conditions = vec!["(first_us, id) < ($1, $2)".to_owned()];
    if let Some(kind) = &wanted.kind {
        args.push(kind.as_str().into());
        conditions.push("kind = $3".to_owned());
    }
    match wanted.reviewed {
        Some(true) => conditions.push("review IS NOT NULL".to_owned()),
        Some(false) => conditions.push("review IS NULL".to_owned()),
        None => {}
    }
    let text = format!(
        "SELECT id, kind, who, patient, first_seq, last_seq, first_us, last_us, count, review FROM audit_finding \
         WHERE {} ORDER BY first_us DESC, id DESC LIMIT {limit}",
        conditions.join(" AND ")
    );
    tx.all(AssertSqlSafe(text), args).await?.iter().map(read).collect()
}

/// One finding.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Finding>, StoreError> {
    tx.optional(ONE, args![id]).await?.as_ref().map(read).transpose()
}

/// Closes a finding by a mark; false when it is closed.
pub async fn close(tx: &mut Tx, id: &str, review: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(CLOSE, args![review, id]).await? == 1)
}

fn read(row: &Row) -> Result<Finding, StoreError> {
    Ok(Finding {
        id: row.text(0)?,
        kind: row.text(1)?,
        who: row.text(2)?,
        patient: row.text(3)?,
        first_seq: row.int(4)?,
        last_seq: row.int(5)?,
        first_us: row.int(6)?,
        last_us: row.int(7)?,
        count: row.int(8)?,
        review: row.opt_text(9)?,
    })
}
