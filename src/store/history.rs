//! Pages of history, newest first.

use super::db::{Row, Tx, statements};
use super::search::keeps;
use super::{StoreError, visible};
use crate::args;
use crate::auth::SearchPermit;
use crate::clock::Micros;
use crate::fhir::registry::{TYPES, resource_type};
use crate::fhir::search::SearchQuery;

statements! {
    OF_INSTANCE = "SELECT hid, type, id, vid, method, at_us, body FROM history \
        WHERE rid = (SELECT rid FROM resource WHERE type = $1 AND id = $2) AND hid < $3 AND at_us >= $4 AND at_us <= $5 \
        ORDER BY hid DESC LIMIT $6";
    OF_TYPE = "SELECT hid, type, id, vid, method, at_us, body FROM history \
        WHERE type = $1 AND hid < $2 AND at_us >= $3 AND at_us <= $4 ORDER BY hid DESC LIMIT $5";
    OF_SYSTEM = "SELECT hid, type, id, vid, method, at_us, body FROM history \
        WHERE hid < $1 AND at_us >= $2 AND at_us <= $3 ORDER BY hid DESC LIMIT $4";
    // The same with what a filter is judged by: the internal key, and the content before a deletion.
    OF_INSTANCE_JUDGED = "SELECT h.hid, h.type, h.id, h.vid, h.method, h.at_us, h.body, h.rid, COALESCE(h.body, \
        (SELECT p.body FROM history p WHERE p.rid = h.rid AND p.vid = h.vid - 1)) FROM history h \
        WHERE h.rid = (SELECT rid FROM resource WHERE type = $1 AND id = $2) AND h.hid < $3 AND h.at_us >= $4 \
        AND h.at_us <= $5 ORDER BY h.hid DESC LIMIT $6";
    OF_TYPE_JUDGED = "SELECT h.hid, h.type, h.id, h.vid, h.method, h.at_us, h.body, h.rid, COALESCE(h.body, \
        (SELECT p.body FROM history p WHERE p.rid = h.rid AND p.vid = h.vid - 1)) FROM history h \
        WHERE h.type = $1 AND h.hid < $2 AND h.at_us >= $3 AND h.at_us <= $4 ORDER BY h.hid DESC LIMIT $5";
    OF_SYSTEM_JUDGED = "SELECT h.hid, h.type, h.id, h.vid, h.method, h.at_us, h.body, h.rid, COALESCE(h.body, \
        (SELECT p.body FROM history p WHERE p.rid = h.rid AND p.vid = h.vid - 1)) FROM history h \
        WHERE h.hid < $1 AND h.at_us >= $2 AND h.at_us <= $3 ORDER BY h.hid DESC LIMIT $4";
    // Deletions of a type in a period, of what was not there again at its end, with the content before.
    DELETIONS = "SELECT h.hid, h.id, h.rid, (SELECT p.body FROM history p WHERE p.rid = h.rid AND p.vid = h.vid - 1) \
        FROM history h WHERE h.type = $1 AND h.method = 'DELETE' AND h.at_us >= $2 AND h.at_us <= $3 \
        AND h.hid > $4 AND h.hid <= $5 AND NOT EXISTS (SELECT 1 FROM history l WHERE l.rid = h.rid \
        AND l.vid > h.vid AND l.at_us <= $3) ORDER BY h.hid LIMIT $6";
}

/// Versions judged by one statement, and the most for one page: whoever may see little of much gets short
/// pages with a link to the rest, not a long wait.
const CHUNK: i64 = 200;
const MOST_JUDGED: usize = 2_000;

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
    pub count: usize,
}

/// A page.
#[derive(Debug)]
pub struct Found {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// Key of the last version looked at, when there are more behind it.
    pub next: Option<i64>,
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

/// A page of history, newest first, of the versions within the permits.
pub async fn page(
    tx: &mut Tx,
    permits: &SearchPermit,
    scope: Scope<'_>,
    page: Page,
) -> Result<Found, StoreError> {
    let plain = match scope {
        Scope::Instance(rtype, _) | Scope::Type(rtype) => permits.is_plain(rtype),
        Scope::System => TYPES.iter().all(|rt| permits.is_plain(rt.name)),
    };
    if !plain {
        return judged(tx, permits, scope, page).await;
    }
    let limit = i64::try_from(page.count).unwrap_or(i64::MAX - 1) + 1;
    let rows = rows(tx, scope, page, limit, false).await?;
    let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let more = entries.len() > page.count;
    entries.truncate(page.count);
    let next = entries.last().filter(|_| more).map(|entry| entry.hid);
    Ok(Found { entries, next })
}

/// A part of the deletions of a type.
#[derive(Clone, Copy, Debug)]
pub struct Deletions {
    /// At this time or later.
    pub since: Micros,
    /// At this time or before, and not created again until then.
    pub until: Micros,
    /// Only keys above this one.
    pub after: i64,
    /// Only keys up to this one.
    pub last: i64,
    /// The most that are looked at.
    pub limit: i64,
}

/// Keys and logical ids of what was deleted, as far as its last content satisfies the conditions of `query` and may be
/// seen, and the key behind which there may be more.
pub async fn deletions(
    tx: &mut Tx,
    permits: &SearchPermit,
    query: &SearchQuery,
    part: Deletions,
) -> Result<(Vec<(i64, String)>, Option<i64>), StoreError> {
    let [rtype] = query.types.as_slice() else { return Ok((Vec::new(), None)) };
    let Deletions { since, until, after, last, limit } = part;
    let rows = tx.all(DELETIONS, args![rtype.name, since, until, after, last, limit]).await?;
    let mut found = Vec::new();
    for row in &rows {
        let Some(body) = row.opt_blob(3)? else { continue };
        if keeps(tx, permits, rtype, &query.conditions, (row.int(2)?, &body), until).await? {
            found.push((row.int(0)?, row.text(1)?));
        }
    }
    let more = rows.last().filter(|_| rows.len() as i64 == limit);
    Ok((found, more.map(|row| row.int(0)).transpose()?))
}

async fn rows(
    tx: &mut Tx,
    scope: Scope<'_>,
    page: Page,
    limit: i64,
    judged: bool,
) -> Result<Vec<Row>, StoreError> {
    let Page { before, since, until, .. } = page;
    let (args, plain, with_content) = match scope {
        Scope::Instance(rtype, id) => {
            (args![rtype, id, before, since, until, limit], OF_INSTANCE, OF_INSTANCE_JUDGED)
        }
        Scope::Type(rtype) => (args![rtype, before, since, until, limit], OF_TYPE, OF_TYPE_JUDGED),
        Scope::System => (args![before, since, until, limit], OF_SYSTEM, OF_SYSTEM_JUDGED),
    };
    tx.all(if judged { with_content } else { plain }, args).await
}

fn entry(row: &Row) -> Result<Entry, StoreError> {
    Ok(Entry {
        hid: row.int(0)?,
        rtype: row.text(1)?,
        id: row.text(2)?,
        vid: row.int(3)?,
        method: row.text(4)?,
        at_us: row.int(5)?,
        body: row.opt_blob(6)?,
    })
}

/// A page of what a filter leaves.
async fn judged(
    tx: &mut Tx,
    permits: &SearchPermit,
    scope: Scope<'_>,
    mut page: Page,
) -> Result<Found, StoreError> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut seen = 0;
    loop {
        let rows = rows(tx, scope, page, CHUNK, true).await?;
        let last = i64::try_from(rows.len()).unwrap_or(CHUNK) < CHUNK;
        for row in &rows {
            let mut entry = entry(row)?;
            let hid = entry.hid;
            let Some((rtype, permit)) = resource_type(&entry.rtype).zip(permits.permit(&entry.rtype)) else {
                continue;
            };
            let content = row.opt_blob(8)?.unwrap_or_default();
            if visible::past(tx, permit, rtype, row.int(7)?, &content).await? {
                if entries.len() == page.count {
                    return Ok(Found { next: entries.last().map(|entry| entry.hid), entries });
                }
                entry.body = entry.body.map(|body| visible::shown(permit, body)).transpose()?;
                entries.push(entry);
            }
            page.before = hid;
        }
        seen += rows.len();
        if last {
            return Ok(Found { entries, next: None });
        }
        if seen >= MOST_JUDGED {
            return Ok(Found { entries, next: Some(page.before) });
        }
    }
}
