//! What a change of PATCH is about (RFC 7644 §3.5.2): `attribute`, `attribute.member`, `attribute[filter]`,
//! `attribute[filter].member`, each with its schema in front or without.

use super::attributes::{OURS, Shape, Type, is_foreign, member};
use super::error::{Error, Kind};
use super::filter::Filter;

/// The longest path, in bytes.
const LONGEST: usize = 1024;

/// A path, by the names that are used here.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    /// The attribute.
    pub(super) attribute: &'static str,
    /// What it is.
    pub(super) shape: Shape,
    /// Which of its values.
    pub(super) filter: Option<Filter>,
    /// The member of it, and what that is.
    pub(super) member: Option<(&'static str, Shape)>,
}

/// What a path names.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Named {
    /// Something that is kept.
    Kept(Path),
    /// Something that RFC 7643 or another schema has and that is not kept here: changes of it are ignored.
    Foreign,
}

/// Reads a path.
///
/// # Errors
/// `invalidPath`, `invalidFilter`.
pub(super) fn parse(of: Type, text: &str) -> Result<Named, Error> {
    let bad = || Error::new(Kind::InvalidPath, format!("The path {text:.100} names no attribute"));
    if text.len() > LONGEST {
        return Err(Error::new(Kind::InvalidPath, "The path is longer than 1024 bytes"));
    }
    let path = of.without_schema(text.trim());
    // Dots are part of our own schema's name.
    let ours = path.get(..OURS.len()).is_some_and(|start| start.eq_ignore_ascii_case(OURS));
    if of == Type::User && ours {
        let rest = path.get(OURS.len()..).unwrap_or_default();
        let (attribute, shape) = of.attribute(OURS).ok_or_else(bad)?;
        let name = rest.strip_prefix([':', '.']);
        let member = match name {
            None if rest.is_empty() => None,
            None => return Err(bad()),
            Some(name) => Some(member_of(shape, name).ok_or_else(bad)?),
        };
        return Ok(Named::Kept(Path { attribute, shape, filter: None, member }));
    }
    let end = path.find(['[', '.']).filter(|_| !path.starts_with("urn:")).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    let Some((attribute, shape)) = of.attribute(name) else {
        return if is_foreign(name) { Ok(Named::Foreign) } else { Err(bad()) };
    };
    let (filter, rest) = match rest.strip_prefix('[') {
        None => (None, rest),
        Some(inner) => {
            let (inner, rest) = inner.rsplit_once(']').ok_or_else(bad)?;
            if !matches!(shape, Shape::List(_)) {
                return Err(bad());
            }
            (Some(Filter::parse(inner)?), rest)
        }
    };
    let member = match rest.strip_prefix('.') {
        None if rest.is_empty() => None,
        None => return Err(bad()),
        // What a member has besides its value is ours to say.
        Some(name) => Some(member_of(shape, name).ok_or_else(bad)?),
    };
    Ok(Named::Kept(Path { attribute, shape, filter, member }))
}

fn member_of(shape: Shape, name: &str) -> Option<(&'static str, Shape)> {
    match shape {
        Shape::Object(of) | Shape::List(of) => member(of, name),
        _ => None,
    }
}
