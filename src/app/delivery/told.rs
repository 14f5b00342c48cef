//! Events as a subscriber may know of them at this moment: every number, and the resource only if it may be read now.

use crate::auth::Access;
use crate::auth::scope::Right;
use crate::fhir::outcome::Error;
use crate::fhir::registry::{ResourceType, resource_type};
use crate::fhir::search::matches::Judged;
use crate::fhir::subscription::{Focus, NotificationEvent};
use crate::store::events::Event;
use crate::store::{Tx, visible};
use bytes::Bytes;

/// The events with what the subscriber may know of each: by role, scopes and consents of now.
///
/// # Errors
/// When the database fails.
pub async fn told(
    tx: &mut Tx,
    access: &Access,
    events: Vec<(i64, Event)>,
) -> Result<Vec<NotificationEvent>, Error> {
    let mut told = Vec::with_capacity(events.len());
    for (number, event) in events {
        let at_us = event.at_us;
        told.push(NotificationEvent { number, at_us, focus: focus(tx, access, event).await? });
    }
    Ok(told)
}

async fn focus(tx: &mut Tx, access: &Access, event: Event) -> Result<Option<Focus>, Error> {
    let Some(rtype) = resource_type(&event.rtype) else { return Ok(None) };
    let Ok(permit) = access.permit(Right::Read, rtype) else { return Ok(None) };
    if !may_know(tx, &permit, rtype, &event).await? {
        return Ok(None);
    }
    let Event { rtype, id, vid, method, body, .. } = event;
    let shown = body.map(|body| permit.show(Bytes::from(body))).transpose();
    let shown = shown.map_err(|error| Error::internal(error.to_string()))?;
    Ok(Some(Focus { rtype, id, vid, method, resource: shown.map(Vec::from) }))
}

/// The content of the version is judged; what depends on other resources is asked of the current one, and of what was
/// deleted nothing is told that depends on others.
async fn may_know(
    tx: &mut Tx,
    permit: &crate::auth::Permit,
    rtype: &'static ResourceType,
    event: &Event,
) -> Result<bool, Error> {
    if permit.filter().is_none() {
        return Ok(true);
    }
    let content = serde_json::from_slice(event.content());
    let content = content.map_err(|error| Error::internal(format!("a stored body is not JSON: {error}")))?;
    Ok(match permit.judge(rtype, &content) {
        Judged::Holds => true,
        Judged::Fails => false,
        Judged::Depends(_) if event.is_deletion() => false,
        Judged::Depends(rest) => visible::admits(tx, rtype, event.rid, &rest).await?,
    })
}
