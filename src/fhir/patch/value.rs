//! The `value` part of a FHIRPath Patch operation.

use super::structure::{Child, Model};
use crate::fhir::outcome::Issue;
use serde_json::{Map, Value};

/// A value to write.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// Its type as a choice's JSON name ends, such as `DateTime`; unknown for an anonymous type.
    pub suffix: Option<String>,
    /// The value; absent for a primitive that has extensions only.
    pub value: Option<Value>,
    /// Id and extensions of a primitive.
    pub extension: Option<Value>,
}

impl Given {
    /// Reads `part`, which is to be written at `place`; `at` is the part's own expression.
    ///
    /// # Errors
    /// Every problem of the part, each with its expression.
    pub fn read(part: &Value, place: &Model, at: &str) -> Result<Self, Vec<Issue>> {
        let members = part.as_object();
        let mut given = Self::default();
        let mut found = 0;
        for (key, value) in members.into_iter().flatten() {
            if let Some(suffix) = typed(key, "value") {
                found += 1;
                given.suffix = Some(suffix.to_owned());
                given.value = Some(value.clone());
            } else if let Some(suffix) = typed(key, "_value") {
                given.suffix = Some(suffix.to_owned());
                given.extension = Some(value.clone());
            } else if key == "resource" {
                found += 1;
                given.value = Some(value.clone());
            } else if let ("part", Some(parts)) = (key.as_str(), value.as_array()) {
                found += 1;
                given.value = Some(Value::Object(object(parts, place, at)?));
            }
        }
        match (found, &given.extension) {
            (1, _) | (0, Some(_)) => Ok(given),
            (0, None) => {
                let message = "A value is missing: value[x], or the parts of an anonymous type";
                Err(vec![Issue::error("required", message).at(at)])
            }
            _ => Err(vec![Issue::error("structure", "There is more than one value").at(at)]),
        }
    }
}

fn typed<'a>(key: &'a str, prefix: &str) -> Option<&'a str> {
    super::structure::choice_type(key, prefix)
}

/// An element without a type name of its own (`Patient.contact`), from its parts.
fn object(parts: &[Value], place: &Model, at: &str) -> Result<Map<String, Value>, Vec<Issue>> {
    let mut built = Map::new();
    let mut issues = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let at = format!("{at}.part[{index}]");
        if let Err(found) = member(part, place, &at, &mut built) {
            issues.extend(found);
        }
    }
    if issues.is_empty() { Ok(built) } else { Err(issues) }
}

fn member(part: &Value, place: &Model, at: &str, built: &mut Map<String, Value>) -> Result<(), Vec<Issue>> {
    let Some(name) = part.get("name").and_then(Value::as_str) else {
        return Err(vec![Issue::error("required", "A part has a name").at(format!("{at}.name"))]);
    };
    let given = Given::read(part, &place.child(name), at)?;
    let key = key_for(place, name, &given).map_err(|issue| vec![issue.at(at)])?;
    if place.child(&key).repeats() {
        super::edit::push(built, &key, given);
    } else if built.contains_key(&key) {
        let message = format!("{key} can be given once only");
        return Err(vec![Issue::error("structure", message).at(at)]);
    } else {
        super::edit::set(built, &key, given);
    }
    Ok(())
}

/// The JSON name under which `given` is written as `name` below `place`: a choice takes the type.
pub(super) fn key_for(place: &Model, name: &str, given: &Given) -> Result<String, Issue> {
    match place.look_up(name) {
        Child::Element => Ok(name.to_owned()),
        Child::Choice(forms) => {
            let wanted = format!("{name}{}", given.suffix.as_deref().unwrap_or_default());
            if forms.contains(&wanted.as_str()) {
                return Ok(wanted);
            }
            let forms = forms.join(", ");
            Err(Issue::error(
                "value",
                format!("{name} is a choice of {forms}; the value has none of these types"),
            ))
        }
        Child::Unknown => Err(Issue::error("structure", format!("R4 has no element {name:.80?} there"))),
    }
}
