//! Schemas of what requests carry, from the table of R4's elements that validation uses.

use super::required::{CHOICES, REQUIRED};
use crate::fhir::patch::structure::Model;
use crate::fhir::registry::TYPES;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// A row of the element table.
struct Row {
    kinds: Vec<&'static str>,
    codes: Vec<&'static str>,
    targets: Vec<&'static str>,
}

/// Rows by type and element, in the table's order of elements.
static TABLE: LazyLock<BTreeMap<&'static str, Vec<(&'static str, Row)>>> = LazyLock::new(|| {
    let mut table: BTreeMap<&'static str, Vec<(&'static str, Row)>> = BTreeMap::new();
    for line in include_str!("../validate/elements.tsv").lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let Some((owner, name)) = columns.next().and_then(|path| path.rsplit_once('.')) else { continue };
        let mut list = || -> Vec<&'static str> {
            columns.next().unwrap_or_default().split('|').filter(|item| !item.is_empty()).collect()
        };
        let row = Row { kinds: list(), codes: list(), targets: list() };
        table.entry(owner).or_default().push((name, row));
    }
    table
});

/// Every schema.
pub(super) fn components() -> Value {
    let mut schemas = Map::new();
    let mut wanted = BTreeSet::new();
    for rtype in TYPES {
        schemas.insert(rtype.name.to_owned(), resource(rtype.name, &mut wanted));
        schemas.insert(change(rtype.name), whole(rtype.name));
    }
    // Datatypes bring further datatypes with them.
    let mut described = BTreeSet::new();
    while let Some(name) = wanted.iter().find(|name| !described.contains(*name)).copied() {
        described.insert(name);
        schemas.insert(name.to_owned(), object(name, &Model::resource(name), &mut wanted));
    }
    schemas.insert("Reference".to_owned(), reference(&[]));
    for (name, schema) in super::envelopes::schemas() {
        schemas.insert(name.to_owned(), schema);
    }
    Value::Object(schemas)
}

/// Name of the schema of a body that changes or checks what is there.
pub(super) fn change(rtype: &str) -> String {
    format!("{rtype}Change")
}

/// A whole resource without its elements: whoever walks every schema walks the elements once per type.
fn whole(rtype: &str) -> Value {
    json!({
        "type": "object",
        "description": format!("A whole {rtype}, with the elements of #/components/schemas/{rtype}"),
        "required": ["resourceType"],
        "properties": {
            "resourceType": { "const": rtype },
            "id": { "type": "string", "pattern": "^[A-Za-z0-9.-]{1,64}$" }
        }
    })
}

fn resource(rtype: &'static str, wanted: &mut BTreeSet<&'static str>) -> Value {
    let mut schema = object(rtype, &Model::resource(rtype), wanted);
    if let Some(Value::Object(members)) = schema.get_mut("properties") {
        members.insert("resourceType".to_owned(), json!({ "const": rtype }));
        members.insert("id".to_owned(), json!({ "type": "string", "pattern": "^[A-Za-z0-9.-]{1,64}$" }));
        members.insert("meta".to_owned(), json!({ "type": "object" }));
        members.insert("text".to_owned(), json!({ "type": "object" }));
        members.insert(
            "contained".to_owned(),
            json!({ "type": "array", "minItems": 1, "items": { "type": "object" } }),
        );
        members.insert(
            "extension".to_owned(),
            json!({ "type": "array", "minItems": 1, "items": { "type": "object" } }),
        );
    }
    if let Some(Value::Object(schema)) = Some(&mut schema) {
        let mut required = vec![Value::from("resourceType")];
        if let Some(Value::Array(more)) = schema.remove("required") {
            required.extend(more);
        }
        schema.insert("required".to_owned(), Value::Array(required));
    }
    schema
}

/// The schema of one type of the table: a resource, a datatype or an inner type.
fn object(path: &str, model: &Model, wanted: &mut BTreeSet<&'static str>) -> Value {
    let mut members = Map::new();
    let (mut required, mut one_of) = (Vec::new(), Vec::new());
    for (name, row) in TABLE.get(path).into_iter().flatten() {
        for kind in &row.kinds {
            let key = match name.strip_suffix("[x]") {
                Some(base) => choice_key(base, kind),
                None => (*name).to_owned(),
            };
            let child = model.child(&key);
            let Some(schema) = element(&format!("{path}.{name}"), kind, row, &child, wanted) else {
                continue;
            };
            if REQUIRED.contains(&format!("{path}.{name}").as_str()) {
                required.push(Value::from(key.as_str()));
            }
            if CHOICES.contains(&format!("{path}.{}", name.trim_end_matches("[x]")).as_str()) {
                one_of.push(json!({ "required": [key] }));
            }
            let schema = if child.repeats() {
                json!({ "type": "array", "minItems": 1, "maxItems": 5, "items": schema })
            } else {
                schema
            };
            members.insert(key, schema);
        }
    }
    let mut schema = json!({ "type": "object", "properties": members, "additionalProperties": false });
    if let Some(schema) = schema.as_object_mut() {
        if required.is_empty() {
            schema.insert("minProperties".to_owned(), 1.into());
        } else {
            schema.insert("required".to_owned(), Value::Array(required));
        }
        if !one_of.is_empty() {
            schema.insert("oneOf".to_owned(), Value::Array(one_of));
        }
    }
    schema
}

fn choice_key(base: &str, kind: &str) -> String {
    let (first, rest) = kind.split_at(kind.len().min(1));
    format!("{base}{}{rest}", first.to_uppercase())
}

/// `None` for what the description leaves out.
fn element(
    path: &str,
    kind: &&'static str,
    row: &Row,
    model: &Model,
    wanted: &mut BTreeSet<&'static str>,
) -> Option<Value> {
    if let Some(schema) = primitive(kind, &row.codes) {
        return Some(schema);
    }
    match *kind {
        "Reference" => Some(reference(&row.targets)),
        "BackboneElement" | "Element" => Some(object(path, model, wanted)),
        "Extension" | "Resource" | "Narrative" | "xhtml" | "Meta" => None,
        kind if kind.starts_with('@') => None,
        kind if TABLE.contains_key(kind) => {
            wanted.insert(kind);
            Some(json!({ "$ref": format!("#/components/schemas/{kind}") }))
        }
        _ => None,
    }
}

fn primitive(kind: &str, codes: &[&str]) -> Option<Value> {
    let text = |pattern: &str| Some(json!({ "type": "string", "pattern": pattern }));
    match kind {
        "code" if !codes.is_empty() => Some(json!({ "enum": codes })),
        "code" => text("^[A-Za-z0-9.+/-]{1,30}$"),
        "id" => text("^[A-Za-z0-9.-]{1,64}$"),
        "boolean" => Some(json!({ "type": "boolean" })),
        "integer" => {
            Some(json!({ "type": "integer", "minimum": -2_147_483_648_i64, "maximum": 2_147_483_647 }))
        }
        "positiveInt" => Some(json!({ "type": "integer", "minimum": 1, "maximum": 2_147_483_647 })),
        "unsignedInt" => Some(json!({ "type": "integer", "minimum": 0, "maximum": 2_147_483_647 })),
        "decimal" => Some(json!({ "type": "number", "minimum": -1_000_000, "maximum": 1_000_000 })),
        "instant" => text(
            "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])$",
        ),
        "dateTime" => text(
            "^20[0-9]{2}-(0[1-9]|1[0-2])(-(0[1-9]|1[0-9]|2[0-8])(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-](0[0-9]|1[0-3]):[0-5][0-9]))?)?$",
        ),
        "date" => text("^(19|20)[0-9]{2}(-(0[1-9]|1[0-2])(-(0[1-9]|1[0-9]|2[0-8]))?)?$"),
        "time" => text("^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"),
        "uri" | "url" | "canonical" => {
            text("^https?://[a-z0-9-]{1,30}(\\.[a-z0-9-]{1,30}){1,3}(/[A-Za-z0-9._-]{1,40}){0,4}$")
        }
        "oid" => text("^urn:oid:[0-2](\\.(0|[1-9][0-9]{0,5})){1,6}$"),
        "uuid" => text("^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
        "base64Binary" => text("^([A-Za-z0-9+/]{4}){1,20}$"),
        "string" | "markdown" => {
            text("^[^\\x00-\\x20\\x7f-\\xa0]([^\\x00-\\x1f\\x7f-\\x9f]{0,80}[^\\x00-\\x20\\x7f-\\xa0])?$")
        }
        _ => None,
    }
}

/// A reference to a resource here or elsewhere, or by text alone.
fn reference(targets: &[&str]) -> Value {
    let types = if targets.is_empty() { "[A-Z][A-Za-z]{3,20}".to_owned() } else { targets.join("|") };
    json!({
        "type": "object",
        "properties": {
            "reference": { "type": "string", "pattern": format!("^(https://[a-z]{{1,20}}\\.example/fhir/)?({types})/[A-Za-z0-9.-]{{1,64}}$") },
            "display": { "type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[A-Za-z0-9]+( [A-Za-z0-9]+){0,5}$" }
        },
        "additionalProperties": false,
        "minProperties": 1
    })
}
