//! Scopes in words that a patient understands, and how each can be made narrower.

use super::words::Words;
use crate::auth::scope::{Level, ResourceScope, Right, Scope};

/// Search parameters by which access to a type can be given in part, with their values.
const PARTS: &[(&str, &str, &[&str])] = &[
    ("Appointment", "status", &["proposed", "pending", "booked", "fulfilled", "cancelled", "waitlist"]),
    ("Communication", "status", &["in-progress", "completed"]),
    (
        "Condition",
        "category",
        &[
            "http://terminology.hl7.org/CodeSystem/condition-category|encounter-diagnosis",
            "http://terminology.hl7.org/CodeSystem/condition-category|problem-list-item",
            "http://hl7.org/fhir/us/core/CodeSystem/condition-category|health-concern",
        ],
    ),
    ("Encounter", "status", &["planned", "in-progress", "finished"]),
    (
        "Observation",
        "category",
        &[
            "http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
            "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs",
            "http://terminology.hl7.org/CodeSystem/observation-category|social-history",
            "http://terminology.hl7.org/CodeSystem/observation-category|survey",
            "http://hl7.org/fhir/us/core/CodeSystem/us-core-observation-category|clinical-test",
            "http://hl7.org/fhir/us/core/CodeSystem/us-core-tags|sdoh",
        ],
    ),
    ("ServiceRequest", "status", &["active", "completed"]),
];

/// Whose records `patient/` scopes are about.
#[derive(Clone, Debug)]
pub(super) enum Whose {
    /// The reader's own.
    Own,
    /// Those of somebody with this name.
    Of(String),
    /// Those of the patient in context, whose name is not known here.
    Unnamed,
}

/// A part of what a scope gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// `param=value`
    pub(super) value: String,
    /// In words.
    pub(super) label: String,
}

/// One scope in words.
pub(super) fn label(words: &Words, scope: &Scope, whose: &Whose) -> String {
    let id = match scope {
        Scope::Resource(scope) => return capitalised(&resource(words, scope, whose)),
        Scope::OpenId => "scope-openid",
        Scope::FhirUser => "scope-fhir-user",
        Scope::Profile => "scope-profile",
        Scope::Launch => "scope-launch",
        Scope::LaunchContext { kind, .. } if kind == "patient" => "scope-launch-patient",
        Scope::LaunchContext { kind, .. } if kind == "encounter" => "scope-launch-encounter",
        Scope::LaunchContext { .. } => "scope-launch-other",
        Scope::OfflineAccess => "scope-offline",
        Scope::OnlineAccess => "scope-online",
    };
    words.t(id)
}

fn resource(words: &Words, scope: &ResourceScope, whose: &Whose) -> String {
    let what = type_name(words, scope.rtype.as_deref());
    let rights = rights(words, scope);
    let mut text = match (scope.level, whose) {
        (Level::Patient, Whose::Own) => words.args("scope-yours", &[("what", &what), ("rights", &rights)]),
        (Level::Patient, Whose::Of(name)) => {
            words.args("scope-patients", &[("what", &what), ("patient", name), ("rights", &rights)])
        }
        (Level::Patient, Whose::Unnamed) => {
            words.args("scope-this-patient", &[("what", &what), ("rights", &rights)])
        }
        (Level::User | Level::System, _) => {
            words.args("scope-users", &[("what", &what), ("rights", &rights)])
        }
    };
    for (name, value) in &scope.filter {
        let value = part_name(words, scope.rtype.as_deref().unwrap_or_default(), value);
        let name = words.find(&format!("param-{name}")).unwrap_or_else(|| name.clone());
        text.push_str(", ");
        text.push_str(&words.args("scope-only", &[("name", &name), ("value", &value)]));
    }
    text
}

/// A resource type in words.
pub(super) fn type_name(words: &Words, rtype: Option<&str>) -> String {
    let Some(name) = rtype else { return words.t("type-all") };
    words.find(&format!("type-{name}")).unwrap_or_else(|| name.to_owned())
}

fn rights(words: &Words, scope: &ResourceScope) -> String {
    let has = |right| scope.rights.has(right);
    let mut all = Vec::new();
    if has(Right::Read) {
        all.push("right-see");
    } else if has(Right::Search) {
        all.push("right-find");
    }
    for (right, id) in
        [(Right::Create, "right-add"), (Right::Update, "right-change"), (Right::Delete, "right-delete")]
    {
        if has(right) {
            all.push(id);
        }
    }
    all.into_iter().map(|id| words.t(id)).collect::<Vec<_>>().join(", ")
}

/// A value of a search parameter in words; a token's system is left out.
fn part_name(words: &Words, rtype: &str, value: &str) -> String {
    let code = value.rsplit('|').next().unwrap_or(value);
    words.find(&format!("value-{rtype}-{code}")).unwrap_or_else(|| code.to_owned())
}

/// The parts that a scope can be narrowed to.
pub(super) fn parts(words: &Words, scope: &Scope) -> Vec<Part> {
    let Scope::Resource(scope) = scope else { return Vec::new() };
    let known =
        PARTS.iter().filter(|(rtype, ..)| scope.filter.is_empty() && scope.rtype.as_deref() == Some(*rtype));
    let part = |rtype: &str, param: &str, value: &str| Part {
        value: format!("{param}={value}"),
        label: part_name(words, rtype, value),
    };
    known.flat_map(|(rtype, param, values)| values.iter().map(|value| part(rtype, param, value))).collect()
}

/// A scope narrowed to one of its [`parts`]; none when it is none of them.
pub(super) fn narrowed(scope: &Scope, part: &str) -> Option<Scope> {
    let Scope::Resource(scope) = scope else { return None };
    let (name, value) = part.split_once('=')?;
    let known = PARTS.iter().any(|(rtype, param, values)| {
        scope.rtype.as_deref() == Some(*rtype) && *param == name && values.contains(&value)
    });
    (known && scope.filter.is_empty()).then(|| {
        let filter = vec![(name.to_owned(), value.to_owned())];
        Scope::Resource(ResourceScope { filter, v1: false, ..scope.clone() })
    })
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::registry::{TYPES, resource_type};

    fn said(scope: &str, whose: &Whose) -> String {
        label(&Words::choose(Some("en"), None), &Scope::parse(scope).unwrap(), whose)
    }

    #[test]
    fn scopes_are_said_in_words() {
        let ana = Whose::Of("Ana Ruiz".to_owned());
        assert_eq!(
            said("patient/Appointment.cruds", &Whose::Own),
            "Your appointments: see, add, change, delete"
        );
        assert_eq!(said("patient/Coverage.rs", &ana), "Insurance of Ana Ruiz: see");
        assert_eq!(said("user/Slot.s", &ana), "All free times that you may use yourself: look for");
        assert_eq!(said("patient/*.read", &Whose::Own), "Your records of every kind: see");
        assert_eq!(
            said("patient/Appointment.rs?status=booked", &Whose::Own),
            "Your appointments: see, only where the state is Booked"
        );
        assert_eq!(said("offline_access", &Whose::Own), "Keep its access while you are not using it");
    }

    #[test]
    fn every_type_has_a_name_in_both_languages() {
        for language in ["en", "es"] {
            let words = Words::choose(Some(language), None);
            for rt in TYPES {
                assert!(words.find(&format!("type-{}", rt.name)).is_some(), "{language} {}", rt.name);
            }
        }
    }

    #[test]
    fn clinical_records_are_narrowed_by_category() {
        let scope = Scope::parse("patient/Observation.rs").unwrap();
        let laboratory = "category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
        let narrow = narrowed(&scope, laboratory).unwrap();
        assert_eq!(Scope::parse(&narrow.to_string()), Some(narrow.clone()));
        let words = Words::choose(Some("en"), None);
        let said = label(&words, &narrow, &Whose::Own);
        assert_eq!(said, "Your results and measurements: see, only where the kind is Laboratory results");
    }

    #[test]
    fn narrowing_only_narrows() {
        let scope = Scope::parse("patient/Appointment.read").unwrap();
        let booked = narrowed(&scope, "status=booked").unwrap();
        assert_eq!(booked.to_string(), "patient/Appointment.rs?status=booked");
        assert_eq!(narrowed(&scope, "status=unheard-of"), None);
        assert_eq!(narrowed(&scope, "patient=pat-2"), None);
        assert_eq!(narrowed(&booked, "status=cancelled"), None);
        assert_eq!(narrowed(&Scope::OpenId, "status=booked"), None);
    }

    #[test]
    fn parts_are_parameters_of_their_type_and_named_in_both_languages() {
        for language in ["en", "es"] {
            let words = Words::choose(Some(language), None);
            for (rtype, param, values) in PARTS {
                let known = resource_type(rtype).unwrap();
                assert!(known.all_params().any(|own| own.code == *param), "{rtype} {param}");
                for value in *values {
                    let code = value.rsplit('|').next().unwrap_or_default();
                    assert!(words.find(&format!("value-{rtype}-{code}")).is_some(), "{rtype} {value}");
                }
            }
        }
    }
}
