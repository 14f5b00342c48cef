//! Patches: JSON Patch (RFC 6902) and FHIRPath Patch (R4 `fhirpatch.html`).
//!
//! Both work on a copy and give back the whole patched resource or nothing. Whether that resource is
//! valid is for the validator to say, as after any update.

mod edit;
mod fhirpath;
mod grammar;
mod json;
mod locate;
pub(in crate::fhir) mod structure;
mod value;

pub use fhirpath::apply as fhirpath;
pub use json::apply as json;

use super::outcome::{Error, Issue, Kind};
use serde_json::Value;

/// Elements and lists may nest this deep in a patched resource; far deeper than any real one, and
/// shallow enough to be read back.
const MAX_DEPTH: usize = 100;

/// Refuses a patched document that is no longer the same resource.
fn same_resource(before: &Value, after: Value) -> Result<Value, Error> {
    let rtype = before.get("resourceType").and_then(Value::as_str).unwrap_or("Resource");
    let mut issues = Vec::new();
    if after.is_object() {
        for name in ["resourceType", "id"] {
            if before.get(name) != after.get(name) {
                let message = format!("A patch can't change {name}");
                issues.push(Issue::error("business-rule", message).at(format!("{rtype}.{name}")));
            }
        }
    } else {
        issues.push(Issue::error("structure", "The patch would leave no resource").at(rtype));
    }
    if depth(&after) > MAX_DEPTH {
        issues.push(too_deep().at(rtype));
    }
    if issues.is_empty() { Ok(after) } else { Err(Error::of(Kind::Unprocessable, issues)) }
}

fn too_deep() -> Issue {
    Issue::error("too-long", format!("The patch would nest elements more than {MAX_DEPTH} deep"))
}

/// How many containers are nested inside each other; bodies and patches are limited, so the recursion is.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
