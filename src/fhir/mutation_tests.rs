//! Random damage to sound bodies: nothing panics, and what is still sound survives XML.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::validate::Validator;
use super::{parse, xml};

const BODIES: &[&str] = &[
    r##"{"resourceType":"Appointment","id":"a","meta":{"tag":[{"system":"http://x.test","code":"t"}]},
    "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a <b>b</b></div>"},
    "contained":[{"resourceType":"Practitioner","id":"d","name":[{"family":"D","given":["X",null],
      "_given":[null,{"extension":[{"url":"http://x.test/n","valueString":"y"}]}]}]}],
    "extension":[{"url":"https://slotwright.org/fhir/StructureDefinition/held-until","valueInstant":"2026-03-02T08:00:00Z"}],
    "status":"booked","priority":5,"start":"2026-03-02T09:00:00Z","_start":{"id":"s"},"end":"2026-03-02T09:30:00.000+00:00",
    "minutesDuration":30,"slot":[{"reference":"Slot/s"}],"requestedPeriod":[{"start":"2026-03","end":"2026-04-01"}],
    "participant":[{"type":[{"coding":[{"code":"ATND"}],"text":"x"}],"actor":{"reference":"#d"},"required":"required","status":"accepted"},
      {"actor":{"reference":"Patient/p","display":"P"},"status":"needs-action"}]}"##,
    r#"{"resourceType":"Slot","id":"s","extension":[{"url":"http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity",
      "valueInteger":8},{"url":"http://x.test/d","valueDecimal":1.50}],"schedule":{"reference":"Schedule/x"},"status":"free",
      "start":"2026-03-02T09:00:00Z","end":"2026-03-02T10:00:00Z","overbooked":false,"_overbooked":{"id":"o"},"comment":"a\nb"}"#,
    r#"{"resourceType":"HealthcareService","active":true,"telecom":[{"system":"phone","value":"1","rank":1}],
      "availableTime":[{"daysOfWeek":["mon","tue"],"allDay":true},{"availableStartTime":"08:00:00","availableEndTime":"12:00:00"}],
      "notAvailable":[{"description":"x","during":{"start":"2026-12-24","end":"2026-12-26"}}],
      "eligibility":[{"code":{"text":"x"},"comment":"**y**"}]}"#,
];

/// Every place inside a body.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut inner = |key: String, value: &Value| {
        found.push(key.clone());
        pointers(value, &key, found);
    };
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                inner(format!("{at}/{key}"), value);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                inner(format!("{at}/{index}"), value);
            }
        }
        _ => {}
    }
}

#[derive(Clone, Debug)]
enum Damage {
    Replace(Value),
    Remove,
    Twin,
    Copy(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let odd = select(vec![
        json!(null),
        json!([]),
        json!({}),
        json!([null]),
        json!([[]]),
        json!(""),
        json!(" "),
        json!("x"),
        json!("2026-02-30"),
        json!("#d"),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(99_999_999_999_i64),
        json!({"x": 1}),
        json!([{"y": null}]),
        json!({"resourceType": "Slot"}),
        json!({"resourceType": 1}),
        json!({"id": "x"}),
        json!("<div/>"),
        json!("\u{1}"),
        json!({"reference": "Slot/1"}),
        json!({"extension": [{"url": "http://x.test", "valueBoolean": true}]}),
    ]);
    prop_oneof![
        odd.prop_map(Damage::Replace),
        Just(Damage::Remove),
        Just(Damage::Twin),
        any::<Index>().prop_map(Damage::Copy)
    ]
}

fn apply(body: &mut Value, place: Index, damage: Damage) {
    let mut places = Vec::new();
    pointers(body, "", &mut places);
    if places.is_empty() {
        return;
    }
    let place = place.get(&places).clone();
    let (parent, key) = place.rsplit_once('/').unwrap();
    let copied = match &damage {
        Damage::Copy(from) => body.pointer(&places[from.index(places.len())]).cloned(),
        _ => None,
    };
    match (body.pointer_mut(parent).unwrap(), damage) {
        (Value::Object(members), Damage::Remove) => drop(members.remove(key)),
        (Value::Array(items), Damage::Remove) => drop(items.remove(key.parse().unwrap())),
        (Value::Object(members), Damage::Twin) => {
            let value = members.remove(key).unwrap();
            members.insert(format!("_{key}"), value);
        }
        (parent, Damage::Replace(value)) => set(parent, key, value),
        (parent, Damage::Copy(_)) => set(parent, key, copied.unwrap()),
        _ => {}
    }
}

fn set(parent: &mut Value, key: &str, value: Value) {
    match parent {
        Value::Object(members) => drop(members.insert(key.to_owned(), value)),
        parent => parent[key.parse::<usize>().unwrap()] = value,
    }
}

thread_local! {
    static VALIDATOR: Validator = Validator::new().unwrap();
}

fn is_sound(rtype: &str, body: &Value) -> bool {
    VALIDATOR.with(|validator| !validator.validate(rtype, body).iter().any(super::outcome::Issue::is_error))
}

#[test]
fn the_undamaged_bodies_are_sound() {
    for text in BODIES {
        let body = parse::json(text.as_bytes()).unwrap();
        let rtype = parse::resource_type(&body).unwrap();
        assert_eq!(Validator::new().unwrap().validate(rtype, &body), [], "{rtype}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn damaged_json_is_judged_and_what_is_sound_survives_xml(
        text in select(BODIES.to_vec()),
        damages in prop::collection::vec((any::<Index>(), damage()), 1..4),
    ) {
        let mut body = parse::json(text.as_bytes()).unwrap();
        let rtype = parse::resource_type(&body).unwrap().to_owned();
        for (place, damage) in damages {
            apply(&mut body, place, damage);
        }
        let written = body.to_string();
        let Ok(body) = parse::json(written.as_bytes()) else { return Ok(()) };
        let sound = is_sound(&rtype, &body);
        let back = xml::to_xml(written.as_bytes()).and_then(|text| xml::from_xml(&text));
        if sound {
            prop_assert_eq!(back.unwrap(), body);
        }
    }

    #[test]
    fn damaged_text_never_panics(
        text in select(BODIES.to_vec()),
        as_xml in any::<bool>(),
        bytes in prop::collection::vec((any::<Index>(), prop_oneof![any::<u8>(), select(b"<>/\"&;{}[]:,_ ".to_vec())]), 1..6),
        cut in any::<Index>(),
        whole in any::<bool>(),
    ) {
        let mut damaged = if as_xml { xml::to_xml(text.as_bytes()).unwrap() } else { text.as_bytes().to_vec() };
        for (place, byte) in bytes {
            let at = place.index(damaged.len());
            damaged[at] = byte;
        }
        if !whole {
            damaged.truncate(cut.index(damaged.len()));
        }
        let read = if as_xml { xml::from_xml(&damaged) } else { parse::json(&damaged) };
        if let Ok(body) = read
            && let Ok(rtype) = parse::resource_type(&body)
            && is_sound(rtype, &body)
        {
            let back = xml::to_xml(body.to_string().as_bytes()).and_then(|text| xml::from_xml(&text));
            prop_assert_eq!(back.unwrap(), body);
        }
    }
}
