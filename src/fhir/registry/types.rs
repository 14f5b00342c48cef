//! Rows of the registry.

use super::{ResourceType, care, people, places, records, scheduling};

/// Every resource type that the server serves, in alphabetical order.
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
