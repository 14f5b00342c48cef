use super::*;
use serde_json::json;

fn patient() -> Value {
    json!({
        "resourceType": "Patient", "id": "p",
        "identifier": [
            { "system": "http://a.example", "value": "1" },
            { "system": "http://b.example", "value": "2" },
            { "system": "http://c.example", "value": "3" }
        ],
        "name": [{ "family": "Okafor", "given": ["Ada", "Chi"], "_given": [null, { "id": "g2" }] }],
        "birthDate": "1990-01-01",
        "_birthDate": { "extension": [{ "url": "http://a.example/x", "valueString": "y" }] },
        "deceasedBoolean": false,
        "contact": [{ "gender": "female" }]
    })
}

/// An operation from `(part, value[x], value)`.
fn operation(parts: &[(&str, &str, Value)]) -> Value {
    let parts: Vec<Value> =
        parts.iter().map(|(name, key, value)| json!({ "name": name, *key: value })).collect();
    json!({ "name": "operation", "part": parts })
}

fn op(kind: &str, path: &str, rest: &[(&str, &str, Value)]) -> Value {
    let mut parts = vec![("type", "valueCode", json!(kind)), ("path", "valueString", json!(path))];
    parts.extend_from_slice(rest);
    operation(&parts)
}

fn run(operations: Vec<Value>) -> Result<Value, Error> {
    apply(&patient(), &json!({ "resourceType": "Parameters", "parameter": operations }))
}

fn patched(operation: Value) -> Value {
    run(vec![operation.clone()]).unwrap_or_else(|error| panic!("{operation}: {error}"))
}

fn refused(operation: Value) -> Error {
    run(vec![operation.clone()]).expect_err(&operation.to_string())
}

fn value(key: &'static str, value: Value) -> (&'static str, &'static str, Value) {
    ("value", key, value)
}

#[test]
fn add_sets_appends_and_types_choices() {
    let name = |n: &str| ("name", "valueString", json!(n));
    let got = patched(op("add", "Patient", &[name("gender"), value("valueCode", json!("female"))]));
    assert_eq!(got["gender"], "female");
    let got = patched(op(
        "add",
        "Patient",
        &[name("identifier"), value("valueIdentifier", json!({ "value": "4" }))],
    ));
    assert_eq!(got["identifier"][3]["value"], "4");
    let got = patched(op("add", "Patient.name[0]", &[name("given"), value("valueString", json!("Eze"))]));
    assert_eq!(got["name"][0]["given"], json!(["Ada", "Chi", "Eze"]));
    assert_eq!(got["name"][0]["_given"], json!([null, { "id": "g2" }, null]));
    let got = patched(op("add", "Patient", &[name("multipleBirth"), value("valueInteger", json!(2))]));
    assert_eq!(got["multipleBirthInteger"], json!(2));
    let extension = value("valueExtension", json!({ "url": "http://a.example/z", "valueCode": "q" }));
    let got = patched(op("add", "Patient.birthDate", &[name("extension"), extension.clone()]));
    assert_eq!(got["_birthDate"]["extension"][1]["url"], "http://a.example/z");
    let got = patched(op("add", "Patient.contact[0].gender", &[name("extension"), extension.clone()]));
    assert_eq!(got["contact"][0]["_gender"]["extension"][0]["valueCode"], "q");
    let got = patched(op("add", "Patient.name.given[0]", &[name("extension"), extension]));
    assert_eq!(got["name"][0]["_given"][0]["extension"][0]["valueCode"], "q");

    for (path, n, v) in [
        ("Patient", "birthDate", value("valueDate", json!("2000-01-01"))),
        ("Patient", "deceased", value("valueDateTime", json!("2020"))),
        ("Patient", "multipleBirth", value("valueString", json!("two"))),
        ("Patient", "shoeSize", value("valueString", json!("two"))),
        ("Patient.identifier", "value", value("valueString", json!("two"))),
        ("Patient.maritalStatus", "text", value("valueString", json!("two"))),
    ] {
        let error = refused(op("add", path, &[name(n), v]));
        assert_eq!(error.kind, Kind::Unprocessable, "{n}: {error}");
        assert_eq!(error.issues[0].expression.as_deref(), Some(path));
    }
}

#[test]
fn anonymous_types_come_in_parts() {
    let parts = json!([
        { "name": "name", "valueHumanName": { "text": "a" } },
        { "name": "telecom", "valueContactPoint": { "value": "1" } },
        { "name": "telecom", "valueContactPoint": { "value": "2" } }
    ]);
    let got =
        patched(op("add", "Patient", &[("name", "valueString", json!("contact")), value("part", parts)]));
    assert_eq!(
        got["contact"][1],
        json!({ "name": { "text": "a" }, "telecom": [{ "value": "1" }, { "value": "2" }] })
    );
    let wrong = json!([
        { "name": "nope", "valueString": "a" },
        { "valueString": "a" },
        { "name": "gender", "valueCode": "male" },
        { "name": "gender", "valueCode": "male" }
    ]);
    let error =
        refused(op("add", "Patient", &[("name", "valueString", json!("contact")), value("part", wrong)]));
    let at: Vec<_> = error.issues.iter().filter_map(|i| i.expression.as_deref()).collect();
    let part = "Parameters.parameter[0].part[3].part";
    assert_eq!(at, [format!("{part}[0]"), format!("{part}[1].name"), format!("{part}[3]")]);
}

#[test]
fn replace_changes_exactly_one_element() {
    let v = |text: &str| value("valueString", json!(text));
    let got = patched(op("replace", "Patient.birthDate", &[value("valueDate", json!("2000-02-02"))]));
    assert_eq!(got["birthDate"], "2000-02-02");
    assert!(got.get("_birthDate").is_none(), "the old value's extensions go with it");
    let got = patched(op("replace", "Patient.deceased", &[value("valueDateTime", json!("2020"))]));
    assert_eq!((got.get("deceasedBoolean"), &got["deceasedDateTime"]), (None, &json!("2020")));
    for path in [
        "Patient.identifier[1].value",
        "Patient.identifier.where(system = 'http://b.example').value",
        "Patient.identifier.where(value = '2' and system.startsWith('http')).value",
        "identifier.skip(1).first().value",
        "(Patient.identifier)[1].value",
        "Patient.identifier.where(value.exists() and $index = 1).value",
    ] {
        let got = patched(op("replace", path, &[v("9")]));
        assert_eq!(got["identifier"][1]["value"], "9", "{path}");
    }
    let got = patched(op("replace", "Patient.name.given.where($this = 'Chi')", &[v("Eze")]));
    assert_eq!(got["name"][0]["given"], json!(["Ada", "Eze"]));
    let path = "Patient.birthDate.extension('http://a.example/x').value";
    let got = patched(op("replace", path, &[value("valueInteger", json!(7))]));
    assert_eq!(got["_birthDate"]["extension"][0], json!({ "url": "http://a.example/x", "valueInteger": 7 }));
    let got =
        patched(op("replace", "Patient.deceased.ofType(boolean)", &[value("valueBoolean", json!(true))]));
    assert_eq!(got["deceasedBoolean"], true);
    for path in [
        "Patient.identifier",
        "Patient.gender",
        "Patient",
        "Patient.identifier.where(value = '9')",
        "Patient.nothing",
        "Patient.deceased.ofType(dateTime)",
        "Patient.id",
    ] {
        assert_eq!(refused(op("replace", path, &[v("9")])).kind, Kind::Unprocessable, "{path}");
    }
}

#[test]
fn delete_takes_siblings_along_and_accepts_nothing() {
    let got = patched(op("delete", "Patient.birthDate", &[]));
    assert!(got.get("birthDate").is_none() && got.get("_birthDate").is_none());
    let got = patched(op("delete", "Patient.name.given[1]", &[]));
    assert_eq!(got["name"][0], json!({ "family": "Okafor", "given": ["Ada"] }));
    let got = patched(op("delete", "Patient.contact.gender", &[]));
    assert!(got.get("contact").is_none(), "no empty element stays behind");
    let got = patched(op("delete", "Patient.deceased", &[]));
    assert!(got.get("deceasedBoolean").is_none());
    assert_eq!(patched(op("delete", "Patient.gender", &[])), patient());
    assert_eq!(refused(op("delete", "Patient.identifier", &[])).kind, Kind::Unprocessable);
    assert_eq!(refused(op("delete", "Patient", &[])).kind, Kind::Unprocessable);
    assert_eq!(refused(op("delete", "Patient.id", &[])).kind, Kind::Unprocessable);
}

#[test]
fn lists_are_inserted_into_and_reordered() {
    let order = |got: &Value| -> Vec<String> {
        got["identifier"]
            .as_array()
            .unwrap()
            .iter()
            .map(|i| i["value"].as_str().unwrap().to_owned())
            .collect()
    };
    let index = |name: &'static str, n: i64| (name, "valueInteger", json!(n));
    let four = value("valueIdentifier", json!({ "value": "4" }));
    let got = patched(op("insert", "Patient.identifier", &[index("index", 1), four.clone()]));
    assert_eq!(order(&got), ["1", "4", "2", "3"]);
    let got = patched(op("insert", "Patient.identifier", &[index("index", 3), four.clone()]));
    assert_eq!(order(&got), ["1", "2", "3", "4"]);
    let got = patched(op(
        "insert",
        "Patient.telecom",
        &[index("index", 0), value("valueContactPoint", json!({ "value": "1" }))],
    ));
    assert_eq!(got["telecom"][0]["value"], "1");
    let got = patched(op("move", "Patient.identifier", &[index("source", 2), index("destination", 0)]));
    assert_eq!(order(&got), ["3", "1", "2"]);
    let got = patched(op("move", "Patient.name[0].given", &[index("source", 0), index("destination", 1)]));
    assert_eq!(got["name"][0]["given"], json!(["Chi", "Ada"]));
    assert_eq!(got["name"][0]["_given"], json!([{ "id": "g2" }, null]));
    for bad in [
        op("insert", "Patient.identifier", &[index("index", 4), four.clone()]),
        op("insert", "Patient.identifier[0]", &[index("index", 0), four.clone()]),
        op("insert", "Patient.birthDate", &[index("index", 0), four]),
        op("move", "Patient.identifier", &[index("source", 3), index("destination", 0)]),
        op("move", "Patient.identifier", &[index("source", 0), index("destination", 3)]),
    ] {
        assert_eq!(refused(bad).kind, Kind::Unprocessable);
    }
}

#[test]
fn every_malformed_operation_is_named() {
    let error = run(vec![
        op("delete", "Patient.gender", &[]),
        json!({ "name": "other" }),
        op("swap", "Patient.gender", &[]),
        op("replace", "Patient.gender", &[]),
        op("delete", "Patient.(", &[]),
        op("delete", "Patient.name | Patient.telecom", &[]),
        op("delete", "Patient.descendants()", &[]),
        op("delete", "Patient.name.where(repeat(children()).exists())", &[]),
        op(
            "insert",
            "Patient.name",
            &[("index", "valueInteger", json!(-1)), value("valueString", json!("x"))],
        ),
        operation(&[]),
    ])
    .expect_err("refused");
    assert_eq!(error.kind, Kind::BadRequest);
    for n in 1..=9 {
        let at = format!("Parameters.parameter[{n}]");
        let named = error.issues.iter().any(|i| i.expression.as_deref().is_some_and(|e| e.starts_with(&at)));
        assert!(named, "{at}: {error}");
    }
    assert_eq!(
        apply(&patient(), &json!({ "resourceType": "Patient" })).expect_err("x").kind,
        Kind::BadRequest
    );
    assert_eq!(
        apply(&patient(), &json!({ "resourceType": "Parameters" })).expect_err("x").kind,
        Kind::BadRequest
    );
}

#[test]
fn hostile_paths_are_refused_at_once() {
    for path in [
        "(".repeat(2000),
        "(".repeat(900),
        "a.".repeat(5000),
        "-".repeat(1000),
        "not ".repeat(240),
        "a.where(".repeat(100),
    ] {
        assert_eq!(refused(op("delete", &path, &[])).kind, Kind::BadRequest);
    }
    let nested = format!("Patient.name{}{}", ".where(given.exists(".repeat(6), "))".repeat(6));
    let _ = run(vec![op("delete", &nested, &[])]);
    let deep = format!("Patient{}", ".extension".repeat(90));
    assert_eq!(patched(op("delete", &deep, &[])), patient());
}

#[test]
fn nothing_changes_when_one_operation_fails() {
    let operations = vec![
        op("delete", "Patient.birthDate", &[]),
        op("replace", "Patient.gender", &[value("valueCode", json!("male"))]),
    ];
    let error = run(operations).expect_err("refused");
    assert!(error.issues[0].diagnostics.contains("operation 1"), "{error}");
}
