//! FHIRPath Patch (R4 `fhirpatch.html`): a Parameters resource of operations.

use super::locate::{Node, Path, exactly_one};
use super::value::{Given, key_for};
use super::{edit, same_resource, structure::Child};
use crate::fhir::outcome::{Error, Issue, Kind};
use serde_json::Value;

/// Operations that one patch may have.
const MAX_OPERATIONS: usize = 250;

/// An operation as it was read; values are read when the place that they go to is known.
struct Operation<'a> {
    /// Its number in the Parameters.
    index: usize,
    path_text: &'a str,
    path: Path,
    action: Action<'a>,
}

enum Action<'a> {
    Add { name: &'a str, value: Part<'a> },
    Insert { index: usize, value: Part<'a> },
    Delete,
    Replace { value: Part<'a> },
    Move { source: usize, destination: usize },
}

/// A part of an operation and the expression that names it.
#[derive(Clone)]
struct Part<'a> {
    json: &'a Value,
    at: String,
}

/// `resource` after the FHIRPath Patch `parameters`.
///
/// # Errors
/// 400 when `parameters` are not a FHIRPath Patch (every problem is named), 422 when an operation can't
/// be applied or the result is no longer the same resource, 413 for too many operations.
pub fn apply(resource: &Value, parameters: &Value) -> Result<Value, Error> {
    let operations = read(parameters)?;
    let mut patched = resource.clone();
    let mut deleted = false;
    for operation in &operations {
        deleted |= matches!(operation.action, Action::Delete);
        perform(&mut patched, operation).map_err(|issues| {
            let named = issues.into_iter().map(|issue| name_operation(issue, operation)).collect();
            Error::of(Kind::Unprocessable, named)
        })?;
    }
    if deleted {
        edit::prune(&mut patched);
    }
    same_resource(resource, patched)
}

fn name_operation(mut issue: Issue, operation: &Operation) -> Issue {
    issue.diagnostics =
        format!("Patch operation {} ({}): {}", operation.index, operation.path_text, issue.diagnostics);
    let at = issue.expression.take();
    issue.at(at.unwrap_or_else(|| operation.path_text.to_owned()))
}

fn read(parameters: &Value) -> Result<Vec<Operation<'_>>, Error> {
    let bad = |issues| Error::of(Kind::BadRequest, issues);
    if parameters.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        let message = "A FHIRPath Patch is a Parameters resource with parameters named operation";
        return Err(bad(vec![Issue::error("structure", message)]));
    }
    let items = parameters.get("parameter").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if items.len() > MAX_OPERATIONS {
        let message = format!("A patch has at most {MAX_OPERATIONS} operations; this has {}", items.len());
        return Err(Error::new(Kind::TooLarge, message));
    }
    if items.is_empty() {
        let message = "A FHIRPath Patch has at least one parameter named operation";
        return Err(bad(vec![Issue::error("required", message).at("Parameters.parameter")]));
    }
    let mut operations = Vec::with_capacity(items.len());
    let mut issues = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let mut reader = Reader { item, at: format!("Parameters.parameter[{index}]"), issues: &mut issues };
        operations.extend(reader.operation(index));
    }
    if issues.is_empty() { Ok(operations) } else { Err(bad(issues)) }
}

/// Reads one operation and notes what is wrong with it.
struct Reader<'a, 'b> {
    item: &'a Value,
    at: String,
    issues: &'b mut Vec<Issue>,
}

impl<'a> Reader<'a, '_> {
    fn operation(&mut self, index: usize) -> Option<Operation<'a>> {
        if self.item.get("name").and_then(Value::as_str) != Some("operation") {
            let message = "The parameters of a FHIRPath Patch are named operation";
            self.issues.push(Issue::error("value", message).at(format!("{}.name", self.at)));
            return None;
        }
        let kind = self.text("type");
        let path = self.text("path");
        let parsed = path.and_then(|text| match Path::parse(text) {
            Ok(parsed) => Some(parsed),
            Err(issue) => {
                self.issues.push(issue.at(self.at.clone()));
                None
            }
        });
        let action = self.action(kind?);
        Some(Operation { index, path_text: path?, path: parsed?, action: action? })
    }

    fn action(&mut self, kind: &str) -> Option<Action<'a>> {
        match kind {
            "add" => {
                let (name, value) = (self.text("name"), self.value());
                Some(Action::Add { name: name?, value: value? })
            }
            "insert" => {
                let (index, value) = (self.number("index"), self.value());
                Some(Action::Insert { index: index?, value: value? })
            }
            "delete" => Some(Action::Delete),
            "replace" => Some(Action::Replace { value: self.value()? }),
            "move" => {
                let (source, destination) = (self.number("source"), self.number("destination"));
                Some(Action::Move { source: source?, destination: destination? })
            }
            other => {
                let message = format!("{other:.40?} is not one of add, insert, delete, replace, move");
                self.issues.push(Issue::error("code-invalid", message).at(self.at.clone()));
                None
            }
        }
    }

    fn part(&mut self, name: &str) -> Option<Part<'a>> {
        let parts = self.item.get("part").and_then(Value::as_array);
        let mut named = parts
            .into_iter()
            .flatten()
            .enumerate()
            .filter(|(_, part)| part.get("name").and_then(Value::as_str) == Some(name));
        let found = named.next();
        if named.next().is_some() {
            let message = format!("An operation has one part named {name}");
            self.issues.push(Issue::error("structure", message).at(self.at.clone()));
            return None;
        }
        if found.is_none() {
            let message = format!("The operation has no part named {name}");
            self.issues.push(Issue::error("required", message).at(self.at.clone()));
        }
        found.map(|(index, json)| Part { json, at: format!("{}.part[{index}]", self.at) })
    }

    fn value(&mut self) -> Option<Part<'a>> {
        self.part("value")
    }

    fn text(&mut self, name: &str) -> Option<&'a str> {
        let part = self.part(name)?;
        let found = ["valueString", "valueCode"].iter().find_map(|key| part.json.get(*key)?.as_str());
        self.expect(found, &part, "valueString or valueCode")
    }

    fn number(&mut self, name: &str) -> Option<usize> {
        let part = self.part(name)?;
        let found = ["valueInteger", "valueUnsignedInt", "valuePositiveInt"]
            .iter()
            .find_map(|key| usize::try_from(part.json.get(*key)?.as_u64()?).ok());
        self.expect(found, &part, "valueInteger of at least 0")
    }

    fn expect<T>(&mut self, found: Option<T>, part: &Part, what: &str) -> Option<T> {
        if found.is_none() {
            self.issues.push(Issue::error("value", format!("Expected {what}")).at(part.at.clone()));
        }
        found
    }
}

type Outcome<T> = Result<T, Vec<Issue>>;

fn perform(resource: &mut Value, operation: &Operation) -> Outcome<()> {
    match &operation.action {
        Action::Add { name, value } => add(resource, operation, name, value),
        Action::Insert { index, value } => insert(resource, operation, *index, value),
        Action::Delete => delete(resource, operation),
        Action::Replace { value } => replace(resource, operation, value),
        Action::Move { source, destination } => relocate(resource, operation, *source, *destination),
    }
}

fn one<T>(result: Result<T, Issue>) -> Outcome<T> {
    result.map_err(|issue| vec![issue])
}

fn find_one(resource: &Value, operation: &Operation) -> Outcome<Node> {
    one(operation.path.find(resource).and_then(exactly_one))
}

fn add(resource: &mut Value, operation: &Operation, name: &str, value: &Part) -> Outcome<()> {
    let parent = find_one(resource, operation)?;
    let given = Given::read(value.json, &parent.model.child(name), &value.at)?;
    let key = one(key_for(&parent.model, name, &given))?;
    let taken = match parent.model.look_up(name) {
        Child::Choice(forms) => forms.into_iter().map(str::to_owned).collect(),
        _ => vec![key.clone()],
    };
    let Some(object) = edit::object_at(resource, &parent.member_steps()) else {
        return Err(vec![Issue::error("structure", "The element there can't have children")]);
    };
    if parent.model.child(&key).repeats() {
        edit::push(object, &key, given);
    } else if let Some(taken) = taken.iter().find(|key| edit::has(object, key)) {
        let message = format!("{taken} is there already and does not repeat; replace would change it");
        return Err(vec![Issue::error("processing", message)]);
    } else {
        edit::set(object, &key, given);
    }
    Ok(())
}

fn insert(resource: &mut Value, operation: &Operation, index: usize, value: &Part) -> Outcome<()> {
    let list = one(operation.path.find_list(resource))?;
    let given = Given::read(value.json, &list.parent.model.child(&list.key), &value.at)?;
    let Some(object) = edit::object_at(resource, &list.parent.member_steps()) else {
        return Err(vec![Issue::error("structure", "The element there can't have children")]);
    };
    let length = edit::length(object, &list.key);
    if index > length {
        let message = format!("There is no index {index} in a list of {length}");
        return Err(vec![Issue::error("value", message)]);
    }
    edit::insert(object, &list.key, index, given);
    Ok(())
}

fn delete(resource: &mut Value, operation: &Operation) -> Outcome<()> {
    let nodes = one(operation.path.find(resource))?;
    if nodes.is_empty() {
        return Ok(());
    }
    let node = one(exactly_one(nodes))?;
    if node.steps.is_empty() {
        return Err(vec![Issue::error("processing", "A patch can't delete the resource itself")]);
    }
    edit::remove(resource, &node);
    Ok(())
}

fn replace(resource: &mut Value, operation: &Operation, value: &Part) -> Outcome<()> {
    let node = find_one(resource, operation)?;
    let Some(key) = node.key() else {
        return Err(vec![Issue::error("processing", "A patch can't replace the resource itself")]);
    };
    let given = Given::read(value.json, &node.model, &value.at)?;
    let key = match &node.choice {
        Some(choice) => one(choice_key(&node, choice, &given))?,
        None => key.to_owned(),
    };
    edit::replace(resource, &node, &key, given);
    Ok(())
}

/// A choice may change its type when it is replaced.
fn choice_key(node: &Node, choice: &str, given: &Given) -> Result<String, Issue> {
    let old = node.key().unwrap_or_default();
    match &given.suffix {
        Some(suffix) if node.forms.iter().all(|form| *form != format!("{choice}{suffix}")) => {
            let forms = node.forms.join(", ");
            Err(Issue::error("value", format!("{choice} is a choice of {forms}; the value is {suffix}")))
        }
        Some(suffix) => Ok(format!("{choice}{suffix}")),
        None => Ok(old.to_owned()),
    }
}

fn relocate(resource: &mut Value, operation: &Operation, source: usize, destination: usize) -> Outcome<()> {
    let list = one(operation.path.find_list(resource))?;
    let Some(object) = edit::object_at(resource, &list.parent.member_steps()) else {
        return Err(vec![Issue::error("structure", "The element there can't have children")]);
    };
    let length = edit::length(object, &list.key);
    for index in [source, destination] {
        if index >= length {
            let message = format!("There is no index {index} in a list of {length}");
            return Err(vec![Issue::error("value", message)]);
        }
    }
    edit::relocate(object, &list.key, source, destination);
    Ok(())
}

#[cfg(test)]
#[path = "fhirpath_tests.rs"]
mod tests;
