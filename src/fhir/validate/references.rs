//! The references of a body: where they are, what they name, and whether that may stand there.

use serde_json::{Map, Value};

use super::model::Element;
use super::primitives::{excerpt, is_id};
use super::walk::{self, Visitor};
use crate::fhir::at::At;
use crate::fhir::outcome::Issue;

/// A `Reference.reference` in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundReference {
    /// FHIRPath of the Reference, such as `Appointment.participant[0].actor`.
    pub path: String,
    /// The reference as written.
    pub reference: String,
    /// The types that R4 allows there; empty means any.
    pub targets: &'static [&'static str],
}

/// What a reference text points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'r> {
    /// `Type/id` or `Type/id/_history/version`, on this server.
    Relative {
        /// The resource type.
        rtype: &'r str,
        /// The id.
        id: &'r str,
        /// The version, when one is named.
        version: Option<&'r str>,
    },
    /// `#id`, a contained resource; the empty id is the container.
    Contained(&'r str),
    /// `urn:uuid:…` or `urn:oid:…`.
    Urn(&'r str),
    /// An absolute URL.
    Absolute(&'r str),
    /// None of these.
    Malformed,
}

/// Reads a reference text.
pub fn target(reference: &str) -> Target<'_> {
    if let Some(id) = reference.strip_prefix('#') {
        return Target::Contained(id);
    }
    if reference.starts_with("urn:") {
        return Target::Urn(reference);
    }
    if reference.split_once("://").is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty()) {
        return Target::Absolute(reference);
    }
    let mut steps = reference.split('/');
    let (Some(rtype), Some(id)) = (steps.next(), steps.next()) else { return Target::Malformed };
    let version = match (steps.next(), steps.next(), steps.next()) {
        (None, ..) => None,
        (Some("_history"), Some(version), None) if is_id(version) => Some(version),
        _ => return Target::Malformed,
    };
    let is_type = rtype.starts_with(|c: char| c.is_ascii_uppercase())
        && rtype.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_type && is_id(id) { Target::Relative { rtype, id, version } } else { Target::Malformed }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// Every reference in `body`, a resource of type `rtype`, contained resources included.
pub fn references(rtype: &str, body: &Value) -> Vec<FoundReference> {
    let mut found = Collector(Vec::new());
    if let Value::Object(members) = body {
        walk::resource(&mut found, members, &At::root(rtype));
    }
    found.0
}

struct Collector(Vec<FoundReference>);

impl<'v> Visitor<'v> for Collector {
    fn reference(&mut self, element: Option<&'static Element>, members: &'v Map<String, Value>, at: &At<'_>) {
        if let Some(reference) = members.get("reference").and_then(Value::as_str) {
            let targets = element.map_or::<&'static [_], _>(&[], |element| element.targets.as_slice());
            self.0.push(FoundReference { path: at.to_string(), reference: reference.to_owned(), targets });
        }
    }
}

/// Checks the form of a Reference and the type that it names; contained ones are found in `contained`.
pub(super) fn check(
    element: Option<&'static Element>,
    reference: &Map<String, Value>,
    contained: &[Contained<'_>],
    at: &At<'_>,
    issues: &mut Vec<Issue>,
) {
    let Some(text) = reference.get("reference").and_then(Value::as_str) else { return };
    let named = match target(text) {
        Target::Relative { rtype, .. } => Some(rtype),
        Target::Contained("") | Target::Urn(_) | Target::Absolute(_) => None,
        Target::Contained(id) => {
            let inner = contained.iter().find(|inner| inner.id == Some(id));
            if inner.is_none() {
                let message = format!("No contained resource has the id \"{}\" (ref-1)", excerpt(id));
                issues.push(Issue::error("invariant", message).at(at.child("reference").to_string()));
            }
            inner.and_then(|inner| inner.rtype)
        }
        Target::Malformed => {
            let message =
                format!("\"{}\" is no reference: give Type/id, #id, a URN or an absolute URL", excerpt(text));
            issues.push(Issue::error("value", message).at(at.child("reference").to_string()));
            return;
        }
    };
    let Some(named) = named else { return };
    if let Some(stated) = reference.get("type").and_then(Value::as_str)
        && stated != named
    {
        let message = format!("The reference is to {named}, but its type says {}", excerpt(stated));
        issues.push(Issue::error("value", message).at(at.child("type").to_string()));
    }
    if let Some(element) = element
        && !element.targets.is_empty()
        && !element.targets.contains(&named)
    {
        let allowed = element.targets.join(", ");
        let message = format!("{at} may refer to {allowed}, not to {}", excerpt(named));
        issues.push(Issue::error("value", message).at(at.to_string()));
    }
}

/// A contained resource, as far as references need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contained<'v> {
    pub(super) id: Option<&'v str>,
    pub(super) rtype: Option<&'v str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reference_texts_are_told_apart() {
        assert_eq!(target("Slot/1"), Target::Relative { rtype: "Slot", id: "1", version: None });
        assert_eq!(
            target("Slot/1/_history/2"),
            Target::Relative { rtype: "Slot", id: "1", version: Some("2") }
        );
        assert_eq!(target("#a"), Target::Contained("a"));
        assert!(matches!(target("urn:uuid:0"), Target::Urn(_)));
        assert!(matches!(target("https://x.test/fhir/Slot/1"), Target::Absolute(_)));
        for text in ["", "Slot", "Slot/", "slot/1", "Slot/1/2", "Slot/1/_history", "Slot?x=1", "://x"] {
            assert_eq!(target(text), Target::Malformed, "{text}");
        }
    }

    #[test]
    fn every_reference_is_found_with_its_targets() {
        let body = json!({
            "resourceType": "Appointment",
            "contained": [{"resourceType": "Basic", "subject": {"reference": "Patient/2"}}],
            "extension": [{"url": "http://x.test", "valueReference": {"reference": "Device/3"}}],
            "slot": [{"reference": "Slot/1"}],
            "participant": [{"actor": {"reference": "Patient/1"}, "status": "accepted"}]
        });
        let found: Vec<_> =
            references("Appointment", &body).into_iter().map(|f| (f.path, f.reference)).collect();
        let expected = [
            ("Appointment.contained[0].subject", "Patient/2"),
            ("Appointment.extension[0].value", "Device/3"),
            ("Appointment.slot[0]", "Slot/1"),
            ("Appointment.participant[0].actor", "Patient/1"),
        ];
        assert_eq!(found, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(references("Appointment", &body)[2].targets, ["Slot"]);
    }
}
