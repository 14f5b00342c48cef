//! Emergencies: declared, ended, reviewed. Nothing else happens to them; triggers see to that.

use super::db::{Row, Tx, statements};
use super::{StoreError, dialect};
use crate::args;
use crate::auth::emergency::{Emergency, Purpose};
use crate::clock::Micros;

statements! {
    INSERT = "INSERT INTO emergency (id, account, patient, purpose, reason, began_us, until_us) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    RUNNING = "SELECT id, patient, purpose, until_us FROM emergency \
        WHERE account = $1 AND ended_us IS NULL AND until_us > $2";
    END = "UPDATE emergency SET ended_us = CASE WHEN until_us < $1 THEN until_us ELSE $1 END, \
        ended_how = CASE WHEN until_us <= $1 THEN 'time' ELSE $2 END WHERE account = $3 AND ended_us IS NULL";
    END_RUNNING = "UPDATE emergency SET ended_us = $1, ended_how = 'early' \
        WHERE account = $2 AND ended_us IS NULL AND until_us > $1";
    OPEN = "SELECT e.id, e.account, a.username, a.name, e.patient, e.purpose, e.reason, e.began_us, e.until_us, \
        e.ended_us, e.ended_how, e.reviewed_us, r.username, e.finding, e.note FROM emergency e \
        JOIN account a ON a.id = e.account LEFT JOIN account r ON r.id = e.reviewed_by \
        WHERE e.reviewed_us IS NULL ORDER BY e.began_us, e.id LIMIT $1";
    REVIEWED = "SELECT e.id, e.account, a.username, a.name, e.patient, e.purpose, e.reason, e.began_us, e.until_us, \
        e.ended_us, e.ended_how, e.reviewed_us, r.username, e.finding, e.note FROM emergency e \
        JOIN account a ON a.id = e.account LEFT JOIN account r ON r.id = e.reviewed_by \
        WHERE e.reviewed_us IS NOT NULL AND (e.began_us < $1 OR (e.began_us = $1 AND e.id < $2)) \
        ORDER BY e.began_us DESC, e.id DESC LIMIT $3";
    ONE = "SELECT e.id, e.account, a.username, a.name, e.patient, e.purpose, e.reason, e.began_us, e.until_us, \
        e.ended_us, e.ended_how, e.reviewed_us, r.username, e.finding, e.note FROM emergency e \
        JOIN account a ON a.id = e.account LEFT JOIN account r ON r.id = e.reviewed_by WHERE e.id = $1";
    REVIEW = "UPDATE emergency SET reviewed_us = $1, reviewed_by = $2, finding = $3, note = $4 \
        WHERE id = $5 AND reviewed_us IS NULL";
}

/// An emergency as the review queue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its id.
    pub id: String,
    /// The account that declared it.
    pub account: String,
    /// Their username.
    pub username: String,
    /// As people call them.
    pub name: String,
    /// Logical id of the one Patient.
    pub patient: String,
    /// [`Purpose::code`].
    pub purpose: String,
    /// Why, in their own words.
    pub reason: String,
    /// When it began.
    pub began_us: Micros,
    /// When it ends or ended at the latest.
    pub until_us: Micros,
    /// When it was ended, if it was.
    pub ended_us: Option<Micros>,
    /// How: `early`, `another` or `time`.
    pub ended_how: Option<String>,
    /// The review, if there was one.
    pub review: Option<Reviewed>,
}

/// A review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    /// When.
    pub at_us: Micros,
    /// Username of whoever reviewed it.
    pub by: String,
    /// [`crate::auth::emergency::Finding::code`].
    pub finding: String,
    /// What they noted.
    pub note: String,
}

/// Stores an emergency that begins now. The caller has ended the former one of the account.
pub async fn insert(
    tx: &mut Tx,
    emergency: &Emergency,
    account: &str,
    reason: &str,
    now: Micros,
) -> Result<(), StoreError> {
    let Emergency { id, patient, purpose, until } = emergency;
    let args = args![id.as_str(), account, patient.as_str(), purpose.code(), reason, now, *until];
    tx.execute(INSERT, args).await.map(drop)
}

/// Makes declarations of one account run one after the other.
pub async fn lock(tx: &mut Tx, account: &str) -> Result<(), StoreError> {
    dialect::lock_name(tx, &format!("emergency/{account}")).await
}

/// The emergency that is running for an account.
pub async fn running(tx: &mut Tx, account: &str, now: Micros) -> Result<Option<Emergency>, StoreError> {
    let row = tx.optional(RUNNING, args![account, now]).await?;
    row.map_or(Ok(None), |row| emergency(&row, 0))
}

/// The emergency in four columns of a row, id, patient, purpose and end, the first of which is `column`; none
/// where they are NULL.
pub(super) fn emergency(row: &Row, column: usize) -> Result<Option<Emergency>, StoreError> {
    let Some(id) = row.opt_text(column)? else { return Ok(None) };
    let Some(purpose) = Purpose::from_code(&row.text(column + 2)?) else { return Ok(None) };
    Ok(Some(Emergency { id, patient: row.text(column + 1)?, purpose, until: row.int(column + 3)? }))
}

/// Ends the former emergency of an account because another begins.
pub async fn supersede(tx: &mut Tx, account: &str, now: Micros) -> Result<(), StoreError> {
    tx.execute(END, args![now, "another", account]).await.map(drop)
}

/// Ends the running emergency of an account early; false when none is running.
pub async fn end_early(tx: &mut Tx, account: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.execute(END_RUNNING, args![now, account]).await? > 0)
}

/// Emergencies that nobody reviewed, the oldest first.
pub async fn open(tx: &mut Tx, limit: i64) -> Result<Vec<Declared>, StoreError> {
    tx.all(OPEN, args![limit]).await?.iter().map(declared).collect()
}

/// Reviewed emergencies that began before this one (by time and id), the newest first.
pub async fn reviewed(tx: &mut Tx, before: (Micros, &str), limit: i64) -> Result<Vec<Declared>, StoreError> {
    tx.all(REVIEWED, args![before.0, before.1, limit]).await?.iter().map(declared).collect()
}

/// One emergency.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Declared>, StoreError> {
    tx.optional(ONE, args![id]).await?.as_ref().map(declared).transpose()
}

/// Adds the review; false when there is no such emergency, or it has one.
pub async fn review(
    tx: &mut Tx,
    id: &str,
    by: &str,
    finding: &str,
    note: &str,
    now: Micros,
) -> Result<bool, StoreError> {
    Ok(tx.execute(REVIEW, args![now, by, finding, note, id]).await? > 0)
}

fn declared(row: &Row) -> Result<Declared, StoreError> {
    let review = match row.opt_int(11)? {
        None => None,
        Some(at_us) => Some(Reviewed {
            at_us,
            by: row.opt_text(12)?.unwrap_or_default(),
            finding: row.opt_text(13)?.unwrap_or_default(),
            note: row.opt_text(14)?.unwrap_or_default(),
        }),
    };
    Ok(Declared {
        id: row.text(0)?,
        account: row.text(1)?,
        username: row.text(2)?,
        name: row.text(3)?,
        patient: row.text(4)?,
        purpose: row.text(5)?,
        reason: row.text(6)?,
        began_us: row.int(7)?,
        until_us: row.int(8)?,
        ended_us: row.opt_int(9)?,
        ended_how: row.opt_text(10)?,
        review,
    })
}
