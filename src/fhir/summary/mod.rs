//! Parts of a resource: `_summary` and `_elements` (R4 `search.html#summary`), in searches and in reads.

mod clinical;
mod table;

use super::search::{Summary, text};
use serde_json::{Map, Value, json};

/// Always kept.
const BASE: &[&str] = &["resourceType", "id", "meta", "implicitRules"];

/// What a caller wants of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subset {
    /// `_summary`
    pub summary: Summary,
    /// `_elements`; empty for all.
    pub elements: Vec<String>,
}

impl Subset {
    /// Reads `_summary` and `_elements` of a read's query string; anything else in it is not looked at.
    ///
    /// # Errors
    /// 400 for a `_summary` that R4 does not know, or a broken encoding.
    pub fn parse(query: &str) -> Result<Self, super::outcome::Error> {
        let mut subset = Self { summary: Summary::False, elements: Vec::new() };
        for (name, value) in text::pairs(query)? {
            match name.as_str() {
                "_summary" => {
                    subset.summary = Summary::parse(&value).ok_or_else(|| {
                        super::outcome::Error::bad_request("_summary is true, text, data, count or false")
                    })?;
                }
                "_elements" => subset.elements.extend(names(&value)),
                _ => {}
            }
        }
        Ok(subset)
    }

    /// Whether nothing is left out.
    pub fn is_whole(&self) -> bool {
        self.elements.is_empty() && matches!(self.summary, Summary::False | Summary::Count)
    }

    /// The wanted part of a resource, tagged `SUBSETTED`; mandatory elements stay, so that it is still valid.
    #[must_use]
    pub fn of(&self, resource: &Value) -> Value {
        let Value::Object(whole) = resource else { return resource.clone() };
        if self.is_whole() {
            return resource.clone();
        }
        let rtype = whole.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        let row = table::TABLE.iter().chain(clinical::CLINICAL).find(|(name, ..)| *name == rtype);
        let (summary, mandatory) =
            row.map_or((&[][..], &[][..]), |(_, summary, mandatory)| (*summary, *mandatory));
        let mut part = Map::new();
        for (name, value) in whole {
            let element = name.strip_prefix('_').unwrap_or(name);
            let kept = BASE.contains(&element)
                || match self.summary {
                    _ if !self.elements.is_empty() => {
                        mandatory.contains(&element) || self.elements.iter().any(|e| wanted(e, element))
                    }
                    Summary::True => summary.contains(&element) || mandatory.contains(&element),
                    Summary::Text => element == "text" || mandatory.contains(&element),
                    Summary::Data => element != "text",
                    Summary::False | Summary::Count => true,
                };
            if kept {
                let inside = self.summary == Summary::True && self.elements.is_empty();
                part.insert(
                    name.clone(),
                    if inside { summarised(value, element, summary) } else { value.clone() },
                );
            }
        }
        subsetted(&mut part);
        Value::Object(part)
    }
}

/// The names in an `_elements` value.
pub fn names(value: &str) -> impl Iterator<Item = String> {
    value.split(',').map(str::trim).filter(|e| !e.is_empty()).map(str::to_owned)
}

/// Whether `_elements` asks for an element: by name, or by the name of a choice such as `occurrence`.
fn wanted(asked: &str, element: &str) -> bool {
    element
        .strip_prefix(asked)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// A backbone element without the children that are no summary.
fn summarised(value: &Value, path: &str, summary: &[&str]) -> Value {
    let inside = |p: &&str| p.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    if !summary.iter().any(inside) {
        return value.clone();
    }
    match value {
        Value::Array(items) => items.iter().map(|item| summarised(item, path, summary)).collect(),
        Value::Object(children) => {
            let mut kept = Map::new();
            for (name, child) in children {
                let element = name.strip_prefix('_').unwrap_or(name);
                let child_path = format!("{path}.{element}");
                if element == "id" || summary.contains(&child_path.as_str()) {
                    kept.insert(name.clone(), summarised(child, &child_path, summary));
                }
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

/// Says in `meta.tag` that this is not all.
pub fn subsetted(part: &mut Map<String, Value>) {
    let tag = json!({
        "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
        "code": "SUBSETTED"
    });
    let meta = part.entry("meta").or_insert_with(|| json!({}));
    let Value::Object(meta) = meta else { return };
    match meta.entry("tag").or_insert_with(|| json!([])) {
        Value::Array(tags) => tags.push(tag),
        other => *other = json!([tag]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subset(query: &str) -> Value {
        let appointment = json!({
            "resourceType": "Appointment", "id": "1", "text": { "status": "generated" }, "status": "booked",
            "description": "x", "minutesDuration": 5, "start": "2026-01-01T09:00:00Z",
            "participant": [{ "actor": { "reference": "Patient/1" }, "status": "accepted", "period": {} }]
        });
        Subset::parse(query).unwrap().of(&appointment)
    }

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn each_summary_keeps_its_part() {
        let part = subset("_summary=true");
        assert_eq!(keys(&part), ["resourceType", "id", "status", "start", "participant", "meta"]);
        assert_eq!(keys(&part["participant"][0]), ["actor", "status"]);
        assert_eq!(
            keys(&subset("_summary=text")),
            ["resourceType", "id", "text", "status", "participant", "meta"]
        );
        assert!(subset("_summary=data").get("text").is_none());
        assert_eq!(
            keys(&subset("_elements=minutesDuration")),
            ["resourceType", "id", "status", "minutesDuration", "participant", "meta"]
        );
        assert_eq!(subset("_summary=data")["meta"]["tag"][0]["code"], "SUBSETTED");
        assert!(subset("").get("meta").is_none());
        assert!(Subset::parse("_summary=maybe").is_err());
    }
}
