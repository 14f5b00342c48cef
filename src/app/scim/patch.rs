//! PATCH (RFC 7644 §3.5.2), as the RFC has it and as Entra ID and Okta send it.
//!
//! Their ways beside the RFC: operations in any case (`"Add"`), booleans as texts (`"False"`), values without a
//! path whose members are paths (`{"name.givenName": …}`), `replace` of a value that is not there yet
//! (`emails[type eq "work"].value`), `remove` of members by value instead of by filter.

use super::attributes::{Shape, Type, fitted};
use super::error::{Error, Kind};
use super::filter::Filter;
use super::path::{Named, Path, parse};
use serde_json::{Map, Value};

/// Schema of the request.
const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// Most operations of one request.
const MOST: usize = 1000;
/// Most values of one attribute.
pub(super) const MOST_VALUES: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

/// Carries out a request on a document.
///
/// # Errors
/// `invalidSyntax`, `invalidPath`, `invalidFilter`, `invalidValue`, `noTarget`, `mutability`.
pub(super) fn apply(of: Type, document: &mut Map<String, Value>, request: &Value) -> Result<(), Error> {
    let syntax = |told: &str| Error::new(Kind::InvalidSyntax, told);
    let schemas = get(request, "schemas").and_then(Value::as_array);
    let is_ours = |schema: &Value| schema.as_str().is_some_and(|text| text.eq_ignore_ascii_case(SCHEMA));
    if !schemas.is_some_and(|schemas| schemas.iter().any(is_ours)) {
        return Err(syntax("schemas must hold urn:ietf:params:scim:api:messages:2.0:PatchOp"));
    }
    let operations = get(request, "Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| syntax("Operations is missing"))?;
    if operations.is_empty() || operations.len() > MOST {
        return Err(syntax("A request has 1 to 1000 Operations"));
    }
    for operation in operations {
        let op = get(operation, "op").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        let op = match op.as_str() {
            "add" => Op::Add,
            "replace" => Op::Replace,
            "remove" => Op::Remove,
            _ => return Err(syntax("op is add, replace or remove")),
        };
        let value = get(operation, "value").unwrap_or(&Value::Null);
        match get(operation, "path") {
            Some(Value::String(path)) => one(of, document, op, path, value)?,
            None | Some(Value::Null) => without_path(of, document, op, value)?,
            Some(_) => return Err(syntax("path is a text")),
        }
    }
    Ok(())
}

fn get<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.as_object()?.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn without_path(of: Type, document: &mut Map<String, Value>, op: Op, value: &Value) -> Result<(), Error> {
    if op == Op::Remove {
        return Err(Error::new(Kind::NoTarget, "remove needs a path"));
    }
    let Some(values) = value.as_object() else {
        return Err(Error::value("Without a path, value is an object of attributes"));
    };
    for (path, value) in values {
        // What is not known or not to be changed is left alone, as in POST and PUT.
        if let Ok(Named::Kept(path)) = parse(of, path)
            && path.shape != Shape::ReadOnly
        {
            change(document, op, &path, value)?;
        }
    }
    Ok(())
}

fn one(of: Type, document: &mut Map<String, Value>, op: Op, path: &str, value: &Value) -> Result<(), Error> {
    let Named::Kept(path) = parse(of, path)? else { return Ok(()) };
    if path.shape == Shape::ReadOnly {
        return Err(Error::new(Kind::Mutability, format!("{} can't be changed", path.attribute)));
    }
    change(document, op, &path, value)
}

fn change(document: &mut Map<String, Value>, op: Op, path: &Path, value: &Value) -> Result<(), Error> {
    match path.shape {
        Shape::List(_) => {
            let mut list = match document.remove(path.attribute) {
                Some(Value::Array(list)) => list,
                _ => Vec::new(),
            };
            change_list(&mut list, op, path, value)?;
            if list.len() > MOST_VALUES {
                return Err(Error::value(format!("{} has too many values", path.attribute)));
            }
            if !list.is_empty() {
                document.insert(path.attribute.to_owned(), Value::Array(list));
            }
        }
        Shape::Object(_) => change_object(document, op, path, value)?,
        _ => set(document, op, path.attribute, path.shape, value),
    }
    Ok(())
}

fn set(object: &mut Map<String, Value>, op: Op, name: &str, shape: Shape, value: &Value) {
    match fitted(shape, value).filter(|_| op != Op::Remove) {
        Some(value) => object.insert(name.to_owned(), value),
        None => object.remove(name),
    };
}

fn change_object(document: &mut Map<String, Value>, op: Op, path: &Path, value: &Value) -> Result<(), Error> {
    let mut object = match document.remove(path.attribute) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    };
    match (path.member, op, value) {
        (Some((name, shape)), ..) => set(&mut object, op, name, shape, value),
        (None, Op::Remove, _) | (None, _, Value::Null) => object.clear(),
        // Members that are not named stay (§3.5.2.3).
        (None, _, Value::Object(members)) => {
            if let Some(Value::Object(members)) = fitted(path.shape, &Value::Object(members.clone())) {
                object.extend(members);
            }
        }
        (None, ..) => return Err(Error::value(format!("{} is an object", path.attribute))),
    }
    if !object.is_empty() {
        document.insert(path.attribute.to_owned(), Value::Object(object));
    }
    Ok(())
}

fn change_list(list: &mut Vec<Value>, op: Op, path: &Path, value: &Value) -> Result<(), Error> {
    if let Some(filter) = &path.filter {
        return change_matching(list, op, path, filter, value);
    }
    if let Some((name, shape)) = path.member {
        for item in list.iter_mut().filter_map(Value::as_object_mut) {
            set(item, op, name, shape, value);
        }
        return Ok(());
    }
    let given = match fitted(path.shape, value) {
        Some(Value::Array(given)) => given,
        None => Vec::new(),
        Some(_) => return Err(Error::value(format!("{} is a list of objects", path.attribute))),
    };
    match op {
        Op::Replace => *list = given,
        Op::Remove if given.is_empty() => list.clear(),
        Op::Remove => list.retain(|own| !given.iter().any(|gone| same_value(own, gone))),
        Op::Add => {
            for new in given {
                add(list, new);
            }
        }
    }
    Ok(())
}

/// What two values of a list are the same by: `value`.
fn same_value(one: &Value, other: &Value) -> bool {
    let value = |of: &Value| of.get("value").cloned();
    value(one).is_some() && value(one) == value(other)
}

/// Adds a value that is not there yet; one that is primary takes that from the others (§3.5.2).
fn add(list: &mut Vec<Value>, new: Value) {
    let is_there = list.contains(&new)
        || (new.as_object().is_some_and(|new| new.len() == 1)
            && list.iter().any(|own| same_value(own, &new)));
    if is_there {
        return;
    }
    if new.get("primary") == Some(&Value::Bool(true)) {
        for item in list.iter_mut().filter_map(Value::as_object_mut) {
            if item.get("primary") == Some(&Value::Bool(true)) {
                item.insert("primary".to_owned(), Value::Bool(false));
            }
        }
    }
    list.push(new);
}

fn change_matching(
    list: &mut Vec<Value>,
    op: Op,
    path: &Path,
    filter: &Filter,
    value: &Value,
) -> Result<(), Error> {
    let nothing = || Error::new(Kind::NoTarget, format!("No value of {} matches", path.attribute));
    let any = list.iter().any(|item| filter.matches(item));
    if op == Op::Remove && path.member.is_none() {
        list.retain(|item| !filter.matches(item));
        return Ok(());
    }
    if !any {
        if op == Op::Remove {
            return Ok(());
        }
        // As if the filter had said what the new value is.
        let mut new: Map<String, Value> = filter.as_pairs().ok_or_else(nothing)?.into_iter().collect();
        merge(&mut new, op, path, value)?;
        let Some(Value::Array(fitted)) = fitted(path.shape, &Value::Object(new)) else {
            return Err(nothing());
        };
        list.extend(fitted);
        return Ok(());
    }
    for item in list.iter_mut().filter(|item| filter.matches(item)) {
        if let Some(item) = item.as_object_mut() {
            merge(item, op, path, value)?;
        }
    }
    Ok(())
}

fn merge(item: &mut Map<String, Value>, op: Op, path: &Path, value: &Value) -> Result<(), Error> {
    match path.member {
        Some((name, shape)) => set(item, op, name, shape, value),
        None => match fitted(path.shape, value) {
            Some(Value::Array(values)) => item.extend(values.into_iter().filter_map(object).flatten()),
            _ => return Err(Error::value(format!("A value of {} is an object", path.attribute))),
        },
    }
    Ok(())
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn patched(of: Type, document: Value, operations: Value) -> Result<Value, Error> {
        let mut document = object(document).unwrap();
        apply(of, &mut document, &json!({ "schemas": [SCHEMA], "Operations": operations }))?;
        Ok(Value::Object(document))
    }

    #[test]
    fn what_entra_and_okta_send_is_understood() {
        let work = json!([{ "type": "work", "value": "a@x" }]);
        for (name, before, operations, after) in [
            (
                "a boolean as a text",
                json!({"active": true}),
                json!([{"op": "Replace", "path": "active", "value": "False"}]),
                json!({"active": false}),
            ),
            (
                "no path",
                json!({"active": true}),
                json!([{"op": "replace", "value": {"active": false}}]),
                json!({"active": false}),
            ),
            (
                "paths as members",
                json!({}),
                json!([{"op": "Add", "value": {"name.givenName": "Ann", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "x"}}]),
                json!({"name": {"givenName": "Ann"}}),
            ),
            (
                "a value that is not there",
                json!({}),
                json!([{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a@x"}]),
                json!({"emails": work}),
            ),
            (
                "a value that is there",
                json!({"emails": [{"type": "work", "value": "old"}, {"type": "home", "value": "h"}]}),
                json!([{"op": "Add", "path": "emails[type eq \"work\"].value", "value": "a@x"}]),
                json!({"emails": [{"type": "work", "value": "a@x"}, {"type": "home", "value": "h"}]}),
            ),
            (
                "a schema in front",
                json!({}),
                json!([{"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:displayName", "value": "Ann"}]),
                json!({"displayName": "Ann"}),
            ),
            (
                "our own schema",
                json!({}),
                json!([{"op": "add", "path": format!("{}:fhirUser", super::super::attributes::OURS), "value": "Practitioner/a"}]),
                json!({(super::super::attributes::OURS): {"fhirUser": "Practitioner/a"}}),
            ),
            (
                "what is not kept",
                json!({}),
                json!([{"op": "add", "path": "phoneNumbers[type eq \"work\"].value", "value": "1"}]),
                json!({}),
            ),
        ] {
            assert_eq!(patched(Type::User, before, operations).unwrap(), after, "{name}");
        }
    }

    #[test]
    fn members_come_and_go() {
        let (a, b) = (json!({"value": "a"}), json!({"value": "b"}));
        for (name, before, operations, after) in [
            (
                "add",
                json!({"members": [a]}),
                json!([{"op": "Add", "path": "members", "value": [{"value": "b", "display": "B"}, a]}]),
                json!({"members": [a, b]}),
            ),
            (
                "by filter",
                json!({"members": [a, b]}),
                json!([{"op": "remove", "path": "members[value eq \"a\"]"}]),
                json!({"members": [b]}),
            ),
            (
                "by value",
                json!({"members": [a, b]}),
                json!([{"op": "Remove", "path": "members", "value": [a]}]),
                json!({"members": [b]}),
            ),
            ("all", json!({"members": [a, b]}), json!([{"op": "remove", "path": "members"}]), json!({})),
            (
                "replace",
                json!({"members": [a]}),
                json!([{"op": "replace", "value": {"id": "x", "members": [b]}}]),
                json!({"members": [b]}),
            ),
        ] {
            assert_eq!(patched(Type::Group, before, operations).unwrap(), after, "{name}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (operations, kind) in [
            (json!([]), Kind::InvalidSyntax),
            (json!([{"op": "move", "path": "userName"}]), Kind::InvalidSyntax),
            (json!([{"op": "remove"}]), Kind::NoTarget),
            (json!([{"op": "replace", "value": "x"}]), Kind::InvalidValue),
            (json!([{"op": "replace", "path": "id", "value": "x"}]), Kind::Mutability),
            (json!([{"op": "replace", "path": "groups", "value": []}]), Kind::Mutability),
            (json!([{"op": "replace", "path": "favourite", "value": "x"}]), Kind::InvalidPath),
            (json!([{"op": "replace", "path": "name.nick", "value": "x"}]), Kind::InvalidPath),
            (json!([{"op": "replace", "path": "userName[x eq 1]", "value": "x"}]), Kind::InvalidPath),
            (json!([{"op": "replace", "path": "emails[type is 1]", "value": {}}]), Kind::InvalidFilter),
            (json!([{"op": "replace", "path": "emails[type ne \"x\"].value", "value": "x"}]), Kind::NoTarget),
            (json!([{"op": "replace", "path": "name", "value": "x"}]), Kind::InvalidValue),
        ] {
            assert_eq!(
                patched(Type::User, json!({}), operations.clone()).unwrap_err().kind,
                kind,
                "{operations}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in ".{0,60}", op in prop::sample::select(vec!["add", "replace", "remove"])) {
            let operations = json!([{ "op": op, "path": path, "value": [{"value": "x"}] }]);
            let _ = patched(Type::User, json!({"emails": [{"value": "a"}]}), operations);
        }

        #[test]
        fn what_was_added_is_removed_by_its_value(values in proptest::collection::vec("[a-z]{1,6}", 1..10)) {
            let items: Vec<Value> = values.iter().map(|value| json!({"value": value})).collect();
            let added = patched(Type::Group, json!({}), json!([{"op": "add", "path": "members", "value": items}])).unwrap();
            let gone = patched(Type::Group, added, json!([{"op": "remove", "path": "members", "value": items}])).unwrap();
            prop_assert_eq!(gone, json!({}));
        }
    }
}
