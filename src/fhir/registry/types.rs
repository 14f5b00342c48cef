//! Rows of the registry.

use super::{ResourceType, audit, care, people, places, records, scheduling};

/// Types that are kept in the audit log instead.
pub static LOGGED: &[ResourceType] = &[audit::AUDIT_EVENT];

/// Every resource type that the server keeps with its versions, in alphabetical order.
pub static TYPES: &[ResourceType] = &[
    scheduling::APPOINTMENT,
    scheduling::APPOINTMENT_RESPONSE,
    care::COMMUNICATION,
    records::CONSENT,
    care::COVERAGE,
    places::DEVICE,
    care::ENCOUNTER,
    places::HEALTHCARE_SERVICE,
    places::LOCATION,
    places::ORGANIZATION,
    people::PATIENT,
    people::PRACTITIONER,
    people::PRACTITIONER_ROLE,
    records::PROVENANCE,
    people::RELATED_PERSON,
    scheduling::SCHEDULE,
    care::SERVICE_REQUEST,
    scheduling::SLOT,
];
