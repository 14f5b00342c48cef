//! A transaction Bundle: one transaction of the database, all or nothing.
//!
//! Entries are carried out as R4 orders them: DELETE, POST, PUT and PATCH, GET. Claims on time are settled
//! after the last write, so that one Bundle can move a booking whatever the order of its entries.

use super::{Mode, Shape, answer};
use crate::app::authorize::authorize;
use crate::app::write::{self, Work};
use crate::app::{Answer, App, Body, Context, audit, booking, history, idempotent, read, search};
use crate::auth::Denied;
use crate::auth::scope::Right;
use crate::fhir::bundle::{
    Entry, EntryBody, Response, Rewrite, conditional_references, entry_expression, in_entry, merge,
    unresolved,
};
use crate::fhir::capability;
use crate::fhir::interaction::{Interaction, Target};
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::registry::{ResourceType, resource_type};
use crate::store::{Intent, Tx};
use bytes::Bytes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The entries and what could be settled before the transaction began.
struct Plan {
    entries: Vec<Planned>,
    warnings: Vec<Vec<Issue>>,
}

struct Planned {
    entry: Entry,
    shape: Shape,
    /// The id that the resource gets if the entry creates one: known beforehand, so that entries can refer
    /// to each other in circles.
    id: Option<String>,
}

/// Carries out a transaction.
///
/// # Errors
/// The first failure, with its entry named; nothing has changed then.
pub(super) async fn process(
    app: &App,
    ctx: &Context,
    entries: Vec<Entry>,
    key: Option<idempotent::Key>,
) -> Result<Answer, Error> {
    let asked: Vec<audit::Asked> = entries.iter().map(|entry| audit::Asked::of(&entry.interaction)).collect();
    let done = all_or_nothing(app, ctx, entries, key).await;
    let (outcome, seen) = match done {
        Ok((answer, seen)) => (Ok(answer), seen),
        Err(error) => (Err(error), Seen::new()),
    };
    audit::decided(app, ctx, &asked, &outcome, &seen).await?;
    outcome
}

/// The patients whose data each entry read, by the entry's position.
type Seen = BTreeMap<usize, BTreeSet<String>>;

async fn all_or_nothing(
    app: &App,
    ctx: &Context,
    entries: Vec<Entry>,
    key: Option<idempotent::Key>,
) -> Result<(Answer, Seen), Error> {
    for entry in &entries {
        let denied = |denied: Denied| in_entry(denied.into(), entry.index, false);
        if entry.interaction.rtype().is_some_and(ResourceType::is_logged) {
            let message = "An AuditEvent can't be part of a transaction";
            return Err(in_entry(Error::new(Kind::MethodNotAllowed, message), entry.index, false));
        }
        authorize(ctx, &entry.interaction).map_err(denied)?;
    }
    let plan = plan(app, entries)?;
    if plan.entries.iter().any(|p| phase(&p.entry.interaction) == Phase::Read) {
        booking::lapse_due(app).await?;
    }
    let deletes = plan.entries.iter().any(|p| phase(&p.entry.interaction) == Phase::Delete);
    let intent = if deletes { Intent::Delete } else { Intent::Upsert };
    let (app_, shared) = (app.clone(), Arc::new((ctx.clone(), plan, key)));
    app.store
        .write(intent, move |tx| {
            let (app, shared) = (app_.clone(), shared.clone());
            Box::pin(async move {
                let (ctx, plan, key) = shared.as_ref();
                let mut work = Work::begin(&app, ctx);
                work.sole_booking &= plan.books_at_most_once();
                if let Some(answer) = idempotent::recall(tx, key.as_ref(), work.now).await? {
                    return Ok((answer, Seen::new()));
                }
                let (responses, seen) = Run { app: &app, ctx, plan }.carry_out(tx, work).await?;
                let answer = answer(Mode::Transaction, &responses);
                idempotent::keep(tx, key.as_ref(), &answer).await?;
                Ok((answer, seen))
            })
        })
        .await
}

impl Plan {
    /// Whether at most one entry writes an appointment.
    fn books_at_most_once(&self) -> bool {
        let books = |p: &&Planned| {
            phase(&p.entry.interaction) != Phase::Read
                && p.entry.interaction.rtype().is_some_and(|t| t.name == "Appointment")
        };
        self.entries.iter().filter(books).count() <= 1
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Delete,
    Create,
    Update,
    Read,
}

fn phase(interaction: &Interaction) -> Phase {
    match interaction {
        Interaction::Delete(..) => Phase::Delete,
        Interaction::Create { .. } => Phase::Create,
        Interaction::Update(..) | Interaction::Patch(..) => Phase::Update,
        _ => Phase::Read,
    }
}

/// Mints ids and checks every body, before the database is asked for anything.
fn plan(app: &App, entries: Vec<Entry>) -> Result<Plan, Error> {
    let mut rewrite = Rewrite::default();
    let mut planned = Vec::with_capacity(entries.len());
    let mut failures = Vec::new();
    for entry in entries {
        if matches!(entry.interaction, Interaction::Operation { .. }) {
            let message = "An operation can't be part of a transaction; a batch may have it";
            let issue = Issue::error("not-supported", message);
            failures.push(in_entry(Error::of(Kind::BadRequest, vec![issue]), entry.index, false));
        }
        let id = match &entry.interaction {
            Interaction::Create { .. } => Some(app.clock.new_id()),
            Interaction::Update(Target::Matching(..), _) => {
                Some(body_id(&entry.body).map_or_else(|| app.clock.new_id(), str::to_owned))
            }
            _ => None,
        };
        let shape = Shape::of(&entry.interaction);
        let planned_entry = Planned { entry, shape, id };
        if let (Some(url), Some(name)) = (&planned_entry.entry.full_url, planned_entry.name()) {
            rewrite.insert(url.clone(), name);
        }
        planned.push(planned_entry);
    }
    let mut warnings = Vec::with_capacity(planned.len());
    for planned in &planned {
        match check(app, planned, &rewrite) {
            Ok(found) => warnings.push(found),
            Err(error) => failures.push(error),
        }
    }
    match merge(failures) {
        None => Ok(Plan { entries: planned, warnings }),
        Some(error) => Err(error),
    }
}

/// Checks an entry's resource as it will be stored; conditional references are not known yet and stand in
/// for themselves.
fn check(app: &App, planned: &Planned, rewrite: &Rewrite) -> Result<Vec<Issue>, Error> {
    let entry = &planned.entry;
    let EntryBody::Resource(resource) = &entry.body else { return Ok(Vec::new()) };
    if phase(&entry.interaction) == Phase::Read {
        return Ok(Vec::new());
    }
    let mut resource = resource.clone();
    rewrite.apply(&mut resource, entry.full_url.as_deref());
    let dangling = unresolved(&resource);
    let mut stand_in = Rewrite::default();
    for conditional in conditional_references(&resource) {
        let rtype = conditional.split('?').next().unwrap_or_default().to_owned();
        stand_in.insert(conditional, format!("{rtype}/conditional"));
    }
    stand_in.apply(&mut resource, None);
    let checked = write::check(app, &entry.interaction, &Body::Resource(resource))
        .map_err(|error| in_entry(error, entry.index, true));
    if dangling.is_empty() {
        return checked;
    }
    let issues = dangling.into_iter().map(|(urn, at)| {
        Issue::error("not-found", format!("No entry has the fullUrl {urn:.100}")).at(entry_expression(
            Some(&at),
            entry.index,
            true,
        ))
    });
    let mut failures: Vec<Error> = checked.err().into_iter().collect();
    failures.push(Error::of(Kind::Unprocessable, issues.collect()));
    Err(merge(failures).unwrap_or_else(|| Error::internal("no failure to report")))
}

fn body_id(body: &EntryBody) -> Option<&str> {
    match body {
        EntryBody::Resource(resource) => resource.get("id").and_then(Value::as_str),
        _ => None,
    }
}

impl Planned {
    /// `Type/id` of what the entry writes, as far as it is known.
    fn name(&self) -> Option<String> {
        match (&self.entry.interaction, &self.id) {
            (
                Interaction::Create { rtype, .. } | Interaction::Update(Target::Matching(rtype, _), _),
                Some(id),
            ) => Some(format!("{}/{id}", rtype.name)),
            (
                Interaction::Update(Target::Instance(of), _) | Interaction::Patch(Target::Instance(of), _),
                _,
            ) => Some(format!("{}/{}", of.rtype.name, of.id)),
            _ => None,
        }
    }

    /// The condition that decides whether the entry finds a resource or makes one.
    fn condition(&self) -> Option<(&'static ResourceType, &str)> {
        match &self.entry.interaction {
            Interaction::Create { rtype, if_none_exist: Some(query) }
            | Interaction::Update(Target::Matching(rtype, query), _)
            | Interaction::Patch(Target::Matching(rtype, query), _) => Some((rtype, query)),
            _ => None,
        }
    }
}

struct Run<'a> {
    app: &'a App,
    ctx: &'a Context,
    plan: &'a Plan,
}

impl Run<'_> {
    async fn carry_out(&self, tx: &mut Tx, mut work: Work) -> Result<(Vec<Response>, Seen), Error> {
        let (mut responses, mut seen) = (BTreeMap::new(), Seen::new());
        self.write(tx, &mut work, Phase::Delete, &Rewrite::default(), &mut responses).await?;
        let rewrite = self.resolve(tx).await?;
        self.write(tx, &mut work, Phase::Create, &rewrite, &mut responses).await?;
        self.write(tx, &mut work, Phase::Update, &rewrite, &mut responses).await?;
        work.entry = None;
        work.settle(tx, self.app).await?;
        for (position, planned) in self.entries(Phase::Read) {
            let answer = self.read(tx, &planned.entry.interaction).await;
            let answer = answer.map_err(|error| in_entry(error, planned.entry.index, false))?;
            seen.insert(position, answer.patients.clone());
            responses.insert(position, planned.shape.respond(self.ctx, answer));
        }
        Ok((responses.into_values().collect(), seen))
    }

    fn entries(&self, of: Phase) -> impl Iterator<Item = (usize, &Planned)> {
        let planned = self.plan.entries.iter().enumerate();
        planned.filter(move |(_, planned)| phase(&planned.entry.interaction) == of)
    }

    /// What every `fullUrl` and conditional reference stands for, once deletions are done.
    async fn resolve(&self, tx: &mut Tx) -> Result<Rewrite, Error> {
        let mut rewrite = Rewrite::default();
        let mut wanted = BTreeSet::new();
        for planned in &self.plan.entries {
            if let (EntryBody::Resource(body), true) = (&planned.entry.body, planned.shape.writes) {
                wanted.extend(conditional_references(body).into_iter().map(|r| (r, planned.entry.index)));
            }
            let Some(url) = &planned.entry.full_url else { continue };
            let mut name = planned.name();
            if let Some((rtype, query)) = planned.condition()
                && let Some(id) = self.only_match(tx, rtype, query, planned.entry.index).await?
            {
                name = Some(format!("{}/{id}", rtype.name));
            }
            if let Some(name) = name {
                rewrite.insert(url.clone(), name);
            }
        }
        let mut seen = BTreeSet::new();
        for (reference, index) in wanted {
            if !seen.insert(reference.clone()) {
                continue;
            }
            let Some((rtype, query)) = reference.split_once('?') else { continue };
            let Some(rtype) = resource_type(rtype) else { continue };
            let Some(id) = self.only_match(tx, rtype, query, index).await? else {
                let message = format!("The conditional reference {reference:.200} matches nothing");
                return Err(in_entry(Error::new(Kind::PreconditionFailed, message), index, false));
            };
            rewrite.insert(reference.clone(), format!("{}/{id}", rtype.name));
        }
        Ok(rewrite)
    }

    async fn only_match(
        &self,
        tx: &mut Tx,
        rtype: &'static ResourceType,
        query: &str,
        index: usize,
    ) -> Result<Option<String>, Error> {
        let found = search::matching(tx, self.app, &self.ctx.access, rtype, query, 2).await;
        let found = found.map_err(|error| in_entry(error, index, false))?;
        match found.as_slice() {
            [] => Ok(None),
            [id] => Ok(Some(id.clone())),
            _ => {
                let message = format!("More than one {} matches {query:.200}", rtype.name);
                Err(in_entry(Error::new(Kind::PreconditionFailed, message), index, false))
            }
        }
    }

    async fn write(
        &self,
        tx: &mut Tx,
        work: &mut Work,
        of: Phase,
        rewrite: &Rewrite,
        responses: &mut BTreeMap<usize, Response>,
    ) -> Result<(), Error> {
        for (position, planned) in self.entries(of) {
            let entry = &planned.entry;
            let mut body = Body::from(entry.body.clone());
            let of_body = matches!(body, Body::Resource(_));
            if let Body::Resource(resource) = &mut body {
                rewrite.apply(resource, entry.full_url.as_deref());
            }
            work.entry = Some(entry.index);
            let done = write::carry_out(tx, self.app, work, &entry.interaction, &body, planned.id.clone());
            let mut answer = done.await.map_err(|error| in_entry(error, entry.index, of_body))?;
            check_identity(planned, &answer, rewrite)?;
            if let Some(warnings) = self.plan.warnings.get(position) {
                answer.issues.extend(warnings.iter().cloned());
            }
            responses.insert(position, planned.shape.respond(self.ctx, answer));
        }
        Ok(())
    }

    async fn read(&self, tx: &mut Tx, interaction: &Interaction) -> Result<Answer, Error> {
        match interaction {
            Interaction::Read(instance, conditions) => {
                let permit = self.ctx.access.permit(Right::Read, instance.rtype)?;
                read::read_in(tx, &permit, instance, conditions).await
            }
            Interaction::VersionRead(instance, vid) => {
                let permit = self.ctx.access.permit(Right::Read, instance.rtype)?;
                read::version_read_in(tx, &permit, instance, vid).await
            }
            Interaction::Search(search) => search::search_in(tx, self.app, self.ctx, search).await,
            Interaction::History { rtype, id, query } => {
                history::history_in(tx, self.app, self.ctx, *rtype, id.as_deref(), query).await
            }
            Interaction::Capabilities => Ok(Answer {
                status: 200,
                resource: Some(Bytes::from(capability::statement(&self.ctx.base).to_string())),
                ..Answer::default()
            }),
            _ => Err(Error::bad_request("This can't be part of a transaction")),
        }
    }
}

/// Refuses a condition that an earlier entry of the same transaction made true: other entries were
/// already told another name.
fn check_identity(planned: &Planned, answer: &Answer, rewrite: &Rewrite) -> Result<(), Error> {
    let (Some(url), Some(location)) = (&planned.entry.full_url, &answer.location) else { return Ok(()) };
    let written = location.split("/_history/").next().unwrap_or_default();
    let mut named = serde_json::json!({ "reference": url });
    rewrite.apply(&mut named, None);
    if planned.condition().is_none() || named.get("reference").and_then(Value::as_str) == Some(written) {
        return Ok(());
    }
    let message = "Another entry of this transaction writes what this entry's condition matches";
    Err(in_entry(Error::new(Kind::PreconditionFailed, message), planned.entry.index, false))
}
