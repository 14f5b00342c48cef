//! The clinical record of the first patients of the sample clinic: a few resources of each type, so that
//! applications have something to show.

use serde_json::{Value, json};

use super::data::{Clinician, Data};
use super::staff::concept;

/// So many patients have a record.
const PATIENTS: usize = 12;

const LOINC: &str = "http://loinc.org";
const SNOMED: &str = "http://snomed.info/sct";
const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
const CVX: &str = "http://hl7.org/fhir/sid/cvx";
const UCUM: &str = "http://unitsofmeasure.org";

/// A coded concept of HL7's own terminology.
fn hl7(system: &str, code: &str) -> Value {
    concept(&format!("http://terminology.hl7.org/CodeSystem/{system}"), code, None)
}

/// Whose record it is, and who keeps it.
struct Record<'a> {
    number: usize,
    patient: Value,
    doctor: &'a Clinician,
}

/// CareTeams, Conditions, Goals and all that hangs on them, each after what it refers to.
pub(super) fn resources(data: &Data) -> Vec<Value> {
    let doctors: Vec<&Clinician> =
        data.clinicians.iter().filter(|c| c.specialty == "general-practice").collect();
    let mut all = Vec::new();
    for number in 1..=data.clinic.patients.min(PATIENTS) {
        let Some(doctor) = doctors.get(number.checked_rem(doctors.len()).unwrap_or_default()) else {
            continue;
        };
        let patient = json!({ "reference": format!("Patient/pat-{number:03}") });
        let record = Record { number, patient, doctor };
        all.extend(record.problems());
        all.extend(record.medicines());
        all.extend(record.findings());
    }
    all
}

impl Record<'_> {
    fn id(&self, what: &str) -> String {
        format!("{what}-{:03}", self.number)
    }

    fn doctor(&self) -> Value {
        json!({ "reference": self.doctor.reference(), "display": self.doctor.display() })
    }

    /// A day of the last year but one.
    fn day(&self, month: usize) -> String {
        format!("2025-{month:02}-{:02}", 1 + self.number)
    }

    /// What is wrong, and what is planned against it.
    fn problems(&self) -> Vec<Value> {
        let refers = |rtype: &str, what: &str| json!({ "reference": format!("{rtype}/{}", self.id(what)) });
        vec![
            json!({
                "resourceType": "AllergyIntolerance", "id": self.id("allergy"), "patient": self.patient,
                "clinicalStatus": hl7("allergyintolerance-clinical", "active"),
                "verificationStatus": hl7("allergyintolerance-verification", "confirmed"),
                "category": ["food"], "code": concept(SNOMED, "91935009", Some("Allergy to peanut")),
                "recordedDate": self.day(1),
            }),
            json!({
                "resourceType": "Condition", "id": self.id("condition"), "subject": self.patient,
                "clinicalStatus": hl7("condition-clinical", "active"),
                "verificationStatus": hl7("condition-ver-status", "confirmed"),
                "category": [hl7("condition-category", "problem-list-item")],
                "code": concept(SNOMED, "59621000", Some("Essential hypertension")),
                "onsetDateTime": self.day(2), "recordedDate": self.day(2), "asserter": self.doctor(),
            }),
            json!({
                "resourceType": "Condition", "id": self.id("diagnosis"), "subject": self.patient,
                "clinicalStatus": hl7("condition-clinical", "resolved"),
                "verificationStatus": hl7("condition-ver-status", "confirmed"),
                "category": [hl7("condition-category", "encounter-diagnosis")],
                "code": concept(SNOMED, "195662009", Some("Acute viral pharyngitis")),
                "onsetDateTime": self.day(3), "abatementDateTime": self.day(4),
            }),
            json!({
                "resourceType": "CareTeam", "id": self.id("team"), "status": "active",
                "subject": self.patient, "name": "Blood pressure",
                "participant": [{ "role": [concept(SNOMED, "446050000", Some("Primary care provider"))],
                    "member": self.doctor() }],
            }),
            json!({
                "resourceType": "Goal", "id": self.id("goal"), "lifecycleStatus": "active",
                "description": { "text": "Blood pressure below 130/80" }, "subject": self.patient,
                "startDate": self.day(2), "target": [{ "dueDate": "2026-12-31" }],
            }),
            json!({
                "resourceType": "CarePlan", "id": self.id("plan"), "status": "active", "intent": "plan",
                "category": [concept("http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "assess-plan", None)],
                "title": "Blood pressure", "subject": self.patient,
                "careTeam": [refers("CareTeam", "team")], "addresses": [refers("Condition", "condition")],
                "goal": [refers("Goal", "goal")],
            }),
            json!({
                "resourceType": "Procedure", "id": self.id("procedure"), "status": "completed",
                "code": concept(SNOMED, "29303009", Some("Electrocardiogram")), "subject": self.patient,
                "performedDateTime": self.day(5), "performer": [{ "actor": self.doctor() }],
            }),
        ]
    }

    /// What was prescribed, handed out and injected.
    fn medicines(&self) -> Vec<Value> {
        let medicine = concept(RXNORM, "314076", Some("Lisinopril 10 mg oral tablet"));
        vec![
            json!({
                "resourceType": "MedicationRequest", "id": self.id("prescription"), "status": "active",
                "intent": "order", "medicationCodeableConcept": medicine, "subject": self.patient,
                "authoredOn": self.day(2), "requester": self.doctor(),
                "dosageInstruction": [{ "text": "One tablet a day" }],
            }),
            json!({
                "resourceType": "MedicationDispense", "id": self.id("dispense"), "status": "completed",
                "medicationCodeableConcept": medicine, "subject": self.patient,
                "authorizingPrescription": [{ "reference": format!("MedicationRequest/{}", self.id("prescription")) }],
                "quantity": { "value": 30, "unit": "tablet" }, "whenHandedOver": self.day(3),
            }),
            json!({
                "resourceType": "Immunization", "id": self.id("vaccination"), "status": "completed",
                "vaccineCode": concept(CVX, "140", Some("Influenza, seasonal")), "patient": self.patient,
                "occurrenceDateTime": self.day(10), "primarySource": true,
            }),
        ]
    }

    /// What was measured, reported and written.
    fn findings(&self) -> Vec<Value> {
        let quantity =
            |value: usize, unit: &str| json!({ "value": value, "unit": unit, "system": UCUM, "code": unit });
        let pressure = |code: &str, value: usize| json!({ "code": concept(LOINC, code, None), "valueQuantity": quantity(value, "mm[Hg]") });
        let observation = |what: &str, category: &str, code: Value, (name, value): (&str, Value)| {
            json!({
                "resourceType": "Observation", "id": self.id(what), "status": "final",
                "category": [hl7("observation-category", category)], "code": code,
                "subject": self.patient, "effectiveDateTime": self.day(6), "performer": [self.doctor()],
                name: value,
            })
        };
        let pressures = json!([pressure("8480-6", 118 + self.number), pressure("8462-4", 70 + self.number)]);
        let blood = observation(
            "pressure",
            "vital-signs",
            concept(LOINC, "85354-9", Some("Blood pressure")),
            ("component", pressures),
        );
        let potassium = observation(
            "potassium",
            "laboratory",
            concept(LOINC, "2823-3", Some("Potassium")),
            ("valueQuantity", quantity(4, "mmol/L")),
        );
        let smoking = observation(
            "smoking",
            "social-history",
            concept(LOINC, "72166-2", Some("Tobacco smoking status")),
            ("valueCodeableConcept", concept(SNOMED, "266919005", Some("Never smoked tobacco"))),
        );
        vec![
            blood,
            potassium,
            smoking,
            json!({
                "resourceType": "DiagnosticReport", "id": self.id("report"), "status": "final",
                "category": [concept("http://terminology.hl7.org/CodeSystem/v2-0074", "LAB", None)],
                "code": concept(LOINC, "24323-8", Some("Metabolic panel")), "subject": self.patient,
                "effectiveDateTime": self.day(6),
                "result": [{ "reference": format!("Observation/{}", self.id("potassium")) }],
                "conclusion": "Nothing unusual.",
            }),
            json!({
                "resourceType": "DocumentReference", "id": self.id("letter"), "status": "current",
                "type": concept(LOINC, "34133-9", Some("Summary of episode note")), "subject": self.patient,
                "author": [self.doctor()], "date": format!("{}T12:00:00Z", self.day(6)),
                "content": [{ "attachment": { "contentType": "text/plain", "title": "After the visit",
                    "data": "Qmxvb2QgcHJlc3N1cmUgaXMgZmluZS4=" } }],
            }),
        ]
    }
}
