//! What a subscription is narrowed by: a search of one type that is judged in memory.

use super::topic::Topic;
use crate::clock::Micros;
use crate::fhir::registry::{COMMON, ParamKind, ResourceType, SearchParam, resource_type};
use crate::fhir::search::matches::{Judged, judge};
use crate::fhir::search::{Condition, ReferenceValue, Rules, Test, parse, text};
use serde_json::Value;

/// Most characters of a filter: far more than any useful one has, far less than what is costly to judge.
const LONGEST: usize = 2000;

/// `Appointment?patient=Patient/1&status=booked`: what a resource must be to match.
#[derive(Clone, Debug)]
pub struct Filter {
    rtype: &'static ResourceType,
    text: String,
    condition: Condition,
}

/// A value that a match surely has under a search parameter, so that subscriptions can be found by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Code of the parameter.
    pub param: &'static str,
    /// A logical id, or a code as the search index folds it.
    pub value: String,
}

impl Filter {
    /// Reads a filter of any type: the criteria of a classic subscription. Every search parameter of the type may be
    /// used, without chains, `_has` and what shapes the result. References below `base` are our own.
    ///
    /// # Errors
    /// What is wrong with it, for the client to read.
    pub fn read(base: &str, text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("a filter has at most {LONGEST} characters"));
        }
        let (name, query) = text.split_once('?').unwrap_or((text, ""));
        let rtype = resource_type(name).ok_or_else(|| format!("'{name}' is not a type of this server"))?;
        let rules = Rules { base, default_count: 1, max_count: 1 };
        let parsed = parse(Some(rtype), query, None, &rules).map_err(|error| problems(&error))?;
        if let Some(unknown) = parsed.unknown.first() {
            return Err(format!("{name} has no search parameter '{unknown}'"));
        }
        for (parameter, _) in &parsed.used {
            let code = parameter.split(':').next().unwrap_or_default();
            if code.starts_with('_') && !COMMON.iter().any(|common| common.code == code) {
                return Err(format!("'{parameter}' does not tell which resources are meant"));
            }
        }
        let given = query.split('&').filter(|piece| !piece.is_empty()).count();
        if given != parsed.used.len() {
            return Err("a parameter has no value".to_owned());
        }
        if !parsed.conditions.iter().all(is_of_one) {
            return Err("chains and _has would depend on other resources".to_owned());
        }
        Ok(Self { rtype, text: text.to_owned(), condition: Condition::All(parsed.conditions) })
    }

    /// Reads a filter of a topic, which may use what the topic says and nothing else.
    ///
    /// # Errors
    /// As [`Filter::read`].
    pub fn read_for(base: &str, topic: &Topic, text: &str) -> Result<Self, String> {
        let filter = Self::read(base, text)?;
        let (name, query) = text.split_once('?').unwrap_or((text, ""));
        if name != topic.resource {
            return Err(format!("the topic {} is about {}, not about {name}", topic.code, topic.resource));
        }
        let pairs = text::pairs(query).map_err(|error| problems(&error))?;
        if pairs.is_empty() {
            return Err("a filter needs a parameter".to_owned());
        }
        for (parameter, value) in pairs {
            let (code, modifier) =
                parameter.split_once(':').map_or((parameter.as_str(), None), |(c, m)| (c, Some(m)));
            let Some(by) = topic.filters.iter().find(|by| by.parameter == code) else {
                return Err(format!("the topic {} has no filter '{code}'", topic.code));
            };
            // A type before a reference's id (`actor:Practitioner=1`) is part of the value.
            let is_type = modifier.is_some_and(|modifier| resource_type(modifier).is_some());
            if let Some(modifier) = modifier.filter(|modifier| !is_type && !by.modifiers.contains(modifier)) {
                return Err(format!(
                    "the topic {} has no modifier '{modifier}' of the filter '{code}'",
                    topic.code
                ));
            }
            if !by.comparators.is_empty() {
                for one in text::split(&value, ',') {
                    let prefix: String = one.chars().take_while(char::is_ascii_alphabetic).collect();
                    if !prefix.is_empty() && !by.comparators.contains(&prefix.as_str()) {
                        return Err(format!(
                            "the topic {} has no comparator '{prefix}' of the filter '{code}'",
                            topic.code
                        ));
                    }
                }
            }
        }
        Ok(filter)
    }

    /// The type of resource that it is about.
    pub fn rtype(&self) -> &'static ResourceType {
        self.rtype
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a resource of the type matches; `now` is for `ap`.
    pub fn matches(&self, body: &Value, now: Micros) -> bool {
        matches!(judge(&self.condition, self.rtype, body, now), Judged::Holds)
    }

    /// The parameters that it looks at.
    pub fn params(&self) -> Vec<&'static SearchParam> {
        let mut params = Vec::new();
        collect(&self.condition, &mut params);
        params
    }

    /// Values of one parameter, of which every match has one: that by which few others are found. Empty: none is
    /// known.
    pub fn keys(&self) -> Vec<Key> {
        let Condition::All(parts) = &self.condition else { return Vec::new() };
        let candidates = parts.iter().filter_map(keys_of);
        candidates
            .max_by_key(|(weight, keys)| (*weight, std::cmp::Reverse(keys.len())))
            .map_or(Vec::new(), |(_, keys)| keys)
    }
}

fn collect(condition: &Condition, params: &mut Vec<&'static SearchParam>) {
    match condition {
        Condition::Param(param, _) | Condition::Missing(param, _) | Condition::Chain(param, _) => {
            params.push(param);
        }
        Condition::All(parts) | Condition::Either(parts) => {
            for part in parts {
                collect(part, params);
            }
        }
        Condition::Not(inner) => collect(inner, params),
        Condition::Has(..) | Condition::Any(_) => {}
    }
}

/// Whether a condition is about the resource alone.
fn is_of_one(condition: &Condition) -> bool {
    match condition {
        Condition::Param(..) | Condition::Missing(..) => true,
        Condition::Chain(..) | Condition::Has(..) | Condition::Any(_) => false,
        Condition::All(parts) | Condition::Either(parts) => parts.iter().all(is_of_one),
        Condition::Not(inner) => is_of_one(inner),
    }
}

/// The values that a condition asks for, and how much they tell: ids and identifiers most, then references, then codes.
fn keys_of(condition: &Condition) -> Option<(u8, Vec<Key>)> {
    let Condition::Param(param, test) = condition else { return None };
    let own_id = param.column.is_some_and(|column| column.name == "id");
    let keys: Option<Vec<Key>> = match test {
        Test::Reference(any) => any
            .iter()
            .map(|one| match one {
                ReferenceValue::Local(_, id) => Some(Key { param: param.code, value: id.clone() }),
                _ => None,
            })
            .collect(),
        Test::Token { not: false, any } => any
            .iter()
            .map(|one| {
                let code = one.code.as_ref().filter(|code| !code.is_empty())?;
                Some(Key { param: param.code, value: code.clone() })
            })
            .collect(),
        _ => None,
    };
    let weight = match param.kind {
        _ if own_id => 3,
        ParamKind::Reference | ParamKind::Token if param.is_identifier() => 3,
        ParamKind::Reference => 2,
        _ => 1,
    };
    keys.filter(|keys| !keys.is_empty()).map(|keys| (weight, keys))
}

/// What the search grammar finds wrong, in one line.
fn problems(error: &crate::fhir::outcome::Error) -> String {
    let told: Vec<String> = error.issues.iter().map(|issue| issue.diagnostics.clone()).collect();
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::topic::by_short_name;
    use super::*;
    use serde_json::json;

    fn visit() -> Value {
        json!({ "resourceType": "Appointment", "id": "a1", "status": "booked", "start": "2031-03-03T09:00:00Z",
            "identifier": [{ "system": "urn:x", "value": "N-7" }],
            "serviceType": [{ "coding": [{ "system": "urn:s", "code": "Cardio" }] }],
            "participant": [{ "actor": { "reference": "Patient/1" } }, { "actor": { "reference": "Practitioner/2" } }] })
    }

    #[test]
    fn criteria_match_as_a_search_would() {
        for (text, matches) in [
            ("Appointment", true),
            ("Appointment?", true),
            ("Appointment?patient=Patient/1&status=booked", true),
            ("Appointment?patient=1", true),
            ("Appointment?actor=Practitioner/2", true),
            ("Appointment?status=booked,cancelled", true),
            ("Appointment?status:not=cancelled", true),
            ("Appointment?date=ge2031-03-03", true),
            ("Appointment?identifier=urn:x%7CN-7", true),
            ("Appointment?_id=a1", true),
            ("Appointment?patient=https://here.example/fhir/Patient/1", true),
            ("Appointment?patient=Patient/2&status=booked", false),
            ("Appointment?patient=Patient/1&status=cancelled", false),
            ("Appointment?date=lt2031-03-03", false),
        ] {
            let filter = Filter::read("https://here.example/fhir", text).unwrap();
            assert_eq!(filter.matches(&visit(), 0), matches, "{text}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in [
            "",
            "Nothing?status=booked",
            "Appointment?nothing=1",
            "Appointment?patient=",
            "Appointment?patient.name=x",
            "Appointment?_has:AppointmentResponse:appointment:_id=x",
            "Appointment?_count=5",
            "Appointment?_sort=date",
            "Appointment?_include=Appointment:patient",
            "Appointment?_summary=true",
            "Appointment?_format=json",
            "Appointment?date=yesterday",
        ] {
            assert!(Filter::read("", text).is_err(), "{text}");
        }
        assert!(Filter::read("", &format!("Appointment?_id={}", "x".repeat(LONGEST))).is_err());
    }

    #[test]
    fn a_topic_takes_its_own_filters_only() {
        let topic = by_short_name("appointment-booked").unwrap();
        for text in [
            "Appointment?patient=Patient/1",
            "Appointment?status:not=cancelled",
            "Appointment?date=ge2031-01-01,lt2030-01-01",
            "Appointment?actor:Practitioner=2",
        ] {
            assert!(Filter::read_for("", topic, text).is_ok(), "{text}");
        }
        for text in [
            "Appointment",
            "Appointment?reason-code=1",
            "Appointment?patient:missing=true",
            "Appointment?date=ap2031-01-01",
            "Slot?status=free",
        ] {
            assert!(Filter::read_for("", topic, text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_key_is_what_few_others_have() {
        let keys = |text: &str| -> Vec<String> {
            let keys = Filter::read("", text).unwrap().keys();
            keys.into_iter().map(|key| format!("{}={}", key.param, key.value)).collect()
        };
        assert_eq!(keys("Appointment?status=booked&patient=Patient/1"), ["patient=1"]);
        assert_eq!(keys("Appointment?patient=1,2"), ["patient=1", "patient=2"]);
        assert_eq!(keys("Appointment?service-type=Cardio"), ["service-type=cardio"]);
        assert_eq!(keys("Appointment?patient=1&identifier=urn:x%7CN-7"), ["identifier=N-7"]);
        for none in ["Appointment", "Appointment?date=2031", "Appointment?status:not=booked"] {
            assert!(keys(none).is_empty(), "{none}");
        }
    }
}
