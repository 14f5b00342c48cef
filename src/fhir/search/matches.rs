//! Conditions judged on a resource in memory, where no index holds it: a version of long ago, or what is about
//! to be written. The counterpart of the SQL in `store::search`.

use super::{Condition, Near, QuantityValue, ReferenceValue, StringMatch, Test, TokenValue};
use crate::clock::Micros;
use crate::fhir::date::{self, Interval, PointTest, Prefix, point_test};
use crate::fhir::extract::{IndexValue, values_of};
use crate::fhir::fold;
use crate::fhir::registry::{ParamKind, ResourceType, SearchParam};
use serde_json::Value;

/// Kilometres of a degree of latitude.
const KM_PER_DEGREE: f64 = 111.195;

/// What the resource alone says of a condition.
#[derive(Clone, Debug)]
pub enum Judged {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// It depends on other resources: on this, which only the database can tell.
    Depends(Condition),
}

impl From<bool> for Judged {
    fn from(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

/// Judges a condition on a resource of type `rt`; `now` is for `ap`.
pub fn judge(condition: &Condition, rt: &'static ResourceType, body: &Value, now: Micros) -> Judged {
    match condition {
        Condition::Param(param, test) => passes(rt, param, test, body, now).into(),
        Condition::Missing(param, missing) => {
            let present = !values_of(rt, param, body).is_empty();
            (present != *missing).into()
        }
        Condition::Chain(..) | Condition::Has(..) => Judged::Depends(condition.clone()),
        Condition::Any(ways) => {
            let ways = ways.iter().filter(|(of, _)| *of == rt).map(|(_, way)| way);
            either(ways.map(|way| judge(way, rt, body, now)))
        }
        Condition::Either(ways) => either(ways.iter().map(|way| judge(way, rt, body, now))),
        Condition::All(parts) => all(parts.iter().map(|part| judge(part, rt, body, now))),
        Condition::Not(inner) => match judge(inner, rt, body, now) {
            Judged::Holds => Judged::Fails,
            Judged::Fails => Judged::Holds,
            Judged::Depends(rest) => Judged::Depends(Condition::Not(Box::new(rest))),
        },
    }
}

/// The judgement of a disjunction.
pub fn either(ways: impl Iterator<Item = Judged>) -> Judged {
    let mut open = Vec::new();
    for way in ways {
        match way {
            Judged::Holds => return Judged::Holds,
            Judged::Fails => {}
            Judged::Depends(rest) => open.push(rest),
        }
    }
    match open.len() {
        0 => Judged::Fails,
        1 => open.pop().map_or(Judged::Fails, Judged::Depends),
        _ => Judged::Depends(Condition::Either(open)),
    }
}

/// The judgement of a conjunction.
pub fn all(parts: impl Iterator<Item = Judged>) -> Judged {
    let mut open = Vec::new();
    for part in parts {
        match part {
            Judged::Fails => return Judged::Fails,
            Judged::Holds => {}
            Judged::Depends(rest) => open.push(rest),
        }
    }
    match open.len() {
        0 => Judged::Holds,
        1 => open.pop().map_or(Judged::Holds, Judged::Depends),
        _ => Judged::Depends(Condition::All(open)),
    }
}

fn passes(
    rt: &'static ResourceType,
    param: &'static SearchParam,
    test: &Test,
    body: &Value,
    now: Micros,
) -> bool {
    if param.column.is_some_and(|column| column.name == "id") {
        return is_id(test, body);
    }
    let values = values_of(rt, param, body);
    if let Test::Token { not: true, any } = test {
        return !values.iter().any(|value| any.iter().any(|wanted| is_token(wanted, value)));
    }
    // A typed column holds the beginning of a time, not all that its precision leaves open.
    let point = param.column.is_some() && param.kind == ParamKind::Date;
    values.iter().any(|value| one_passes(test, value, point, now))
}

/// The logical id has a column of its own and keeps its case.
fn is_id(test: &Test, body: &Value) -> bool {
    let id = body.get("id").and_then(Value::as_str).unwrap_or_default();
    if let Test::Among(_, ids) = test {
        return ids.contains(id);
    }
    let Test::Token { not, any } = test else { return false };
    let own = any.iter().filter(|wanted| wanted.system.as_deref().is_none_or(str::is_empty));
    let found = own.into_iter().any(|wanted| wanted.code.as_deref().is_none_or(|code| code == id));
    found != *not
}

fn one_passes(test: &Test, value: &IndexValue, point: bool, now: Micros) -> bool {
    match (test, value) {
        (Test::Token { any, .. }, value) => any.iter().any(|wanted| is_token(wanted, value)),
        (Test::TokenText(wanted), IndexValue::Token { text, .. }) => {
            !text.is_empty() && wanted.iter().any(|start| text.starts_with(start.as_str()))
        }
        (Test::Reference(wanted), value) => wanted.iter().any(|wanted| is_reference(wanted, value)),
        (Test::ReferenceIdentifier(wanted), IndexValue::ReferenceIdentifier { system, code }) => {
            wanted.iter().any(|wanted| is_coded(wanted, system, code))
        }
        (Test::Date(wanted), IndexValue::Date(interval)) => {
            wanted.iter().any(|(prefix, search)| is_date(*prefix, *search, *interval, point, now))
        }
        (Test::String(how, wanted), IndexValue::String { value, norm }) => {
            wanted.iter().any(|wanted| is_string(*how, wanted, value, norm))
        }
        (Test::Uri(wanted), IndexValue::Uri(uri)) => wanted.contains(uri),
        (Test::Quantity(wanted), IndexValue::Quantity { value, system, code, unit }) => {
            wanted.iter().any(|wanted| is_quantity(wanted, *value, system, [code.as_str(), unit.as_str()]))
        }
        (Test::Among(rtype, ids), IndexValue::Reference { target_type, target_id }) => {
            target_type == rtype && ids.contains(target_id)
        }
        (Test::Near(wanted), IndexValue::Position { latitude, longitude }) => {
            wanted.iter().any(|place| is_near(place, *latitude, *longitude))
        }
        _ => false,
    }
}

fn is_token(wanted: &TokenValue, value: &IndexValue) -> bool {
    matches!(value, IndexValue::Token { system, code, .. } if is_coded(wanted, system, code))
}

fn is_coded(wanted: &TokenValue, system: &str, code: &str) -> bool {
    match (&wanted.system, &wanted.code) {
        (None, None) => true,
        (None, Some(wanted)) => wanted == code,
        (Some(wanted), None) => wanted == system && !code.is_empty(),
        (Some(wanted_system), Some(wanted)) => wanted_system == system && wanted == code,
    }
}

fn is_reference(wanted: &ReferenceValue, value: &IndexValue) -> bool {
    match (wanted, value) {
        (ReferenceValue::Local(types, id), IndexValue::Reference { target_type, target_id }) => {
            id == target_id && (types.is_empty() || types.contains(target_type))
        }
        (ReferenceValue::Url(wanted), IndexValue::Url(url)) => wanted == url,
        (ReferenceValue::Outside(inside), IndexValue::Reference { target_type, target_id }) => {
            !inside.iter().any(|within| match within.split_once('/') {
                None => within == target_type,
                Some((rtype, id)) => rtype == target_type && id == target_id,
            })
        }
        (ReferenceValue::Outside(_), IndexValue::Url(_)) => true,
        (ReferenceValue::Any(rtype), IndexValue::Reference { target_type, .. }) => rtype == target_type,
        _ => false,
    }
}

fn is_date(prefix: Prefix, search: Interval, value: Interval, point: bool, now: Micros) -> bool {
    if !point {
        return date::matches(prefix, search, value, now);
    }
    let at = value.lo;
    match point_test(prefix, search, now) {
        PointTest::Within(i) => at >= i.lo && at < i.hi,
        PointTest::Outside(i) => at < i.lo || at >= i.hi,
        PointTest::From(from) => at >= from,
        PointTest::Before(before) => at < before,
    }
}

fn is_string(how: StringMatch, wanted: &str, value: &str, norm: &str) -> bool {
    match how {
        StringMatch::Starts => norm.starts_with(wanted),
        StringMatch::Contains => norm.contains(wanted),
        StringMatch::Exact => norm == fold::norm(wanted) && value == wanted,
    }
}

fn is_quantity(wanted: &QuantityValue, value: f64, system: &str, units: [&str; 2]) -> bool {
    let (lo, hi) = (wanted.value - wanted.slack, wanted.value + wanted.slack);
    let compares = match wanted.prefix {
        Prefix::Eq | Prefix::Ap => value >= lo && value <= hi,
        Prefix::Ne => value < lo || value > hi,
        Prefix::Gt | Prefix::Sa => value > wanted.value,
        Prefix::Lt | Prefix::Eb => value < wanted.value,
        Prefix::Ge => value >= wanted.value,
        Prefix::Le => value <= wanted.value,
    };
    compares
        && wanted.system.as_deref().is_none_or(|wanted| wanted == system)
        && wanted.unit.as_deref().is_none_or(|wanted| units.contains(&wanted))
}

/// As the database measures: on the plane around the place.
fn is_near(place: &Near, latitude: f64, longitude: f64) -> bool {
    let high = place.distance_km / KM_PER_DEGREE;
    let shrink = place.latitude.to_radians().cos().abs().max(0.000_1);
    [place.longitude - 360.0, place.longitude, place.longitude + 360.0].into_iter().any(|middle| {
        let (north, east) = (latitude - place.latitude, (longitude - middle) * shrink);
        north * north + east * east <= high * high
    })
}

#[cfg(test)]
mod tests {
    use super::super::IdSet;
    use super::*;
    use crate::fhir::registry::resource_type;
    use crate::fhir::search::{Rules, parse};
    use serde_json::json;

    fn judged(rtype: &str, query: &str, body: &Value) -> Option<bool> {
        let rt = resource_type(rtype).unwrap();
        let rules = Rules { base: "", default_count: 1, max_count: 1 };
        let query = parse(Some(rt), query, None, &rules).unwrap();
        assert!(query.unknown.is_empty() && !query.conditions.is_empty());
        match judge(&Condition::All(query.conditions), rt, body, 0) {
            Judged::Holds => Some(true),
            Judged::Fails => Some(false),
            Judged::Depends(_) => None,
        }
    }

    #[test]
    fn a_resource_is_judged_as_the_index_would() {
        let body = json!({ "resourceType": "Appointment", "id": "Ab1", "status": "booked",
            "start": "2026-03-01T09:00:00Z", "serviceType": [{ "coding": [{ "system": "urn:s", "code": "X" }] }],
            "meta": { "lastUpdated": "2026-02-01T00:00:00Z", "tag": [{ "code": "t" }] },
            "participant": [{ "actor": { "reference": "Patient/1" } }, { "actor": { "reference": "Practitioner/2/_history/1" } }] });
        for query in [
            "status=booked",
            "status=cancelled,booked",
            "status:not=cancelled",
            "service-type=urn:s%7Cx",
            "service-type=X",
            "date=2026-03-01",
            "date=ge2026-03-01T09:00:00Z",
            "date=lt2026-03-02&date=gt2026-02-01",
            "patient=1",
            "patient=Patient/1",
            "actor=Practitioner/2",
            "practitioner=2",
            "_id=Ab1",
            "_tag=t",
            "_lastUpdated=2026-02-01",
            "reason-code:missing=true",
            "patient:missing=false",
        ] {
            assert_eq!(judged("Appointment", query, &body), Some(true), "{query}");
        }
        for query in [
            "status=cancelled",
            "status:not=booked",
            "service-type=urn:other%7Cx",
            "date=2026-03-02",
            "date=gt2026-03-01T09:00:00Z",
            "patient=2",
            "patient=Practitioner/2",
            "actor=Patient/2",
            "_id=ab1",
            "reason-code:missing=false",
            "status=cancelled&patient.name=x",
        ] {
            assert_eq!(judged("Appointment", query, &body), Some(false), "{query}");
        }
        assert_eq!(judged("Appointment", "status=booked&patient.name=x", &body), None);
    }

    #[test]
    fn what_depends_on_others_keeps_only_that() {
        let rt = resource_type("Appointment").unwrap();
        let rules = Rules { base: "", default_count: 1, max_count: 1 };
        let query = parse(Some(rt), "status=booked&patient.name=x", None, &rules).unwrap();
        let body = json!({ "status": "booked" });
        let left = judge(&Condition::All(query.conditions), rt, &body, 0);
        assert!(matches!(left, Judged::Depends(Condition::Chain(..))), "{left:?}");
    }

    #[test]
    fn what_is_outside_is_told_by_type_and_by_name() {
        let rt = resource_type("Schedule").unwrap();
        let actor = rt.param("actor").unwrap();
        let inside = vec!["Practitioner".to_owned(), "Patient/1".to_owned()];
        let outside = Condition::Param(actor, Test::Reference(vec![ReferenceValue::Outside(inside)]));
        let holds = |references: &[&str]| {
            let actors: Vec<Value> = references.iter().map(|r| json!({ "reference": r })).collect();
            matches!(judge(&outside, rt, &json!({ "actor": actors }), 0), Judged::Holds)
        };
        assert!(!holds(&["Practitioner/1", "Patient/1"]));
        for other in ["Patient/2", "PractitionerRole/1", "https://else.example/Practitioner/1"] {
            assert!(holds(&["Practitioner/1", other]), "{other}");
        }
    }

    #[test]
    fn a_set_of_ids_is_asked_of_references_and_of_the_own_id() {
        let ids = std::sync::Arc::new(IdSet::new(["1", "2"].map(str::to_owned).into()));
        let among = |rtype: &str, code: &str, body: &Value| {
            let rt = resource_type(rtype).unwrap();
            let test = Test::Among("Patient", std::sync::Arc::clone(&ids));
            matches!(judge(&Condition::Param(rt.param(code).unwrap(), test), rt, body, 0), Judged::Holds)
        };
        let refers = |to: &str| json!({ "participant": [{ "actor": { "reference": to } }] });
        assert!(among("Appointment", "actor", &refers("Patient/2")));
        assert!(among("Appointment", "actor", &refers("Patient/2/_history/3")));
        for other in ["Patient/3", "Practitioner/2", "https://else.example/Patient/2"] {
            assert!(!among("Appointment", "actor", &refers(other)), "{other}");
        }
        assert!(
            among("Patient", "_id", &json!({ "id": "1" })) && !among("Patient", "_id", &json!({ "id": "3" }))
        );
    }

    #[test]
    fn places_and_quantities_compare_as_in_the_index() {
        let place = json!({ "position": { "latitude": 52.5, "longitude": 179.99 } });
        assert_eq!(judged("Location", "near=52.5|-179.99|5|km", &place), Some(true));
        assert_eq!(judged("Location", "near=52.5|170|5|km", &place), Some(false));
        let visit = json!({ "length": { "value": 30, "unit": "min" } });
        assert_eq!(judged("Encounter", "length=gt20||min", &visit), Some(true));
        assert_eq!(judged("Encounter", "length=lt20", &visit), Some(false));
    }
}
