//! Rows for DiagnosticReport, DocumentReference and Observation.

use super::{
    ResourceType, SearchParam, at, composite, date, hl7, quantity, reference, refers, string, token, uri,
};

/// DiagnosticReport.
pub(super) const DIAGNOSTIC_REPORT: ResourceType = ResourceType {
    name: "DiagnosticReport",
    params: DIAGNOSTIC_REPORT_PARAMS,
    patient_compartment: &["subject"],
    practitioner_compartment: &["performer"],
};

const DIAGNOSTIC_REPORT_PARAMS: &[SearchParam] = &[
    reference("based-on", hl7!("DiagnosticReport-based-on"), &[at("basedOn")]).to(&[
        "CarePlan",
        "ImmunizationRecommendation",
        "MedicationRequest",
        "NutritionOrder",
        "ServiceRequest",
    ]),
    token("category", hl7!("DiagnosticReport-category"), &[at("category")]),
    token("code", hl7!("clinical-code"), &[at("code")]),
    token("conclusion", hl7!("DiagnosticReport-conclusion"), &[at("conclusionCode")]),
    date("date", hl7!("clinical-date"), &[at("effectiveDateTime"), at("effectivePeriod")]),
    reference("encounter", hl7!("clinical-encounter"), &[at("encounter")])
        .to(&["Encounter", "EpisodeOfCare"]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    date("issued", hl7!("DiagnosticReport-issued"), &[at("issued")]),
    reference("media", hl7!("DiagnosticReport-media"), &[at("media.link")]).to(&["Media"]),
    reference("patient", hl7!("clinical-patient"), &[refers("subject", "Patient")]).to(&["Patient"]),
    reference("performer", hl7!("DiagnosticReport-performer"), &[at("performer")]).to(&[
        "CareTeam",
        "Organization",
        "Practitioner",
        "PractitionerRole",
    ]),
    reference("result", hl7!("DiagnosticReport-result"), &[at("result")]).to(&["Observation"]),
    reference(
        "results-interpreter",
        hl7!("DiagnosticReport-results-interpreter"),
        &[at("resultsInterpreter")],
    )
    .to(&["CareTeam", "Organization", "Practitioner", "PractitionerRole"]),
    reference("specimen", hl7!("DiagnosticReport-specimen"), &[at("specimen")]).to(&["Specimen"]),
    token("status", hl7!("DiagnosticReport-status"), &[at("status")])
        .system("http://hl7.org/fhir/diagnostic-report-status"),
    reference("subject", hl7!("DiagnosticReport-subject"), &[at("subject")])
        .to(&["Device", "Group", "Location", "Patient"]),
];

/// DocumentReference.
pub(super) const DOCUMENT_REFERENCE: ResourceType = ResourceType {
    name: "DocumentReference",
    params: DOCUMENT_REFERENCE_PARAMS,
    patient_compartment: &["subject", "author"],
    practitioner_compartment: &["subject", "author", "authenticator"],
};

const DOCUMENT_REFERENCE_PARAMS: &[SearchParam] = &[
    reference("authenticator", hl7!("DocumentReference-authenticator"), &[at("authenticator")]).to(&[
        "Organization",
        "Practitioner",
        "PractitionerRole",
    ]),
    reference("author", hl7!("DocumentReference-author"), &[at("author")]).to(&[
        "Device",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    token("category", hl7!("DocumentReference-category"), &[at("category")]),
    token("contenttype", hl7!("DocumentReference-contenttype"), &[at("content.attachment.contentType")])
        .system("urn:ietf:bcp:13"),
    reference("custodian", hl7!("DocumentReference-custodian"), &[at("custodian")]).to(&["Organization"]),
    date("date", hl7!("DocumentReference-date"), &[at("date")]),
    string("description", hl7!("DocumentReference-description"), &[at("description")]),
    reference("encounter", hl7!("clinical-encounter"), &[at("context.encounter")])
        .to(&["Encounter", "EpisodeOfCare"]),
    token("event", hl7!("DocumentReference-event"), &[at("context.event")]),
    token("facility", hl7!("DocumentReference-facility"), &[at("context.facilityType")]),
    token("format", hl7!("DocumentReference-format"), &[at("content.format")]),
    token("identifier", hl7!("clinical-identifier"), &[at("masterIdentifier"), at("identifier")]),
    token("language", hl7!("DocumentReference-language"), &[at("content.attachment.language")])
        .system("urn:ietf:bcp:47"),
    uri("location", hl7!("DocumentReference-location"), &[at("content.attachment.url")]),
    reference("patient", hl7!("clinical-patient"), &[refers("subject", "Patient")]).to(&["Patient"]),
    date("period", hl7!("DocumentReference-period"), &[at("context.period")]),
    reference("related", hl7!("DocumentReference-related"), &[at("context.related")]),
    reference("relatesto", hl7!("DocumentReference-relatesto"), &[at("relatesTo.target")])
        .to(&["DocumentReference"]),
    token("relation", hl7!("DocumentReference-relation"), &[at("relatesTo.code")])
        .system("http://hl7.org/fhir/document-relationship-type"),
    token("security-label", hl7!("DocumentReference-security-label"), &[at("securityLabel")]),
    token("setting", hl7!("DocumentReference-setting"), &[at("context.practiceSetting")]),
    token("status", hl7!("DocumentReference-status"), &[at("status")])
        .system("http://hl7.org/fhir/document-reference-status"),
    reference("subject", hl7!("DocumentReference-subject"), &[at("subject")]).to(&[
        "Device",
        "Group",
        "Patient",
        "Practitioner",
    ]),
    token("type", hl7!("clinical-type"), &[at("type")]),
];

/// Observation.
pub(super) const OBSERVATION: ResourceType = ResourceType {
    name: "Observation",
    params: OBSERVATION_PARAMS,
    patient_compartment: &["subject", "performer"],
    practitioner_compartment: &["performer"],
};

const OBSERVATION_PARAMS: &[SearchParam] = &[
    reference("based-on", hl7!("Observation-based-on"), &[at("basedOn")]).to(&[
        "CarePlan",
        "DeviceRequest",
        "ImmunizationRecommendation",
        "MedicationRequest",
        "NutritionOrder",
        "ServiceRequest",
    ]),
    token("category", hl7!("Observation-category"), &[at("category")]),
    token("code", hl7!("clinical-code"), &[at("code")]),
    composite("code-value-concept", hl7!("Observation-code-value-concept"), &["code", "value-concept"]),
    composite("code-value-date", hl7!("Observation-code-value-date"), &["code", "value-date"]),
    composite("code-value-quantity", hl7!("Observation-code-value-quantity"), &["code", "value-quantity"]),
    composite("code-value-string", hl7!("Observation-code-value-string"), &["code", "value-string"]),
    token("combo-code", hl7!("Observation-combo-code"), &[at("code"), at("component.code")]),
    token(
        "combo-data-absent-reason",
        hl7!("Observation-combo-data-absent-reason"),
        &[at("dataAbsentReason"), at("component.dataAbsentReason")],
    ),
    token(
        "combo-value-concept",
        hl7!("Observation-combo-value-concept"),
        &[at("valueCodeableConcept"), at("component.valueCodeableConcept")],
    ),
    quantity(
        "combo-value-quantity",
        hl7!("Observation-combo-value-quantity"),
        &[
            at("valueQuantity"),
            at("valueSampledData"),
            at("component.valueQuantity"),
            at("component.valueSampledData"),
        ],
    ),
    token("component-code", hl7!("Observation-component-code"), &[at("component.code")]),
    token(
        "component-data-absent-reason",
        hl7!("Observation-component-data-absent-reason"),
        &[at("component.dataAbsentReason")],
    ),
    token(
        "component-value-concept",
        hl7!("Observation-component-value-concept"),
        &[at("component.valueCodeableConcept")],
    ),
    quantity(
        "component-value-quantity",
        hl7!("Observation-component-value-quantity"),
        &[at("component.valueQuantity"), at("component.valueSampledData")],
    ),
    token("data-absent-reason", hl7!("Observation-data-absent-reason"), &[at("dataAbsentReason")]),
    date(
        "date",
        hl7!("clinical-date"),
        &[at("effectiveDateTime"), at("effectivePeriod"), at("effectiveTiming"), at("effectiveInstant")],
    ),
    reference("derived-from", hl7!("Observation-derived-from"), &[at("derivedFrom")]).to(&[
        "DocumentReference",
        "ImagingStudy",
        "Media",
        "MolecularSequence",
        "Observation",
        "QuestionnaireResponse",
    ]),
    reference("device", hl7!("Observation-device"), &[at("device")]).to(&["Device", "DeviceMetric"]),
    reference("encounter", hl7!("clinical-encounter"), &[at("encounter")])
        .to(&["Encounter", "EpisodeOfCare"]),
    reference("focus", hl7!("Observation-focus"), &[at("focus")]),
    reference("has-member", hl7!("Observation-has-member"), &[at("hasMember")]).to(&[
        "MolecularSequence",
        "Observation",
        "QuestionnaireResponse",
    ]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    token("method", hl7!("Observation-method"), &[at("method")]),
    reference("part-of", hl7!("Observation-part-of"), &[at("partOf")]).to(&[
        "ImagingStudy",
        "Immunization",
        "MedicationAdministration",
        "MedicationDispense",
        "MedicationStatement",
        "Procedure",
    ]),
    reference("patient", hl7!("clinical-patient"), &[refers("subject", "Patient")]).to(&["Patient"]),
    reference("performer", hl7!("Observation-performer"), &[at("performer")]).to(&[
        "CareTeam",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    reference("specimen", hl7!("Observation-specimen"), &[at("specimen")]).to(&["Specimen"]),
    token("status", hl7!("Observation-status"), &[at("status")])
        .system("http://hl7.org/fhir/observation-status"),
    reference("subject", hl7!("Observation-subject"), &[at("subject")])
        .to(&["Device", "Group", "Location", "Patient"]),
    token("value-concept", hl7!("Observation-value-concept"), &[at("valueCodeableConcept")]),
    date("value-date", hl7!("Observation-value-date"), &[at("valueDateTime"), at("valuePeriod")]),
    quantity(
        "value-quantity",
        hl7!("Observation-value-quantity"),
        &[at("valueQuantity"), at("valueSampledData")],
    ),
    string(
        "value-string",
        hl7!("Observation-value-string"),
        &[at("valueString"), at("valueCodeableConcept.text")],
    ),
];
