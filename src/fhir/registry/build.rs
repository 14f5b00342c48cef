//! The words in which the rows of the registry are written.

use super::{Column, Only, ParamKind, Path, SearchParam};

/// The canonical URL of a SearchParameter of the R4 specification.
macro_rules! hl7 {
    ($id:literal) => {
        concat!("http://hl7.org/fhir/SearchParameter/", $id)
    };
}
pub(super) use hl7;

/// Every value at `path`.
pub(super) const fn at(path: &'static str) -> Path {
    Path { path, only: Only::All }
}

/// The elements at `path` whose `child` is `value`.
pub(super) const fn when(path: &'static str, child: &'static str, value: &'static str) -> Path {
    Path { path, only: Only::Where(child, value) }
}

/// The references at `path` to a `target` type.
pub(super) const fn refers(path: &'static str, target: &'static str) -> Path {
    Path { path, only: Only::RefersTo(target) }
}

/// Whether there is a value at `path` that is not `false`.
pub(super) const fn exists(path: &'static str) -> Path {
    Path { path, only: Only::Exists }
}

const fn row(kind: ParamKind, code: &'static str, url: &'static str, paths: &'static [Path]) -> SearchParam {
    SearchParam { code, kind, paths, components: &[], targets: &[], column: None, url, system: "" }
}

/// A token parameter.
pub(super) const fn token(code: &'static str, url: &'static str, paths: &'static [Path]) -> SearchParam {
    row(ParamKind::Token, code, url, paths)
}

/// A reference parameter.
pub(super) const fn reference(code: &'static str, url: &'static str, paths: &'static [Path]) -> SearchParam {
    row(ParamKind::Reference, code, url, paths)
}

/// A date parameter.
pub(super) const fn date(code: &'static str, url: &'static str, paths: &'static [Path]) -> SearchParam {
    row(ParamKind::Date, code, url, paths)
}

/// A string parameter.
pub(super) const fn string(code: &'static str, url: &'static str, paths: &'static [Path]) -> SearchParam {
    row(ParamKind::String, code, url, paths)
}

/// A uri parameter.
pub(super) const fn uri(code: &'static str, url: &'static str, paths: &'static [Path]) -> SearchParam {
    row(ParamKind::Uri, code, url, paths)
}

/// A quantity parameter.
pub(super) const fn quantity(code: &'static str, url: &'static str, paths: &'static [Path]) -> SearchParam {
    row(ParamKind::Quantity, code, url, paths)
}

/// A parameter with rules of its own.
pub(super) const fn special(code: &'static str, url: &'static str, paths: &'static [Path]) -> SearchParam {
    row(ParamKind::Special, code, url, paths)
}

/// A parameter that joins two others of its type.
pub(super) const fn composite(
    code: &'static str,
    url: &'static str,
    components: &'static [&'static str],
) -> SearchParam {
    SearchParam { components, ..row(ParamKind::Composite, code, url, &[]) }
}

impl SearchParam {
    /// Names the types that a reference parameter may point at.
    pub(super) const fn to(self, targets: &'static [&'static str]) -> Self {
        Self { targets, ..self }
    }

    /// Keeps the values in a typed column.
    pub(super) const fn column(self, table: &'static str, name: &'static str) -> Self {
        Self { column: Some(Column { table, name }), ..self }
    }

    /// Names the code system that an element of type `code` or `boolean` leaves unsaid.
    pub(super) const fn system(self, system: &'static str) -> Self {
        Self { system, ..self }
    }
}
