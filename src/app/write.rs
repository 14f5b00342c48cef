//! Writing inside a transaction: create, update, patch and delete, alone or as entries of a Bundle.
//!
//! Each write stores its version at once and leaves what depends on the whole transaction (claims, served
//! slot status, references, protection of what is referred to) to [`Work::settle`].

use super::booking::Effect;
use super::events::Happened;
use super::references::Pending;
use super::within::{self, Judgement};
use super::{Answer, App, Body, Context, Version, audit, read, references, subscriptions, typed};
use crate::audit::act::Act;
use crate::audit::event::Scene;
use crate::audit::patients;
use crate::auth::scope::Right;
use crate::auth::{Access, Permit};
use crate::clock::{Micros, instant_text};
use crate::fhir::bundle::in_entry;
use crate::fhir::interaction::{Instance, Interaction, Target, WriteConditions};
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::patch;
use crate::fhir::registry::{ResourceType, resource_type};
use crate::store::events::NewEvent;
use crate::store::resource::{self, Method, NewVersion, Stored};
use crate::store::{Tx, index};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What one transaction has still to settle before it commits.
#[derive(Debug)]
pub struct Work {
    /// What the caller may do.
    pub access: Arc<Access>,
    /// The time of the whole transaction.
    pub now: Micros,
    /// Public base of the FHIR endpoint.
    pub base: String,
    /// Why taken time may be booked over.
    pub override_reason: Option<String>,
    /// The Bundle entry being carried out, named in what is found wrong with it.
    pub entry: Option<usize>,
    /// Whether at most one appointment is written, so that nothing in this transaction can free its time first;
    /// and the caller may know of every slot, so that a look at it before it is checked tells nothing.
    pub sole_booking: bool,
    /// Whether no hold was found to have lapsed.
    pub(super) none_lapsed: bool,
    pub(super) effects: Vec<Effect>,
    pub(super) references: Vec<Pending>,
    deleted: Vec<(&'static str, String, Option<usize>)>,
    /// What is judged once all is written.
    pub(super) judgements: Vec<Judgement>,
    /// What goes on the record.
    pub(super) written: Vec<Written>,
    /// What happened, for the event log.
    pub(super) happened: Vec<NewEvent>,
    /// In what it happens.
    pub(super) scene: Scene,
}

/// A version that was written.
#[derive(Debug)]
pub(super) struct Written {
    /// What was done.
    pub(super) act: Act,
    /// `Type/id/_history/vid`
    pub(super) version: String,
    /// Logical ids of the patients whom it is about, before or after.
    pub(super) patients: BTreeSet<String>,
    /// Versions of others that followed from it, such as those of slots that a booking fills.
    pub(super) followed: Vec<String>,
}

impl Work {
    /// Begins a transaction's work.
    pub fn begin(app: &App, ctx: &Context) -> Self {
        let slots = resource_type("Slot").and_then(|slot| ctx.access.permit_reference(slot).ok());
        Self {
            access: Arc::clone(&ctx.access),
            now: app.clock.now(),
            base: ctx.base.clone(),
            override_reason: ctx.override_reason.clone(),
            entry: None,
            sole_booking: slots.is_some_and(|permit| permit.filter().is_none()),
            none_lapsed: false,
            effects: Vec::new(),
            references: Vec::new(),
            deleted: Vec::new(),
            judgements: Vec::new(),
            written: Vec::new(),
            happened: Vec::new(),
            scene: audit::scene(ctx),
        }
    }

    /// Settles what depends on the whole transaction: claims are freed before claims are taken, so one
    /// transaction can cancel a booking and give its time to another.
    ///
    /// # Errors
    /// 403 for what was written beyond the permit, 409 naming every conflict, 422 for references to nothing, 409 for a deletion of what is referred to.
    pub async fn settle(mut self, tx: &mut Tx, app: &App) -> Result<(), Error> {
        within::settle(tx, &self.judgements).await?;
        references::check(tx, &self.access, &self.references).await?;
        super::booking::settle(tx, app, &mut self).await?;
        if app.config.references.protect_delete {
            for (rtype, id, entry) in &self.deleted {
                if let Some((by, by_id)) = resource::referrer(tx, rtype, id).await? {
                    let referrer = within::nameable(tx, &self.access, &by, &by_id).await?;
                    let message = format!("{rtype}/{id} can't be deleted: {referrer} refers to it");
                    let error = Error::new(Kind::Conflict, message);
                    return Err(entry.map_or(error.clone(), |index| in_entry(error, index, false)));
                }
            }
        }
        crate::store::events::record(tx, &self.happened).await?;
        audit::written(tx, app, &self).await
    }
}

/// Checks the body of a writing interaction before any transaction begins; returns its warnings.
///
/// # Errors
/// 400 when the body is missing or of another type, 422 with every problem of it.
pub fn check(app: &App, interaction: &Interaction, body: &Body) -> Result<Vec<Issue>, Error> {
    let rtype = match interaction {
        Interaction::Create { rtype, .. } => *rtype,
        Interaction::Update(target, _) => target.rtype(),
        _ => return Ok(Vec::new()),
    };
    let Body::Resource(resource) = body else {
        return Err(Error::bad_request(format!("The body must be a {} resource", rtype.name)));
    };
    check_resource(app, rtype, resource)
}

/// Checks one resource; returns its warnings.
///
/// # Errors
/// 400 when it is of another type, 422 with every problem of it.
pub fn check_resource(app: &App, rtype: &ResourceType, resource: &Value) -> Result<Vec<Issue>, Error> {
    let said = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    if said != rtype.name {
        let message =
            format!("The body says resourceType \"{}\" where {} belongs", printable(said), rtype.name);
        return Err(Error::of(Kind::BadRequest, vec![Issue::error("invalid", message).at("resourceType")]));
    }
    let issues = app.validator.validate(rtype.name, resource);
    if issues.iter().any(Issue::is_error) { Err(Error::of(Kind::Unprocessable, issues)) } else { Ok(issues) }
}

/// The beginning of a text from the client, fit for a message.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// Carries out one writing interaction whose body passed [`check`]. `new_id` is the id that a Bundle minted
/// for a resource it creates.
pub async fn carry_out(
    tx: &mut Tx,
    app: &App,
    work: &mut Work,
    interaction: &Interaction,
    body: &Body,
    new_id: Option<String>,
) -> Result<Answer, Error> {
    match (interaction, body) {
        (Interaction::Create { rtype, if_none_exist }, Body::Resource(resource)) => {
            create(tx, app, work, rtype, resource.clone(), if_none_exist.as_deref(), new_id).await
        }
        (Interaction::Update(target, conditions), Body::Resource(resource)) => {
            update(tx, app, work, target, conditions, resource.clone(), new_id).await
        }
        (Interaction::Patch(target, conditions), patch) => {
            patch_resource(tx, app, work, target, conditions, patch).await
        }
        (Interaction::Delete(target, conditions), _) => delete(tx, app, work, target, conditions).await,
        _ => Err(Error::bad_request("A resource is needed in the body")),
    }
}

/// `POST Type`
async fn create(
    tx: &mut Tx,
    app: &App,
    work: &mut Work,
    rtype: &'static ResourceType,
    body: Value,
    if_none_exist: Option<&str>,
    new_id: Option<String>,
) -> Result<Answer, Error> {
    let permit = work.access.permit(Right::Create, rtype)?;
    if let Some(query) = if_none_exist
        && let Some(instance) = matching(tx, app, &work.access, rtype, query).await?
    {
        return within::matched(tx, &work.access, &instance).await;
    }
    let id = new_id.unwrap_or_else(|| app.clock.new_id());
    store_version(tx, app, work, &permit, &Instance { rtype, id }, None, body, Method::Post).await
}

/// The one resource that matches, under a lock that makes equal searches run one after the other.
async fn matching(
    tx: &mut Tx,
    app: &App,
    access: &Access,
    rtype: &'static ResourceType,
    query: &str,
) -> Result<Option<Instance>, Error> {
    resource::lock_search(tx, rtype.name, query).await?;
    let found = super::search::matching(tx, app, access, rtype, query, 2).await?;
    match found.as_slice() {
        [] => Ok(None),
        [id] => Ok(Some(Instance { rtype, id: id.clone() })),
        _ => Err(Error::new(
            Kind::PreconditionFailed,
            format!("More than one {} matches the condition", rtype.name),
        )),
    }
}

/// `PUT Type/id`, `PUT Type?query`
async fn update(
    tx: &mut Tx,
    app: &App,
    work: &mut Work,
    target: &Target,
    conditions: &WriteConditions,
    body: Value,
    new_id: Option<String>,
) -> Result<Answer, Error> {
    let said = body.get("id").and_then(Value::as_str).map(str::to_owned);
    let mut chosen_here = false;
    let instance = match target {
        Target::Instance(instance) => {
            check_id(said.as_deref(), &instance.id)?;
            instance.clone()
        }
        Target::Matching(rtype, query) => {
            if let Some(instance) = matching(tx, app, &work.access, rtype, query).await? {
                if said.is_some() {
                    check_id(said.as_deref(), &instance.id)?;
                }
                instance
            } else {
                chosen_here = said.is_none();
                Instance { rtype, id: said.or(new_id).unwrap_or_else(|| app.clock.new_id()) }
            }
        }
    };
    let permit = work.access.permit(Right::Update, instance.rtype)?;
    let current = resource::find(tx, &permit, instance.rtype, &instance.id).await?;
    check_conditions(current.as_ref(), conditions)?;
    let permit = if current.as_ref().is_some_and(|stored| !stored.deleted) {
        permit
    } else {
        let found = current.is_some();
        within::permit_under_id(tx, work, &permit, &instance, found, chosen_here).await?
    };
    store_version(tx, app, work, &permit, &instance, current, body, Method::Put).await
}

fn check_id(said: Option<&str>, id: &str) -> Result<(), Error> {
    match said {
        Some(said) if said == id => Ok(()),
        Some(said) => {
            let message = format!("The body has id \"{}\", the URL \"{id}\"", printable(said));
            Err(Error::of(Kind::BadRequest, vec![Issue::error("invalid", message).at("id")]))
        }
        None => {
            let message = format!("The body must have the id of the URL, \"{id}\"");
            Err(Error::of(Kind::BadRequest, vec![Issue::error("required", message).at("id")]))
        }
    }
}

fn check_conditions(current: Option<&Stored>, conditions: &WriteConditions) -> Result<(), Error> {
    let live = current.filter(|stored| !stored.deleted);
    if let Some(tags) = &conditions.if_match
        && !live.is_some_and(|stored| read::names_version(tags, stored.vid))
    {
        let now = live.map_or("nothing".to_owned(), |stored| format!("version {}", stored.vid));
        return Err(Error::new(
            Kind::PreconditionFailed,
            format!("If-Match names another version; current is {now}"),
        ));
    }
    if let Some(tags) = &conditions.if_none_match
        && live.is_some_and(|stored| read::names_version(tags, stored.vid))
    {
        return Err(Error::new(Kind::PreconditionFailed, "If-None-Match: the resource exists"));
    }
    Ok(())
}

/// The live resource that a patch or a deletion is aimed at.
async fn live(
    tx: &mut Tx,
    app: &App,
    access: &Access,
    permit: &Permit,
    target: &Target,
    conditions: &WriteConditions,
) -> Result<Option<(Instance, Option<Stored>)>, Error> {
    let instance = match target {
        Target::Instance(instance) => instance.clone(),
        Target::Matching(rtype, query) => match matching(tx, app, access, rtype, query).await? {
            Some(instance) => instance,
            None => return Ok(None),
        },
    };
    let current = resource::find(tx, permit, instance.rtype, &instance.id).await?;
    check_conditions(current.as_ref(), conditions)?;
    Ok(Some((instance, current)))
}

/// `PATCH Type/id`, `PATCH Type?query`
async fn patch_resource(
    tx: &mut Tx,
    app: &App,
    work: &mut Work,
    target: &Target,
    conditions: &WriteConditions,
    patch: &Body,
) -> Result<Answer, Error> {
    let permit = work.access.permit(Right::Update, target.rtype())?;
    let Some((instance, current)) = live(tx, app, &work.access, &permit, target, conditions).await? else {
        return Err(Error::new(Kind::NotFound, "Nothing matches the condition"));
    };
    let Some(current) = current else { return Err(Error::not_found(instance.rtype.name, &instance.id)) };
    if current.deleted {
        return Err(read::gone(instance.rtype.name, &instance.id));
    }
    let old = parse(&current)?;
    let new = match patch {
        Body::JsonPatch(document) => patch::json(&old, document)?,
        Body::FhirPathPatch(parameters) | Body::Resource(parameters) => patch::fhirpath(&old, parameters)?,
        Body::Empty => return Err(Error::bad_request("A patch is needed in the body")),
    };
    check_resource(app, instance.rtype, &new)?;
    let answer = store_version(tx, app, work, &permit, &instance, Some(current), new, Method::Patch).await?;
    within::readable(tx, &work.access, &instance, answer).await
}

/// `DELETE Type/id`, `DELETE Type?query`
async fn delete(
    tx: &mut Tx,
    app: &App,
    work: &mut Work,
    target: &Target,
    conditions: &WriteConditions,
) -> Result<Answer, Error> {
    let done = Answer { status: 204, ..Answer::default() };
    let permit = work.access.permit(Right::Delete, target.rtype())?;
    let Some((instance, current)) = live(tx, app, &work.access, &permit, target, conditions).await? else {
        return Ok(done);
    };
    let Some(current) = current else { return Err(Error::not_found(instance.rtype.name, &instance.id)) };
    if current.deleted {
        return Ok(done);
    }
    let old = parse(&current)?;
    typed::before_delete(tx, work, &instance, &current, &old).await?;
    let at_us = work.now.max(current.updated_us);
    let new = NewVersion {
        rtype: instance.rtype.name,
        id: &instance.id,
        method: Method::Delete,
        at_us,
        body: &current.body,
    };
    let vid = resource::replace(tx, &permit, &current, new).await?;
    let happened = Happened { rid: current.rid, id: &instance.id, vid, before_vid: Some(current.vid), at_us };
    work.happened.extend(happened.to(instance.rtype.name, Some(&old), None));
    index::write(tx, current.rid, instance.rtype, Some(&old), None).await?;
    typed::remove(tx, &instance, &current).await?;
    let mut whose = BTreeSet::new();
    patients::add(instance.rtype.name, &instance.id, &current.body, &mut whose);
    let version = location(instance.rtype, &instance.id, vid);
    work.written.push(Written { act: Act::Delete, version, patients: whose, followed: Vec::new() });
    work.deleted.push((instance.rtype.name, instance.id, work.entry));
    Ok(Answer { version: Some(Version { vid, updated_us: at_us }), ..done })
}

/// Stores the next version of a resource, or its first, within the permit.
#[allow(clippy::too_many_arguments)]
pub(super) async fn store_version(
    tx: &mut Tx,
    app: &App,
    work: &mut Work,
    permit: &Permit,
    instance: &Instance,
    current: Option<Stored>,
    mut body: Value,
    method: Method,
) -> Result<Answer, Error> {
    let (rtype, id) = (instance.rtype, instance.id.as_str());
    references::localise(&mut body, &work.base);
    let live = current.as_ref().filter(|stored| !stored.deleted);
    let old = live.map(parse).transpose()?;
    if rtype.name == "Subscription" {
        subscriptions::mark(&work.access, old.as_ref(), &mut body);
    }
    if app.config.references.checked(rtype.name) {
        work.references.extend(references::pending(rtype.name, &body, old.as_ref(), work.entry));
    }
    // Before anything is told of what the body refers to.
    within::before(app, work.now, permit, rtype, old.as_ref(), &body)?;
    let typed = typed::prepare(tx, app, work, instance, live, old.as_ref(), &mut body).await?;

    let at_us = current.as_ref().map_or(work.now, |stored| work.now.max(stored.updated_us));
    let vid = current.as_ref().map_or(1, |stored| stored.vid + 1);
    let body = stamp(body, id, vid, at_us);
    let bytes = serde_json::to_vec(&body).map_err(|e| Error::internal(e.to_string()))?;
    within_limit(app, rtype, &bytes)?;
    let new = NewVersion { rtype: rtype.name, id, method, at_us, body: &bytes };
    let mut whose = BTreeSet::new();
    patients::add(rtype.name, id, &bytes, &mut whose);
    if let Some(stored) = live {
        patients::add(rtype.name, id, &stored.body, &mut whose);
    }
    let act = match method {
        Method::Post => Act::Create,
        Method::Put => Act::Update,
        Method::Patch => Act::Patch,
        Method::Delete => Act::Delete,
    };
    let version = location(rtype, id, vid);
    work.written.push(Written { act, version, patients: whose, followed: Vec::new() });
    let rid = match &current {
        Some(stored) => {
            resource::replace(tx, permit, stored, new).await?;
            stored.rid
        }
        None => resource::insert(tx, permit, new).await?,
    };
    let happened = Happened { rid, id, vid, before_vid: live.map(|stored| stored.vid), at_us };
    work.happened.extend(happened.to(rtype.name, old.as_ref(), Some(&body)));
    within::after(work, permit, rtype, rid, &body)?;
    index::write(tx, rid, rtype, old.as_ref(), Some(&body)).await?;
    typed::put(tx, work, instance, rid, live.is_some(), typed).await?;
    Ok(Answer {
        status: if live.is_some() { 200 } else { 201 },
        resource: Some(Bytes::from(bytes)),
        version: Some(Version { vid, updated_us: at_us }),
        location: Some(location(rtype, id, vid)),
        ..Answer::default()
    })
}

fn within_limit(app: &App, rtype: &ResourceType, bytes: &[u8]) -> Result<(), Error> {
    let limit = app.config.fhir.resource_limit.get();
    if bytes.len() <= limit {
        return Ok(());
    }
    let message = format!("The {} has {} bytes; the limit is {limit}", rtype.name, bytes.len());
    Err(Error::new(Kind::TooLarge, message))
}

/// A stored body as JSON.
pub(super) fn parse(stored: &Stored) -> Result<Value, Error> {
    serde_json::from_slice(&stored.body)
        .map_err(|e| Error::internal(format!("a stored body is not JSON: {e}")))
}

pub(super) fn location(rtype: &ResourceType, id: &str, vid: i64) -> String {
    format!("{}/{id}/_history/{vid}", rtype.name)
}

/// The body as it is served: type, id and `meta` first, version and time set by us.
pub(super) fn stamp(body: Value, id: &str, vid: i64, at_us: Micros) -> Value {
    let Value::Object(mut body) = body else { return body };
    let mut stamped = Map::with_capacity(body.len() + 2);
    let mut meta = Map::new();
    meta.insert("versionId".to_owned(), Value::String(vid.to_string()));
    meta.insert("lastUpdated".to_owned(), Value::String(instant_text(at_us)));
    if let Some(Value::Object(said)) = body.shift_remove("meta") {
        meta.extend(said.into_iter().filter(|(key, _)| {
            !matches!(key.as_str(), "versionId" | "lastUpdated" | "_versionId" | "_lastUpdated")
        }));
    }
    if let Some(rtype) = body.shift_remove("resourceType") {
        stamped.insert("resourceType".to_owned(), rtype);
    }
    stamped.insert("id".to_owned(), Value::String(id.to_owned()));
    stamped.insert("meta".to_owned(), Value::Object(meta));
    stamped.extend(body.into_iter().filter(|(key, _)| key != "id"));
    Value::Object(stamped)
}
