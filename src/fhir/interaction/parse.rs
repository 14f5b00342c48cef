//! Method, path, query and conditional headers become an [`Interaction`].
//!
//! A path is first recognised as a [`Place`]; [`methods`] is the table of what each place offers.

use super::{Instance, Interaction, ReadConditions, Search, Target, WriteConditions};
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::registry::{ResourceType, resource_type};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// A request to the FHIR endpoint, or the `request` of a Bundle entry, as it was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Incoming<'a> {
    /// `GET`, `HEAD`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'a str,
    /// Relative to the base without a leading slash and still percent-encoded, such as
    /// `Slot/x/_history/2`.
    pub path: &'a str,
    /// Raw query string without the `?`; form parameters of a `POST _search` appended.
    pub query: &'a str,
    /// `If-Match`.
    pub if_match: Option<&'a str>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a str>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<&'a str>,
    /// `If-None-Exist`.
    pub if_none_exist: Option<&'a str>,
}

/// Where a path leads.
#[derive(Debug, PartialEq)]
enum Place {
    Base,
    Metadata,
    SystemSearch,
    SystemHistory,
    Type(&'static ResourceType),
    TypeSearch(&'static ResourceType),
    TypeHistory(&'static ResourceType),
    Instance(Instance),
    InstanceHistory(Instance),
    Version(Instance, String),
    Compartment(Instance, Option<&'static ResourceType>),
    CompartmentSearch(Instance, Option<&'static ResourceType>),
    Operation(String, Option<&'static ResourceType>, Option<String>),
}

/// The interaction that a request asks for.
///
/// # Errors
/// 404 for an unknown type or path, 405 for a method that the path does not offer, 400 for a malformed
/// segment, id or condition.
pub fn parse(request: &Incoming) -> Result<Interaction, Error> {
    let place = place(request.path)?;
    let query = request.query.trim_start_matches('?').to_owned();
    let method = if request.method == "HEAD" { "GET" } else { request.method };
    match (method, place) {
        ("GET", Place::Metadata) => Ok(Interaction::Capabilities),
        ("GET", Place::Base) | ("POST", Place::SystemSearch) => Ok(search(None, None, query)),
        ("POST", Place::Base) => Ok(Interaction::Bundle),
        ("GET", Place::SystemHistory) => Ok(Interaction::History { rtype: None, id: None, query }),
        ("GET", Place::Type(rtype)) | ("POST", Place::TypeSearch(rtype)) => {
            Ok(search(Some(rtype), None, query))
        }
        ("GET", Place::TypeHistory(rtype)) => {
            Ok(Interaction::History { rtype: Some(rtype), id: None, query })
        }
        ("POST", Place::Type(rtype)) => {
            Ok(Interaction::Create { rtype, if_none_exist: if_none_exist(request, rtype)? })
        }
        ("PUT", Place::Type(rtype)) => {
            Ok(Interaction::Update(matching(rtype, &query, "PUT")?, write_conditions(request)))
        }
        ("PATCH", Place::Type(rtype)) => {
            Ok(Interaction::Patch(matching(rtype, &query, "PATCH")?, write_conditions(request)))
        }
        ("DELETE", Place::Type(rtype)) => {
            Ok(Interaction::Delete(matching(rtype, &query, "DELETE")?, write_conditions(request)))
        }
        ("GET", Place::Instance(instance)) => Ok(Interaction::Read(instance, read_conditions(request))),
        ("PUT", Place::Instance(instance)) => {
            Ok(Interaction::Update(Target::Instance(instance), write_conditions(request)))
        }
        ("PATCH", Place::Instance(instance)) => {
            Ok(Interaction::Patch(Target::Instance(instance), write_conditions(request)))
        }
        ("DELETE", Place::Instance(instance)) => {
            Ok(Interaction::Delete(Target::Instance(instance), write_conditions(request)))
        }
        ("GET", Place::InstanceHistory(Instance { rtype, id })) => {
            Ok(Interaction::History { rtype: Some(rtype), id: Some(id), query })
        }
        ("GET", Place::Version(instance, vid)) => Ok(Interaction::VersionRead(instance, vid)),
        ("GET", Place::Compartment(of, rtype)) | ("POST", Place::CompartmentSearch(of, rtype)) => {
            Ok(search(rtype, Some((of.rtype.name.to_owned(), of.id)), query))
        }
        ("GET" | "POST", Place::Operation(name, rtype, id)) => {
            Ok(Interaction::Operation { name, rtype, id, query })
        }
        (_, place) => Err(method_not_allowed(request, &place)),
    }
}

/// The methods that a path offers, for the `Allow` header; empty for a path that is not known.
pub fn allowed(path: &str) -> &'static [&'static str] {
    place(path).map_or(&[], |place| methods(&place))
}

/// Whether `text` has the form of an R4 `id`.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

fn methods(place: &Place) -> &'static [&'static str] {
    match place {
        Place::Base | Place::Operation(..) => &["GET", "HEAD", "POST"],
        Place::SystemSearch | Place::TypeSearch(_) | Place::CompartmentSearch(..) => &["POST"],
        Place::Type(_) => &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        Place::Instance(_) => &["GET", "HEAD", "PUT", "PATCH", "DELETE"],
        Place::Metadata
        | Place::SystemHistory
        | Place::TypeHistory(_)
        | Place::InstanceHistory(_)
        | Place::Version(..)
        | Place::Compartment(..) => &["GET", "HEAD"],
    }
}

fn place(path: &str) -> Result<Place, Error> {
    let trimmed = path.trim_start_matches('/');
    let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
    if trimmed.is_empty() {
        return Ok(Place::Base);
    }
    let segments = trimmed.split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match *parts.as_slice() {
        ["metadata"] => Ok(Place::Metadata),
        ["_search"] => Ok(Place::SystemSearch),
        ["_history"] => Ok(Place::SystemHistory),
        [name] if is_operation(name) => Ok(operation(name, None, None)),
        [rtype] => Ok(Place::Type(known(rtype)?)),
        [rtype, "_search"] => Ok(Place::TypeSearch(known(rtype)?)),
        [rtype, "_history"] => Ok(Place::TypeHistory(known(rtype)?)),
        [rtype, name] if is_operation(name) => Ok(operation(name, Some(known(rtype)?), None)),
        [rtype, id] => Ok(Place::Instance(instance(rtype, id)?)),
        [rtype, id, "_history"] => Ok(Place::InstanceHistory(instance(rtype, id)?)),
        [rtype, id, "_history", vid] => {
            let instance = instance(rtype, id)?;
            check_id(vid, "version id")?;
            Ok(Place::Version(instance, vid.to_owned()))
        }
        [rtype, id, name] if is_operation(name) => {
            let Instance { rtype, id } = instance(rtype, id)?;
            Ok(operation(name, Some(rtype), Some(id)))
        }
        [rtype, id, inner] => {
            let (of, inner) = compartment(rtype, id, inner)?;
            Ok(Place::Compartment(of, inner))
        }
        [rtype, id, inner, "_search"] => {
            let (of, inner) = compartment(rtype, id, inner)?;
            Ok(Place::CompartmentSearch(of, inner))
        }
        _ => Err(no_such_path(path)),
    }
}

/// One segment, percent-decoded; `%2F` inside a segment never makes two of it.
fn decode(segment: &str) -> Result<String, Error> {
    percent_decode_str(segment).decode_utf8().map(Cow::into_owned).map_err(|_| {
        Error::of(Kind::BadRequest, vec![Issue::error("structure", "The path is not valid UTF-8")])
    })
}

fn is_operation(segment: &str) -> bool {
    segment.strip_prefix('$').is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}

fn operation(segment: &str, rtype: Option<&'static ResourceType>, id: Option<String>) -> Place {
    Place::Operation(segment.trim_start_matches('$').to_owned(), rtype, id)
}

fn known(name: &str) -> Result<&'static ResourceType, Error> {
    resource_type(name).ok_or_else(|| {
        let message = if name.starts_with(|c: char| c.is_ascii_uppercase()) {
            format!("The resource type {name:.64} is not served here; see metadata for those that are")
        } else {
            format!("There is nothing at {name:.64}; resource types are written as in Appointment")
        };
        Error::of(Kind::NotFound, vec![Issue::error("not-supported", message)])
    })
}

fn instance(rtype: &str, id: &str) -> Result<Instance, Error> {
    let rtype = known(rtype)?;
    check_id(id, "id")?;
    Ok(Instance { rtype, id: id.to_owned() })
}

fn check_id(text: &str, what: &str) -> Result<(), Error> {
    if is_id(text) {
        return Ok(());
    }
    let message = format!("{text:.80?} is not a valid {what}: 1 to 64 letters, digits, '-' or '.'");
    Err(Error::of(Kind::BadRequest, vec![Issue::error("value", message)]))
}

/// `Patient/x/Appointment`: the type must be one whose members the compartment has.
fn compartment(
    rtype: &str,
    id: &str,
    inner: &str,
) -> Result<(Instance, Option<&'static ResourceType>), Error> {
    let of = instance(rtype, id)?;
    let members: fn(&ResourceType) -> &'static [&'static str] = match of.rtype.name {
        "Patient" => |t| t.patient_compartment,
        "Practitioner" => |t| t.practitioner_compartment,
        name => {
            let message = format!("There is no {name} compartment; Patient and Practitioner have one");
            return Err(Error::of(Kind::NotFound, vec![Issue::error("not-supported", message)]));
        }
    };
    if inner == "*" {
        return Ok((of, None));
    }
    let inner = known(inner)?;
    if members(inner).is_empty() {
        let message = format!("{} is not part of the {} compartment", inner.name, of.rtype.name);
        return Err(Error::of(Kind::NotFound, vec![Issue::error("not-supported", message)]));
    }
    Ok((of, Some(inner)))
}

fn search(
    rtype: Option<&'static ResourceType>,
    compartment: Option<(String, String)>,
    query: String,
) -> Interaction {
    Interaction::Search(Search { rtype, compartment, query })
}

/// Parameters that shape the answer and never select a resource.
const PRESENTATION: &[&str] = &["_format", "_pretty", "_summary", "_elements"];

/// `query` without the parameters that only shape the answer.
fn criteria(query: &str) -> String {
    let keep = |part: &&str| {
        let name = part.split('=').next().unwrap_or_default();
        !part.is_empty() && !PRESENTATION.contains(&name)
    };
    query.split('&').filter(keep).collect::<Vec<_>>().join("&")
}

fn matching(rtype: &'static ResourceType, query: &str, method: &str) -> Result<Target, Error> {
    let criteria = criteria(query);
    if criteria.is_empty() {
        let message = format!(
            "{method} {0} needs either an id ({0}/[id]) or search parameters that select one resource",
            rtype.name
        );
        return Err(Error::of(Kind::BadRequest, vec![Issue::error("required", message)]));
    }
    Ok(Target::Matching(rtype, criteria))
}

/// `If-None-Exist` as search criteria; clients write it with or without `Type?` in front.
fn if_none_exist(request: &Incoming, rtype: &ResourceType) -> Result<Option<String>, Error> {
    let Some(text) = request.if_none_exist else { return Ok(None) };
    let text = text.trim();
    let query = match text.split_once('?') {
        None => text,
        Some((before, query)) if before.is_empty() || before == rtype.name => query,
        Some(_) => {
            let message = format!("If-None-Exist searches {} only, the type created", rtype.name);
            return Err(Error::of(Kind::BadRequest, vec![Issue::error("value", message)]));
        }
    };
    let criteria = criteria(query);
    if criteria.is_empty() {
        let message = "If-None-Exist needs search parameters, such as identifier=http://a.example|1";
        return Err(Error::of(Kind::BadRequest, vec![Issue::error("required", message)]));
    }
    Ok(Some(criteria))
}

fn read_conditions(request: &Incoming) -> ReadConditions {
    ReadConditions {
        if_none_match: request.if_none_match.map(str::to_owned),
        if_modified_since: request.if_modified_since.map(str::to_owned),
    }
}

fn write_conditions(request: &Incoming) -> WriteConditions {
    WriteConditions {
        if_match: request.if_match.map(str::to_owned),
        if_none_match: request.if_none_match.map(str::to_owned),
    }
}

fn no_such_path(path: &str) -> Error {
    Error::new(Kind::NotFound, format!("There is nothing at {path:.200}"))
}

fn method_not_allowed(request: &Incoming, place: &Place) -> Error {
    let offered = methods(place).join(", ");
    let path = if request.path.is_empty() { "the base" } else { request.path };
    Error::new(
        Kind::MethodNotAllowed,
        format!("{:.20} is not offered at {path:.200}; {offered} is", request.method),
    )
}

#[cfg(test)]
mod tests;
