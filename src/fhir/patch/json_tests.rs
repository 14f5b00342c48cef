use super::*;
use serde_json::json;

fn slot() -> Value {
    json!({
        "resourceType": "Slot", "id": "s", "status": "free", "overbooked": false,
        "specialty": [{ "text": "a" }, { "text": "b" }], "comment": "x"
    })
}

fn refusal(document: Value) -> Error {
    apply(&slot(), &document).expect_err("a refusal")
}

#[test]
fn operations_apply_in_order() {
    let patched = apply(
        &slot(),
        &json!([
            { "op": "test", "path": "/status", "value": "free" },
            { "op": "replace", "path": "/status", "value": "busy" },
            { "op": "add", "path": "/specialty/-", "value": { "text": "c" } },
            { "op": "move", "from": "/specialty/0", "path": "/specialty/2" },
            { "op": "copy", "from": "/specialty/0", "path": "/specialty/0" },
            { "op": "remove", "path": "/comment" }
        ]),
    )
    .expect("patched");
    assert_eq!(patched["status"], "busy");
    assert!(patched.get("comment").is_none());
    let texts: Vec<_> = patched["specialty"].as_array().unwrap().iter().map(|s| &s["text"]).collect();
    assert_eq!(texts, ["b", "b", "c", "a"]);
}

#[test]
fn every_malformed_operation_is_named() {
    let error = refusal(json!([
        { "op": "replace", "path": "/status", "value": "busy" },
        { "op": "swap", "path": "/status" },
        { "path": "/status" },
        { "op": "add", "path": "/x" },
        { "op": "move", "path": "/x" },
        { "op": "remove", "path": "status" },
        7
    ]));
    assert_eq!(error.kind, Kind::BadRequest);
    let named: Vec<bool> = (1..=6)
        .map(|n| error.issues.iter().any(|i| i.diagnostics.contains(&format!("operation {n}:"))))
        .collect();
    assert_eq!((named, error.issues.len()), (vec![true; 6], 6));
    assert_eq!(refusal(json!({ "op": "add" })).kind, Kind::BadRequest);
}

#[test]
fn the_operation_that_fails_is_named_with_its_element() {
    let error = refusal(json!([
        { "op": "test", "path": "/status", "value": "free" },
        { "op": "test", "path": "/specialty/1/text", "value": "z" }
    ]));
    assert_eq!(error.kind, Kind::Unprocessable);
    assert_eq!(error.issues[0].expression.as_deref(), Some("Slot.specialty[1].text"));
    assert!(error.issues[0].diagnostics.contains("operation 1 (test /specialty/1/text)"), "{error}");
    for operation in [
        json!({ "op": "remove", "path": "/nothing" }),
        json!({ "op": "replace", "path": "/specialty/9", "value": {} }),
        json!({ "op": "add", "path": "/specialty/9", "value": {} }),
        json!({ "op": "copy", "from": "/nothing", "path": "/comment" }),
        json!({ "op": "move", "from": "/specialty", "path": "/specialty/0" }),
    ] {
        assert_eq!(refusal(json!([operation])).kind, Kind::Unprocessable, "{operation}");
    }
}

#[test]
fn the_resource_stays_the_same_one() {
    for operation in [
        json!({ "op": "replace", "path": "/id", "value": "t" }),
        json!({ "op": "remove", "path": "/id" }),
        json!({ "op": "replace", "path": "/resourceType", "value": "Patient" }),
        json!({ "op": "replace", "path": "", "value": [] }),
    ] {
        assert_eq!(refusal(json!([operation])).kind, Kind::Unprocessable, "{operation}");
    }
}

#[test]
fn a_patch_can_not_explode() {
    let doubling = json!({ "op": "copy", "from": "/specialty", "path": "/specialty/0" });
    let error = refusal(Value::Array(vec![doubling.clone(); 60]));
    assert!(matches!(error.kind, Kind::TooLarge | Kind::Unprocessable), "{error}");
    let wide = json!([
        { "op": "add", "path": "/a", "value": "x".repeat(100_000) },
        { "op": "copy", "from": "/a", "path": "/b" }
    ]);
    let mut operations = wide.as_array().unwrap().clone();
    operations.extend(vec![operations[1].clone(); 20]);
    assert_eq!(refusal(Value::Array(operations)).kind, Kind::TooLarge);
    let many = json!({ "op": "test", "path": "/status", "value": "free" });
    assert_eq!(refusal(Value::Array(vec![many; MAX_OPERATIONS + 1])).kind, Kind::TooLarge);
    let deep = json!([{ "op": "add", "path": "/a".repeat(101), "value": 1 }]);
    assert_eq!(refusal(deep).kind, Kind::Unprocessable);
}
