//! What the lexical form of a primitive leaves open: the calendar, lengths, blanks.

use serde_json::Value;

use super::model::Element;
use crate::fhir::at::At;
use crate::fhir::date;
use crate::fhir::outcome::Issue;
use crate::fhir::parse::is_text;

/// R4 `datatypes.html#string`: at most 1 MB.
const STRING_LIMIT: usize = 1024 * 1024;

/// Checks one primitive value of R4 type `kind`; the JSON type is the structure's affair.
pub(super) fn check(kind: &str, element: &Element, value: &Value, at: &At<'_>, issues: &mut Vec<Issue>) {
    let Value::String(text) = value else { return };
    if let Some(problem) = problem(kind, text) {
        issues.push(Issue::error("value", format!("{at}: {problem}")).at(at.to_string()));
    } else if !element.codes.is_empty() && !element.codes.contains(&text.as_str()) {
        let known = element.codes.join(", ");
        let message = format!("{at}: the code \"{}\" is not one of {known}", excerpt(text));
        issues.push(Issue::error("code-invalid", message).at(at.to_string()));
    }
}

fn problem(kind: &str, text: &str) -> Option<String> {
    match kind {
        "date" | "dateTime" | "instant" => {
            let message = || format!("\"{}\" is no {kind}: the calendar has no such moment", excerpt(text));
            date::parse(text).is_none().then(message)
        }
        "id" if !is_id(text) => {
            Some(format!("\"{}\" is no id: 1 to 64 of the characters A-Z, a-z, 0-9, - and .", excerpt(text)))
        }
        "uri" | "url" | "canonical" | "oid" | "uuid" | "base64Binary" | "id" | "code" | "time" => None,
        _ if text.len() > STRING_LIMIT => Some(format!("a {kind} holds at most 1 MB")),
        _ if text.chars().all(char::is_whitespace) => {
            Some(format!("a {kind} must hold more than blanks; leave the element out"))
        }
        _ if !text.chars().all(is_text) => Some("holds a control character that FHIR does not allow".into()),
        _ => None,
    }
}

/// R4 `datatypes.html#id`.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

/// The start of a value, short enough to repeat in a message.
pub(super) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
