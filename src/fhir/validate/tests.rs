use serde_json::{Value, json};

use super::*;
use crate::fhir::parse;

fn appointment() -> Value {
    json!({
        "resourceType": "Appointment", "id": "a", "status": "booked",
        "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:30:00Z", "minutesDuration": 30,
        "slot": [{ "reference": "Slot/s" }],
        "participant": [
            { "actor": { "reference": "Patient/p" }, "status": "accepted", "required": "required" },
            { "actor": { "reference": "Practitioner/d" }, "status": "accepted" }
        ]
    })
}

fn slot() -> Value {
    json!({
        "resourceType": "Slot", "schedule": { "reference": "Schedule/s" }, "status": "free",
        "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:30:00Z"
    })
}

fn findings(body: &Value) -> Vec<(&'static str, String)> {
    let rtype = parse::resource_type(body).unwrap();
    let mut found: Vec<_> = Validator::new()
        .unwrap()
        .validate(rtype, body)
        .into_iter()
        .map(|issue| (issue.code, issue.expression.unwrap_or_default()))
        .collect();
    found.sort();
    found
}

/// Changes a body by a JSON pointer: a new value, or its removal.
fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(members), Value::Null) => {
            members.remove(key);
        }
        (Value::Object(members), value) => {
            members.insert(key.to_owned(), value);
        }
        (parent, value) => parent[key.parse::<usize>().unwrap()] = value,
    }
    body
}

fn expect(body: Value, expected: &[(&str, &str)]) {
    let found = findings(&body);
    let found: Vec<(&str, &str)> = found.iter().map(|(code, at)| (*code, at.as_str())).collect();
    assert_eq!(found, expected, "{body}");
}

#[test]
fn sound_bodies_have_no_findings() {
    expect(appointment(), &[]);
    expect(slot(), &[]);
}

#[test]
fn structure_is_checked_with_paths() {
    expect(with(appointment(), "/nonsense", json!(1)), &[("structure", "Appointment.nonsense")]);
    expect(
        with(appointment(), "/participant/0/status", Value::Null),
        &[("required", "Appointment.participant[0].status")],
    );
    expect(
        with(appointment(), "/participant", json!([])),
        &[("required", "Appointment.participant"), ("structure", "Appointment.participant")],
    );
    expect(with(slot(), "/start", json!("yesterday")), &[("value", "Slot.start")]);
    expect(with(slot(), "/start", json!("2026-03-02T08:00:00")), &[("value", "Slot.start")]);
    expect(with(slot(), "/overbooked", json!("no")), &[("structure", "Slot.overbooked")]);
    expect(with(slot(), "/fhir_comments", json!(["x"])), &[("structure", "Slot.fhir_comments")]);
    expect(with(slot(), "/comment", json!("")), &[("value", "Slot.comment")]);
    expect(
        with(appointment(), "/minutesDuration", json!(0)),
        &[("invariant", "Appointment.minutesDuration"), ("value", "Appointment.minutesDuration")],
    );
}

#[test]
fn a_type_that_lies_is_refused() {
    let issues = Validator::new().unwrap().validate("Slot", &appointment());
    assert_eq!(issues.len(), 1);
    assert_eq!(issues[0].expression.as_deref(), Some("Slot.resourceType"));
}

#[test]
fn the_calendar_and_ids_are_checked() {
    expect(with(slot(), "/start", json!("2026-02-30T09:00:00Z")), &[("value", "Slot.start")]);
    expect(with(slot(), "/id", json!("a b")), &[("value", "Slot.id")]);
    expect(with(slot(), "/id", json!("a".repeat(65))), &[("value", "Slot.id")]);
    expect(with(slot(), "/comment", json!(" \n")), &[("value", "Slot.comment")]);
    expect(
        json!({"resourceType": "Patient", "birthDate": "2025-02-29", "name": [{"period": {"start": "2025-13"}}]}),
        &[("value", "Patient.birthDate"), ("value", "Patient.name[0].period.start")],
    );
}

#[test]
fn required_bindings_are_checked_on_elements_and_datatypes() {
    expect(with(slot(), "/status", json!("open")), &[("code-invalid", "Slot.status")]);
    expect(
        with(appointment(), "/participant/1/status", json!("maybe")),
        &[("code-invalid", "Appointment.participant[1].status")],
    );
    expect(
        json!({"resourceType": "Patient", "gender": "f", "name": [{"use": "pet"}],
            "telecom": [{"system": "pigeon", "value": "x", "use": "home"}], "link": [{"other": {"reference": "Patient/1"}, "type": "twin"}],
            "contact": [{"gender": "m", "name": {"text": "x"}}]}),
        &[
            ("code-invalid", "Patient.contact[0].gender"),
            ("code-invalid", "Patient.gender"),
            ("code-invalid", "Patient.link[0].type"),
            ("code-invalid", "Patient.name[0].use"),
            ("code-invalid", "Patient.telecom[0].system"),
        ],
    );
    expect(
        json!({"resourceType": "PractitionerRole", "availableTime": [{"daysOfWeek": ["mon", "funday"]}]}),
        &[("code-invalid", "PractitionerRole.availableTime[0].daysOfWeek[1]")],
    );
}

#[test]
fn appointments_keep_their_invariants() {
    let actorless = with(appointment(), "/participant/0", json!({"status": "accepted"}));
    expect(actorless, &[("invariant", "Appointment.participant[0]")]);
    let endless = with(appointment(), "/end", Value::Null);
    expect(endless, &[("invariant", "Appointment"), ("invariant", "Appointment")]);
    let reason = json!({"text": "ill"});
    let booked = with(appointment(), "/cancelationReason", reason.clone());
    expect(booked, &[("invariant", "Appointment.cancelationReason")]);
    for status in ["cancelled", "noshow"] {
        let gone = with(with(appointment(), "/cancelationReason", reason.clone()), "/status", json!(status));
        expect(gone, &[]);
    }
    let backwards = with(appointment(), "/end", json!("2026-03-02T08:30:00Z"));
    let found = findings(&backwards);
    assert!(found.contains(&("invariant", "Appointment.end".to_owned())), "{found:?}");
    let empty = with(slot(), "/end", json!("2026-03-02T10:00:00+01:00"));
    expect(empty, &[("invariant", "Slot.end")]);
}

#[test]
fn minutes_that_differ_from_the_span_are_a_warning() {
    let body = with(appointment(), "/minutesDuration", json!(20));
    let issues = Validator::new().unwrap().validate("Appointment", &body);
    assert_eq!(issues.len(), 1);
    assert!(!issues[0].is_error());
}

#[test]
fn datatypes_keep_their_invariants_wherever_they_are() {
    expect(
        with(
            slot(),
            "/extension",
            json!([{"url": "http://x.test"}, {"url": "http://y.test", "valuePeriod": {"start": "2026", "end": "2025"}}]),
        ),
        &[("invariant", "Slot.extension[0]"), ("invariant", "Slot.extension[1].value")],
    );
    expect(with(slot(), "/identifier", json!([{}])), &[("invariant", "Slot.identifier[0]")]);
    expect(
        json!({"resourceType": "Patient", "telecom": [{"value": "1"}], "contact": [{"gender": "male"}]}),
        &[("invariant", "Patient.contact[0]"), ("invariant", "Patient.telecom[0]")],
    );
    expect(
        json!({"resourceType": "Organization", "telecom": [{"system": "phone", "value": "1", "use": "home"}]}),
        &[("invariant", "Organization"), ("invariant", "Organization.telecom")],
    );
}

#[test]
fn references_name_what_may_stand_there() {
    expect(with(slot(), "/schedule/reference", json!("Patient/1")), &[("value", "Slot.schedule")]);
    expect(with(slot(), "/schedule/reference", json!("Schedule")), &[("value", "Slot.schedule.reference")]);
    expect(with(slot(), "/schedule/type", json!("Slot")), &[("value", "Slot.schedule.type")]);
    expect(with(slot(), "/schedule/reference", json!("#x")), &[("invariant", "Slot.schedule.reference")]);
    expect(with(slot(), "/schedule/reference", json!("urn:uuid:2f1b52a5-7a4e-4ce2-b5ec-0cbb0b2d4d3f")), &[]);
    expect(with(slot(), "/schedule/reference", json!("https://other.test/Schedule/1")), &[]);
    expect(
        with(appointment(), "/participant/0/actor/reference", json!("Slot/1")),
        &[("value", "Appointment.participant[0].actor")],
    );
}

#[test]
fn contained_resources_keep_their_rules() {
    let schedule = json!({"resourceType": "Schedule", "id": "x", "actor": [{"reference": "Device/1"}]});
    let inside = with(with(slot(), "/schedule/reference", json!("#x")), "/contained", json!([schedule]));
    expect(inside.clone(), &[]);
    expect(
        with(inside.clone(), "/schedule/reference", json!("Schedule/1")),
        &[("invariant", "Slot.contained[0]")],
    );
    expect(
        with(inside.clone(), "/contained/0/meta", json!({"versionId": "1"})),
        &[("invariant", "Slot.contained[0].meta")],
    );
    expect(
        with(inside.clone(), "/contained/0/contained", json!([{}])),
        &[("invariant", "Slot.contained[0].contained")],
    );
    expect(
        with(inside, "/contained/0/actor/0/reference", json!("Slot/1")),
        &[("value", "Slot.contained[0].actor[0]")],
    );
}

#[test]
fn narrative_is_checked() {
    let text = |div: &str| json!({"status": "generated", "div": div});
    let good = "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>";
    expect(with(slot(), "/text", text(good)), &[]);
    expect(with(slot(), "/text", text(&good.replace('x', "<script/>"))), &[("invariant", "Slot.text.div")]);
}

#[test]
fn our_profiles_are_checked() {
    let capacity = |value: Value| json!({"url": "http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity", "valueInteger": value});
    expect(with(slot(), "/extension", json!([capacity(json!(8))])), &[]);
    expect(with(slot(), "/extension", json!([capacity(json!(0))])), &[("value", "Slot.extension[0].value")]);
    expect(
        with(slot(), "/extension", json!([capacity(json!(8)), capacity(json!(9))])),
        &[("value", "Slot.extension")],
    );
    let wrong = json!({"url": "http://hl7.org/fhir/uv/smart-scheduling-links/StructureDefinition/slot-capacity", "valueString": "8"});
    expect(with(slot(), "/extension", json!([wrong])), &[("value", "Slot.extension[0]")]);
    let held = |key: &str| json!([{"url": "https://slotwright.org/fhir/StructureDefinition/held-until", key: "2026-03-02T09:00:00Z"}]);
    expect(with(appointment(), "/extension", held("valueInstant")), &[]);
    expect(
        with(appointment(), "/extension", held("valueDateTime")),
        &[("value", "Appointment.extension[0]")],
    );
}

#[test]
fn our_definitions_are_sound() {
    let validator = Validator::new().unwrap();
    for (rtype, id, text) in definitions() {
        let body = parse::json(text.as_bytes()).unwrap();
        assert_eq!(body.get("id").and_then(Value::as_str), Some(*id));
        assert_eq!(validator.validate(rtype, &body), [], "{id}");
    }
}

#[test]
fn a_hostile_body_is_not_looked_at_for_long() {
    let validator = Validator::new().unwrap();
    let keys = (0..50_000).map(|n| format!(r#","k{n}":1"#)).collect::<Vec<_>>().concat();
    let items = "{},".repeat(200_000) + "{}";
    let contained = r#"{"resourceType":"Basic","id":"x"},"#.repeat(20_000) + "{}";
    for hostile in [
        format!(r#"{{"resourceType":"Slot"{keys}}}"#),
        format!(r#"{{"resourceType":"Slot","extension":[{items}]}}"#),
        format!(r#"{{"resourceType":"Slot","contained":[{contained}]}}"#),
    ] {
        let issues = validator.validate("Slot", &parse::json(hostile.as_bytes()).unwrap());
        assert_eq!(issues.iter().map(|issue| issue.code).collect::<Vec<_>>(), ["too-costly"]);
    }
    let many = format!(r#"{{"resourceType":"Slot","extension":[{}{{}}]}}"#, "{},".repeat(20_000));
    assert_eq!(validator.validate("Slot", &parse::json(many.as_bytes()).unwrap()).len(), 501);
}

/// A Slot whose extensions nest `levels` deep.
fn nested(levels: usize) -> String {
    let mut text = String::from(r#"{"resourceType":"Slot","extension":["#);
    text.push_str(&r#"{"url":"x","extension":["#.repeat(levels));
    text.push_str(r#"{"url":"x","valueString":"y"}"#);
    text.push_str(&"]}".repeat(levels));
    text.push_str("]}");
    text
}

#[test]
fn deep_bodies_are_judged_on_a_small_stack() {
    for (levels, expected) in [(10, "schedule, status, start and end are missing"), (60, "too deep")] {
        let text = nested(levels);
        let judge = move || {
            let body = parse::json(text.as_bytes()).unwrap();
            let found = Validator::new().unwrap().validate("Slot", &body).len();
            let xml = crate::fhir::xml::to_xml(text.as_bytes()).unwrap();
            assert!(crate::fhir::xml::from_xml(&xml).is_ok());
            found
        };
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(judge).unwrap();
        assert_eq!(thread.join().unwrap(), if levels == 60 { 1 } else { 4 }, "{expected}");
    }
}

#[test]
fn a_list_holds_no_empty_list() {
    let validator = Validator::new().unwrap();
    for body in [
        json!({ "resourceType": "HealthcareService", "availableTime": [[], { "allDay": true }] }),
        json!({ "resourceType": "HealthcareService", "availableTime": [{ "daysOfWeek": [] }] }),
        json!({ "resourceType": "HealthcareService", "availableTime": [] }),
        json!({ "resourceType": "HealthcareService", "availableTime": [{ "daysOfWeek": [[]] }] }),
    ] {
        assert!(validator.validate("HealthcareService", &body).iter().any(Issue::is_error), "{body}");
    }
}
