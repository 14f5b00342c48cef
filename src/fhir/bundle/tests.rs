use super::*;
use serde_json::json;

const BASE: &str = "http://127.0.0.1:8080/fhir";

fn transaction(entries: Value) -> Value {
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
}

fn read(entries: Value) -> Result<Vec<Entry>, Error> {
    parse(transaction(entries), BASE, 100)?.all()
}

fn expressions(error: &Error) -> Vec<&str> {
    error.issues.iter().filter_map(|issue| issue.expression.as_deref()).collect()
}

#[test]
fn entries_become_interactions() {
    let entries = read(json!([
        { "fullUrl": "urn:uuid:1", "resource": { "resourceType": "Patient" },
          "request": { "method": "POST", "url": "Patient", "ifNoneExist": "identifier=a|1" } },
        { "request": { "method": "GET", "url": format!("{BASE}/Slot?status=free") } },
        { "request": { "method": "DELETE", "url": "/Slot/x", "ifMatch": "W/\"2\"" } },
        { "resource": { "resourceType": "Parameters" }, "request": { "method": "PATCH", "url": "Slot/y" } },
        { "resource": { "resourceType": "Binary", "contentType": "application/json-patch+json",
                        "data": "W10=" }, "request": { "method": "PATCH", "url": "Slot/z" } }
    ]))
    .expect("understood");
    assert!(
        matches!(&entries[0].interaction, Interaction::Create { if_none_exist: Some(q), .. } if q == "identifier=a|1")
    );
    assert!(matches!(&entries[1].interaction, Interaction::Search(search) if search.query == "status=free"));
    assert!(
        matches!(&entries[2].interaction, Interaction::Delete(Target::Instance(_), c) if c.if_match.is_some())
    );
    assert!(matches!(entries[3].body, EntryBody::FhirPathPatch(_)));
    assert_eq!(entries[4].body, EntryBody::JsonPatch(json!([])));
}

#[test]
fn all_problems_are_reported_with_their_entry() {
    let error = read(json!([
        { "request": { "method": "GET", "url": "Slot" } },
        7,
        {},
        { "request": { "method": "BREW", "url": 7 } },
        { "request": { "method": "GET", "url": "http://other.example/fhir/Slot" } },
        { "request": { "method": "GET", "url": "Medication" } },
        { "request": { "method": "POST", "url": "Slot" } },
        { "request": { "method": "POST", "url": "" }, "resource": {} },
        { "request": { "method": "PATCH", "url": "Slot/x" }, "resource": { "resourceType": "Slot" } },
        { "fullUrl": 1, "request": { "method": "GET", "url": "Slot" } }
    ]))
    .expect_err("refused");
    assert_eq!(error.kind, Kind::BadRequest);
    assert_eq!(
        expressions(&error),
        [
            "Bundle.entry[1]",
            "Bundle.entry[2].request",
            "Bundle.entry[3].request.url",
            "Bundle.entry[3].request.method",
            "Bundle.entry[4].request.url",
            "Bundle.entry[5].request",
            "Bundle.entry[6].resource",
            "Bundle.entry[7].resource",
            "Bundle.entry[8].resource",
            "Bundle.entry[9].fullUrl",
        ]
    );
}

#[test]
fn a_bundle_is_a_batch_or_a_transaction_of_limited_size() {
    for bundle in [
        json!({ "resourceType": "Patient" }),
        json!({ "resourceType": "Bundle", "type": "searchset" }),
        json!({ "resourceType": "Bundle" }),
        json!({ "resourceType": "Bundle", "type": "batch", "entry": {} }),
    ] {
        assert_eq!(parse(bundle, BASE, 10).expect_err("refused").kind, Kind::BadRequest);
    }
    let many = transaction(Value::Array(vec![json!({}); 11]));
    assert_eq!(parse(many, BASE, 10).expect_err("refused").kind, Kind::TooLarge);
    let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": [{}, { "request": { "method": "GET", "url": "metadata" } }] });
    let batch = parse(batch, BASE, 10).expect("a batch");
    assert_eq!((batch.mode, batch.entries[0].is_err(), batch.entries[1].is_ok()), (Mode::Batch, true, true));
}

#[test]
fn nothing_is_written_twice() {
    let put =
        |id: &str| json!({ "resource": {}, "request": { "method": "PUT", "url": format!("Slot/{id}") } });
    let delete = json!({ "request": { "method": "DELETE", "url": "Slot/a" } });
    let error = read(json!([put("a"), put("b"), delete])).expect_err("refused");
    assert_eq!(expressions(&error), ["Bundle.entry[2].request"]);
    let create =
        json!({ "fullUrl": "urn:uuid:1", "resource": {}, "request": { "method": "POST", "url": "Slot" } });
    let error = read(json!([create, create])).expect_err("refused");
    assert_eq!(expressions(&error), ["Bundle.entry[1].fullUrl"]);
}

#[test]
fn references_are_rewritten_wherever_they_are() {
    let mut rewrite = Rewrite::default();
    rewrite.insert("urn:uuid:1", "Patient/p");
    rewrite.insert("http://a.example/fhir/Patient/9", "Patient/q");
    rewrite.insert("Patient?identifier=a|1", "Patient/r");
    let mut body = json!({
        "text": { "div": "<div><a href=\"urn:uuid:1\">x</a><img src=\"#i\"/><a href=\"y\"/></div>" },
        "identifier": [{ "system": "urn:ietf:rfc:3986", "value": "urn:uuid:1" }],
        "participant": [{ "actor": { "reference": "urn:uuid:1" } }, { "actor": { "reference": "Patient/9" } }],
        "extension": [{ "url": "http://a.example", "valueReference": { "reference": "Patient?identifier=a|1" } },
                      { "url": "http://a.example", "valueUri": "urn:uuid:1" }],
        "other": { "reference": "urn:uuid:2" }
    });
    assert_eq!(conditional_references(&body), ["Patient?identifier=a|1"]);
    rewrite.apply(&mut body, Some("http://a.example/fhir/Appointment/1"));
    assert_eq!(body["participant"][0]["actor"]["reference"], "Patient/p");
    assert_eq!(body["participant"][1]["actor"]["reference"], "Patient/q");
    assert_eq!(body["extension"][0]["valueReference"]["reference"], "Patient/r");
    assert_eq!(body["extension"][1]["valueUri"], "Patient/p");
    assert_eq!(body["identifier"][0]["value"], "urn:uuid:1");
    assert_eq!(body["text"]["div"], "<div><a href=\"Patient/p\">x</a><img src=\"#i\"/><a href=\"y\"/></div>");
    assert_eq!(unresolved(&body), [("urn:uuid:2".to_owned(), "other.reference".to_owned())]);
}

#[test]
fn errors_name_their_entry() {
    let named = |expression: Option<&str>, body| entry_expression(expression, 3, body);
    assert_eq!(named(Some("Appointment.start"), true), "Bundle.entry[3].resource.start");
    assert_eq!(named(Some("Appointment"), true), "Bundle.entry[3].resource");
    assert_eq!(named(Some("id"), true), "Bundle.entry[3].resource.id");
    assert_eq!(named(Some("Appointment.start"), false), "Bundle.entry[3]");
    assert_eq!(named(None, true), "Bundle.entry[3]");
    assert_eq!(named(Some("Bundle.entry[3].request"), true), "Bundle.entry[3].request");
}

#[test]
fn the_response_is_json_around_stored_bytes() {
    let entries = [
        Response {
            status: 201,
            full_url: Some(format!("{BASE}/Slot/x")),
            resource: Some(bytes::Bytes::from_static(b"{\"resourceType\":\"Slot\",\"x\":1.50}")),
            location: Some("Slot/x/_history/1".to_owned()),
            version: Some(1),
            last_modified: Some("2026-01-01T00:00:00.000Z".to_owned()),
            issues: Vec::new(),
        },
        Response { status: 404, issues: vec![Issue::error("not-found", "no \"x\"")], ..Response::default() },
    ];
    let bytes = write_response(Mode::Batch, &entries);
    assert!(String::from_utf8_lossy(&bytes).contains("{\"resourceType\":\"Slot\",\"x\":1.50}"));
    let bundle: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(bundle["type"], "batch-response");
    assert_eq!(bundle["entry"][0]["response"]["etag"], "W/\"1\"");
    assert_eq!(bundle["entry"][1]["response"]["status"], "404 Not Found");
    assert_eq!(bundle["entry"][1]["response"]["outcome"]["issue"][0]["diagnostics"], "no \"x\"");
    let empty: Value = serde_json::from_slice(&write_response(Mode::Transaction, &[])).expect("JSON");
    assert_eq!(empty, json!({ "resourceType": "Bundle", "type": "transaction-response" }));
}
