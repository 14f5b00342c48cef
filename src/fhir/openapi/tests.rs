use super::*;
use crate::fhir::validate::Validator;
use std::collections::BTreeSet;

fn whole() -> Value {
    document(&[
        Page { path: "/livez", methods: &["GET", "HEAD"], summary: "The process answers" },
        Page { path: "/apps/{id}", methods: &["POST"], summary: "Take access back" },
    ])
}

#[test]
fn every_type_of_the_registry_is_there() {
    let document = whole();
    for rtype in TYPES {
        let of_type = &document["paths"][format!("/fhir/{}", rtype.name)];
        for method in ["get", "post", "put", "patch", "delete"] {
            assert!(of_type[method].is_object(), "{method} {}", rtype.name);
        }
        assert!(document["paths"][format!("/fhir/{}/{{id}}", rtype.name)]["get"].is_object());
        assert!(document["components"]["schemas"][rtype.name].is_object());
    }
    assert!(document["paths"]["/livez"]["get"].is_object());
}

#[test]
fn every_reference_leads_somewhere_and_ids_are_unique() {
    fn visit(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                    found.insert(target.to_owned());
                }
                members.values().for_each(|member| visit(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| visit(item, found)),
            _ => {}
        }
    }
    let document = whole();
    let mut targets = BTreeSet::new();
    visit(&document, &mut targets);
    for target in targets {
        assert!(document.pointer(&target[1..]).is_some(), "{target}");
    }
    let mut ids = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            assert!(ids.insert(operation["operationId"].to_string()), "{}", operation["operationId"]);
        }
    }
}

#[test]
fn examples_fit_their_schemas_and_the_validator() {
    let document = whole();
    let validator = Validator::new().expect("a validator");
    for rtype in TYPES {
        let example = examples::body(rtype.name).expect("an example");
        let schema = json!({ "$ref": format!("#/components/schemas/{}", rtype.name), "components": document["components"] });
        let schema = jsonschema::validator_for(&schema).expect("a schema");
        let problems: Vec<String> = schema.iter_errors(&example).map(|e| e.to_string()).collect();
        assert!(problems.is_empty(), "{}: {problems:?}", rtype.name);
        let issues = validator.validate(rtype.name, &example);
        assert!(!issues.iter().any(crate::fhir::outcome::Issue::is_error), "{}: {issues:?}", rtype.name);
    }
}

#[test]
fn it_is_the_same_every_time() {
    assert_eq!(whole().to_string(), whole().to_string());
}
