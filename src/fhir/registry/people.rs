//! Rows for Patient, RelatedPerson, Practitioner and PractitionerRole.

use super::{ResourceType, SearchParam, at, date, exists, hl7, reference, string, token, when};

/// Patient.
pub(super) const PATIENT: ResourceType = ResourceType {
    name: "Patient",
    params: PATIENT_PARAMS,
    patient_compartment: &["_id", "link"],
    practitioner_compartment: &["general-practitioner"],
};

const PATIENT_PARAMS: &[SearchParam] = &[
    token("active", hl7!("Patient-active"), &[at("active")]).system("http://hl7.org/fhir/special-values"),
    string("address", hl7!("individual-address"), &[at("address")]),
    string("address-city", hl7!("individual-address-city"), &[at("address.city")]),
    string("address-country", hl7!("individual-address-country"), &[at("address.country")]),
    string("address-postalcode", hl7!("individual-address-postalcode"), &[at("address.postalCode")]),
    string("address-state", hl7!("individual-address-state"), &[at("address.state")]),
    token("address-use", hl7!("individual-address-use"), &[at("address.use")])
        .system("http://hl7.org/fhir/address-use"),
    date("birthdate", hl7!("individual-birthdate"), &[at("birthDate")]),
    date("death-date", hl7!("Patient-death-date"), &[at("deceasedDateTime")]),
    token("deceased", hl7!("Patient-deceased"), &[exists("deceasedBoolean"), exists("deceasedDateTime")])
        .system("http://hl7.org/fhir/special-values"),
    token("email", hl7!("individual-email"), &[when("telecom", "system", "email")]),
    string("family", hl7!("individual-family"), &[at("name.family")]),
    token("gender", hl7!("individual-gender"), &[at("gender")])
        .system("http://hl7.org/fhir/administrative-gender"),
    reference("general-practitioner", hl7!("Patient-general-practitioner"), &[at("generalPractitioner")])
        .to(&["Organization", "Practitioner", "PractitionerRole"]),
    string("given", hl7!("individual-given"), &[at("name.given")]),
    token("identifier", hl7!("Patient-identifier"), &[at("identifier")]),
    token("language", hl7!("Patient-language"), &[at("communication.language")]),
    reference("link", hl7!("Patient-link"), &[at("link.other")]).to(&["Patient", "RelatedPerson"]),
    string("name", hl7!("Patient-name"), &[at("name")]),
    reference("organization", hl7!("Patient-organization"), &[at("managingOrganization")])
        .to(&["Organization"]),
    token("phone", hl7!("individual-phone"), &[when("telecom", "system", "phone")]),
    string("phonetic", hl7!("individual-phonetic"), &[at("name")]),
    token("telecom", hl7!("individual-telecom"), &[at("telecom")]),
];

/// RelatedPerson.
pub(super) const RELATED_PERSON: ResourceType = ResourceType {
    name: "RelatedPerson",
    params: RELATED_PERSON_PARAMS,
    patient_compartment: &["patient"],
    practitioner_compartment: &[],
};

const RELATED_PERSON_PARAMS: &[SearchParam] = &[
    token("active", hl7!("RelatedPerson-active"), &[at("active")])
        .system("http://hl7.org/fhir/special-values"),
    string("address", hl7!("individual-address"), &[at("address")]),
    string("address-city", hl7!("individual-address-city"), &[at("address.city")]),
    string("address-country", hl7!("individual-address-country"), &[at("address.country")]),
    string("address-postalcode", hl7!("individual-address-postalcode"), &[at("address.postalCode")]),
    string("address-state", hl7!("individual-address-state"), &[at("address.state")]),
    token("address-use", hl7!("individual-address-use"), &[at("address.use")])
        .system("http://hl7.org/fhir/address-use"),
    date("birthdate", hl7!("individual-birthdate"), &[at("birthDate")]),
    token("email", hl7!("individual-email"), &[when("telecom", "system", "email")]),
    token("gender", hl7!("individual-gender"), &[at("gender")])
        .system("http://hl7.org/fhir/administrative-gender"),
    token("identifier", hl7!("RelatedPerson-identifier"), &[at("identifier")]),
    string("name", hl7!("RelatedPerson-name"), &[at("name")]),
    reference("patient", hl7!("RelatedPerson-patient"), &[at("patient")]).to(&["Patient"]),
    token("phone", hl7!("individual-phone"), &[when("telecom", "system", "phone")]),
    string("phonetic", hl7!("individual-phonetic"), &[at("name")]),
    token("relationship", hl7!("RelatedPerson-relationship"), &[at("relationship")]),
    token("telecom", hl7!("individual-telecom"), &[at("telecom")]),
];

/// Practitioner.
pub(super) const PRACTITIONER: ResourceType = ResourceType {
    name: "Practitioner",
    params: PRACTITIONER_PARAMS,
    patient_compartment: &[],
    practitioner_compartment: &["_id"],
};

const PRACTITIONER_PARAMS: &[SearchParam] = &[
    token("active", hl7!("Practitioner-active"), &[at("active")])
        .system("http://hl7.org/fhir/special-values"),
    string("address", hl7!("individual-address"), &[at("address")]),
    string("address-city", hl7!("individual-address-city"), &[at("address.city")]),
    string("address-country", hl7!("individual-address-country"), &[at("address.country")]),
    string("address-postalcode", hl7!("individual-address-postalcode"), &[at("address.postalCode")]),
    string("address-state", hl7!("individual-address-state"), &[at("address.state")]),
    token("address-use", hl7!("individual-address-use"), &[at("address.use")])
        .system("http://hl7.org/fhir/address-use"),
    token("communication", hl7!("Practitioner-communication"), &[at("communication")]),
    token("email", hl7!("individual-email"), &[when("telecom", "system", "email")]),
    string("family", hl7!("individual-family"), &[at("name.family")]),
    token("gender", hl7!("individual-gender"), &[at("gender")])
        .system("http://hl7.org/fhir/administrative-gender"),
    string("given", hl7!("individual-given"), &[at("name.given")]),
    token("identifier", hl7!("Practitioner-identifier"), &[at("identifier")]),
    string("name", hl7!("Practitioner-name"), &[at("name")]),
    token("phone", hl7!("individual-phone"), &[when("telecom", "system", "phone")]),
    string("phonetic", hl7!("individual-phonetic"), &[at("name")]),
    token("telecom", hl7!("individual-telecom"), &[at("telecom")]),
];

/// PractitionerRole.
pub(super) const PRACTITIONER_ROLE: ResourceType = ResourceType {
    name: "PractitionerRole",
    params: PRACTITIONER_ROLE_PARAMS,
    patient_compartment: &[],
    practitioner_compartment: &["practitioner"],
};

const PRACTITIONER_ROLE_PARAMS: &[SearchParam] = &[
    token("active", hl7!("PractitionerRole-active"), &[at("active")])
        .system("http://hl7.org/fhir/special-values"),
    date("date", hl7!("PractitionerRole-date"), &[at("period")]),
    token("email", hl7!("individual-email"), &[when("telecom", "system", "email")]),
    reference("endpoint", hl7!("PractitionerRole-endpoint"), &[at("endpoint")]).to(&["Endpoint"]),
    token("identifier", hl7!("PractitionerRole-identifier"), &[at("identifier")]),
    reference("location", hl7!("PractitionerRole-location"), &[at("location")]).to(&["Location"]),
    reference("organization", hl7!("PractitionerRole-organization"), &[at("organization")])
        .to(&["Organization"]),
    token("phone", hl7!("individual-phone"), &[when("telecom", "system", "phone")]),
    reference("practitioner", hl7!("PractitionerRole-practitioner"), &[at("practitioner")])
        .to(&["Practitioner"]),
    token("role", hl7!("PractitionerRole-role"), &[at("code")]),
    reference("service", hl7!("PractitionerRole-service"), &[at("healthcareService")])
        .to(&["HealthcareService"]),
    token("specialty", hl7!("PractitionerRole-specialty"), &[at("specialty")]),
    token("telecom", hl7!("individual-telecom"), &[at("telecom")]),
];
