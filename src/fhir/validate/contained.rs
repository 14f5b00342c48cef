//! Contained resources: R4's `dom-2` to `dom-5`.

use serde_json::{Map, Value};

use super::references::Contained;
use crate::fhir::at::At;
use crate::fhir::outcome::Issue;

/// The contained resources of a body.
pub(super) fn list(body: &Map<String, Value>) -> Vec<Contained<'_>> {
    items(body)
        .filter_map(Value::as_object)
        .map(|inner| Contained {
            id: inner.get("id").and_then(Value::as_str),
            rtype: inner.get("resourceType").and_then(Value::as_str),
        })
        .collect()
}

/// Whether a contained resource contains another (`dom-2`), which also bounds how deep a body goes.
pub(super) fn nested(body: &Map<String, Value>, at: &At<'_>) -> Option<Issue> {
    let index = items(body).position(|inner| inner.get("contained").is_some())?;
    let list = at.child("contained");
    let place = list.item(index);
    let message = "A contained resource contains no other resource (dom-2)";
    Some(Issue::error("invariant", message).at(place.child("contained").to_string()))
}

/// Checks `dom-3` to `dom-5`.
pub(super) fn check(body: &Map<String, Value>, at: &At<'_>, issues: &mut Vec<Issue>) {
    let mut local = Vec::new();
    for (index, inner) in items(body).enumerate() {
        if index == 0 {
            body.values().for_each(|value| collect_local(value, &mut local));
        }
        let list = at.child("contained");
        let place = list.item(index);
        let mut broken = |at: String, message: &str| issues.push(Issue::error("invariant", message).at(at));
        let id = inner.get("id").and_then(Value::as_str).unwrap_or_default();
        if !local.iter().any(|text| text.strip_prefix('#') == Some(id)) && !names_container(inner) {
            broken(
                place.to_string(),
                "A contained resource is referred to by the one around it, or refers to that as # (dom-3)",
            );
        }
        let meta = inner.get("meta");
        let has = |key: &str| meta.and_then(|meta| meta.get(key)).is_some();
        if has("versionId") || has("lastUpdated") {
            broken(
                place.child("meta").to_string(),
                "A contained resource has neither versionId nor lastUpdated (dom-4)",
            );
        }
        if has("security") {
            broken(place.child("meta").to_string(), "A contained resource has no security label (dom-5)");
        }
    }
}

fn items(body: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    body.get("contained").and_then(Value::as_array).into_iter().flatten()
}

/// Every text that begins with `#`: references, and canonicals and URLs that stay inside.
fn collect_local<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) if text.starts_with('#') => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect_local(item, found)),
        Value::Object(members) => members.values().for_each(|member| collect_local(member, found)),
        _ => {}
    }
}

fn names_container(inner: &Value) -> bool {
    let mut local = Vec::new();
    collect_local(inner, &mut local);
    local.contains(&"#")
}
