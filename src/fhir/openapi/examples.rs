//! Example bodies: each is accepted as it is by an empty server.

use serde_json::{Value, json};

/// The example for a body schema.
pub(super) fn body(schema: &str) -> Option<Value> {
    let someone = json!({ "display": "Ada Okafor" });
    Some(match schema.trim_end_matches("Change") {
        "Appointment" => json!({
            "resourceType": "Appointment", "status": "proposed", "description": "First visit",
            "participant": [{ "actor": someone, "status": "needs-action" }]
        }),
        "AppointmentResponse" => json!({
            "resourceType": "AppointmentResponse", "appointment": { "display": "First visit" },
            "actor": someone, "participantStatus": "accepted"
        }),
        "Communication" => json!({
            "resourceType": "Communication", "status": "completed", "subject": someone,
            "payload": [{ "contentString": "Please come ten minutes early." }]
        }),
        "Consent" => json!({
            "resourceType": "Consent", "status": "proposed",
            "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy" }] },
            "category": [{ "coding": [{ "system": "http://loinc.org", "code": "59284-0" }] }],
            "patient": someone, "policy": [{ "uri": "http://clinic.example/policies/privacy" }],
            "provision": { "type": "permit" }
        }),
        "Coverage" => json!({
            "resourceType": "Coverage", "status": "active", "beneficiary": someone,
            "payor": [{ "display": "North Insurance" }]
        }),
        "Device" => json!({
            "resourceType": "Device", "status": "active",
            "deviceName": [{ "name": "Ultrasound 2", "type": "user-friendly-name" }]
        }),
        "Encounter" => json!({
            "resourceType": "Encounter", "status": "planned", "subject": someone,
            "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB" }
        }),
        "HealthcareService" => json!({
            "resourceType": "HealthcareService", "active": true, "name": "Cardiology consultation"
        }),
        "Location" => json!({ "resourceType": "Location", "status": "active", "name": "Room 12" }),
        "Organization" => json!({ "resourceType": "Organization", "active": true, "name": "Harbour Clinic" }),
        "Patient" => json!({
            "resourceType": "Patient", "active": true, "birthDate": "1984-05-17",
            "identifier": [{ "system": "http://clinic.example/patients", "value": "1042" }],
            "name": [{ "family": "Okafor", "given": ["Ada"] }]
        }),
        "Practitioner" => json!({
            "resourceType": "Practitioner", "active": true, "name": [{ "family": "Lind", "given": ["Elsa"] }]
        }),
        "PractitionerRole" => json!({
            "resourceType": "PractitionerRole", "active": true, "practitioner": { "display": "Elsa Lind" }
        }),
        "Provenance" => json!({
            "resourceType": "Provenance", "recorded": "2026-01-05T09:00:00Z",
            "target": [{ "display": "First visit" }], "agent": [{ "who": { "display": "Elsa Lind" } }]
        }),
        "Group" => json!({
            "resourceType": "Group", "type": "person", "actual": true, "name": "Asthma clinic",
            "member": [{ "entity": someone }]
        }),
        "RelatedPerson" => json!({
            "resourceType": "RelatedPerson", "active": true, "patient": someone,
            "name": [{ "family": "Okafor", "given": ["Chi"] }]
        }),
        "Schedule" => json!({
            "resourceType": "Schedule", "active": true, "actor": [{ "display": "Elsa Lind" }]
        }),
        "ServiceRequest" => json!({
            "resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": someone,
            "code": { "text": "Echocardiogram" }
        }),
        "Slot" => json!({
            "resourceType": "Slot", "status": "free", "schedule": { "reference": "https://ehr.example/fhir/Schedule/lind" },
            "start": "2031-03-03T09:00:00Z", "end": "2031-03-03T09:30:00Z"
        }),
        "Subscription" => json!({
            "resourceType": "Subscription", "status": "requested", "reason": "Tell the EHR of bookings",
            "criteria": "Appointment?status=booked",
            "channel": { "type": "rest-hook", "endpoint": "https://ehr.example/hooks/bookings", "payload": "application/fhir+json" }
        }),
        "AllergyIntolerance" => json!({
            "resourceType": "AllergyIntolerance", "patient": someone, "code": { "text": "Peanut" },
            "clinicalStatus": { "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"
            }] }
        }),
        "CarePlan" => json!({
            "resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": someone,
            "title": "Blood pressure"
        }),
        "CareTeam" => json!({
            "resourceType": "CareTeam", "status": "active", "subject": someone,
            "participant": [{ "member": { "display": "Elsa Lind" } }]
        }),
        "Condition" => json!({
            "resourceType": "Condition", "subject": someone, "code": { "text": "Hypertension" },
            "clinicalStatus": { "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"
            }] }
        }),
        "DiagnosticReport" => json!({
            "resourceType": "DiagnosticReport", "status": "final", "subject": someone,
            "code": { "text": "Echocardiogram" }, "conclusion": "Nothing unusual."
        }),
        "DocumentReference" => json!({
            "resourceType": "DocumentReference", "status": "current", "subject": someone,
            "content": [{ "attachment": { "title": "Letter", "url": "https://ehr.example/letters/17" } }]
        }),
        "Goal" => json!({
            "resourceType": "Goal", "lifecycleStatus": "active", "subject": someone,
            "description": { "text": "Walk half an hour a day" }
        }),
        "Immunization" => json!({
            "resourceType": "Immunization", "status": "completed", "patient": someone,
            "vaccineCode": { "text": "Influenza" }, "occurrenceDateTime": "2026-01-05"
        }),
        "MedicationDispense" => json!({
            "resourceType": "MedicationDispense", "status": "completed", "subject": someone,
            "medicationCodeableConcept": { "text": "Lisinopril 10 mg" }, "whenHandedOver": "2026-01-06"
        }),
        "MedicationRequest" => json!({
            "resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": someone,
            "medicationCodeableConcept": { "text": "Lisinopril 10 mg" }
        }),
        "Observation" => json!({
            "resourceType": "Observation", "status": "final", "subject": someone,
            "code": { "coding": [{ "system": "http://loinc.org", "code": "29463-7" }], "text": "Body weight" },
            "valueQuantity": { "value": 72, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg" }
        }),
        "Procedure" => json!({
            "resourceType": "Procedure", "status": "completed", "subject": someone,
            "code": { "text": "Removal of stitches" }, "performedDateTime": "2026-01-05"
        }),
        "ValidateParameters" => json!({
            "resourceType": "Parameters", "parameter": [{ "name": "mode", "valueCode": "delete" }]
        }),
        "RotationParameters" => json!({
            "resourceType": "Parameters", "parameter": [{ "name": "kind", "valueCode": "hmac" }]
        }),
        "ExportParameters" => json!({
            "resourceType": "Parameters",
            "parameter": [{ "name": "_type", "valueString": "Patient,Appointment" }]
        }),
        "RequestBundle" => json!({
            "resourceType": "Bundle", "type": "transaction",
            "entry": [
                {
                    "fullUrl": "urn:uuid:5b1c7a52-9d0e-4a7c-8f4b-0e2a6d1c9f11",
                    "resource": { "resourceType": "Patient", "name": [{ "family": "Okafor" }] },
                    "request": { "method": "POST", "url": "Patient" }
                },
                { "request": { "method": "GET", "url": "Slot?status=free&_count=5" } }
            ]
        }),
        _ => return None,
    })
}

/// A JSON Patch that fits every resource of the type.
pub(super) fn json_patch(_rtype: &str) -> Value {
    json!([{ "op": "add", "path": "/language", "value": "en" }])
}

/// The same as a FHIRPath Patch.
pub(super) fn fhirpath_patch(rtype: &str) -> Value {
    json!({
        "resourceType": "Parameters",
        "parameter": [{ "name": "operation", "part": [
            { "name": "type", "valueCode": "delete" },
            { "name": "path", "valueString": format!("{rtype}.language") }
        ] }]
    })
}
