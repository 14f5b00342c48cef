//! What a search finds in the state of an earlier time, in the order of creation, for exports.
//!
//! What was not written since is found as in any search. What was written since is looked up in history and judged
//! there, by the content that it had then; what depends on other resources is asked of the present.

use super::condition::Compiler;
use crate::auth::SearchPermit;
use crate::clock::Micros;
use crate::fhir::registry::ResourceType;
use crate::fhir::search::matches::{Judged, judge};
use crate::fhir::search::{Condition, SearchQuery};
use crate::store::db::{Row, Tx, statements};
use crate::store::{StoreError, visible};
use crate::{args, fhir};
use bytes::Bytes;
use sqlx::AssertSqlSafe;

statements! {
    // The version of that time of what was written since.
    CHANGED = "SELECT r.rid, h.at_us, h.body FROM resource r JOIN history h ON h.rid = r.rid \
        WHERE r.type = $1 AND r.updated_us > $2 AND r.rid > $3 AND r.rid <= $4 \
        AND h.vid = (SELECT MAX(v.vid) FROM history v WHERE v.rid = r.rid AND v.at_us <= $2) \
        ORDER BY r.rid LIMIT $5";
}

/// Which part of it.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// The time whose state is looked at.
    pub at: Micros,
    /// Only what was written at this time or later.
    pub since: Micros,
    /// Only internal keys above this one.
    pub after: i64,
    /// Only internal keys up to this one.
    pub last: i64,
    /// The most resources that are looked at.
    pub limit: i64,
    /// Whether their content is wanted.
    pub content: bool,
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// Internal keys and canonical JSON, which is empty when it is not wanted, in order.
    pub resources: Vec<(i64, Bytes)>,
    /// The key behind which there may be more.
    pub next: Option<i64>,
}

/// What `query`, a search of one type, found at a time and the permits leave now. The statements must see one state.
pub async fn as_of(
    tx: &mut Tx,
    permits: &SearchPermit,
    query: &SearchQuery,
    slice: Slice,
) -> Result<Found, StoreError> {
    let [rtype] = query.types.as_slice() else {
        return Err(StoreError::Other("a search of an earlier time is of one type".to_owned()));
    };
    let unchanged = unchanged(tx, permits, query, slice).await?;
    let mut next = full(&unchanged, slice.limit);
    let changed = Slice { last: next.unwrap_or(slice.last), ..slice };
    let args = args![rtype.name, changed.at, changed.after, changed.last, changed.limit];
    let changed = tx.all(CHANGED, args).await?;
    if changed.len() as i64 == slice.limit {
        next = changed.last().map(|row| row.int(0)).transpose()?;
    }
    let mut resources = unchanged;
    resources.retain(|(rid, _)| next.is_none_or(|next| *rid <= next));
    for row in &changed {
        if let Some(found) = past(tx, permits, query, rtype, slice, row).await? {
            resources.push(found);
        }
    }
    resources.sort_by_key(|(rid, _)| *rid);
    for (_, body) in resources.iter_mut().filter(|(_, body)| !body.is_empty()) {
        let shown = permits.show(rtype.name, std::mem::take(body));
        *body = shown.map_err(|e| StoreError::Other(e.to_string()))?;
    }
    Ok(Found { resources, next })
}

fn full(found: &[(i64, Bytes)], limit: i64) -> Option<i64> {
    found.last().filter(|_| found.len() as i64 == limit).map(|(rid, _)| *rid)
}

/// What was not written since.
async fn unchanged(
    tx: &mut Tx,
    permits: &SearchPermit,
    query: &SearchQuery,
    slice: Slice,
) -> Result<Vec<(i64, Bytes)>, StoreError> {
    let mut compiler = Compiler::new(tx.engine(), permits, slice.at);
    let selection = compiler.select(&query.types, &query.conditions, false);
    let (r, sql) = (&selection.about.alias, &mut compiler.sql);
    let key = format!("{}.rid", selection.about.typed.as_ref().unwrap_or(r));
    let (at, since) = (sql.bind(slice.at), sql.bind(slice.since));
    let (after, last) = (sql.bind(slice.after), sql.bind(slice.last));
    let body = if slice.content { format!(", {r}.body") } else { String::new() };
    let text = format!(
        "SELECT {key}{body} FROM {} WHERE {} AND {r}.updated_us <= {at} AND {r}.updated_us >= {since} \
         AND {key} > {after} AND {key} <= {last} ORDER BY {key} LIMIT {}",
        selection.from, selection.filter, slice.limit
    );
    let rows = tx.all(AssertSqlSafe(text), compiler.sql.into_args()).await?;
    let read = |row: &Row| {
        let body = if slice.content { row.blob(1)? } else { Vec::new() };
        Ok((row.int(0)?, Bytes::from(body)))
    };
    rows.iter().map(read).collect()
}

/// A version of the past, if it is one that was searched for and may be seen.
async fn past(
    tx: &mut Tx,
    permits: &SearchPermit,
    query: &SearchQuery,
    rtype: &'static ResourceType,
    slice: Slice,
    row: &Row,
) -> Result<Option<(i64, Bytes)>, StoreError> {
    let (rid, at_us) = (row.int(0)?, row.int(1)?);
    let Some(body) = row.opt_blob(2)?.filter(|_| at_us >= slice.since) else { return Ok(None) };
    if !keeps(tx, permits, rtype, &query.conditions, (rid, &body), slice.at).await? {
        return Ok(None);
    }
    Ok(Some((rid, if slice.content { Bytes::from(body) } else { Bytes::new() })))
}

/// Whether a version satisfies conditions and is within the permits.
pub(in crate::store) async fn keeps(
    tx: &mut Tx,
    permits: &SearchPermit,
    rtype: &'static ResourceType,
    conditions: &[Condition],
    (rid, body): (i64, &[u8]),
    now: Micros,
) -> Result<bool, StoreError> {
    if !permits.allows(rtype.name) {
        return Ok(false);
    }
    if let Some(permit) = permits.permit(rtype.name)
        && !visible::past(tx, permit, rtype, rid, body).await?
    {
        return Ok(false);
    }
    let value: serde_json::Value = serde_json::from_slice(body)
        .map_err(|e| StoreError::Other(format!("a stored body is not JSON: {e}")))?;
    match fhir::search::matches::all(conditions.iter().map(|one| judge(one, rtype, &value, now))) {
        Judged::Holds => Ok(true),
        Judged::Fails => Ok(false),
        Judged::Depends(rest) => visible::admits(tx, rtype, rid, &rest).await,
    }
}
