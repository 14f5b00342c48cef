//! Rows for AllergyIntolerance, Condition and Procedure.

use super::{ResourceType, SearchParam, at, date, hl7, quantity, reference, refers, string, token, uri};

/// AllergyIntolerance.
pub(super) const ALLERGY_INTOLERANCE: ResourceType = ResourceType {
    name: "AllergyIntolerance",
    params: ALLERGY_INTOLERANCE_PARAMS,
    patient_compartment: &["patient", "recorder", "asserter"],
    practitioner_compartment: &["recorder", "asserter"],
};

const ALLERGY_INTOLERANCE_PARAMS: &[SearchParam] = &[
    reference("asserter", hl7!("AllergyIntolerance-asserter"), &[at("asserter")]).to(&[
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    token("category", hl7!("AllergyIntolerance-category"), &[at("category")])
        .system("http://hl7.org/fhir/allergy-intolerance-category"),
    token("clinical-status", hl7!("AllergyIntolerance-clinical-status"), &[at("clinicalStatus")]),
    token("code", hl7!("clinical-code"), &[at("code"), at("reaction.substance")]),
    token("criticality", hl7!("AllergyIntolerance-criticality"), &[at("criticality")])
        .system("http://hl7.org/fhir/allergy-intolerance-criticality"),
    date("date", hl7!("clinical-date"), &[at("recordedDate")]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    date("last-date", hl7!("AllergyIntolerance-last-date"), &[at("lastOccurrence")]),
    token("manifestation", hl7!("AllergyIntolerance-manifestation"), &[at("reaction.manifestation")]),
    date("onset", hl7!("AllergyIntolerance-onset"), &[at("reaction.onset")]),
    reference("patient", hl7!("clinical-patient"), &[refers("patient", "Patient")]).to(&["Patient"]),
    reference("recorder", hl7!("AllergyIntolerance-recorder"), &[at("recorder")]).to(&[
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    token("route", hl7!("AllergyIntolerance-route"), &[at("reaction.exposureRoute")]),
    token("severity", hl7!("AllergyIntolerance-severity"), &[at("reaction.severity")])
        .system("http://hl7.org/fhir/reaction-event-severity"),
    token("type", hl7!("clinical-type"), &[at("type")])
        .system("http://hl7.org/fhir/allergy-intolerance-type"),
    token("verification-status", hl7!("AllergyIntolerance-verification-status"), &[at("verificationStatus")]),
];

/// Condition.
pub(super) const CONDITION: ResourceType = ResourceType {
    name: "Condition",
    params: CONDITION_PARAMS,
    patient_compartment: &["patient", "asserter"],
    practitioner_compartment: &["asserter"],
};

const CONDITION_PARAMS: &[SearchParam] = &[
    quantity("abatement-age", hl7!("Condition-abatement-age"), &[at("abatementAge"), at("abatementRange")]),
    date(
        "abatement-date",
        hl7!("Condition-abatement-date"),
        &[at("abatementDateTime"), at("abatementPeriod")],
    ),
    string("abatement-string", hl7!("Condition-abatement-string"), &[at("abatementString")]),
    reference("asserter", hl7!("Condition-asserter"), &[at("asserter")]).to(&[
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    token("body-site", hl7!("Condition-body-site"), &[at("bodySite")]),
    token("category", hl7!("Condition-category"), &[at("category")]),
    token("clinical-status", hl7!("Condition-clinical-status"), &[at("clinicalStatus")]),
    token("code", hl7!("clinical-code"), &[at("code")]),
    reference("encounter", hl7!("Condition-encounter"), &[at("encounter")]).to(&["Encounter"]),
    token("evidence", hl7!("Condition-evidence"), &[at("evidence.code")]),
    reference("evidence-detail", hl7!("Condition-evidence-detail"), &[at("evidence.detail")]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    quantity("onset-age", hl7!("Condition-onset-age"), &[at("onsetAge"), at("onsetRange")]),
    date("onset-date", hl7!("Condition-onset-date"), &[at("onsetDateTime"), at("onsetPeriod")]),
    string("onset-info", hl7!("Condition-onset-info"), &[at("onsetString")]),
    reference("patient", hl7!("clinical-patient"), &[refers("subject", "Patient")]).to(&["Patient"]),
    date("recorded-date", hl7!("Condition-recorded-date"), &[at("recordedDate")]),
    token("severity", hl7!("Condition-severity"), &[at("severity")]),
    token("stage", hl7!("Condition-stage"), &[at("stage.summary")]),
    reference("subject", hl7!("Condition-subject"), &[at("subject")]).to(&["Group", "Patient"]),
    token("verification-status", hl7!("Condition-verification-status"), &[at("verificationStatus")]),
];

/// Procedure.
pub(super) const PROCEDURE: ResourceType = ResourceType {
    name: "Procedure",
    params: PROCEDURE_PARAMS,
    patient_compartment: &["patient", "performer"],
    practitioner_compartment: &["performer"],
};

const PROCEDURE_PARAMS: &[SearchParam] = &[
    reference("based-on", hl7!("Procedure-based-on"), &[at("basedOn")]).to(&["CarePlan", "ServiceRequest"]),
    token("category", hl7!("Procedure-category"), &[at("category")]),
    token("code", hl7!("clinical-code"), &[at("code")]),
    date("date", hl7!("clinical-date"), &[at("performedDateTime"), at("performedPeriod")]),
    reference("encounter", hl7!("clinical-encounter"), &[at("encounter")])
        .to(&["Encounter", "EpisodeOfCare"]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    reference(
        "instantiates-canonical",
        hl7!("Procedure-instantiates-canonical"),
        &[at("instantiatesCanonical")],
    )
    .to(&["ActivityDefinition", "Measure", "OperationDefinition", "PlanDefinition", "Questionnaire"]),
    uri("instantiates-uri", hl7!("Procedure-instantiates-uri"), &[at("instantiatesUri")]),
    reference("location", hl7!("Procedure-location"), &[at("location")]).to(&["Location"]),
    reference("part-of", hl7!("Procedure-part-of"), &[at("partOf")]).to(&[
        "MedicationAdministration",
        "Observation",
        "Procedure",
    ]),
    reference("patient", hl7!("clinical-patient"), &[refers("subject", "Patient")]).to(&["Patient"]),
    reference("performer", hl7!("Procedure-performer"), &[at("performer.actor")]).to(&[
        "Device",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    token("reason-code", hl7!("Procedure-reason-code"), &[at("reasonCode")]),
    reference("reason-reference", hl7!("Procedure-reason-reference"), &[at("reasonReference")]).to(&[
        "Condition",
        "DiagnosticReport",
        "DocumentReference",
        "Observation",
        "Procedure",
    ]),
    token("status", hl7!("Procedure-status"), &[at("status")]).system("http://hl7.org/fhir/event-status"),
    reference("subject", hl7!("Procedure-subject"), &[at("subject")]).to(&["Group", "Patient"]),
];
