//! What is subscribed to, in memory: an event finds those that may want it by what few others ask for.

use crate::clock::Micros;
use crate::fhir::extract::{IndexValue, values_of};
use crate::fhir::registry::{ResourceType, SearchParam};
use crate::fhir::subscription::filter::{Filter, Key};
use crate::fhir::subscription::{Definition, Kind};
use crate::store::events::sequence::Pending;
use crate::store::subscription::Subscription;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// A subscription, as far as it matters for whom an event is.
#[derive(Debug)]
pub(super) struct Watched {
    /// Logical id.
    pub(super) id: String,
    /// Rises with each change by its owner.
    pub(super) generation: i64,
    /// The access of whoever asked for it, as JSON.
    pub(super) owner: String,
    ends_us: Option<Micros>,
    older: HashSet<i64>,
    /// The code of a topic, or a type whose resources are watched.
    what: &'static str,
    filters: Vec<Filter>,
}

impl Watched {
    /// Reads a subscription.
    ///
    /// # Errors
    /// Why it can't be understood (any more).
    pub(super) fn read(stored: &Subscription) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(&stored.body).map_err(|error| error.to_string())?;
        let definition = Definition::read(&body).map_err(|issues| {
            issues.iter().map(|issue| issue.diagnostics.as_str()).collect::<Vec<_>>().join("; ")
        })?;
        let (what, filters) = match definition.kind {
            Kind::Topic { topic, filters } => (topic.code, filters),
            Kind::Classic { rtype, filter } => (rtype.name, vec![filter]),
        };
        Ok(Self {
            id: stored.id.clone(),
            generation: stored.generation,
            owner: stored.owner.clone(),
            ends_us: stored.ends_us,
            older: stored.older.iter().copied().collect(),
            what,
            filters,
        })
    }

    fn wants(&self, eid: i64, body: &Value, now: Micros) -> bool {
        self.ends_us.is_none_or(|ends| ends > now)
            && !self.older.contains(&eid)
            && self.filters.iter().all(|filter| filter.matches(body, now))
    }
}

/// Those that watch the same thing.
#[derive(Debug, Default)]
struct Watchers {
    /// By a value that what they want surely has.
    keyed: HashMap<Key, Vec<Arc<Watched>>>,
    /// The parameters of these values.
    params: BTreeSet<&'static str>,
    /// Those that ask for nothing by which they could be found.
    others: Vec<Arc<Watched>>,
}

impl Watchers {
    fn add(&mut self, watched: &Arc<Watched>) {
        // Of several filters all must hold, so any of them will do: the one with the fewest values.
        let keys = watched.filters.iter().map(Filter::keys).filter(|keys| !keys.is_empty());
        let Some(keys) = keys.min_by_key(Vec::len) else {
            self.others.push(Arc::clone(watched));
            return;
        };
        for key in keys {
            self.params.insert(key.param);
            self.keyed.entry(key).or_default().push(Arc::clone(watched));
        }
    }
}

/// All that is subscribed to, as of one change of it.
#[derive(Debug, Default)]
pub(super) struct Index {
    all: HashMap<String, Arc<Watched>>,
    watchers: HashMap<&'static str, Watchers>,
}

impl Index {
    /// Puts subscriptions in order.
    pub(super) fn new(all: impl IntoIterator<Item = Arc<Watched>>) -> Self {
        let mut index = Self::default();
        for watched in all {
            index.watchers.entry(watched.what).or_default().add(&watched);
            index.all.insert(watched.id.clone(), watched);
        }
        index
    }

    /// The subscription, if it is still in this generation.
    pub(super) fn known(&self, id: &str, generation: i64) -> Option<&Arc<Watched>> {
        self.all.get(id).filter(|watched| watched.generation == generation)
    }

    /// The subscriptions that an event is for, whoever may see it, in the order of their ids. `body` is its content.
    pub(super) fn matching(
        &self,
        Pending { eid, event }: &Pending,
        rtype: &'static ResourceType,
        body: &Value,
        now: Micros,
    ) -> Vec<&Arc<Watched>> {
        let mut values: HashMap<&'static str, Vec<String>> = HashMap::new();
        let mut found: Vec<&Arc<Watched>> = Vec::new();
        // Criteria of R4 speak of what is there; a topic may be about its end.
        let classic = (!event.is_deletion()).then_some(rtype.name);
        for what in event.topics.iter().map(String::as_str).chain(classic) {
            let Some(watchers) = self.watchers.get(what) else { continue };
            found.extend(watchers.others.iter().filter(|watched| watched.wants(*eid, body, now)));
            for param in &watchers.params {
                let Some(param) = rtype.param(param) else { continue };
                let values = values.entry(param.code).or_insert_with(|| keys(rtype, param, body));
                for value in values.iter() {
                    let key = Key { param: param.code, value: value.clone() };
                    let watched = watchers.keyed.get(&key).into_iter().flatten();
                    found.extend(watched.filter(|watched| watched.wants(*eid, body, now)));
                }
            }
        }
        found.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        found.dedup_by(|one, other| one.id == other.id);
        found
    }
}

/// The values of a resource under one parameter, as keys have them.
fn keys(rtype: &'static ResourceType, param: &'static SearchParam, body: &Value) -> Vec<String> {
    if param.column.is_some_and(|column| column.name == "id") {
        return body.get("id").and_then(Value::as_str).map(str::to_owned).into_iter().collect();
    }
    let values = values_of(rtype, param, body).into_iter().filter_map(|value| match value {
        IndexValue::Reference { target_id, .. } => Some(target_id),
        IndexValue::Token { code, .. } => Some(code),
        _ => None,
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::registry::resource_type;
    use crate::store::events::Event;
    use serde_json::json;

    fn watched(id: &str, what: &'static str, filters: &[&str]) -> Arc<Watched> {
        let filters = filters.iter().map(|text| Filter::read("", text).unwrap()).collect();
        let owner = String::new();
        Arc::new(Watched {
            id: id.to_owned(),
            generation: 1,
            owner,
            ends_us: None,
            older: [7].into(),
            what,
            filters,
        })
    }

    fn event(topics: &[&str], method: &str) -> Pending {
        let event = Event {
            seq: 1,
            rtype: "Appointment".to_owned(),
            rid: 1,
            id: "a".to_owned(),
            vid: 1,
            before_vid: None,
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            at_us: 0,
            method: method.to_owned(),
            body: None,
            before: None,
        };
        Pending { eid: 1, event }
    }

    #[test]
    fn an_event_finds_who_wants_it_and_each_of_them_once() {
        let index = Index::new([
            watched("all", "appointment-booked", &[]),
            watched("by-time", "appointment-booked", &["Appointment?date=2031"]),
            watched("patient-1", "appointment-booked", &["Appointment?patient=1,2"]),
            watched("patient-9", "appointment-booked", &["Appointment?patient=9"]),
            watched(
                "both",
                "appointment-booked",
                &["Appointment?status=booked", "Appointment?actor=Patient/1,Practitioner/2"],
            ),
            watched(
                "never",
                "appointment-booked",
                &["Appointment?patient=1", "Appointment?status=cancelled"],
            ),
            watched("classic", "Appointment", &["Appointment?_id=a"]),
            watched("other-topic", "appointment-cancelled", &[]),
            watched("other-type", "Slot", &["Slot?status=free"]),
        ]);
        let rtype = resource_type("Appointment").unwrap();
        let body = json!({ "id": "a", "status": "booked", "start": "2031-03-03T09:00:00Z", "participant": [
            { "actor": { "reference": "Patient/1" } }, { "actor": { "reference": "Patient/2" } } ] });
        let found = |event: &Pending| -> Vec<&str> {
            index.matching(event, rtype, &body, 0).iter().map(|watched| watched.id.as_str()).collect()
        };
        let booked = event(&["appointment-booked", "appointment-changed"], "POST");
        assert_eq!(found(&booked), ["all", "both", "by-time", "classic", "patient-1"]);
        let deleted = event(&["appointment-cancelled"], "DELETE");
        assert_eq!(found(&deleted), ["other-topic"]);
        assert!(found(&Pending { eid: 7, ..deleted }).is_empty(), "it was there before they were");
    }

    #[test]
    fn what_is_over_gets_nothing() {
        let mut over = Arc::try_unwrap(watched("over", "appointment-booked", &[])).unwrap();
        over.ends_us = Some(10);
        let index = Index::new([Arc::new(over)]);
        let rtype = resource_type("Appointment").unwrap();
        let booked = event(&["appointment-booked"], "POST");
        assert_eq!(index.matching(&booked, rtype, &json!({}), 9).len(), 1);
        assert_eq!(index.matching(&booked, rtype, &json!({}), 10).len(), 0);
    }
}
