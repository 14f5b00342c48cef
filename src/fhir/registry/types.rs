//! Rows of the registry.

use super::{
    ResourceType, audit, care, clinical, findings, groups, medication, people, places, plans, records,
    scheduling, subscription,
};

/// Types that are kept in the audit log instead.
pub static LOGGED: &[ResourceType] = &[audit::AUDIT_EVENT];

/// Every resource type that the server keeps with its versions, in alphabetical order.
pub static TYPES: &[ResourceType] = &[
    clinical::ALLERGY_INTOLERANCE,
    scheduling::APPOINTMENT,
    scheduling::APPOINTMENT_RESPONSE,
    plans::CARE_PLAN,
    plans::CARE_TEAM,
    care::COMMUNICATION,
    clinical::CONDITION,
    records::CONSENT,
    care::COVERAGE,
    places::DEVICE,
    findings::DIAGNOSTIC_REPORT,
    findings::DOCUMENT_REFERENCE,
    care::ENCOUNTER,
    plans::GOAL,
    groups::GROUP,
    places::HEALTHCARE_SERVICE,
    medication::IMMUNIZATION,
    places::LOCATION,
    medication::MEDICATION_DISPENSE,
    medication::MEDICATION_REQUEST,
    findings::OBSERVATION,
    places::ORGANIZATION,
    people::PATIENT,
    people::PRACTITIONER,
    people::PRACTITIONER_ROLE,
    clinical::PROCEDURE,
    records::PROVENANCE,
    people::RELATED_PERSON,
    scheduling::SCHEDULE,
    care::SERVICE_REQUEST,
    scheduling::SLOT,
    subscription::SUBSCRIPTION,
];
