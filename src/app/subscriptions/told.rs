//! What happened, as far as somebody may know of it now.

use crate::audit::patients;
use crate::auth::scope::Right;
use crate::auth::{Access, Permit};
use crate::fhir::outcome::Error;
use crate::fhir::registry::{ResourceType, resource_type};
use crate::fhir::search::matches::Judged;
use crate::fhir::subscription::{Content, Focus, NotificationEvent};
use crate::store::events::Event;
use crate::store::{Tx, visible};
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeSet;

/// Events as one subscriber may know of them.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The events, in order.
    pub events: Vec<NotificationEvent>,
    /// `Type/id/_history/vid` of what is told, for the record.
    pub versions: Vec<String>,
    /// Logical ids of the patients of whom something is told.
    pub patients: BTreeSet<String>,
}

/// Leaves of events what `access` may know, at this content level: an event about what it may not read keeps its number,
/// and does not say what it is about. What is shown in part, is told in part.
///
/// # Errors
/// When the database fails.
pub async fn tell(
    tx: &mut Tx,
    access: &Access,
    content: Content,
    events: Vec<(i64, Event)>,
) -> Result<Told, Error> {
    let mut told = Told::default();
    for (number, event) in events {
        let focus = match content {
            Content::Empty => None,
            _ => focus(tx, access, &event, content).await?,
        };
        if focus.is_some() {
            told.versions.push(format!("{}/_history/{}", event.reference(), event.vid));
            patients::add(&event.rtype, &event.id, event.content(), &mut told.patients);
        }
        told.events.push(NotificationEvent { number, at_us: event.at_us, focus });
    }
    Ok(told)
}

async fn focus(
    tx: &mut Tx,
    access: &Access,
    event: &Event,
    content: Content,
) -> Result<Option<Focus>, Error> {
    let Some(rtype) = resource_type(&event.rtype) else { return Ok(None) };
    let Ok(permit) = access.permit(Right::Read, rtype) else { return Ok(None) };
    if !may_know(tx, &permit, rtype, event).await? {
        return Ok(None);
    }
    let resource = match (&event.body, content) {
        (Some(body), Content::FullResource) => Some(shown(&permit, body)?),
        _ => None,
    };
    Ok(Some(Focus {
        rtype: event.rtype.clone(),
        id: event.id.clone(),
        vid: event.vid,
        method: event.method.clone(),
        resource,
    }))
}

/// Whether what an event is about is within a permit to read: judged by the content of that version, or of a deletion by
/// the one before; what depends on other resources is asked of the database as it is now.
///
/// # Errors
/// When the database fails.
pub async fn may_know(
    tx: &mut Tx,
    permit: &Permit,
    rtype: &'static ResourceType,
    event: &Event,
) -> Result<bool, Error> {
    if permit.filter().is_none() {
        return Ok(permit.is_for(rtype.name));
    }
    let content: Value = serde_json::from_slice(event.content())
        .map_err(|error| Error::internal(format!("a stored body is not JSON: {error}")))?;
    Ok(match permit.judge(rtype, &content) {
        Judged::Holds => true,
        Judged::Fails => false,
        Judged::Depends(_) if event.is_deletion() => false,
        Judged::Depends(rest) => visible::admits(tx, rtype, event.rid, &rest).await?,
    })
}

fn shown(permit: &Permit, body: &[u8]) -> Result<Vec<u8>, Error> {
    let shown = permit.show(Bytes::copy_from_slice(body));
    shown.map(Vec::from).map_err(|error| Error::internal(error.to_string()))
}
