//! The row for Subscription.

use super::{ResourceType, SearchParam, at, hl7, string, token, uri};

/// Subscription.
pub(super) const SUBSCRIPTION: ResourceType = ResourceType {
    name: "Subscription",
    params: SUBSCRIPTION_PARAMS,
    patient_compartment: &[],
    practitioner_compartment: &[],
};

const SUBSCRIPTION_PARAMS: &[SearchParam] = &[
    token("contact", hl7!("Subscription-contact"), &[at("contact")]),
    string("criteria", hl7!("Subscription-criteria"), &[at("criteria")]),
    token("payload", hl7!("Subscription-payload"), &[at("channel.payload")]).system("urn:ietf:bcp:13"),
    token("status", hl7!("Subscription-status"), &[at("status")])
        .system("http://hl7.org/fhir/subscription-status"),
    token("type", hl7!("Subscription-type"), &[at("channel.type")])
        .system("http://terminology.hl7.org/CodeSystem/subscription-channel-type"),
    uri("url", hl7!("Subscription-url"), &[at("channel.endpoint")]),
];
