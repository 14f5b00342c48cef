//! Reading one resource, or one of its versions.

use super::{Answer, App, Context, Version, booking};
use crate::audit::patients;
use crate::auth::Permit;
use crate::auth::scope::Right;
use crate::clock::Micros;
use crate::fhir::interaction::{Instance, ReadConditions};
use crate::fhir::outcome::{Error, Kind};
use crate::store::Tx;
use crate::store::resource::{self, Stored};
use crate::store::state::State;
use bytes::Bytes;
use std::collections::BTreeSet;

/// `GET Type/id`
pub async fn read(
    app: &App,
    ctx: &Context,
    instance: &Instance,
    conditions: &ReadConditions,
) -> Result<Answer, Error> {
    let permit = ctx.access.permit(Right::Read, instance.rtype)?;
    let (stored, state) = find_settled(app, &permit, instance).await?;
    Ok(Answer { access: Some(state.access), ..present(instance, stored, conditions)? })
}

/// The same inside a transaction, seeing its writes.
pub async fn read_in(
    tx: &mut Tx,
    permit: &Permit,
    instance: &Instance,
    conditions: &ReadConditions,
) -> Result<Answer, Error> {
    let stored = resource::find(tx, permit, instance.rtype, &instance.id).await?;
    present(instance, stored, conditions)
}

/// The current version, after any hold that has lapsed let go.
async fn find_settled(
    app: &App,
    permit: &Permit,
    instance: &Instance,
) -> Result<(Option<Stored>, State), Error> {
    let (rtype, id) = (instance.rtype, instance.id.as_str());
    let found = resource::find_with_state(&mut app.store.reader().await?, permit, rtype, id).await?;
    let settled = found.1.next_lapse.is_none_or(|at| at > app.clock.now());
    if settled || !booking::depends_on_holds(rtype.name) {
        return Ok(found);
    }
    booking::lapse(app).await?;
    Ok(resource::find_with_state(&mut app.store.reader().await?, permit, rtype, id).await?)
}

fn present(
    instance: &Instance,
    stored: Option<Stored>,
    conditions: &ReadConditions,
) -> Result<Answer, Error> {
    let (rtype, id) = (instance.rtype.name, instance.id.as_str());
    let Some(stored) = stored else { return Err(Error::not_found(rtype, id)) };
    if stored.deleted {
        return Err(gone(rtype, id));
    }
    let version = Version { vid: stored.vid, updated_us: stored.updated_us };
    let unchanged = is_unchanged(version, conditions);
    let mut whose = BTreeSet::new();
    patients::add(rtype, id, &stored.body, &mut whose);
    Ok(Answer {
        patients: whose,
        status: if unchanged { 304 } else { 200 },
        resource: (!unchanged).then(|| Bytes::from(stored.body)),
        version: Some(version),
        ..Answer::default()
    })
}

/// 410 for a deleted resource.
pub(super) fn gone(rtype: &str, id: &str) -> Error {
    Error::new(Kind::Gone, format!("{rtype}/{id} was deleted"))
}

/// Whether the caller already has this version (RFC 9110 §13.1.2 and §13.1.3: the entity tag decides when
/// both are given).
fn is_unchanged(version: Version, conditions: &ReadConditions) -> bool {
    match (&conditions.if_none_match, &conditions.if_modified_since) {
        (Some(tags), _) => names_version(tags, version.vid),
        (None, Some(date)) => {
            http_date(date).is_some_and(|since| version.updated_us / 1_000_000 <= since / 1_000_000)
        }
        (None, None) => false,
    }
}

/// Whether a list of entity tags has `*` or this version, weak or strong.
pub(super) fn names_version(tags: &str, vid: i64) -> bool {
    tags.split(',').map(str::trim).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.trim_matches('"').parse() == Ok(vid)
    })
}

/// An HTTP date (RFC 9110 §5.6.7) in microseconds.
fn http_date(text: &str) -> Option<Micros> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(zoned.timestamp().as_microsecond())
}

/// `GET Type/id/_history/vid`
pub async fn version_read(app: &App, ctx: &Context, instance: &Instance, vid: &str) -> Result<Answer, Error> {
    let permit = ctx.access.permit(Right::Read, instance.rtype)?;
    version_read_in(&mut app.store.reader().await?, &permit, instance, vid).await
}

/// The same inside a transaction.
pub async fn version_read_in(
    tx: &mut Tx,
    permit: &Permit,
    instance: &Instance,
    vid: &str,
) -> Result<Answer, Error> {
    let (rtype, id) = (instance.rtype.name, instance.id.as_str());
    let missing = || Error::new(Kind::NotFound, format!("{rtype}/{id} has no version {vid}"));
    let number: i64 = vid.parse().map_err(|_| missing())?;
    let past = resource::version(tx, permit, instance.rtype, id, number).await?.ok_or_else(missing)?;
    let Some(body) = past.body else {
        return Err(Error::new(Kind::Gone, format!("Version {vid} of {rtype}/{id} is its deletion")));
    };
    let mut whose = BTreeSet::new();
    patients::add(rtype, id, &body, &mut whose);
    Ok(Answer {
        patients: whose,
        status: 200,
        resource: Some(Bytes::from(body)),
        version: Some(Version { vid: number, updated_us: past.at_us }),
        ..Answer::default()
    })
}
