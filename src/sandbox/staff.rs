//! The part of the sample clinic that does not depend on the day: organization, sites, staff, services.

use serde_json::{Value, json};

use super::Error;
use super::data::{Clinician, Data, Group, Site, Specialty};

/// System of the codes that the sandbox makes up.
pub(super) const OURS: &str = "https://slotwright.org/sandbox";

/// Organizations, Locations, Devices, Practitioners, PractitionerRoles and HealthcareServices, each after
/// what it refers to.
pub(super) fn resources(data: &Data) -> Result<Vec<Value>, Error> {
    let mut out = vec![tagged(data.clinic.organization.clone())];
    out.extend(data.clinic.payers.iter().map(|payer| {
        json!({
            "resourceType": "Organization",
            "id": payer.id,
            "active": true,
            "type": [concept("http://terminology.hl7.org/CodeSystem/organization-type", "pay", None)],
            "name": payer.name,
            "telecom": [{ "system": "phone", "value": payer.phone, "use": "work" }],
        })
    }));
    let clinic = owner(data);
    for site in &data.clinic.sites {
        out.push(location(site, &clinic, &data.clinic.zone));
        out.extend(site.rooms.iter().map(|room| {
            json!({
                "resourceType": "Location",
                "id": room.id,
                "status": "active",
                "name": room.name,
                "mode": "instance",
                "physicalType": physical("ro", "Room"),
                "managingOrganization": { "reference": clinic },
                "partOf": { "reference": format!("Location/{}", site.id) },
            })
        }));
        out.extend(site.devices.iter().map(|device| {
            json!({
                "resourceType": "Device",
                "id": device.id,
                "identifier": [{ "system": format!("{OURS}/device"), "value": device.serial }],
                "status": "active",
                "serialNumber": device.serial,
                "deviceName": [{ "name": device.name, "type": "user-friendly-name" }],
                "type": { "text": device.kind },
                "owner": { "reference": clinic },
                "location": { "reference": format!("Location/{}", device.room) },
            })
        }));
    }
    out.extend(data.clinicians.iter().enumerate().map(|(n, c)| practitioner(n, c)));
    for specialty in &data.clinic.specialties {
        out.push(service(data, specialty, &clinic));
    }
    for group in &data.services.groups {
        out.push(group_service(group, data.specialty(&group.specialty)?, &clinic));
    }
    for clinician in &data.clinicians {
        out.push(role(clinician, data.specialty(&clinician.specialty)?, &clinic));
    }
    Ok(out)
}

/// Marks the organization as sample data, which is what `--reset` looks for.
fn tagged(mut organization: Value) -> Value {
    if let Some(body) = organization.as_object_mut() {
        body.insert("meta".to_owned(), json!({ "tag": [{ "system": OURS, "code": "sample" }] }));
    }
    organization
}

/// The reference of the organization that owns everything.
pub(super) fn owner(data: &Data) -> String {
    let id = data.clinic.organization.get("id").and_then(Value::as_str).unwrap_or_default();
    format!("Organization/{id}")
}

/// A CodeableConcept of one coding.
pub(super) fn concept(system: &str, code: &str, text: Option<&str>) -> Value {
    let mut concept = json!({ "coding": [{ "system": system, "code": code }] });
    if let (Some(text), Some(body)) = (text, concept.as_object_mut()) {
        body.insert("text".to_owned(), Value::from(text));
    }
    concept
}

/// A CodeableConcept of HL7's `service-type`.
pub(super) fn service_type(code: &str, text: &str) -> Value {
    concept("http://terminology.hl7.org/CodeSystem/service-type", code, Some(text))
}

/// A CodeableConcept of HL7's `service-category`.
pub(super) fn service_category(code: &str) -> Value {
    concept("http://terminology.hl7.org/CodeSystem/service-category", code, None)
}

/// A CodeableConcept of SNOMED CT.
pub(super) fn snomed(specialty: &Specialty) -> Value {
    concept("http://snomed.info/sct", &specialty.snomed, Some(&specialty.name))
}

fn physical(code: &str, text: &str) -> Value {
    concept("http://terminology.hl7.org/CodeSystem/location-physical-type", code, Some(text))
}

fn language(code: &str) -> Value {
    concept("urn:ietf:bcp:47", code, None)
}

fn location(site: &Site, clinic: &str, zone: &str) -> Value {
    json!({
        "resourceType": "Location",
        "id": site.id,
        "extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/timezone",
            "valueCode": zone,
        }],
        "status": "active",
        "name": site.name,
        "mode": "instance",
        "type": [concept("http://terminology.hl7.org/CodeSystem/v3-RoleCode", "OF", Some("Outpatient facility"))],
        "telecom": [{ "system": "phone", "value": site.phone, "use": "work" }],
        "address": {
            "use": "work",
            "line": [site.line],
            "city": site.city,
            "state": "NY",
            "postalCode": site.postal_code,
            "country": "US",
        },
        "physicalType": physical("si", "Site"),
        "position": { "longitude": site.longitude, "latitude": site.latitude },
        "managingOrganization": { "reference": clinic },
    })
}

fn practitioner(number: usize, clinician: &Clinician) -> Value {
    json!({
        "resourceType": "Practitioner",
        "id": clinician.id,
        "identifier": [{
            "use": "official",
            "system": format!("{OURS}/clinician"),
            "value": format!("C-{:04}", number + 1),
        }],
        "active": true,
        "name": [{
            "use": "official",
            "text": clinician.display(),
            "family": clinician.family,
            "given": [clinician.given],
            "prefix": [clinician.prefix],
        }],
        "telecom": [{
            "system": "email",
            "value": format!("{}@alderbay.example.org", clinician.id.trim_start_matches("dr-")),
            "use": "work",
        }],
        "gender": clinician.gender,
        "communication": clinician.languages.iter().map(|code| language(code)).collect::<Vec<_>>(),
    })
}

/// The HealthcareService of a specialty, at every site where somebody practises it.
fn service(data: &Data, specialty: &Specialty, clinic: &str) -> Value {
    let sites: Vec<Value> = data
        .clinic
        .sites
        .iter()
        .filter(|site| data.clinicians.iter().any(|c| c.specialty == specialty.id && c.site == site.id))
        .map(|site| json!({ "reference": format!("Location/{}", site.id), "display": site.name }))
        .collect();
    json!({
        "resourceType": "HealthcareService",
        "id": format!("service-{}", specialty.id),
        "active": true,
        "providedBy": { "reference": clinic },
        "category": [service_category(&specialty.service_category)],
        "type": [service_type(&specialty.service_type, &specialty.name)],
        "specialty": [snomed(specialty)],
        "location": sites,
        "name": specialty.name,
        "appointmentRequired": true,
    })
}

fn group_service(group: &Group, specialty: &Specialty, clinic: &str) -> Value {
    json!({
        "resourceType": "HealthcareService",
        "id": format!("service-{}", group.id),
        "active": true,
        "providedBy": { "reference": clinic },
        "category": [service_category(&specialty.service_category)],
        "type": [service_type(&group.service_type, &group.name)],
        "specialty": [snomed(specialty)],
        "location": [{ "reference": format!("Location/{}", group.site) }],
        "name": group.name,
        "comment": format!("Up to {} people meet together.", group.capacity),
        "appointmentRequired": true,
    })
}

fn role(clinician: &Clinician, specialty: &Specialty, clinic: &str) -> Value {
    json!({
        "resourceType": "PractitionerRole",
        "id": format!("role-{}", clinician.id.trim_start_matches("dr-")),
        "active": true,
        "practitioner": { "reference": clinician.reference(), "display": clinician.display() },
        "organization": { "reference": clinic },
        "code": [concept("http://terminology.hl7.org/CodeSystem/practitioner-role", "doctor", Some("Doctor"))],
        "specialty": [snomed(specialty)],
        "location": [{ "reference": format!("Location/{}", clinician.site) }],
        "healthcareService": [{ "reference": format!("HealthcareService/service-{}", specialty.id) }],
    })
}
