//! The clinical record (US Core's types): who reads it, by which searches, and under which scopes.

use super::world::{self, Side};
use crate::support::{Client, Reply, TestApp, both_engines, clinic};
use serde_json::{Value, json};

/// US Core's types beside those of the calendar.
const CLINICAL: [&str; 12] = [
    "AllergyIntolerance",
    "CarePlan",
    "CareTeam",
    "Condition",
    "DiagnosticReport",
    "DocumentReference",
    "Goal",
    "Immunization",
    "MedicationDispense",
    "MedicationRequest",
    "Observation",
    "Procedure",
];
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const CLINICAL_TEST: &str = "http://hl7.org/fhir/us/core/CodeSystem/us-core-observation-category";

fn ids(reply: &Reply) -> Vec<String> {
    let mut ids: Vec<String> = reply.ids().iter().map(ToString::to_string).collect();
    ids.sort();
    ids
}

async fn found(client: &Client, query: &str) -> Vec<String> {
    ids(&client.get(query).await.is(200))
}

fn measured(id: &str, patient: &str, system: &str, category: &str, more: &Value) -> Value {
    let mut body = json!({ "resourceType": "Observation", "id": id, "status": "final",
        "category": [{ "coding": [{ "system": system, "code": category }] }],
        "code": { "coding": [{ "system": "http://loinc.org", "code": "2823-3" }] },
        "subject": { "reference": format!("Patient/{patient}") }, "effectiveDateTime": "2026-01-10T08:00:00Z" });
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    body
}

/// Observations of both patients, in three categories.
async fn observations(app: &TestApp) {
    let quantity = |value: f64| {
        json!({ "valueQuantity": { "value": value, "unit": "mmol/L",
        "system": "http://unitsofmeasure.org", "code": "mmol/L" } })
    };
    for body in [
        measured("lab-1", "pat-1", CATEGORY, "laboratory", &quantity(4.1)),
        measured("lab-2", "pat-2", CATEGORY, "laboratory", &quantity(4.2)),
        measured(
            "vital-1",
            "pat-1",
            CATEGORY,
            "vital-signs",
            &json!({ "valueInteger": 60,
            "code": { "coding": [{ "system": "http://loinc.org", "code": "8867-4" }] } }),
        ),
        measured(
            "test-1",
            "pat-1",
            CLINICAL_TEST,
            "clinical-test",
            &json!({ "valueCodeableConcept": { "text": "Normal", "coding": [{ "system": "urn:x", "code": "ok" }] } }),
        ),
    ] {
        app.store(&body).await;
    }
}

both_engines! {
    async fn a_patient_reads_every_kind_of_the_own_record_and_of_nobody_elses(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, "patient/*.rs").await;
        for rtype in CLINICAL {
            let own = Side::In.id(rtype);
            assert_eq!(found(&ann, &format!("{rtype}?patient=pat-1")).await, [own.as_str()], "{rtype}");
            assert_eq!(found(&ann, &format!("{rtype}?patient=Patient/pat-2")).await, Vec::<String>::new(), "{rtype}");
            ann.get(&format!("{rtype}/{own}")).await.is(200);
            ann.get(&format!("{rtype}/{}", Side::Out.id(rtype))).await.is(404);
            ann.put(&format!("{rtype}/{own}"), &Side::In.stored(rtype)).await.is(403);
        }
        let everything: Vec<String> = found(&ann, "Patient/pat-1/*").await;
        assert!(CLINICAL.iter().all(|rtype| everything.contains(&Side::In.id(rtype))), "{everything:?}");
    }

    async fn what_was_not_granted_is_refused(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, "patient/Patient.rs patient/MedicationRequest.rs").await;
        for rtype in CLINICAL {
            let reply = ann.get(&format!("{rtype}?patient=pat-1")).await;
            assert_eq!(reply.status, if rtype == "MedicationRequest" { 200 } else { 403 }, "{rtype}");
        }
    }

    async fn schedulers_and_compliance_officers_see_nothing_clinical(app: TestApp) {
        world::build(&app).await;
        let scheduler = world::scheduler(&app, "user/*.cruds").await;
        let officer = world::staff(&app, "compliance", None, "user/*.cruds").await;
        let administrator = world::staff(&app, "administrator", None, "user/*.cruds").await;
        for client in [&scheduler, &officer, &administrator] {
            for rtype in CLINICAL {
                client.get(&format!("{rtype}?patient=pat-1")).await.is(403);
                client.get(&format!("{rtype}/{}", Side::In.id(rtype))).await.is(403);
            }
        }
    }

    async fn sub_resource_scopes_give_their_category_and_nothing_else(app: TestApp) {
        world::build(&app).await;
        observations(&app).await;
        let scope = |category: &str| format!("patient/Patient.rs patient/Observation.rs?category={category}");
        let of = async |account: &'static str, category: String| {
            app.person(crate::support::auth::Person {
                account, roles: &["patient"], fhir_user: Some("Patient/pat-1"), patient: Some("pat-1"),
                scope: &scope(&category),
            }).await
        };
        let laboratory = of("ann", format!("{CATEGORY}|laboratory")).await;
        let own = Side::In.id("Observation");
        for query in [
            "Observation?patient=pat-1", "Observation", &format!("Observation?patient=pat-1&category={CATEGORY}|laboratory"),
            &format!("Observation?patient=pat-1&category={CATEGORY}|vital-signs,{CATEGORY}|laboratory"),
        ] {
            assert_eq!(found(&laboratory, query).await, [own.as_str(), "lab-1"], "{query}");
        }
        for query in [
            &format!("Observation?patient=pat-1&category={CATEGORY}|laboratory&date=ge2026-01-10"),
            "Observation?patient=pat-1&code=http://loinc.org|2823-3",
        ] {
            assert_eq!(found(&laboratory, query).await, ["lab-1"], "{query}");
        }
        laboratory.get("Observation/lab-1").await.is(200);
        for other in ["vital-1", "test-1", "lab-2"] {
            laboratory.get(&format!("Observation/{other}")).await.is(404);
        }
        // Clinical tests, as US Core 6 names them.
        let tests = of("bea", format!("{CLINICAL_TEST}|clinical-test")).await;
        assert_eq!(found(&tests, "Observation?patient=pat-1").await, ["test-1"]);
        tests.get("Observation/test-1").await.is(200);
        tests.get("Observation/lab-1").await.is(404);
        let both = of("cem", format!("{CATEGORY}|vital-signs patient/Observation.rs?category={CLINICAL_TEST}|clinical-test")).await;
        assert_eq!(found(&both, "Observation?patient=pat-1").await, ["test-1", "vital-1"]);
    }

    async fn conditions_are_granted_by_category(app: TestApp) {
        world::build(&app).await;
        let category = |code: &str| format!("http://terminology.hl7.org/CodeSystem/condition-category|{code}");
        let mut diagnosis = clinic::with_id(Side::In.resource("Condition"), "diagnosis");
        diagnosis["category"][0]["coding"][0]["code"] = json!("encounter-diagnosis");
        app.store(&diagnosis).await;
        let list = world::patient(&app, &format!("patient/Condition.rs?category={}", category("problem-list-item"))).await;
        assert_eq!(found(&list, "Condition?patient=pat-1").await, ["in-condition"]);
        assert_eq!(found(&list, &format!("Condition?patient=pat-1&category={}", category("encounter-diagnosis"))).await,
            Vec::<String>::new());
        list.get("Condition/in-condition").await.is(200);
        list.get("Condition/diagnosis").await.is(404);
    }

    async fn searches_of_us_core_find_what_they_name(app: TestApp) {
        world::build(&app).await;
        observations(&app).await;
        for (query, wanted) in [
            ("Condition?patient=pat-1&category=problem-list-item&clinical-status=active", vec!["in-condition"]),
            ("AllergyIntolerance?patient=pat-1&clinical-status=active", vec!["in-allergyintolerance"]),
            ("CareTeam?patient=pat-1&status=active", vec!["in-careteam"]),
            ("Goal?patient=pat-1&lifecycle-status=active", vec!["in-goal"]),
            ("Immunization?patient=pat-1&status=completed&date=2026", vec!["in-immunization"]),
            ("MedicationRequest?patient=pat-1&intent=order&status=active", vec!["in-medicationrequest"]),
            ("Observation?patient=pat-1&value-quantity=gt4||mmol/L", vec!["lab-1"]),
            ("Observation?code-value-quantity=http://loinc.org|2823-3$gt4.15", vec!["lab-2"]),
            ("Observation?code-value-quantity=2823-3$lt4.15,2823-3$gt4.15", vec!["lab-1", "lab-2"]),
            ("Observation?code-value-quantity=8867-4$gt1", vec![]),
            ("Observation?code-value-concept=2823-3$urn:x|ok", vec!["test-1"]),
            ("Observation?code-value-string=2823-3$normal", vec!["test-1"]),
            ("Observation?code-value-concept:missing=false", vec!["test-1"]),
            ("Observation?performer=dr-a", vec!["in-observation"]),
            ("Patient?_has:Observation:patient:code-value-quantity=2823-3$gt4.15", vec!["pat-2"]),
            ("MedicationRequest?requester=Practitioner/dr-b", vec!["out-medicationrequest"]),
        ] {
            assert_eq!(found(&app, query).await, wanted, "{query}");
        }
        for wrong in ["code-value-quantity=1", "code-value-quantity=a$b", "code-value-quantity:not=a$1", "_sort=code-value-date"] {
            app.get(&format!("Observation?{wrong}")).await.is(400);
        }
        let reply = app.get("MedicationDispense?_include=MedicationDispense:patient").await.is(200);
        assert!(reply.ids().contains(&"pat-1"), "{reply}");
    }

    async fn a_range_of_ages_is_found_by_both_ends(app: TestApp) {
        world::build(&app).await;
        let years = |value: i64| json!({ "value": value, "unit": "a", "system": "http://unitsofmeasure.org", "code": "a" });
        let mut body = clinic::with_id(Side::In.resource("Condition"), "range");
        body["onsetRange"] = json!({ "low": years(40), "high": years(50) });
        app.store(&body).await;
        for (query, is_there) in [("gt45", true), ("lt45", true), ("gt51", false), ("lt39", false)] {
            let found = found(&app, &format!("Condition?onset-age={query}")).await;
            assert_eq!(found == ["range"], is_there, "{query}: {found:?}");
        }
    }
}
