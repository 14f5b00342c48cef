//! Structure by a typed R4 model: unknown elements, missing ones, wrong types, lexical forms.
//!
//! The only module that knows `fhirkit`. It names every problem with its path, and takes bindings,
//! invariants and the calendar for granted; the sister modules don't.

use fhirkit::decode::{Decoder, FhirJson};
use fhirkit::r4::Resource;
use fhirkit::{Json, Severity};
use serde_json::{Map, Value};

use super::model::MODEL;
use crate::fhir::outcome::Issue;

/// Every structural problem of `body`, a resource whose type is `rtype`.
pub(super) fn check(rtype: &str, body: &Value) -> Vec<Issue> {
    let mut decoder = Decoder::new(rtype);
    drop(Resource::decode(&convert(body), &mut decoder));
    decoder.issues.iter().map(translate).collect()
}

fn convert(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => Json::Number(number.to_string()),
        Value::String(text) => Json::String(text.clone()),
        Value::Array(items) => Json::Array(items.iter().map(convert).collect()),
        Value::Object(members) => Json::Object(convert_members(members)),
    }
}

fn convert_members(members: &Map<String, Value>) -> Vec<(String, Json)> {
    members.iter().map(|(key, value)| (key.clone(), convert(value))).collect()
}

/// fhirkit tells its problems apart by wording alone; an unknown wording counts as `structure`.
fn translate(problem: &fhirkit::Issue) -> Issue {
    let message = problem.message.as_str();
    let code = if message.contains("required element missing") || message.starts_with("needs at least") {
        "required"
    } else if message.contains(" is not a ")
        || message.starts_with("an empty ") && !message.starts_with("an empty array")
        || message.contains("is outside")
    {
        "value"
    } else {
        "structure"
    };
    let expression = MODEL.fhirpath(&problem.path);
    let name = problem.path.rsplit('.').next().unwrap_or_default();
    let text = if message == "unknown element" {
        format!("R4 has no element `{name}` here")
    } else {
        format!("{expression}: {message}")
    };
    let issue = match problem.severity {
        Severity::Error => Issue::error(code, text),
        Severity::Warning => Issue::warning(code, text),
    };
    issue.at(expression)
}
