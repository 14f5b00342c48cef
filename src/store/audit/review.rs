//! Marks of officers, and what is known of who receives data.

use crate::args;
use crate::clock::Micros;
use crate::store::StoreError;
use crate::store::db::{Row, Tx, statements};

statements! {
    INSERT = "INSERT INTO audit_review (id, kind, subject, from_us, until_us, account, at_us, note) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    OF = "SELECT r.id, r.kind, r.subject, r.from_us, r.until_us, r.account, a.username, r.at_us, r.note \
        FROM audit_review r JOIN account a ON a.id = r.account WHERE r.subject = $1 AND r.subject <> '' \
        ORDER BY r.at_us DESC, r.id DESC LIMIT 100";
    PAGE = "SELECT r.id, r.kind, r.subject, r.from_us, r.until_us, r.account, a.username, r.at_us, r.note \
        FROM audit_review r JOIN account a ON a.id = r.account WHERE (r.at_us, r.id) < ($1, $2) \
        ORDER BY r.at_us DESC, r.id DESC LIMIT $3";
    RECIPIENTS = "SELECT recipient, name, address, purpose, counts FROM audit_recipient ORDER BY recipient";
    KEEP_RECIPIENT = "INSERT INTO audit_recipient (recipient, name, address, purpose, counts, changed_us, changed_by) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (recipient) DO UPDATE SET name = excluded.name, \
        address = excluded.address, purpose = excluded.purpose, counts = excluded.counts, \
        changed_us = excluded.changed_us, changed_by = excluded.changed_by";
}

/// A mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its id.
    pub id: String,
    /// `event`, `finding` or `period`.
    pub kind: String,
    /// Id of the event or the finding; empty for a period.
    pub subject: String,
    /// The period, from (inclusive) and until (exclusive).
    pub period: Option<(Micros, Micros)>,
    /// Who made it: id of the account.
    pub account: String,
    /// Their username; empty in what is to be stored.
    pub username: String,
    /// When.
    pub at_us: Micros,
    /// What they say.
    pub note: String,
}

/// Stores a mark.
pub async fn insert(tx: &mut Tx, mark: &Mark) -> Result<(), StoreError> {
    let (from, until) = (mark.period.map(|period| period.0), mark.period.map(|period| period.1));
    let args = args![
        mark.id.as_str(),
        mark.kind.as_str(),
        mark.subject.as_str(),
        from,
        until,
        mark.account.as_str(),
        mark.at_us,
        mark.note.as_str()
    ];
    tx.execute(INSERT, args).await.map(drop)
}

/// The marks of an event or a finding, the newest first.
pub async fn of(tx: &mut Tx, subject: &str) -> Result<Vec<Mark>, StoreError> {
    tx.all(OF, args![subject]).await?.iter().map(read).collect()
}

/// Marks, the newest first, behind one (by time and id), `limit` at most.
pub async fn page(tx: &mut Tx, before: (Micros, &str), limit: i64) -> Result<Vec<Mark>, StoreError> {
    tx.all(PAGE, args![before.0, before.1, limit]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Mark, StoreError> {
    Ok(Mark {
        id: row.text(0)?,
        kind: row.text(1)?,
        subject: row.text(2)?,
        period: row.opt_int(3)?.zip(row.opt_int(4)?),
        account: row.text(5)?,
        username: row.text(6)?,
        at_us: row.int(7)?,
        note: row.text(8)?,
    })
}

/// What an officer said of who receives data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// `client:ID`, or `issuer:URL` of an organisation that vouches for its own people.
    pub recipient: String,
    /// Name of the organisation.
    pub name: String,
    /// Its address.
    pub address: String,
    /// What the data is for.
    pub purpose: String,
    /// Whether what it receives is a disclosure to account for.
    pub counts: bool,
}

/// Everything that was said of recipients.
pub async fn recipients(tx: &mut Tx) -> Result<Vec<Recipient>, StoreError> {
    let read = |row: &Row| {
        Ok(Recipient {
            recipient: row.text(0)?,
            name: row.text(1)?,
            address: row.text(2)?,
            purpose: row.text(3)?,
            counts: row.int(4)? == 1,
        })
    };
    tx.all(RECIPIENTS, args![]).await?.iter().map(read).collect()
}

/// Keeps what is said of a recipient.
pub async fn keep(tx: &mut Tx, said: &Recipient, by: &str, now: Micros) -> Result<(), StoreError> {
    let Recipient { recipient, name, address, purpose, counts } = said;
    let counts = i64::from(*counts);
    let args = args![recipient.as_str(), name.as_str(), address.as_str(), purpose.as_str(), counts, now, by];
    tx.execute(KEEP_RECIPIENT, args).await.map(drop)
}
