//! How much of a body is looked at: far more than a real resource has, and little enough that a hostile
//! one costs no more than its reading did. The typed model compares an object's keys with one another,
//! takes much stack for every level of an extension, and reports each mistake of a million.

use serde_json::{Map, Value};

use crate::fhir::outcome::Issue;

/// Levels of objects and arrays; R4's own examples stay below 15.
const MAX_DEPTH: usize = 28;
/// Members of one object; R4 knows none with a hundred.
const MAX_MEMBERS: usize = 250;
/// Contained resources.
const MAX_CONTAINED: usize = 250;
/// Values of every kind in one body.
const MAX_VALUES: usize = 100_000;
/// Issues that one answer names.
const MAX_ISSUES: usize = 500;

/// Why a body is too much to look at, if it is.
pub(super) fn exceeded(body: &Map<String, Value>) -> Option<Issue> {
    let contained = body.get("contained").and_then(Value::as_array).map_or(0, Vec::len);
    if contained > MAX_CONTAINED {
        return Some(too_much(format!("It contains {contained} resources; {MAX_CONTAINED} are taken")));
    }
    let mut left = MAX_VALUES;
    members(body, MAX_DEPTH - 1, &mut left)
}

/// Cuts a list of issues to what a reader can use.
pub(super) fn cut(issues: &mut Vec<Issue>) {
    let found = issues.len();
    if found > MAX_ISSUES {
        issues.truncate(MAX_ISSUES);
        issues.push(Issue::information(format!("{} more issues are not listed", found - MAX_ISSUES)));
    }
}

fn members(object: &Map<String, Value>, depth: usize, left: &mut usize) -> Option<Issue> {
    if object.len() > MAX_MEMBERS {
        return Some(too_much(format!(
            "An object in it has {} members; {MAX_MEMBERS} are taken",
            object.len()
        )));
    }
    object.values().find_map(|member| value(member, depth, left))
}

fn value(value: &Value, depth: usize, left: &mut usize) -> Option<Issue> {
    let Some(rest) = left.checked_sub(1) else {
        return Some(too_much(format!("It holds more than {MAX_VALUES} values")));
    };
    *left = rest;
    let nested = value.is_object() || value.is_array();
    let Some(depth) = depth.checked_sub(usize::from(nested)) else {
        return Some(too_much(format!("It is nested deeper than {MAX_DEPTH} levels of objects and arrays")));
    };
    match value {
        Value::Array(items) => items.iter().find_map(|item| self::value(item, depth, left)),
        Value::Object(object) => members(object, depth, left),
        _ => None,
    }
}

fn too_much(message: String) -> Issue {
    Issue::error("too-costly", message)
}
