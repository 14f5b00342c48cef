use super::*;

fn ask(method: &str, path: &str, query: &str) -> Result<Interaction, u16> {
    parse(&Incoming { method, path, query, ..Incoming::default() }).map_err(|e| e.kind.status())
}

fn rtype(name: &str) -> &'static ResourceType {
    resource_type(name).expect("a served type")
}

fn at(name: &str, id: &str) -> Instance {
    Instance { rtype: rtype(name), id: id.to_owned() }
}

fn found(name: Option<&str>, compartment: Option<(&str, &str)>, query: &str) -> Interaction {
    Interaction::Search(Search {
        rtype: name.map(rtype),
        compartment: compartment.map(|(t, i)| (t.to_owned(), i.to_owned())),
        query: query.to_owned(),
    })
}

fn history(name: Option<&str>, id: Option<&str>, query: &str) -> Interaction {
    Interaction::History { rtype: name.map(rtype), id: id.map(str::to_owned), query: query.to_owned() }
}

fn operation_of(name: &str, of: Option<&str>, id: Option<&str>) -> Interaction {
    Interaction::Operation {
        name: name.to_owned(),
        rtype: of.map(rtype),
        id: id.map(str::to_owned),
        query: String::new(),
    }
}

#[test]
fn every_interaction_has_its_path() {
    let none = WriteConditions::default();
    let by_id = || Target::Instance(at("Slot", "x"));
    let by_query = || Target::Matching(rtype("Slot"), "status=free".to_owned());
    let table = [
        ("GET", "metadata", "mode=full", Interaction::Capabilities),
        ("HEAD", "metadata", "", Interaction::Capabilities),
        ("GET", "", "_type=Slot", found(None, None, "_type=Slot")),
        ("POST", "", "", Interaction::Bundle),
        ("POST", "_search", "_type=Slot", found(None, None, "_type=Slot")),
        ("GET", "_history", "_count=2", history(None, None, "_count=2")),
        ("GET", "Slot", "status=free", found(Some("Slot"), None, "status=free")),
        ("GET", "Slot/", "", found(Some("Slot"), None, "")),
        ("POST", "Slot/_search", "status=free", found(Some("Slot"), None, "status=free")),
        ("GET", "Slot/_history", "", history(Some("Slot"), None, "")),
        ("GET", "Slot/x", "", Interaction::Read(at("Slot", "x"), ReadConditions::default())),
        ("HEAD", "Slot/x", "", Interaction::Read(at("Slot", "x"), ReadConditions::default())),
        ("GET", "Slot/x/_history", "_since=2026", history(Some("Slot"), Some("x"), "_since=2026")),
        ("GET", "Slot/x/_history/2", "", Interaction::VersionRead(at("Slot", "x"), "2".to_owned())),
        ("POST", "Slot", "_format=json", Interaction::Create { rtype: rtype("Slot"), if_none_exist: None }),
        ("PUT", "Slot/x", "_pretty=true", Interaction::Update(by_id(), none.clone())),
        ("PUT", "Slot", "_format=json&status=free", Interaction::Update(by_query(), none.clone())),
        ("PATCH", "Slot/x", "", Interaction::Patch(by_id(), none.clone())),
        ("PATCH", "Slot", "status=free", Interaction::Patch(by_query(), none.clone())),
        ("DELETE", "Slot/x", "", Interaction::Delete(by_id(), none.clone())),
        ("DELETE", "Slot", "status=free&_pretty=true", Interaction::Delete(by_query(), none.clone())),
        ("POST", "$op", "", operation_of("op", None, None)),
        ("POST", "Slot/$validate", "", operation_of("validate", Some("Slot"), None)),
        ("GET", "Patient/p/$everything", "", operation_of("everything", Some("Patient"), Some("p"))),
        ("GET", "Patient/p/Appointment", "", found(Some("Appointment"), Some(("Patient", "p")), "")),
        ("GET", "Practitioner/d/Schedule", "", found(Some("Schedule"), Some(("Practitioner", "d")), "")),
        ("GET", "Patient/p/*", "", found(None, Some(("Patient", "p")), "")),
        ("GET", "Patient/p/%2A", "", found(None, Some(("Patient", "p")), "")),
        (
            "POST",
            "Patient/p/Appointment/_search",
            "status=booked",
            found(Some("Appointment"), Some(("Patient", "p")), "status=booked"),
        ),
    ];
    for (method, path, query, expected) in table {
        assert_eq!(ask(method, path, query), Ok(expected), "{method} {path}?{query}");
    }
}

#[test]
fn what_is_not_offered_is_refused() {
    let table = [
        ("GET", "Medication", "", 404),
        ("GET", "slot", "", 404),
        ("GET", "Slot/x/y/z/w", "", 404),
        ("GET", "Slot//x", "", 400),
        ("GET", "Organization/o/Appointment", "", 404),
        ("GET", "Patient/p/Organization", "", 404),
        ("GET", "Slot/x_y", "", 400),
        ("GET", "Slot/x%2Fy", "", 400),
        ("GET", "Slot/%FF", "", 400),
        ("GET", "%C3%28", "", 400),
        ("GET", "Slot/x/_history/%20", "", 400),
        ("PUT", "Slot", "", 400),
        ("DELETE", "Slot", "_format=json", 400),
        ("POST", "Slot/x", "", 405),
        ("DELETE", "metadata", "", 405),
        ("GET", "Slot/_search", "", 405),
        ("PUT", "Slot/x/_history/2", "", 405),
        ("BREW", "Slot", "", 405),
        ("PUT", "", "", 405),
    ];
    for (method, path, query, status) in table {
        assert_eq!(ask(method, path, query), Err(status), "{method} {path}?{query}");
    }
    assert_eq!(ask("GET", &format!("Slot/{}", "a".repeat(65)), ""), Err(400));
}

#[test]
fn conditions_travel_with_the_interaction() {
    let request = Incoming {
        method: "PUT",
        path: "Slot/x",
        if_match: Some("W/\"3\""),
        if_none_match: Some("*"),
        ..Incoming::default()
    };
    let Ok(Interaction::Update(_, conditions)) = parse(&request) else { panic!("an update") };
    assert_eq!(conditions.if_match.as_deref(), Some("W/\"3\""));
    assert_eq!(conditions.if_none_match.as_deref(), Some("*"));
    let request = Incoming { method: "GET", if_modified_since: Some("then"), ..request };
    let Ok(Interaction::Read(_, conditions)) = parse(&request) else { panic!("a read") };
    assert_eq!(conditions.if_modified_since.as_deref(), Some("then"));
}

#[test]
fn if_none_exist_is_a_query_of_the_same_type() {
    let create = |text| {
        parse(&Incoming { method: "POST", path: "Slot", if_none_exist: Some(text), ..Incoming::default() })
            .map_err(|e| e.kind.status())
    };
    for text in ["identifier=a|1", "?identifier=a|1", "Slot?identifier=a|1", " identifier=a|1 "] {
        let Ok(Interaction::Create { if_none_exist, .. }) = create(text) else { panic!("{text}") };
        assert_eq!(if_none_exist.as_deref(), Some("identifier=a|1"));
    }
    assert_eq!(create("Patient?identifier=a|1"), Err(400));
    assert_eq!(create(""), Err(400));
}

#[test]
fn the_allow_header_lists_what_parse_accepts() {
    for path in ["", "metadata", "Slot", "Slot/x", "Slot/x/_history", "Slot/_search", "Patient/p/*"] {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
            let offered = ask(method, path, "status=free") != Err(405);
            assert_eq!(allowed(path).contains(&method), offered, "{method} {path}");
        }
    }
    assert!(allowed("Medication").is_empty());
}

proptest::proptest! {
    #[test]
    fn any_path_is_answered(method in "GET|PUT|[A-Z]{0,6}", path in "(Slot|Patient|[$_a-z*]{0,4}|%[0-9A-F]{2}|/){0,6}|\\PC{0,20}") {
        let _ = ask(&method, &path, "");
    }
}
