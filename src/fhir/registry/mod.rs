//! The one table of resource types. To serve a new type, add a row.
//!
//! Everything that depends on a type reads this table: search, indexing, references, compartments,
//! validation, `/metadata`, OpenAPI.

mod audit;
mod build;
mod care;
mod clinical;
mod findings;
mod groups;
mod medication;
mod people;
mod places;
mod plans;
mod records;
mod scheduling;
mod subscription;
mod types;

use build::{
    at, composite, date, exists, hl7, quantity, reference, refers, special, string, token, uri, when,
};

pub use types::{LOGGED, TYPES};

/// A resource type that the server serves.
#[derive(Debug)]
pub struct ResourceType {
    /// R4 name, such as `Appointment`.
    pub name: &'static str,
    /// Search parameters beyond those that every type has ([`COMMON`]).
    pub params: &'static [SearchParam],
    /// Codes of the reference parameters that put an instance into a patient's compartment
    /// (R4 `compartmentdefinition-patient.html`); `_id` for Patient itself.
    pub patient_compartment: &'static [&'static str],
    /// The same for a practitioner's compartment (R4 `compartmentdefinition-practitioner.html`).
    pub practitioner_compartment: &'static [&'static str],
}

impl ResourceType {
    /// Whether its resources are events of the audit log: they are written once, read and searched for.
    pub fn is_logged(&self) -> bool {
        LOGGED.iter().any(|logged| logged == self)
    }
}

impl PartialEq for ResourceType {
    /// Each type has one row, so the name decides.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ResourceType {}

impl std::hash::Hash for ResourceType {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// R4 search parameter types that the served resources use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// Coding, CodeableConcept, Identifier, ContactPoint, code, boolean.
    Token,
    /// Reference or canonical.
    Reference,
    /// date, dateTime, instant, Period, Timing.
    Date,
    /// string, HumanName, Address.
    String,
    /// uri, matched whole.
    Uri,
    /// Quantity, Duration, Age.
    Quantity,
    /// Has rules of its own (`Location.near`).
    Special,
    /// Values of two other parameters, of which a resource must have both (`code-value-quantity`).
    Composite,
}

/// A search parameter: a row of the registry.
#[derive(Debug)]
pub struct SearchParam {
    /// The name in the URL, such as `service-type`.
    pub code: &'static str,
    /// How values are written and compared.
    pub kind: ParamKind,
    /// Where the values are in the resource; several are alternatives that all count.
    pub paths: &'static [Path],
    /// For composites: the codes of the parameters that it joins; they are of the whole resource, so that it has no
    /// values of its own.
    pub components: &'static [&'static str],
    /// For references: the types that the parameter may point at; empty means any.
    pub targets: &'static [&'static str],
    /// Where hot values live as a typed column, instead of the generic index tables.
    pub column: Option<Column>,
    /// Canonical URL of the R4 SearchParameter, or ours under `https://slotwright.org/fhir/`.
    pub url: &'static str,
    /// For elements of type `code` or `boolean`: the code system that a binding implies; else empty.
    pub system: &'static str,
}

/// A path into a resource: element names by dots, arrays walked through, choice types spelled out
/// (`occurrenceDateTime`), with at most one filter.
#[derive(Debug)]
pub struct Path {
    /// Such as `participant.actor`.
    pub path: &'static str,
    /// Which of the values found there count.
    pub only: Only,
}

/// What a [`Path`] keeps of what it finds.
#[derive(Debug)]
pub enum Only {
    /// Everything.
    All,
    /// Elements whose child has this value, such as `("system", "phone")`.
    Where(&'static str, &'static str),
    /// References to this type (R4's `where(resolve() is Patient)`).
    RefersTo(&'static str),
    /// The answer is whether a value exists that is not `false` (`Patient.deceased`).
    Exists,
}

/// A typed column of a hot parameter.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Table keyed by `rid`, such as `slot`. One row per resource, or several where the element repeats
    /// (`appointment_actor`).
    pub table: &'static str,
    /// Column, such as `start_us`.
    pub name: &'static str,
}

/// The parameters that every type has.
pub static COMMON: &[SearchParam] = &[
    token("_id", hl7!("Resource-id"), &[at("id")]).column("resource", "id"),
    date("_lastUpdated", hl7!("Resource-lastUpdated"), &[at("meta.lastUpdated")])
        .column("resource", "updated_us"),
    uri("_profile", hl7!("Resource-profile"), &[at("meta.profile")]),
    token("_security", hl7!("Resource-security"), &[at("meta.security")]),
    uri("_source", hl7!("Resource-source"), &[at("meta.source")]),
    token("_tag", hl7!("Resource-tag"), &[at("meta.tag")]),
];

impl ResourceType {
    /// All parameters of this type, its own and the [`COMMON`] ones.
    pub fn all_params(&self) -> impl Iterator<Item = &'static SearchParam> + use<> {
        self.params.iter().chain(COMMON)
    }

    /// The parameter of this type that is called `code`.
    pub fn param(&self, code: &str) -> Option<&'static SearchParam> {
        self.all_params().find(|p| p.code == code)
    }

    /// For a parameter that narrows another one's references to one type (`patient` of `actor`): that other
    /// parameter and the type. The index holds such references once, under the other.
    pub fn stored_as(&self, param: &SearchParam) -> Option<(&'static SearchParam, &'static str)> {
        let [Path { path, only: Only::RefersTo(target) }] = param.paths else { return None };
        let whole = self.params.iter().find(|p| {
            p.kind == ParamKind::Reference
                && matches!(p.paths, [Path { path: other, only: Only::All }] if other == path)
        })?;
        Some((whole, target))
    }
}

impl SearchParam {
    /// Whether the values are business identifiers, which are compared with case.
    pub fn is_identifier(&self) -> bool {
        self.column.is_some_and(|c| c.name == "id")
            || self.paths.iter().any(|p| p.path.ends_with("identifier") || p.path == "requisition")
    }
}

/// The row of a type by its R4 name.
pub fn resource_type(name: &str) -> Option<&'static ResourceType> {
    TYPES.iter().chain(LOGGED).find(|t| t.name == name)
}
