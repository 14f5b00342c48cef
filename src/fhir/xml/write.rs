//! JSON into fhirbolt's generic elements, and its text into the document that goes out.

use fhirbolt::element::{Primitive, Value as Node};
use serde_json::{Map, Value};

use super::{R4, XHTML, stand_in};
use crate::fhir::validate::narrative;

/// What an object is, as far as XML cares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A resource: its id is an element.
    Resource,
    /// An extension: its url is an attribute.
    Extension,
    /// Anything else.
    Other,
}

/// An object as a generic element, with its narratives taken out.
///
/// # Errors
/// When a narrative is no XHTML, which could not be part of a document, or a list holds a list.
pub(super) fn element(
    members: Map<String, Value>,
    place: Place,
    narratives: &mut Vec<String>,
) -> Result<R4, String> {
    let mut element = R4::with_capacity(members.len());
    for (key, value) in members {
        let (name, is_twin) = match key.strip_prefix('_') {
            Some(name) => (name, true),
            None => (key.as_str(), false),
        };
        let is_attribute = (name == "id" && place != Place::Resource)
            || (name == "url" && place == Place::Extension)
            || name == "resourceType";
        let value = match value {
            Value::String(text) if is_attribute => Node::Primitive(Primitive::String(text)),
            Value::Array(items) => {
                let items = items.into_iter().map(|item| single(name, item, narratives));
                Node::Sequence(items.collect::<Result<_, _>>()?)
            }
            value => Node::Element(single(name, value, narratives)?),
        };
        // A primitive and its twin are one element.
        let merged = match (element.remove(name), value) {
            (None, value) => value,
            (Some(Node::Element(mut one)), Node::Element(other)) => {
                one.extend(other);
                Node::Element(one)
            }
            (Some(Node::Sequence(mut one)), Node::Sequence(other)) => {
                merge(&mut one, other);
                Node::Sequence(one)
            }
            _ => return Err(format!("{key} and its twin differ in kind (twin: {is_twin})")),
        };
        element.insert(name.to_owned(), merged);
    }
    Ok(element)
}

fn merge(list: &mut Vec<R4>, twins: Vec<R4>) {
    for (index, twin) in twins.into_iter().enumerate() {
        match list.get_mut(index) {
            Some(item) => item.extend(twin),
            None => list.push(twin),
        }
    }
}

/// One value of the element `name`; a null in a list is an element with nothing in it.
fn single(name: &str, value: Value, narratives: &mut Vec<String>) -> Result<R4, String> {
    let primitive = match value {
        Value::Null => return Ok(R4::new()),
        Value::Array(_) => return Err(format!("{name} holds a list in a list")),
        Value::Object(members) => {
            let place = if members.contains_key("resourceType") {
                Place::Resource
            } else if matches!(name, "extension" | "modifierExtension") {
                Place::Extension
            } else {
                Place::Other
            };
            return element(members, place, narratives);
        }
        Value::Bool(value) => Primitive::Bool(value),
        Value::Number(number) => Primitive::Decimal(number.to_string()),
        Value::String(div) if name == "div" => {
            if let Some(problem) = narrative::problem(&div) {
                return Err(problem);
            }
            narratives.push(div);
            Primitive::String(stand_in(narratives.len() - 1))
        }
        Value::String(text) => Primitive::String(text),
    };
    Ok(R4::from([("value", Node::Primitive(primitive))]))
}

/// Puts the narratives back into fhirbolt's text, and writes line breaks and tabs in attributes as
/// references: XML readers turn the bare ones into blanks.
///
/// `None` when a narrative is missing.
pub(super) fn finish(text: &[u8], narratives: &[String]) -> Option<Vec<u8>> {
    let opening = format!("<div xmlns=\"{XHTML}\">");
    let extra: usize = narratives.iter().map(String::len).sum();
    let mut out = Vec::with_capacity(text.len() + extra);
    let mut restored = 0;
    let mut quoted = false;
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'<'
            && !quoted
            && let Some(inner) = rest.strip_prefix(opening.as_bytes())
        {
            let end = inner.iter().position(|b| *b == b'<')?;
            let (number, tail) = inner.split_at_checked(end)?;
            let index: usize = std::str::from_utf8(number).ok()?.trim().parse().ok()?;
            out.extend_from_slice(narratives.get(index)?.as_bytes());
            restored += 1;
            rest = tail.strip_prefix(b"</div>")?;
            continue;
        }
        match byte {
            b'"' => {
                quoted = !quoted;
                out.push(byte);
            }
            b'\n' if quoted => out.extend_from_slice(b"&#10;"),
            b'\r' if quoted => out.extend_from_slice(b"&#13;"),
            b'\t' if quoted => out.extend_from_slice(b"&#9;"),
            _ => out.push(byte),
        }
        rest = after;
    }
    (restored == narratives.len()).then_some(out)
}
