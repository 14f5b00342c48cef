//! Rows for Consent and Provenance.

use super::{ResourceType, SearchParam, at, date, hl7, reference, refers, token};

/// Consent.
pub(super) const CONSENT: ResourceType = ResourceType {
    name: "Consent",
    params: CONSENT_PARAMS,
    patient_compartment: &["patient"],
    practitioner_compartment: &[],
};

const CONSENT_PARAMS: &[SearchParam] = &[
    token("action", hl7!("Consent-action"), &[at("provision.action")]),
    reference("actor", hl7!("Consent-actor"), &[at("provision.actor.reference")]).to(&[
        "CareTeam",
        "Device",
        "Group",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    token("category", hl7!("Consent-category"), &[at("category")]),
    reference("consentor", hl7!("Consent-consentor"), &[at("performer")]).to(&[
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    reference("data", hl7!("Consent-data"), &[at("provision.data.reference")]),
    date("date", hl7!("clinical-date"), &[at("dateTime")]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    reference("organization", hl7!("Consent-organization"), &[at("organization")]).to(&["Organization"]),
    reference("patient", hl7!("clinical-patient"), &[at("patient")]).to(&["Group", "Patient"]),
    date("period", hl7!("Consent-period"), &[at("provision.period")]),
    token("purpose", hl7!("Consent-purpose"), &[at("provision.purpose")]),
    token("scope", hl7!("Consent-scope"), &[at("scope")]),
    token("security-label", hl7!("Consent-security-label"), &[at("provision.securityLabel")]),
    reference("source-reference", hl7!("Consent-source-reference"), &[at("sourceReference")]).to(&[
        "Consent",
        "Contract",
        "DocumentReference",
        "QuestionnaireResponse",
    ]),
    token("status", hl7!("Consent-status"), &[at("status")])
        .system("http://hl7.org/fhir/consent-state-codes"),
];

/// Provenance.
pub(super) const PROVENANCE: ResourceType = ResourceType {
    name: "Provenance",
    params: PROVENANCE_PARAMS,
    patient_compartment: &["patient"],
    practitioner_compartment: &["agent"],
};

const PROVENANCE_PARAMS: &[SearchParam] = &[
    reference("agent", hl7!("Provenance-agent"), &[at("agent.who")]).to(&[
        "Device",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    token("agent-role", hl7!("Provenance-agent-role"), &[at("agent.role")]),
    token("agent-type", hl7!("Provenance-agent-type"), &[at("agent.type")]),
    reference("entity", hl7!("Provenance-entity"), &[at("entity.what")]),
    reference("location", hl7!("Provenance-location"), &[at("location")]).to(&["Location"]),
    reference("patient", hl7!("Provenance-patient"), &[refers("target", "Patient")]).to(&["Patient"]),
    date("recorded", hl7!("Provenance-recorded"), &[at("recorded")]),
    token("signature-type", hl7!("Provenance-signature-type"), &[at("signature.type")]),
    reference("target", hl7!("Provenance-target"), &[at("target")]),
    date("when", hl7!("Provenance-when"), &[at("occurredDateTime")]),
];
