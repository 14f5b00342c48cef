//! Views: the elements that a rule shows of a resource, when it does not show all of them. What is not named
//! here is left out, text and contained resources first of all, and the rest is tagged `SUBSETTED`.

use super::rule::View;
use crate::fhir::extract::{Target, target};
use crate::fhir::registry::SearchParam;
use crate::fhir::summary::subsetted;
use serde_json::{Map, Value};

/// Parties of a schedule that are no secret.
pub(super) const STAFF: [&str; 5] =
    ["Practitioner", "PractitionerRole", "Location", "HealthcareService", "Device"];

/// The elements that a view shows of a type besides type, id and the technical part of `meta`; absent when
/// there is no such view.
pub(super) fn elements(view: View, rtype: &str) -> Option<&'static [&'static str]> {
    Some(match (view, rtype) {
        (View::FreeBusy, "Slot") => &[
            "serviceCategory",
            "serviceType",
            "specialty",
            "appointmentType",
            "schedule",
            "status",
            "start",
            "end",
        ],
        (View::FreeBusy, "Schedule") => {
            &["active", "serviceCategory", "serviceType", "specialty", "actor", "planningHorizon"]
        }
        (View::Demographics, "Patient") => &[
            "identifier",
            "active",
            "name",
            "telecom",
            "gender",
            "birthDate",
            "deceasedBoolean",
            "deceasedDateTime",
            "address",
            "communication",
            "managingOrganization",
        ],
        (View::Decision, "Consent") => &["status", "scope", "category", "patient", "dateTime", "provision"],
        (View::Redacted, "AuditEvent") => {
            &["type", "subtype", "action", "recorded", "outcome", "purposeOfEvent", "agent", "source"]
        }
        (View::Settings, "Subscription") => {
            &["status", "end", "reason", "criteria", "_criteria", "error", "channel"]
        }
        _ => return None,
    })
}

/// What a view shows inside an element; absent: all of it.
fn inside(view: View, element: &str) -> Option<&'static [&'static str]> {
    Some(match (view, element) {
        (View::FreeBusy, "actor" | "schedule") => &["reference", "type", "display"],
        (View::Decision, "provision") => &["type", "period"],
        (View::Redacted, "agent") => &["type", "role", "who", "altId", "name", "requestor", "purposeOfUse"],
        (View::Redacted, "source") => &["type"],
        // Endpoints and headers may hold secrets.
        (View::Settings, "channel") => &["type", "_type", "payload", "_payload", "extension"],
        _ => return None,
    })
}

/// Whether a search parameter looks at what a view does not show.
pub(super) fn hides(view: View, rtype: &str, param: &SearchParam) -> bool {
    let shown = elements(view, rtype).unwrap_or_default();
    param.paths.iter().any(|path| {
        let mut parts = path.path.split('.');
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        match (first, second) {
            ("id", None) | ("meta", Some("lastUpdated" | "profile")) => false,
            _ if !shown.contains(&first) => true,
            (first, Some(second)) => inside(view, first).is_some_and(|part| !part.contains(&second)),
            _ => false,
        }
    })
}

/// The part of a resource that a view shows.
pub(super) fn show(view: View, rtype: &str, resource: Value) -> Value {
    let Value::Object(whole) = resource else { return resource };
    let shown = elements(view, rtype).unwrap_or_default();
    let mut part = Map::new();
    for (name, value) in whole {
        match name.as_str() {
            "resourceType" | "id" => drop(part.insert(name, value)),
            "meta" => drop(part.insert(name, technical(value))),
            element if shown.contains(&element) => {
                let value = narrowed(view, element, value);
                // An empty list or object is no FHIR.
                let is_empty = value.as_array().is_some_and(Vec::is_empty)
                    || value.as_object().is_some_and(Map::is_empty);
                if !is_empty {
                    part.insert(name, value);
                }
            }
            _ => {}
        }
    }
    subsetted(&mut part);
    Value::Object(part)
}

/// `meta` without tags and labels, which may say what the view does not.
fn technical(meta: Value) -> Value {
    let Value::Object(meta) = meta else { return meta };
    let kept = |name: &String| matches!(name.as_str(), "versionId" | "lastUpdated" | "profile");
    Value::Object(meta.into_iter().filter(|(name, _)| kept(name)).collect())
}

fn narrowed(view: View, element: &str, value: Value) -> Value {
    let Some(shown) = inside(view, element) else { return value };
    match value {
        Value::Array(items) => items
            .into_iter()
            .filter(|item| element != "actor" || is_staff(item))
            .map(|item| narrowed(view, element, item))
            .collect(),
        Value::Object(children) => {
            Value::Object(children.into_iter().filter(|(name, _)| shown.contains(&name.as_str())).collect())
        }
        other => other,
    }
}

/// Whether a reference is to staff, a place or a service of this server.
fn is_staff(reference: &Value) -> bool {
    let text = reference.get("reference").and_then(Value::as_str).unwrap_or_default();
    matches!(target(text), Some(Target::Local(rtype, _)) if STAFF.contains(&rtype))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::registry::resource_type;
    use serde_json::json;

    #[test]
    fn a_slot_says_no_more_than_when() {
        let slot = json!({ "resourceType": "Slot", "id": "s", "meta": { "versionId": "3", "tag": [{ "code": "x" }],
            "security": [{ "code": "R" }] }, "text": { "div": "Ann" }, "contained": [{ "resourceType": "Patient" }],
            "identifier": [{ "value": "ann-1" }], "extension": [{ "url": "u", "valueReference": { "reference": "Appointment/1" } }],
            "schedule": { "reference": "Schedule/1", "identifier": { "value": "x" } }, "status": "busy",
            "_status": { "extension": [] }, "start": "2026-01-01T09:00:00Z", "comment": "for Ann" });
        let shown = show(View::FreeBusy, "Slot", slot);
        let keys: Vec<&String> = shown.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["resourceType", "id", "meta", "schedule", "status", "start"]);
        assert_eq!(shown["schedule"], json!({ "reference": "Schedule/1" }));
        assert_eq!(shown["meta"]["versionId"], "3");
        assert_eq!(shown["meta"]["tag"].as_array().unwrap().len(), 1);
        assert_eq!(shown["meta"]["tag"][0]["code"], "SUBSETTED");
        assert!(shown["meta"].get("security").is_none());
    }

    #[test]
    fn a_schedule_names_staff_alone() {
        let schedule = json!({ "resourceType": "Schedule", "actor": [
            { "reference": "Practitioner/1", "display": "Dr. A" }, { "identifier": { "value": "x" }, "display": "Ann" },
            { "reference": "https://else.example/Patient/1" }] });
        let shown = show(View::FreeBusy, "Schedule", schedule);
        assert_eq!(shown["actor"], json!([{ "reference": "Practitioner/1", "display": "Dr. A" }]));
    }

    #[test]
    fn what_is_not_shown_is_not_searched() {
        let hidden = |view, rtype: &str| -> Vec<&str> {
            let rt = resource_type(rtype).unwrap();
            rt.all_params().filter(|param| hides(view, rtype, param)).map(|param| param.code).collect()
        };
        assert_eq!(hidden(View::FreeBusy, "Slot"), ["identifier", "_security", "_source", "_tag"]);
        assert_eq!(
            hidden(View::Demographics, "Patient"),
            ["general-practitioner", "link", "_security", "_source", "_tag"]
        );
        let consent = hidden(View::Decision, "Consent");
        assert!(consent.contains(&"actor") && !consent.contains(&"period") && !consent.contains(&"patient"));
    }
}
