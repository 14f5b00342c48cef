//! One walk over a body that knows the R4 type of everything it meets.

use serde_json::{Map, Value};

use super::model::{Element, Kind, MODEL, Type};
use crate::fhir::at::At;

/// What a walk is for. Every method has a place and does nothing unless overridden.
pub(super) trait Visitor<'v> {
    /// An object of a known type, or of an unknown one.
    fn object(&mut self, kind: Option<&'static Type>, members: &'v Map<String, Value>, at: &At<'_>) {
        let _ = (kind, members, at);
    }

    /// One value of a primitive element of R4 type `kind`.
    fn primitive(&mut self, kind: &'static str, element: &'static Element, value: &'v Value, at: &At<'_>) {
        let _ = (kind, element, value, at);
    }

    /// A Reference: `element` is where it stands, when that is known.
    fn reference(&mut self, element: Option<&'static Element>, members: &'v Map<String, Value>, at: &At<'_>) {
        let _ = (element, members, at);
    }
}

/// Walks a resource; its type is what it says it is.
pub(super) fn resource<'v, V: Visitor<'v>>(visitor: &mut V, body: &'v Map<String, Value>, at: &At<'_>) {
    let kind = body.get("resourceType").and_then(Value::as_str).and_then(|name| MODEL.get(name));
    object(visitor, kind, true, body, at);
}

fn object<'v, V: Visitor<'v>>(
    visitor: &mut V,
    kind: Option<&'static Type>,
    is_resource: bool,
    members: &'v Map<String, Value>,
    at: &At<'_>,
) {
    visitor.object(kind, members, at);
    for (key, value) in members {
        let twin = key.strip_prefix('_');
        let name = twin.unwrap_or(key);
        let element = MODEL.element(kind, name, is_resource);
        let at = at.child(element.map_or(name, |element| element.name));
        each(value, &at, &mut |value, at| match (twin, value) {
            // The id and extensions of a primitive stand beside it.
            (Some(_), Value::Object(members)) => {
                object(visitor, MODEL.get("Element"), false, members, at);
            }
            (Some(_), _) => {}
            (None, value) => one(visitor, element, value, at),
        });
    }
}

fn one<'v, V: Visitor<'v>>(
    visitor: &mut V,
    element: Option<&'static Element>,
    value: &'v Value,
    at: &At<'_>,
) {
    match (element.map(|element| element.kind), value) {
        (Some(Kind::Primitive(kind)), _) => {
            if let Some(element) = element
                && !value.is_null()
            {
                visitor.primitive(kind, element, value, at);
            }
        }
        (Some(Kind::Resource), Value::Object(members)) => resource(visitor, members, at),
        (Some(Kind::Complex(name)), Value::Object(members)) => {
            if name == "Reference" {
                visitor.reference(element, members, at);
            }
            object(visitor, MODEL.get(name), false, members, at);
        }
        (None, Value::Object(members)) => {
            // In R4 only a Reference has a string called `reference`.
            if members.get("reference").is_some_and(Value::is_string) {
                visitor.reference(None, members, at);
            }
            object(visitor, None, false, members, at);
        }
        _ => {}
    }
}

/// Calls `f` with the value, or with every item of it.
fn each<'v>(value: &'v Value, at: &At<'_>, f: &mut dyn FnMut(&'v Value, &At<'_>)) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                f(item, &at.item(index));
            }
        }
        _ => f(value, at),
    }
}
