//! The attributes that are kept here, by the names of RFC 7643, and documents brought into them.

use serde_json::{Map, Value};

/// Schema of users.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Schema of groups.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Our own extension of users.
pub const OURS: &str = "urn:slotwright:params:scim:schemas:extension:fhir:2.0:User";
/// Schemas of others, whose attributes are not kept.
const FOREIGN: &str = "urn:";

/// What an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One text.
    Text,
    /// A boolean.
    Bool,
    /// An object with these members.
    Object(&'static [(&'static str, Shape)]),
    /// A list of objects with these members.
    List(&'static [(&'static str, Shape)]),
    /// Ours to say: what is sent of it is ignored, and a path to it refused.
    ReadOnly,
}

const NAME: &[(&str, Shape)] = &[
    ("formatted", Shape::Text),
    ("familyName", Shape::Text),
    ("givenName", Shape::Text),
    ("middleName", Shape::Text),
    ("honorificPrefix", Shape::Text),
    ("honorificSuffix", Shape::Text),
];
const EMAILS: &[(&str, Shape)] =
    &[("value", Shape::Text), ("type", Shape::Text), ("primary", Shape::Bool), ("display", Shape::Text)];
const MEMBERS: &[(&str, Shape)] = &[("value", Shape::Text)];
const EXTENSION: &[(&str, Shape)] = &[("fhirUser", Shape::Text)];

/// The attributes of users.
const OF_USER: &[(&str, Shape)] = &[
    ("schemas", Shape::ReadOnly),
    ("id", Shape::ReadOnly),
    ("meta", Shape::ReadOnly),
    ("groups", Shape::ReadOnly),
    ("externalId", Shape::Text),
    ("userName", Shape::Text),
    ("displayName", Shape::Text),
    ("name", Shape::Object(NAME)),
    ("active", Shape::Bool),
    ("locale", Shape::Text),
    ("emails", Shape::List(EMAILS)),
    (OURS, Shape::Object(EXTENSION)),
];

/// The attributes of groups.
const OF_GROUP: &[(&str, Shape)] = &[
    ("schemas", Shape::ReadOnly),
    ("id", Shape::ReadOnly),
    ("meta", Shape::ReadOnly),
    ("externalId", Shape::Text),
    ("displayName", Shape::Text),
    ("members", Shape::List(MEMBERS)),
];

/// A type of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `User`
    User,
    /// `Group`
    Group,
}

impl Type {
    /// Its schema.
    pub fn schema(self) -> &'static str {
        match self {
            Self::User => USER,
            Self::Group => GROUP,
        }
    }

    /// Where its resources are.
    pub fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    fn attributes(self) -> &'static [(&'static str, Shape)] {
        match self {
            Self::User => OF_USER,
            Self::Group => OF_GROUP,
        }
    }

    /// The attribute of this name, without regard to case.
    pub(super) fn attribute(self, name: &str) -> Option<(&'static str, Shape)> {
        member(self.attributes(), name)
    }

    /// A name without the schema of this type in front, if it has it.
    pub(super) fn without_schema(self, name: &str) -> &str {
        let schema = self.schema();
        match (name.get(..schema.len()), name.get(schema.len()..)) {
            (Some(start), Some(rest)) if start.eq_ignore_ascii_case(schema) => {
                rest.strip_prefix(':').unwrap_or(name)
            }
            _ => name,
        }
    }

    /// What is kept of a document: known attributes under their own names, without what is ours to say.
    pub(super) fn kept(self, document: &Map<String, Value>) -> Map<String, Value> {
        let mut out = Map::new();
        for (name, value) in document {
            if let Some((name, shape)) = self.attribute(self.without_schema(name))
                && shape != Shape::ReadOnly
                && let Some(value) = fitted(shape, value)
            {
                out.insert(name.to_owned(), value);
            }
        }
        out
    }
}

pub(super) fn member(of: &'static [(&'static str, Shape)], name: &str) -> Option<(&'static str, Shape)> {
    of.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).copied()
}

/// Whether a name belongs to a schema that is not kept here.
pub(super) fn is_foreign(name: &str) -> bool {
    const CORE: &[&str] = &[
        "nickName",
        "profileUrl",
        "title",
        "userType",
        "preferredLanguage",
        "timezone",
        "password",
        "phoneNumbers",
        "ims",
        "photos",
        "addresses",
        "entitlements",
        "roles",
        "x509Certificates",
    ];
    let urn = name.get(..FOREIGN.len()).is_some_and(|start| start.eq_ignore_ascii_case(FOREIGN));
    urn || CORE.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// A value brought into its shape: names as they are written here, `"True"` as the boolean that some mean by it,
/// one object for a list of it. None for null and for what is empty, which mean that there is no value.
pub(super) fn fitted(shape: Shape, value: &Value) -> Option<Value> {
    match (shape, value) {
        (_, Value::Null) => None,
        (Shape::Bool, Value::String(text)) if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        (Shape::Bool, Value::String(text)) if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        (Shape::Object(of), Value::Object(object)) => {
            let object = members(of, object);
            (!object.is_empty()).then_some(Value::Object(object))
        }
        (Shape::List(of), Value::Object(object)) => Some(Value::Array(vec![members(of, object).into()])),
        (Shape::List(of), Value::Array(list)) => {
            let item = |item: &Value| match item {
                Value::Object(object) => members(of, object).into(),
                other => other.clone(),
            };
            (!list.is_empty()).then(|| list.iter().map(item).collect())
        }
        (_, other) => Some(other.clone()),
    }
}

fn members(of: &'static [(&'static str, Shape)], object: &Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in object {
        if let Some((name, shape)) = member(of, name)
            && let Some(value) = fitted(shape, value)
        {
            out.insert(name.to_owned(), value);
        }
    }
    out
}
