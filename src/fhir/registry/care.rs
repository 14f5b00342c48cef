//! Rows for ServiceRequest, Coverage, Encounter and Communication.

use super::{ResourceType, SearchParam, at, date, hl7, quantity, reference, refers, string, token, uri};

/// ServiceRequest.
pub(super) const SERVICE_REQUEST: ResourceType = ResourceType {
    name: "ServiceRequest",
    params: SERVICE_REQUEST_PARAMS,
    patient_compartment: &["subject", "performer"],
    practitioner_compartment: &["performer", "requester"],
};

const SERVICE_REQUEST_PARAMS: &[SearchParam] = &[
    date("authored", hl7!("ServiceRequest-authored"), &[at("authoredOn")]),
    reference("based-on", hl7!("ServiceRequest-based-on"), &[at("basedOn")]).to(&[
        "CarePlan",
        "MedicationRequest",
        "ServiceRequest",
    ]),
    token("body-site", hl7!("ServiceRequest-body-site"), &[at("bodySite")]),
    token("category", hl7!("ServiceRequest-category"), &[at("category")]),
    token("code", hl7!("clinical-code"), &[at("code")]),
    reference("encounter", hl7!("clinical-encounter"), &[at("encounter")])
        .to(&["Encounter", "EpisodeOfCare"]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    reference(
        "instantiates-canonical",
        hl7!("ServiceRequest-instantiates-canonical"),
        &[at("instantiatesCanonical")],
    )
    .to(&["ActivityDefinition", "PlanDefinition"]),
    uri("instantiates-uri", hl7!("ServiceRequest-instantiates-uri"), &[at("instantiatesUri")]),
    token("intent", hl7!("ServiceRequest-intent"), &[at("intent")])
        .system("http://hl7.org/fhir/request-intent"),
    date(
        "occurrence",
        hl7!("ServiceRequest-occurrence"),
        &[at("occurrenceDateTime"), at("occurrencePeriod"), at("occurrenceTiming")],
    ),
    reference("patient", hl7!("clinical-patient"), &[refers("subject", "Patient")]).to(&["Patient"]),
    reference("performer", hl7!("ServiceRequest-performer"), &[at("performer")]).to(&[
        "CareTeam",
        "Device",
        "HealthcareService",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    token("performer-type", hl7!("ServiceRequest-performer-type"), &[at("performerType")]),
    token("priority", hl7!("ServiceRequest-priority"), &[at("priority")])
        .system("http://hl7.org/fhir/request-priority"),
    reference("replaces", hl7!("ServiceRequest-replaces"), &[at("replaces")]).to(&["ServiceRequest"]),
    reference("requester", hl7!("ServiceRequest-requester"), &[at("requester")]).to(&[
        "Device",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    token("requisition", hl7!("ServiceRequest-requisition"), &[at("requisition")]),
    reference("specimen", hl7!("ServiceRequest-specimen"), &[at("specimen")]).to(&["Specimen"]),
    token("status", hl7!("ServiceRequest-status"), &[at("status")])
        .system("http://hl7.org/fhir/request-status"),
    reference("subject", hl7!("ServiceRequest-subject"), &[at("subject")])
        .to(&["Device", "Group", "Location", "Patient"]),
];

/// Coverage.
pub(super) const COVERAGE: ResourceType = ResourceType {
    name: "Coverage",
    params: COVERAGE_PARAMS,
    patient_compartment: &["policy-holder", "subscriber", "beneficiary", "payor"],
    practitioner_compartment: &[],
};

const COVERAGE_PARAMS: &[SearchParam] = &[
    reference("beneficiary", hl7!("Coverage-beneficiary"), &[at("beneficiary")]).to(&["Patient"]),
    token("class-type", hl7!("Coverage-class-type"), &[at("class.type")]),
    string("class-value", hl7!("Coverage-class-value"), &[at("class.value")]),
    string("dependent", hl7!("Coverage-dependent"), &[at("dependent")]),
    token("identifier", hl7!("Coverage-identifier"), &[at("identifier")]),
    reference("patient", hl7!("Coverage-patient"), &[at("beneficiary")]).to(&["Patient"]),
    reference("payor", hl7!("Coverage-payor"), &[at("payor")]).to(&[
        "Organization",
        "Patient",
        "RelatedPerson",
    ]),
    reference("policy-holder", hl7!("Coverage-policy-holder"), &[at("policyHolder")]).to(&[
        "Organization",
        "Patient",
        "RelatedPerson",
    ]),
    token("status", hl7!("Coverage-status"), &[at("status")]).system("http://hl7.org/fhir/fm-status"),
    reference("subscriber", hl7!("Coverage-subscriber"), &[at("subscriber")])
        .to(&["Patient", "RelatedPerson"]),
    token("type", hl7!("Coverage-type"), &[at("type")]),
];

/// Encounter.
pub(super) const ENCOUNTER: ResourceType = ResourceType {
    name: "Encounter",
    params: ENCOUNTER_PARAMS,
    patient_compartment: &["patient"],
    practitioner_compartment: &["practitioner", "participant"],
};

const ENCOUNTER_PARAMS: &[SearchParam] = &[
    reference("account", hl7!("Encounter-account"), &[at("account")]).to(&["Account"]),
    reference("appointment", hl7!("Encounter-appointment"), &[at("appointment")]).to(&["Appointment"]),
    reference("based-on", hl7!("Encounter-based-on"), &[at("basedOn")]).to(&["ServiceRequest"]),
    token("class", hl7!("Encounter-class"), &[at("class")]),
    date("date", hl7!("clinical-date"), &[at("period")]),
    reference("diagnosis", hl7!("Encounter-diagnosis"), &[at("diagnosis.condition")])
        .to(&["Condition", "Procedure"]),
    reference("episode-of-care", hl7!("Encounter-episode-of-care"), &[at("episodeOfCare")])
        .to(&["EpisodeOfCare"]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    quantity("length", hl7!("Encounter-length"), &[at("length")]),
    reference("location", hl7!("Encounter-location"), &[at("location.location")]).to(&["Location"]),
    date("location-period", hl7!("Encounter-location-period"), &[at("location.period")]),
    reference("part-of", hl7!("Encounter-part-of"), &[at("partOf")]).to(&["Encounter"]),
    reference("participant", hl7!("Encounter-participant"), &[at("participant.individual")]).to(&[
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    token("participant-type", hl7!("Encounter-participant-type"), &[at("participant.type")]),
    reference("patient", hl7!("clinical-patient"), &[refers("subject", "Patient")]).to(&["Patient"]),
    reference(
        "practitioner",
        hl7!("Encounter-practitioner"),
        &[refers("participant.individual", "Practitioner")],
    )
    .to(&["Practitioner"]),
    token("reason-code", hl7!("Encounter-reason-code"), &[at("reasonCode")]),
    reference("reason-reference", hl7!("Encounter-reason-reference"), &[at("reasonReference")]).to(&[
        "Condition",
        "ImmunizationRecommendation",
        "Observation",
        "Procedure",
    ]),
    reference("service-provider", hl7!("Encounter-service-provider"), &[at("serviceProvider")])
        .to(&["Organization"]),
    token(
        "special-arrangement",
        hl7!("Encounter-special-arrangement"),
        &[at("hospitalization.specialArrangement")],
    ),
    token("status", hl7!("Encounter-status"), &[at("status")]).system("http://hl7.org/fhir/encounter-status"),
    reference("subject", hl7!("Encounter-subject"), &[at("subject")]).to(&["Group", "Patient"]),
    token("type", hl7!("clinical-type"), &[at("type")]),
];

/// Communication.
pub(super) const COMMUNICATION: ResourceType = ResourceType {
    name: "Communication",
    params: COMMUNICATION_PARAMS,
    patient_compartment: &["subject", "sender", "recipient"],
    practitioner_compartment: &["sender", "recipient"],
};

const COMMUNICATION_PARAMS: &[SearchParam] = &[
    reference("based-on", hl7!("Communication-based-on"), &[at("basedOn")]),
    token("category", hl7!("Communication-category"), &[at("category")]),
    reference("encounter", hl7!("Communication-encounter"), &[at("encounter")]).to(&["Encounter"]),
    token("identifier", hl7!("Communication-identifier"), &[at("identifier")]),
    reference(
        "instantiates-canonical",
        hl7!("Communication-instantiates-canonical"),
        &[at("instantiatesCanonical")],
    )
    .to(&["ActivityDefinition", "Measure", "OperationDefinition", "PlanDefinition", "Questionnaire"]),
    uri("instantiates-uri", hl7!("Communication-instantiates-uri"), &[at("instantiatesUri")]),
    token("medium", hl7!("Communication-medium"), &[at("medium")]),
    reference("part-of", hl7!("Communication-part-of"), &[at("partOf")]),
    reference("patient", hl7!("Communication-patient"), &[refers("subject", "Patient")]).to(&["Patient"]),
    date("received", hl7!("Communication-received"), &[at("received")]),
    reference("recipient", hl7!("Communication-recipient"), &[at("recipient")]).to(&[
        "CareTeam",
        "Device",
        "Group",
        "HealthcareService",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    reference("sender", hl7!("Communication-sender"), &[at("sender")]).to(&[
        "Device",
        "HealthcareService",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    date("sent", hl7!("Communication-sent"), &[at("sent")]),
    token("status", hl7!("Communication-status"), &[at("status")]).system("http://hl7.org/fhir/event-status"),
    reference("subject", hl7!("Communication-subject"), &[at("subject")]).to(&["Group", "Patient"]),
];
