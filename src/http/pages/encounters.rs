//! Visits of a patient as the consent page shows them, read with the rights of whoever is signed in.

use super::PageError;
use super::patients::context;
use super::visit::Visit;
use super::words::Words;
use crate::app::account::Live;
use crate::app::{Body, execute};
use crate::fhir::interaction::{Interaction, Search};
use crate::fhir::outcome::Kind;
use crate::fhir::registry::resource_type;
use serde_json::Value;

/// A visit to choose.
#[derive(Clone, Debug)]
pub(super) struct Encounter {
    pub(super) id: String,
    /// When it was, what it was for, and its state.
    pub(super) label: String,
}

/// The patient's latest visits, as far as the person may see them.
pub(super) async fn latest(visit: &Visit, live: &Live, patient: &str) -> Result<Vec<Encounter>, PageError> {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("patient", &format!("Patient/{patient}"))
        .append_pair("_sort", "-date")
        .append_pair("_count", "20")
        .finish();
    let search = Search { rtype: resource_type("Encounter"), compartment: None, query };
    let context = context(visit, live).await?;
    match execute(&visit.http.app, &context, Interaction::Search(search), Body::Empty).await {
        Ok(answer) => {
            let bundle: Value =
                serde_json::from_slice(&answer.resource.unwrap_or_default()).unwrap_or_default();
            let entries = bundle.get("entry").and_then(Value::as_array).into_iter().flatten();
            let bodies = entries.filter_map(|entry| entry.get("resource"));
            let visits = bodies.filter(|body| text(body, "/resourceType") == "Encounter");
            Ok(visits.map(|body| encounter(&visit.words, body)).collect())
        }
        Err(error) if error.kind == Kind::Forbidden => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn text<'a>(body: &'a Value, pointer: &str) -> &'a str {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn encounter(words: &Words, body: &Value) -> Encounter {
    let day = text(body, "/period/start").get(..10).unwrap_or_default().to_owned();
    let status = text(body, "/status");
    let state = words.find(&format!("value-Encounter-{status}")).unwrap_or_else(|| status.to_owned());
    let what = [text(body, "/type/0/text"), text(body, "/type/0/coding/0/display")];
    let what = what.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned();
    let id = text(body, "/id").to_owned();
    let parts: Vec<String> = [day, what, state].into_iter().filter(|part| !part.is_empty()).collect();
    Encounter { id, label: parts.join(", ") }
}
