//! Rows for Schedule, Slot, Appointment and AppointmentResponse.

use super::{ResourceType, SearchParam, at, date, hl7, reference, refers, token};

/// Schedule.
pub(super) const SCHEDULE: ResourceType = ResourceType {
    name: "Schedule",
    params: SCHEDULE_PARAMS,
    patient_compartment: &["actor"],
    practitioner_compartment: &["actor"],
};

const SCHEDULE_PARAMS: &[SearchParam] = &[
    token("active", hl7!("Schedule-active"), &[at("active")]).system("http://hl7.org/fhir/special-values"),
    reference("actor", hl7!("Schedule-actor"), &[at("actor")])
        .to(&[
            "Device",
            "HealthcareService",
            "Location",
            "Patient",
            "Practitioner",
            "PractitionerRole",
            "RelatedPerson",
        ])
        .column("schedule_actor", "actor"),
    date("date", hl7!("Schedule-date"), &[at("planningHorizon")]),
    token("identifier", hl7!("Schedule-identifier"), &[at("identifier")]),
    token("service-category", hl7!("Schedule-service-category"), &[at("serviceCategory")]),
    token("service-type", hl7!("Schedule-service-type"), &[at("serviceType")]),
    token("specialty", hl7!("Schedule-specialty"), &[at("specialty")]),
];

/// Slot.
pub(super) const SLOT: ResourceType = ResourceType {
    name: "Slot",
    params: SLOT_PARAMS,
    patient_compartment: &[],
    practitioner_compartment: &[],
};

const SLOT_PARAMS: &[SearchParam] = &[
    token("appointment-type", hl7!("Slot-appointment-type"), &[at("appointmentType")]),
    date("end", "https://slotwright.org/fhir/SearchParameter/Slot-end", &[at("end")])
        .column("slot", "end_us"),
    token("identifier", hl7!("Slot-identifier"), &[at("identifier")]),
    reference("schedule", hl7!("Slot-schedule"), &[at("schedule")])
        .to(&["Schedule"])
        .column("slot", "schedule"),
    token("service-category", hl7!("Slot-service-category"), &[at("serviceCategory")]),
    token("service-type", hl7!("Slot-service-type"), &[at("serviceType")]),
    token("specialty", hl7!("Slot-specialty"), &[at("specialty")]),
    date("start", hl7!("Slot-start"), &[at("start")]).column("slot", "start_us"),
    token("status", hl7!("Slot-status"), &[at("status")])
        .system("http://hl7.org/fhir/slotstatus")
        .column("slot", "status"),
];

/// Appointment.
pub(super) const APPOINTMENT: ResourceType = ResourceType {
    name: "Appointment",
    params: APPOINTMENT_PARAMS,
    patient_compartment: &["actor"],
    practitioner_compartment: &["actor"],
};

const APPOINTMENT_PARAMS: &[SearchParam] = &[
    reference("actor", hl7!("Appointment-actor"), &[at("participant.actor")])
        .to(&[
            "Device",
            "HealthcareService",
            "Location",
            "Patient",
            "Practitioner",
            "PractitionerRole",
            "RelatedPerson",
        ])
        .column("appointment_actor", "actor"),
    token("appointment-type", hl7!("Appointment-appointment-type"), &[at("appointmentType")]),
    reference("based-on", hl7!("Appointment-based-on"), &[at("basedOn")]).to(&["ServiceRequest"]),
    date("date", hl7!("Appointment-date"), &[at("start")]).column("appointment", "start_us"),
    token("identifier", hl7!("Appointment-identifier"), &[at("identifier")]),
    reference("location", hl7!("Appointment-location"), &[refers("participant.actor", "Location")])
        .to(&["Location"])
        .column("appointment_actor", "actor"),
    token("part-status", hl7!("Appointment-part-status"), &[at("participant.status")])
        .system("http://hl7.org/fhir/participationstatus"),
    reference("patient", hl7!("Appointment-patient"), &[refers("participant.actor", "Patient")])
        .to(&["Patient"])
        .column("appointment_actor", "actor"),
    reference(
        "practitioner",
        hl7!("Appointment-practitioner"),
        &[refers("participant.actor", "Practitioner")],
    )
    .to(&["Practitioner"])
    .column("appointment_actor", "actor"),
    token("reason-code", hl7!("Appointment-reason-code"), &[at("reasonCode")]),
    reference("reason-reference", hl7!("Appointment-reason-reference"), &[at("reasonReference")]).to(&[
        "Condition",
        "ImmunizationRecommendation",
        "Observation",
        "Procedure",
    ]),
    token("service-category", hl7!("Appointment-service-category"), &[at("serviceCategory")]),
    token("service-type", hl7!("Appointment-service-type"), &[at("serviceType")]),
    reference("slot", hl7!("Appointment-slot"), &[at("slot")]).to(&["Slot"]),
    token("specialty", hl7!("Appointment-specialty"), &[at("specialty")]),
    token("status", hl7!("Appointment-status"), &[at("status")])
        .system("http://hl7.org/fhir/appointmentstatus")
        .column("appointment", "status"),
    reference("supporting-info", hl7!("Appointment-supporting-info"), &[at("supportingInformation")]),
];

/// AppointmentResponse.
pub(super) const APPOINTMENT_RESPONSE: ResourceType = ResourceType {
    name: "AppointmentResponse",
    params: APPOINTMENT_RESPONSE_PARAMS,
    patient_compartment: &["actor"],
    practitioner_compartment: &["actor"],
};

const APPOINTMENT_RESPONSE_PARAMS: &[SearchParam] = &[
    reference("actor", hl7!("AppointmentResponse-actor"), &[at("actor")]).to(&[
        "Device",
        "HealthcareService",
        "Location",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    reference("appointment", hl7!("AppointmentResponse-appointment"), &[at("appointment")])
        .to(&["Appointment"]),
    token("identifier", hl7!("AppointmentResponse-identifier"), &[at("identifier")]),
    reference("location", hl7!("AppointmentResponse-location"), &[refers("actor", "Location")])
        .to(&["Location"]),
    token("part-status", hl7!("AppointmentResponse-part-status"), &[at("participantStatus")])
        .system("http://hl7.org/fhir/participationstatus"),
    reference("patient", hl7!("AppointmentResponse-patient"), &[refers("actor", "Patient")]).to(&["Patient"]),
    reference("practitioner", hl7!("AppointmentResponse-practitioner"), &[refers("actor", "Practitioner")])
        .to(&["Practitioner"]),
];
