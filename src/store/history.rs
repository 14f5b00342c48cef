//! Pages of history, newest first.

use super::StoreError;
use super::db::{Tx, statements};
use crate::args;
use crate::clock::Micros;

statements! {
    OF_INSTANCE = "SELECT hid, type, id, vid, method, at_us, body FROM history \
        WHERE rid = (SELECT rid FROM resource WHERE type = $1 AND id = $2) AND hid < $3 AND at_us >= $4 AND at_us <= $5 \
        ORDER BY hid DESC LIMIT $6";
    OF_TYPE = "SELECT hid, type, id, vid, method, at_us, body FROM history \
        WHERE type = $1 AND hid < $2 AND at_us >= $3 AND at_us <= $4 ORDER BY hid DESC LIMIT $5";
    OF_SYSTEM = "SELECT hid, type, id, vid, method, at_us, body FROM history \
        WHERE hid < $1 AND at_us >= $2 AND at_us <= $3 ORDER BY hid DESC LIMIT $4";
}

/// Whose history.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// One resource.
    Instance(&'a str, &'a str),
    /// All resources of a type.
    Type(&'a str),
    /// Everything.
    System,
}

/// Which part of it.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Only entries with a smaller key; `i64::MAX` for the first page.
    pub before: i64,
    /// `_since`, inclusive.
    pub since: Micros,
    /// `_at`/upper bound, inclusive.
    pub until: Micros,
    /// Most entries.
    pub limit: i64,
}

/// One version in a history Bundle.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Key for paging.
    pub hid: i64,
    /// Resource type.
    pub rtype: String,
    /// Logical id.
    pub id: String,
    /// `meta.versionId`.
    pub vid: i64,
    /// POST, PUT, PATCH or DELETE.
    pub method: String,
    /// When it was written.
    pub at_us: Micros,
    /// Canonical JSON; absent for a deletion.
    pub body: Option<Vec<u8>>,
}

/// A page of history, newest first.
pub async fn page(tx: &mut Tx, scope: Scope<'_>, page: Page) -> Result<Vec<Entry>, StoreError> {
    let Page { before, since, until, limit } = page;
    let rows = match scope {
        Scope::Instance(rtype, id) => {
            tx.all(OF_INSTANCE, args![rtype, id, before, since, until, limit]).await?
        }
        Scope::Type(rtype) => tx.all(OF_TYPE, args![rtype, before, since, until, limit]).await?,
        Scope::System => tx.all(OF_SYSTEM, args![before, since, until, limit]).await?,
    };
    rows.iter()
        .map(|row| {
            Ok(Entry {
                hid: row.int(0)?,
                rtype: row.text(1)?,
                id: row.text(2)?,
                vid: row.int(3)?,
                method: row.text(4)?,
                at_us: row.int(5)?,
                body: row.opt_blob(6)?,
            })
        })
        .collect()
}
