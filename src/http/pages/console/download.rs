//! Downloads: events with their proofs, and the newest checkpoint.

use super::period;
use super::{broken, file, looked, note, officer, officer_sending};
use crate::app::audit::archive;
use crate::app::audit::browse;
use crate::app::audit::export::{ExportError, Wanted};
use crate::app::audit::{keys, witness_keys};
use crate::audit::act::Act;
use crate::clock::instant_text;
use crate::fhir::interaction::is_id;
use crate::http::Shared;
use crate::http::pages::visit::Visit;
use crate::http::pages::{PageError, Refusal};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::TryStreamExt;
use http::HeaderValue;
use http::header::CONTENT_ENCODING;

/// `GET /console/audit/checkpoint`
pub(in crate::http) async fn checkpoint(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, _)) => visit.answer(note_of(&visit).await),
        Err(response) => response,
    }
}

async fn note_of(visit: &Visit) -> Result<Response, PageError> {
    officer(visit)?;
    let latest = browse::latest(&visit.http.app).await.map_err(broken)?.ok_or(Refusal::Gone)?;
    looked(visit, None).await?;
    Ok(file("text/plain; charset=utf-8", &format!("checkpoint-{}", latest.size), latest.note))
}

/// `POST /console/audit/export`
pub(in crate::http) async fn export(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, body)) => visit.answer(archived(&visit, body).await),
        Err(response) => response,
    }
}

async fn archived(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    officer_sending(visit)?;
    let app = &visit.http.app;
    let time = |name: &str, read: fn(&str) -> Option<i64>| match form.text(name) {
        "" => Ok(None),
        typed => read(typed).map(Some).ok_or(Refusal::Malformed),
    };
    let patient = match form.text("patient") {
        "" => None,
        id if is_id(id) => Some(id.to_owned()),
        _ => return Err(Refusal::Malformed.into()),
    };
    let (from, until) = (time("from", period::from)?, time("until", period::until)?);
    let wanted = Wanted { patient: patient.clone(), from, until };
    // An export without keys could not be checked.
    let signers = keys::load(&app.config).map_err(|error| PageError::broken(&error))?;
    let witnesses = witness_keys(&app.config).map_err(|error| PageError::broken(&error))?;
    let own = signers.iter().map(|signer| signer.verifier().clone());
    let keys: Vec<_> = own.chain(witnesses).collect();
    let name = match &patient {
        Some(id) => format!("audit-{id}"),
        None => "audit".to_owned(),
    };
    let archive = archive::prepare(app, &name, &wanted, &keys).await.map_err(refused)?;
    // That the record leaves the house is on the record first.
    let mut event = app.event(Act::Export).detail("what", "events with their proofs");
    event.patient = patient;
    for (name, at) in [("from", from), ("until", until)] {
        event.details.extend(at.map(|at| (name, instant_text(at))));
    }
    event.details.push(("events", archive.manifest.events.to_string()));
    note(visit, event).await?;
    let stream = archive.stream().inspect_err(|error| tracing::error!(%error, "a download broke off"));
    let mut response = file("application/x-tar", &format!("{name}.tar"), Body::from_stream(stream));
    // As it is: who unpacks it compares it byte by byte.
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("identity"));
    Ok(response)
}

fn refused(error: ExportError) -> PageError {
    match error {
        ExportError::Store(error) => broken(error),
        other => PageError::broken(&other),
    }
}
