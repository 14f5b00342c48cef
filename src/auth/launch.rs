//! What an application is started with (SMART "Launch context arrives with your access_token").

use super::scope::{Scope, Scopes};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most entries of `fhirContext`.
const MOST: usize = 20;

/// The context of a launch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Launch {
    /// Logical id of the Patient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// Logical id of the Encounter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encounter: Option<String>,
    /// Other resources, as the application gets them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fhir_context: Vec<Value>,
    /// What the application is started for, as agreed with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// Whether the application must show whose record it is.
    #[serde(default, rename = "need_patient_banner", skip_serializing_if = "Option::is_none")]
    pub need_patient_banner: Option<bool>,
    /// Opaque identifier of the organisation that starts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

impl Launch {
    /// Says what is wrong with it, if anything.
    pub fn problem(&self) -> Option<&'static str> {
        let id = |id: &Option<String>| id.as_deref().is_none_or(is_id);
        if !id(&self.patient) || !id(&self.encounter) {
            return Some("patient and encounter are logical ids");
        }
        let short =
            |text: &Option<String>| text.as_deref().is_none_or(|text| (1..=256).contains(&text.len()));
        if !short(&self.intent) || !short(&self.tenant) {
            return Some("intent and tenant have 1 to 256 characters");
        }
        if self.fhir_context.len() > MOST {
            return Some("fhirContext has too many entries");
        }
        self.fhir_context.iter().find_map(context_problem)
    }

    /// Of the granted scopes, whether they ask for context of this kind.
    pub fn is_asked(scopes: &Scopes, kind: &str) -> bool {
        scopes.all().any(|scope| matches!(scope, Scope::LaunchContext { kind: own, .. } if own == kind))
    }
}

/// Whether a text is a FHIR logical id.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// What is wrong with an entry of `fhirContext` (SMART 2.2, "fhirContext").
fn context_problem(entry: &Value) -> Option<&'static str> {
    let Some(entry) = entry.as_object() else { return Some("fhirContext has objects") };
    let known = ["reference", "canonical", "identifier", "type", "role"];
    if entry.keys().any(|key| !known.contains(&key.as_str())) {
        return Some("an entry of fhirContext has reference, canonical, identifier, type and role");
    }
    if !["reference", "canonical", "identifier"].iter().any(|key| entry.contains_key(*key)) {
        return Some("an entry of fhirContext needs a reference, a canonical or an identifier");
    }
    let text = |key: &str| entry.get(key).map(|value| value.as_str().unwrap_or_default());
    if let Some(reference) = text("reference") {
        let sound = reference.split_once('/').is_some_and(|(rtype, id)| is_type(rtype) && is_id(id));
        if !sound {
            return Some("reference is Type/id");
        }
        if reference.starts_with("Patient/") || reference.starts_with("Encounter/") {
            return Some("patient and encounter have parameters of their own and are not in fhirContext");
        }
    }
    if text("canonical").is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        return Some("canonical is an http(s) URL");
    }
    if entry.get("identifier").is_some_and(|identifier| !identifier.is_object()) {
        return Some("identifier is an object");
    }
    if text("type").is_some_and(|rtype| !is_type(rtype)) {
        return Some("type is a resource type");
    }
    let role_is_sound = text("role").is_none_or(|role| role == "launch" || role.contains(':'));
    (!role_is_sound).then_some("role is launch or an absolute URI")
}

fn is_type(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn context_is_checked() {
        let of = |context: Value| {
            serde_json::from_value::<Launch>(json!({ "fhirContext": [context] })).unwrap().problem()
        };
        for good in [
            json!({"reference": "Appointment/a-1"}),
            json!({"canonical": "https://example.org/x", "type": "ActivityDefinition"}),
            json!({"identifier": {"value": "1"}, "role": "https://example.org/role"}),
            json!({"reference": "Location/l", "role": "launch"}),
        ] {
            assert_eq!(of(good.clone()), None, "{good}");
        }
        for bad in [
            json!("Appointment/a-1"),
            json!({}),
            json!({"type": "Appointment"}),
            json!({"reference": "https://elsewhere.example/Appointment/1"}),
            json!({"reference": "Appointment/../x"}),
            json!({"reference": "Patient/p"}),
            json!({"reference": "Encounter/e"}),
            json!({"reference": 1}),
            json!({"canonical": "urn:x"}),
            json!({"identifier": "x"}),
            json!({"reference": "Location/l", "role": ""}),
            json!({"reference": "Location/l", "role": "desk"}),
            json!({"reference": "Location/l", "colour": "red"}),
        ] {
            assert!(of(bad.clone()).is_some(), "{bad}");
        }
        let launch = Launch { patient: Some("../x".to_owned()), ..Launch::default() };
        assert!(launch.problem().is_some());
    }
}
