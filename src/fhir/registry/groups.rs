//! The row for Group: whom exports are about.

use super::{ResourceType, SearchParam, at, hl7, reference, token};

/// Group.
pub(super) const GROUP: ResourceType = ResourceType {
    name: "Group",
    params: GROUP_PARAMS,
    patient_compartment: &["member"],
    practitioner_compartment: &["member"],
};

const GROUP_PARAMS: &[SearchParam] = &[
    token("actual", hl7!("Group-actual"), &[at("actual")]).system("http://hl7.org/fhir/special-values"),
    token("characteristic", hl7!("Group-characteristic"), &[at("characteristic.code")]),
    token("code", hl7!("Group-code"), &[at("code")]),
    token("exclude", hl7!("Group-exclude"), &[at("characteristic.exclude")])
        .system("http://hl7.org/fhir/special-values"),
    token("identifier", hl7!("Group-identifier"), &[at("identifier")]),
    reference("managing-entity", hl7!("Group-managing-entity"), &[at("managingEntity")]).to(&[
        "Organization",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    ]),
    reference("member", hl7!("Group-member"), &[at("member.entity")]).to(&[
        "Device",
        "Group",
        "Medication",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "Substance",
    ]),
    token("type", hl7!("Group-type"), &[at("type")]).system("http://hl7.org/fhir/group-type"),
    token(
        "value",
        hl7!("Group-value"),
        &[at("characteristic.valueCodeableConcept"), at("characteristic.valueBoolean")],
    ),
];
