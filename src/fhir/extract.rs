//! The values of a resource that searches look at, taken out by plain paths when it is written.

use super::date::{self, Interval};
use super::fold;
use super::registry::{Only, ParamKind, Path, ResourceType, SearchParam};
use serde_json::Value;

/// One value under one parameter: a row of the search index.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexRow {
    /// Code of the parameter.
    pub param: &'static str,
    /// The value.
    pub value: IndexValue,
}

/// A value as the index keeps it.
#[derive(Clone, Debug, PartialEq)]
pub enum IndexValue {
    /// A code, identifier, contact or boolean.
    Token {
        /// Code system or namespace; empty when the element has none.
        system: String,
        /// Folded by [`fold::code`], identifiers by [`fold::key`]; empty for a text without a code.
        code: String,
        /// Folded display or text, for `:text`.
        text: String,
    },
    /// A reference to a resource of this server.
    Reference {
        /// Its type.
        target_type: String,
        /// Its logical id.
        target_id: String,
    },
    /// A reference to elsewhere, or a canonical.
    Url(String),
    /// The identifier of a reference, for `:identifier`.
    ReferenceIdentifier {
        /// Namespace; may be empty.
        system: String,
        /// Value.
        code: String,
    },
    /// A stretch of time.
    Date(Interval),
    /// A string.
    String {
        /// As written, for `:exact`.
        value: String,
        /// Folded by [`fold::norm`].
        norm: String,
    },
    /// A uri.
    Uri(String),
    /// A quantity.
    Quantity {
        /// Its number.
        value: f64,
        /// System of its unit; may be empty.
        system: String,
        /// Coded unit; may be empty.
        code: String,
        /// Unit for people; may be empty.
        unit: String,
    },
    /// A place on earth, in degrees.
    Position {
        /// North of the equator.
        latitude: f64,
        /// East of Greenwich.
        longitude: f64,
    },
}

/// Every index row of a resource of type `rt`, parameters with a typed column included only where their
/// values are references (the integrity check and `_revinclude` read those).
pub fn extract(rt: &ResourceType, body: &Value) -> Vec<IndexRow> {
    let mut rows = Vec::with_capacity(16);
    for param in rt.all_params() {
        if param.column.is_none() || param.kind == ParamKind::Reference {
            extract_param(rt, param, body, &mut rows);
        }
    }
    rows
}

/// The values of one parameter of a resource of type `rt`, whether a typed column holds them or not.
pub fn values_of(rt: &ResourceType, param: &'static SearchParam, body: &Value) -> Vec<IndexValue> {
    let mut rows = Vec::new();
    extract_param(rt, param, body, &mut rows);
    if let Some((whole, wanted)) = rt.stored_as(param) {
        let mut held = Vec::new();
        extract_param(rt, whole, body, &mut held);
        rows.extend(held.into_iter().filter(
            |row| matches!(&row.value, IndexValue::Reference { target_type, .. } if target_type == wanted),
        ));
    }
    rows.into_iter().map(|row| row.value).collect()
}

/// A reference as it is written, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// `Type/id`, a version dropped.
    Local(&'a str, &'a str),
    /// Anything absolute.
    Absolute(&'a str),
    /// `#id`.
    Contained,
}

/// Takes a reference apart; `None` when it has neither form.
pub fn target(reference: &str) -> Option<Target<'_>> {
    if reference.starts_with('#') {
        return Some(Target::Contained);
    }
    if reference.contains(':') {
        return Some(Target::Absolute(reference));
    }
    let mut parts = reference.split('/');
    let (rtype, id) = (parts.next()?, parts.next()?);
    let rest = (parts.next(), parts.next(), parts.next());
    let known =
        rtype.starts_with(|c: char| c.is_ascii_uppercase()) && rtype.bytes().all(|b| b.is_ascii_alphabetic());
    let form = matches!(rest, (None, ..) | (Some("_history"), Some(_), None));
    (known && !id.is_empty() && form).then_some(Target::Local(rtype, id))
}

/// The type that a reference points at, when it can be told from its text.
fn target_type(reference: &str) -> Option<&str> {
    match target(reference)? {
        Target::Local(rtype, _) => Some(rtype),
        Target::Absolute(url) => {
            let url = url.split_once("/_history/").map_or(url, |(head, _)| head);
            url.rsplit('/').nth(1)
        }
        Target::Contained => None,
    }
}

fn extract_param(rt: &ResourceType, param: &'static SearchParam, body: &Value, rows: &mut Vec<IndexRow>) {
    let from = rows.len();
    let mut push = |value: IndexValue| {
        let row = IndexRow { param: param.code, value };
        if rows.iter().skip(from.max(rows.len().saturating_sub(8))).all(|r| *r != row) {
            rows.push(row);
        }
    };
    // Held by another parameter of the same path: only the identifiers are kept apart by type.
    let shared = rt.stored_as(param).is_some();
    let mut present = None;
    for Path { path, only } in param.paths {
        walk(body, path, &mut |value| match only {
            Only::Exists => present = Some(present.unwrap_or(false) || *value != Value::Bool(false)),
            Only::Where(child, wanted) => {
                if value.get(child).and_then(Value::as_str) == Some(wanted) {
                    values(param, path, value, &mut push);
                }
            }
            Only::RefersTo(wanted) => {
                let typed = value.get("type").and_then(Value::as_str);
                let told = value.get("reference").and_then(Value::as_str).and_then(target_type).or(typed);
                if told == Some(wanted) {
                    values(param, path, value, &mut |v| {
                        if !shared || matches!(v, IndexValue::ReferenceIdentifier { .. }) {
                            push(v);
                        }
                    });
                }
            }
            Only::All => values(param, path, value, &mut push),
        });
        if matches!(only, Only::Exists) {
            present = Some(present.unwrap_or(false));
        }
    }
    if let Some(present) = present {
        push(token("", if present { "true" } else { "false" }, ""));
    }
}

/// Visits every value at a dotted path, through arrays.
fn walk<'a>(value: &'a Value, path: &str, visit: &mut dyn FnMut(&'a Value)) {
    if let Value::Array(items) = value {
        for item in items {
            walk(item, path, visit);
        }
        return;
    }
    if path.is_empty() {
        visit(value);
        return;
    }
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    if let Some(child) = value.get(head) {
        walk(child, rest, visit);
    }
}

fn values(param: &SearchParam, path: &str, value: &Value, push: &mut dyn FnMut(IndexValue)) {
    match param.kind {
        ParamKind::Token => tokens(param, path, value, push),
        ParamKind::Reference => references(value, push),
        ParamKind::Date => dates(value, push),
        ParamKind::String => strings(value, push),
        ParamKind::Uri => {
            if let Some(uri) = value.as_str() {
                canonical(uri, &mut |u| push(IndexValue::Uri(fold::key(u))));
            }
        }
        ParamKind::Quantity => quantities(value, push),
        ParamKind::Special => {
            let degrees = |name| value.get(name).and_then(Value::as_f64);
            if let (Some(latitude), Some(longitude)) = (degrees("latitude"), degrees("longitude")) {
                push(IndexValue::Position { latitude, longitude });
            }
        }
        // Found by the parameters that it joins.
        ParamKind::Composite => {}
    }
}

/// A Quantity, or both ends of a Range: one of them reaches above or below whatever the range does.
fn quantities(value: &Value, push: &mut dyn FnMut(IndexValue)) {
    if let Some(number) = value.get("value").and_then(Value::as_f64) {
        push(IndexValue::Quantity {
            value: number,
            system: fold::key(text(value, "system")),
            code: fold::key(text(value, "code")),
            unit: fold::key(text(value, "unit")),
        });
        return;
    }
    for end in ["low", "high"].into_iter().filter_map(|end| value.get(end)) {
        quantities(end, push);
    }
}

/// The string child `name`, or nothing.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn token(system: &str, code: &str, text: &str) -> IndexValue {
    IndexValue::Token { system: fold::key(system), code: fold::code(code), text: fold::norm(text) }
}

fn tokens(param: &SearchParam, path: &str, value: &Value, push: &mut dyn FnMut(IndexValue)) {
    match value {
        Value::Bool(truth) => push(token("", if *truth { "true" } else { "false" }, "")),
        Value::String(code) => push(token("", code, "")),
        Value::Object(_) if path == "telecom" => contact(value, push),
        Value::Object(_) if param.is_identifier() => push(IndexValue::Token {
            system: fold::key(text(value, "system")),
            code: fold::key(text(value, "value")),
            text: fold::norm(value.get("type").map_or("", |t| text(t, "text"))),
        }),
        Value::Object(_) => {
            // A CodeableConcept, or a Coding by itself.
            for coding in value.get("coding").and_then(Value::as_array).into_iter().flatten() {
                push(token(text(coding, "system"), text(coding, "code"), text(coding, "display")));
            }
            if !text(value, "code").is_empty() || !text(value, "system").is_empty() {
                push(token(text(value, "system"), text(value, "code"), text(value, "display")));
            }
            if !text(value, "text").is_empty() {
                push(token("", "", text(value, "text")));
            }
        }
        _ => {}
    }
}

/// A ContactPoint: its use is the namespace (R4 `search.html#token`). A number is also found by its digits.
fn contact(value: &Value, push: &mut dyn FnMut(IndexValue)) {
    let (usage, contact) = (text(value, "use"), text(value, "value"));
    if contact.is_empty() {
        return;
    }
    push(token(usage, contact, ""));
    if text(value, "system") != "email" {
        let digits: String = contact.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
        if !digits.is_empty() && digits != contact {
            push(token(usage, &digits, ""));
        }
    }
}

fn references(value: &Value, push: &mut dyn FnMut(IndexValue)) {
    if let Some(uri) = value.as_str() {
        canonical(uri, &mut |u| push(IndexValue::Url(fold::key(u))));
        return;
    }
    match target(text(value, "reference")) {
        Some(Target::Local(rtype, id)) => {
            push(IndexValue::Reference { target_type: fold::key(rtype), target_id: fold::key(id) });
        }
        Some(Target::Absolute(url)) => push(IndexValue::Url(fold::key(url))),
        Some(Target::Contained) | None => {}
    }
    if let Some(identifier) = value.get("identifier") {
        push(IndexValue::ReferenceIdentifier {
            system: fold::key(text(identifier, "system")),
            code: fold::key(text(identifier, "value")),
        });
    }
}

/// A canonical counts with its version and without.
fn canonical(uri: &str, push: &mut dyn FnMut(&str)) {
    push(uri);
    if let Some((bare, _)) = uri.split_once('|') {
        push(bare);
    }
}

fn dates(value: &Value, push: &mut dyn FnMut(IndexValue)) {
    if let Some(interval) = value.as_str().and_then(date::parse) {
        push(IndexValue::Date(interval));
        return;
    }
    period(value, push);
    walk(value, "event", &mut |event| dates(event, push));
    walk(value, "repeat.boundsPeriod", &mut |bounds| period(bounds, push));
}

fn period(value: &Value, push: &mut dyn FnMut(IndexValue)) {
    let end = |name| value.get(name).and_then(Value::as_str).and_then(date::parse);
    let (start, end) = (end("start"), end("end"));
    if start.is_some() || end.is_some() {
        push(IndexValue::Date(Interval {
            lo: start.map_or(Interval::MIN, |i| i.lo),
            hi: end.map_or(Interval::MAX, |i| i.hi),
        }));
    }
}

/// A string, or every part of a HumanName or Address (R4 leaves the composition to the server).
fn strings(value: &Value, push: &mut dyn FnMut(IndexValue)) {
    const PARTS: &[&str] = &[
        "text",
        "family",
        "given",
        "prefix",
        "suffix",
        "line",
        "city",
        "district",
        "state",
        "country",
        "postalCode",
    ];
    let mut one = |text: &str| {
        let norm = fold::norm(text);
        push(IndexValue::String { value: fold::key(text), norm });
    };
    if let Some(text) = value.as_str() {
        one(text);
        return;
    }
    for part in PARTS {
        walk(value, part, &mut |v| one(v.as_str().unwrap_or_default()));
    }
    let given = value.get("given").and_then(Value::as_array);
    if let (Some(given), family) = (given, text(value, "family")) {
        let whole: Vec<&str> = given.iter().filter_map(Value::as_str).chain([family]).collect();
        if whole.len() > 1 && !family.is_empty() {
            one(&whole.join(" "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry::resource_type;
    use super::*;
    use serde_json::json;

    fn of(rt: &str, param: &str, body: Value) -> Vec<IndexValue> {
        let rt = resource_type(rt).unwrap();
        extract(rt, &body).into_iter().filter(|r| r.param == param).map(|r| r.value).collect()
    }

    #[test]
    fn codes_are_found_by_coding_and_text() {
        let body = json!({ "serviceType": [{ "coding": [
            { "system": "s", "code": "ABC", "display": "Été" }, { "code": "x" }], "text": "General Practice" }] });
        assert_eq!(
            of("Appointment", "service-type", body),
            [token("s", "abc", "ete"), token("", "x", ""), token("", "", "general practice")]
        );
    }

    #[test]
    fn identifiers_keep_their_case() {
        let body =
            json!({ "identifier": [{ "system": "urn:x", "value": "AbC", "type": { "text": "MRN" } }] });
        let row = IndexValue::Token { system: "urn:x".into(), code: "AbC".into(), text: "mrn".into() };
        assert_eq!(of("Patient", "identifier", body), [row]);
    }

    #[test]
    fn deceased_is_always_answered() {
        let deceased = |body| of("Patient", "deceased", body);
        assert_eq!(deceased(json!({})), [token("", "false", "")]);
        assert_eq!(deceased(json!({ "deceasedBoolean": false })), [token("", "false", "")]);
        assert_eq!(deceased(json!({ "deceasedDateTime": "2020" })), [token("", "true", "")]);
    }

    #[test]
    fn references_are_held_once_per_path() {
        let body = json!({ "participant": [
            { "actor": { "reference": "Patient/1/_history/3" } },
            { "actor": { "reference": "https://else.org/fhir/Practitioner/9" } },
            { "actor": { "type": "Patient", "identifier": { "system": "s", "value": "7" } } },
            { "actor": { "reference": "#contained" } }] });
        let patient = IndexValue::Reference { target_type: "Patient".into(), target_id: "1".into() };
        let identifier = IndexValue::ReferenceIdentifier { system: "s".into(), code: "7".into() };
        assert_eq!(
            of("Appointment", "actor", body.clone()),
            [patient, IndexValue::Url("https://else.org/fhir/Practitioner/9".into()), identifier.clone()]
        );
        assert_eq!(of("Appointment", "patient", body), [identifier]);
    }

    #[test]
    fn contacts_are_found_by_digits() {
        let body = json!({ "telecom": [
            { "system": "phone", "use": "home", "value": "+1 (555) 010" }, { "system": "email", "value": "A@b.org" }] });
        assert_eq!(
            of("Patient", "phone", body.clone()),
            [token("home", "+1 (555) 010", ""), token("home", "+1555010", "")]
        );
        assert_eq!(of("Patient", "email", body), [token("", "a@b.org", "")]);
    }

    #[test]
    fn periods_may_be_open() {
        let body = json!({ "planningHorizon": { "start": "2026-01" } });
        let lo = date::instant("2026-01-01").unwrap();
        assert_eq!(of("Schedule", "date", body), [IndexValue::Date(Interval { lo, hi: Interval::MAX })]);
    }

    #[test]
    fn references_are_taken_apart() {
        assert_eq!(target("Patient/1"), Some(Target::Local("Patient", "1")));
        assert_eq!(target("Patient/1/_history/2"), Some(Target::Local("Patient", "1")));
        assert_eq!(target("urn:uuid:1"), Some(Target::Absolute("urn:uuid:1")));
        for text in ["", "Patient", "Patient/", "patient/1", "Patient/1/2", "Patient/1/_history/2/3"] {
            assert_eq!(target(text), None, "{text}");
        }
    }
}
