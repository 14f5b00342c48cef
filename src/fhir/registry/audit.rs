//! The row for AuditEvent, which is kept in a log of its own.

use super::{ResourceType, SearchParam, at, date, hl7, reference, refers, string, token, uri};

/// AuditEvent.
pub(super) const AUDIT_EVENT: ResourceType = ResourceType {
    name: "AuditEvent",
    params: AUDIT_EVENT_PARAMS,
    patient_compartment: &["patient"],
    practitioner_compartment: &["agent"],
};

const WHO: &[&str] =
    &["Device", "Organization", "Patient", "Practitioner", "PractitionerRole", "RelatedPerson"];

const AUDIT_EVENT_PARAMS: &[SearchParam] = &[
    token("action", hl7!("AuditEvent-action"), &[at("action")])
        .system("http://hl7.org/fhir/audit-event-action"),
    string("address", hl7!("AuditEvent-address"), &[at("agent.network.address")]),
    reference("agent", hl7!("AuditEvent-agent"), &[at("agent.who")]).to(WHO),
    string("agent-name", hl7!("AuditEvent-agent-name"), &[at("agent.name")]),
    token("agent-role", hl7!("AuditEvent-agent-role"), &[at("agent.role")]),
    token("altid", hl7!("AuditEvent-altid"), &[at("agent.altId")]),
    date("date", hl7!("AuditEvent-date"), &[at("recorded")]),
    reference("entity", hl7!("AuditEvent-entity"), &[at("entity.what")]),
    string("entity-name", hl7!("AuditEvent-entity-name"), &[at("entity.name")]),
    token("entity-role", hl7!("AuditEvent-entity-role"), &[at("entity.role")]),
    token("entity-type", hl7!("AuditEvent-entity-type"), &[at("entity.type")]),
    token("outcome", hl7!("AuditEvent-outcome"), &[at("outcome")])
        .system("http://hl7.org/fhir/audit-event-outcome"),
    reference(
        "patient",
        hl7!("AuditEvent-patient"),
        &[refers("agent.who", "Patient"), refers("entity.what", "Patient")],
    )
    .to(&["Patient"]),
    uri("policy", hl7!("AuditEvent-policy"), &[at("agent.policy")]),
    token("site", hl7!("AuditEvent-site"), &[at("source.site")]),
    reference("source", hl7!("AuditEvent-source"), &[at("source.observer")]).to(WHO),
    token("subtype", hl7!("AuditEvent-subtype"), &[at("subtype")]),
    token("type", hl7!("AuditEvent-type"), &[at("type")]),
];
