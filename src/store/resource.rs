//! Resources: the current version of each, and their append-only history.

use super::db::{Row, Tx, statements};
use super::state::State;
use super::{Engine, StoreError, dialect, visible};
use crate::args;
use crate::auth::{Permit, SearchPermit};
use crate::clock::Micros;
use crate::fhir::registry::ResourceType;
use sqlx::AssertSqlSafe;

statements! {
    FIND = "SELECT rid, vid, deleted, updated_us, body FROM resource WHERE type = $1 AND id = $2";
    FIND_WITH_STATE = "SELECT r.rid, r.vid, r.deleted, r.updated_us, r.body, s.seq, \
        (SELECT MIN(held_until_us) FROM appointment WHERE held_until_us IS NOT NULL) \
        FROM access_state s LEFT JOIN resource r ON r.type = $1 AND r.id = $2";
    FIND_RID = "SELECT type, id, vid, deleted, updated_us, body FROM resource WHERE rid = $1";
    INSERT = "INSERT INTO resource (type, id, vid, deleted, updated_us, body) VALUES ($1, $2, 1, 0, $3, $4) \
        ON CONFLICT DO NOTHING RETURNING rid";
    REPLACE = "UPDATE resource SET vid = $1, deleted = $2, updated_us = $3, body = $4 WHERE rid = $5 AND vid = $6";
    RECORD = "INSERT INTO history (rid, type, id, vid, method, at_us, body) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    VERSION = "SELECT method, at_us, body FROM history WHERE type = $1 AND id = $2 AND vid = $3";
    // With the content before a deletion, which is judged in its place.
    VERSION_JUDGED = "SELECT h.method, h.at_us, h.body, h.rid, COALESCE(h.body, \
        (SELECT p.body FROM history p WHERE p.rid = h.rid AND p.vid = h.vid - 1)) \
        FROM history h WHERE h.type = $1 AND h.id = $2 AND h.vid = $3";
    REFERRER = "SELECT r.type, r.id FROM idx_reference x JOIN resource r ON r.rid = x.rid \
        WHERE x.target_type = $1 AND x.target_id = $2 AND r.deleted = 0 AND NOT (r.type = $1 AND r.id = $2) LIMIT 1";
    SETTING = "SELECT value FROM setting WHERE name = $1";
    KEEP_SETTING = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
}

/// How often a resource is judged that changes while it is judged.
const ATTEMPTS: usize = 3;

/// How a version came to be: the `request.method` of a history entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Created with an id of our choice.
    Post,
    /// Created or changed under an id of the client's choice.
    Put,
    /// Changed by a patch, or by the server itself.
    Patch,
    /// Deleted.
    Delete,
}

impl Method {
    /// As written in `Bundle.entry.request.method`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// The current version of a resource.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Internal key; also the order of creation.
    pub rid: i64,
    /// `meta.versionId`.
    pub vid: i64,
    /// Whether the current version is its deletion; `body` then is the last content.
    pub deleted: bool,
    /// `meta.lastUpdated`.
    pub updated_us: Micros,
    /// Canonical JSON.
    pub body: Vec<u8>,
}

/// A version from history; `body` is absent for a deletion.
#[derive(Clone, Debug)]
pub struct PastVersion {
    /// POST, PUT, PATCH or DELETE.
    pub method: String,
    /// When it was written.
    pub at_us: Micros,
    /// Canonical JSON.
    pub body: Option<Vec<u8>>,
}

/// What a new version is called and holds.
#[derive(Clone, Copy, Debug)]
pub struct NewVersion<'a> {
    /// Resource type.
    pub rtype: &'static str,
    /// Logical id.
    pub id: &'a str,
    /// How it came to be.
    pub method: Method,
    /// `meta.lastUpdated`.
    pub at_us: Micros,
    /// Canonical JSON; for a deletion the last content, which is kept but not served.
    pub body: &'a [u8],
}

impl NewVersion<'_> {
    /// What history keeps: nothing for a deletion.
    fn kept_body(&self) -> Option<Vec<u8>> {
        (self.method != Method::Delete).then(|| self.body.to_vec())
    }
}

/// The current version of a resource, deleted or not; what is not within the permit is not there.
pub async fn find(
    tx: &mut Tx,
    permit: &Permit,
    rtype: &'static ResourceType,
    id: &str,
) -> Result<Option<Stored>, StoreError> {
    for _ in 0..ATTEMPTS {
        let Some(row) = tx.optional(FIND, args![rtype.name, id]).await? else { return Ok(None) };
        let mut stored = stored(&row)?;
        match visible::current(tx, permit, rtype, &mut stored).await? {
            visible::Seen::Yes => return Ok(Some(stored)),
            visible::Seen::No => return Ok(None),
            visible::Seen::Changed => {}
        }
    }
    Err(changing(rtype, id))
}

/// The same, and the state in which it was found or not.
pub async fn find_with_state(
    tx: &mut Tx,
    permit: &Permit,
    rtype: &'static ResourceType,
    id: &str,
) -> Result<(Option<Stored>, State), StoreError> {
    for _ in 0..ATTEMPTS {
        let row = tx.one(FIND_WITH_STATE, args![rtype.name, id]).await?;
        let state = State { access: row.int(5)?, next_lapse: row.opt_int(6)? };
        if row.opt_int(0)?.is_none() {
            return Ok((None, state));
        }
        let mut stored = stored(&row)?;
        match visible::current(tx, permit, rtype, &mut stored).await? {
            visible::Seen::Yes => return Ok((Some(stored), state)),
            visible::Seen::No => return Ok((None, state)),
            visible::Seen::Changed => {}
        }
    }
    Err(changing(rtype, id))
}

fn changing(rtype: &ResourceType, id: &str) -> StoreError {
    StoreError::Contended(format!("{}/{id} keeps changing", rtype.name))
}

fn stored(row: &Row) -> Result<Stored, StoreError> {
    Ok(Stored {
        rid: row.int(0)?,
        vid: row.int(1)?,
        deleted: row.int(2)? != 0,
        updated_us: row.int(3)?,
        body: row.blob(4)?,
    })
}

/// The id and the current version of the resource with this internal key, for the server's own work.
pub async fn find_by_rid(tx: &mut Tx, permit: &Permit, rid: i64) -> Result<(String, Stored), StoreError> {
    let row = tx.one(FIND_RID, args![rid]).await?;
    visible::whole(permit, &row.text(0)?)?;
    let stored = Stored {
        rid,
        vid: row.int(2)?,
        deleted: row.int(3)? != 0,
        updated_us: row.int(4)?,
        body: row.blob(5)?,
    };
    Ok((row.text(1)?, stored))
}

/// One version, current or past, judged by its own content; that of a deletion by the content before.
pub async fn version(
    tx: &mut Tx,
    permit: &Permit,
    rtype: &'static ResourceType,
    id: &str,
    vid: i64,
) -> Result<Option<PastVersion>, StoreError> {
    let unfiltered = permit.filter().is_none();
    let sql = if unfiltered { VERSION } else { VERSION_JUDGED };
    let Some(row) = tx.optional(sql, args![rtype.name, id, vid]).await? else { return Ok(None) };
    if unfiltered {
        visible::whole(permit, rtype.name)?;
    } else {
        let content = row.opt_blob(4)?.unwrap_or_default();
        if !visible::past(tx, permit, rtype, row.int(3)?, &content).await? {
            return Ok(None);
        }
    }
    let body = row.opt_blob(2)?.map(|body| visible::shown(permit, body)).transpose()?;
    Ok(Some(PastVersion { method: row.text(0)?, at_us: row.int(1)?, body }))
}

/// Stores version 1 and returns its internal key. Whether the content is within the permit is judged by
/// [`visible::admits`] once all that it depends on is written.
///
/// # Errors
/// [`StoreError::Contended`] when the id came into use meanwhile.
pub async fn insert(tx: &mut Tx, permit: &Permit, new: NewVersion<'_>) -> Result<i64, StoreError> {
    visible::of_type(permit, new.rtype)?;
    let mut args = args![new.rtype, new.id, new.at_us, new.body];
    let row = if let Some(at_once) = dialect::insert_version(tx) {
        args.push(new.method.code().into());
        tx.optional(at_once, args).await?
    } else {
        tx.optional(INSERT, args).await?
    };
    let Some(row) = row else {
        return Err(StoreError::Contended(format!("{}/{} was created meanwhile", new.rtype, new.id)));
    };
    let rid = row.int(0)?;
    if tx.engine() == Engine::Sqlite {
        record(tx, rid, 1, new).await?;
    }
    Ok(rid)
}

/// Stores the version after `old`, which was found by the permit, and returns its number.
///
/// # Errors
/// [`StoreError::Contended`] when another version was stored meanwhile.
pub async fn replace(
    tx: &mut Tx,
    permit: &Permit,
    old: &Stored,
    new: NewVersion<'_>,
) -> Result<i64, StoreError> {
    visible::of_type(permit, new.rtype)?;
    let vid = old.vid + 1;
    let deleted = i64::from(new.method == Method::Delete);
    let mut args = args![vid, deleted, new.at_us, new.body, old.rid, old.vid];
    let changed = if let Some(at_once) = dialect::replace_version(tx) {
        args.extend(args![new.rtype, new.id, new.method.code(), new.kept_body()]);
        tx.execute(at_once, args).await?
    } else {
        tx.execute(REPLACE, args).await?
    };
    if changed != 1 {
        return Err(StoreError::Contended(format!("{}/{} was changed meanwhile", new.rtype, new.id)));
    }
    if tx.engine() == Engine::Sqlite {
        record(tx, old.rid, vid, new).await?;
    }
    Ok(vid)
}

async fn record(tx: &mut Tx, rid: i64, vid: i64, new: NewVersion<'_>) -> Result<(), StoreError> {
    let args = args![rid, new.rtype, new.id, vid, new.method.code(), new.at_us, new.kept_body()];
    tx.execute(RECORD, args).await?;
    Ok(())
}

/// Which of these live resources there are within the permits.
pub async fn existing(
    tx: &mut Tx,
    permits: &SearchPermit,
    wanted: &[(&'static ResourceType, &str)],
) -> Result<Vec<(String, String)>, StoreError> {
    let permitted = wanted.iter().filter(|(rtype, _)| permits.allows(rtype.name));
    let (plain, filtered): (Vec<_>, Vec<_>) =
        permitted.partition(|(rtype, _)| permits.filter(rtype.name).is_none());
    let mut found = Vec::new();
    // Far below both engines' limits on parameters.
    for some in plain.chunks(200) {
        let pairs: Vec<String> =
            (0..some.len()).map(|i| format!("(${}, ${})", 2 * i + 1, 2 * i + 2)).collect();
        let sql = format!(
            "SELECT type, id FROM resource WHERE deleted = 0 AND (type, id) IN (VALUES {})",
            pairs.join(", ")
        );
        let args = some.iter().flat_map(|(rtype, id)| args![rtype.name, *id]).collect();
        for row in tx.all(AssertSqlSafe(sql), args).await? {
            found.push((row.text(0)?, row.text(1)?));
        }
    }
    for (rtype, id) in filtered {
        let Some(filter) = permits.filter(rtype.name) else { continue };
        if super::search::finds(tx, rtype, id, filter).await? {
            found.push((rtype.name.to_owned(), (*id).to_owned()));
        }
    }
    Ok(found)
}

/// Some resource that refers to this one, as type and id. Whether it may be named is for the caller to ask.
pub async fn referrer(tx: &mut Tx, rtype: &str, id: &str) -> Result<Option<(String, String)>, StoreError> {
    let row = tx.optional(REFERRER, args![rtype, id]).await?;
    row.map(|row| Ok((row.text(0)?, row.text(1)?))).transpose()
}

/// Makes transactions that decide by the same search run one after the other.
pub async fn lock_search(tx: &mut Tx, rtype: &str, query: &str) -> Result<(), StoreError> {
    dialect::lock_name(tx, &format!("{rtype}?{query}")).await
}

/// The setting kept under `name`; `fresh` is kept, and returned, when there is none yet.
pub async fn setting(tx: &mut Tx, name: &str, fresh: &[u8]) -> Result<Vec<u8>, StoreError> {
    tx.execute(KEEP_SETTING, args![name, fresh]).await?;
    tx.one(SETTING, args![name]).await?.blob(0)
}
