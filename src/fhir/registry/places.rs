//! Rows for Organization, Location, HealthcareService and Device.

use super::{ResourceType, SearchParam, at, hl7, reference, special, string, token, uri};

/// Organization.
pub(super) const ORGANIZATION: ResourceType = ResourceType {
    name: "Organization",
    params: ORGANIZATION_PARAMS,
    patient_compartment: &[],
    practitioner_compartment: &[],
};

const ORGANIZATION_PARAMS: &[SearchParam] = &[
    token("active", hl7!("Organization-active"), &[at("active")])
        .system("http://hl7.org/fhir/special-values"),
    string("address", hl7!("Organization-address"), &[at("address")]),
    string("address-city", hl7!("Organization-address-city"), &[at("address.city")]),
    string("address-country", hl7!("Organization-address-country"), &[at("address.country")]),
    string("address-postalcode", hl7!("Organization-address-postalcode"), &[at("address.postalCode")]),
    string("address-state", hl7!("Organization-address-state"), &[at("address.state")]),
    token("address-use", hl7!("Organization-address-use"), &[at("address.use")])
        .system("http://hl7.org/fhir/address-use"),
    reference("endpoint", hl7!("Organization-endpoint"), &[at("endpoint")]).to(&["Endpoint"]),
    token("identifier", hl7!("Organization-identifier"), &[at("identifier")]),
    string("name", hl7!("Organization-name"), &[at("name"), at("alias")]),
    reference("partof", hl7!("Organization-partof"), &[at("partOf")]).to(&["Organization"]),
    string("phonetic", hl7!("Organization-phonetic"), &[at("name")]),
    token("type", hl7!("Organization-type"), &[at("type")]),
];

/// Location.
pub(super) const LOCATION: ResourceType = ResourceType {
    name: "Location",
    params: LOCATION_PARAMS,
    patient_compartment: &[],
    practitioner_compartment: &[],
};

const LOCATION_PARAMS: &[SearchParam] = &[
    string("address", hl7!("Location-address"), &[at("address")]),
    string("address-city", hl7!("Location-address-city"), &[at("address.city")]),
    string("address-country", hl7!("Location-address-country"), &[at("address.country")]),
    string("address-postalcode", hl7!("Location-address-postalcode"), &[at("address.postalCode")]),
    string("address-state", hl7!("Location-address-state"), &[at("address.state")]),
    token("address-use", hl7!("Location-address-use"), &[at("address.use")])
        .system("http://hl7.org/fhir/address-use"),
    reference("endpoint", hl7!("Location-endpoint"), &[at("endpoint")]).to(&["Endpoint"]),
    token("identifier", hl7!("Location-identifier"), &[at("identifier")]),
    string("name", hl7!("Location-name"), &[at("name"), at("alias")]),
    special("near", hl7!("Location-near"), &[at("position")]),
    token("operational-status", hl7!("Location-operational-status"), &[at("operationalStatus")]),
    reference("organization", hl7!("Location-organization"), &[at("managingOrganization")])
        .to(&["Organization"]),
    reference("partof", hl7!("Location-partof"), &[at("partOf")]).to(&["Location"]),
    token("status", hl7!("Location-status"), &[at("status")]).system("http://hl7.org/fhir/location-status"),
    token("type", hl7!("Location-type"), &[at("type")]),
];

/// HealthcareService.
pub(super) const HEALTHCARE_SERVICE: ResourceType = ResourceType {
    name: "HealthcareService",
    params: HEALTHCARE_SERVICE_PARAMS,
    patient_compartment: &[],
    practitioner_compartment: &[],
};

const HEALTHCARE_SERVICE_PARAMS: &[SearchParam] = &[
    token("active", hl7!("HealthcareService-active"), &[at("active")])
        .system("http://hl7.org/fhir/special-values"),
    token("characteristic", hl7!("HealthcareService-characteristic"), &[at("characteristic")]),
    reference("coverage-area", hl7!("HealthcareService-coverage-area"), &[at("coverageArea")])
        .to(&["Location"]),
    reference("endpoint", hl7!("HealthcareService-endpoint"), &[at("endpoint")]).to(&["Endpoint"]),
    token("identifier", hl7!("HealthcareService-identifier"), &[at("identifier")]),
    reference("location", hl7!("HealthcareService-location"), &[at("location")]).to(&["Location"]),
    string("name", hl7!("HealthcareService-name"), &[at("name")]),
    reference("organization", hl7!("HealthcareService-organization"), &[at("providedBy")])
        .to(&["Organization"]),
    token("program", hl7!("HealthcareService-program"), &[at("program")]),
    token("service-category", hl7!("HealthcareService-service-category"), &[at("category")]),
    token("service-type", hl7!("HealthcareService-service-type"), &[at("type")]),
    token("specialty", hl7!("HealthcareService-specialty"), &[at("specialty")]),
];

/// Device.
pub(super) const DEVICE: ResourceType = ResourceType {
    name: "Device",
    params: DEVICE_PARAMS,
    patient_compartment: &[],
    practitioner_compartment: &[],
};

const DEVICE_PARAMS: &[SearchParam] = &[
    string(
        "device-name",
        hl7!("Device-device-name"),
        &[at("deviceName.name"), at("type.coding.display"), at("type.text")],
    ),
    token("identifier", hl7!("Device-identifier"), &[at("identifier")]),
    reference("location", hl7!("Device-location"), &[at("location")]).to(&["Location"]),
    string("manufacturer", hl7!("Device-manufacturer"), &[at("manufacturer")]),
    string("model", hl7!("Device-model"), &[at("modelNumber")]),
    reference("organization", hl7!("Device-organization"), &[at("owner")]).to(&["Organization"]),
    reference("patient", hl7!("Device-patient"), &[at("patient")]).to(&["Patient"]),
    token("status", hl7!("Device-status"), &[at("status")]).system("http://hl7.org/fhir/device-status"),
    token("type", hl7!("Device-type"), &[at("type")]),
    string("udi-carrier", hl7!("Device-udi-carrier"), &[at("udiCarrier.carrierHRF")]),
    string("udi-di", hl7!("Device-udi-di"), &[at("udiCarrier.deviceIdentifier")]),
    uri("url", hl7!("Device-url"), &[at("url")]),
];
