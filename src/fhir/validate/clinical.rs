//! R4's invariants of the clinical record, as rules like those of `invariants`, and its required bindings of
//! concepts (keys ending in `-code`).

use serde_json::Value;

use super::invariants::{Object, Rule, has};
use crate::fhir::date;
use crate::fhir::outcome::Severity;

const ALLERGY_CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
const ALLERGY_VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
const CONDITION_CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const CONDITION_VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";

const fn error(
    on: &'static str,
    key: &'static str,
    at: &'static str,
    says: &'static str,
    holds: fn(&Object) -> bool,
) -> Rule {
    Rule { on, key, severity: Severity::Error, at, says, holds }
}

/// Every rule.
pub(super) static RULES: &[Rule] = &[
    error(
        "AllergyIntolerance",
        "ait-1",
        "clinicalStatus",
        "An allergy has a clinicalStatus unless it was entered in error",
        |o| has(o, "clinicalStatus") || in_error(o, ALLERGY_VERIFICATION),
    ),
    error(
        "AllergyIntolerance",
        "ait-2",
        "clinicalStatus",
        "What was entered in error has no clinicalStatus",
        |o| !has(o, "clinicalStatus") || !in_error(o, ALLERGY_VERIFICATION),
    ),
    error(
        "AllergyIntolerance",
        "ait-clinical-code",
        "clinicalStatus",
        "The clinicalStatus is active, inactive or resolved",
        |o| bound(o, "clinicalStatus", ALLERGY_CLINICAL, &["active", "inactive", "resolved"]),
    ),
    error(
        "AllergyIntolerance",
        "ait-verification-code",
        "verificationStatus",
        "The verificationStatus is unconfirmed, confirmed, refuted or entered-in-error",
        |o| {
            let codes = ["unconfirmed", "confirmed", "refuted", "entered-in-error"];
            bound(o, "verificationStatus", ALLERGY_VERIFICATION, &codes)
        },
    ),
    error("CarePlan.activity", "cpl-3", "", "An activity has a detail or a reference, not both", |o| {
        !has(o, "detail") || !has(o, "reference")
    }),
    error(
        "CareTeam.participant",
        "ctm-1",
        "onBehalfOf",
        "Only a Practitioner takes part on behalf of somebody",
        |o| {
            let member = o.get("member").and_then(|member| member.get("reference")).and_then(Value::as_str);
            // Of what is elsewhere nothing is known.
            let other =
                member.is_some_and(|text| !text.contains("Practitioner/") && !text.contains([':', '#']));
            !has(o, "onBehalfOf") || !other
        },
    ),
    error(
        "Condition",
        "con-4",
        "clinicalStatus",
        "A condition that has abated is inactive, resolved or in remission",
        |o| {
            let abated = o.keys().any(|key| key.trim_start_matches('_').starts_with("abatement"));
            !abated
                || ["inactive", "resolved", "remission"]
                    .iter()
                    .any(|code| coded(o, "clinicalStatus", CONDITION_CLINICAL, code))
        },
    ),
    error("Condition", "con-5", "clinicalStatus", "What was entered in error has no clinicalStatus", |o| {
        !has(o, "clinicalStatus") || !in_error(o, CONDITION_VERIFICATION)
    }),
    error(
        "Condition",
        "con-clinical-code",
        "clinicalStatus",
        "The clinicalStatus is active, recurrence, relapse, inactive, remission or resolved",
        |o| {
            let codes = ["active", "recurrence", "relapse", "inactive", "remission", "resolved"];
            bound(o, "clinicalStatus", CONDITION_CLINICAL, &codes)
        },
    ),
    error(
        "Condition",
        "con-verification-code",
        "verificationStatus",
        "The verificationStatus is unconfirmed, provisional, differential, confirmed, refuted or entered-in-error",
        |o| {
            let codes =
                ["unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered-in-error"];
            bound(o, "verificationStatus", CONDITION_VERIFICATION, &codes)
        },
    ),
    Rule {
        on: "Condition",
        key: "con-3",
        severity: Severity::Warning,
        at: "clinicalStatus",
        says: "An item of the problem list has a clinicalStatus unless it was entered in error",
        holds: |o| {
            let listed = codings(o, "category")
                .any(|coding| coding.get("code").and_then(Value::as_str) == Some("problem-list-item"));
            !listed || has(o, "clinicalStatus") || in_error(o, CONDITION_VERIFICATION)
        },
    },
    error("Condition.stage", "con-1", "", "A stage has a summary or an assessment", |o| {
        has(o, "summary") || has(o, "assessment")
    }),
    error("Condition.evidence", "con-2", "", "Evidence has a code or a detail", |o| {
        has(o, "code") || has(o, "detail")
    }),
    error("Goal.target", "gol-1", "measure", "A target with a detail has a measure", |o| {
        has(o, "measure") || !o.keys().any(|key| key.trim_start_matches('_').starts_with("detail"))
    }),
    error("Immunization.education", "imm-1", "", "Education has a documentType or a reference", |o| {
        has(o, "documentType") || has(o, "reference")
    }),
    error(
        "MedicationDispense",
        "mdd-1",
        "whenHandedOver",
        "A medication is not handed over before it was prepared",
        |o| {
            let time = |key: &str| o.get(key).and_then(Value::as_str).and_then(date::parse);
            match (time("whenPrepared"), time("whenHandedOver")) {
                (Some(prepared), Some(handed)) => handed.hi > prepared.lo,
                _ => true,
            }
        },
    ),
    error(
        "Observation",
        "obs-6",
        "dataAbsentReason",
        "An observation has a value or no reason why not",
        |o| !has(o, "dataAbsentReason") || !has_value(o),
    ),
    error("Observation", "obs-7", "", "An observation with a value has no component of the same code", |o| {
        !has_value(o) || !repeats_own_code(o)
    }),
    error("Observation.referenceRange", "obs-3", "", "A reference range has a low, a high or a text", |o| {
        ["low", "high", "text"].iter().any(|key| has(o, key))
    }),
];

/// The codings of the concept or concepts under `key`.
fn codings<'o>(object: &'o Object, key: &str) -> impl Iterator<Item = &'o Value> {
    let value = object.get(key);
    let many = value.and_then(Value::as_array).into_iter().flatten();
    let one = value.filter(|value| value.is_object()).into_iter();
    many.chain(one).filter_map(|concept| concept.get("coding")?.as_array()).flatten()
}

fn is(coding: &Value, system: &str, code: &str) -> bool {
    let text = |name| coding.get(name).and_then(Value::as_str);
    text("system") == Some(system) && text("code") == Some(code)
}

fn coded(object: &Object, key: &str, system: &str, code: &str) -> bool {
    codings(object, key).any(|coding| is(coding, system, code))
}

fn in_error(object: &Object, system: &str) -> bool {
    coded(object, "verificationStatus", system, "entered-in-error")
}

/// Whether a concept, if there is one, has a code of its required value set.
fn bound(object: &Object, key: &str, system: &str, codes: &[&str]) -> bool {
    object.get(key).is_none() || codes.iter().any(|code| coded(object, key, system, code))
}

fn has_value(object: &Object) -> bool {
    object.keys().any(|key| key.trim_start_matches('_').starts_with("value"))
}

/// Whether a component's code is that of the observation. Codings are compared whole, as R4 has it.
fn repeats_own_code(object: &Object) -> bool {
    let own: Vec<&Value> = codings(object, "code").collect();
    let components = object.get("component").and_then(Value::as_array);
    components
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(|component| codings(component, "code"))
        .any(|coding| own.contains(&coding))
}

#[cfg(test)]
mod tests {
    use super::super::Validator;
    use super::*;
    use serde_json::json;

    /// Keys of the rules that a body breaks.
    fn broken(body: &Value) -> Vec<String> {
        let rtype = body["resourceType"].as_str().unwrap();
        let issues = Validator::new().unwrap().validate(rtype, body);
        let key = |text: &str| text.rsplit_once('(').map(|(_, key)| key.trim_end_matches(')').to_owned());
        issues.iter().map(|issue| key(&issue.diagnostics).unwrap_or(issue.diagnostics.clone())).collect()
    }

    fn concept(system: &str, code: &str) -> Value {
        json!({ "coding": [{ "system": system, "code": code }] })
    }

    fn expect(mut body: Value, changes: &[(&str, Value)], rules: &[&str]) {
        for (key, value) in changes {
            body[*key] = value.clone();
        }
        assert_eq!(broken(&body), rules, "{body}");
    }

    #[test]
    fn the_states_of_allergies_and_conditions_fit_together() {
        let someone = json!({ "display": "Ada" });
        let allergy = json!({ "resourceType": "AllergyIntolerance", "patient": someone });
        let active = ("clinicalStatus", concept(ALLERGY_CLINICAL, "active"));
        let wrong = ("verificationStatus", concept(ALLERGY_VERIFICATION, "entered-in-error"));
        expect(allergy.clone(), &[], &["ait-1"]);
        expect(allergy.clone(), std::slice::from_ref(&active), &[]);
        expect(allergy.clone(), std::slice::from_ref(&wrong), &[]);
        expect(allergy.clone(), &[active, wrong], &["ait-2"]);
        let other = concept("urn:other", "active");
        expect(allergy.clone(), &[("clinicalStatus", other.clone())], &["ait-clinical-code"]);
        let condition = json!({ "resourceType": "Condition", "subject": someone });
        let abated = ("abatementDateTime", json!("2026-01-01"));
        let status = |code| ("clinicalStatus", concept(CONDITION_CLINICAL, code));
        expect(condition.clone(), std::slice::from_ref(&abated), &["con-4"]);
        expect(condition.clone(), &[abated.clone(), status("active")], &["con-4"]);
        expect(condition.clone(), &[abated, status("resolved")], &[]);
        let wrong = ("verificationStatus", concept(CONDITION_VERIFICATION, "entered-in-error"));
        expect(condition.clone(), &[wrong, status("active")], &["con-5"]);
        expect(condition.clone(), &[("verificationStatus", other)], &["con-verification-code"]);
        let listed = json!([{ "coding": [{ "code": "problem-list-item" }] }]);
        expect(condition.clone(), &[("category", listed)], &["con-3"]);
        expect(condition, &[("stage", json!([{ "type": { "text": "x" } }]))], &["con-1"]);
    }

    #[test]
    fn observations_say_their_value_once() {
        let code = concept("http://loinc.org", "8867-4");
        let heart = json!({ "resourceType": "Observation", "status": "final", "code": code });
        let value = ("valueInteger", json!(60));
        let reason = ("dataAbsentReason", json!({ "text": "unknown" }));
        expect(heart.clone(), &[value.clone(), reason], &["obs-6"]);
        let same = ("component", json!([{ "code": heart["code"] }]));
        expect(heart.clone(), std::slice::from_ref(&same), &[]);
        expect(heart.clone(), &[value.clone(), same], &["obs-7"]);
        expect(
            heart,
            &[value, ("referenceRange", json!([{ "age": { "low": { "value": 1 } } }]))],
            &["obs-3"],
        );
    }

    #[test]
    fn plans_and_medication_keep_their_invariants() {
        let someone = json!({ "display": "Ada" });
        let plan =
            json!({ "resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": someone });
        let both = json!([{ "reference": { "display": "x" }, "detail": { "status": "scheduled" } }]);
        expect(plan, &[("activity", both)], &["cpl-3"]);
        let team = json!({ "resourceType": "CareTeam" });
        let member = |text: &str| json!([{ "member": { "reference": text }, "onBehalfOf": someone }]);
        expect(team.clone(), &[("participant", member("Patient/1"))], &["ctm-1"]);
        expect(team, &[("participant", member("Practitioner/1"))], &[]);
        let given = json!({ "resourceType": "MedicationDispense", "status": "completed",
            "medicationCodeableConcept": { "text": "x" }, "whenPrepared": "2026-01-02", "whenHandedOver": "2026-01-01" });
        expect(given.clone(), &[], &["mdd-1"]);
        expect(given, &[("whenHandedOver", json!("2026-01-02T10:00:00Z"))], &[]);
    }
}
