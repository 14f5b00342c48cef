//! Writes within a permit: judged by what was there, by what would be, and once all is written.

use super::write::{Work, location};
use super::{Answer, App, Version};
use crate::auth::scope::Right;
use crate::auth::{Access, Permit};
use crate::clock::Micros;
use crate::fhir::bundle::in_entry;
use crate::fhir::date;
use crate::fhir::interaction::Instance;
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::registry::{ResourceType, resource_type};
use crate::fhir::search::Condition;
use crate::fhir::search::matches::Judged;
use crate::store::{Tx, resource, visible};
use bytes::Bytes;
use serde_json::Value;

/// What a written resource must still satisfy when all is written, so that it is within the permit to write it.
#[derive(Debug)]
pub(super) struct Judgement {
    rtype: &'static ResourceType,
    rid: i64,
    rest: Condition,
    entry: Option<usize>,
}

/// Judges a write before anything is done: the time that it comes, and what its content alone tells.
///
/// # Errors
/// 422 when it is too late, 403 when the resource would be beyond the permit.
pub(super) fn before(
    app: &App,
    now: Micros,
    permit: &Permit,
    rtype: &'static ResourceType,
    old: Option<&Value>,
    new: &Value,
) -> Result<(), Error> {
    if permit.ends_at_cutoff() {
        in_time(app, now, old)?;
    }
    if matches!(permit.judge(rtype, new), Judged::Fails) { Err(beyond(rtype, None)) } else { Ok(()) }
}

/// Refuses a change that comes too late: the practice counts on the appointment now.
fn in_time(app: &App, now: Micros, old: Option<&Value>) -> Result<(), Error> {
    let start = old.and_then(|old| date::instant(old.get("start")?.as_str()?));
    let cutoff = app.config.booking.patient_cutoff;
    let ahead = i64::try_from(cutoff.as_micros()).unwrap_or(i64::MAX);
    if start.is_none_or(|start| now < start.saturating_sub(ahead)) {
        return Ok(());
    }
    let message = format!(
        "It is too late to change this appointment here ({} minutes before it begins); call the practice",
        cutoff.as_secs() / 60
    );
    Err(Error::unprocessable(Issue::error("business-rule", message).at("Appointment.start")))
}

/// Judges what was written; what depends on other resources is left until all is.
///
/// # Errors
/// 403 when the resource is beyond the permit.
pub(super) fn after(
    work: &mut Work,
    permit: &Permit,
    rtype: &'static ResourceType,
    rid: i64,
    body: &Value,
) -> Result<(), Error> {
    match permit.judge(rtype, body) {
        Judged::Holds => {}
        Judged::Fails => return Err(beyond(rtype, None)),
        Judged::Depends(rest) => work.judgements.push(Judgement { rtype, rid, rest, entry: work.entry }),
    }
    Ok(())
}

/// Judges what was left open.
///
/// # Errors
/// 403 when a resource is beyond the permit.
pub(super) async fn settle(tx: &mut Tx, judgements: &[Judgement]) -> Result<(), Error> {
    for Judgement { rtype, rid, rest, entry } in judgements {
        if !visible::admits(tx, rtype, *rid, rest).await? {
            return Err(beyond(rtype, *entry));
        }
    }
    Ok(())
}

/// `Type/id` of what stands in the way, for those who may know of it.
pub(super) async fn nameable(tx: &mut Tx, access: &Access, rtype: &str, id: &str) -> Result<String, Error> {
    let unnamed = "another resource".to_owned();
    let Some(rt) = resource_type(rtype) else { return Ok(unnamed) };
    let Ok(permit) = access.permit(Right::Read, rt) else { return Ok(unnamed) };
    let found = resource::find(tx, &permit, rt, id).await?;
    Ok(found.map_or(unnamed, |_| format!("{rtype}/{id}")))
}

/// 403 for a resource that would not be within what its writer may write.
fn beyond(rtype: &ResourceType, entry: Option<usize>) -> Error {
    let message = format!("This {} would not be one that you may write", rtype.name);
    let error = Error::new(Kind::Forbidden, message);
    match entry {
        Some(index) => in_entry(error, index, true),
        None => error,
    }
}

/// The answer to a create whose condition found a resource: the resource itself, if it may be read.
pub(super) async fn matched(tx: &mut Tx, access: &Access, instance: &Instance) -> Result<Answer, Error> {
    let rtype = instance.rtype;
    let known = Permit::of_server("version of a match");
    let missing = || Error::not_found(rtype.name, &instance.id);
    let current = resource::find(tx, &known, rtype, &instance.id).await?.ok_or_else(missing)?;
    let readable = match access.permit(Right::Read, rtype) {
        Ok(permit) => resource::find(tx, &permit, rtype, &instance.id).await?,
        Err(_) => None,
    };
    Ok(Answer {
        status: 200,
        resource: readable.map(|stored| Bytes::from(stored.body)),
        version: Some(Version { vid: current.vid, updated_us: current.updated_us }),
        location: Some(location(rtype, &instance.id, current.vid)),
        ..Answer::default()
    })
}

/// The answer to a patch, with what its sender may read: unlike an update, a patch does not say all of it.
pub(super) async fn readable(
    tx: &mut Tx,
    access: &Access,
    instance: &Instance,
    answer: Answer,
) -> Result<Answer, Error> {
    let resource = match access.permit(Right::Read, instance.rtype) {
        Ok(permit) if permit.filter().is_none() && permit.shows_all() => return Ok(answer),
        Ok(permit) => resource::find(tx, &permit, instance.rtype, &instance.id).await?,
        Err(_) => None,
    };
    Ok(Answer { resource: resource.map(|stored| Bytes::from(stored.body)), ..answer })
}

/// The permit to create a resource by an update. An id of the client's choice is for those only who may know
/// of every resource: to others a taken id and a free one must look the same. Where patients' consents alone hide a
/// resource, its id is taken.
///
/// # Errors
/// 404 as for any resource that is not there.
pub(super) async fn permit_under_id(
    tx: &mut Tx,
    work: &Work,
    update: &Permit,
    instance: &Instance,
    found: bool,
    chosen_here: bool,
) -> Result<Permit, Error> {
    let create = work.access.permit_upsert(instance.rtype);
    if chosen_here {
        return Ok(create?);
    }
    let hidden = || Error::not_found(instance.rtype.name, &instance.id);
    let create = create.ok().filter(|create| create.knows_every_id() && update.knows_every_id());
    let create = create.ok_or_else(hidden)?;
    if update.filter().is_some() && !found {
        let any = Permit::of_server("whether an id is taken");
        if resource::find(tx, &any, instance.rtype, &instance.id).await?.is_some() {
            return Err(hidden());
        }
    }
    Ok(create)
}
