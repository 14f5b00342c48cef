//! Rows for Immunization, MedicationDispense and MedicationRequest.

use super::{ResourceType, SearchParam, at, date, hl7, reference, refers, string, token};

/// Immunization.
pub(super) const IMMUNIZATION: ResourceType = ResourceType {
    name: "Immunization",
    params: IMMUNIZATION_PARAMS,
    patient_compartment: &["patient"],
    practitioner_compartment: &["performer"],
};

const IMMUNIZATION_PARAMS: &[SearchParam] = &[
    date("date", hl7!("clinical-date"), &[at("occurrenceDateTime")]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    reference("location", hl7!("Immunization-location"), &[at("location")]).to(&["Location"]),
    string("lot-number", hl7!("Immunization-lot-number"), &[at("lotNumber")]),
    reference("manufacturer", hl7!("Immunization-manufacturer"), &[at("manufacturer")]).to(&["Organization"]),
    reference("patient", hl7!("clinical-patient"), &[refers("patient", "Patient")]).to(&["Patient"]),
    reference("performer", hl7!("Immunization-performer"), &[at("performer.actor")]).to(&[
        "Organization",
        "Practitioner",
        "PractitionerRole",
    ]),
    reference("reaction", hl7!("Immunization-reaction"), &[at("reaction.detail")]).to(&["Observation"]),
    date("reaction-date", hl7!("Immunization-reaction-date"), &[at("reaction.date")]),
    token("reason-code", hl7!("Immunization-reason-code"), &[at("reasonCode")]),
    reference("reason-reference", hl7!("Immunization-reason-reference"), &[at("reasonReference")]).to(&[
        "Condition",
        "DiagnosticReport",
        "Observation",
    ]),
    string("series", hl7!("Immunization-series"), &[at("protocolApplied.series")]),
    token("status", hl7!("Immunization-status"), &[at("status")]).system("http://hl7.org/fhir/event-status"),
    token("status-reason", hl7!("Immunization-status-reason"), &[at("statusReason")]),
    token("target-disease", hl7!("Immunization-target-disease"), &[at("protocolApplied.targetDisease")]),
    token("vaccine-code", hl7!("Immunization-vaccine-code"), &[at("vaccineCode")]),
];

/// MedicationDispense.
pub(super) const MEDICATION_DISPENSE: ResourceType = ResourceType {
    name: "MedicationDispense",
    params: MEDICATION_DISPENSE_PARAMS,
    patient_compartment: &["subject", "patient", "receiver"],
    practitioner_compartment: &["performer", "receiver"],
};

const MEDICATION_DISPENSE_PARAMS: &[SearchParam] = &[
    token("code", hl7!("clinical-code"), &[at("medicationCodeableConcept")]),
    reference("context", hl7!("MedicationDispense-context"), &[at("context")])
        .to(&["Encounter", "EpisodeOfCare"]),
    reference("destination", hl7!("MedicationDispense-destination"), &[at("destination")]).to(&["Location"]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    reference("medication", hl7!("medications-medication"), &[at("medicationReference")]).to(&["Medication"]),
    reference("patient", hl7!("clinical-patient"), &[refers("subject", "Patient")]).to(&["Patient"]),
    reference("performer", hl7!("MedicationDispense-performer"), &[at("performer.actor")]).to(&[
        "Device",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    reference("prescription", hl7!("medications-prescription"), &[at("authorizingPrescription")])
        .to(&["MedicationRequest"]),
    reference("receiver", hl7!("MedicationDispense-receiver"), &[at("receiver")])
        .to(&["Patient", "Practitioner"]),
    reference(
        "responsibleparty",
        hl7!("MedicationDispense-responsibleparty"),
        &[at("substitution.responsibleParty")],
    )
    .to(&["Practitioner", "PractitionerRole"]),
    token("status", hl7!("medications-status"), &[at("status")])
        .system("http://terminology.hl7.org/CodeSystem/medicationdispense-status"),
    reference("subject", hl7!("MedicationDispense-subject"), &[at("subject")]).to(&["Group", "Patient"]),
    token("type", hl7!("MedicationDispense-type"), &[at("type")]),
    date("whenhandedover", hl7!("MedicationDispense-whenhandedover"), &[at("whenHandedOver")]),
    date("whenprepared", hl7!("MedicationDispense-whenprepared"), &[at("whenPrepared")]),
];

/// MedicationRequest.
pub(super) const MEDICATION_REQUEST: ResourceType = ResourceType {
    name: "MedicationRequest",
    params: MEDICATION_REQUEST_PARAMS,
    patient_compartment: &["subject"],
    practitioner_compartment: &["requester"],
};

const MEDICATION_REQUEST_PARAMS: &[SearchParam] = &[
    date("authoredon", hl7!("MedicationRequest-authoredon"), &[at("authoredOn")]),
    token("category", hl7!("MedicationRequest-category"), &[at("category")]),
    token("code", hl7!("clinical-code"), &[at("medicationCodeableConcept")]),
    date("date", hl7!("medications-date"), &[at("dosageInstruction.timing.event")]),
    reference("encounter", hl7!("medications-encounter"), &[at("encounter")]).to(&["Encounter"]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    reference(
        "intended-dispenser",
        hl7!("MedicationRequest-intended-dispenser"),
        &[at("dispenseRequest.performer")],
    )
    .to(&["Organization"]),
    reference("intended-performer", hl7!("MedicationRequest-intended-performer"), &[at("performer")]).to(&[
        "CareTeam",
        "Device",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    token("intended-performertype", hl7!("MedicationRequest-intended-performertype"), &[at("performerType")]),
    token("intent", hl7!("MedicationRequest-intent"), &[at("intent")])
        .system("http://hl7.org/fhir/CodeSystem/medicationrequest-intent"),
    reference("medication", hl7!("medications-medication"), &[at("medicationReference")]).to(&["Medication"]),
    reference("patient", hl7!("clinical-patient"), &[refers("subject", "Patient")]).to(&["Patient"]),
    token("priority", hl7!("MedicationRequest-priority"), &[at("priority")])
        .system("http://hl7.org/fhir/request-priority"),
    reference("requester", hl7!("MedicationRequest-requester"), &[at("requester")]).to(&[
        "Device",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    token("status", hl7!("medications-status"), &[at("status")])
        .system("http://hl7.org/fhir/CodeSystem/medicationrequest-status"),
    reference("subject", hl7!("MedicationRequest-subject"), &[at("subject")]).to(&["Group", "Patient"]),
];
