//! Two of everything: one about patient `pat-1`, whom `dr-a` of `org-1` treats, and one about `pat-2`, whom
//! `dr-b` of `org-2` treats.

use crate::support::auth::Person;
use crate::support::{Client, TestApp, clinic};
use serde_json::{Value, json};

/// One side of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Patient `pat-1`, `dr-a`, `org-1`.
    In,
    /// Patient `pat-2`, `dr-b`, `org-2`.
    Out,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::In, Self::Out];

    fn pick<'a>(self, inside: &'a str, outside: &'a str) -> &'a str {
        if self == Self::In { inside } else { outside }
    }

    /// The id of the resource of a type on this side.
    pub fn id(self, rtype: &str) -> String {
        match rtype {
            "Patient" => self.pick("pat-1", "pat-2").to_owned(),
            "Practitioner" => self.pick("dr-a", "dr-b").to_owned(),
            "Organization" => self.pick("org-1", "org-2").to_owned(),
            _ => format!("{}-{}", self.pick("in", "out"), rtype.to_lowercase()),
        }
    }

    fn refers(self, rtype: &str) -> Value {
        json!({ "reference": format!("{rtype}/{}", self.id(rtype)) })
    }

    /// A resource of a type on this side, without an id.
    pub fn resource(self, rtype: &str) -> Value {
        let patient = self.refers("Patient");
        let doctor = self.refers("Practitioner");
        let organization = self.refers("Organization");
        let start = clinic::at(self.pick("09:00", "10:00"));
        let coded = |system: &str, code: &str| json!({ "coding": [{ "system": system, "code": code }] });
        let mut body = match rtype {
            "Appointment" => {
                json!({ "status": "booked", "start": start, "end": clinic::later(&start, 30), "participant": [
                { "actor": patient, "status": "accepted" }, { "actor": doctor, "status": "accepted" }] })
            }
            "AppointmentResponse" => json!({ "appointment": self.refers("Appointment"), "actor": patient,
                "participantStatus": "accepted" }),
            "Communication" => json!({ "status": "completed", "subject": patient, "sender": doctor }),
            "Consent" => {
                json!({ "status": "active", "patient": patient, "policyRule": { "text": "house rules" },
                "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
                "category": [coded("http://loinc.org", "59284-0")],
                "provision": { "type": "permit", "period": { "start": "2020-01-01" },
                    "code": [{ "text": "everything" }] } })
            }
            "Coverage" => json!({ "status": "active", "beneficiary": patient, "payor": [patient] }),
            "Device" => json!({ "status": "active" }),
            "Encounter" => {
                json!({ "status": "finished", "subject": patient, "participant": [{ "individual": doctor }],
                "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB" } })
            }
            "Group" => {
                json!({ "type": "person", "actual": true, "member": [{ "entity": patient }] })
            }
            "HealthcareService" => json!({ "name": "Care", "providedBy": organization }),
            "Location" => {
                json!({ "name": "Place", "status": "active", "managingOrganization": organization })
            }
            "Organization" => json!({ "name": "House" }),
            "Patient" => json!({ "name": [{ "family": "Test", "given": [self.id("Patient")] }],
                "generalPractitioner": [doctor], "managingOrganization": organization,
                "contact": [{ "name": { "text": "Next of kin" } }] }),
            "Practitioner" => json!({ "name": [{ "family": "Doctor" }] }),
            "PractitionerRole" => json!({ "practitioner": doctor, "organization": organization }),
            "Provenance" => {
                json!({ "target": [patient], "recorded": "2026-01-01T00:00:00Z", "agent": [{ "who": doctor }] })
            }
            "RelatedPerson" => json!({ "patient": patient }),
            // A calendar of one's own is nobody else's business.
            "Schedule" if self == Self::Out => json!({ "actor": [patient], "comment": "private" }),
            "Schedule" => json!({ "actor": [doctor], "comment": "private" }),
            "ServiceRequest" => {
                json!({ "status": "active", "intent": "order", "subject": patient, "requester": doctor })
            }
            "Slot" => json!({ "schedule": self.refers("Schedule"), "status": "free", "comment": "private",
                "start": clinic::at("12:00"), "end": clinic::at("12:30") }),
            other => clinical(other, &patient, &doctor),
        };
        body["resourceType"] = json!(rtype);
        body
    }

    /// The same under its own id.
    pub fn stored(self, rtype: &str) -> Value {
        clinic::with_id(self.resource(rtype), &self.id(rtype))
    }
}

/// A resource of the clinical record of a patient, which names no doctor but as its author.
fn clinical(rtype: &str, patient: &Value, doctor: &Value) -> Value {
    let text = json!({ "text": "something" });
    let coded = |system: &str, code: &str| json!({ "coding": [{ "system": format!("http://terminology.hl7.org/CodeSystem/{system}"), "code": code }] });
    match rtype {
        "AllergyIntolerance" => {
            json!({ "patient": patient, "clinicalStatus": coded("allergyintolerance-clinical", "active"), "code": text })
        }
        "CarePlan" => json!({ "status": "active", "intent": "plan", "subject": patient }),
        "CareTeam" => {
            json!({ "status": "active", "subject": patient, "participant": [{ "member": doctor }] })
        }
        "Condition" => {
            json!({ "subject": patient, "clinicalStatus": coded("condition-clinical", "active"), "code": text,
            "category": [coded("condition-category", "problem-list-item")] })
        }
        "DiagnosticReport" => json!({ "status": "final", "code": text, "subject": patient }),
        "DocumentReference" => {
            json!({ "status": "current", "subject": patient, "author": [doctor],
            "content": [{ "attachment": { "title": "Letter" } }] })
        }
        "Goal" => json!({ "lifecycleStatus": "active", "description": text, "subject": patient }),
        "Immunization" => {
            json!({ "status": "completed", "vaccineCode": text, "patient": patient, "occurrenceDateTime": "2026-01-01" })
        }
        "MedicationDispense" => {
            json!({ "status": "completed", "medicationCodeableConcept": text, "subject": patient })
        }
        "MedicationRequest" => {
            json!({ "status": "active", "intent": "order", "medicationCodeableConcept": text, "subject": patient,
            "requester": doctor })
        }
        "Observation" => {
            json!({ "status": "final", "code": text, "subject": patient, "performer": [doctor],
            "category": [coded("observation-category", "laboratory")], "valueInteger": 1 })
        }
        "Procedure" => json!({ "status": "completed", "code": text, "subject": patient }),
        other => panic!("the world has no {other}; add one to test its rules"),
    }
}

/// In an order in which each refers only to what comes before.
const ORDER: &[&str] = &[
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "Patient",
    "Schedule",
    "Slot",
    "Location",
    "HealthcareService",
    "Device",
    "Appointment",
    "AppointmentResponse",
    "Communication",
    "Consent",
    "Coverage",
    "Encounter",
    "Group",
    "Provenance",
    "RelatedPerson",
    "ServiceRequest",
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

/// Stores both sides.
pub async fn build(app: &TestApp) {
    for rtype in ORDER {
        for side in Side::BOTH {
            app.store(&side.stored(rtype)).await;
        }
    }
}

/// Patient `pat-1` with an application that was granted `scope`.
pub async fn patient(app: &TestApp, scope: &str) -> Client {
    app.person(Person {
        account: "ann",
        roles: &["patient"],
        fhir_user: Some("Patient/pat-1"),
        patient: Some("pat-1"),
        scope,
    })
    .await
}

/// Someone of the staff, without a patient in context.
pub async fn staff(app: &TestApp, role: &str, fhir_user: Option<&str>, scope: &str) -> Client {
    app.person(Person { account: role, roles: &[role], fhir_user, patient: None, scope }).await
}

/// Clinician `dr-a`.
pub async fn clinician(app: &TestApp, scope: &str) -> Client {
    staff(app, "clinician", Some("Practitioner/dr-a"), scope).await
}

/// A scheduler of `org-1`.
pub async fn scheduler(app: &TestApp, scope: &str) -> Client {
    let client = staff(app, "scheduler", Some("Practitioner/dr-b"), scope).await;
    let limit = "UPDATE role_grant SET organization = 'org-1' WHERE account = 'scheduler'";
    app.database().execute(limit).await;
    client
}
