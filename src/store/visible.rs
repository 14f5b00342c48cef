//! What a permit lets one see, judged on a resource that is at hand.
//!
//! Searches have their filters in the SQL; here the content is judged first, and only what depends on other
//! resources is asked of the database. Without a filter there is nothing to ask.

use super::resource::Stored;
use super::search::satisfies;
use super::{StoreError, Tx};
use crate::auth::Permit;
use crate::fhir::registry::ResourceType;
use crate::fhir::search::Condition;
use crate::fhir::search::matches::Judged;
use bytes::Bytes;
use serde_json::Value;

/// Whether a current version may be seen.
pub(super) enum Seen {
    Yes,
    No,
    /// The resource changed while it was judged.
    Changed,
}

/// Judges a current version, and leaves of it what is shown. Of a deleted resource only its last content tells.
pub(super) async fn current(
    tx: &mut Tx,
    permit: &Permit,
    rtype: &'static ResourceType,
    stored: &mut Stored,
) -> Result<Seen, StoreError> {
    of_type(permit, rtype.name)?;
    if permit.filter().is_some() {
        match permit.judge(rtype, &json(&stored.body)?) {
            Judged::Holds => {}
            Judged::Fails => return Ok(Seen::No),
            Judged::Depends(_) if stored.deleted => return Ok(Seen::No),
            Judged::Depends(rest) => match satisfies(tx, rtype, stored.rid, &rest).await? {
                None => return Ok(Seen::No),
                Some(vid) if vid != stored.vid => return Ok(Seen::Changed),
                Some(_) => {}
            },
        }
    }
    stored.body = shown(permit, std::mem::take(&mut stored.body))?;
    Ok(Seen::Yes)
}

/// Judges the content of a version of long ago; what depends on other resources is asked of the current one.
pub(super) async fn past(
    tx: &mut Tx,
    permit: &Permit,
    rtype: &'static ResourceType,
    rid: i64,
    content: &[u8],
) -> Result<bool, StoreError> {
    Ok(match permit.judge(rtype, &json(content)?) {
        Judged::Holds => true,
        Judged::Fails => false,
        Judged::Depends(rest) => admits(tx, rtype, rid, &rest).await?,
    })
}

/// Whether the live resource with this internal key satisfies a condition now.
pub async fn admits(
    tx: &mut Tx,
    rtype: &'static ResourceType,
    rid: i64,
    condition: &Condition,
) -> Result<bool, StoreError> {
    Ok(satisfies(tx, rtype, rid, condition).await?.is_some())
}

/// The part of a body that is shown.
pub(super) fn shown(permit: &Permit, body: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    if permit.shows_all() {
        return Ok(body);
    }
    permit.show(Bytes::from(body)).map(Vec::from).map_err(|e| StoreError::Other(e.to_string()))
}

/// Refuses a permit that is about another type: a defect of ours, never the client's.
pub(super) fn of_type(permit: &Permit, rtype: &str) -> Result<(), StoreError> {
    if permit.is_for(rtype) {
        return Ok(());
    }
    Err(StoreError::Other(format!("a permit for another type was used on {rtype}")))
}

/// Refuses a permit that has a filter where none is applied: a defect of ours.
pub(super) fn whole(permit: &Permit, rtype: &str) -> Result<(), StoreError> {
    of_type(permit, rtype)?;
    if permit.filter().is_none() {
        return Ok(());
    }
    Err(StoreError::Other(format!("a filtered permit was used on {rtype} where no filter is applied")))
}

fn json(body: &[u8]) -> Result<Value, StoreError> {
    serde_json::from_slice(body).map_err(|e| StoreError::Other(format!("a stored body is not JSON: {e}")))
}
