//! Rows for CarePlan, CareTeam and Goal.

use super::{ResourceType, SearchParam, at, date, hl7, reference, refers, token, uri};

/// CarePlan.
pub(super) const CARE_PLAN: ResourceType = ResourceType {
    name: "CarePlan",
    params: CARE_PLAN_PARAMS,
    patient_compartment: &["patient", "performer"],
    practitioner_compartment: &["performer"],
};

const CARE_PLAN_PARAMS: &[SearchParam] = &[
    token("activity-code", hl7!("CarePlan-activity-code"), &[at("activity.detail.code")]),
    date(
        "activity-date",
        hl7!("CarePlan-activity-date"),
        &[at("activity.detail.scheduledTiming"), at("activity.detail.scheduledPeriod")],
    ),
    reference("activity-reference", hl7!("CarePlan-activity-reference"), &[at("activity.reference")]).to(&[
        "Appointment",
        "CommunicationRequest",
        "DeviceRequest",
        "MedicationRequest",
        "NutritionOrder",
        "RequestGroup",
        "ServiceRequest",
        "Task",
        "VisionPrescription",
    ]),
    reference("based-on", hl7!("CarePlan-based-on"), &[at("basedOn")]).to(&["CarePlan"]),
    reference("care-team", hl7!("CarePlan-care-team"), &[at("careTeam")]).to(&["CareTeam"]),
    token("category", hl7!("CarePlan-category"), &[at("category")]),
    reference("condition", hl7!("CarePlan-condition"), &[at("addresses")]).to(&["Condition"]),
    date("date", hl7!("clinical-date"), &[at("period")]),
    reference("encounter", hl7!("CarePlan-encounter"), &[at("encounter")]).to(&["Encounter"]),
    reference("goal", hl7!("CarePlan-goal"), &[at("goal")]).to(&["Goal"]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    reference(
        "instantiates-canonical",
        hl7!("CarePlan-instantiates-canonical"),
        &[at("instantiatesCanonical")],
    )
    .to(&["ActivityDefinition", "Measure", "OperationDefinition", "PlanDefinition", "Questionnaire"]),
    uri("instantiates-uri", hl7!("CarePlan-instantiates-uri"), &[at("instantiatesUri")]),
    token("intent", hl7!("CarePlan-intent"), &[at("intent")]).system("http://hl7.org/fhir/request-intent"),
    reference("part-of", hl7!("CarePlan-part-of"), &[at("partOf")]).to(&["CarePlan"]),
    reference("patient", hl7!("clinical-patient"), &[refers("subject", "Patient")]).to(&["Patient"]),
    reference("performer", hl7!("CarePlan-performer"), &[at("activity.detail.performer")]).to(&[
        "CareTeam",
        "Device",
        "HealthcareService",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    reference("replaces", hl7!("CarePlan-replaces"), &[at("replaces")]).to(&["CarePlan"]),
    token("status", hl7!("CarePlan-status"), &[at("status")]).system("http://hl7.org/fhir/request-status"),
    reference("subject", hl7!("CarePlan-subject"), &[at("subject")]).to(&["Group", "Patient"]),
];

/// CareTeam.
pub(super) const CARE_TEAM: ResourceType = ResourceType {
    name: "CareTeam",
    params: CARE_TEAM_PARAMS,
    patient_compartment: &["patient", "participant"],
    practitioner_compartment: &["participant"],
};

const CARE_TEAM_PARAMS: &[SearchParam] = &[
    token("category", hl7!("CareTeam-category"), &[at("category")]),
    date("date", hl7!("clinical-date"), &[at("period")]),
    reference("encounter", hl7!("CareTeam-encounter"), &[at("encounter")]).to(&["Encounter"]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    reference("participant", hl7!("CareTeam-participant"), &[at("participant.member")]).to(&[
        "CareTeam",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    reference("patient", hl7!("clinical-patient"), &[refers("subject", "Patient")]).to(&["Patient"]),
    token("status", hl7!("CareTeam-status"), &[at("status")]).system("http://hl7.org/fhir/care-team-status"),
    reference("subject", hl7!("CareTeam-subject"), &[at("subject")]).to(&["Group", "Patient"]),
];

/// Goal.
pub(super) const GOAL: ResourceType = ResourceType {
    name: "Goal",
    params: GOAL_PARAMS,
    patient_compartment: &["patient"],
    practitioner_compartment: &[],
};

const GOAL_PARAMS: &[SearchParam] = &[
    token("achievement-status", hl7!("Goal-achievement-status"), &[at("achievementStatus")]),
    token("category", hl7!("Goal-category"), &[at("category")]),
    token("identifier", hl7!("clinical-identifier"), &[at("identifier")]),
    token("lifecycle-status", hl7!("Goal-lifecycle-status"), &[at("lifecycleStatus")])
        .system("http://hl7.org/fhir/goal-status"),
    reference("patient", hl7!("clinical-patient"), &[refers("subject", "Patient")]).to(&["Patient"]),
    date("start-date", hl7!("Goal-start-date"), &[at("startDate")]),
    reference("subject", hl7!("Goal-subject"), &[at("subject")]).to(&["Group", "Organization", "Patient"]),
    date("target-date", hl7!("Goal-target-date"), &[at("target.dueDate")]),
];
