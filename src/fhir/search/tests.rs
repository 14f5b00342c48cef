use super::*;
use crate::fhir::outcome::Kind;
use crate::fhir::registry::{TYPES, resource_type};
use proptest::prelude::*;

const RULES: Rules<'static> =
    Rules { base: "https://clinic.example/fhir", default_count: 50, max_count: 1000 };

fn search(rt: &str, query: &str) -> Result<SearchQuery, crate::fhir::outcome::Error> {
    parse(resource_type(rt), query, None, &RULES)
}

fn one(rt: &str, query: &str) -> Test {
    match search(rt, query).unwrap().conditions.as_slice() {
        [Condition::Param(_, test)] => test.clone(),
        other => panic!("{query}: {other:?}"),
    }
}

fn token(system: Option<&str>, code: Option<&str>) -> TokenValue {
    TokenValue { system: system.map(str::to_owned), code: code.map(str::to_owned) }
}

fn refused(rt: &str, query: &str) {
    let error = search(rt, query).map(|q| format!("{q:?}")).unwrap_err();
    assert_eq!(error.kind, Kind::BadRequest, "{query}");
}

#[test]
fn tokens_take_system_and_code() {
    let any = |test| match test {
        Test::Token { any, .. } => any,
        other => panic!("{other:?}"),
    };
    assert_eq!(any(one("Appointment", "service-type=A")), [token(None, Some("a"))]);
    assert_eq!(any(one("Appointment", "service-type=urn:s|A")), [token(Some("urn:s"), Some("a"))]);
    assert_eq!(any(one("Appointment", "service-type=|A")), [token(Some(""), Some("a"))]);
    assert_eq!(any(one("Appointment", "service-type=urn:s|")), [token(Some("urn:s"), None)]);
    assert_eq!(any(one("Patient", "identifier=urn:s|A%5C%7Cb")), [token(Some("urn:s"), Some("A|b"))]);
    assert_eq!(
        any(one("Patient", "identifier=a%5C,b,c")),
        [token(None, Some("a,b")), token(None, Some("c"))]
    );
    assert_eq!(
        any(one("Patient", "gender=http://hl7.org/fhir/administrative-gender|male")),
        [token(Some(""), Some("male"))]
    );
    assert!(matches!(one("Slot", "status:not=busy"), Test::Token { not: true, .. }));
    refused("Slot", "status=a|b|c");
    refused("Slot", "status=|");
    refused("Slot", "status:in=http://x");
    refused("Slot", "status:nonsense=free");
}

#[test]
fn references_take_every_form() {
    let local = |types: &[&str], id: &str| {
        Test::Reference(vec![ReferenceValue::Local(
            types.iter().map(|t| (*t).to_owned()).collect(),
            id.to_owned(),
        )])
    };
    assert_eq!(one("Slot", "schedule=1"), local(&["Schedule"], "1"));
    assert_eq!(one("Slot", "schedule=Schedule/1"), local(&["Schedule"], "1"));
    assert_eq!(one("Slot", "schedule=https://clinic.example/fhir/Schedule/1"), local(&["Schedule"], "1"));
    assert_eq!(
        one("Slot", "schedule=https://else.example/Schedule/1"),
        Test::Reference(vec![ReferenceValue::Url("https://else.example/Schedule/1".into())])
    );
    assert_eq!(one("Appointment", "actor:Location=7"), local(&["Location"], "7"));
    refused("Appointment", "actor:Slot=7");
    refused("Appointment", "actor:Location=Patient/7");
    refused("Slot", "schedule=a/b/c");
}

#[test]
fn the_rest_of_the_kinds() {
    assert!(matches!(one("Slot", "start=ge2026-01-01T00:00:00+01:00"), Test::Date(v) if v.len() == 1));
    assert!(matches!(one("Patient", "name:contains=Ann,Zoë"), Test::String(StringMatch::Contains, v)
        if v == ["ann", "zoe"]));
    assert!(matches!(one("Patient", "name:exact=Ann"), Test::String(StringMatch::Exact, v) if v == ["Ann"]));
    assert!(matches!(one("Encounter", "length=gt5.40||min"), Test::Quantity(v)
        if v[0].prefix == Prefix::Gt && v[0].unit.as_deref() == Some("min") && (v[0].slack - 0.005).abs() < 1e-9));
    assert!(
        matches!(one("Location", "near=47.5|8.7|10|km"), Test::Near(v) if (v[0].distance_km - 10.0).abs() < 1e-9)
    );
    for (rt, query) in [
        ("Slot", "start=2026-02-30"),
        ("Slot", "start=soon"),
        ("Slot", "start:missing=maybe"),
        ("Encounter", "length=five"),
        ("Encounter", "length=1e999"),
        ("Location", "near=north"),
        ("Location", "near=91|0"),
        ("Patient", "name=!"),
        ("Patient", "name=%FF"),
        ("Patient", "name=%0"),
        ("Patient", "name=a%00b"),
        ("Patient", "_count=-1"),
        ("Patient", "_count=many"),
        ("Patient", "_total=some"),
        ("Patient", "_summary=yes"),
        ("Patient", "_sort=shoe-size"),
        ("Patient", "_include=Slot"),
        ("Patient", "_include=Slot:status"),
        ("Patient", "_revinclude=Nothing:x"),
        ("Patient", "_has:Appointment:patient=x"),
        ("Patient", "_has:Appointment:slot:status=booked"),
        ("Patient", "name.family=x"),
    ] {
        refused(rt, query);
    }
}

#[test]
fn chains_lead_to_every_type_that_knows_the_rest() {
    let query = search("Slot", "schedule.actor:Practitioner.name=jo").unwrap();
    let [Condition::Chain(schedule, targets)] = query.conditions.as_slice() else { panic!() };
    assert_eq!((schedule.code, targets[0].0.name), ("schedule", "Schedule"));
    assert!(matches!(&targets[0].1, Condition::Chain(actor, t) if actor.code == "actor" && t.len() == 1));
    let query = search("Appointment", "actor.name=jo").unwrap();
    let [Condition::Chain(_, targets)] = query.conditions.as_slice() else { panic!() };
    let names: Vec<&str> = targets.iter().map(|t| t.0.name).collect();
    assert_eq!(names, ["HealthcareService", "Location", "Patient", "Practitioner", "RelatedPerson"]);
    assert_eq!(search("Appointment", "patient.shoe=1").unwrap().unknown, ["patient.shoe"]);
    assert!(matches!(
        search(
            "Patient",
            "_has:Appointment:patient:_has:AppointmentResponse:appointment:part-status=accepted"
        )
        .unwrap()
        .conditions
        .as_slice(),
        [Condition::Has(..)]
    ));
    refused("Organization", "partof.partof.partof.partof.partof.name=x");
}

#[test]
fn results_are_shaped() {
    let query = search(
        "Slot",
        "_sort=-start,status&_count=9999&_include=Slot:schedule&_include:iterate=Schedule:actor",
    )
    .unwrap();
    assert_eq!((query.sort.len(), query.count, query.includes.len()), (2, 1000, 2));
    assert!(query.sort[0].descending && query.includes[1].iterate && !query.includes[0].iterate);
    assert_eq!(search("Slot", "_count=0").unwrap().summary, Summary::Count);
    let query = search("Slot", "colour=red&status=free&start=&_page=abc").unwrap();
    assert_eq!(query.unknown, ["colour"]);
    assert_eq!(query.used, [("status".to_owned(), "free".to_owned())]);
    assert_eq!(query.cursor.as_deref(), Some("abc"));
    assert!(search("Slot", &"status=free&".repeat(300)).is_err());
    assert!(search("Slot", &format!("status={}", "free,".repeat(1001))).is_err());
}

#[test]
fn compartments_and_systems() {
    let inside = |rt: &str, owner| parse(resource_type(rt), "", Some((owner, "1")), &RULES);
    assert!(
        matches!(inside("Appointment", "Patient").unwrap().conditions.as_slice(), [Condition::Any(w)] if w.len() == 1)
    );
    assert_eq!(inside("Slot", "Patient").unwrap_err().kind, Kind::NotFound);
    let query = parse(None, "_type=Slot,Patient&_lastUpdated=gt2026", None, &RULES).unwrap();
    assert_eq!((query.types.len(), query.conditions.len()), (2, 1));
    assert!(parse(None, "_type=Shoe", None, &RULES).is_err());
    assert_eq!(parse(None, "status=free", None, &RULES).unwrap().unknown, ["status"]);
}

#[test]
fn positions_are_good_for_their_own_search_only() {
    use cursor::{Key, Position, decode, encode};
    let query = search("Slot", "status=free&_sort=start").unwrap();
    let position =
        Position { keys: vec![Key::Int(7), Key::Text("x".into()), Key::Null, Key::Real(1.5)], rid: 9 };
    let text = encode(&position, &query, &[1; 32]);
    assert_eq!(decode(&text, &query, &[1; 32]), Some(position));
    assert_eq!(decode(&text, &query, &[2; 32]), None);
    assert_eq!(decode(&text, &search("Slot", "status=busy&_sort=start").unwrap(), &[1; 32]), None);
    for broken in ["", "AA", "!", &text[1..], &format!("{text}A"), &text.replacen('e', "f", 1)] {
        assert_eq!(decode(broken, &query, &[1; 32]), None, "{broken}");
    }
}

#[test]
fn every_problem_is_reported() {
    assert_eq!(search("Slot", "start=x&end=y&_count=z").unwrap_err().issues.len(), 3);
}

proptest! {
    #[test]
    fn any_query_is_taken_or_refused(which in 0..TYPES.len(), query in "\\PC{0,80}") {
        let _ = parse(TYPES.get(which), &query, None, &RULES);
    }

    #[test]
    fn any_arrangement_of_the_grammar_is_taken_or_refused(
        which in 0..TYPES.len(),
        query in "((_has:)?(Appointment:)?(patient|actor|start|status|name|_id|near)[:.]?(not|missing|Patient|name)?=(ge|ap)?[0-9a-z|,\\\\+%$-]{0,12}&){0,4}"
    ) {
        let _ = parse(TYPES.get(which), &query, None, &RULES);
    }

    #[test]
    fn what_is_escaped_comes_back(text in "[a-c,|$\\\\]{1,12}") {
        let escaped: String =
            text.chars().flat_map(|c| if ",|$\\".contains(c) { vec!['\\', c] } else { vec![c] }).collect();
        prop_assert_eq!(text::split(&escaped, ',').len(), 1);
        prop_assert_eq!(text::unescape(&escaped), text);
    }

    #[test]
    fn what_is_encoded_comes_back(name in "\\PC{1,8}", value in "\\PC{1,20}") {
        let query = format!("{}={}", text::encode(&name), text::encode(&value));
        prop_assert_eq!(text::pairs(&query).unwrap(), vec![(name, value)]);
    }
}
