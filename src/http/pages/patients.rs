//! Patients as the pages show them, read with the rights of whoever is signed in.

use super::visit::Visit;
use super::{PageError, Refusal};
use crate::app::account::{Live, principal};
use crate::app::{Body, Context, execute};
use crate::auth::access::Access;
use crate::fhir::interaction::{Instance, Interaction, ReadConditions, Search};
use crate::fhir::outcome::Kind;
use crate::fhir::registry::resource_type;
use serde_json::Value;

/// Patients shown at once.
const AT_ONCE: usize = 20;

/// A patient in a list.
#[derive(Clone, Debug)]
pub(super) struct Patient {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) birth_date: Option<String>,
}

pub(super) async fn context(visit: &Visit, live: &Live) -> Result<Context, PageError> {
    let app = &visit.http.app;
    let access = Access::of(principal(live), app.policy).under(app.consents_now().await?);
    Ok(Context { base: visit.base(), request_id: visit.request_id(), ..Context::new(access) })
}

/// The patient with this id, if the person may see them.
pub(super) async fn find(visit: &Visit, live: &Live, id: &str) -> Result<Option<Patient>, PageError> {
    let Some(rtype) = resource_type("Patient") else { return Ok(None) };
    let instance = Instance { rtype, id: id.to_owned() };
    let read = Interaction::Read(instance, ReadConditions::default());
    match execute(&visit.http.app, &context(visit, live).await?, read, Body::Empty).await {
        Ok(answer) => {
            let body: Value =
                serde_json::from_slice(&answer.resource.unwrap_or_default()).unwrap_or_default();
            Ok(Some(patient(&body)))
        }
        Err(error) if matches!(error.kind, Kind::NotFound | Kind::Gone | Kind::Forbidden) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Patients whose name begins so and who were born on this day, as far as the person may see them; and whether
/// there are more.
pub(super) async fn search(
    visit: &Visit,
    live: &Live,
    name: &str,
    birth_date: &str,
) -> Result<(Vec<Patient>, bool), PageError> {
    let search =
        Search { rtype: resource_type("Patient"), compartment: None, query: query_of(name, birth_date) };
    let context = context(visit, live).await?;
    let done = execute(&visit.http.app, &context, Interaction::Search(search), Body::Empty).await;
    let answer = match done {
        Ok(answer) => answer,
        Err(error) if error.kind == Kind::Forbidden => return Err(Refusal::Forbidden.into()),
        Err(error) => return Err(error.into()),
    };
    let bundle: Value = serde_json::from_slice(&answer.resource.unwrap_or_default()).unwrap_or_default();
    let entries = bundle.get("entry").and_then(Value::as_array).into_iter().flatten();
    let mut found: Vec<Patient> = entries
        .filter_map(|entry| entry.get("resource"))
        .filter(|body| is_patient(body))
        .map(patient)
        .collect();
    let more = found.len() > AT_ONCE;
    found.truncate(AT_ONCE);
    Ok((found, more))
}

/// The search as FHIR writes it.
fn query_of(name: &str, birth_date: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    // A comma would mean "or" and a backslash would escape what follows.
    let name: String = name.chars().map(|c| if ",|$\\".contains(c) { ' ' } else { c }).collect();
    for word in name.split_whitespace().take(5) {
        query.append_pair("name", word);
    }
    if !birth_date.is_empty() {
        query.append_pair("birthdate", birth_date);
    }
    query.append_pair("_count", &(AT_ONCE + 1).to_string()).append_pair("_sort", "family");
    query.finish()
}

fn is_patient(body: &Value) -> bool {
    body.get("resourceType").and_then(Value::as_str) == Some("Patient")
}

fn patient(body: &Value) -> Patient {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let id = text(body.get("id")).unwrap_or_default();
    Patient { name: name(body).unwrap_or_else(|| id.clone()), id, birth_date: text(body.get("birthDate")) }
}

/// The name to show: the official one, else the first.
fn name(body: &Value) -> Option<String> {
    let names = body.get("name")?.as_array()?;
    let official = names.iter().find(|name| name.get("use").and_then(Value::as_str) == Some("official"));
    let name = official.or_else(|| names.first())?;
    if let Some(text) = name.get("text").and_then(Value::as_str) {
        return Some(text.to_owned());
    }
    let given = name.get("given").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let parts: Vec<&str> = given.chain(name.get("family").and_then(Value::as_str)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}
