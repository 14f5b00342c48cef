//! `/console/audit`: the audit log for compliance officers. Everything shown here is text that others control, and
//! every look is on the record itself.

mod disclosures;
mod download;
mod event;
mod list;
mod names;
mod period;
mod recipients;
mod reports;
mod reviews;

use super::visit::Visit;
use super::{PageError, Refusal, action, form, page, page_headers};
use crate::app::account::{Live, principal};
use crate::audit::act::Act;
use crate::audit::clean;
use crate::audit::event::Event;
use crate::auth::access::Access;
use crate::fhir::outcome::Error;
use crate::http::RouteInfo;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

/// Where the console is.
const HERE: &str = "/console/audit";
/// Rows of a page.
const ROWS: usize = 50;

/// The console's routes.
pub(in crate::http) const ROUTES: &[RouteInfo] = &[
    page("/assets/proof.js", "What checks a proof in the browser", || get(event::script)),
    page(HERE, "Read the audit log", || get(list::show)),
    page("/console/audit/events/{id}", "One event and its proof", || get(event::show)),
    page("/console/audit/events/{id}/proof", "The proof of an event as a file (C2SP tlog-proof)", || {
        get(event::proof)
    }),
    page("/console/audit/checkpoint", "The newest checkpoint of the audit log", || get(download::checkpoint)),
    action("/console/audit/export", "Download events with their proofs", || post(download::export)),
    page("/console/audit/reports", "What the standing reports found", || get(reports::show)),
    page("/console/audit/reports.csv", "The findings as CSV", || get(reports::csv)),
    page("/console/audit/reports.json", "The findings as JSON", || get(reports::json)),
    page("/console/audit/findings/{id}", "One finding", || get(reports::finding)),
    form("/console/audit/reviews", "Marks of reviews", || get(reviews::show).post(reviews::submit)),
    page("/console/audit/disclosures", "Account for the disclosures of a patient's data", || {
        get(disclosures::show)
    }),
    page("/console/audit/disclosures.csv", "The account as CSV", || get(disclosures::csv)),
    form("/console/audit/recipients", "Who receives data, and whether it counts as a disclosure", || {
        get(recipients::show).post(recipients::submit)
    }),
];

/// Whoever is signed in, if they may read the whole log.
fn officer(visit: &Visit) -> Result<&Live, PageError> {
    let live = visit.signed_in()?;
    judged(visit, live)
}

/// The same for a form that was sent: who is not signed in begins at the console.
fn officer_sending(visit: &Visit) -> Result<&Live, PageError> {
    let live = visit.live.as_ref().ok_or_else(|| PageError::sign_in_first(HERE, false))?;
    judged(visit, live)
}

fn judged<'v>(visit: &Visit, live: &'v Live) -> Result<&'v Live, PageError> {
    let access = Access::of(principal(live), visit.http.app.policy);
    if access.may_audit() { Ok(live) } else { Err(Refusal::Forbidden.into()) }
}

/// Puts on the record that the log was looked at, and for what.
async fn looked(visit: &Visit, patient: Option<&str>) -> Result<(), PageError> {
    let event = visit.http.app.event(Act::AuditRead);
    let query = Some(clean::query(visit.here().trim_start_matches('/')));
    note(visit, Event { query, patient: patient.map(str::to_owned), ..event }).await
}

/// Puts on the record that something was taken away.
async fn taken(visit: &Visit, what: &'static str, patient: Option<&str>) -> Result<(), PageError> {
    let event = visit.http.app.event(Act::Export).detail("what", what);
    let query = Some(clean::query(visit.here().trim_start_matches('/')));
    note(visit, Event { query, patient: patient.map(str::to_owned), ..event }).await
}

async fn note(visit: &Visit, event: Event) -> Result<(), PageError> {
    visit.http.app.note(event).await.map_err(|error| PageError::Unavailable(error.to_string()))
}

/// A parameter of the URL as it may be shown again.
fn asked(visit: &Visit, name: &str) -> String {
    clean::line(visit.query(name).unwrap_or_default().trim())
}

/// What went wrong in the database.
fn broken(error: impl Into<Error>) -> PageError {
    error.into().into()
}

/// A link to a page of the console.
fn link(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A file to keep.
fn file(kind: &'static str, name: &str, body: impl Into<Body>) -> Response {
    let mut response = (StatusCode::OK, body.into()).into_response();
    page_headers(&mut response);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(named) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, named);
    }
    response
}

/// A choice of a list.
struct Choice {
    value: String,
    text: String,
    chosen: bool,
}
