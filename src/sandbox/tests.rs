use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};
use serde_json::Value;

use super::clinic;

/// The clocks of New York go back on 2026-11-01.
const BEFORE_CHANGE: Date = date(2026, 10, 20);

fn text<'a>(resource: &'a Value, key: &str) -> &'a str {
    resource.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn of_type<'a>(all: &'a [Value], rtype: &str) -> Vec<&'a Value> {
    all.iter().filter(|r| text(r, "resourceType") == rtype).collect()
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("reference").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|v| references(v, found));
        }
        Value::Array(list) => list.iter().for_each(|v| references(v, found)),
        _ => {}
    }
}

#[test]
fn the_same_day_gives_the_same_clinic() {
    assert_eq!(clinic(BEFORE_CHANGE).unwrap(), clinic(BEFORE_CHANGE).unwrap());
}

#[test]
fn has_what_the_readme_promises() {
    let all = clinic(BEFORE_CHANGE).unwrap();
    let mut counts = BTreeMap::<&str, usize>::new();
    for resource in &all {
        *counts.entry(text(resource, "resourceType")).or_default() += 1;
    }
    let sites = of_type(&all, "Location").iter().filter(|l| l.get("partOf").is_none()).count();
    assert_eq!(sites, 3);
    assert_eq!(counts["Patient"], 200);
    assert_eq!(counts["Practitioner"], 12);
    assert_eq!(counts["PractitionerRole"], 12);
    assert_eq!(counts["HealthcareService"], 9);
    assert_eq!(counts["Schedule"], 19);
    assert!(counts["Slot"] > 3_000, "{counts:?}");
    assert!(counts["Appointment"] > 200, "{counts:?}");
    assert!(counts["RelatedPerson"] > 20, "{counts:?}");
    assert!(counts["Coverage"] > 150, "{counts:?}");
    for rt in crate::fhir::registry::TYPES {
        let made_by_use = [
            "AppointmentResponse",
            "Communication",
            "Consent",
            "Encounter",
            "Provenance",
            "ServiceRequest",
            "Group",
            "Subscription",
        ];
        assert!(counts.contains_key(rt.name) != made_by_use.contains(&rt.name), "{}: {counts:?}", rt.name);
    }
}

#[test]
fn everything_comes_after_what_it_refers_to_and_ids_are_unique_and_valid() {
    let mut known = BTreeSet::new();
    for resource in clinic(BEFORE_CHANGE).unwrap() {
        let mut wanted = Vec::new();
        references(&resource, &mut wanted);
        for reference in wanted {
            assert!(known.contains(&reference), "{reference} is not there before {}", text(&resource, "id"));
        }
        let id = text(&resource, "id");
        assert!(id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{id}");
        assert!(known.insert(format!("{}/{id}", text(&resource, "resourceType"))), "{id} twice");
    }
}

#[test]
fn nine_o_clock_stays_nine_o_clock_across_the_clock_change() {
    let all = clinic(BEFORE_CHANGE).unwrap();
    let start = |id: &str| {
        let slot = all.iter().find(|r| text(r, "id") == id).unwrap_or_else(|| panic!("no {id}"));
        text(slot, "start").to_owned()
    };
    assert_eq!(start("slot-okafor-20261031-0900"), "2026-10-31T09:00:00-04:00");
    assert_eq!(start("slot-okafor-20261101-0900"), "2026-11-01T09:00:00-05:00");
    assert_eq!(start("slot-okafor-20261116-0900"), "2026-11-16T09:00:00-05:00");
}

#[test]
fn no_actor_is_in_two_slots_at_once_and_no_seat_is_taken_twice() {
    let all = clinic(BEFORE_CHANGE).unwrap();
    let schedules: BTreeMap<String, &Value> =
        of_type(&all, "Schedule").into_iter().map(|s| (format!("Schedule/{}", text(s, "id")), s)).collect();
    let mut busy = BTreeMap::<String, Vec<(jiff::Timestamp, jiff::Timestamp)>>::new();
    let mut capacity = BTreeMap::new();
    for slot in of_type(&all, "Slot") {
        let span = (text(slot, "start").parse().unwrap(), text(slot, "end").parse().unwrap());
        let schedule = schedules[text(&slot["schedule"], "reference")];
        for actor in schedule["actor"].as_array().unwrap() {
            busy.entry(text(actor, "reference").to_owned()).or_default().push(span);
        }
        let seats = slot.pointer("/extension/0/valueInteger").and_then(Value::as_i64).unwrap_or(1);
        capacity.insert(format!("Slot/{}", text(slot, "id")), seats);
    }
    for (actor, mut spans) in busy {
        spans.sort();
        assert!(spans.windows(2).all(|w| w[0].1 <= w[1].0), "{actor} overlaps");
    }
    for appointment in of_type(&all, "Appointment") {
        let slot = text(&appointment["slot"][0], "reference");
        let left = capacity.get_mut(slot).unwrap();
        *left -= 1;
        assert!(*left >= 0, "{slot} is full");
    }
}

#[test]
fn every_resource_is_valid() {
    let validator = crate::fhir::validate::Validator::new().unwrap();
    for resource in clinic(BEFORE_CHANGE).unwrap() {
        let issues = validator.validate(text(&resource, "resourceType"), &resource);
        assert!(issues.is_empty(), "{issues:?} in {resource}");
    }
}
