//! Batch and transaction.

mod transaction;

use super::{Answer, App, Body, Context, audit, execute, idempotent};
use crate::audit::event::Recorded;
use crate::clock::instant_text;
use crate::fhir::bundle::{Entry, EntryBody, Mode, Response, in_entry, parse, write_response};
use crate::fhir::interaction::{Instance, Interaction};
use crate::fhir::outcome::Error;
use bytes::Bytes;
use futures_util::future::BoxFuture;

/// Carries out a batch or transaction Bundle.
///
/// # Errors
/// 400 or 413 for what is no such Bundle. Of a batch, a failed entry is an entry of the answer; of a
/// transaction, it is the error of the whole, with the entry named.
pub async fn process(app: &App, ctx: &Context, body: Body) -> Result<Answer, Error> {
    let key = idempotent::Key::of(ctx, &Interaction::Bundle, &body);
    let Body::Resource(bundle) = body else {
        return Err(Error::bad_request("A POST to the base takes a Bundle of type batch or transaction"));
    };
    let request = parse(bundle, &ctx.base, app.config.fhir.max_bundle_entries)?;
    match request.mode {
        Mode::Batch => Ok(batch(app, ctx, request.entries).await),
        Mode::Transaction => transaction::process(app, ctx, request.all()?, key).await,
    }
}

/// Each entry on its own, in order. What they leave on the record shares one commit before the answer.
async fn batch(app: &App, ctx: &Context, entries: Vec<Result<Entry, Error>>) -> Answer {
    let mut done = Vec::with_capacity(entries.len());
    let mut events = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let (response, recorded) = match entry {
            Ok(entry) => one(app, ctx, index, entry).await,
            Err(error) => (refused(error), Vec::new()),
        };
        done.push((response, !recorded.is_empty()));
        events.extend(recorded);
    }
    let unrecorded = app.recorder.record(events).await.err();
    let responses: Vec<_> = done
        .into_iter()
        .map(|(response, waits)| match &unrecorded {
            Some(error) if waits => refused(error.clone()),
            _ => response,
        })
        .collect();
    answer(Mode::Batch, &responses)
}

/// An entry's response, and what must be on the record before it may leave.
async fn one(app: &App, ctx: &Context, index: usize, entry: Entry) -> (Response, Vec<Recorded>) {
    let ctx = Context {
        idempotency_key: ctx.idempotency_key.as_ref().map(|key| format!("{key}#{index}")),
        // There is no answer to poll for in a Bundle.
        respond_async: false,
        ..ctx.clone()
    };
    let of_body = matches!(entry.body, EntryBody::Resource(_));
    let shape = Shape::of(&entry.interaction);
    let asked = audit::Asked::of(&entry.interaction);
    let outcome = alone(app, &ctx, entry).await;
    match (audit::concluded(app, &ctx, &asked, &outcome), outcome) {
        (Ok(events), Ok(answer)) => (shape.respond(&ctx, answer), events),
        (Ok(events), Err(error)) => (refused(in_entry(error, index, of_body)), events),
        (Err(error), _) => (refused(in_entry(error, index, of_body)), Vec::new()),
    }
}

/// An entry as a request of its own; boxed, because a Bundle is a request too.
fn alone<'a>(app: &'a App, ctx: &'a Context, entry: Entry) -> BoxFuture<'a, Result<Answer, Error>> {
    Box::pin(execute(app, ctx, entry.interaction, entry.body.into()))
}

fn refused(error: Error) -> Response {
    if let Some(detail) = &error.detail {
        tracing::error!(detail, status = error.kind.status(), "an entry of a batch failed");
    }
    Response { status: error.kind.status(), issues: error.issues, ..Response::default() }
}

fn answer(mode: Mode, responses: &[Response]) -> Answer {
    Answer { status: 200, resource: Some(Bytes::from(write_response(mode, responses))), ..Answer::default() }
}

impl From<EntryBody> for Body {
    fn from(body: EntryBody) -> Self {
        match body {
            EntryBody::Empty => Self::Empty,
            EntryBody::Resource(resource) => Self::Resource(resource),
            EntryBody::JsonPatch(patch) => Self::JsonPatch(patch),
            EntryBody::FhirPathPatch(patch) => Self::FhirPathPatch(patch),
        }
    }
}

/// What the answer to an entry looks like, known from what it asks for.
#[derive(Clone, Debug)]
struct Shape {
    writes: bool,
    reads: Option<Instance>,
}

impl Shape {
    fn of(interaction: &Interaction) -> Self {
        let writes = matches!(
            interaction,
            Interaction::Create { .. } | Interaction::Update(..) | Interaction::Patch(..)
        );
        let reads = match interaction {
            Interaction::Read(instance, _) | Interaction::VersionRead(instance, _) => Some(instance.clone()),
            _ => None,
        };
        Self { writes, reads }
    }

    fn respond(&self, ctx: &Context, answer: Answer) -> Response {
        let written = answer.location.as_deref().and_then(|location| location.split("/_history/").next());
        let read = self.reads.as_ref().map(|of| format!("{}/{}", of.rtype.name, of.id));
        let path = written.map(str::to_owned).or(read);
        Response {
            status: answer.status,
            full_url: path.map(|path| format!("{}/{path}", ctx.base)),
            resource: answer.resource.filter(|_| !(self.writes && ctx.minimal)),
            location: answer.location,
            version: answer.version.map(|v| v.vid),
            last_modified: answer.version.map(|v| instant_text(v.updated_us)),
            issues: answer.issues,
        }
    }
}
