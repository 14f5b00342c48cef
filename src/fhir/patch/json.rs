//! JSON Patch (RFC 6902).

use super::{MAX_DEPTH, depth, same_resource, too_deep};
use crate::fhir::outcome::{Error, Issue, Kind};
use json_patch::jsonptr::{Pointer, PointerBuf};
use json_patch::{
    AddOperation, CopyOperation, MoveOperation, PatchErrorKind, PatchOperation, RemoveOperation,
    ReplaceOperation, TestOperation,
};
use serde_json::{Map, Value};

/// Operations that one patch may have.
const MAX_OPERATIONS: usize = 1000;

/// What all `copy` operations of one patch may copy, in bytes: repeated copies double each time.
const MAX_COPIED: usize = 1 << 20;

/// `resource` after the JSON Patch `document`.
///
/// # Errors
/// 400 when the document is not a JSON Patch (every malformed operation is named), 422 when an operation
/// can't be applied, a `test` fails or the result is no longer the same resource, 413 for too much.
pub fn apply(resource: &Value, document: &Value) -> Result<Value, Error> {
    let operations = operations(document)?;
    let mut patched = resource.clone();
    let rtype = resource.get("resourceType").and_then(Value::as_str).unwrap_or("Resource");
    let mut copied = 0;
    for (index, operation) in operations.into_iter().enumerate() {
        check_growth(&patched, &operation, &mut copied)?;
        json_patch::patch(&mut patched, std::slice::from_ref(&operation))
            .map_err(|error| refused(rtype, index, &operation, &error.kind))?;
    }
    same_resource(resource, patched)
}

fn operations(document: &Value) -> Result<Vec<PatchOperation>, Error> {
    let Some(items) = document.as_array() else {
        let message = "A JSON Patch is an array of operations, such as \
                       [{\"op\": \"replace\", \"path\": \"/status\", \"value\": \"cancelled\"}]";
        return Err(Error::of(Kind::BadRequest, vec![Issue::error("structure", message)]));
    };
    if items.len() > MAX_OPERATIONS {
        let message = format!("A patch has at most {MAX_OPERATIONS} operations; this has {}", items.len());
        return Err(Error::new(Kind::TooLarge, message));
    }
    let mut read = Vec::with_capacity(items.len());
    let mut issues = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match operation(item) {
            Ok(operation) => read.push(operation),
            Err((code, message)) => {
                issues.push(Issue::error(code, format!("JSON Patch operation {index}: {message}")));
            }
        }
    }
    if issues.is_empty() { Ok(read) } else { Err(Error::of(Kind::BadRequest, issues)) }
}

type Malformed = (&'static str, String);

fn operation(item: &Value) -> Result<PatchOperation, Malformed> {
    let Some(item) = item.as_object() else {
        return Err(("structure", "an operation is an object".to_owned()));
    };
    match item.get("op").and_then(Value::as_str) {
        Some("add") => {
            Ok(PatchOperation::Add(AddOperation { path: pointer(item, "path")?, value: value(item)? }))
        }
        Some("remove") => Ok(PatchOperation::Remove(RemoveOperation { path: pointer(item, "path")? })),
        Some("replace") => Ok(PatchOperation::Replace(ReplaceOperation {
            path: pointer(item, "path")?,
            value: value(item)?,
        })),
        Some("move") => Ok(PatchOperation::Move(MoveOperation {
            from: pointer(item, "from")?,
            path: pointer(item, "path")?,
        })),
        Some("copy") => Ok(PatchOperation::Copy(CopyOperation {
            from: pointer(item, "from")?,
            path: pointer(item, "path")?,
        })),
        Some("test") => {
            Ok(PatchOperation::Test(TestOperation { path: pointer(item, "path")?, value: value(item)? }))
        }
        Some(other) => {
            let message = format!("{other:.40?} is not one of add, remove, replace, move, copy, test");
            Err(("code-invalid", message))
        }
        None => Err(("required", "\"op\" is missing".to_owned())),
    }
}

fn pointer(item: &Map<String, Value>, name: &str) -> Result<PointerBuf, Malformed> {
    let Some(text) = item.get(name).and_then(Value::as_str) else {
        return Err(("required", format!("{name:?} is missing; it is a JSON Pointer such as \"/status\"")));
    };
    PointerBuf::parse(text).map_err(|_| {
        let message = format!("{name:?} is not a JSON Pointer: {text:.200?} (\"/status\" would be one)");
        ("value", message)
    })
}

fn value(item: &Map<String, Value>) -> Result<Value, Malformed> {
    item.get("value").cloned().ok_or_else(|| ("required", "\"value\" is missing".to_owned()))
}

/// Bounds what an operation may add before it does.
fn check_growth(document: &Value, operation: &PatchOperation, copied: &mut usize) -> Result<(), Error> {
    let (path, added) = match operation {
        PatchOperation::Add(op) => (&op.path, Some(&op.value)),
        PatchOperation::Replace(op) => (&op.path, Some(&op.value)),
        PatchOperation::Move(op) => (&op.path, document.pointer(op.from.as_str())),
        PatchOperation::Copy(op) => {
            let source = document.pointer(op.from.as_str());
            *copied += source.map_or(0, weight);
            (&op.path, source)
        }
        PatchOperation::Remove(_) | PatchOperation::Test(_) => return Ok(()),
    };
    if *copied > MAX_COPIED {
        let message = format!("The copy operations of a patch may copy at most {MAX_COPIED} bytes");
        return Err(Error::new(Kind::TooLarge, message));
    }
    if path.count() + added.map_or(0, depth) > MAX_DEPTH {
        return Err(Error::unprocessable(too_deep()));
    }
    Ok(())
}

/// About how many bytes `value` takes.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => 16 + text.len(),
        Value::Array(items) => 16 + items.iter().map(weight).sum::<usize>(),
        Value::Object(members) => 16 + members.iter().map(|(k, v)| k.len() + weight(v)).sum::<usize>(),
        _ => 16,
    }
}

fn refused(rtype: &str, index: usize, operation: &PatchOperation, kind: &PatchErrorKind) -> Error {
    let (name, from) = match operation {
        PatchOperation::Add(_) => ("add", None),
        PatchOperation::Remove(_) => ("remove", None),
        PatchOperation::Replace(_) => ("replace", None),
        PatchOperation::Move(op) => ("move", Some(&op.from)),
        PatchOperation::Copy(op) => ("copy", Some(&op.from)),
        PatchOperation::Test(_) => ("test", None),
    };
    let path = operation.path();
    let (code, reason) = match kind {
        PatchErrorKind::TestFailed => ("conflict", "the value there is another one".to_owned()),
        PatchErrorKind::InvalidFromPointer => {
            let from = from.map_or("", |from| from.as_str());
            ("not-found", format!("there is nothing at \"from\" {from:.200}"))
        }
        PatchErrorKind::CannotMoveInsideItself => {
            ("processing", "an element can't be moved into itself".to_owned())
        }
        _ => ("not-found", "there is no such place in the resource".to_owned()),
    };
    let message = format!("JSON Patch operation {index} ({name} {:.200}): {reason}", path.as_str());
    Error::unprocessable(Issue::error(code, message).at(expression(rtype, path)))
}

/// `/participant/0/actor` as `Appointment.participant[0].actor`.
fn expression(rtype: &str, path: &Pointer) -> String {
    let mut text = rtype.to_owned();
    for token in path.tokens() {
        let token = token.decoded();
        if token == "-" || token.bytes().all(|b| b.is_ascii_digit()) {
            if token != "-" {
                text.push('[');
                text.push_str(&token);
                text.push(']');
            }
        } else {
            text.push('.');
            text.push_str(token.trim_start_matches('_'));
        }
    }
    text
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
