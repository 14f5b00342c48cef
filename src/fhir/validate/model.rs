//! The part of R4's element model that validation needs: `elements.tsv`, indexed.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::invariants::{self, Rule};

/// Types and their elements, read once.
pub(super) static MODEL: LazyLock<Model> = LazyLock::new(|| Model::read(include_str!("elements.tsv")));

/// Every known type: resources, datatypes and the inner types of both (`Appointment.participant`).
pub(super) struct Model {
    types: HashMap<&'static str, Type>,
}

/// A type with elements.
#[derive(Default)]
pub(super) struct Type {
    /// Elements by the JSON key, choice types spelled out.
    elements: HashMap<String, Element>,
    /// Invariants that an instance must keep.
    pub(super) rules: Vec<&'static Rule>,
}

/// One JSON key of a type.
pub(super) struct Element {
    /// The name in FHIRPath: the key, for a choice type the name without the type.
    pub(super) name: &'static str,
    /// What is there.
    pub(super) kind: Kind,
    /// The codes of a required binding; empty when any will do.
    pub(super) codes: Vec<&'static str>,
    /// The types that a reference may point at; empty when any will do.
    pub(super) targets: Vec<&'static str>,
}

/// What an element holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A primitive of this R4 type.
    Primitive(&'static str),
    /// An object of this type of the model.
    Complex(&'static str),
    /// A whole resource.
    Resource,
}

impl Model {
    /// Reads the table; a line that is not a row of it is left out (a test finds none).
    fn read(table: &'static str) -> Self {
        let mut types: HashMap<&'static str, Type> = HashMap::new();
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let mut columns = line.split('\t');
            let (Some(path), Some(kinds)) = (columns.next(), columns.next()) else { continue };
            let Some((owner, name)) = path.rsplit_once('.') else { continue };
            let codes = list(columns.next());
            let targets = list(columns.next());
            let owner = types.entry(owner).or_default();
            for kind in kinds.split('|') {
                let (key, name) = match name.strip_suffix("[x]") {
                    Some(base) => (choice_key(base, kind), base),
                    None => (name.to_owned(), name),
                };
                let element = Element {
                    name,
                    kind: kind_of(kind, path),
                    codes: codes.clone(),
                    targets: targets.clone(),
                };
                owner.elements.insert(key, element);
            }
        }
        for rule in invariants::rules() {
            types.entry(rule.on).or_default().rules.push(rule);
        }
        Self { types }
    }

    /// A type by its name.
    pub(super) fn get(&self, name: &str) -> Option<&Type> {
        self.types.get(name)
    }

    /// The element of `owner` under the JSON key `key`.
    pub(super) fn element<'m>(
        &'m self,
        owner: Option<&'m Type>,
        key: &str,
        in_resource: bool,
    ) -> Option<&'m Element> {
        if let Some(element) = owner.and_then(|owner| owner.elements.get(key)) {
            return Some(element);
        }
        let common: &[&str] = if in_resource { &["Resource"] } else { &["Element", "BackboneElement"] };
        common.iter().find_map(|name| self.types.get(name)?.elements.get(key))
    }

    /// A path of JSON keys (`ServiceRequest._occurrenceDateTime`) as FHIRPath (`ServiceRequest.occurrence`).
    pub(super) fn fhirpath(&self, path: &str) -> String {
        let mut steps = path.split('.');
        let root = steps.next().unwrap_or_default();
        let mut owner = self.get(root);
        let mut in_resource = true;
        let mut out = root.to_owned();
        for step in steps {
            let (key, index) = match step.find('[') {
                Some(at) => step.split_at(at),
                None => (step, ""),
            };
            let key = key.strip_prefix('_').unwrap_or(key);
            let element = self.element(owner, key, in_resource);
            out.push('.');
            out.push_str(element.map_or(key, |element| element.name));
            out.push_str(if index == "[x]" { "" } else { index });
            owner = match element.map(|element| element.kind) {
                Some(Kind::Complex(name)) => self.get(name),
                _ => None,
            };
            in_resource = false;
        }
        out
    }
}

fn list(column: Option<&'static str>) -> Vec<&'static str> {
    column.filter(|text| !text.is_empty()).map(|text| text.split('|').collect()).unwrap_or_default()
}

fn choice_key(base: &str, kind: &str) -> String {
    let mut letters = kind.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    base.chars().chain(first).chain(letters).collect()
}

fn kind_of(kind: &'static str, path: &'static str) -> Kind {
    if let Some(same_as) = kind.strip_prefix('@') {
        return Kind::Complex(same_as);
    }
    match kind {
        "BackboneElement" | "Element" => Kind::Complex(path),
        "Resource" => Kind::Resource,
        _ if kind.starts_with(|c: char| c.is_ascii_lowercase()) => Kind::Primitive(kind),
        _ => Kind::Complex(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::registry::TYPES;

    #[test]
    fn every_line_of_the_table_is_a_row() {
        for line in include_str!("elements.tsv").lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<_> = line.split('\t').collect();
            assert!((2..=4).contains(&columns.len()), "{line}");
            assert!(columns[0].contains('.'), "{line}");
        }
    }

    #[test]
    fn every_served_type_and_every_rule_is_in_the_model() {
        assert_eq!(TYPES.len(), 32);
        for served in TYPES {
            assert!(MODEL.get(served.name).is_some_and(|t| !t.elements.is_empty()), "{}", served.name);
        }
        for rule in invariants::rules() {
            assert!(!MODEL.get(rule.on).unwrap().elements.is_empty(), "{} {}", rule.on, rule.key);
        }
    }

    #[test]
    fn keys_become_fhirpath() {
        let cases = [
            ("ServiceRequest._occurrenceDateTime", "ServiceRequest.occurrence"),
            ("Slot.extension[0].valueInteger", "Slot.extension[0].value"),
            ("Appointment.participant[1].actor.reference", "Appointment.participant[1].actor.reference"),
            (
                "Patient.name[0]._given[1].extension[0].value[x]",
                "Patient.name[0].given[1].extension[0].value",
            ),
            ("Consent.provision.provision[0].type", "Consent.provision.provision[0].type"),
        ];
        for (json, expected) in cases {
            assert_eq!(MODEL.fhirpath(json), expected);
        }
    }
}
