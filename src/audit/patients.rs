//! Whose data a resource is, read from its stored bytes without parsing them.

use memchr::memmem;
use std::collections::BTreeSet;

/// How canonical JSON writes a reference. Inside a text the quotes would be escaped, so nothing else looks like it.
const REFERENCE: &[u8] = b"\"reference\":\"";
/// How a stored Patient begins.
const PATIENT: &[u8] = b"{\"resourceType\":\"Patient\",\"id\":\"";

/// Adds the logical ids of the patients whom a resource of a type, with this id and body, is about or names.
pub fn add(rtype: &str, id: &str, body: &[u8], patients: &mut BTreeSet<String>) {
    if rtype == "Patient" {
        patients.insert(id.to_owned());
    }
    add_referred(body, patients);
}

/// Adds the logical ids of the patients that a Bundle of canonical JSON holds or refers to.
pub fn add_bundled(bundle: &[u8], patients: &mut BTreeSet<String>) {
    for at in memmem::find_iter(bundle, PATIENT) {
        if let Some(id) = text_at(bundle, at + PATIENT.len()) {
            patients.insert(id.to_owned());
        }
    }
    add_referred(bundle, patients);
}

/// Adds the logical ids of the patients that some canonical JSON refers to.
fn add_referred(body: &[u8], patients: &mut BTreeSet<String>) {
    for at in memmem::find_iter(body, REFERENCE) {
        if let Some(id) = text_at(body, at + REFERENCE.len()).and_then(patient_id) {
            patients.insert(id.to_owned());
        }
    }
}

/// The text that begins here, up to its closing quote.
fn text_at(body: &[u8], at: usize) -> Option<&str> {
    let rest = body.get(at..)?;
    std::str::from_utf8(rest.get(..memchr::memchr(b'"', rest)?)?).ok()
}

/// The logical id of the Patient that a reference names, relative or absolute, with or without a version.
fn patient_id(reference: &str) -> Option<&str> {
    let reference = reference.split("/_history/").next().unwrap_or(reference);
    let (before, id) = reference.rsplit_once('/')?;
    (before.rsplit('/').next() == Some("Patient") && !id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> Vec<String> {
        let mut patients = BTreeSet::new();
        add("Appointment", "a", body.as_bytes(), &mut patients);
        patients.into_iter().collect()
    }

    #[test]
    fn every_patient_that_is_referred_to_is_found() {
        let body = r#"{"participant":[{"actor":{"reference":"Patient/p1"}},
            {"actor":{"reference":"Practitioner/d"}},{"actor":{"reference":"https://x.example/fhir/Patient/p2/_history/3"}}]}"#
            .replace("\": \"", "\":\"");
        assert_eq!(found(&body), ["p1", "p2"]);
    }

    #[test]
    fn a_text_that_looks_like_a_reference_is_none() {
        assert!(found(r#"{"comment":"\"reference\":\"Patient/p1\""}"#).is_empty());
        assert!(found(r#"{"reference":"Patient"}"#).is_empty());
        assert!(found(r#"{"reference":"Patient/"#).is_empty());
    }

    #[test]
    fn a_patient_is_its_own() {
        let mut patients = BTreeSet::new();
        add("Patient", "p9", b"{}", &mut patients);
        assert_eq!(patients.into_iter().collect::<Vec<_>>(), ["p9"]);
    }
}
