//! FHIR XML, by fhirbolt's generic elements.
//!
//! The only module that knows `fhirbolt`. It trusts its input and panics on odd bodies, so XML is first
//! rewritten into the narrow form that it reads well (`read.rs`), its panics are caught, and what it would
//! damage goes around it: a numbered stand-in takes the place of a narrative, which it would reformat, and
//! an extension that of an element's id, which it would take for a number on a number.

mod read;
mod write;

use std::panic::{AssertUnwindSafe, catch_unwind};

use fhirbolt::FhirReleases;
use fhirbolt::element::Element;
use serde_json::{Map, Value};

use super::outcome::{Error, Issue, Kind};
use super::parse;

/// The namespace of FHIR resources.
const FHIR: &str = "http://hl7.org/fhir";
/// The namespace of `Narrative.div`.
const XHTML: &str = "http://www.w3.org/1999/xhtml";

type R4 = Element<{ FhirReleases::R4 }>;

/// The XML form of a resource that the server holds as JSON.
///
/// # Errors
/// 500 when the JSON is not a resource that R4 knows: what the server holds always is.
pub fn to_xml(json: &[u8]) -> Result<Vec<u8>, Error> {
    let body: Value = serde_json::from_slice(json).map_err(|error| broken(error.to_string()))?;
    let Value::Object(members) = body else { return Err(broken("a resource is an object")) };
    let mut narratives = Vec::new();
    let element = write::element(members, write::Place::Resource, &mut narratives).map_err(broken)?;
    let text = guarded(|| fhirbolt::xml::to_vec(&element, None).map_err(|error| error.to_string()))
        .map_err(broken)?;
    write::finish(&text, &narratives).ok_or_else(|| broken("a narrative was lost"))
}

/// Reads a resource in XML into the JSON form.
///
/// # Errors
/// 400 when `bytes` is not UTF-8, not well formed, has a document type, an entity of its own, a
/// processing instruction or another namespace, is nested deeper than 64, or has an element that R4
/// does not know.
pub fn from_xml(bytes: &[u8]) -> Result<Value, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        refused(format!("The body is not UTF-8: byte {} does not fit", error.valid_up_to()))
    })?;
    let clean = read::clean(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(refused)?;
    let json = guarded(|| {
        let element: R4 = fhirbolt::xml::from_str(&clean.text, None).map_err(|error| error.to_string())?;
        fhirbolt::json::to_vec(&element, None).map_err(|error| error.to_string())
    })
    .map_err(|problem| refused(shortened(&problem)))?;
    let mut body = parse::json(&json)?;
    restore(&mut body, &clean.narratives);
    Ok(body)
}

/// Runs fhirbolt; a panic becomes an error like any other.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("its elements do not fit together".into()))
}

fn refused(problem: impl AsRef<str>) -> Error {
    let message = format!("The body is not FHIR XML: {}", problem.as_ref());
    Error::of(Kind::BadRequest, vec![Issue::error("structure", message)])
}

fn broken(problem: impl AsRef<str>) -> Error {
    Error::internal(format!("no XML form: {}", problem.as_ref()))
}

/// fhirbolt lists every element that it would have taken.
fn shortened(problem: &str) -> &str {
    problem.split(", expected one of").next().unwrap_or(problem)
}

/// What stands in for the `index`th narrative while fhirbolt works.
fn stand_in(index: usize) -> String {
    format!("<div xmlns=\"{XHTML}\">{index}</div>")
}

/// The url of the extension that carries an element's id past fhirbolt.
const ID_STAND_IN: &str = "slotwright:element-id";

/// Puts the narratives and the ids of elements back, and `resourceType` first.
fn restore(value: &mut Value, narratives: &[String]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| restore(item, narratives)),
        Value::Object(members) => {
            type_first(members);
            restore_id(members);
            if let Some(Value::String(div)) = members.get_mut("div")
                && let Some(text) = index_of(div).and_then(|index| narratives.get(index))
            {
                div.clone_from(text);
            }
            members.values_mut().for_each(|member| restore(member, narratives));
        }
        _ => {}
    }
}

fn restore_id(members: &mut Map<String, Value>) {
    let Some(Value::Array(extensions)) = members.get_mut("extension") else { return };
    if extensions.first().and_then(|first| first.get("url")).and_then(Value::as_str) != Some(ID_STAND_IN) {
        return;
    }
    let mut carrier = extensions.remove(0);
    if extensions.is_empty() {
        members.shift_remove("extension");
    }
    if let Some(id) = carrier.get_mut("valueString") {
        members.shift_insert(0, "id".to_owned(), id.take());
    }
}

fn index_of(stand_in: &str) -> Option<usize> {
    stand_in.strip_suffix("</div>")?.rsplit('>').next()?.trim().parse().ok()
}

/// Where people look for it.
fn type_first(members: &mut Map<String, Value>) {
    const KEY: &str = "resourceType";
    if members.keys().next().is_some_and(|first| first != KEY)
        && let Some(rtype) = members.shift_remove(KEY)
    {
        members.shift_insert(0, KEY.to_owned(), rtype);
    }
}

#[cfg(test)]
mod tests;
