//! Changes to the JSON of a resource that keep a primitive and its sibling `_name` together.

use super::locate::{Node, Step};
use super::value::Given;
use serde_json::{Map, Value};

/// The object at `steps`, made on the way where it is missing (the sibling of a primitive often is).
pub(super) fn object_at<'a>(root: &'a mut Value, steps: &[Step]) -> Option<&'a mut Map<String, Value>> {
    let mut at = root;
    for step in steps {
        at = match step {
            Step::Key(key) => {
                if at.is_null() {
                    *at = Value::Object(Map::new());
                }
                at.as_object_mut()?.entry(key.as_str()).or_insert(Value::Null)
            }
            Step::Index(index) => {
                if at.is_null() {
                    *at = Value::Array(Vec::new());
                }
                let items = at.as_array_mut()?;
                pad(items, index + 1);
                items.get_mut(*index)?
            }
        };
    }
    if at.is_null() {
        *at = Value::Object(Map::new());
    }
    at.as_object_mut()
}

/// Writes a single element.
pub(super) fn set(object: &mut Map<String, Value>, key: &str, given: Given) {
    put(object, key, given.value);
    put(object, &format!("_{key}"), given.extension);
}

fn put(object: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            object.insert(key.to_owned(), value);
        }
        None => {
            object.shift_remove(key);
        }
    }
}

/// Whether the element is there, if only by its extensions.
pub(super) fn has(object: &Map<String, Value>, key: &str) -> bool {
    object.contains_key(key) || object.contains_key(&format!("_{key}"))
}

/// How many items a list has.
pub(super) fn length(object: &Map<String, Value>, key: &str) -> usize {
    let of = |key: &str| object.get(key).and_then(Value::as_array).map_or(0, Vec::len);
    of(key).max(of(&format!("_{key}")))
}

/// Appends to a list.
pub(super) fn push(object: &mut Map<String, Value>, key: &str, given: Given) {
    let end = length(object, key);
    insert(object, key, end, given);
}

/// Inserts into a list at `index`, which is at most its length.
pub(super) fn insert(object: &mut Map<String, Value>, key: &str, index: usize, given: Given) {
    let before = length(object, key);
    insert_item(object, key, before, index, given.value);
    insert_item(object, &format!("_{key}"), before, index, given.extension);
}

/// One of the two parallel lists; it is only made when there is something to say.
fn insert_item(
    object: &mut Map<String, Value>,
    key: &str,
    before: usize,
    index: usize,
    value: Option<Value>,
) {
    if value.is_none() && !object.contains_key(key) {
        return;
    }
    let list = object.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    if let Some(items) = list.as_array_mut() {
        pad(items, before);
        items.insert(index.min(items.len()), value.unwrap_or_default());
    }
}

/// Moves an item of a list; both indexes are below its length.
pub(super) fn relocate(object: &mut Map<String, Value>, key: &str, from: usize, to: usize) {
    let length = length(object, key);
    for key in [key.to_owned(), format!("_{key}")] {
        if let Some(items) = object.get_mut(&key).and_then(Value::as_array_mut) {
            pad(items, length);
            if from < items.len() && to < items.len() {
                let item = items.remove(from);
                items.insert(to, item);
            }
        }
    }
}

/// Removes an element that exists.
pub(super) fn remove(root: &mut Value, node: &Node) {
    let mut steps = node.steps.clone();
    let index = match steps.last() {
        Some(Step::Index(index)) => Some(*index),
        _ => None,
    };
    if index.is_some() {
        steps.pop();
    }
    let Some(Step::Key(key)) = steps.pop() else { return };
    let Some(object) = object_at(root, &steps) else { return };
    for key in [key.clone(), format!("_{key}")] {
        match index {
            None => {
                object.shift_remove(&key);
            }
            Some(index) => {
                let Some(items) = object.get_mut(&key).and_then(Value::as_array_mut) else { continue };
                if index < items.len() {
                    items.remove(index);
                }
                if items.iter().all(Value::is_null) {
                    object.shift_remove(&key);
                }
            }
        }
    }
}

/// Replaces an element that exists by `given`, under `key` when the type of a choice changes.
pub(super) fn replace(root: &mut Value, node: &Node, key: &str, given: Given) {
    let mut steps = node.steps.clone();
    if let Some(Step::Index(index)) = steps.last().cloned() {
        steps.pop();
        steps.pop();
        let Some(object) = object_at(root, &steps) else { return };
        let length = length(object, key);
        replace_item(object, key, index, length, given.value);
        replace_item(object, &format!("_{key}"), index, length, given.extension);
    } else if let Some(Step::Key(old)) = steps.pop()
        && let Some(object) = object_at(root, &steps)
    {
        if old != key {
            object.shift_remove(&old);
            object.shift_remove(&format!("_{old}"));
        }
        set(object, key, given);
    }
}

fn replace_item(
    object: &mut Map<String, Value>,
    key: &str,
    index: usize,
    length: usize,
    value: Option<Value>,
) {
    if value.is_none() && !object.contains_key(key) {
        return;
    }
    let list = object.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    if let Some(items) = list.as_array_mut() {
        pad(items, length);
        if let Some(item) = items.get_mut(index) {
            *item = value.unwrap_or_default();
        }
        if items.iter().all(Value::is_null) {
            object.shift_remove(key);
        }
    }
}

fn pad(items: &mut Vec<Value>, length: usize) {
    if items.len() < length {
        items.resize(length, Value::Null);
    }
}

/// Removes what deletions left empty: R4 has no empty objects or lists.
pub(super) fn prune(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(prune);
            members.retain(|_, member| !is_empty(member));
        }
        Value::Array(items) => {
            items.iter_mut().for_each(prune);
            // Nulls hold the place of items whose other half is in the sibling list.
            items.retain(|item| item.is_null() || !is_empty(item));
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
