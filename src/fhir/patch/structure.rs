//! What R4 says about elements: which exist, which repeat, which are choices.

use fhirbolt_shared::FhirReleases;
use fhirbolt_shared::element_map::r4::ELEMENT_MAP;
use fhirbolt_shared::path::ElementPath;

/// A place in R4's model, such as `Appointment.participant`.
#[derive(Clone, Debug)]
pub(in crate::fhir) struct Model(ElementPath);

/// What a name means below a place.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::fhir) enum Child {
    /// An element, by its JSON name.
    Element,
    /// A choice (`value[x]`), by its name without type: the JSON names that it can take.
    Choice(Vec<&'static str>),
    /// No such element.
    Unknown,
}

impl Model {
    /// The root of a resource.
    pub fn resource(rtype: &str) -> Self {
        let mut path = ElementPath::new(FhirReleases::R4);
        path.push(rtype);
        Self(path)
    }

    /// The element `key` (its JSON name) below this place.
    pub fn child(&self, key: &str) -> Self {
        let mut path = self.0.clone();
        path.push(key);
        Self(path)
    }

    /// What `name` means below this place.
    pub fn look_up(&self, name: &str) -> Child {
        let Some(children) = self.0.children() else {
            // Primitives have no entry of their own; all they can have is this.
            return if matches!(name, "id" | "extension") { Child::Element } else { Child::Unknown };
        };
        if children.contains(name) {
            return Child::Element;
        }
        let forms: Vec<&'static str> =
            children.iter().copied().filter(|key| choice_type(key, name).is_some_and(is_datatype)).collect();
        // One form alone is a name that only looks like it: `birth` and `birthDate`.
        if forms.len() < 2 { Child::Unknown } else { Child::Choice(forms) }
    }

    /// Whether the element is a list.
    pub fn repeats(&self) -> bool {
        self.0.current_element_is_sequence()
    }

    /// Whether the element is a primitive, whose id and extensions live in the sibling `_name`.
    pub fn is_primitive(&self) -> bool {
        self.0.current_element_is_primitive()
    }

    /// Whether the element holds a whole resource.
    pub fn is_resource(&self) -> bool {
        self.0.current_element_is_resource()
    }
}

/// `DateTime` for key `occurrenceDateTime` of the choice `occurrence`.
pub(super) fn choice_type<'a>(key: &'a str, name: &str) -> Option<&'a str> {
    key.strip_prefix(name).filter(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// Whether `Type` (of a choice's JSON name) is a data type rather than a resource or an accident.
fn is_datatype(name: &str) -> bool {
    let mut letters = name.chars();
    let Some(first) = letters.next() else { return false };
    let lower = format!("{}{}", first.to_ascii_lowercase(), letters.as_str());
    [name, &lower]
        .iter()
        .filter_map(|name| ELEMENT_MAP.get(name))
        .any(|elements| !elements.contains("implicitRules"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_lists_and_choices_are_told_apart() {
        let patient = Model::resource("Patient");
        assert_eq!(patient.look_up("name"), Child::Element);
        assert!(patient.child("name").repeats());
        assert!(!patient.child("birthDate").repeats());
        assert!(patient.child("birthDate").is_primitive());
        assert!(patient.child("name").child("given").repeats());
        assert!(patient.child("name").child("given").is_primitive());
        assert!(patient.child("extension").repeats());
        assert!(patient.child("contact").child("telecom").repeats());
        assert_eq!(patient.look_up("deceased"), Child::Choice(vec!["deceasedBoolean", "deceasedDateTime"]));
        for accident in ["nam", "birth", "general", "managing", "modifier"] {
            assert_eq!(patient.look_up(accident), Child::Unknown, "{accident}");
        }
        assert_eq!(patient.child("birthDate").look_up("extension"), Child::Element);
        assert_eq!(patient.child("birthDate").look_up("value"), Child::Unknown);
        assert!(matches!(patient.child("extension").look_up("value"), Child::Choice(_)));
        assert!(patient.child("contained").is_resource());
        assert_eq!(
            Model::resource("Consent").child("provision").child("provision").look_up("actor"),
            Child::Element
        );
    }
}
