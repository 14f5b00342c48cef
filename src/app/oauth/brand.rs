//! The brand bundle (SMART App Launch 2.2 "User-access Brands and Endpoints"): who runs this server and where its
//! endpoint is, so that applications can let people find it. It is also the public list of its base URLs.

use crate::auth::token::issuer_of;
use crate::clock::Micros;
use crate::config::Brand;
use jiff::Timestamp;
use serde_json::{Value, json};

/// `{origin}/brands.json`
pub const PATH: &str = "/brands.json";

const PROFILES: &str = "http://hl7.org/fhir/smart-app-launch/StructureDefinition";
const EXTENSIONS: &str = "http://hl7.org/fhir/StructureDefinition";

/// The Bundle for the FHIR base `base`, as settings have it since `since`; none when they name no organisation.
pub fn bundle(brand: &Brand, base: &str, since: Micros) -> Option<Value> {
    let (name, website) = (brand.name.as_deref()?, brand.website.as_deref()?);
    let origin = issuer_of(base);
    let at = |rtype: &str| format!("{origin}/brands/{rtype}");
    let (organization, endpoint) = (at("Organization"), at("Endpoint"));
    let timestamp = Timestamp::from_microsecond(since).unwrap_or_default();
    let mut looks = vec![];
    if let Some(logo) = &brand.logo {
        looks.push(json!({ "url": "brandLogo", "valueUrl": logo }));
    }
    let sign_in = format!("{origin}/sign-in");
    let mut portal = vec![
        json!({ "url": "portalName", "valueString": brand.portal_name.as_deref().unwrap_or(name) }),
        json!({ "url": "portalURL", "valueUrl": brand.portal_url.as_deref().unwrap_or(&sign_in) }),
    ];
    if let Some(text) = &brand.portal_description {
        portal.push(json!({ "url": "portalDescription", "valueMarkdown": text }));
    }
    portal.push(
        json!({ "url": "portalEndpoint", "valueReference": { "reference": endpoint, "display": "FHIR R4" } }),
    );
    let mut extensions =
        vec![json!({ "url": format!("{EXTENSIONS}/organization-portal"), "extension": portal })];
    if !looks.is_empty() {
        extensions.push(json!({ "url": format!("{EXTENSIONS}/organization-brand"), "extension": looks }));
    }
    Some(json!({
        "resourceType": "Bundle",
        "meta": { "profile": [format!("{PROFILES}/user-access-brands-bundle")] },
        "type": "collection",
        "timestamp": timestamp.to_string(),
        "entry": [
            { "fullUrl": organization, "resource": {
                "resourceType": "Organization",
                "id": "brand",
                "meta": { "profile": [format!("{PROFILES}/user-access-brand")] },
                "extension": extensions,
                "identifier": [identifier(brand)],
                "active": true,
                "name": name,
                "telecom": [{ "system": "url", "value": website }],
                "endpoint": [{ "reference": endpoint, "display": "FHIR R4" }]
            } },
            { "fullUrl": endpoint, "resource": {
                "resourceType": "Endpoint",
                "id": "fhir",
                "meta": { "profile": [format!("{PROFILES}/user-access-endpoint")] },
                "extension": [{ "url": format!("{EXTENSIONS}/endpoint-fhir-version"), "valueCode": "4.0.1" }],
                "status": "active",
                "connectionType": {
                    "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type", "code": "hl7-fhir-rest"
                },
                "name": format!("FHIR R4 endpoint of {name}"),
                "managingOrganization": { "reference": organization },
                "contact": [{ "system": "url", "value": format!("{origin}{}", super::discovery::DOCUMENTATION) }],
                "payloadType": [{ "coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/endpoint-payload-type", "code": "none"
                }] }],
                "address": base
            } }
        ]
    }))
}

/// The organisation's identifier, in the bundle and in the SMART configuration.
pub(super) fn identifier(brand: &Brand) -> Value {
    let (system, value) = brand.identifier().unwrap_or_default();
    json!({ "system": system, "value": value })
}
