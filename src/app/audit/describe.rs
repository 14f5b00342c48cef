//! What a FHIR request was, in the terms of the record.

use super::record;
use crate::app::write::Work;
use crate::app::{Answer, App, Context};
use crate::audit::act::Act;
use crate::audit::event::{Actor, Event, Outcome, Person, Recorded, Scene};
use crate::audit::{clean, patients};
use crate::auth::consent::Decision;
use crate::auth::principal::{Principal, Who};
use crate::auth::rule;
use crate::auth::token::issuer_of;
use crate::fhir::interaction::{Interaction, Target};
use crate::fhir::outcome::Error;
use crate::fhir::registry::ResourceType;
use crate::store::{Tx, audit};
use std::collections::{BTreeMap, BTreeSet};

/// The most patients named by one search that get an event of their own, so that a long list does not become many
/// thousand events; the search itself is on the record in any case.
const MOST_NAMED: usize = 200;

/// Whether FHIR requests go on the record: always, except in a build that measures what this costs and can't serve.
const RECORDED: bool = !cfg!(feature = "unaudited");

/// What a request asked for, kept until it is known how it ended.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What it is.
    pub act: Act,
    /// `Type/id` that it names.
    instance: Option<String>,
    /// What it asks, for searches and what else is no plain address.
    query: Option<String>,
    /// Patients that it names.
    named: BTreeSet<String>,
    /// The type that it is about, and what is done with it, when consents may have a say.
    judged: Option<(&'static str, rule::Act)>,
}

impl Asked {
    /// What an interaction asks for.
    pub fn of(interaction: &Interaction) -> Self {
        let of_log = interaction.rtype().is_some_and(ResourceType::is_logged);
        let act = match Act::of(interaction) {
            Act::Read | Act::Search if of_log => Act::AuditRead,
            Act::Operation if matches!(interaction, Interaction::Operation { name, .. } if name == "export") => {
                Act::Export
            }
            act => act,
        };
        let asks = |path: String, query: &str| Some(clean::query(&format!("{path}?{query}")));
        let type_name = |rtype: Option<&ResourceType>| rtype.map_or("", |rt| rt.name);
        let mut named = BTreeSet::new();
        let (instance, query) = match interaction {
            Interaction::Capabilities | Interaction::Bundle => (None, None),
            Interaction::Read(instance, _) => (Some(address(instance.rtype.name, &instance.id)), None),
            Interaction::VersionRead(instance, vid) => {
                (Some(format!("{}/{}/_history/{vid}", instance.rtype.name, instance.id)), None)
            }
            Interaction::Search(search) => {
                let path = match &search.compartment {
                    Some((owner, id)) => format!("{owner}/{id}/{}", type_name(search.rtype)),
                    None => type_name(search.rtype).to_owned(),
                };
                name_patients(interaction, &search.query, &mut named);
                (None, asks(path, &search.query))
            }
            Interaction::History { rtype, id, query } => {
                let path = format!("{}/{}/_history", type_name(*rtype), id.as_deref().unwrap_or_default());
                (id.as_deref().map(|id| address(type_name(*rtype), id)), asks(path, query))
            }
            Interaction::Create { rtype, if_none_exist } => {
                (None, if_none_exist.as_deref().and_then(|query| asks(rtype.name.to_owned(), query)))
            }
            Interaction::Update(target, _)
            | Interaction::Patch(target, _)
            | Interaction::Delete(target, _) => match target {
                Target::Instance(instance) => (Some(address(instance.rtype.name, &instance.id)), None),
                Target::Matching(rtype, query) => (None, asks(rtype.name.to_owned(), query)),
            },
            Interaction::Operation { name, rtype, id, query } => {
                let path = format!("{}/{}/${name}", type_name(*rtype), id.as_deref().unwrap_or_default());
                (id.as_deref().map(|id| address(type_name(*rtype), id)), asks(path, query))
            }
        };
        if let Some(id) = instance.as_deref().and_then(|instance| instance.strip_prefix("Patient/")) {
            named.insert(id.split('/').next().unwrap_or(id).to_owned());
        }
        Self { act, instance, query, named, judged: judged(interaction) }
    }

    /// The type that is read or searched for.
    pub(super) fn rtype(&self) -> Option<&'static str> {
        self.judged.map(|(rtype, _)| rtype)
    }

    /// Whether nobody is named, and nothing is asked for by way of other resources.
    pub(super) fn is_plain(&self) -> bool {
        let query =
            self.query.as_deref().and_then(|query| query.split_once('?')).map_or("", |(_, query)| query);
        let plain =
            |name: &str| !name.contains('.') && !matches!(bare(name), "_has" | "_include" | "_revinclude");
        self.named.is_empty() && form_urlencoded::parse(query.as_bytes()).all(|(name, _)| plain(&name))
    }
}

/// The name of a parameter without its modifier.
fn bare(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}

/// What consents decide about.
fn judged(interaction: &Interaction) -> Option<(&'static str, rule::Act)> {
    let act = match interaction {
        Interaction::Read(..) | Interaction::VersionRead(..) | Interaction::History { id: Some(_), .. } => {
            rule::Act::Read
        }
        Interaction::Search(_) | Interaction::History { .. } => rule::Act::Search,
        Interaction::Create { .. } => rule::Act::Create,
        Interaction::Update(..) | Interaction::Patch(..) => rule::Act::Update,
        Interaction::Delete(..) => rule::Act::Delete,
        Interaction::Capabilities | Interaction::Bundle | Interaction::Operation { .. } => return None,
    };
    interaction.rtype().map(|rtype| (rtype.name, act))
}

/// What consents decided against this request: kept to, or passed over in an emergency (IHE BALP, AuthZconsent).
fn decisions(
    ctx: &Context,
    asked: &Asked,
    outcome: &Result<Answer, Error>,
    whose: &BTreeSet<String>,
) -> Vec<Event> {
    let Some((rtype, act)) = asked.judged else { return Vec::new() };
    let principal = ctx.access.principal();
    let decided = whose.iter().filter_map(|patient| {
        let verdict = ctx.access.consent(act, rtype, patient);
        if verdict.decision != Decision::Deny {
            return None;
        }
        let emergency = principal.emergency.as_ref().filter(|emergency| emergency.patient == *patient);
        let mut event = Event::new(Act::ConsentDecision, actor(principal, &ctx.base), scene(ctx));
        event.patient = Some(patient.clone());
        event.data.extend(verdict.consent.map(|id| format!("Consent/{id}")));
        let event = event.detail("type", rtype);
        Some(match (emergency, outcome) {
            (Some(emergency), Ok(_)) => event.detail("emergency", &emergency.id),
            _ => event.denied("A consent of the patient denies this access"),
        })
    });
    decided.collect()
}

fn address(rtype: &str, id: &str) -> String {
    format!("{rtype}/{id}")
}

/// Patients that a search names: to learn that there is nothing about somebody is to learn something.
fn name_patients(interaction: &Interaction, query: &str, named: &mut BTreeSet<String>) {
    if let Interaction::Search(search) = interaction
        && let Some((owner, id)) = &search.compartment
        && owner == "Patient"
    {
        named.insert(id.clone());
    }
    let of_patients = interaction.rtype().is_some_and(|rt| rt.name == "Patient");
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let bare = name.split([':', '.']).next().unwrap_or_default();
        let is_patient = bare == "patient" || name.ends_with(":Patient") || (of_patients && bare == "_id");
        for one in value.split(',') {
            let id = match one.rsplit_once("Patient/") {
                Some((_, id)) => id,
                None if is_patient && !name.contains('.') => one,
                None => continue,
            };
            // Something else than an id is no patient: the query itself is on the record.
            if named.len() < MOST_NAMED && crate::fhir::interaction::is_id(id) {
                named.insert(id.to_owned());
            }
        }
    }
}

/// In what a request happens.
pub fn scene(ctx: &Context) -> Scene {
    Scene {
        address: ctx.address.map(|address| address.to_string()),
        server: ctx.base.clone(),
        request_id: ctx.request_id.clone(),
    }
}

/// Who makes a request to the FHIR base `base`.
pub fn actor(principal: &Principal, base: &str) -> Actor {
    let user = principal.fhir_user.as_ref();
    let fhir_user = user.map(|(rtype, id)| address(rtype, id));
    let (person, work) = match &principal.who {
        Who::Account(id) => {
            let issuer = issuer_of(base).to_owned();
            (Some(Person { issuer, subject: id.clone(), fhir_user }), None)
        }
        Who::Server(work) => (None, Some(*work)),
        Who::Client | Who::Sandbox => (None, None),
    };
    let anyone = (principal.who == Who::Sandbox).then(|| "sandbox".to_owned());
    Actor {
        client: principal.client.clone().or(anyone),
        person,
        roles: principal.roles.iter().map(|grant| grant.role.code()).collect(),
        organizations: principal.roles.iter().filter_map(|grant| grant.organization.clone()).collect(),
        token: principal.token.clone(),
        purpose: principal.emergency.as_ref().map(|emergency| emergency.purpose.code().to_owned()),
        work,
    }
}

/// Puts a request on the record with how it ended, unless its own transaction did.
///
/// # Errors
/// 503 when it can't be.
pub async fn conclude(
    app: &App,
    ctx: &Context,
    asked: &Asked,
    outcome: &Result<Answer, Error>,
) -> Result<(), Error> {
    if app.summaries.take(app, ctx, asked, outcome) {
        return Ok(());
    }
    app.recorder.record(concluded(app, ctx, asked, outcome)?).await
}

/// What [`conclude`] records.
///
/// # Errors
/// When there is no randomness.
pub fn concluded(
    app: &App,
    ctx: &Context,
    asked: &Asked,
    outcome: &Result<Answer, Error>,
) -> Result<Vec<Recorded>, Error> {
    if !RECORDED || matches!(outcome, Ok(answer) if answer.on_record) {
        return Ok(Vec::new());
    }
    let mut event = Event::new(asked.act, actor(ctx.access.principal(), &ctx.base), scene(ctx));
    let mut whose = asked.named.clone();
    if let Some(id) = &ctx.access.principal().patient {
        whose.insert(id.clone());
    }
    event.query.clone_from(&asked.query);
    event.data.extend(asked.instance.clone());
    match outcome {
        Ok(answer) => {
            if let (Some(instance), Some(version)) = (&asked.instance, answer.version)
                && asked.act != Act::VersionRead
            {
                event.data = vec![format!("{instance}/_history/{}", version.vid)];
            }
            whose.extend(answer.patients.iter().cloned());
            if let Some(bundle) = answer.resource.as_ref().filter(|_| is_bundled(asked.act)) {
                patients::add_bundled(bundle, &mut whose);
            }
        }
        Err(error) => {
            let said = error.issues.first().map_or("", |issue| issue.diagnostics.as_str());
            event.outcome = Outcome::of_status(error.kind.status(), said);
        }
    }
    let mut events = recorded(app, &event, &whose)?;
    for decision in decisions(ctx, asked, outcome, &whose) {
        events.push(record(app, &decision)?);
    }
    Ok(events)
}

/// Puts on the record what consents decided about the entries of a transaction, as about requests of their own;
/// `seen` are the patients whose data each read, by the entry's place in `asked`.
///
/// # Errors
/// 503 when it can't be.
pub async fn decided(
    app: &App,
    ctx: &Context,
    asked: &[Asked],
    outcome: &Result<Answer, Error>,
    seen: &BTreeMap<usize, BTreeSet<String>>,
) -> Result<(), Error> {
    let mut events = Vec::new();
    for (position, one) in asked.iter().enumerate() {
        let mut whose = one.named.clone();
        whose.extend(ctx.access.principal().patient.clone());
        whose.extend(seen.get(&position).into_iter().flatten().cloned());
        for decision in decisions(ctx, one, outcome, &whose) {
            events.push(record(app, &decision)?);
        }
    }
    if events.is_empty() {
        return Ok(());
    }
    app.recorder.record(events).await
}

/// Acts whose answers hold many resources that nobody looked at one by one.
fn is_bundled(act: Act) -> bool {
    matches!(act, Act::History | Act::Batch | Act::Transaction | Act::Operation)
}

/// One event for each patient, or one for none (IHE BALP, PatientQuery).
fn recorded(app: &App, event: &Event, whose: &BTreeSet<String>) -> Result<Vec<Recorded>, Error> {
    if whose.is_empty() {
        return Ok(vec![record(app, event)?]);
    }
    whose.iter().map(|id| record(app, &Event { patient: Some(id.clone()), ..event.clone() })).collect()
}

/// Puts what a transaction wrote on the record, in that transaction.
///
/// # Errors
/// When it can't be; the transaction must not commit then.
pub async fn written(tx: &mut Tx, app: &App, work: &Work) -> Result<(), Error> {
    if !RECORDED {
        return Ok(());
    }
    let actor = actor(work.access.principal(), &work.base);
    let mut events = Vec::with_capacity(work.written.len());
    for written in &work.written {
        let mut event = Event::new(written.act, actor.clone(), work.scene.clone());
        event.data = vec![written.version.clone()];
        event.followed.clone_from(&written.followed);
        event.details.extend(work.override_reason.clone().map(|reason| ("override", reason)));
        events.extend(recorded(app, &event, &written.patients)?);
    }
    Ok(audit::event::record(tx, &events).await?)
}

/// Puts a request on the record that was refused before it was understood.
///
/// # Errors
/// 503 when it can't be.
pub async fn refused(
    app: &App,
    principal: Option<&Principal>,
    scene: Scene,
    line: &str,
    error: &Error,
) -> Result<(), Error> {
    let actor = principal.map(|principal| actor(principal, &scene.server)).unwrap_or_default();
    let act = match line.split(' ').next().unwrap_or_default() {
        "GET" | "HEAD" => Act::Read,
        "POST" => Act::Create,
        "PUT" => Act::Update,
        "PATCH" => Act::Patch,
        "DELETE" => Act::Delete,
        _ => Act::Operation,
    };
    let said = error.issues.first().map_or("", |issue| issue.diagnostics.as_str());
    let mut event = Event::new(act, actor, scene);
    event.outcome = Outcome::of_status(error.kind.status(), said);
    event.query = Some(clean::query(line));
    app.recorder.record(vec![record(app, &event)?]).await
}
