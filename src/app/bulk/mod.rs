//! Bulk Data Access (FHIR Bulk Data Access IG 2.0): `$export` of the system, of all patients, of a Group, and of the
//! audit log.
//!
//! A job is a row that says who asked for what, and as of when; its files are ranges of keys. Nothing is written to
//! disk: what a file holds is read when it is fetched, in the state of the transaction time, and only as far as whoever
//! fetches it may see it at that moment. So a job outlives a restart, any replica serves it, and a consent that is
//! withdrawn between counts.

mod asked;
mod file;
mod log;
mod manifest;
mod plan;
mod select;

pub use file::{Content, Lines, open};
pub use manifest::{Status, status};
pub use plan::{Claim, Planning};

use super::audit::{actor, record, scene, shown, witness_keys};
use super::booking;
use super::{Answer, App, Body, Context};
use crate::audit::act::Act;
use crate::audit::event::{Event, Recorded};
use crate::audit::key::Verifier;
use crate::audit::{clean, export};
use crate::auth::Access;
use crate::auth::principal::Who;
use crate::auth::scope::Right;
use crate::clock::{Micros, instant_text};
use crate::fhir::interaction::Interaction;
use crate::fhir::outcome::{Error, Issue, Kind, operation_outcome};
use crate::fhir::registry::{ResourceType, TYPES, resource_type};
use crate::store::audit::event;
use crate::store::bulk::{self as store, Job, Log, Reached};
use crate::store::{Intent, StoreError, Tx, resource};
use asked::{Export, Over, Parameters};
use bytes::Bytes;
use std::sync::Arc;

/// Where jobs are, below the FHIR base.
pub const PLACE: &str = "bulk-export";

/// Takes a request for an export on (`$export`): 202, and where to ask how it goes.
///
/// # Errors
/// 403 for whoever may not export, 400 for parameters that are not understood, 404 for a Group that is not there, 429
/// when the client has as many exports as it may have.
pub async fn kick_off(
    app: &App,
    ctx: &Context,
    interaction: &Interaction,
    body: &Body,
) -> Result<Answer, Error> {
    let Interaction::Operation { rtype, id, query, .. } = interaction else {
        return Err(Error::internal("not an operation"));
    };
    let over = match (rtype.map(|rtype| rtype.name), id) {
        (None, None) => Over::System,
        (Some("Patient"), None) => Over::Patients,
        (Some("Group"), Some(id)) => Over::Group { id: id.clone(), vid: 0 },
        (Some("AuditEvent"), None) => Over::Log,
        _ => {
            let message = "$export is offered of Patient, of a Group, of AuditEvent, and of the whole system";
            return Err(Error::of(Kind::NotFound, vec![Issue::error("not-supported", message)]));
        }
    };
    let of_log = over == Over::Log;
    may_export(&ctx.access, of_log)?;
    if !ctx.respond_async {
        let message = "An export is answered later: send Prefer: respond-async";
        return Err(Error::of(Kind::BadRequest, vec![Issue::error("required", message)]));
    }
    let given = Parameters::read(query, body, of_log)?;
    if over == Over::System && !given.patients.is_empty() {
        return Err(Error::bad_request("patient: an export of the whole system is not about some patients"));
    }
    let passed_over = |name: &String| format!("$export does not know the parameter {name}");
    if ctx.strict && !given.unknown.is_empty() {
        let issues = given.unknown.iter().map(|name| Issue::error("not-supported", passed_over(name)));
        return Err(Error::of(Kind::BadRequest, issues.collect()));
    }
    let issues: Vec<Issue> =
        given.unknown.iter().map(|name| Issue::warning("not-supported", passed_over(name))).collect();
    let export = Export {
        request: request(ctx, *rtype, id.as_deref(), query),
        types: if of_log { Vec::new() } else { types(&ctx.access, &given)? },
        over,
        since: given.since,
        until: given.until,
        filters: given.filters,
        patients: given.patients,
        ignored: given.unknown,
    };
    // Holds that have lapsed are written down before the state is fixed.
    booking::lapse(app).await?;
    let job = begin(app, ctx, export).await?;
    Ok(Answer {
        status: 202,
        location: Some(format!("{PLACE}/{job}")),
        resource: (!issues.is_empty()).then(|| Bytes::from(operation_outcome(&issues).to_string())),
        on_record: true,
        ..Answer::default()
    })
}

/// The URL that was asked for.
fn request(ctx: &Context, rtype: Option<&ResourceType>, id: Option<&str>, query: &str) -> String {
    let mut url = ctx.base.clone();
    for part in [rtype.map(|rtype| rtype.name), id, Some("$export")].into_iter().flatten() {
        url.push('/');
        url.push_str(part);
    }
    if query.is_empty() { url } else { format!("{url}?{query}") }
}

/// Whether somebody may export at all: the record as a client that acts for itself, the audit log as a compliance
/// officer who may see all of it.
///
/// # Errors
/// 403.
fn may_export(access: &Access, of_log: bool) -> Result<(), Error> {
    if access.is_whole() {
        return Ok(());
    }
    if !of_log {
        return match access.principal().who {
            Who::Client => Ok(()),
            _ => Err(Error::new(
                Kind::Forbidden,
                "Exports are for clients that act for themselves (scopes system/)",
            )),
        };
    }
    let whole = resource_type("AuditEvent").is_some_and(|rtype| {
        [Right::Read, Right::Search].into_iter().all(|right| {
            access.permit(right, rtype).is_ok_and(|permit| permit.filter().is_none() && permit.shows_all())
        })
    });
    if whole && access.may_audit() {
        return Ok(());
    }
    let message =
        "The audit log is exported by compliance officers, with a scope for all of it (user/AuditEvent.rs)";
    Err(Error::new(Kind::Forbidden, message))
}

/// Names of the types to export: those that were named, or all that may be.
fn types(access: &Access, given: &Parameters) -> Result<Vec<String>, Error> {
    let may = |rtype: &'static ResourceType| {
        access.permit(Right::Read, rtype).and_then(|_| access.permit(Right::Search, rtype)).map(drop)
    };
    for rtype in &given.types {
        may(rtype)?;
    }
    let named = !given.types.is_empty();
    let all =
        TYPES.iter().filter(|rtype| if named { given.types.contains(rtype) } else { may(rtype).is_ok() });
    let names: Vec<String> = all.map(|rtype| rtype.name.to_owned()).collect();
    if let Some((name, _)) = given.filters.iter().find(|(name, _)| !names.contains(name)) {
        let message = format!("_typeFilter: {name} resources may not be exported by you");
        return Err(Error::new(Kind::Forbidden, message));
    }
    if names.is_empty() {
        return Err(Error::new(Kind::Forbidden, "The scopes of this token allow to export nothing"));
    }
    Ok(names)
}

/// Stores the job and puts it on the record; its id.
async fn begin(app: &App, ctx: &Context, export: Export) -> Result<String, Error> {
    let id = app.clock.new_id();
    let mut told = Event::new(Act::Export, actor(ctx.access.principal(), &ctx.base), scene(ctx));
    told.query = Some(clean::query(&export.request));
    told.patient = export.patients.first().filter(|_| export.over == Over::Log).cloned();
    let told = told.detail("what", "kick-off").detail("job", &id).detail("types", export.types.join(","));
    let shared = Arc::new((app.clone(), ctx.access.clone(), export, told, id.clone()));
    // As a transaction that deletes it waits for all others: what is written before the transaction time is there.
    app.store
        .write(Intent::Delete, move |tx| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let (app, access, export, told, id) = shared.as_ref();
                insert(tx, app, access, export.clone(), told.clone(), id).await
            })
        })
        .await?;
    Ok(id)
}

async fn insert(
    tx: &mut Tx,
    app: &App,
    access: &Access,
    mut export: Export,
    mut told: Event,
    id: &str,
) -> Result<(), Error> {
    let (owner, now) = (access.name(), app.clock.now());
    store::lock(tx, &owner).await?;
    let (kept, first_expires) = store::count(tx, &owner, now).await?;
    if usize::try_from(kept).unwrap_or(usize::MAX) >= app.config.bulk.max_jobs {
        let wait = first_expires.unwrap_or(now).saturating_sub(now) / 1_000_000 + 1;
        let message = "You have as many exports as one client may have: DELETE those that you have fetched";
        let error = Error::new(Kind::TooManyRequests, message);
        return Err(Error { retry_after: u64::try_from(wait).ok(), ..error });
    }
    if let Over::Group { id, vid } = &mut export.over {
        let group = resource_type("Group").ok_or_else(|| Error::internal("no Group in the registry"))?;
        let found = resource::find(tx, &access.permit_members(group)?, group, id).await?;
        let found = found.filter(|group| !group.deleted).ok_or_else(|| Error::not_found("Group", id))?;
        *vid = found.vid;
        select::are_members(&export, &found.body, now)?;
    }
    told.data.extend(export.group());
    let log = if export.over == Over::Log { Some(checkpoint(tx, app).await?) } else { None };
    let keep = i64::try_from(app.config.bulk.keep.as_micros()).unwrap_or(i64::MAX);
    let job = Job {
        id: id.to_owned(),
        owner,
        asked: serde_json::to_string(&export).map_err(|e| Error::internal(e.to_string()))?,
        at_us: now,
        expires_us: now.saturating_add(keep),
        reached: Reached { step: 0, behind: -1 },
        planned: false,
        log,
    };
    store::insert(tx, &job).await?;
    let recorded: Recorded = record(app, &told)?;
    Ok(event::record(tx, &[recorded]).await?)
}

/// What an export of the audit log leads to: the newest checkpoint, and the keys that its signatures are checked by.
async fn checkpoint(tx: &mut Tx, app: &App) -> Result<Log, Error> {
    let unavailable = |why: &str| Error { retry_after: Some(2), ..Error::new(Kind::Unavailable, why) };
    let latest = shown(tx).await?;
    let latest = latest.ok_or_else(|| unavailable("The audit log has no checkpoint yet; try again"))?;
    let keys =
        app.log_keys.get().ok_or_else(|| unavailable("The audit log's keys are not known yet; try again"))?;
    let witnesses = witness_keys(&app.config).map_err(Error::internal)?;
    let keys: Vec<Verifier> = keys.iter().cloned().chain(witnesses).collect();
    Ok(Log { size: latest.size, note: latest.note, keys: export::keys(&keys) })
}

fn export_of(job: &Job) -> Result<Export, Error> {
    serde_json::from_str(&job.asked).map_err(|e| Error::internal(format!("a stored export: {e}")))
}

/// A job of whoever asks; what is another's is not there.
async fn find(app: &App, access: &Access, id: &str) -> Result<Job, Error> {
    let mut tx = app.store.reader().await?;
    store::find(&mut tx, id, &access.name(), app.clock.now()).await?.ok_or_else(not_there)
}

fn not_there() -> Error {
    Error::new(Kind::NotFound, "There is no such export; it was cancelled, has expired, or never was")
}

/// Cancels an export, or gives up one that was fetched.
///
/// # Errors
/// 404 when whoever asks has no such export.
pub async fn cancel(app: &App, access: &Access, id: &str) -> Result<(), Error> {
    let job = find(app, access, id).await?;
    let export = export_of(&job)?;
    let told = event_of(app, &export, &job).detail("what", "cancel");
    let (id, owner, now) = (job.id, job.owner, app.clock.now());
    app.noting(told, move |tx| {
        let (id, owner) = (id.clone(), owner.clone());
        Box::pin(
            async move { if store::remove(tx, &id, &owner, now).await? { Ok(()) } else { Err(not_there()) } },
        )
    })
    .await
}

/// An event about an export: it names the job, the Group, and what was asked for. It names no patients, who may be
/// thousands; the Group's version says who they are.
fn event_of(app: &App, export: &Export, job: &Job) -> Event {
    let mut event = app.event(Act::Export).detail("job", &job.id);
    event.query = Some(clean::query(&export.request));
    event.data.extend(export.group());
    event.patient = export.patients.first().filter(|_| export.over == Over::Log).cloned();
    event.detail("as-of", instant_text(job.at_us))
}

/// Removes exports whose time is over.
///
/// # Errors
/// When the database does not do its part.
pub async fn forget_old(app: &App) -> Result<(), StoreError> {
    let now: Micros = app.clock.now();
    if !store::any_expired(&mut app.store.reader().await?, now).await? {
        return Ok(());
    }
    let forgotten: Result<u64, StoreError> = app
        .store
        .write(Intent::Upsert, move |tx| Box::pin(async move { store::forget(tx, now).await }))
        .await;
    forgotten.map(drop)
}
