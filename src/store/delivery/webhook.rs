//! Subscriptions that administrators set up for those who don't speak FHIR: the ones with the tag that says so.

use crate::args;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::{Row, StoreError, Tx};

macro_rules! of_tag {
    () => {
        "SELECT s.id, s.owner, s.status, s.error, s.changed_us, r.body FROM subscription s \
         JOIN resource r ON r.rid = s.rid WHERE s.rid IN (SELECT t.rid FROM idx_token t \
         WHERE t.type = 'Subscription' AND t.param = '_tag' AND t.code = $1 AND t.system = $2) "
    };
}

statements! {
    ALL = concat!(of_tag!(), "AND s.id > $3 ORDER BY s.id LIMIT $4");
    ONE = concat!(of_tag!(), "AND s.id = $3");
}

/// Such a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// Its logical id.
    pub id: String,
    /// Whose it is, as it was stored.
    pub owner: String,
    /// `requested`, `active`, `error` or `off`.
    pub status: String,
    /// What is wrong; empty: nothing.
    pub error: String,
    /// When its status changed last.
    pub changed_us: Micros,
    /// The resource: canonical JSON.
    pub body: Vec<u8>,
}

fn read(row: &Row) -> Result<Tagged, StoreError> {
    Ok(Tagged {
        id: row.text(0)?,
        owner: row.text(1)?,
        status: row.text(2)?,
        error: row.text(3)?,
        changed_us: row.int(4)?,
        body: row.blob(5)?,
    })
}

/// Some of those with a tag (system and code) by id, behind `after`.
pub async fn all_tagged(
    tx: &mut Tx,
    tag: (&str, &str),
    after: &str,
    limit: i64,
) -> Result<Vec<Tagged>, StoreError> {
    let (system, code) = tag;
    tx.all(ALL, args![code, system, after, limit]).await?.iter().map(read).collect()
}

/// The one with this id, if it has the tag.
pub async fn tagged(tx: &mut Tx, tag: (&str, &str), id: &str) -> Result<Option<Tagged>, StoreError> {
    let (system, code) = tag;
    tx.optional(ONE, args![code, system, id]).await?.as_ref().map(read).transpose()
}
